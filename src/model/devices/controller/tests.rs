use crate::model::samples::{assert_faults, fault, printed};

fn devices(controller: &str) -> String {
    format!("<devices>\n{controller}</devices>")
}

#[test]
fn what_is_said_is_kept_in_libvirts_order() {
    let text = devices(
        "<controller type='pci' index='1' model='pci-root'><pcihole64 unit='MiB'>1</pcihole64>\
         <acpi index='3'/><driver queues='4' cmd_per_lun='0'/><model name='pxb'/>\
         <target port='010' index='2' hotplug='off'><node>1</node></target></controller>",
    );
    assert_eq!(
        printed(&text),
        [
            "    <controller type='pci' index='1' model='pci-root'>",
            "      <model name='pxb'/>",
            "      <target port='0x8' index='2' hotplug='off'>",
            "        <node>1</node>",
            "      </target>",
            "      <driver queues='4'/>",
            "      <acpi index='3'/>",
            "      <pcihole64 unit='KiB'>1024</pcihole64>",
            "    </controller>",
        ]
    );
    for (text, expected) in [
        ("<controller/>", "type='ide' index='0'"),
        (
            "<controller type='virtio-serial' index=' 3' vectors='0' ports='2' model='virtio'/>",
            "type='virtio-serial' index='3' model='virtio' ports='2' vectors='0'",
        ),
        ("<controller type='scsi' ports='x'><pcihole64/></controller>", "type='scsi' index='0'"),
    ] {
        assert_eq!(printed(&devices(text)), [format!("    <controller {expected}/>")]);
    }
}

#[test]
fn faults() {
    let attribute = |name: &str, element: &str, rest: &str| {
        format!(
            "XML error: line 3: Invalid value for attribute '{name}' in element '{element}': {rest}"
        )
    };
    let pci = |inner: &str| format!("<controller type='pci' index='1'>{inner}</controller>");
    for (text, expected) in [
        (
            "<controller index='-1'/>".to_owned(),
            attribute("index", "controller", "'-1'. Expected non-negative value"),
        ),
        (
            "<controller index='x'/>".to_owned(),
            attribute("index", "controller", "'x'. Expected integer value"),
        ),
        (
            pci("<target index='31'/>"),
            "unsupported configuration: line 3: PCI controller target index '31' out of range \
             - must be 0-30"
                .to_owned(),
        ),
        (
            pci("<target index='0'/>"),
            "unsupported configuration: line 3: Only the PCI controller with index 0 can have \
             target index 0, and vice versa"
                .to_owned(),
        ),
        (
            pci("").replace("'1'", "'256'"),
            "unsupported configuration: line 3: PCI controller index 256 too high, maximum is 255"
                .to_owned(),
        ),
        (
            pci("<target><node>0</node></target>").replace("'1'", "'0'"),
            "unsupported configuration: line 3: The PCI controller with index=0 can't be \
             associated with a NUMA node"
                .to_owned(),
        ),
        (
            pci("<model/><model/>"),
            "XML error: line 3: Multiple <model> elements in controller definition not allowed"
                .to_owned(),
        ),
        (
            "<controller type='scsi'><driver iothread='1'/></controller>".to_owned(),
            "XML error: line 3: 'iothread' attribute only supported for virtio scsi controllers"
                .to_owned(),
        ),
    ] {
        assert_faults(&[(&devices(&text), &expected)]);
    }
    let message = fault(&devices("<controller type='sata' model='ahci'/>")).message;
    assert!(message.ends_with("'ahci': controllers of type 'sata' have no model"), "{message}");
}
