//! What is not an answer, as libvirt's clients have it.

use super::xdr::{Encode, Encoder};
use crate::error::{Error, ErrorCode, ErrorDomain};

/// `VIR_ERR_ERROR`.
const LEVEL_ERROR: i32 = 2;
/// Longest text of an error, in bytes: libvirt's clients take no more.
const MAX_TEXT: usize = 1 << 20;

/// An error of the protocol itself, which libvirt says without a phrase.
pub(super) fn protocol(message: impl Into<String>) -> Error {
    Error::bare(ErrorCode::Rpc, message).in_domain(ErrorDomain::Rpc)
}

/// An error of the connection's state.
pub(super) fn state(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InternalError, detail).in_domain(ErrorDomain::Rpc)
}

impl Encode for Error {
    /// `virError`: code, domain, text and level, then no domain object, the text as a template
    /// with what fills it, two numbers, and no network object.
    fn encode(&self, to: &mut Encoder) {
        let message = limited(&self.message);
        let phrase = self.code.phrase();
        let detail = message.strip_prefix(phrase).and_then(|rest| rest.strip_prefix(": "));
        let (template, detail, number) = match (function_of_flags(message), detail) {
            (Some(function), _) => (function.to_owned(), "flags", 0_i32),
            (None, Some(detail)) => (format!("{phrase}: %s"), detail, -1),
            (None, None) => ("%s".to_owned(), message, -1),
        };
        (self.code as i32, self.domain as i32, Some(message), LEVEL_ERROR).encode(to);
        (None::<u32>, Some(template), Some(detail), None::<&str>).encode(to);
        (number, number, None::<u32>).encode(to);
    }
}

/// For flags that a function does not take, libvirt names the function and the argument.
fn function_of_flags(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unsupported flags (")?;
    rest.rsplit_once(" in function ").map(|(_, function)| function)
}

fn limited(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_TEXT)).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::xdr::{Decode, Decoder};
    use super::*;

    #[test]
    fn an_error_is_as_libvirt_sends_it() {
        let error = Error::new(ErrorCode::OperationInvalid, "domain is not running");
        let mut encoder = Encoder::default();
        error.encode(&mut encoder);
        let bytes = encoder.finish().unwrap();
        let mut decoder = Decoder::new(&bytes);
        let head: (i32, i32, Option<String>, i32) = Decode::decode(&mut decoder).unwrap();
        let text = "Requested operation is not valid: domain is not running".to_owned();
        assert_eq!(head, (55, 17, Some(text), 2));
        type Strings = (bool, Option<String>, Option<String>, Option<String>);
        let strings: Strings = Decode::decode(&mut decoder).unwrap();
        let template = Some("Requested operation is not valid: %s".to_owned());
        assert_eq!(strings, (false, template, Some("domain is not running".to_owned()), None));
        let tail: (i32, i32, bool) = Decode::decode(&mut decoder).unwrap();
        assert_eq!(tail, (-1, -1, false));
        let text = "unsupported flags (0x2) in function lxcDomainReboot";
        assert_eq!(function_of_flags(text), Some("lxcDomainReboot"));
    }
}
