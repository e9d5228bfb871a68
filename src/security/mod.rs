//! What a container and its supervisor may do: capabilities, system calls.

pub mod capabilities;
pub mod seccomp;
