//! Documents that somebody made to do harm: each is refused with a sentence, or read; neither takes
//! more memory than `docs/security.md` says, whatever the document is.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use nsvirt::model::{Domain, View};
use nsvirt::xml::{self, MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS};

use crate::fuzz_findings::properties;

/// What one document may take at most, in MiB; `docs/security.md` has the same number.
const MEMORY: u64 = 128;
/// Set for the process whose memory is measured.
const MEASURED: &str = "NSVIRT_MEASURED";

fn domain(inside: &str) -> String {
    format!(
        "<domain type='lxc'>\n<name>d</name>\n<memory>4096</memory>\n\
         <os><type>exe</type><init>/i</init></os>\n{inside}\n</domain>"
    )
}

/// So many pieces, each made from its number.
fn many(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// Documents that are refused: what is in them, the code, and what the message says.
fn refused() -> Vec<(Vec<u8>, i32, &'static str)> {
    let text = |text: &str, code, message| (text.as_bytes().to_vec(), code, message);
    let inside = |inside: &str, code, message| (domain(inside).into_bytes(), code, message);
    let bomb = many(20, |n| format!("<!ENTITY e{} '{}'>", n + 1, format!("&e{n};").repeat(10)));
    let bomb = format!("<!DOCTYPE d [<!ENTITY e0 'x'>{bomb}]>\n{}", domain("<title>&e20;</title>"));
    let file = "<!DOCTYPE d [<!ENTITY f SYSTEM 'file:///etc/shadow'>]><domain>&f;</domain>";
    let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let elements = "<a/>".repeat(MAX_ELEMENTS);
    let attributes = many(MAX_ATTRIBUTES + 1, |n| format!(" a{n}=''"));
    vec![
        // Entities.
        text(&bomb, 27, "line 1: <!DOCTYPE> is not accepted"),
        text(file, 27, "line 1: <!DOCTYPE> is not accepted"),
        inside("<title>&e;</title>", 27, "line 5: <title>: after '&' only lt; gt; amp;"),
        // Depth, size, counts.
        inside(&nested(MAX_DEPTH), 27, "line 5: <a> is nested deeper than the limit of 64"),
        text(&nested(500_000), 27, "line 1: <a> is nested deeper than the limit of 64"),
        (vec![b'x'; MAX_BYTES + 1], 27, "line 1: the document has 4194305 bytes, more than"),
        inside(&elements, 27, "line 5: the document has more than the limit of 10000 elements"),
        inside(&format!("<a{attributes}/>"), 27, "line 5: <a> has more than the limit of 256"),
        // Characters.
        inside("<title>a\0b</title>", 27, "line 5: the character U+0000 is not allowed in XML"),
        inside("<title>&#0;</title>", 27, "line 5: <title>: after '&' only"),
        inside("<title>&#x110000;</title>", 27, "line 5: <title>: after '&' only"),
        inside("<title>&#xD800;</title>", 27, "line 5: <title>: after '&' only"),
        (b"<domain type='lxc'>\xc0\x80</domain>".to_vec(), 27, "line 1: the document is not UTF-8"),
        (domain("").encode_utf16().flat_map(u16::to_le_bytes).collect(), 27, "line 1: "),
        // Attributes and name spaces.
        inside(
            "<vcpu cpuset='0' cpuset='1'>1</vcpu>",
            27,
            "line 5: <vcpu> has the attribute 'cpuset'",
        ),
        text(
            "<domain type='lxc' type='lxc'/>",
            27,
            "line 1: <domain> has the attribute 'type' twice",
        ),
        text(
            "<domain type='lxc' xmlns='urn:x'/>",
            27,
            "line 1: <domain> must not be in a name space",
        ),
        text("<x:domain type='lxc' xmlns:x='urn:x'/>", 27, "line 1: expecting root element of"),
        // Numbers.
        inside("<vcpu>-1</vcpu>", 27, "line 5: maximum vcpus count must be an integer, not '-1'"),
        inside("<vcpu>99999999999999999999</vcpu>", 27, "line 5: maximum vcpus count must be"),
        inside("<iothreads>4294967295</iothreads>", 27, "line 5: invalid iothreads count"),
        inside("<iothreads>-1</iothreads>", 27, "line 5: invalid iothreads count '-1'"),
        inside(
            "<blkiotune><device><path>/d</path><weight>-1</weight></device></blkiotune>",
            67,
            "line 5: could not parse weight -1",
        ),
        inside(
            "<memtune><hard_limit unit='EiB'>16</hard_limit></memtune>",
            82,
            "line 5: value too large: 16EiB",
        ),
        inside("<memtune><hard_limit>-1</hard_limit></memtune>", 27, "line 5: Invalid value '-1'"),
        inside(
            "<cputune><vcpusched vcpus='0-99999999' scheduler='idle'/></cputune>",
            8,
            "line 5: Failed to parse bitmap",
        ),
        inside(
            "<idmap><uid start='0' target='0' count='-1'/></idmap>",
            27,
            "line 5: invalid idmap",
        ),
        inside(
            "<cpu><topology sockets='65536' cores='65536' threads='1'/></cpu>",
            67,
            "line 5: cpu topology results in more than",
        ),
    ]
}

/// Documents that use what is allowed to the full.
fn largest() -> Vec<String> {
    let elements = MAX_ELEMENTS - 100;
    let filled = |piece: &str| piece.repeat((MAX_BYTES - 500) / piece.len());
    let attributes = many(250, |n| format!(" a{n}=''"));
    let list = filled("0-16383,");
    let cell = |n| format!("<cell cpus='{n}' memory='1'/>");
    let way =
        |n| format!("<latency initiator='{}' target='{}' type='read' value='1'/>", n / 99, n % 99);
    let mut chain = String::new();
    for _ in 0..MAX_DEPTH - 5 {
        write!(chain, "<m:a xmlns:m='u'>").unwrap();
    }
    vec![
        domain(&format!("<description>{}</description>", filled("&#65;"))),
        domain(&format!("<description>{}</description>", filled("\u{1F600}"))),
        domain(&format!(
            "<metadata><m:a xmlns:m='u'>{}</m:a></metadata>",
            "<m:b/>".repeat(elements)
        )),
        domain(&format!("<metadata>{chain}{}</metadata>", "</m:a>".repeat(MAX_DEPTH - 5))),
        domain(&format!("<a{attributes}/>").repeat(1700)),
        domain(&format!("<vcpu cpuset='{}'>1</vcpu>", list.trim_end_matches(','))),
        domain(&format!("<vcpu>16384</vcpu><cpu><numa>{}</numa></cpu>", many(elements, cell))),
        domain(&format!(
            "<vcpu>99</vcpu><cpu><numa>{}<interconnects>{}</interconnects></numa></cpu>",
            many(99, cell),
            many(elements - 99, way)
        )),
        domain(
            "<vcpu>16384</vcpu><iothreads>16384</iothreads><cputune>\
                <vcpusched vcpus='0-16383' scheduler='idle'/>\
                <iothreadsched iothreads='1-16383' scheduler='idle'/></cputune>",
        ),
        domain(&format!(
            "<idmap>{}</idmap>",
            many(elements, |n| {
                let kind = if n % 2 == 0 { "uid" } else { "gid" };
                format!("<{kind} start='{}' target='1' count='1'/>", n / 2)
            })
        )),
        domain(&format!(
            "<cpu mode='maximum'>{}</cpu>",
            many(elements, |n| format!("<feature name='{n}'/>"))
        )),
        domain(&format!("<devices>{}</devices>", "<console type='pty'/>".repeat(elements))),
        domain(&format!(
            "<devices>{}</devices>",
            many(elements / 3, |n| format!(
                "<filesystem><source dir='/'/><target dir='/{n}'/></filesystem>"
            ))
        )),
        domain(&many(elements, |n| format!("<seclabel type='dynamic' model='{n}'/>"))),
    ]
}

#[test]
fn hostile_documents_are_refused_with_code_line_and_sentence() {
    for (document, code, message) in refused() {
        let shown = String::from_utf8_lossy(&document[..document.len().min(200)]).into_owned();
        let error = xml::parse_bytes(&document)
            .and_then(|root| Domain::parse_element(&root))
            .expect_err(&shown);
        assert_eq!(error.code as i32, code, "{error}: {shown}");
        assert!(error.message.contains(message), "{error}, not {message}: {shown}");
        properties::document(&document);
    }
}

/// The documents in a process of their own, since the memory of a process is what can be measured.
#[test]
fn no_document_takes_more_memory_than_is_stated() {
    let test = "bounds::no_document_takes_more_memory_than_is_stated";
    if std::env::var_os(MEASURED).is_some() {
        return measured();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(MEASURED, "1")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{output}");
    let peak = output.lines().find_map(|line| line.strip_prefix("peak MiB "));
    let peak: u64 = peak.unwrap_or_else(|| panic!("{output}")).parse().unwrap();
    assert!(peak <= MEMORY, "{peak} MiB, more than {MEMORY}");
    let stated = include_str!("../../docs/security.md");
    assert!(
        stated.contains(&format!("{MEMORY} MiB")),
        "docs/security.md does not say {MEMORY} MiB"
    );
}

fn measured() {
    for (document, ..) in refused() {
        properties::document(&document);
    }
    for document in largest() {
        assert!(document.len() <= MAX_BYTES, "{}", document.len());
        let domain = Domain::parse(&document).unwrap();
        assert!(!domain.format(View::Inactive).is_empty());
    }
    println!("peak MiB {}", peak());
}

/// The most memory this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib.div_ceil(1024)
}
