//! `edit`, and editing anything that can be fetched and stored.

use zbus::OwnedObjectPath;

use crate::bus::{BusError, CONNECT, DOMAIN, NSVIRT_CONNECT, ROOT};
use crate::cmd::VALIDATE;
use crate::domain::{self, By, SECURE};
use crate::editor::Draft;
use crate::outcome::{Failure, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use crate::terminal;

const CHANGED: &str = "The XML configuration was changed by another user.";
const FAILED: &str = "Failed.";

/// What an editing session is about.
pub(crate) struct Subject<'a> {
    /// Reads it as it is now.
    pub(crate) fetch: &'a dyn Fn(&Shell) -> Outcome<String>,
    /// Stores it; the flag says whether it is to be validated first.
    pub(crate) store: &'a mut dyn FnMut(&Shell, &str, bool) -> Outcome,
    /// Whether it is validated at first.
    pub(crate) validate: bool,
    /// Whether one may ask for it not to be.
    pub(crate) can_relax: bool,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Edited {
    /// The text came back as it was.
    NotChanged,
    /// The new text is stored.
    Stored,
}

/// Edits until the result is stored or given up.
pub(crate) fn session(shell: &mut Shell, subject: Subject<'_>) -> Outcome<Edited> {
    let Subject { fetch, store, mut validate, can_relax } = subject;
    let mut original = fetch(shell)?;
    let draft = Draft::new(&original)?;
    loop {
        let edited = draft.edit(shell)?;
        if edited == original {
            return Ok(Edited::NotChanged);
        }
        loop {
            let now = fetch(shell)?;
            let (message, reason) = if now != original {
                original = now;
                (CHANGED, None)
            } else {
                match store(shell, &edited, validate) {
                    Ok(()) => return Ok(Edited::Stored),
                    Err(reason) => (FAILED, Some(reason)),
                }
            };
            match ask(shell, message, reason, can_relax)? {
                Answer::EditAgain => break,
                Answer::Relax => validate = false,
                Answer::TryAgain => {}
            }
        }
    }
}

enum Answer {
    EditAgain,
    TryAgain,
    Relax,
}

/// Asks what to do about a text that could not be stored. Giving up is a failure, and so is it
/// when there is nobody to ask.
fn ask(
    shell: &mut Shell,
    message: &str,
    reason: Option<Failure>,
    can_relax: bool,
) -> Outcome<Answer> {
    if !terminal::is_there() {
        let mut failure = fail(message);
        failure.lines.extend(reason.map(|it| it.lines).unwrap_or_default());
        return Err(failure);
    }
    reason.iter().for_each(|reason| shell.report(reason));
    let choices = if can_relax { "y,n,i,f,?" } else { "y,n,f,?" };
    let question = format!("{message} Try again? [{choices}]: ");
    loop {
        shell.flush();
        let Some(key) = terminal::ask(&question) else { return Err(Failure::default()) };
        let answer = match key.to_ascii_lowercase() {
            b'y' => Some(Ok(Answer::EditAgain)),
            b'f' => Some(Ok(Answer::TryAgain)),
            b'i' if can_relax => Some(Ok(Answer::Relax)),
            // Control-C and Control-D mean no wherever one is asked.
            b'n' | 3 | 4 => Some(Err(Failure::default())),
            b'?' => None,
            _ => continue,
        };
        shell.print("\n");
        match answer {
            Some(answer) => return answer,
            None => shell.print(explanation(can_relax)),
        }
    }
}

fn explanation(can_relax: bool) -> String {
    let relax = "i - turn off validation and try to redefine again\n";
    format!(
        "y - yes, start editor again\nn - no, throw away my changes\n{}\
         f - force, try to redefine again\n? - print this help\n",
        if can_relax { relax } else { "" }
    )
}

/// `edit`
pub(crate) fn edit(shell: &mut Shell, args: &Args) -> Outcome {
    const INACTIVE: u32 = 2;
    let domain = domain::find(shell, args, By::ANY)?;
    let mut name = domain.name.clone();
    let fetch = |shell: &Shell| domain.xml(shell, SECURE | INACTIVE);
    let mut store = |shell: &Shell, xml: &str, validate: bool| {
        let path = define(shell, xml, validate)?;
        name = shell.bus()?.property(path.as_str(), DOMAIN, "Name")?;
        Ok(())
    };
    let validate = !args.has("skip-validate");
    let subject = Subject { fetch: &fetch, store: &mut store, validate, can_relax: true };
    let done = match session(shell, subject)? {
        Edited::NotChanged => "not changed",
        Edited::Stored => "edited",
    };
    shell.remark(format_args!("Domain '{name}' XML configuration {done}.\n"));
    Ok(())
}

/// Defines a domain. A service that cannot validate does what it does with every document.
fn define(shell: &Shell, xml: &str, validate: bool) -> Result<OwnedObjectPath, Failure> {
    let bus = shell.bus()?;
    if validate {
        let body = (xml, VALIDATE);
        match bus.call(ROOT, NSVIRT_CONNECT, "DomainDefineXMLFlags", &body) {
            Err(BusError::Missing(_)) => {}
            result => return Ok(result?),
        }
    }
    Ok(bus.call(ROOT, CONNECT, "DomainDefineXML", &xml)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_answers_mean() {
        assert_eq!(explanation(true).lines().count(), 5);
        assert!(!explanation(false).contains("validation"));
    }
}
