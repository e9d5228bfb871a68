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
        let ours = parse(&text).map(|xml| mask(&xml, &text));
        Self::with(document, &text, ours, definer)
    }

    /// Asks libvirt only when ours says what it says to this case, since libvirt takes its time.
    pub fn ask_alike(&self, document: Element, definer: &mut Definer) -> Option<Self> {
        let text = text_of(&document);
        let ours = parse(&text).map(|xml| mask(&xml, &text));
        (gist_of(&ours) == gist_of(&self.ours)).then(|| Self::with(document, &text, ours, definer))
    }

    /// Whether ours says to a document what it says to this case.
    pub fn is_alike(&self, document: &Element) -> bool {
        gist_of(&parse(&text_of(document))) == gist_of(&self.ours)
    }

    fn with(document: Element, text: &str, ours: Ours, definer: &mut Definer) -> Self {
        let mut libvirt = definer.ask(text);
        if libvirt == Answer::Crashed {
            // A daemon may fall for what it was asked before: only what ends a new one counts.
            libvirt = definer.ask(text);
        }
        if let Answer::Defined { xml } = &mut libvirt {
            *xml = mask(xml, text);
        }
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
        let libvirt = match &self.libvirt {
            Answer::Defined { .. } => "defined".to_owned(),
            Answer::Refused { code, message } => refusal(*code, message),
            Answer::Crashed => "crashed".to_owned(),
        };
        (libvirt, gist_of(&self.ours))
    }
}

fn gist_of(ours: &Ours) -> String {
    match ours {
        Ok(_) => "defined".to_owned(),
        Err(error) => refusal(error.code as i32, &error.message),
    }
}

/// A refusal without numbers of lines, and addresses that were made up.
fn refusal(code: i32, message: &str) -> String {
    format!("{code} {}", message.replace(|c: char| c.is_ascii_hexdigit(), ""))
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
        let mut line = line.to_owned();
        for (before, after, mask) in [
            ("uuid>", "</uuid>", "(made up)"),
            ("genid>", "</genid>", "(made up)"),
            ("<mac address='", "'/>", "(made up)"),
            ("instanceid='", "'", "(made up)"),
            ("interfaceid='", "'", "(made up)"),
        ] {
            if let Some((head, rest)) = line.split_once(before)
                && let Some((value, tail)) = rest.split_once(after)
                && made_up(value)
            {
                line = format!("{head}{before}{mask}{after}{tail}");
            }
        }
        line + "\n"
    });
    masked.collect()
}
