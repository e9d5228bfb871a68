//! What the probe says of the inside of a container.

use super::{Document, Domain, Host};

/// The probe's lines, `key=value`, in order.
#[derive(Debug)]
pub struct Facts(Vec<(String, String)>);

/// A document whose init is the probe.
pub fn probe(document: Document) -> Document {
    document.script(include_str!("../../probe/probe.sh"))
}

impl Facts {
    /// Starts a container with the probe as its init.
    pub fn of(host: &Host, document: &Document) -> (Domain, Self) {
        let domain = host.run(document);
        let facts = Self::read(&domain);
        (domain, facts)
    }

    /// What the probe of a container that has just been started says.
    pub fn read(domain: &Domain) -> Self {
        let mut console = domain.console();
        console.wait_for("probe-begin\r\n");
        Self::parse(&console.wait_for("probe-end\r\n").replace('\r', ""))
    }

    /// What a probe has printed between its first and its last line.
    pub fn parse(text: &str) -> Self {
        let pair = |line: &str| {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line:?}"));
            (key.to_owned(), value.to_owned())
        };
        Self(text.lines().map(pair).collect())
    }

    /// All values of a key.
    pub fn all(&self, key: &str) -> Vec<&str> {
        let of_key = self.0.iter().filter(|(it, _)| it == key);
        of_key.map(|(_, value)| value.as_str()).collect()
    }

    /// The only value of a key.
    pub fn one(&self, key: &str) -> &str {
        match self.all(key)[..] {
            [value] => value,
            ref other => panic!("{key}: {other:?}"),
        }
    }

    /// The rest of the value of a key that begins with a word.
    pub fn of_word(&self, key: &str, word: &str) -> &str {
        let values = self.all(key);
        let rest = values.iter().find_map(|it| it.strip_prefix(word)?.strip_prefix(' '));
        rest.unwrap_or_else(|| panic!("no {word} in {values:?}"))
    }

    /// The mounts: mount point, options, type and super options, as in `mountinfo`.
    pub fn mounts(&self) -> Vec<Mount<'_>> {
        self.all("mount").into_iter().map(Mount::parse).collect()
    }

    /// The mount that is at a path: the last one counts.
    pub fn mount(&self, path: &str) -> Mount<'_> {
        let all = self.mounts();
        let found = all.iter().rev().find(|it| it.target == path);
        found.unwrap_or_else(|| panic!("no mount at {path} in {all:#?}")).clone()
    }
}

/// One line of `mountinfo`.
#[derive(Debug, Clone)]
pub struct Mount<'a> {
    /// The part of its file system that is shown.
    pub root: &'a str,
    pub target: &'a str,
    pub options: Vec<&'a str>,
    pub kind: &'a str,
    pub super_options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Self {
        let (mount, filesystem) = line.split_once(" - ").unwrap();
        let mount: Vec<_> = mount.split(' ').collect();
        let filesystem: Vec<_> = filesystem.split(' ').collect();
        Self {
            root: mount[3],
            target: mount[4],
            options: mount[5].split(',').collect(),
            kind: filesystem[0],
            super_options: filesystem[2],
        }
    }

    pub fn has(&self, option: &str) -> bool {
        self.options.contains(&option)
    }
}
