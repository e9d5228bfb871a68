//! virsh, unmodified, on libvirt's own LXC driver and on nsvirt: the same commands, side by side.
//!
//! `tests/data/parity/commands.txt` has them; `docs/virsh-parity.md` is what this test makes of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;

use crate::support::Host;
use crate::support::libvirt::{Libvirtd, container, is_there};
use crate::support::until;

const COMMANDS: &str = include_str!("../../data/parity/commands.txt");
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/virsh-parity.md");
const UUID: &str = "7f000001-2222-4333-8444-555555555555";

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
enum Row<'a> {
    Section(&'a str),
    /// A command, and why what nsvirt does is different, if it is.
    Command(&'a str, Option<&'a str>),
    /// A command that is not run on libvirt, and why.
    Alone(&'a str, &'a str),
    /// Waits until the container has ended.
    AwaitEnd,
}

fn rows() -> impl Iterator<Item = Row<'static>> {
    COMMANDS.lines().filter(|line| !line.is_empty()).map(|line| {
        if let Some(title) = line.strip_prefix("# ") {
            return Row::Section(title);
        }
        match (line.split_once(" !! "), line.split_once(" ! ")) {
            (Some((command, why)), _) => Row::Alone(command, why),
            (None, Some((command, why))) => Row::Command(command, Some(why)),
            (None, None) if line == "await-end" => Row::AwaitEnd,
            (None, None) => Row::Command(line, None),
        }
    })
}

/// What virsh said.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: Option<i32>,
    out: String,
    error: String,
}

/// virsh on one daemon, with what words of the table stand for.
struct Virsh<'a> {
    uri: String,
    words: &'a [(&'static str, String)],
    masks: &'a [(Regex, &'static str)],
}

impl Virsh<'_> {
    fn run(&self, command: &str) -> Said {
        let arguments = command.split_whitespace().map(|word| {
            let known = self.words.iter().find(|(name, _)| *name == word);
            known.map_or(word, |(_, value)| value)
        });
        let output = Command::new("virsh")
            .args(["-c", &self.uri])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let [out, error] = [&output.stdout, &output.stderr].map(|bytes| self.mask(bytes));
        Said { status: output.status.code(), out, error }
    }

    /// Takes out what is another's on each daemon and in each run.
    fn mask(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).replace(&self.uri, "URI");
        let masked = self
            .masks
            .iter()
            .fold(text, |text, (pattern, mask)| pattern.replace_all(&text, *mask).into_owned());
        masked.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn has(&self, name: &str) -> bool {
        let listed = Command::new("virsh").args(["-c", &self.uri, "list", "--name"]).output();
        String::from_utf8_lossy(&listed.unwrap().stdout).lines().any(|line| line == name)
    }
}

fn masks() -> Vec<(Regex, &'static str)> {
    let masks = [
        (r"<emulator>.*?</emulator>|<path>[^<]*lxc</path>|<partition>.*?</partition>", "(PATH)"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "(UUID)"),
        (r"[0-9]+(\.[0-9]+)?", "0"),
        (r"-{3,}", "---"),
    ];
    masks.map(|(pattern, mask)| (Regex::new(pattern).unwrap(), mask)).into()
}

/// The files of the commands, and what the words of the table stand for.
fn words(directory: &Path, root: &Path, name: &str) -> Vec<(&'static str, String)> {
    let init = "trap 'exit 0' TERM; echo ready; while read line; do echo \"got $line\"; done";
    let document = format!(
        "<domain type='lxc'>\n  <name>{name}</name>\n  <uuid>{UUID}</uuid>\n  \
         <memory unit='MiB'>128</memory>\n  <vcpu>1</vcpu>\n  <os><type>exe</type>\
         <init>/bin/sh</init><initarg>-c</initarg><initarg>{init}</initarg></os>\n  <devices>\n    \
         <filesystem type='mount'><source dir='{}'/><target dir='/'/></filesystem>\n    \
         <console type='pty'/>\n  </devices>\n</domain>\n",
        root.display()
    );
    let config = format!(
        "lxc.uts.name = web\nlxc.rootfs.path = dir:{}\nlxc.net.0.type = empty\n",
        root.display()
    );
    let file = |file: &str, text: &str| {
        let path = directory.join(file);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let element = format!("<name>{name}</name>");
    vec![
        ("{c}", name.to_owned()),
        ("{x}", format!("{name}-not-there")),
        ("{xml}", file("good.xml", &document)),
        ("{renamed}", file("renamed.xml", &document.replace(&element, "<name>other</name>"))),
        ("{broken}", file("broken.xml", &document.replace("</domain>", ""))),
        ("{noname}", file("noname.xml", &document.replace(&element, ""))),
        ("{conf}", file("web.conf", &config)),
    ]
}

#[test]
fn virsh_says_what_it_says_on_libvirts_driver_or_the_table_says_why_not() {
    let test = "virsh_says_what_it_says_on_libvirts_driver_or_the_table_says_why_not";
    if !is_there(test) {
        return;
    }
    let Some(host) = Host::new(test) else { return };
    let libvirtd = Libvirtd::start();
    let name = container("parity");
    let (words, masks) = (words(&host.directory, &host.tree.path, &name), masks());
    let virsh = |uri| Virsh { uri, words: &words, masks: &masks };
    let (libvirt, nsvirt) = (virsh(libvirtd.uri()), virsh(super::raw::uri(&host)));
    let mut report = Report::default();
    for row in rows() {
        match row {
            Row::Section(title) => report.section(title),
            Row::Alone(command, why) => {
                let said = nsvirt.run(command);
                assert!(!said.error.contains("Disconnected"), "{command}: {said:?}");
                report.row(command, Some(why));
            }
            Row::AwaitEnd => {
                until("the container has ended", || !libvirt.has(&name) && !nsvirt.has(&name));
            }
            Row::Command(command, why) => {
                let (theirs, ours) = std::thread::scope(|scope| {
                    let theirs = scope.spawn(|| libvirt.run(command));
                    let ours = nsvirt.run(command);
                    (theirs.join().unwrap(), ours)
                });
                report.compare(command, &theirs, &ours, why);
            }
        }
    }
    let differences = report.differences.join("\n");
    assert!(report.differences.is_empty(), "{differences}");
    let text = report.finish();
    if std::env::var_os("NSVIRT_WRITE_REPORTS").is_some() {
        fs::write(REPORT, &text).unwrap();
    }
    let written = fs::read_to_string(REPORT).unwrap_or_default();
    assert!(written == text, "run this test with NSVIRT_WRITE_REPORTS=1 to write {REPORT} anew");
}

/// What the table comes to.
#[derive(Default)]
struct Report {
    text: String,
    same: usize,
    different: usize,
    differences: Vec<String>,
}

impl Report {
    fn section(&mut self, title: &str) {
        self.text += &format!("\n## {title}\n\n| virsh | as with libvirt's driver |\n|---|---|\n");
    }

    fn row(&mut self, command: &str, why: Option<&str>) {
        let names = [("{c}", "NAME"), ("{x}", "NOT-THERE"), ("{xml}", "FILE")];
        let command = names
            .iter()
            .fold(command.to_owned(), |text, (word, name)| text.replace(word, name))
            .replace(['{', '}'], "");
        match why {
            None => self.same += 1,
            Some(_) => self.different += 1,
        }
        let verdict = why.map_or("yes".to_owned(), |why| format!("no: {why}"));
        self.text += &format!("| `{command}` | {verdict} |\n");
    }

    fn compare(&mut self, command: &str, theirs: &Said, ours: &Said, why: Option<&str>) {
        match (theirs == ours, why) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(why)) => {
                self.differences.push(format!("{command}: the same, and the table says '{why}'"));
            }
            (false, None) => {
                self.differences.push(format!("{command}:\n  {theirs:?}\n  {ours:?}"));
            }
        }
        self.row(command, why);
    }

    fn finish(&self) -> String {
        format!(
            "# virsh on libvirt's LXC driver and on nsvirt\n\n\
             Debian's `virsh`, unmodified, runs each of these commands in this order on libvirt's \
             own driver and on nsvirt.\nWhat it prints, on both outputs, and its exit status are \
             compared; numbers, UUIDs and paths of the two daemons are\nmasked. Of {} commands, {} \
             are as with libvirt's driver, and {} are not, for the reason given.\n\nThe test \
             `rpc::parity` writes this page and fails when it is not true.\n{}",
            self.same + self.different,
            self.same,
            self.different,
            self.text
        )
    }
}
