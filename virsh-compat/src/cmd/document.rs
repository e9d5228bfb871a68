//! Commands about documents: printed, looked into, converted.

use crate::bus::{NSVIRT_CONNECT, ROOT};
use crate::cmd::{exclusive, flags, read_file};
use crate::domain::{self, By};
use crate::outcome::{Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use crate::xpath;

/// `dumpxml`
pub(crate) fn dumpxml(shell: &mut Shell, args: &Args) -> Outcome {
    let known = [("security-info", 1), ("inactive", 2), ("update-cpu", 4), ("migratable", 8)];
    let expression = args.nonempty("xpath")?;
    let domain = domain::find(shell, args, By::ANY)?;
    let xml = domain.xml(shell, flags(args, &known))?;
    match expression {
        Some(expression) => {
            shell.print(xpath::select(&xml, expression, args.has("wrap"))?);
        }
        None => shell.print(xml),
    }
    Ok(())
}

/// `domxml-from-native`
pub(crate) fn from_native(shell: &mut Shell, args: &Args) -> Outcome {
    let format = args.nonempty("format")?.unwrap_or_default();
    let file = args.nonempty("config")?.unwrap_or_default();
    let config = read_file(file)?;
    shell.may("virConnectDomainXMLFromNative")?;
    convert(shell, "DomainXMLFromNative", format, &config)
}

/// `domxml-to-native`
pub(crate) fn to_native(shell: &mut Shell, args: &Args) -> Outcome {
    exclusive(args, "domain", "xml")?;
    let format = args.nonempty("format")?.unwrap_or_default();
    let xml = match args.nonempty("xml")? {
        Some(file) => read_file(file)?,
        None if args.has("domain") => domain::find(shell, args, By::ANY)?.xml(shell, 0)?,
        None => return Err(fail("need either domain or domain XML")),
    };
    shell.may("virConnectDomainXMLToNative")?;
    convert(shell, "DomainXMLToNative", format, &xml)
}

/// Prints the other format, and beside it what is missing from it.
fn convert(shell: &mut Shell, method: &str, format: &str, text: &str) -> Outcome {
    let body = (format, text, 0_u32);
    let (converted, notes): (String, Vec<String>) =
        shell.bus()?.call(ROOT, NSVIRT_CONNECT, method, &body)?;
    shell.print(converted);
    if !notes.is_empty() {
        shell.note("not carried over:");
        notes.iter().for_each(|note| shell.note(format_args!("- {note}")));
    }
    Ok(())
}
