use crate::model::samples::{assert_faults, fault, parse};

fn devices(inner: &str) -> String {
    format!("<devices>\n{inner}</devices>")
}

fn disk(name: &str, inner: &str) -> String {
    format!("<disk><source file='/f'/><target dev='{name}'/>{inner}</disk>")
}

/// The disks of a document, as `NAME CONTROLLER BUS TARGET UNIT`.
fn disks(inner: &str) -> Vec<String> {
    let disks = parse(&devices(inner)).devices.disks;
    let place = |disk: &super::Disk| match disk.drive() {
        Some(it) => format!(" {} {} {} {}", it.controller, it.bus, it.target, it.unit),
        None => String::new(),
    };
    disks.iter().map(|disk| format!("{}{}", disk.target, place(disk))).collect()
}

/// The controllers of a document, as `KIND INDEX`.
fn controllers(inner: &str) -> Vec<String> {
    let controllers = parse(&devices(inner)).devices.controllers;
    let name = |it: &super::Controller| format!("{} {}", it.kind.as_str(), it.index.unwrap());
    controllers.iter().map(name).collect()
}

fn usb(model: &str) -> String {
    format!("<controller type='usb' model='{model}'/>")
}

#[test]
fn disks_of_a_bus_are_in_the_order_of_their_names() {
    let names = ["vdb", "sdc", "hda", "vdaa", "sda", "vda"];
    let all = names.map(|name| disk(name, "")).concat();
    assert_eq!(disks(&all), ["hda 0 0 0 0", "sda 0 0 0 0", "sdc 0 0 0 2", "vda", "vdb", "vdaa"]);
    let bus = |name: &str| match &name[..1] {
        "v" => "virtio",
        "s" => "scsi",
        _ => "ide",
    };
    let named =
        |name: &str| disk(name, "").replace("<target", &format!("<target bus='{}'", bus(name)));
    let all = names.map(named).concat();
    assert_eq!(disks(&all), ["vda", "vdb", "vdaa", "sda 0 0 0 0", "sdc 0 0 0 2", "hda 0 0 0 0"]);
}

#[test]
fn drives_have_controllers() {
    let all = [disk("hda", ""), disk("sda", ""), disk("sdh", "")].concat();
    assert_eq!(controllers(&all), ["scsi 0", "scsi 1", "ide 0"]);
    let address = "<address type='drive' controller='2'/>";
    let all = disk("hda", address) + "<controller index='1'/><controller type='usb'/>";
    assert_eq!(controllers(&all), ["ide 0", "ide 1", "ide 2", "usb 0"]);
}

#[test]
fn controllers_get_the_lowest_free_number() {
    let text = "<controller type='scsi' index='1'/><controller type='ide'/>\
                <controller type='scsi'/><controller type='scsi' index='5'/>\
                <controller type='scsi'/>";
    assert_eq!(controllers(text), ["scsi 0", "scsi 1", "scsi 2", "scsi 5", "ide 0"]);
}

#[test]
fn usb_controllers_of_a_group_share_a_number() {
    let [main, first, second] = ["ich9-ehci1", "ich9-uhci1", "ich9-uhci2"].map(usb);
    let models = |text: &str| {
        let controllers = parse(&devices(text)).devices.controllers;
        let name = |it: super::Controller| format!("{} {}", it.model.unwrap(), it.index.unwrap());
        controllers.into_iter().map(name).collect::<Vec<_>>()
    };
    let group = ["ich9-ehci1 0", "ich9-uhci1 0", "ich9-uhci2 0"];
    assert_eq!(models(&format!("{main}{first}{second}")), group);
    assert_eq!(models(&format!("{first}{main}{second}")), group);
    assert_eq!(
        models(&format!("{main}{first}{first}")),
        ["ich9-ehci1 0", "ich9-uhci1 0", "ich9-uhci1 1"]
    );
    let expected = "line 3: No master USB controller specified";
    assert_faults(&[(&devices(&first), expected)]);
    let both = usb("none") + &main;
    let expected = "line 3: Can't add another USB controller: USB is disabled for this domain";
    assert_faults(&[(&devices(&both), expected)]);
}

#[test]
fn what_is_printed_is_read_back_in_the_same_order() {
    let all = ["vdb", "hda", "vda", "sda", "hdc", "sdz"].map(|name| disk(name, "")).concat();
    let text = devices(&format!("<controller type='scsi' index='2'/>{}{all}", usb("nec-xhci")));
    let domain = parse(&text);
    let printed = domain.format(crate::model::View::Inactive);
    assert_eq!(crate::model::Domain::parse(&printed), Ok(domain));
}

#[test]
fn names_and_places_are_taken_once() {
    let first = "<address type='drive' unit='1'/>";
    assert_faults(&[
        (
            &devices(&(disk("vda", "") + "\n" + &disk("vda", ""))),
            "XML error: line 4: target 'vda' duplicated for disk sources '/f' and '/f'",
        ),
        (
            &devices(&(disk("sda", first) + "\n" + &disk("sdb", ""))),
            "unsupported configuration: line 4: Found duplicate drive address for disk with \
             target name 'sda' controller='0' bus='0' target='0' unit='1'",
        ),
        (
            &devices("<controller type='scsi' index='0'/><controller type='scsi' index='0'/>"),
            "XML error: line 3: Multiple 'scsi' controllers with index '0'",
        ),
    ]);
    disks(&(disk("sda", first) + &disk("hda", first)));
}

#[test]
fn memory_is_bounded() {
    for text in [
        disk("hdaaaa", ""),
        disk("hdzzzzzz", ""),
        disk("sda", "<address type='drive' controller='4294967295'/>"),
    ] {
        let message = fault(&devices(&text)).message;
        assert!(message.contains("at most 1024 controllers"), "{message}");
    }
    let most = disk("sda", "<address type='drive' controller='1023'/>");
    assert_eq!(controllers(&most).len(), 1024);
}

#[test]
fn limits_are_shared_in_a_group() {
    let group = "<group_name>g</group_name>";
    let limit = "<total_bytes_sec>5</total_bytes_sec>";
    let all = [
        disk("vda", &format!("<iotune>{group}</iotune>")),
        disk("vdb", &format!("<iotune>{limit}{group}</iotune>")),
        disk("vdc", "<iotune><group_name>other</group_name></iotune>"),
    ]
    .concat();
    let limits = |name: &str| {
        let disks = parse(&devices(&all)).devices.disks;
        let disk = disks.iter().find(|disk| disk.target == name).unwrap();
        disk.kept("iotune").unwrap().child_text("total_bytes_sec")
    };
    assert_eq!(limits("vda").as_deref(), Some("5"));
    assert_eq!(limits("vdc"), None);
}

#[test]
fn scsi_devices_of_the_host_are_behind_the_disks() {
    let hostdev = |address: &str| {
        format!(
            "<hostdev type='scsi'><source><adapter name='a'/>\
             <address bus='0' target='0' unit='0'/></source>{address}</hostdev>"
        )
    };
    let all = "abcdefg".chars().map(|letter| disk(&format!("sd{letter}"), "")).collect::<String>();
    assert_eq!(controllers(&(hostdev("") + &all)), ["scsi 0", "scsi 1"]);
    let taken = hostdev("<address type='drive' unit='1'/>") + &disk("sdb", "");
    assert_faults(&[(
        &devices(&taken),
        "unsupported configuration: line 3: using disk target name 'sdb' conflicts with SCSI host \
         device address controller='0' bus='0' target='0' unit='1'",
    )]);
}
