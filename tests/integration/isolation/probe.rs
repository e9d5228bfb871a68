//! The probe's program: built, put into a tree, heard.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Rows;
use crate::support::tree::Tree;
use crate::support::{Document, Host};

/// What a container answered: `yes`, `no` or `na` by row.
#[derive(Debug, Clone, Default)]
pub struct Answers(pub Rows);

/// Numbers of the keyrings that the tests, and the daemon they start, have.
pub struct Keyrings {
    pub session: String,
    pub user: String,
}

impl Keyrings {
    pub fn of_host() -> Self {
        let said = Command::new(program()).arg("keyrings").output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        let (session, user) = text.trim().split_once(' ').unwrap();
        Self { session: session.to_owned(), user: user.to_owned() }
    }
}

/// Puts the program into a tree, as `/probe`.
pub fn install(tree: &Tree) {
    fs::copy(program(), tree.path.join("probe")).unwrap();
}

/// Runs a container whose init is the probe, to its answers.
pub fn ask(host: &Host, document: &Document) -> Answers {
    let domain = host.run(document);
    let mut console = domain.console();
    console.wait_for("rows-begin\r\n");
    let text = console.wait_for("rows-end\r\n");
    let limits = limits(host, document.name());
    domain.destroy().unwrap();
    let row = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        (parts.next().unwrap(), parts.next().unwrap_or_else(|| panic!("{line:?}")))
    };
    Answers(text.split_terminator("\r\n").map(row).chain(limits).collect())
}

/// Rows that only the host sees: the limits are set above what the container takes for the root.
fn limits(host: &Host, name: &str) -> [(String, String); 2] {
    let row = |row: &str, controller: &str, files: (&str, &str)| {
        let limit = host.kernel(name, controller, files);
        let is_open = limit == "max" || limit.parse().is_ok_and(|it: u64| it > 1 << 60);
        (format!("unlimited_{row}"), if is_open { "yes" } else { "no" }.to_owned())
    };
    [
        row("processes", "pids", ("pids.max", "pids.max")),
        row("memory", "memory", ("memory.limit_in_bytes", "memory.max")),
    ]
}

/// The program, built as it is now. It is static: a container's tree has no libraries.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "nsvirt-probe", "--target", &target])
            .arg("--target-dir")
            .arg(&directory)
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "cannot build the probe");
        directory.join(target).join("debug/nsvirt-probe")
    })
}
