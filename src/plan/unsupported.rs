//! What documents may ask for and containers do not get yet.
//!
//! The model keeps such elements as libvirt does, so that a definition survives; a container that
//! silently lacks its limits or its confinement is worse than none, so the start is refused.

use std::fmt;

use crate::error::{Error, ErrorCode, Result};
use crate::model::{
    ClockBasis, ClockOffset, Domain, Filesystem, FilesystemSource, HostDevice, HostDeviceSource,
    LabelKind,
};

/// Fails at the first element that is not honoured, naming it and what there is instead.
pub(super) fn check(domain: &Domain) -> Result<()> {
    let refused = confinement(domain).into_iter().chain(timers(domain)).chain(devices(domain));
    match refused.into_iter().find(|(is_wanted, ..)| *is_wanted) {
        None => check_filesystems(domain).and_then(|()| check_disks(domain)),
        Some((_, element, instead)) => Err(refusal(domain, element, instead)),
    }
}

fn refusal(domain: &Domain, element: impl fmt::Display, instead: &str) -> Error {
    cannot_start(domain, format_args!("{element} is not supported: {instead}"))
}

/// What is not mounted, and targets that are not in the container's tree as they are written.
fn check_filesystems(domain: &Domain) -> Result<()> {
    for filesystem in &domain.devices.filesystems {
        let Filesystem { source, target, .. } = filesystem;
        if !target.starts_with('/') || target.split('/').any(|component| component == "..") {
            let element = format_args!("<filesystem> with target '{target}'");
            let instead = "it must be an absolute path without '..'";
            return Err(refusal(domain, element, instead));
        }
        let (kind, at) = (source.kind(), format_args!(" at '{target}'"));
        let element = match source {
            FilesystemSource::Mount { .. } | FilesystemSource::Ram { .. } => continue,
            FilesystemSource::Socket { .. } => format!("<filesystem> with a socket{at}"),
            _ => format!("<filesystem type='{kind}'>{at}"),
        };
        return Err(refusal(domain, element, "only directories (mount) and memory (ram) are"));
    }
    Ok(())
}

fn check_disks(domain: &Domain) -> Result<()> {
    match domain.devices.disks.first() {
        None => Ok(()),
        Some(disk) => {
            let element = format_args!("<disk> with target '{}'", disk.target);
            Err(refusal(domain, element, "no block devices are made"))
        }
    }
}

/// The error for what a document asks for and this host does not have.
pub(super) fn cannot_start(domain: &Domain, why: impl fmt::Display) -> Error {
    let name = &domain.name;
    Error::new(ErrorCode::ConfigUnsupported, format!("domain '{name}' cannot start: {why}"))
}

/// Whether the document wants something, its element, and what there is instead.
type Refusal = (bool, &'static str, &'static str);

/// What the container's processes may do.
fn confinement(domain: &Domain) -> [Refusal; 1] {
    [(is_confined(domain), "<seclabel>", "only type='none' is")]
}

fn is_confined(domain: &Domain) -> bool {
    let mut labels = domain.security_labels.iter();
    labels.any(|label| label.kind != LabelKind::None)
}

/// libvirt makes devices for timers when the clock follows the local time.
fn timers(domain: &Domain) -> [Refusal; 1] {
    let clock = &domain.clock;
    let is_local = matches!(clock.offset, ClockOffset::Fixed { basis: ClockBasis::Localtime, .. });
    let wanted = clock.timers.iter().any(|timer| timer.attr("present") != Some("no"));
    [(is_local && wanted, "<timer>", "no clock devices are made")]
}

/// Devices that nobody makes.
fn devices(domain: &Domain) -> [Refusal; 1] {
    let is_network = |device: &HostDevice| matches!(device.source, HostDeviceSource::Net { .. });
    let all_are = domain.devices.host_devices.iter().all(is_network);
    [(!all_are, "<hostdev>", "only network devices are given to containers")]
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
        let cases = [
            "<seclabel type='dynamic' model='selinux'/>",
            "<clock offset='localtime'><timer name='rtc'/></clock>",
            "<devices><disk><source file='/f'/><target dev='vda'/></disk></devices>",
            "<devices><filesystem type='block'><source dev='/d'/><target dir='/'/></filesystem>\
             </devices>",
            "<devices><filesystem><source socket='/s'/><target dir='/'/></filesystem></devices>",
            "<devices><hostdev mode='capabilities' type='misc'><source><char>/dev/fuse</char>\
             </source></hostdev></devices>",
        ];
        for text in cases {
            let error = refusal(text).unwrap_or_else(|| panic!("{text} is not refused"));
            assert_eq!(error.code, ErrorCode::ConfigUnsupported);
            assert!(error.message.contains("cannot start: <"), "{error}");
        }
    }

    #[test]
    fn targets_stay_inside() {
        let with_target = |target| {
            let text = format!("<source dir='/a'/><target dir='{target}'/>");
            refusal(&format!("<devices><filesystem>{text}</filesystem></devices>"))
        };
        for target in ["a", "../a", "/..", "/a/../b", "/a/.."] {
            let expected = format!(
                "unsupported configuration: domain 'web' cannot start: <filesystem> with target \
                 '{target}' is not supported: it must be an absolute path without '..'"
            );
            assert_eq!(with_target(target).map(|error| error.message), Some(expected));
        }
        assert_eq!(with_target("/..a/b.."), None);
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
