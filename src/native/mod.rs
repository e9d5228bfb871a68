//! Configurations of other programs, to and from domain documents.
//!
//! Both directions work on the document's element tree and know neither the model nor the host.

pub mod lxc_tools;
