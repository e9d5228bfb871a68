//! The command line, run as a user runs it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use super::Console;

/// What a command printed, and whether its exit status is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub out: String,
    pub err: String,
    pub good: bool,
}

impl Said {
    /// A command that succeeded and printed only this.
    pub fn good(out: &str) -> Self {
        Self { out: out.to_owned(), err: String::new(), good: true }
    }

    /// A command that failed with these lines.
    pub fn bad(lines: &[&str]) -> Self {
        let err = lines.iter().map(|line| format!("error: {line}\n")).collect();
        Self { out: String::new(), err, good: false }
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { out: text(output.stdout), err: text(output.stderr), good: output.status.success() }
    }
}

/// A way to run `nsvirsh --quiet` against one daemon.
#[derive(Debug)]
pub struct Nsvirsh {
    address: String,
    directory: PathBuf,
    editor: Option<PathBuf>,
}

impl Nsvirsh {
    pub fn new(address: &str, directory: &Path) -> Self {
        Self { address: address.to_owned(), directory: directory.to_owned(), editor: None }
    }

    /// A shell script is the editor; `$1` is the file.
    pub fn editor(mut self, script: &str) -> Self {
        let path = self.directory.join("editor");
        fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.editor = Some(path);
        self
    }

    /// The command as a shell of the editor's can run it.
    pub fn line(&self) -> String {
        format!("{} -q -c {}", program().display(), self.address)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(["-q", "-c", &self.address]).args(arguments);
        command.current_dir(&self.directory).stdin(Stdio::null());
        command.env_remove("VISUAL").env("TMPDIR", &self.directory);
        match &self.editor {
            Some(editor) => command.env("EDITOR", editor),
            None => command.env("EDITOR", "false"),
        };
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs it with this input, and gives its exit status as well.
    pub fn feed(&self, arguments: &[&str], input: &str) -> (Said, Option<i32>) {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
        let fed = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        fed.join().unwrap();
        let status = output.status.code();
        (output.into(), status)
    }

    /// Runs it on a terminal of this size: the other side, and the process.
    pub fn on_terminal(&self, arguments: &[&str], rows: u16, columns: u16) -> (Console, Child) {
        let size = nix::pty::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = nix::pty::openpty(&size, None).unwrap();
        let side = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut command = self.command(arguments);
        command.stdin(side()).stdout(side()).stderr(side()).env("TERM", "vt220");
        let child = command.spawn().unwrap();
        (Console::new(terminal.master), child)
    }

    /// Runs it on a terminal and answers each of its questions with a key.
    pub fn answer(&self, arguments: &[&str], keys: &str) -> Said {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut command = self.command(arguments);
        command.stdin(terminal.slave).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut keyboard = fs::File::from(terminal.master);
        let mut stdout = child.stdout.take().unwrap();
        let mut out = String::new();
        for key in keys.bytes() {
            let mut byte = [0];
            let asked = out.len();
            while !out.get(asked..).unwrap().ends_with("]: ") {
                assert_eq!(stdout.read(&mut byte).unwrap(), 1, "not asked again after {out}");
                out.push(byte[0].into());
            }
            keyboard.write_all(&[key]).unwrap();
        }
        stdout.read_to_string(&mut out).unwrap();
        let said = Said::from(child.wait_with_output().unwrap());
        Said { out, ..said }
    }
}

/// The program, built as it is now: it is of another package than these tests.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let daemon = Path::new(env!("CARGO_BIN_EXE_nsvirtd"));
        let directory = daemon.parent().unwrap();
        let profile = match directory.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--workspace", "--bin", "nsvirsh", "--profile", profile])
            .arg("--target-dir")
            .arg(directory.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "cannot build nsvirsh");
        directory.join("nsvirsh")
    })
}
