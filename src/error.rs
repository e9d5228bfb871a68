//! The one error of the API: libvirt's code, libvirt's domain, and a sentence a user can act on.
//!
//! The text follows libvirt's habit: a fixed phrase per code, a colon, and the particulars
//! (`Domain not found: no domain with matching name 'web'`), since clients match on both. Front
//! ends map [`Error`] once; everything below adds context where it happens.

use std::fmt;

/// libvirt's error numbers (`virErrorNumber`), those nsvirt answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ErrorCode {
    /// Something in nsvirt or the host failed that is not the caller's doing.
    InternalError = 1,
    /// The call exists in libvirt and this driver does not have it.
    NoSupport = 3,
    /// No driver is at that address.
    NoConnect = 5,
    /// An argument or a flag that the call does not take.
    InvalidArg = 8,
    /// The operation was tried and failed.
    OperationFailed = 9,
    /// A device or file system has no source.
    NoSource = 19,
    /// A device or file system has no target.
    NoTarget = 20,
    /// A document has no name.
    NoName = 21,
    /// The document is not well formed, or lacks what it must have.
    XmlError = 27,
    /// The caller may not do this.
    OperationDenied = 29,
    /// The document is at fault; the message says all.
    XmlDetail = 35,
    /// A system call failed; the message carries the errno text.
    SystemError = 38,
    /// A message of the remote protocol is not what it should be.
    Rpc = 39,
    /// No such domain.
    NoDomain = 42,
    /// The operation does not fit the state the domain is in.
    OperationInvalid = 55,
    /// The document asks for something that is understood and not supported.
    ConfigUnsupported = 67,
    /// Another operation held the domain for too long.
    OperationTimeout = 68,
    /// A program of the administrator's failed that is called at a step of a domain's life.
    HookScriptFailed = 70,
    /// An argument that is valid elsewhere and not supported here.
    ArgumentUnsupported = 74,
    /// A domain has no such title, description or element of metadata.
    NoDomainMetadata = 80,
    /// A number larger than what it counts can be.
    Overflow = 82,
    /// An operation that is valid elsewhere and not supported here.
    OperationUnsupported = 84,
    /// The document is not what the schema allows.
    XmlInvalidSchema = 92,
    /// A domain has no such device.
    DeviceMissing = 99,
    /// No name of a host is known for a domain.
    NoHostname = 108,
}

impl ErrorCode {
    /// The phrase libvirt puts before the particulars.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::InternalError => "internal error",
            Self::NoSupport => "this function is not supported by the connection driver",
            Self::InvalidArg => "invalid argument",
            Self::OperationFailed => "operation failed",
            Self::NoSource => "missing source information for device",
            Self::NoTarget => "missing target information for device",
            Self::NoName => "missing name information",
            Self::XmlError => "XML error",
            Self::XmlDetail => "",
            Self::NoConnect => "no connection driver available",
            Self::Rpc => "RPC error",
            Self::OperationDenied => "operation forbidden",
            Self::SystemError => "Cannot complete the operation",
            Self::NoDomain => "Domain not found",
            Self::OperationInvalid => "Requested operation is not valid",
            Self::ConfigUnsupported => "unsupported configuration",
            Self::OperationTimeout => "Timed out during operation",
            Self::HookScriptFailed => "Hook script execution failed",
            Self::ArgumentUnsupported => "argument unsupported",
            Self::NoDomainMetadata => "metadata not found",
            Self::Overflow => "numerical overflow",
            Self::OperationUnsupported => "Operation not supported",
            Self::NoHostname => "no hostname found",
            Self::XmlInvalidSchema => "XML document failed to validate against schema",
            Self::DeviceMissing => "device not found",
        }
    }
}

/// libvirt's error domains (`virErrorDomain`): which part of the driver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ErrorDomain {
    /// No part in particular.
    None = 0,
    /// The document parser as XML.
    Xml = 5,
    /// The remote protocol.
    Rpc = 7,
    /// The container driver.
    Lxc = 17,
    /// Pools and volumes of storage.
    Storage = 18,
    /// Virtual networks.
    Network = 19,
    /// The domain document.
    Domain = 20,
    /// Devices of the host.
    NodeDevice = 22,
    /// Network interfaces of the host.
    Interface = 26,
    /// Secrets.
    Secret = 30,
    /// Filters of network traffic.
    NetworkFilter = 33,
    /// Snapshots of domains.
    Snapshot = 35,
    /// Control groups.
    Cgroup = 54,
    /// Checkpoints of domains.
    Checkpoint = 69,
}

/// What went wrong, for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// libvirt's number.
    pub code: ErrorCode,
    /// The part that speaks.
    pub domain: ErrorDomain,
    /// The whole sentence, phrase included.
    pub message: String,
}

/// A result of the API.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the container driver: `detail` follows the code's phrase.
    pub fn new(code: ErrorCode, detail: impl fmt::Display) -> Self {
        let message = match code {
            ErrorCode::SystemError | ErrorCode::XmlDetail => detail.to_string(),
            _ => format!("{}: {detail}", code.phrase()),
        };
        Self { code, domain: ErrorDomain::Lxc, message }
    }

    /// An error whose text libvirt writes without the code's phrase.
    pub fn bare(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, domain: ErrorDomain::Lxc, message: message.into() }
    }

    /// The same error, said by another part.
    #[must_use]
    pub fn in_domain(self, domain: ErrorDomain) -> Self {
        Self { domain, ..self }
    }

    /// A failed system call: what was attempted, then the errno text, as in
    /// `cannot write /etc/nsvirt/lxc/web.xml: No space left on device`.
    pub fn system(attempt: impl fmt::Display, cause: impl Into<std::io::Error>) -> Self {
        Self::new(ErrorCode::SystemError, format!("{attempt}: {}", errno_text(&cause.into())))
    }

    /// A document error at a line (1-based) of the document.
    pub fn xml(line: u32, detail: impl fmt::Display) -> Self {
        Self::in_document(ErrorCode::XmlError, line, detail)
    }

    /// An error of another kind than [`ErrorCode::XmlError`] at a line (1-based) of the document.
    pub fn in_document(code: ErrorCode, line: u32, detail: impl fmt::Display) -> Self {
        Self::new(code, format!("line {line}: {detail}")).in_domain(ErrorDomain::Domain)
    }
}

/// The C library's text for an errno, without Rust's `(os error 2)`.
pub fn errno_text(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_libvirts() {
        let error = Error::new(ErrorCode::OperationInvalid, "domain is not running");
        assert_eq!(error.to_string(), "Requested operation is not valid: domain is not running");
    }

    #[test]
    fn a_system_error_ends_with_the_errno_text() {
        let cause = std::io::Error::from_raw_os_error(nix::libc::ENOENT);
        let error = Error::system("cannot open /nowhere", cause);
        assert_eq!(error.message, "cannot open /nowhere: No such file or directory");
        assert_eq!(error.code as i32, 38);
    }
}
