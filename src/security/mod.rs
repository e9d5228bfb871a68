//! What a container may do: capabilities.

pub mod capabilities;
