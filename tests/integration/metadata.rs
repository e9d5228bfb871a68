//! Titles, descriptions and what programs keep with a domain: which document, events, refusals.

use std::fs;

use crate::support::{Domain, Failure, Host, Step};

const DESCRIPTION: i32 = 0;
const TITLE: i32 = 1;
const ELEMENT: i32 = 2;
const LIVE: u32 = 1;
const CONFIG: u32 = 2;
const NOT_THERE: &str = "metadata not found: Requested metadata element is not present";

/// Number, text, prefix and name space of something to set.
type New = (i32, &'static str, &'static str, &'static str);

fn libvirt(text: &str) -> Failure {
    Failure { name: "org.libvirt.Error".to_owned(), text: text.to_owned() }
}

fn set(domain: &Domain, kind: i32, text: &str, flags: u32) {
    domain.set_metadata((kind, text, "", ""), flags).unwrap();
}

#[test]
fn metadata_is_set_where_flags_say() {
    let Some(mut host) = Host::new("metadata_is_set_where_flags_say") else { return };
    let domain = host.bus().define(host.document("meta")).unwrap();
    set(&domain, TITLE, "defined", 0);
    domain.create().unwrap();
    let title = |flags| domain.metadata(TITLE, "", flags).unwrap();
    assert_eq!((title(0), title(LIVE), title(CONFIG)), same("defined"));
    set(&domain, TITLE, "now", 0);
    assert_eq!((title(0), title(LIVE), title(CONFIG)), three("now", "now", "defined"));
    set(&domain, TITLE, "next", CONFIG);
    assert_eq!((title(0), title(LIVE), title(CONFIG)), three("now", "now", "next"));
    set(&domain, TITLE, "both", LIVE | CONFIG);
    assert_eq!((title(0), title(LIVE), title(CONFIG)), same("both"));
    set(&domain, DESCRIPTION, "a\nb", LIVE);
    assert!(domain.xml(0).unwrap().contains("  <description>a\nb</description>\n"));
    assert!(!domain.xml(2).unwrap().contains("<description>"));

    // What was set is there for the next daemon, too.
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().by_name("meta").unwrap();
    assert_eq!(domain.metadata(DESCRIPTION, "", 0).unwrap(), "a\nb");
    let failure = domain.metadata(DESCRIPTION, "", CONFIG).unwrap_err();
    assert_eq!(failure, libvirt(NOT_THERE));
    domain.assert_answers();
    domain.destroy().unwrap();
    assert_eq!(domain.metadata(TITLE, "", 0).unwrap(), "both");
}

fn three(a: &str, b: &str, c: &str) -> (String, String, String) {
    (a.to_owned(), b.to_owned(), c.to_owned())
}

fn same(text: &str) -> (String, String, String) {
    three(text, text, text)
}

#[test]
fn elements_are_found_by_their_name_space() {
    let Some(host) = Host::new("elements_are_found_by_their_name_space") else { return };
    let domain = host.bus().define(host.document("apps")).unwrap();
    let set = |text, key, uri| domain.set_metadata((ELEMENT, text, key, uri), 0);
    set("<app n='1'><part/>text</app>", "a", "urn:a").unwrap();
    set("<app/>", "b", "urn:b").unwrap();
    let found = |uri| domain.metadata(ELEMENT, uri, 0);
    assert_eq!(found("urn:a").unwrap(), "<app n=\"1\"><part/>text</app>");
    let expected = "  <metadata>\n    \
                    <a:app xmlns:a=\"urn:a\" n=\"1\"><a:part/>text</a:app>\n    \
                    <b:app xmlns:b=\"urn:b\"/>\n  </metadata>\n";
    assert!(domain.xml(0).unwrap().contains(expected));
    // The empty string takes it away, whether it is there or not.
    for _ in 0..2 {
        set("", "", "urn:a").unwrap();
        assert_eq!(found("urn:a").unwrap_err(), libvirt(NOT_THERE));
    }
    assert_eq!(found("urn:b").unwrap(), "<app/>");
}

#[test]
fn a_change_of_metadata_is_told() {
    let Some(host) = Host::new("a_change_of_metadata_is_told") else { return };
    let events = host.bus().events();
    let domain = host.bus().define(host.document("told")).unwrap();
    domain.set_metadata((ELEMENT, "<x/>", "k", "urn:k"), 0).unwrap();
    domain.set_metadata((ELEMENT, "<x", "k", "urn:k"), 0).unwrap_err();
    domain.set_metadata((ELEMENT, "", "", "urn:k"), CONFIG).unwrap();
    set(&domain, TITLE, "t", 0);
    set(&domain, DESCRIPTION, "", 0);
    let told = |kind, uri: &str| Step::Metadata(kind, uri.to_owned());
    let steps = [Step::ADDED, told(2, "urn:k"), told(2, "urn:k"), told(1, ""), told(0, "")];
    events.expect(&domain, &steps);
}

#[test]
fn what_makes_no_sense_is_refused_in_libvirts_words() {
    let name = "what_makes_no_sense_is_refused_in_libvirts_words";
    let Some(host) = Host::new(name) else { return };
    let off = host.bus().define(host.document("off")).unwrap();
    let on = host.run(&host.document("on"));
    let before = (off.xml(0).unwrap(), on.xml(0).unwrap());
    let not_running = "Requested operation is not valid: domain is not running";
    let no_config = "Requested operation is not valid: transient domains do not have any \
                     persistent config";
    let sets: &[(&Domain, New, u32, &str)] = &[
        (&off, (TITLE, "x", "", ""), LIVE, not_running),
        (&off, (TITLE, "x", "", ""), LIVE | CONFIG, not_running),
        (&on, (TITLE, "x", "", ""), CONFIG, no_config),
        (&on, (TITLE, "x", "", ""), LIVE | CONFIG, no_config),
        (&on, (TITLE, "x", "", ""), 8, "unsupported flags (0x8) in function lxcDomainSetMetadata"),
        (&on, (TITLE, "a\nb", "", ""), 0, "metadata title can't contain newlines"),
        (&on, (TITLE, "x", "k", ""), 0, "key in virDomainSetMetadata must be NULL"),
        (&on, (DESCRIPTION, "", "k", "u"), 0, "uri in virDomainSetMetadata must be NULL"),
        (&on, (ELEMENT, "", "", ""), 0, "uri in virDomainSetMetadata must not be NULL"),
        (&on, (ELEMENT, "<x/>", "", "u"), 0, "key in virDomainSetMetadata must not be NULL"),
        (&on, (7, "x", "", ""), 0, "invalid argument: unknown metadata type '7'"),
        (
            &on,
            (ELEMENT, "<x/>", "a b", "u"),
            0,
            "internal error: failed to validate prefix for a new XML namespace",
        ),
        (
            &on,
            (ELEMENT, "<x xmlns:k='v'/>", "k", "u"),
            0,
            "internal error: failed to create a new XML namespace",
        ),
    ];
    for (domain, what, flags, expected) in sets {
        let failure = domain.set_metadata(*what, *flags).unwrap_err();
        assert_eq!(failure, libvirt(expected), "{what:?} {flags}");
    }
    let both = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually \
                exclusive";
    let gets: &[(&Domain, i32, &str, u32, &str)] = &[
        (&off, TITLE, "", 0, NOT_THERE),
        (&off, TITLE, "", LIVE, not_running),
        (&on, TITLE, "", CONFIG, no_config),
        (&on, TITLE, "", LIVE | CONFIG, both),
        (&on, TITLE, "", 8, "unsupported flags (0x8) in function virDomainObjGetMetadata"),
        (&on, DESCRIPTION, "u", 0, "uri in virDomainGetMetadata must be NULL"),
        (&on, ELEMENT, "", 0, "uri in virDomainGetMetadata must not be NULL"),
        (&on, ELEMENT, "u", 0, NOT_THERE),
        (&on, 9, "", 0, "invalid argument: unknown metadata type '9'"),
    ];
    for (domain, kind, uri, flags, expected) in gets {
        let failure = domain.metadata(*kind, uri, *flags).unwrap_err();
        assert_eq!(failure, libvirt(expected), "{kind} {uri} {flags}");
    }
    let failure = on.xml(4).unwrap_err();
    assert_eq!(failure, libvirt("unsupported flags (0x4) in function lxcDomainGetXMLDesc"));
    assert_eq!((off.xml(0).unwrap(), on.xml(0).unwrap()), before);
}

#[test]
fn a_change_that_cannot_be_stored_is_none() {
    let Some(host) = Host::new("a_change_that_cannot_be_stored_is_none") else { return };
    let domain = host.bus().define(host.document("half")).unwrap();
    domain.create().unwrap();
    set(&domain, TITLE, "before", LIVE | CONFIG);
    // A directory in the place of the record: it cannot be replaced by a file.
    let uuid: String = domain.property("UUID");
    let record = host.paths.runs().join(format!("{uuid}.xml"));
    let text = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    let failure = domain.set_metadata((TITLE, "after", "", ""), LIVE | CONFIG).unwrap_err();
    assert!(failure.text.starts_with(&format!("cannot write {}", record.display())), "{failure:?}");
    fs::remove_dir(&record).unwrap();
    fs::write(&record, text).unwrap();
    let title = |flags| domain.metadata(TITLE, "", flags).unwrap();
    assert_eq!((title(LIVE), title(CONFIG)), ("before".to_owned(), "before".to_owned()));
    let definition = fs::read_to_string(host.paths.definitions().join("half.xml")).unwrap();
    assert!(definition.contains("<title>before</title>"), "{definition}");
}
