use super::*;
use crate::model::samples::{assert_faults, fault, parse, printed};

fn devices(filesystem: &str) -> String {
    format!("<devices>\n{filesystem}</devices>")
}

#[test]
fn mounts_and_memory_come_back() {
    let text = devices(
        "<filesystem><target dir='/a/'/><source dir='/x'/><readonly/></filesystem>\
         <filesystem type='ram' accessmode='mapped'><source usage='2' units='M'/>\
         <target dir='/t'/></filesystem>",
    );
    let expected = [
        "    <filesystem type='mount' accessmode='passthrough'>",
        "      <source dir='/x'/>",
        "      <target dir='/a/'/>",
        "      <readonly/>",
        "    </filesystem>",
        "    <filesystem type='ram' accessmode='mapped'>",
        "      <source usage='2048' units='KiB'/>",
        "      <target dir='/t'/>",
        "    </filesystem>",
    ];
    assert_eq!(printed(&text), expected);
    let filesystems = parse(&text).devices.filesystems;
    assert_eq!(filesystems[1].source, FilesystemSource::Ram { usage: 2048 });
}

#[test]
fn faults() {
    let source = "missing source information for device";
    let needs = "line 3: <filesystem> needs a child element";
    let attribute = "XML error: line 3: Invalid value for attribute";
    let cases = [
        (
            "<filesystem><target dir='/a'/></filesystem>",
            format!("{source} /a: {needs} <source dir='...'>"),
        ),
        (
            "<filesystem><source dir=''/></filesystem>",
            format!("{source}: {needs} <source dir='...'>"),
        ),
        (
            "<filesystem><source dir='/a'/><target dir=''/></filesystem>",
            format!("missing target information for device /a: {needs} <target dir='...'>"),
        ),
        (
            "<filesystem type='ram'><source usage='1'/></filesystem>",
            format!("missing target information for device: {needs} <target dir='...'>"),
        ),
        (
            "<filesystem type='ram'><source/><target dir='/a'/></filesystem>",
            "XML error: line 3: missing 'usage' attribute for RAM filesystem".to_owned(),
        ),
        (
            "<filesystem type='ram'>\n<source usage='x'/><target dir='/a'/></filesystem>",
            "XML error: line 4: cannot parse usage 'x' for RAM filesystem".to_owned(),
        ),
        (
            "<filesystem type='foo'/>",
            format!(
                "{attribute} 'type' in element 'filesystem': 'foo'. Expected one of mount, block, \
                 file, template, ram, bind, volume"
            ),
        ),
        (
            "<filesystem accessmode='x'><source dir='/a'/><target dir='/a'/></filesystem>",
            format!(
                "{attribute} 'accessmode' in element 'filesystem': 'x'. Expected one of \
                 passthrough, mapped, squash"
            ),
        ),
        (
            "<filesystem><source dir='/a'/><target dir='t'/><boot order='1'/></filesystem>",
            "unsupported configuration: line 3: boot order is only supported for virtiofs"
                .to_owned(),
        ),
        (
            "<filesystem fmode='1000'><source dir='/a'/><target dir='t'/></filesystem>",
            "XML error: line 3: invalid fmode: '01000', must be <= 0777".to_owned(),
        ),
        (
            "<filesystem><source dir='/a'/><target dir='t'/><driver format='x'/></filesystem>",
            format!(
                "unsupported configuration: line 3: unknown driver format value 'x': expected one \
                 of {}",
                storage::FORMATS.join(", ")
            ),
        ),
        (
            "<filesystem type='volume'><source pool='p'/><target dir='t'/></filesystem>",
            "XML error: line 3: 'pool' and 'volume' must be specified together for 'pool' type \
             source"
                .to_owned(),
        ),
    ];
    for (text, expected) in &cases {
        assert_faults(&[(&devices(text), expected)]);
    }
    let code = |text: &str| fault(&devices(text)).code;
    assert_eq!(code(cases[0].0), ErrorCode::NoSource);
    assert_eq!(code(cases[2].0), ErrorCode::NoTarget);
}

#[test]
fn every_type_comes_back() {
    for (kind, source) in [
        ("mount", "<source dir='/a'/>"),
        ("bind", "<source dir='/a'/>"),
        ("block", "<source dev='/a'/>"),
        ("file", "<source file='/a'/>"),
        ("template", "<source name='a'/>"),
        ("ram", "<source usage='1' units='KiB'/>"),
        ("volume", "<source pool='a' volume='b'/>"),
    ] {
        let inner = format!("{source}<target dir='rel'/>");
        let text = devices(&format!("<filesystem type='{kind}'>{inner}</filesystem>"));
        let expected = [
            format!("    <filesystem type='{kind}' accessmode='passthrough'>"),
            format!("      {source}"),
            "      <target dir='rel'/>".to_owned(),
            "    </filesystem>".to_owned(),
        ];
        assert_eq!(printed(&text), expected);
    }
    let text = devices("<filesystem><source socket='/s'/><target dir='t'/></filesystem>");
    assert_eq!(printed(&text)[0], "    <filesystem type='mount'>");
}

#[test]
fn memory_is_rounded_down() {
    let usage = |source: &str| {
        let text =
            format!("<filesystem type='ram'><source {source}/><target dir='/'/></filesystem>");
        parse(&devices(&text)).devices.filesystems[0].source.clone()
    };
    assert_eq!(usage("usage='2047' units='b'"), FilesystemSource::Ram { usage: 1 });
    assert_eq!(usage("usage='5' units=''"), FilesystemSource::Ram { usage: 5 });
}

#[test]
fn what_is_only_kept_is_normalised() {
    let text = devices(
        "<filesystem model='virtio' dmode='755' fmode='0' multidevs='remap' accessmode=''>\
         <address type='pci' slot='5'/><space_soft_limit unit='KB'>2</space_soft_limit>\
         <space_hard_limit>0</space_hard_limit><boot order='1' loadparm='a.b'/>\
         <driver type='virtiofs' format='raw' queue='5' wrpolicy='immediate' iommu='on'/>\
         <binary xattr='on'><thread_pool size='3'/><cache mode='none'/></binary>\
         <source dir='/s'/><target dir='t'/></filesystem>",
    );
    assert_eq!(
        printed(&text),
        [
            "    <filesystem type='mount' accessmode='passthrough' model='virtio' \
             multidevs='remap' dmode='0755'>",
            "      <driver type='virtiofs' format='raw' wrpolicy='immediate' queue='5' iommu='on'/>",
            "      <binary xattr='on'>",
            "        <cache mode='none'/>",
            "        <thread_pool size='3'/>",
            "      </binary>",
            "      <source dir='/s'/>",
            "      <target dir='t'/>",
            "      <boot order='1' loadparm='A.B'/>",
            "      <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>",
            "      <space_soft_limit unit='bytes'>2000</space_soft_limit>",
            "    </filesystem>",
        ]
    );
    let text = devices(
        "<filesystem><driver format='raw' wrpolicy='immediate' queue='x'/><source dir='/s'/>\
         <binary xattr='x'/><target dir='t'/></filesystem>",
    );
    assert_eq!(parse(&text).devices.filesystems[0].driver, FilesystemDriver::default());
}
