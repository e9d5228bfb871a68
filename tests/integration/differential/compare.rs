//! What both sides say to a document, and whether that is the same.

use nsvirt::model::{Domain, View};
use nsvirt::xml::{self, Element, Writer};

use crate::support::libvirt::{Answer, Definer, EMULATOR};

/// What nsvirt says to a document.
pub type Ours = Result<String, nsvirt::error::Error>;

/// A document with both answers, what was made up on the way masked in them.
#[derive(Debug)]
pub struct Case {
    pub document: Element,
    pub libvirt: Answer,
    pub ours: Ours,
}

impl Case {
    /// Asks both.
    pub fn ask(document: Element, definer: &mut Definer) -> Self {
        let text = text_of(&document);
        let mut libvirt = definer.ask(&text);
        if libvirt == Answer::Crashed {
            // A daemon may fall for what it was asked before: only what ends a new one counts.
            libvirt = definer.ask(&text);
        }
        if let Answer::Defined { xml } = &mut libvirt {
            *xml = mask(xml, &text);
        }
        let ours = parse(&text).map(|xml| mask(&xml, &text));
        Self { document, libvirt, ours }
    }

    /// Both take it and write the same, or both refuse it with the same code.
    pub fn agrees(&self) -> bool {
        match (&self.libvirt, &self.ours) {
            (Answer::Defined { xml }, Ok(ours)) => xml == ours,
            (Answer::Refused { code, .. }, Err(ours)) => *code == ours.code as i32,
            _ => false,
        }
    }

    /// Whether it is the same disagreement as another: the same answers to a smaller document.
    pub fn is_like(&self, other: &Self) -> bool {
        !self.agrees() && self.gist() == other.gist()
    }

    /// The answers without what changes when parts of the document go.
    pub fn gist(&self) -> (String, String) {
        let plain = |code: i32, message: &str| {
            // Numbers of lines, and addresses that were made up.
            format!("{code} {}", message.replace(|c: char| c.is_ascii_hexdigit(), ""))
        };
        let libvirt = match &self.libvirt {
            Answer::Defined { .. } => "defined".to_owned(),
            Answer::Refused { code, message } => plain(*code, message),
            Answer::Crashed => "crashed".to_owned(),
        };
        let ours = match &self.ours {
            Ok(_) => "defined".to_owned(),
            Err(error) => plain(error.code as i32, &error.message),
        };
        (libvirt, ours)
    }
}

/// What the library says.
pub fn parse(text: &str) -> Ours {
    let mut domain = Domain::parse_element(&xml::parse(text)?)?;
    domain.fill_host_defaults(std::env::consts::ARCH, EMULATOR);
    Ok(domain.format(View::Inactive))
}

/// The document as both read it.
pub fn text_of(document: &Element) -> String {
    let mut writer = Writer::new();
    writer.element(document);
    writer.finish()
}

/// Masks identities and addresses of network cards that are not in the document: each side made up
/// its own.
pub fn mask(output: &str, document: &str) -> String {
    let known = document.to_ascii_lowercase();
    let made_up = |value: &str| !known.contains(value);
    let masked = output.lines().map(|line| {
        for (before, after, mask) in [
            ("uuid>", "</uuid>", "(made up)"),
            ("genid>", "</genid>", "(made up)"),
            ("<mac address='", "'/>", "(made up)"),
        ] {
            if let Some((head, rest)) = line.split_once(before)
                && let Some((value, tail)) = rest.split_once(after)
                && made_up(value)
            {
                return format!("{head}{before}{mask}{after}{tail}\n");
            }
        }
        format!("{line}\n")
    });
    masked.collect()
}
