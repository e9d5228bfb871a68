//! `<tpm>`: trusted platform modules. Containers have none.

use std::collections::BTreeSet;

use super::chardev::{CharacterSource, Rules};
use super::info::Place;
use crate::error::Result;
use crate::model::Uuid;
use crate::model::read::{internal, missing_attr};
use crate::model::shape::{self, Attr, Kind, Shape, attr};
use crate::xml::{Element, Node};

pub(super) fn tpm(device: &Element) -> Result<Element> {
    const TPM: Shape = Shape::new(
        "tpm",
        &[attr("model", Kind::Word(&["tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy"]))],
    )
    .bare();
    const TYPE: Attr =
        attr("type", Kind::Word(&["passthrough", "emulator", "external"])).required();
    let mut kept = TPM.read(device)?.unwrap_or_default();
    let mut backends = device.children_named("backend");
    let Some(given) = backends.next() else {
        return Err(device.error("missing TPM device backend"));
    };
    if backends.next().is_some() {
        return Err(device.error("only one TPM backend is supported"));
    }
    let Some(kind) = TYPE.read(given)? else { return Err(missing_attr(given, "type")) };
    let mut backend = shape::element("backend", &[("type", kind.clone())], Vec::new());
    match kind.as_str() {
        "passthrough" => backend.children.push(Node::Element(host_device(given))),
        "emulator" => emulator(given, &mut backend)?,
        _ => backend.children.push(Node::Element(socket(given)?)),
    }
    kept.children.push(Node::Element(backend));
    kept.children.extend(Place::PLAIN.read(device)?.into_iter().map(Node::Element));
    Ok(kept)
}

fn host_device(backend: &Element) -> Element {
    let path = backend.child("device").and_then(|device| device.attr("path"));
    let path = path.filter(|path| !path.is_empty()).unwrap_or("/dev/tpm0");
    shape::element("device", &[("path", path.to_owned())], Vec::new())
}

fn emulator(given: &Element, kept: &mut Element) -> Result<()> {
    const VERSION: Shape = Shape::new("backend", &[attr("version", Kind::Word(&["1.2", "2.0"]))]);
    let version = VERSION.read(given)?.unwrap_or_default();
    let is_version_2 = version.attr("version") == Some("2.0");
    kept.attributes.extend(version.attributes);
    match given.attr("persistent_state") {
        None | Some("no") => {}
        Some("yes") => kept.attributes.push(("persistent_state".to_owned(), "yes".to_owned())),
        Some(_) => {
            let detail = "Invalid persistent_state value, either 'yes' or 'no'";
            return Err(internal(given, detail));
        }
    }
    let secret = given.child("encryption").and_then(|encryption| encryption.attr("secret"));
    if let Some(text) = secret.filter(|text| !text.is_empty()) {
        let uuid: Uuid = text
            .parse()
            .map_err(|_| internal(given, format_args!("Unable to parse secret uuid '{text}'")))?;
        let secret = shape::element("encryption", &[("secret", uuid.to_string())], Vec::new());
        kept.children.push(Node::Element(secret));
    }
    let banks = banks(given)?;
    if !banks.is_empty() {
        if !is_version_2 {
            return Err(given.error("<active_pcr_banks/> requires TPM version '2.0'"));
        }
        kept.children.push(Node::Element(shape::element("active_pcr_banks", &[], banks)));
    }
    Ok(())
}

/// The hashes measurements are kept in.
fn banks(backend: &Element) -> Result<Vec<Element>> {
    const BANKS: &[&str] = &["sha1", "sha256", "sha384", "sha512"];
    let mut active = BTreeSet::new();
    let lists = backend.children_named("active_pcr_banks");
    for bank in lists.flat_map(Element::elements) {
        let Some(number) = BANKS.iter().position(|known| *known == bank.name) else {
            let expected = BANKS.join(", ");
            return Err(bank.unsupported(format_args!(
                "Unsupported PCR banks '{}': expected {expected}",
                bank.name
            )));
        };
        active.insert(number);
    }
    let names = active.iter().filter_map(|number| BANKS.get(*number));
    Ok(names.map(|name| shape::element(name, &[], Vec::new())).collect())
}

/// The socket of a program that is started by others.
fn socket(backend: &Element) -> Result<Element> {
    let source = backend.child("source");
    let kind = source.and_then(|it| it.attr("type")).filter(|kind| !kind.is_empty());
    let (Some(source), Some(kind)) = (source, kind) else {
        return Err(backend.error("missing external TPM backend type"));
    };
    let kind = CharacterSource::required(source, kind, "backend type", " for external TPM")?;
    if kind != CharacterSource::Unix {
        let detail = "only source type 'unix' is supported for external TPM device";
        return Err(source.error(detail));
    }
    let kept = Rules::LENIENT.read(backend, kind)?;
    let Some(kept) = kept.into_iter().find(|kept| kept.name == "source") else {
        return Err(source.error("missing socket path for external TPM device"));
    };
    if kept.attr("mode") != Some("connect") {
        let detail = "only 'client' mode is supported for external TPM device, \
                      that is mode='connect'";
        return Err(source.error(detail));
    }
    let path = kept.attr("path").unwrap_or_default().to_owned();
    let attributes = [("type", "unix".to_owned()), ("mode", "connect".to_owned()), ("path", path)];
    Ok(shape::element("source", &attributes, Vec::new()))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, printed_device};

    #[test]
    fn back_ends_are_kept() {
        let text = "<tpm><backend type='passthrough' version='2.0'/></tpm>\
                    <tpm model='tpm-tis'><backend type='emulator' version='2.0' \
                    persistent_state='yes'><active_pcr_banks><sha512/><sha1/></active_pcr_banks>\
                    <encryption secret='11111111222233334444555555555555'/></backend></tpm>";
        assert_eq!(
            printed_device(text),
            "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>\
             <tpm model='tpm-tis'><backend type='emulator' version='2.0' persistent_state='yes'>\
             <encryption secret='11111111-2222-3333-4444-555555555555'/>\
             <active_pcr_banks><sha1/><sha512/></active_pcr_banks></backend></tpm>"
        );
        assert_eq!(
            printed_device(
                "<tpm><backend type='external'><source type='unix' path='/p'/></backend></tpm>"
            ),
            "<tpm><backend type='external'><source type='unix' mode='connect' path='/p'/>\
             </backend></tpm>"
        );
    }

    #[test]
    fn faults() {
        let backend = |rest: &str| format!("<tpm><backend type={rest}</tpm>");
        assert_device_faults(&[
            ("<tpm/>", "XML error: missing TPM device backend"),
            (
                &backend("'emulator' persistent_state='x'/>"),
                "internal error: Invalid persistent_state value, either 'yes' or 'no'",
            ),
            (
                &backend("'emulator'><active_pcr_banks><sha1/></active_pcr_banks></backend>"),
                "XML error: <active_pcr_banks/> requires TPM version '2.0'",
            ),
            (
                &backend("'emulator'><active_pcr_banks><md5/></active_pcr_banks></backend>"),
                "unsupported configuration: Unsupported PCR banks 'md5': \
                 expected sha1, sha256, sha384, sha512",
            ),
            (
                &backend("'emulator'><encryption secret='x'/></backend>"),
                "internal error: Unable to parse secret uuid 'x'",
            ),
            (&backend("'external'/>"), "XML error: missing external TPM backend type"),
            (
                &backend("'external'><source type='unix' mode='bind' path='/p'/></backend>"),
                "XML error: only 'client' mode is supported for external TPM device, that is \
                 mode='connect'",
            ),
        ]);
    }
}
