//! Whatever is asked, the daemon answers in libvirt's words and goes on.

use std::os::unix::fs::symlink;

use crate::support::bus::CONNECT;
use crate::support::{Document, Domain, Host};

const CONNECT_INTERFACE: &str = "org.libvirt.Connect";
const DOMAIN_INTERFACE: &str = "org.libvirt.Domain";
const UUID: &str = "2fd4a6c0-7d1e-4f0b-9c55-000000000004";

/// A daemon with a container that must not notice anything.
struct Watched {
    host: Host,
    bystander: Domain,
}

impl Watched {
    fn new(test: &str) -> Option<Self> {
        let host = Host::new(test)?;
        let bystander = host.bystander();
        Some(Self { host, bystander })
    }

    /// Neither `define` nor `create` takes the document.
    fn assert_refused(&self, xml: &str, expected: &str) {
        let before = self.host.inventory();
        let bus = self.host.bus();
        for result in [bus.define(xml), bus.create_xml(xml)] {
            let failure = result.unwrap_err();
            assert_eq!(failure.name, "org.libvirt.Error");
            assert!(failure.text.starts_with(expected), "{failure:?}, not {expected:?}");
        }
        assert_eq!(bus.list(0).unwrap(), [self.bystander.path.as_str()]);
        before.assert_same(&self.host.inventory(), "after a document that is refused");
        self.bystander.assert_answers();
    }

    /// The start fails and leaves nothing, for a defined domain as for a transient one.
    fn assert_fails_to_start(&self, document: &Document, expected: &str) {
        let before = self.host.inventory();
        let bus = self.host.bus();
        let failure = bus.create_xml(document).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}, not {expected:?}");
        assert_eq!(bus.list(0).unwrap(), [self.bystander.path.as_str()]);
        let domain = bus.define(document).unwrap();
        let failure = domain.create().unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}, not {expected:?}");
        assert_eq!(domain.state().0, 5);
        before.assert_same(&self.host.inventory(), "after a start that failed");
        domain.undefine().unwrap();
        self.bystander.assert_answers();
    }
}

#[test]
fn names_that_are_no_file_names_are_refused() {
    let Some(watched) = Watched::new("names_that_are_no_file_names_are_refused") else {
        return;
    };
    let long = "x".repeat(300);
    for (name, expected) in [
        ("a/b", "XML error: line 1: name a/b cannot contain '/'"),
        ("..", "XML error: line 1: name cannot be '..'"),
        (".", "XML error: line 1: name cannot be '.'"),
        ("../../etc/passwd", "XML error: line 1: name ../../etc/passwd cannot contain '/'"),
        ("a\nb", "XML error: line 1: invalid char in name: a\\nb"),
        ("", "missing name information: line 1: the name is empty"),
        (long.as_str(), "XML error: line 1: the name has 300 bytes"),
    ] {
        watched.assert_refused(&watched.host.document(name).to_string(), expected);
    }
}

#[test]
fn documents_made_to_hurt_are_refused() {
    let Some(watched) = Watched::new("documents_made_to_hurt_are_refused") else {
        return;
    };
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let bomb = "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>\
                <!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><domain type='lxc'><name>&c;</name></domain>";
    let include = "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain>&a;</domain>";
    for (xml, expected) in [
        ("", "XML error"),
        ("nothing", "XML error"),
        ("<domain", "XML error"),
        ("<network/>", "XML error"),
        (
            "<domain type='qemu'><name>x</name></domain>",
            "invalid argument: line 1: invalid domain type qemu: only type='lxc'",
        ),
        (deep.as_str(), "XML error: line 1: "),
        (bomb, "XML error: line 1: "),
        (include, "XML error: line 1: "),
    ] {
        watched.assert_refused(xml, expected);
    }
    // With the depth inside, where a parser might not look.
    let metadata = format!("<metadata>{deep}</metadata>");
    let document = watched.host.document("deep").element(&metadata).to_string();
    watched.assert_refused(&document, "XML error: line 1: ");
}

#[test]
fn a_hundred_megabytes_are_refused() {
    let Some(watched) = Watched::new("a_hundred_megabytes_are_refused") else {
        return;
    };
    let filler = format!("<title>{}</title>", "x".repeat(100 << 20));
    let xml = watched.host.document("big").element(&filler).to_string();
    let failure = watched.host.bus().define(&xml).unwrap_err();
    let expected = format!("XML error: line 1: the document has {} bytes, more than", xml.len());
    assert!(failure.text.starts_with(&expected), "{failure:?}");
    watched.bystander.assert_answers();
    let memory = std::fs::read_to_string(format!("/proc/{}/status", watched.host.daemon_pid()));
    let memory = memory.unwrap();
    let resident = memory.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 200 << 10, "nsvirtd keeps {kib} KiB");
}

#[test]
fn the_parser_itself_takes_a_hundred_megabytes_and_depth() {
    // No root needed: the library, as a file on disk would reach it.
    use nsvirt::model::Domain;
    let big = format!("<domain type='lxc'><name>{}</name></domain>", "x".repeat(100 << 20));
    let failure = Domain::parse(&big).unwrap_err().message;
    assert!(failure.starts_with("XML error: line 1: the document has "), "{failure}");
    let deep = format!("<domain>{}{}</domain>", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert!(Domain::parse(&deep).unwrap_err().message.starts_with("XML error: line 1: "));
}

#[test]
fn what_is_missing_is_named() {
    let Some(watched) = Watched::new("what_is_missing_is_named") else {
        return;
    };
    let host = &watched.host;
    let missing = host.directory.join("missing");
    let path = missing.display();
    let file = host.directory.join("file");
    std::fs::write(&file, "").unwrap();
    host.tree.write("/etc/plain", "not a program");
    let starts = "internal error: guest failed to start: cannot ";
    for (document, expected) in [
        (
            host.document("init").init("/bin/missing", &[]),
            format!("{starts}find init path '/bin/missing' relative to container root"),
        ),
        (
            host.document("plain").init("/etc/plain", &[]),
            format!("{starts}execute init /etc/plain: Permission denied"),
        ),
        (
            host.document("source").mount(&missing, "/data", false),
            format!("{starts}open file system source {path}: No such file or directory"),
        ),
        (
            host.document("root").root(&missing),
            format!("{starts}open root file system {path}: No such file or directory"),
        ),
        (
            host.document("file").root(&file),
            format!("{starts}enter root file system {}: Not a directory", file.display()),
        ),
        (
            host.document("directory").os("<initdir>/missing</initdir>"),
            format!("{starts}change to init's directory /missing: No such file or directory"),
        ),
        (
            host.document("below").mount(&host.directory, "/etc/plain/below", false),
            format!("{starts}open mount point /etc/plain/below: Not a directory"),
        ),
    ] {
        watched.assert_fails_to_start(&document, &expected);
    }
}

#[test]
fn the_hosts_root_is_not_taken_unasked() {
    let Some(watched) = Watched::new("the_hosts_root_is_not_taken_unasked") else {
        return;
    };
    let document = watched.host.document("host").without_root();
    let expected = "unsupported configuration: domain 'host' has no file system for '/'";
    watched.assert_fails_to_start(&document, expected);
    let document = watched.host.document("ram").without_root().device(
        "<filesystem type='ram'><source usage='1024' units='KiB'/><target dir='/'/></filesystem>",
    );
    watched.assert_fails_to_start(&document, "unsupported configuration: ");
    let document = watched.host.document("mute").consoles(0);
    let expected = "unsupported configuration: At least one PTY console is required";
    watched.assert_fails_to_start(&document, expected);
    let document = watched.host.document("null").consoles(1).device("<console type='null'/>");
    let expected = "unsupported configuration: Only PTY console types are supported";
    watched.assert_fails_to_start(&document, expected);
}

#[test]
fn a_link_in_the_root_leads_nowhere_but_inside() {
    let Some(watched) = Watched::new("a_link_in_the_root_leads_nowhere_but_inside") else {
        return;
    };
    let host = &watched.host;
    let outside = host.directory.join("outside");
    std::fs::create_dir(&outside).unwrap();
    let source = host.directory.join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("here"), "").unwrap();
    // Absolute and relative, both of them to a directory of the host that exists.
    symlink(&outside, host.tree.path.join("absolute")).unwrap();
    let up = format!("../../../../../../..{}", outside.display());
    symlink(&up, host.tree.path.join("relative")).unwrap();
    for link in ["/absolute/data", "/relative/data"] {
        let document = host.document("link").mount(&source, link, false);
        // Inside there is no such directory: made there, or refused; the host's stays as it was.
        if let Ok(domain) = host.bus().create_xml(&document) {
            domain.assert_answers();
            domain.destroy().unwrap();
        }
        let entries: Vec<_> = std::fs::read_dir(&outside).unwrap().collect();
        assert!(entries.is_empty(), "{link}: {entries:?}");
    }
    // Where the way exists inside as well, it is the way inside that is taken.
    let inside = host.tree.path.join(outside.strip_prefix("/").unwrap());
    std::fs::create_dir_all(&inside).unwrap();
    let script = format!("ls {}; read line", outside.join("data").display());
    let document = host.document("link").script(&script).mount(&source, "/absolute/data", false);
    let domain = host.run(&document);
    domain.console().wait_for("here\r\n");
    domain.destroy().unwrap();
    assert!(std::fs::read_dir(&outside).unwrap().next().is_none());
    watched.bystander.assert_answers();
}

#[test]
fn unknown_domains_are_not_found() {
    let Some(watched) = Watched::new("unknown_domains_are_not_found") else {
        return;
    };
    let bus = watched.host.bus();
    let text = |result: Result<Domain, _>| {
        let failure: crate::support::Failure = result.unwrap_err();
        assert_eq!(failure.name, "org.libvirt.Error");
        failure.text
    };
    let missing = "Domain not found: No domain with matching";
    assert_eq!(text(bus.by_name("none")), format!("{missing} name 'none'"));
    assert_eq!(text(bus.by_name("")), format!("{missing} name ''"));
    assert_eq!(text(bus.by_uuid(UUID)), format!("{missing} uuid '{UUID}'"));
    assert_eq!(text(bus.by_id(1)), format!("{missing} id 1"));
    assert_eq!(text(bus.by_id(-1)), format!("{missing} id -1"));
    assert!(text(bus.by_uuid("zebra")).starts_with("invalid argument: uuidstr in "));
    let unknown = bus.at(&format!("{CONNECT}/domain/_{}", UUID.replace('-', "_")));
    for act in [Domain::create, Domain::destroy, Domain::suspend, Domain::undefine] {
        assert_eq!(act(&unknown).unwrap_err().text, format!("{missing} uuid '{UUID}'"));
    }
    watched.bystander.assert_answers();
}

#[test]
fn calls_that_do_not_exist_are_refused_in_dbus_words() {
    let Some(watched) = Watched::new("calls_that_do_not_exist_are_refused_in_dbus_words") else {
        return;
    };
    let bus = watched.host.bus();
    let domain = watched.bystander.path.as_str();
    let name = |path: &str, interface: &str, member: &str| {
        let failure = bus.send(path, interface, member, &()).unwrap_err();
        failure.name.strip_prefix("org.freedesktop.DBus.Error.").unwrap().to_owned()
    };
    assert_eq!(name("/org/libvirt/QEMU", CONNECT_INTERFACE, "ListDomains"), "UnknownObject");
    assert_eq!(
        name("/nowhere", "org.freedesktop.DBus.Introspectable", "Introspect"),
        "UnknownObject"
    );
    assert_eq!(name(&domain.to_uppercase(), DOMAIN_INTERFACE, "Create"), "UnknownObject");
    assert_eq!(name(CONNECT, DOMAIN_INTERFACE, "Create"), "UnknownInterface");
    assert_eq!(name(CONNECT, "org.example.None", "Create"), "UnknownInterface");
    assert_eq!(name(CONNECT, CONNECT_INTERFACE, "DomainMigrate"), "UnknownMethod");
    assert_eq!(name(domain, DOMAIN_INTERFACE, "Explode"), "UnknownMethod");
    // Too few, too many, of other types.
    assert_eq!(name(CONNECT, CONNECT_INTERFACE, "ListDomains"), "InvalidArgs");
    let wrong = |body: &dyn Fn() -> Result<zbus::Message, crate::support::Failure>| {
        assert_eq!(body().unwrap_err().name, "org.freedesktop.DBus.Error.InvalidArgs");
    };
    wrong(&|| bus.send(CONNECT, CONNECT_INTERFACE, "ListDomains", &"all"));
    wrong(&|| bus.send(CONNECT, CONNECT_INTERFACE, "ListDomains", &(0_u32, 0_u32)));
    wrong(&|| bus.send(CONNECT, CONNECT_INTERFACE, "DomainLookupByID", &0_u32));
    wrong(&|| bus.send(domain, DOMAIN_INTERFACE, "Destroy", &0_i32));
    wrong(&|| bus.send(domain, DOMAIN_INTERFACE, "Suspend", &0_u32));
    let property =
        |interface: &str, name: &str| bus.property(domain, interface, name).unwrap_err().name;
    let error = |name: &str| format!("org.freedesktop.DBus.Error.{name}");
    assert_eq!(property(DOMAIN_INTERFACE, "Colour"), error("UnknownProperty"));
    assert_eq!(property(CONNECT_INTERFACE, "Version"), error("InvalidArgs"));
    let read_only = watched.bystander.set("Name", "other").unwrap_err();
    assert_eq!(read_only.name, error("PropertyReadOnly"));
    // Flags that a call does not have are an error, not ignored.
    let flags = bus.send(domain, DOMAIN_INTERFACE, "Destroy", &64_u32).unwrap_err();
    assert_eq!(flags.text, "unsupported flags (0x40) in function lxcDomainDestroyFlags");
    watched.bystander.assert_answers();
}

#[test]
fn what_the_schema_refuses_is_refused_when_a_client_wants_that() {
    let test = "what_the_schema_refuses_is_refused_when_a_client_wants_that";
    let Some(watched) = Watched::new(test) else {
        return;
    };
    let bus = watched.host.bus();
    let good = watched.host.document("good").to_string();
    let bad = good.replace("</name>", "</name>\n<nmae/>");
    let line = bad.lines().position(|line| line.contains("<nmae/>")).unwrap() + 1;
    let expected = format!(
        "XML document failed to validate against schema: line {line}: \
         <nmae> is not allowed in <domain> here: allowed is "
    );
    let before = watched.host.inventory();
    for result in [bus.define_flags(&bad, 1), bus.create_xml_flags(&bad, 16)] {
        let failure = result.unwrap_err();
        assert_eq!(failure.name, "org.libvirt.Error");
        assert!(failure.text.starts_with(&expected), "{failure:?}, not {expected:?}");
    }
    let failure = bus.define_flags(&good, 3).unwrap_err();
    assert_eq!(failure.text, "unsupported flags (0x2) in function lxcDomainDefineXMLFlags");
    let failure = bus.create_xml_flags(&good, 17).unwrap_err();
    assert_eq!(failure.text, "unsupported flags (0x1) in function lxcDomainCreateXMLWithFiles");
    before.assert_same(&watched.host.inventory(), "after documents that are refused");

    let domain = bus.define_flags(&good, 1).unwrap();
    domain.undefine().unwrap();
    let domain = bus.create_xml_flags(&good, 16).unwrap();
    domain.assert_answers();
    domain.destroy().unwrap();
    // Without the flag what is not known is dropped, as ever.
    bus.define_flags(&bad, 0).unwrap().undefine().unwrap();
}
