//! `desc` and `metadata`: what people and programs keep with a domain.

use crate::bus::{BusError, DOMAIN};
use crate::cmd::edit::{Edited, Subject, session};
use crate::cmd::{exclusive, flags};
use crate::domain::{self, By, Domain};
use crate::editor::Draft;
use crate::outcome::{Context, Failure, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;

const DESCRIPTION: i32 = 0;
const TITLE: i32 = 1;
const ELEMENT: i32 = 2;
const CONFIG: u32 = 2;

/// The documents that the options mean; neither is the one that counts now.
fn affected(args: &Args) -> Outcome<u32> {
    exclusive(args, "current", "live")?;
    exclusive(args, "current", "config")?;
    Ok(flags(args, &[("live", 1), ("config", CONFIG)]))
}

/// A description, title, or element of a domain; None when there is none.
fn get(
    shell: &Shell,
    domain: &Domain,
    kind: i32,
    uri: &str,
    flags: u32,
) -> Result<Option<String>, Failure> {
    match shell.bus()?.call(&domain.path, DOMAIN, "GetMetadata", &(kind, uri, flags)) {
        Ok(text) => Ok(Some(text)),
        Err(BusError::Driver(text)) if text.starts_with("metadata not found") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What `SetMetadata` is told apart from the flags: number, text, prefix, name space.
type New<'a> = (i32, &'a str, &'a str, &'a str);

fn set(shell: &Shell, domain: &Domain, new: New<'_>, flags: u32) -> Outcome {
    shell.may("virDomainSetMetadata")?;
    let (kind, text, key, uri) = new;
    Ok(shell.bus()?.call(&domain.path, DOMAIN, "SetMetadata", &(kind, text, key, uri, flags))?)
}

/// `desc`
pub(crate) fn desc(shell: &mut Shell, args: &Args) -> Outcome {
    let flags = affected(args)?;
    let domain = domain::find(shell, args, By::ANY)?;
    let title = args.has("title");
    let (kind, word) = if title { (TITLE, "title") } else { (DESCRIPTION, "description") };
    let given = args.texts("new-desc").collect::<Vec<_>>().join(" ");
    let before = get(shell, &domain, kind, "", flags & CONFIG)?.unwrap_or_default();
    if !args.has("edit") && !args.has("new-desc") {
        match before.is_empty() {
            true => shell.remark(format_args!("No {word} for domain: {}", domain.name)),
            false => shell.print(before),
        }
        return Ok(());
    }
    let mut new = given;
    if args.has("edit") {
        let start = if args.has("new-desc") { &new } else { &before };
        let edited = Draft::new(start)?.edit(shell)?;
        // Editors end a file with a line end, and a title has none.
        let line = edited.strip_suffix('\n').filter(|_| title);
        new = line.unwrap_or(&edited).to_owned();
        if new == before {
            shell.remark(format_args!("Domain {word} not changed\n"));
            return Ok(());
        }
    }
    set(shell, &domain, (kind, &new, "", ""), flags)
        .context(|| format!("Failed to set new domain {word}"))?;
    shell.remark(format_args!("Domain {word} updated successfully"));
    Ok(())
}

/// `metadata`
pub(crate) fn metadata(shell: &mut Shell, args: &Args) -> Outcome {
    let flags = affected(args)?;
    exclusive(args, "edit", "set")?;
    exclusive(args, "remove", "set")?;
    exclusive(args, "remove", "edit")?;
    let domain = domain::find(shell, args, By::ANY)?;
    let uri = args.nonempty("uri")?.unwrap_or_default();
    let key = args.nonempty("key")?;
    let text = args.nonempty("set")?;
    if args.has("remove") {
        set(shell, &domain, (ELEMENT, "", "", uri), flags)?;
        shell.remark("Metadata removed\n");
        return Ok(());
    }
    if text.is_none() && !args.has("edit") {
        let found = get(shell, &domain, ELEMENT, uri, flags)?;
        let missing = "metadata not found: Requested metadata element is not present";
        shell.print(format_args!("{}\n", found.ok_or_else(|| fail(missing))?));
        return Ok(());
    }
    let key = key.ok_or_else(|| fail("namespace key is required when modifying metadata"))?;
    match text {
        Some(text) => set(shell, &domain, (ELEMENT, text, key, uri), flags)?,
        None => {
            let edited = edit(shell, &domain, (key, uri), flags)?;
            if edited == Edited::NotChanged {
                shell.remark("Metadata not changed");
                return Ok(());
            }
        }
    }
    shell.remark("Metadata modified\n");
    Ok(())
}

fn edit(
    shell: &mut Shell,
    domain: &Domain,
    (key, uri): (&str, &str),
    flags: u32,
) -> Outcome<Edited> {
    let fetch = |shell: &Shell| {
        let found = get(shell, domain, ELEMENT, uri, flags)?;
        Ok(found.unwrap_or_else(|| "\n".to_owned()))
    };
    let mut store = |shell: &Shell, text: &str, _: bool| {
        // To the service no text means to take it away, which is another command.
        let text = if text.is_empty() { "\n" } else { text };
        set(shell, domain, (ELEMENT, text, key, uri), flags)
    };
    let subject = Subject { fetch: &fetch, store: &mut store, validate: false, can_relax: false };
    session(shell, subject)
}
