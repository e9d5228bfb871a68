//! Where nsvirt differs on purpose. Each entry is a row of `docs/differences.md`.

use super::adapt::{complete, elements, give_disks_what_they_need};
use nsvirt::xml::{Element, Node};

use super::compare::{self, Case};
use super::shrink::{self, without_one};
use crate::support::libvirt::{Answer, Definer};

const ROWS: &str = include_str!("../../../docs/differences.md");

/// A difference, and how a case of it is known.
pub struct Difference {
    /// The first column of its row.
    pub row: &'static str,
    applies: fn(&Case) -> bool,
}

/// Those that show in the two answers alone.
pub const DIFFERENCES: &[Difference] = &[
    Difference { row: "`initenv` on output", applies: |case| is_escaped(case, &["<initenv "]) },
    Difference {
        row: "`lxc:namespace` values, `filterref@filter`, names of `<feature>` of `<cpu>` and of \
              `<entry>` of firmware, paths of disks of type `vhostuser`, profiles of \
              `<virtualport>`, iSCSI names and adapters of `<hostdev>` on output",
        applies: |case| {
            let elements = [
                "<lxc:",
                "<filterref ",
                "<feature ",
                "<entry ",
                "<source type='unix' path=",
                "<parameters ",
                "<source protocol='iscsi' name=",
                "<adapter name=",
            ];
            is_escaped(case, &elements)
        },
    },
    Difference {
        row: "`<domain type='none'>`",
        applies: |case| only_ours(case, &["invalid domain type none: "]),
    },
    Difference {
        row: "names `.` and `..`, with control characters, or of more than 200 bytes",
        applies: |case| {
            only_ours(case, &["name cannot be '.", "invalid char in name: ", "the name has "])
        },
    },
    Difference {
        row: "`<initarg>` and `<initenv>` that begin with a comment",
        applies: |case| {
            let begins = |of: &Element| matches!(of.children.first(), Some(Node::Comment(_)));
            let os = case.document.child("os").into_iter().flat_map(Element::elements);
            let mut inits = os.filter(|it| ["initarg", "initenv"].contains(&it.name.as_str()));
            inits.any(begins) && differ_only_in(case, &["<initarg", "<initenv"])
        },
    },
    Difference {
        row: "`initenv` with an empty name, or with `=` in the name",
        applies: |case| {
            only_ours(case, &["the name of <initenv name=", "No name supplied for <initenv>"])
        },
    },
    Difference {
        row: "capabilities `audit_read`, `bpf`, `checkpoint_restore`, `perfmon`",
        applies: |case| {
            let new = ["audit_read", "bpf", "checkpoint_restore", "perfmon"];
            only_theirs(case, "unexpected capability feature", &new)
        },
    },
    Difference {
        row: "`<blkiotune>` with negative numbers for a device",
        applies: |case| only_ours(case, &["could not parse "]) && message(case).contains(" -"),
    },
    Difference {
        row: "`<resource>` with nothing in it",
        applies: |case| {
            refused(case, 1, "An error occurred, but the cause is unknown")
                && message(case).contains("<resource> needs a <partition>")
        },
    },
    Difference {
        row: "`<smartcard>` with an empty `<database>`",
        applies: |case| {
            refused(case, 1, "An error occurred, but the cause is unknown")
                && message(case).contains("expecting absolute path")
        },
    },
    Difference {
        row: "`<smartcard>` with an empty name of a certificate",
        applies: |case| differ_only_in(case, &["<certificate></certificate>", "<certificate/>"]),
    },
    Difference {
        row: "`<partition>` with `..` or control characters",
        applies: |case| only_ours(case, &["must not contain '..' or control characters"]),
    },
    Difference {
        row: "`<iothreads>` above 16384",
        applies: |case| {
            let accepts = matches!(case.libvirt, Answer::Defined { .. } | Answer::Crashed);
            accepts && message(case).contains("expected a number up to 16384")
        },
    },
    Difference {
        row: "`<distances>` of NUMA cells with mistakes in them",
        applies: |case| {
            let cells = case.document.child("cpu").and_then(|cpu| cpu.child("numa"));
            let mut cells = cells.into_iter().flat_map(|numa| numa.children_named("cell"));
            let has_distances = cells.any(|cell| cell.child("distances").is_some());
            case.libvirt == Answer::Crashed && case.ours.is_err() && has_distances
        },
    },
    Difference {
        row: "`<vcpu>-1</vcpu>`",
        applies: |case| {
            case.libvirt == Answer::Crashed && message(case).contains("must be an integer, not '-")
        },
    },
    Difference {
        row: "`<video>` with `heads='0'`; `<graphics type='rdp'>` with `port='0'`",
        applies: |case| {
            let devices = case.document.children_named("devices").flat_map(Element::elements);
            let mut numbers = devices.flat_map(|device| match device.name.as_str() {
                "video" => device.child("model").and_then(|model| model.attr("heads")),
                "graphics" => device.attr("port"),
                _ => None,
            });
            numbers.any(|number| number.trim().parse() == Ok(0))
                && differ_only_in(case, &["<model type=", "<graphics type='rdp'"])
        },
    },
    Difference {
        row: "millions of `<vcpu>`",
        applies: |case| {
            let count = case.document.child_text("vcpu").and_then(|text| text.trim().parse().ok());
            case.libvirt == Answer::Crashed
                && case.ours.is_ok()
                && count.is_some_and(|count: u64| count > 1_000_000)
        },
    },
    Difference {
        row: "`<input>`, `<memory>` (both always refused) with further mistakes",
        applies: |case| {
            only_ours(
                case,
                &["memory devices are not supported", "Input devices are not supported"],
            )
        },
    },
    Difference {
        row: "`<channel>` of type `guestfwd`: address in another spelling than four decimal numbers \
              (`10.2`, `0x0a000002`, `010.0.0.2`), port above 65535",
        applies: |case| only_ours(case, &["Cannot parse socket address"]),
    },
    Difference {
        row: "`<guest actual>` in a document",
        applies: |case| differ_only_in(case, &["<guest "]),
    },
    Difference {
        row: "`<lease>` without a `<lockspace>`",
        applies: |case| {
            refused(case, 1, "An error occurred, but the cause is unknown")
                && message(case).contains("Missing 'lockspace' element for lease")
        },
    },
    Difference {
        row: "`iothread` of a PCI controller",
        applies: |case| only_ours(case, &["'iothread' attribute only supported for virtio scsi"]),
    },
    Difference {
        row: "`<shmem>` with a size below 1 MiB",
        applies: |case| differ_only_in(case, &["<size unit='M'>0</size>"]),
    },
    Difference {
        row: "`<vlan>` with the native tag twice",
        applies: |case| differ_only_in(case, &["<tag "]),
    },
    Difference {
        row: "architectures the host does not run",
        applies: |case| {
            only_theirs(case, "could not find capabilities for ostype=exe arch=", &[""])
        },
    },
];

/// What ours says when it refuses.
fn message(case: &Case) -> &str {
    case.ours.as_ref().map_or_else(|error| error.message.as_str(), |_| "")
}

fn refused(case: &Case, with: i32, text: &str) -> bool {
    matches!(&case.libvirt, Answer::Refused { code, message } if *code == with && message.contains(text))
}

/// Ours refuses it with one of these texts, which libvirt has no reason for.
fn only_ours(case: &Case, texts: &[&str]) -> bool {
    texts.iter().any(|text| message(case).contains(text))
}

/// Only libvirt refuses it, with this text and one of these words.
fn only_theirs(case: &Case, text: &str, words: &[&str]) -> bool {
    let Answer::Refused { message, .. } = &case.libvirt else { return false };
    case.ours.is_ok() && message.contains(text) && words.iter().any(|word| message.contains(word))
}

/// Both write the same but for lines that begin so.
fn differ_only_in(case: &Case, beginnings: &[&str]) -> bool {
    let (Answer::Defined { xml }, Ok(ours)) = (&case.libvirt, &case.ours) else { return false };
    let others = |document: &str| -> Vec<String> {
        let begins = |line: &str| beginnings.iter().any(|it| line.trim_start().starts_with(it));
        document.lines().filter(|line| !begins(line)).map(str::to_owned).collect()
    };
    others(ours) == others(xml)
}

/// Both write the same but for characters that only ours escapes, in lines that begin so.
fn is_escaped(case: &Case, beginnings: &[&str]) -> bool {
    let (Answer::Defined { xml }, Ok(ours)) = (&case.libvirt, &case.ours) else { return false };
    let plain = |document: &str| -> String {
        let lines = document.lines().map(|line| {
            let begins = |beginning: &&str| line.trim_start().starts_with(beginning);
            if beginnings.iter().any(begins) { unescaped(line) + "\n" } else { format!("{line}\n") }
        });
        lines.collect()
    };
    plain(ours) == plain(xml)
}

fn unescaped(text: &str) -> String {
    let references = [("lt", "<"), ("gt", ">"), ("apos", "'"), ("quot", "\""), ("amp", "&")];
    let plain = |text: String, (name, c): (&str, &str)| text.replace(&format!("&{name};"), c);
    references.into_iter().fold(text.to_owned(), plain)
}

/// The row of documents in which more than one thing is wrong.
pub const SEVERAL_MISTAKES: &str = "documents with several mistakes";

/// The row of documents that change when libvirt reads what it has written.
pub const ORDER: &str = "the order of disks whose bus follows from the name, and of controllers \
                         libvirt adds or numbers";

/// The row of documents that libvirt takes once.
pub const UNREADABLE: &str = "documents that libvirt writes so that it cannot read them again";

/// The row of attributes of other name spaces.
pub const PREFIXED: &str = "attributes with a prefix, as in `x:type`";

/// The row that explains a case.
pub fn explain(case: &Case, definer: &mut Definer) -> Option<&'static str> {
    let listed = DIFFERENCES.iter().find(|it| (it.applies)(case)).map(|it| it.row);
    listed
        .or_else(|| comes_to_order(case, definer).then_some(ORDER))
        .or_else(|| is_unreadable(case, definer).then_some(UNREADABLE))
        .or_else(|| is_prefixed(case, definer).then_some(PREFIXED))
        .or_else(|| has_several_mistakes(case, definer).then_some(SEVERAL_MISTAKES))
}

/// Both write the same lines in another order, and libvirt has our order when it reads its own.
fn comes_to_order(case: &Case, definer: &mut Definer) -> bool {
    let (Answer::Defined { xml }, Ok(ours)) = (&case.libvirt, &case.ours) else { return false };
    let sorted = |document: &str| {
        let mut lines: Vec<_> = document.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    if sorted(xml) != sorted(ours) {
        return false;
    }
    let own = own(xml);
    matches!(definer.ask(&own), Answer::Defined { xml } if compare::mask(&xml, &own) == *ours)
}

/// Only ours refuses it, and libvirt what it makes of it.
fn is_unreadable(case: &Case, definer: &mut Definer) -> bool {
    let (Answer::Defined { xml }, Err(_)) = (&case.libvirt, &case.ours) else { return false };
    matches!(definer.ask(&own(xml)), Answer::Refused { .. })
}

/// What libvirt wrote, without what it made up: that is masked, and has to be made up again.
fn own(xml: &str) -> String {
    xml.lines().filter(|it| !it.contains("(made up)")).map(|it| format!("{it}\n")).collect()
}

/// Ours is the same without the attributes that have a prefix, and then both agree.
fn is_prefixed(case: &Case, definer: &mut Definer) -> bool {
    let mut document = case.document.clone();
    drop_prefixed(&mut document);
    if document == case.document {
        return false;
    }
    let Some(plain) = case.ask_alike(document, definer) else { return false };
    plain.ours.as_ref().ok() == case.ours.as_ref().ok()
        && (plain.agrees() || explain(&plain, definer).is_some())
}

fn drop_prefixed(element: &mut Element) {
    let is_foreign = |name: &str| name.contains(':') && !name.starts_with("xmlns:");
    element.attributes.retain(|(name, _)| !is_foreign(name));
    elements(element).for_each(drop_prefixed);
}

/// Both refuse a document, with different codes, and libvirt refuses a part of it as ours does: what
/// ours found is a mistake to libvirt as well, and one that libvirt finds later.
fn has_several_mistakes(case: &Case, definer: &mut Definer) -> bool {
    let (Answer::Refused { .. }, Err(error)) = (&case.libvirt, &case.ours) else { return false };
    let code = error.code as i32;
    is_a_mistake_alone(case, code, definer) || is_a_mistake_later(case, code, definer)
}

/// Whether libvirt agrees when nothing is left but what ours complains of.
fn is_a_mistake_alone(case: &Case, code: i32, definer: &mut Definer) -> bool {
    let smallest = shrink::complaint(case);
    let repaired = repaired(&smallest);
    [repaired, smallest].into_iter().any(|document| {
        let case = case.ask_alike(document, definer);
        case.is_some_and(|case| refuses_with(&case, code))
    })
}

/// Whether libvirt agrees when the parts that it complains of are gone, one after another.
fn is_a_mistake_later(case: &Case, code: i32, definer: &mut Definer) -> bool {
    const MISTAKES: usize = 6;
    let mut document = case.document.clone();
    let mut complaint = case.gist().0;
    for _ in 0..MISTAKES {
        let mut next = None;
        for smaller in without_one(&document) {
            let mut tries = vec![repaired(&smaller), smaller];
            tries.dedup();
            for tried in tries {
                let Some(tried) = case.ask_alike(tried, definer) else { continue };
                if refuses_with(&tried, code) {
                    return true;
                }
                if tried.gist().0 != complaint && next.is_none() {
                    next = Some(tried);
                }
            }
        }
        let Some(better) = next else { return false };
        complaint = better.gist().0;
        document = better.document;
    }
    false
}

fn refuses_with(case: &Case, code: i32) -> bool {
    matches!(case.libvirt, Answer::Refused { code: theirs, .. } if theirs == code)
}

/// The document with what must not be missing.
fn repaired(document: &Element) -> Element {
    let mut repaired = document.clone();
    complete(&mut repaired);
    give_disks_what_they_need(&mut repaired);
    repaired
}

/// Fails when an entry has no row.
pub fn assert_documented() {
    for row in
        DIFFERENCES.iter().map(|it| it.row).chain([SEVERAL_MISTAKES, ORDER, UNREADABLE, PREFIXED])
    {
        assert!(ROWS.contains(&format!("\n| {row} |")), "docs/differences.md has no row '{row}'");
    }
}
