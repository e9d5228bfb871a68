//! `<auth>` and `<encryption>`: which secrets open a source. The secrets themselves are elsewhere.

use crate::error::Result;

use crate::model::shape::{self, Kind, Shape, attr};
use crate::xml::{Element, Node};

/// How to log in at the source's host.
pub(crate) fn auth(element: &Element) -> Result<Element> {
    let Some(user) = element.attr("username").filter(|user| !user.is_empty()) else {
        return Err(element.error("missing username for auth"));
    };
    let mut attributes = Vec::new();
    if let Some(kind) = element.attr("type").filter(|kind| !kind.is_empty()) {
        if !["none", "chap", "ceph"].contains(&kind) {
            return Err(element.unsupported(format_args!(
                "unknown auth type '{kind}': expected one of chap, ceph"
            )));
        }
        attributes.extend(Some(("type", kind.to_owned())).filter(|_| kind != "none"));
    }
    attributes.push(("username", user.to_owned()));
    let Some(secret) = element.child("secret") else {
        return Err(element.error("Missing <secret> element in auth"));
    };
    let kind = secret.attr("type").map(|kind| ("type", kind.to_owned()));
    let named: Vec<_> = kind.into_iter().chain([named(secret)?]).collect();
    let secret = shape::element("secret", &named, Vec::new());
    Ok(shape::element("auth", &attributes, vec![secret]))
}

/// The kind of the secret to log in with.
pub(crate) fn kind_of_secret(auth: &Element) -> Result<&str> {
    const KINDS: [&str; 6] = ["none", "volume", "ceph", "iscsi", "tls", "vtpm"];
    let kind = auth.child("secret").and_then(|secret| secret.attr("type"));
    kind.filter(|kind| KINDS.contains(kind)).ok_or_else(|| {
        auth.unsupported(format_args!(
            "unknown secret type '{}': expected one of {}",
            kind.unwrap_or("<null>"),
            KINDS.join(", ")
        ))
    })
}

/// Checks which secrets a disk names, and the images below its own. libvirt does so when everything
/// else of all devices is right.
pub(crate) fn check(disk: &Element) -> Result<()> {
    let source = disk.child("source");
    check_of(disk, source, disk)?;
    let below = disk.child("backingStore").into_iter();
    source.map_or(Ok(()), |source| check_of(disk, Some(source), source))?;
    below.filter(|store| store.attr("type").is_some()).try_for_each(check)
}

/// The secrets that `owner`, a disk or its source, has.
fn check_of(disk: &Element, source: Option<&Element>, owner: &Element) -> Result<()> {
    let source = source.filter(|_| disk.attr("type") == Some("network"));
    let protocol = source.and_then(|source| source.attr("protocol"));
    if let (Some(auth), Some(protocol)) = (owner.child("auth"), protocol) {
        check_auth(auth, protocol)?;
    }
    let encryption = owner.child("encryption").filter(|it| it.attr("format") == Some("luks"));
    match encryption.and_then(|encryption| encryption.child("cipher")) {
        Some(cipher) => {
            Err(cipher.unsupported("supplying <cipher> for domain disk definition is unnecessary"))
        }
        None => Ok(()),
    }
}

/// Protocols have secrets of their own, or none.
fn check_auth(auth: &Element, protocol: &str) -> Result<()> {
    let expected = match protocol {
        "iscsi" => Some("iscsi"),
        "rbd" => Some("ceph"),
        "nbd" | "sheepdog" | "gluster" | "tftp" | "vxhs" | "nfs" => {
            return Err(auth.unsupported(format_args!(
                "authentication is not supported for protocol '{protocol}'"
            )));
        }
        _ => None,
    };
    let kind = kind_of_secret(auth)?;
    match expected.filter(|expected| kind != *expected) {
        Some(expected) => {
            Err(auth.unsupported(format_args!("invalid secret type '{kind}': expected {expected}")))
        }
        None => Ok(()),
    }
}

/// The name of a secret: its uuid or its usage.
fn named(secret: &Element) -> Result<(&'static str, String)> {
    match (secret.attr("uuid"), secret.attr("usage")) {
        (None, None) => Err(secret.error("missing secret uuid or usage attribute")),
        (Some(_), Some(_)) => Err(secret.error("either secret uuid or usage expected")),
        (None, Some(usage)) => Ok(("usage", usage.to_owned())),
        (Some(text), None) => match crate::model::identity::read_uuid(text) {
            Some(uuid) => Ok(("uuid", uuid.to_string())),
            None => Err(secret.error(format_args!("invalid secret uuid '{text}'"))),
        },
    }
}

/// How a source is encrypted.
pub(crate) fn encryption(element: &Element) -> Result<Element> {
    const ENGINE: Shape =
        Shape::new("encryption", &[attr("engine", Kind::Word(&["qemu", "librbd"]))]);
    let formats = ["default", "qcow", "luks", "luks2"];
    let Some(format) = element.attr("format").filter(|format| !format.is_empty()) else {
        let text = "unknown volume encryption format: expected one of";
        return Err(element.error(format_args!("{text} {}", formats.join(", "))));
    };
    if !formats.contains(&format) {
        return Err(element.unsupported(format_args!(
            "unknown volume encryption format type {format}: expected one of {}",
            formats.join(", ")
        )));
    }
    let mut kept = shape::element("encryption", &[("format", format.to_owned())], Vec::new());
    kept.attributes.extend(ENGINE.read(element)?.unwrap_or_default().attributes);
    for secret in element.children_named("secret") {
        match secret.attr("type") {
            Some("passphrase") => (),
            None => return Err(secret.error("unknown volume encryption secret type")),
            Some(other) => {
                return Err(secret.unsupported(format_args!(
                    "unknown volume encryption secret type {other}: expected passphrase"
                )));
            }
        }
        let attributes = [("type", "passphrase".to_owned()), named(secret)?];
        kept.children.push(Node::Element(shape::element("secret", &attributes, Vec::new())));
    }
    read_cipher(element)?;
    Ok(kept)
}

/// The cipher is for those who make a volume; a domain has nothing to say about it. Mistakes in it
/// come before that.
fn read_cipher(element: &Element) -> Result<()> {
    const SIZE: Shape = Shape::new("cipher", &[attr("size", Kind::Number).required()]);
    if element.attr("format") != Some("luks") {
        return Ok(());
    }
    let (cipher, ivgen) = (element.child("cipher"), element.child("ivgen"));
    let Some(cipher) = cipher else {
        return match ivgen {
            Some(ivgen) => Err(ivgen.error("ivgen element found, but cipher is missing")),
            None => Ok(()),
        };
    };
    if cipher.attr("name").is_none() {
        return Err(cipher.error("cipher info missing 'name' attribute"));
    }
    SIZE.read(cipher)?;
    match ivgen.filter(|ivgen| ivgen.attr("name").is_none()) {
        Some(ivgen) => Err(ivgen.error("missing ivgen info name string")),
        None => Ok(()),
    }
}
