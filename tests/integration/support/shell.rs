//! A shell in a container, by its console.

use super::{Document, Domain};

/// Has init be a shell that does what is typed.
pub fn shell(document: Document) -> Document {
    let script = "echo ready; while read line; do eval \"$line\" 2>&1; echo \"end of $line\"; done";
    document.script(script)
}

/// Has a container's shell run a command, and gives what it prints.
pub fn run(domain: &Domain, command: &str) -> String {
    let mut console = domain.console();
    console.type_line(command);
    // The terminal's echo comes first.
    console.wait_for(&format!("{command}\r\n"));
    console.wait_for(&format!("end of {command}\r\n"))
}
