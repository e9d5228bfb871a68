//! What documents may ask for and containers do not get yet.
//!
//! The model keeps such elements as libvirt does, so that a definition survives; a container that
//! silently lacks its limits or its confinement is worse than none, so the start is refused.

use std::fmt;

use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain, LabelKind};

/// Fails at the first element that is not honoured, naming it and what there is instead.
pub(super) fn check(domain: &Domain) -> Result<()> {
    if is_confined(domain) {
        return Err(refusal(domain, "<seclabel>", "only type='none' is"));
    }
    Ok(())
}

/// The error for an element that is not honoured: what there is instead.
pub(super) fn refusal(domain: &Domain, element: impl fmt::Display, instead: &str) -> Error {
    cannot_start(domain, format_args!("{element} is not supported: {instead}"))
}

/// The error for what a document asks for and this host does not have.
pub(super) fn cannot_start(domain: &Domain, why: impl fmt::Display) -> Error {
    let name = &domain.name;
    Error::new(ErrorCode::ConfigUnsupported, format!("domain '{name}' cannot start: {why}"))
}

/// Whether a security module has to confine the container's processes.
fn is_confined(domain: &Domain) -> bool {
    let mut labels = domain.security_labels.iter();
    labels.any(|label| label.kind != LabelKind::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(elements: &str) -> Option<Error> {
        let text = format!(
            "<domain type='lxc'>{elements}<name>web</name><memory>1024</memory>\
             <os><type>exe</type><init>/i</init></os></domain>"
        );
        check(&Domain::parse(&text).unwrap()).err()
    }

    #[test]
    fn what_would_be_missing_is_refused() {
        let error = refusal("<seclabel type='dynamic' model='selinux'/>").unwrap();
        assert_eq!(error.code, ErrorCode::ConfigUnsupported);
        assert!(error.message.contains("cannot start: <seclabel>"), "{error}");
    }

    #[test]
    fn what_asks_for_nothing_starts() {
        for text in [
            "<seclabel type='none'/>",
            "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>",
            "<clock><timer name='rtc'/></clock>",
            "<clock offset='localtime'><timer name='rtc' present='no'/></clock>",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
    }
}
