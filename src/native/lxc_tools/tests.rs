use super::*;

fn from(config: &str) -> Imported {
    import(config, |name| panic!("no include {name}")).unwrap()
}

/// The outside samples, when they are beside the project.
#[test]
fn samples_come_out_as_libvirt_writes_them_but_for_the_listed_differences() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
    let corpus = std::env::var("NSVIRT_CORPUS").unwrap_or_else(|_| beside.to_owned());
    let folder = std::path::Path::new(&corpus).join("lxcconf2xml");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    };
    let mut compared = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "config") {
            continue;
        }
        let config = std::fs::read_to_string(&path).unwrap();
        if stem.contains("-fstab") {
            let error = import(&config, |_| Ok(String::new())).unwrap_err();
            assert!(error.message.contains("lxc.mount.entry"), "{error}");
            continue;
        }
        let expected = folder.join(format!("{}.xml", stem.trim_end_matches("-v3")));
        let expected = std::fs::read_to_string(expected).unwrap();
        let ours = from(&config).xml();
        assert_eq!(comparable(&ours), comparable(&expected), "{stem}");
        compared += 1;
    }
    assert!(compared > 0);
}

/// Without what differs on purpose: the uuid and the path of libvirt's supervisor are given when
/// the domain is defined, and there is always a console.
fn comparable(xml: &str) -> String {
    let mut root = crate::xml::parse(xml).unwrap();
    drop_blanks(&mut root);
    root.children.retain(|node| !is(node, "uuid"));
    for node in &mut root.children {
        if let crate::xml::Node::Element(devices) = node {
            devices.children.retain(|node| !is(node, "emulator"));
            if devices.children_named("console").count() <= 1 {
                devices.children.retain(|node| !is(node, "console"));
            }
        }
    }
    build::print(&root)
}

fn is(node: &crate::xml::Node, name: &str) -> bool {
    matches!(node, crate::xml::Node::Element(element) if element.name == name)
}

fn drop_blanks(element: &mut Element) {
    let has_elements = element.elements().next().is_some();
    element.children.retain(|node| !matches!(node, crate::xml::Node::Text(_) if has_elements));
    for node in &mut element.children {
        if let crate::xml::Node::Element(child) = node {
            drop_blanks(child);
        }
    }
}
