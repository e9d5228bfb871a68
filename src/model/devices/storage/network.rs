//! Sources on other hosts: protocols, hosts, and what single protocols have of their own.

use super::new;
use crate::error::{Error, ErrorCode, Result};
use crate::model::read::{bad_word, missing_attr, number};
use crate::model::shape::{self, Kind, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

/// libvirt's protocols and the ports of hosts that name none; 0 for those that do without.
const PROTOCOLS: [(&str, u16); 14] = [
    ("none", 0),
    ("nbd", 10809),
    ("rbd", 0),
    ("sheepdog", 7000),
    ("gluster", 24007),
    ("iscsi", 3260),
    ("http", 80),
    ("https", 443),
    ("ftp", 21),
    ("ftps", 990),
    ("tftp", 69),
    ("ssh", 22),
    ("vxhs", 9999),
    ("nfs", 0),
];

/// What is kept of a source of type `network`.
pub(super) fn source(element: &Element) -> Result<Element> {
    const TLS: Shape =
        Shape::new("source", &[attr("tls", Kind::Word(YES_NO)), attr("tlsHostname", Kind::Text)]);
    let Some(word) = element.attr("protocol") else {
        return Err(missing_attr(element, "protocol"));
    };
    let known = PROTOCOLS.iter().find(|(protocol, _)| *protocol == word);
    let Some(&(protocol, default_port)) = known else {
        return Err(bad_word(element, "protocol", word, &PROTOCOLS.map(|(protocol, _)| protocol)));
    };
    let name = name(element, protocol)?;
    if protocol == "none" {
        return Ok(new(&[], Vec::new()));
    }
    let mut kept = new(&[("protocol", protocol.to_owned())], Vec::new());
    let mut keep = |name: &str, value: String| kept.attributes.push((name.to_owned(), value));
    if !name.is_empty() {
        keep("name", name);
    }
    if let Some(query) = element.attr("query")
        && ["http", "https"].contains(&protocol)
    {
        keep("query", query.to_owned());
    }
    kept.attributes.extend(TLS.read(element)?.unwrap_or_default().attributes);
    let mut children = Vec::new();
    for host in element.children_named("host") {
        children.push(self::host(host, default_port)?);
    }
    children.extend(properties(element, protocol)?);
    kept.children.extend(children.into_iter().map(Node::Element));
    Ok(kept)
}

/// What is opened at the host; only block devices need no name.
fn name(element: &Element, protocol: &str) -> Result<String> {
    let Some(name) = element.attr("name").filter(|name| !name.is_empty()) else {
        return match protocol {
            "nbd" => Ok(String::new()),
            _ => Err(element.error("missing name for disk source")),
        };
    };
    match protocol {
        "gluster" | "rbd" if name.find('/').is_none_or(|slash| slash == 0) => {
            Err(element.error(format_args!(
                "can't split path '{name}' into pool name and image name: expected pool/image"
            )))
        }
        _ => Ok(name.to_owned()),
    }
}

fn host(element: &Element, default_port: u16) -> Result<Element> {
    let socket = element.attr("socket");
    let transport = element.attr("transport");
    let fault = |text: &str| Err(element.error(text));
    match (transport, socket) {
        (Some("unix"), None) => return fault("missing socket for unix transport"),
        (Some("unix"), Some(socket)) => {
            let attributes = [("transport", "unix".to_owned()), ("socket", socket.to_owned())];
            return Ok(shape::element("host", &attributes, Vec::new()));
        }
        (None | Some("tcp" | "rdma"), None) => (),
        (None | Some("tcp" | "rdma"), Some(_)) => {
            return Err(element.error(format_args!(
                "transport '{}' does not support socket attribute",
                transport.unwrap_or("tcp")
            )));
        }
        (Some(other), _) => {
            return Err(element.unsupported(format_args!(
                "unknown protocol transport type '{other}': expected one of tcp, unix, rdma"
            )));
        }
    }
    let Some(name) = element.attr("name") else {
        return fault("missing name for host");
    };
    let mut attributes = vec![("name", name.to_owned())];
    let is_rdma = transport == Some("rdma");
    let port = match element.attr("port").map_or(Ok(0), |text| port(element, text))? {
        0 if !is_rdma => default_port,
        port => port,
    };
    attributes.extend(Some(("port", port.to_string())).filter(|_| port != 0));
    attributes.extend(Some(("transport", "rdma".to_owned())).filter(|_| is_rdma));
    Ok(shape::element("host", &attributes, Vec::new()))
}

fn port(host: &Element, text: &str) -> Result<u16> {
    let fault = |text| Err(Error::in_document(ErrorCode::InvalidArg, host.line, text));
    match number::<u32>(text).map(u16::try_from) {
        None => fault(format!("failed to parse port number '{text}'")),
        Some(Err(_)) => fault(format!("port '{text}' out of range, must be at most 65535")),
        Some(Ok(port)) => Ok(port),
    }
}

/// What a source has besides its hosts, in the order it is written in.
fn properties(element: &Element, protocol: &str) -> Result<Vec<Element>> {
    const IDENTITY: Shape =
        Shape::new("identity", &[attr("user", Kind::Text), attr("group", Kind::Text)]);
    const SSL: Shape = Shape::new("ssl", &[attr("verify", Kind::Word(YES_NO))]);
    let mut kept = Vec::new();
    if protocol == "nfs" {
        kept.extend(IDENTITY.read_one(element)?);
    }
    for (name, attribute) in [("snapshot", "name"), ("config", "file")] {
        kept.extend(filled(element, name, attribute));
    }
    let initiator = element.child("initiator");
    let iqn = initiator.and_then(|initiator| filled(initiator, "iqn", "name"));
    kept.extend(iqn.map(|iqn| shape::element("initiator", &[], vec![iqn])));
    if ["https", "ftps"].contains(&protocol) {
        kept.extend(SSL.read_one(element)?);
    }
    if ["http", "https"].contains(&protocol) {
        kept.extend(cookies(element)?);
    }
    if ["http", "https", "ftp", "ftps"].contains(&protocol) {
        for (name, attribute) in [("readahead", "size"), ("timeout", "seconds")] {
            kept.extend(amount(element, name, attribute)?);
        }
    }
    Ok(kept)
}

/// A child element with one attribute that is not empty.
fn filled(parent: &Element, name: &str, attribute: &'static str) -> Option<Element> {
    let value = parent.child(name)?.attr(attribute).filter(|value| !value.is_empty())?;
    Some(shape::element(name, &[(attribute, value.to_owned())], Vec::new()))
}

fn amount(parent: &Element, name: &str, attribute: &'static str) -> Result<Option<Element>> {
    let Some(element) = parent.child(name) else { return Ok(None) };
    let Some(text) = element.attr(attribute).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let Some(amount) = number::<u64>(text) else {
        return Err(element
            .error(format_args!("invalid readahead size or timeout '{text}': expected a number")));
    };
    let attributes = [(attribute, amount.to_string())];
    Ok(Some(shape::element(name, &attributes, Vec::new())).filter(|_| amount != 0))
}

/// What a web server wants to see.
fn cookies(source: &Element) -> Result<Option<Element>> {
    let mut kept: Vec<Element> = Vec::new();
    let all = source.child("cookies");
    for element in all.into_iter().flat_map(|cookies| cookies.children_named("cookie")) {
        let Some(name) = element.attr("name").filter(|name| !name.is_empty()) else {
            return Err(element.error("missing cookie name"));
        };
        let value = element.text();
        if value.is_empty() {
            return Err(element.error(format_args!("missing value for cookie '{name}'")));
        }
        if name.contains(|c| is_forbidden(c) || "\"()<>@:/[]?={}".contains(c)) {
            let text = format_args!("cookie name '{name}' contains invalid characters");
            return Err(element.error(text));
        }
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if quoted.unwrap_or(&value).contains(|c| is_forbidden(c) || c == '"') {
            let text = format_args!("value of cookie '{name}' contains invalid characters");
            return Err(element.error(text));
        }
        if kept.iter().any(|other| other.attr("name") == Some(name)) {
            return Err(element.error(format_args!("duplicate cookie '{name}'")));
        }
        kept.push(shape::leaf("cookie", &[("name", name.to_owned())], value));
    }
    Ok(Some(kept).filter(|kept| !kept.is_empty()).map(|kept| shape::element("cookies", &[], kept)))
}

/// What neither names nor values of cookies contain.
fn is_forbidden(c: char) -> bool {
    c.is_ascii_control() || " ,;\\".contains(c)
}
