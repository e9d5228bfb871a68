//! nsvirt: Linux containers behind libvirt's API.
//!
//! The layers, from text to kernel; arrows go downwards only and a test checks them:
//! [`xml`] and [`model`] read and write what the user wrote.

pub mod error;
pub mod model;
pub mod xml;

pub use error::{Error, ErrorCode, ErrorDomain, Result};
