//! What devices of the document must be when seen together: how many of a family there may be,
//! before they are read, and what they say of each other, after that. What shows only when numbers
//! and places are filled in is checked where that is done, in [`super::attach`].

use std::collections::BTreeSet;

use super::video::is_primary;
use crate::error::{Error, Result};
use crate::model::read::{internal, number};
use crate::xml::Element;

/// Fails when there are too many of a family of which a machine has few.
pub(super) fn check_counts(devices: &[&Element]) -> Result<()> {
    type Fault = fn(&Element, &str) -> Error;
    let plain: Fault = |device, detail| device.error(detail);
    let strange: Fault = |device, detail| internal(device, detail);
    let most: [(&str, usize, Fault, &str); 7] = [
        ("watchdog", 1, strange, "only a single watchdog device is supported"),
        ("memballoon", 1, strange, "only a single memory balloon device is supported"),
        ("nvram", 1, strange, "only a single nvram device is supported"),
        ("redirfilter", 1, strange, "only one set of redirection filter rule is supported"),
        ("iommu", 1, plain, "only a single IOMMU device is supported"),
        ("vsock", 1, plain, "only a single vsock device is supported"),
        (
            "tpm",
            2,
            plain,
            "a maximum of two TPM devices is supported, one of them being a TPM Proxy device",
        ),
    ];
    for (family, most, fault, detail) in most {
        if let Some(device) = of(devices, family).get(most) {
            return Err(fault(device, detail));
        }
    }
    Ok(())
}

/// Fails when the devices, each of them valid, do not go together.
pub(super) fn check_together(root: &Element, devices: &[&Element]) -> Result<()> {
    check_panic(devices)?;
    check_video(devices)?;
    check_audio(devices)?;
    check_usb(devices)?;
    check_host_devices(devices)?;
    check_filesystems(devices)?;
    check_labels(root, devices)?;
    check_iommu(root, devices)
}

fn of<'a>(devices: &[&'a Element], family: &str) -> Vec<&'a Element> {
    devices.iter().copied().filter(|device| device.name == family).collect()
}

fn check_panic(devices: &[&Element]) -> Result<()> {
    let mut models = BTreeSet::new();
    for device in of(devices, "panic") {
        let model = device.attr("model").unwrap_or("default");
        if !models.insert(model) {
            let detail = format_args!("Multiple panic devices with model '{model}'");
            return Err(device.error(detail));
        }
    }
    Ok(())
}

fn check_video(devices: &[&Element]) -> Result<()> {
    let cards = of(devices, "video");
    // libvirt wants to add a card then, and its driver for containers knows none.
    if let (Some(screen), []) = (of(devices, "graphics").first(), &cards[..]) {
        let detail = "missing video model and cannot determine default: <graphics> needs <video>";
        return Err(internal(screen, detail));
    }
    if let Some(second) = cards.iter().filter(|card| is_primary(card)).nth(1) {
        return Err(second.unsupported("Only one primary video device is supported"));
    }
    let is_none = |card: &&&Element| {
        card.child("model").is_some_and(|model| model.attr("type") == Some("none"))
    };
    match cards.iter().find(is_none) {
        Some(card) if cards.len() > 1 => Err(card.unsupported(
            "a 'none' video type must be the only video device defined for the domain",
        )),
        _ => Ok(()),
    }
}

fn check_audio(devices: &[&Element]) -> Result<()> {
    let id_of = |element: &Element| element.attr("id").and_then(number::<u32>);
    let mut known = BTreeSet::new();
    for audio in of(devices, "audio") {
        if let Some(id) = id_of(audio)
            && !known.insert(id)
        {
            return Err(audio.error(format_args!("audio ID {id} is used multiple times")));
        }
    }
    let uses = |device: &&&Element| {
        device.name == "sound" || device.name == "graphics" && device.attr("type") == Some("vnc")
    };
    for audio in devices.iter().filter(uses).filter_map(|device| device.child("audio")) {
        if let Some(id) = id_of(audio).filter(|id| *id != 0 && !known.contains(id)) {
            return Err(audio.error(format_args!("no audio device with ID {id}")));
        }
    }
    Ok(())
}

/// There must be something to plug USB devices into. Hubs and devices of the host get it by
/// themselves, unless the document says that there is no USB.
fn check_usb(devices: &[&Element]) -> Result<()> {
    let controllers = of(devices, "controller").into_iter();
    let (off, usb): (Vec<_>, Vec<_>) = controllers
        .filter(|controller| controller.attr("type") == Some("usb"))
        .partition(|controller| controller.attr("model") == Some("none"));
    let (is_off, is_there) = (!off.is_empty(), !usb.is_empty());
    for device in devices {
        let text = match device.name.as_str() {
            "hub" if is_off => "Can't add USB hub: USB is disabled for this domain",
            "hostdev" if is_off && device.attr("type") == Some("usb") => {
                "Can't add host USB device: USB is disabled in this host"
            }
            "redirdev" if !is_there => {
                "cannot add redirected USB device: USB is disabled for this domain"
            }
            _ => continue,
        };
        return Err(device.unsupported(format_args!(
            "{text}: a <controller type='usb'> with another model than 'none' enables it"
        )));
    }
    Ok(())
}

fn check_host_devices(devices: &[&Element]) -> Result<()> {
    let has_screen = |device: &&&Element| {
        device.name == "hostdev"
            && device.attr("type") == Some("mdev")
            && device.attr("ramfb") == Some("on")
    };
    match devices.iter().filter(has_screen).nth(1) {
        Some(second) => Err(second.unsupported("Only one vgpu device can have 'ramfb' enabled")),
        None => Ok(()),
    }
}

/// A guest tells file systems of virtiofs apart by their targets.
fn check_filesystems(devices: &[&Element]) -> Result<()> {
    let mut targets = BTreeSet::new();
    let is_virtiofs = |device: &&Element| {
        device.child("driver").is_some_and(|driver| driver.attr("type") == Some("virtiofs"))
    };
    for device in of(devices, "filesystem").into_iter().filter(is_virtiofs) {
        let target = device.child("target").and_then(|target| target.attr("dir"));
        if let Some(target) = target.filter(|target| !targets.insert(*target)) {
            let text = format_args!("filesystem target '{target}' specified twice");
            return Err(device.unsupported(text));
        }
    }
    Ok(())
}

/// Where the domain's label is not used, none of a device may be.
fn check_labels(root: &Element, devices: &[&Element]) -> Result<()> {
    let is_off = |label: &&Element| {
        label.attr("type") == Some("none") || label.attr("relabel") == Some("no")
    };
    let off: BTreeSet<_> =
        root.children_named("seclabel").filter(is_off).filter_map(|it| it.attr("model")).collect();
    let labelled = ["disk", "serial", "parallel", "console", "channel"];
    let sources = devices.iter().filter(|device| labelled.contains(&device.name.as_str()));
    let sources = sources.filter_map(|device| device.child("source"));
    let mut labels = sources.flat_map(|source| source.children_named("seclabel"));
    match labels.find(|label| label.attr("model").is_some_and(|model| off.contains(model))) {
        None => Ok(()),
        Some(label) => Err(label
            .unsupported("label overrides require relabeling to be enabled at the domain level")),
    }
}

fn check_iommu(root: &Element, devices: &[&Element]) -> Result<()> {
    let ioapic = root.child("features").and_then(|features| features.child("ioapic"));
    let is_split = ioapic.is_some_and(|ioapic| ioapic.attr("driver") == Some("qemu"));
    let remaps = |iommu: &&Element| {
        iommu.child("driver").is_some_and(|driver| driver.attr("intremap") == Some("on"))
    };
    match of(devices, "iommu").into_iter().find(remaps) {
        Some(iommu) if !is_split => Err(iommu.unsupported(
            "IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, assert_faults, fault, parse};

    #[test]
    fn there_are_few_of_some_families() {
        let two = |device: &str| device.repeat(2);
        let tpm = "<tpm><backend type='emulator'/></tpm>".repeat(3);
        let vga = "<video><model type='vga' primary='yes'/></video>";
        assert_device_faults(&[
            (
                &two("<watchdog model='ib700'/>"),
                "internal error: only a single watchdog device is supported",
            ),
            (
                &two("<memballoon model='none'/>"),
                "internal error: only a single memory balloon device is supported",
            ),
            (&two("<nvram/>"), "internal error: only a single nvram device is supported"),
            (
                &two("<redirfilter/>"),
                "internal error: only one set of redirection filter rule is supported",
            ),
            (&two("<iommu model='virtio'/>"), "XML error: only a single IOMMU device is supported"),
            (&two("<vsock/>"), "XML error: only a single vsock device is supported"),
            (
                &tpm,
                "XML error: a maximum of two TPM devices is supported, one of them being a TPM \
                 Proxy device",
            ),
            (
                "<graphics type='sdl'/>",
                "internal error: missing video model and cannot determine default: <graphics> \
                 needs <video>",
            ),
            (&two("<panic/>"), "XML error: Multiple panic devices with model 'default'"),
            (&two(vga), "unsupported configuration: Only one primary video device is supported"),
            (
                &two("<video><model type='none'/></video>"),
                "unsupported configuration: a 'none' video type must be the only video device \
                 defined for the domain",
            ),
        ]);
    }

    #[test]
    fn what_devices_refer_to_is_there() {
        let audio = "<audio id='1' type='none'/>";
        assert_device_faults(&[
            (&audio.repeat(2), "XML error: audio ID 1 is used multiple times"),
            ("<sound model='usb'><audio id='2'/></sound>", "XML error: no audio device with ID 2"),
        ]);
        let card = "<video><model type='none'/></video>";
        let vnc = "<graphics type='vnc'><audio id='1'/></graphics>";
        parse(&format!("<devices>{vnc}{audio}{card}</devices>"));
        let labelled = "<serial type='dev'><source path='/p'><seclabel model='dac' relabel='no'/>\
                        </source></serial>";
        assert_faults(&[(
            &format!("<seclabel type='none' model='dac'/><devices>{labelled}</devices>"),
            "unsupported configuration: line 2: label overrides require relabeling to be enabled \
             at the domain level",
        )]);
    }

    #[test]
    fn virtiofs_has_a_target_once() {
        let twice = |driver: &str| {
            format!("<filesystem>{driver}<source dir='/s'/><target dir='t'/></filesystem>")
                .repeat(2)
        };
        parse(&format!("<devices>{}</devices>", twice("")));
        assert_device_faults(&[(
            &twice("<driver type='virtiofs'/>"),
            "unsupported configuration: filesystem target 't' specified twice",
        )]);
    }

    #[test]
    fn one_device_at_most_has_a_screen_from_the_start() {
        let device = |id: u32| {
            format!(
                "<hostdev mode='subsystem' type='mdev' model='vfio-pci' ramfb='on'><source>\
                 <address uuid='c7a5fdbd-edaf-9455-926a-d65c16db180{id}'/></source></hostdev>"
            )
        };
        parse(&format!("<devices>{}</devices>", device(1)));
        assert_device_faults(&[(
            &(device(1) + &device(2)),
            "unsupported configuration: Only one vgpu device can have 'ramfb' enabled",
        )]);
    }

    #[test]
    fn usb_devices_need_usb() {
        let off = "<controller type='usb' model='none'/>";
        let usb = "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/>\
                   </source></hostdev>";
        for (device, expected) in [
            ("<hub type='usb'/>", "Can't add USB hub: USB is disabled for this domain"),
            (usb, "Can't add host USB device: USB is disabled in this host"),
        ] {
            parse(&format!("<devices>{device}</devices>"));
            let error = fault(&format!("<devices>{device}{off}</devices>"));
            assert!(error.message.contains(expected), "{error}");
        }
    }
}
