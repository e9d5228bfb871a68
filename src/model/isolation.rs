//! `<nsvirt:isolation>`: how far the container is kept from the host's kernel. libvirt has no
//! element for it, so this one is in a name space of nsvirt's own; libvirt drops it.

use super::read::{required, words};
use super::{Switch, extensions};
use crate::error::Result;
use crate::xml::{Element, Writer};

words! {
    /// A set of decisions about what a container may do to the kernel.
    pub enum IsolationProfile {
        /// What libvirt's own driver lets a container do, without its mistakes.
        Compat = "compat",
        /// Without what a system in a container has no use for.
        Hardened = "hardened",
    }
}

words! {
    /// System calls that no capability stands for.
    pub enum AllowedCalls {
        /// `io_uring(7)`.
        IoUring = "io_uring",
        /// `keyrings(7)`.
        Keyrings = "keyrings",
        /// Sockets of virtual machines and of the kernel's cryptography, and the call for sockets
        /// of old 32-bit programs, which hides what they ask for.
        Sockets = "sockets",
        /// `userfaultfd(2)`.
        Userfaultfd = "userfaultfd",
    }
}

/// What the document says; what it leaves open is for the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Isolation {
    /// The profile.
    pub profile: Option<IsolationProfile>,
    /// Whether programs can gain privileges by being executed, such as `su(1)`: it takes that away.
    pub no_new_privs: bool,
    /// What is allowed beyond the profile, in order and each once.
    pub allow: Vec<AllowedCalls>,
}

impl Isolation {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let Some(element) = extensions::find(root, "isolation")? else {
            return Ok(Self::default());
        };
        let mut allow = Vec::new();
        for child in element.elements() {
            if extensions::local_name(child, &[child, element, root]) != Some("allow") {
                let detail = format_args!(
                    "unknown element <{}> in isolation: expected allow with calls='...'",
                    child.name
                );
                return Err(child.unsupported(detail));
            }
            allow.push(required(child, "calls", AllowedCalls::attr(child, "calls")?)?);
        }
        allow.sort_unstable();
        allow.dedup();
        Ok(Self {
            profile: IsolationProfile::attr(element, "profile")?,
            no_new_privs: Switch::attr(element, "noNewPrivs")? == Some(Switch::On),
            allow,
        })
    }

    /// Whether there is nothing to write.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if self.is_default() {
            return;
        }
        let mut attributes = Vec::new();
        attributes.extend(self.profile.map(|profile| ("profile", profile.as_str())));
        if self.no_new_privs {
            attributes.push(("noNewPrivs", "on"));
        }
        if self.allow.is_empty() {
            return w.empty("nsvirt:isolation", &attributes);
        }
        w.open("nsvirt:isolation", &attributes);
        for calls in &self.allow {
            w.empty("nsvirt:allow", &[("calls", calls.as_str())]);
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{fault, parse, printed};
    use super::*;

    fn isolation(attributes: &str, content: &str) -> String {
        let uri = extensions::URI;
        format!("<n:isolation xmlns:n='{uri}' {attributes}>{content}</n:isolation>")
    }

    #[test]
    fn what_is_said_is_kept_under_our_prefix_in_order_and_once() {
        let allow =
            "<n:allow calls='sockets'/><n:allow calls='io_uring'/><n:allow calls='sockets'/>";
        assert_eq!(
            printed(&isolation("profile='compat' noNewPrivs='on'", allow)),
            [
                "<domain type='lxc' xmlns:nsvirt='urn:nsvirt:domain:1.0'>",
                "  <nsvirt:isolation profile='compat' noNewPrivs='on'>",
                "    <nsvirt:allow calls='io_uring'/>",
                "    <nsvirt:allow calls='sockets'/>",
                "  </nsvirt:isolation>",
            ]
        );
        let hardened = ["  <nsvirt:isolation profile='hardened'/>"];
        assert_eq!(printed(&isolation("profile='hardened'", ""))[1..], hardened);
        assert_eq!(parse(&isolation("noNewPrivs='off'", "")).isolation, Isolation::default());
        assert_eq!(parse("<isolation profile='x'/>").isolation, Isolation::default());
    }

    #[test]
    fn faults() {
        for (attributes, content, expected) in [
            ("profile='soft'", "", "'profile'"),
            ("noNewPrivs='yes'", "", "'noNewPrivs'"),
            ("", "<n:allow/>", "'calls'"),
            ("", "<n:allow calls='all'/>", "'calls'"),
            ("", "<n:deny calls='io_uring'/>", "unknown element <n:deny>"),
            ("", "<allow calls='io_uring'/>", "unknown element <allow>"),
        ] {
            let message = fault(&isolation(attributes, content)).message;
            assert!(message.contains(expected), "{message}");
        }
        let twice = isolation("", "").repeat(2);
        assert!(fault(&twice).message.contains("only one isolation element"));
    }
}
