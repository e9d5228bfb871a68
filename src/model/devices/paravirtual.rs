//! `<rng>`, `<memballoon>`, `<vsock>` and `<shmem>`: devices a machine and its host agree on.
//! Containers have none.

use super::chardev::{CharacterSource, Rules};
use super::info::Place;
use super::virtio;
use crate::error::Result;
use crate::model::memory::bytes_in;
use crate::model::read::{known_word, number, without_repeated_slashes};
use crate::model::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

/// What a shape keeps of a device, with its place behind.
pub(super) fn placed(shape: &Shape, device: &Element) -> Result<Element> {
    let mut kept = shape.read(device)?.unwrap_or_default();
    kept.children.extend(Place::PLAIN.read(device)?.into_iter().map(Node::Element));
    Ok(kept)
}

pub(super) fn rng(device: &Element) -> Result<Element> {
    const MODELS: &[&str] = &["virtio", "virtio-transitional", "virtio-non-transitional"];
    const BACKENDS: &[&str] = &["random", "egd", "builtin"];
    let Some(model) = known_word(device, "model", "RNG model", MODELS)? else {
        return Err(device.error("missing RNG device model"));
    };
    let mut children: Vec<_> = rate(device)?.into_iter().collect();
    let mut backends = device.children_named("backend");
    let (Some(backend), None) = (backends.next(), backends.next()) else {
        return Err(device.error("only one RNG backend is supported"));
    };
    let Some(kind) = known_word(backend, "model", "RNG backend model", BACKENDS)? else {
        return Err(backend.error("missing RNG device backend model"));
    };
    let mut attributes = vec![("model", kind.to_owned())];
    children.push(match kind {
        "random" => {
            let path = backend.text();
            let path = if path.is_empty() { "/dev/random".to_owned() } else { path };
            shape::leaf("backend", &attributes, path)
        }
        "egd" => {
            let Some(word) = backend.attr("type") else {
                return Err(backend.error("missing EGD backend type"));
            };
            let source = CharacterSource::required(backend, word, "backend type", " for egd")?;
            attributes.push(("type", word.to_owned()));
            shape::element("backend", &attributes, Rules::BACKEND.read(backend, source)?)
        }
        _ => shape::element("backend", &attributes, Vec::new()),
    });
    children.extend(virtio::DRIVER.read_one(device)?);
    children.extend(Place::PLAIN.read(device)?);
    Ok(shape::element("rng", &[("model", model.to_owned())], children))
}

/// How much randomness there is in a time.
fn rate(device: &Element) -> Result<Option<Element>> {
    let Some(rate) = device.child("rate") else { return Ok(None) };
    let mut attributes = Vec::new();
    for name in ["bytes", "period"] {
        // Without the first the second does not count.
        let Some(text) = rate.attr(name).filter(|text| !text.is_empty()) else { break };
        let value: u32 = number(text).ok_or_else(|| {
            rate.error(format_args!("invalid RNG rate {name} value '{text}': expected a number"))
        })?;
        attributes.extend(Some((name, value.to_string())).filter(|_| value != 0));
    }
    let kept = shape::element("rate", &attributes, Vec::new());
    Ok(Some(kept).filter(|rate| rate.attr("bytes").is_some()))
}

pub(super) fn balloon(device: &Element) -> Result<Element> {
    const BALLOON: Shape = Shape::new(
        "memballoon",
        &[
            attr(
                "model",
                Kind::Word(&[
                    "virtio",
                    "virtio-transitional",
                    "virtio-non-transitional",
                    "xen",
                    "none",
                ]),
            )
            .required(),
            attr("autodeflate", Kind::Word(ON_OFF)),
            attr("freePageReporting", Kind::Word(ON_OFF)),
        ],
    );
    const STATS: Shape = Shape::new("stats", &[attr("period", Kind::Signed).unless("0")]);
    let mut kept = BALLOON.read(device)?.unwrap_or_default();
    let stats = STATS.read_one(device)?;
    let is_on = |stats: &Element| !stats.attr("period").is_some_and(|it| it.starts_with('-'));
    kept.children.extend(stats.filter(is_on).map(Node::Element));
    // What is not there has no place.
    let place = match kept.attr("model") {
        Some("none") => Vec::new(),
        _ => Place::PLAIN.read(device)?,
    };
    let parts = place.into_iter().chain(virtio::DRIVER.read_one(device)?);
    kept.children.extend(parts.map(Node::Element));
    Ok(kept)
}

pub(super) fn vsock(device: &Element) -> Result<Element> {
    const VSOCK: Shape = Shape::new(
        "vsock",
        &[attr(
            "model",
            Kind::Word(&["default", "virtio", "virtio-transitional", "virtio-non-transitional"]),
        )
        .unless("default")],
    )
    .bare();
    const CID: Shape =
        Shape::new("cid", &[attr("auto", Kind::Word(YES_NO)), attr("address", Kind::Positive)]);
    let mut kept = VSOCK.read(device)?.unwrap_or_default();
    let cid = CID.read_one(device)?.unwrap_or_default();
    let address = cid.attr("address");
    if address.and_then(number::<u32>).is_some_and(|address| address < 3) {
        return Err(device.unsupported("guest CIDs must be >= 3"));
    }
    let auto = cid.attr("auto").unwrap_or(if address.is_some() { "no" } else { "yes" });
    let mut attributes = vec![("auto", auto.to_owned())];
    attributes.extend(address.map(|address| ("address", address.to_owned())));
    let options = virtio::options_of(device, kept.attr("model").is_some())?;
    let parts = [shape::element("cid", &attributes, Vec::new())]
        .into_iter()
        .chain(Place::PLAIN.read(device)?)
        .chain(options);
    kept.children.extend(parts.map(Node::Element));
    Ok(kept)
}

pub(super) fn shared_memory(device: &Element) -> Result<Element> {
    const MODEL: Shape = Shape::new(
        "model",
        &[attr("type", Kind::Word(&["ivshmem", "ivshmem-plain", "ivshmem-doorbell"]))
            .or("ivshmem")],
    );
    const ROLE: Shape = Shape::new("shmem", &[attr("role", Kind::Word(&["master", "peer"]))]);
    const SERVER: Shape = Shape::new("server", &[attr("path", Kind::Text)]).bare();
    const MSI: Shape = Shape::new(
        "msi",
        &[attr("vectors", Kind::Number).unless("0"), attr("ioeventfd", Kind::Word(ON_OFF))],
    )
    .bare();
    let Some(name) = device.attr("name") else {
        return Err(device.error("shmem element must contain 'name' attribute"));
    };
    if name.contains('/') {
        return Err(device.unsupported("shmem name cannot include '/' character"));
    }
    if name == "." || name == ".." {
        return Err(device.unsupported(format_args!("shmem name cannot be equal to '{name}'")));
    }
    let model = MODEL.read_one(device)?;
    let model = model
        .unwrap_or_else(|| shape::element("model", &[("type", "ivshmem".to_owned())], Vec::new()));
    // The oldest model has no roles.
    let role = match model.attr("type") {
        Some("ivshmem") => None,
        _ => ROLE.read(device)?,
    };
    let mut children = vec![model];
    // In whole MiB, as libvirt writes it, whatever was asked for.
    let size = bytes_in(device.child("size"), "size")?.map(|bytes| bytes >> 20);
    let unit = [("unit", "M".to_owned())];
    let size = size.filter(|size| *size != 0);
    children.extend(size.map(|size| shape::leaf("size", &unit, size.to_string())));
    let mut server = SERVER.read_one(device)?;
    for (_, path) in server.iter_mut().flat_map(|server| &mut server.attributes) {
        *path = without_repeated_slashes(path);
    }
    let msi = MSI.read_one(device)?;
    if msi.is_some() && server.is_none() {
        return Err(device.error("msi option is only supported with a server"));
    }
    children.extend(server.into_iter().chain(msi));
    children.extend(Place::PLAIN.read(device)?);
    let mut kept = shape::element("shmem", &[("name", name.to_owned())], children);
    kept.attributes.extend(role.into_iter().flat_map(|role| role.attributes));
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, printed_device};

    #[test]
    fn they_are_normalised() {
        for (given, expected) in [
            (
                "<rng model='virtio'><driver packed='on'/><rate bytes='7' period='0'/>\
                 <backend model='random'/></rng>",
                "<rng model='virtio'><rate bytes='7'/><backend model='random'>/dev/random\
                 </backend><driver packed='on'/></rng>",
            ),
            (
                "<rng model='virtio'><backend model='egd' type='pty'/></rng>",
                "<rng model='virtio'><backend model='egd' type='pty'></backend></rng>",
            ),
            (
                "<memballoon model='none' autodeflate='on'><stats period='-1'/>\
                 <address type='pci'/></memballoon>",
                "<memballoon model='none' autodeflate='on'/>",
            ),
            ("<vsock model='default'/>", "<vsock><cid auto='yes'/></vsock>"),
            ("<vsock><cid address='7'/></vsock>", "<vsock><cid auto='no' address='7'/></vsock>"),
            (
                "<shmem name='a'><msi vectors='0' ioeventfd='on'/><server path='/s'/>\
                 <size>2097153</size></shmem>",
                "<shmem name='a'><model type='ivshmem'/><size unit='M'>2</size>\
                 <server path='/s'/><msi ioeventfd='on'/></shmem>",
            ),
        ] {
            assert_eq!(printed_device(given), expected);
        }
    }

    #[test]
    fn faults() {
        assert_device_faults(&[
            ("<rng/>", "XML error: missing RNG device model"),
            ("<rng model='virtio'/>", "XML error: only one RNG backend is supported"),
            (
                "<rng model='virtio'><backend model='x'/></rng>",
                "unsupported configuration: unknown RNG backend model 'x': \
                 expected one of random, egd, builtin",
            ),
            (
                "<rng model='virtio'><rate bytes='x'/><backend model='builtin'/></rng>",
                "XML error: invalid RNG rate bytes value 'x': expected a number",
            ),
            (
                "<vsock><cid address='2'/></vsock>",
                "unsupported configuration: guest CIDs must be >= 3",
            ),
            (
                "<vsock><driver page_per_vq='on'/></vsock>",
                "unsupported configuration: page_per_vq option is only supported for virtio \
                 devices",
            ),
            ("<shmem/>", "XML error: shmem element must contain 'name' attribute"),
            (
                "<shmem name='a/b'/>",
                "unsupported configuration: shmem name cannot include '/' character",
            ),
            (
                "<shmem name='a'><msi/></shmem>",
                "XML error: msi option is only supported with a server",
            ),
            (
                "<shmem name='a'><size>x</size></shmem>",
                "XML error: Invalid value 'x' for element or attribute './size[1]': \
                 expected a number",
            ),
        ]);
    }
}
