//! libvirt's own clients, and others that speak its protocol.

mod clients;
mod hostile;
mod parity;
mod python;
mod raw;
mod sockets;
