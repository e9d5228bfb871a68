//! The rows of commands about devices.

use super::rows::{CONFIG, CURRENT, DOMAIN, LIVE, flag, opt, row};
use super::{Command, Hint, Kind, Opt};
use crate::cmd;

const PERSISTENT: Opt = flag("persistent", "of the definition, and of the domain if it runs");
const PRINT: Opt = flag("print-xml", "print the XML instead");
const DEVICE: Opt = opt("file", Kind::Data, Hint::File, "file with the device's XML");

/// An option that is given by name only.
const fn named(name: &'static str, help: &'static str) -> Opt {
    opt(name, Kind::Named, Hint::None, help)
}

pub(super) const ATTACH_DEVICE: Command = row(
    "attach-device",
    "add a device from a file",
    "Adds the device that the XML describes: to the domain as it runs, to its definition,\n\
     or to both.",
    &[DOMAIN, DEVICE, PERSISTENT, CONFIG, LIVE, CURRENT],
    cmd::device::attach,
);

pub(super) const ATTACH_DISK: Command = row(
    "attach-disk",
    "add a disk",
    "Adds a block device or an image as /dev/TARGET.",
    &[
        DOMAIN,
        opt("source", Kind::Data, Hint::File, "path of the device or image"),
        opt("target", Kind::Data, Hint::None, "name of the disk, such as sdb"),
        named("targetbus", "bus of the disk"),
        named("driver", "what provides its content"),
        named("subdriver", "format of the image"),
        named("iothread", "thread for its input and output"),
        named("cache", "how the host's memory is used"),
        named("io", "way of input and output"),
        named("type", "what it looks like: disk|cdrom|floppy|lun"),
        named("mode", "readonly or shareable"),
        named("sourcetype", "what the source is: block|file|network"),
        named("serial", "serial number"),
        named("wwn", "world wide name"),
        named("alias", "name for later commands"),
        flag("rawio", "with all SCSI commands"),
        named("address", "place on its bus"),
        flag("multifunction", "one of several functions at its place"),
        PRINT,
        named("source-protocol", "protocol of a network source"),
        named("source-host-name", "host of a network source"),
        named("source-host-transport", "transport to that host"),
        named("source-host-socket", "socket of that host"),
        PERSISTENT,
        CONFIG,
        LIVE,
        CURRENT,
    ],
    cmd::attach::disk,
);

pub(super) const ATTACH_INTERFACE: Command = row(
    "attach-interface",
    "add a network device",
    "Adds a network device on a bridge, or a share of a device of the host.",
    &[
        DOMAIN,
        opt(
            "type",
            Kind::Data,
            Hint::Words(&["bridge", "direct", "network", "hostdev", "vhostuser"]),
            "what it is attached to",
        ),
        opt("source", Kind::Data, Hint::None, "name of the bridge or device"),
        named("target", "name of its end on the host"),
        named("mac", "hardware address"),
        named("script", "program to run when it appears"),
        named("model", "card that a machine sees"),
        named("alias", "name for later commands"),
        named("inbound", "limits on what comes in: average,peak,burst,floor"),
        named("outbound", "limits on what goes out: average,peak,burst"),
        PERSISTENT,
        CONFIG,
        LIVE,
        CURRENT,
        PRINT,
        flag("managed", "take a device of the host from its driver"),
        named("source-mode", "side of a socket: server|client"),
    ],
    cmd::attach::interface,
);

pub(super) const DETACH_DEVICE: Command = row(
    "detach-device",
    "take a device away, from a file",
    "Takes the device away that the XML means: it is found by its target, hardware address\n\
     or source.",
    &[DOMAIN, DEVICE, PERSISTENT, CONFIG, LIVE, CURRENT],
    cmd::device::detach,
);

pub(super) const DETACH_ALIAS: Command = row(
    "detach-device-alias",
    "take a device away, by its alias",
    "Takes the device away that has this alias in the XML of the running domain.",
    &[
        DOMAIN,
        opt("alias", Kind::Data, Hint::None, "alias of the device, such as net0"),
        CONFIG,
        LIVE,
        CURRENT,
    ],
    cmd::device::detach_alias,
);

pub(super) const DETACH_DISK: Command = row(
    "detach-disk",
    "take a disk away",
    "Takes the disk away that has this target or source.",
    &[
        DOMAIN,
        opt("target", Kind::Data, Hint::None, "name of the disk, such as sdb, or its source"),
        PERSISTENT,
        CONFIG,
        LIVE,
        CURRENT,
        PRINT,
    ],
    cmd::device::detach_disk,
);

pub(super) const DETACH_INTERFACE: Command = row(
    "detach-interface",
    "take a network device away",
    "Takes the network device away that is of this type and has this hardware address.",
    &[
        DOMAIN,
        opt(
            "type",
            Kind::Data,
            Hint::Words(&["bridge", "direct", "ethernet", "network"]),
            "what it is attached to",
        ),
        named("mac", "hardware address"),
        PERSISTENT,
        CONFIG,
        LIVE,
        CURRENT,
        PRINT,
    ],
    cmd::device::detach_interface,
);

pub(super) const UPDATE_DEVICE: Command = row(
    "update-device",
    "change a device, from a file",
    "Makes the device that the XML means what it says.",
    &[
        DOMAIN,
        DEVICE,
        PERSISTENT,
        CONFIG,
        LIVE,
        CURRENT,
        flag("force", "whatever the domain makes of it"),
    ],
    cmd::device::update,
);
