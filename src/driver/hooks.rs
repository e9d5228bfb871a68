//! Hooks: programs of the administrator's that are called as a domain comes and goes.
//!
//! As libvirt has it for its container driver: `hooks/lxc` and then, by name, what is in
//! `hooks/lxc.d` of the configuration directory, each with the domain's name, the operation, its
//! phase and `-` as arguments, and the domain's document on standard input. All are called even if
//! one fails; that one did is an error where the operation can still be refused.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::Driver;
use super::domain::{Domain, Run};
use super::lifecycle::Operation;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain as Document, View};

/// How long one program may take. The domain's other operations wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
/// What of a program's output is kept for the error, in bytes.
const OUTPUT_LIMIT: usize = 1024;

/// The operations that programs are called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    /// Before anything is made or looked at; may refuse the start.
    Prepare,
    /// Before the supervisor is started; may refuse the start.
    Start,
    /// The container runs; a failure ends it.
    Started,
    /// The container's processes are gone, or were never there.
    Stopped,
    /// Everything of it is gone.
    Release,
    /// A daemon that was started finds it running; a failure ends it.
    Reconnect,
}

impl Hook {
    /// The name of the operation, and its phase.
    fn arguments(self) -> [&'static str; 2] {
        match self {
            Self::Prepare => ["prepare", "begin"],
            Self::Start => ["start", "begin"],
            Self::Started => ["started", "begin"],
            Self::Stopped => ["stopped", "end"],
            Self::Release => ["release", "end"],
            Self::Reconnect => ["reconnect", "begin"],
        }
    }
}

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Hooks {
    directory: PathBuf,
}

impl Hooks {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Calls every program for an operation; the error is that of the first that failed.
    pub(super) async fn call(&self, hook: Hook, live: &Document) -> Result<()> {
        let programs = self.programs().map_err(|e| {
            Error::system(format!("cannot look for hooks in {}", self.directory.display()), e)
        })?;
        if programs.is_empty() {
            return Ok(());
        }
        let document = live.format(View::Live);
        let mut result = Ok(());
        for program in programs {
            let called = call(&program, hook, &live.name, document.as_bytes()).await;
            result = result.and(called);
        }
        result
    }

    /// What can be executed, in order.
    fn programs(&self) -> io::Result<Vec<PathBuf>> {
        let mut programs = vec![self.directory.join("lxc")];
        match std::fs::read_dir(self.directory.join("lxc.d")) {
            Ok(entries) => {
                for entry in entries {
                    programs.push(entry?.path());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if let Some((_, several)) = programs.split_first_mut() {
            several.sort();
        }
        programs.retain(|program| is_executable(program));
        Ok(programs)
    }
}

fn is_executable(program: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    program.is_file() && access(program, AccessFlags::X_OK).is_ok()
}

async fn call(program: &Path, hook: Hook, name: &str, document: &[u8]) -> Result<()> {
    let [operation, phase] = hook.arguments();
    let what = || format!("{} {name} {operation} {phase}", program.display());
    let failed = |how: String| Error::new(ErrorCode::HookScriptFailed, how);
    let (mut child, output) = spawn(program, [name, operation, phase, "-"])
        .map_err(|e| failed(format!("{}: {e}", what())))?;
    let ended = tokio::time::timeout(PATIENCE, communicate(&mut child, output, document)).await;
    let (status, said) = match ended {
        Ok(ended) => ended.map_err(|e| failed(format!("{}: {e}", what())))?,
        Err(_) => {
            kill(&mut child).await;
            return Err(failed(format!("{} did not end within {PATIENCE:?}", what())));
        }
    };
    if status.success() {
        return Ok(());
    }
    let said = said.trim_end();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    Err(failed(format!("{} failed ({status}){said}", what())))
}

/// Executes a program, with nothing of the daemon's but what is said here, in a process group of
/// its own. What it prints comes from the pipe.
fn spawn(program: &Path, arguments: [&str; 4]) -> io::Result<(Child, pipe::Receiver)> {
    let (output, printed) = io::pipe()?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .env("HOME", "/")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(printed.try_clone()?)
        .stderr(printed)
        .spawn()?;
    Ok((child, pipe::Receiver::from_owned_fd(OwnedFd::from(output))?))
}

/// Gives a program its document and waits for its end, reading all it prints meanwhile. What it has
/// left in the background may go on, and is not waited for.
async fn communicate(
    child: &mut Child,
    mut output: pipe::Receiver,
    document: &[u8],
) -> io::Result<(ExitStatus, String)> {
    let input = child.stdin.take();
    let write = async {
        if let Some(mut input) = input {
            // One that does not care for the document closes its end.
            let _ = input.write_all(document).await;
        }
    };
    let mut said = Vec::new();
    let read = async {
        let mut buffer = [0; OUTPUT_LIMIT];
        while let Ok(length @ 1..) = output.read(&mut buffer).await {
            keep(&mut said, buffer.get(..length).unwrap_or_default());
        }
        std::future::pending::<()>().await;
    };
    let status = {
        let wait = child.wait();
        tokio::pin!(wait, write, read);
        let mut written = false;
        loop {
            tokio::select! {
                status = &mut wait => break status?,
                () = &mut write, if !written => written = true,
                () = &mut read => {}
            }
        }
    };
    let mut buffer = [0; OUTPUT_LIMIT];
    while let Ok(length @ 1..) = output.try_read(&mut buffer) {
        keep(&mut said, buffer.get(..length).unwrap_or_default());
        if said.len() == OUTPUT_LIMIT {
            break;
        }
    }
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

fn keep(said: &mut Vec<u8>, more: &[u8]) {
    let room = OUTPUT_LIMIT.saturating_sub(said.len());
    said.extend(more.iter().take(room));
}

/// Ends a program with what it has started.
async fn kill(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok())
        && let Err(error) = killpg(Pid::from_raw(pid), Signal::SIGKILL)
    {
        tracing::warn!("cannot kill hook process {pid}: {error}");
    }
    if let Err(error) = child.wait().await {
        tracing::warn!("cannot wait for a hook: {error}");
    }
}

impl Driver {
    /// Calls the programs where it is too late to refuse anything.
    pub(super) async fn call_after(&self, hook: Hook, live: &Document) {
        if let Err(error) = self.hooks.call(hook, live).await {
            tracing::warn!("{error}");
        }
    }

    /// Calls the programs meanwhile for a container that runs; a failure ends it.
    pub(super) fn call_meanwhile(
        self: &Arc<Self>,
        hook: Hook,
        domain: &Arc<Domain>,
        run: &Arc<Run>,
    ) {
        let (driver, domain, run) = (self.clone(), domain.clone(), run.clone());
        tokio::spawn(async move {
            let _turn = domain.patient_turn().await;
            let is_current = domain.run().is_ok_and(|current| Arc::ptr_eq(&current, &run));
            let Some(live) = domain.snapshot().live.clone().filter(|_| is_current) else { return };
            let Err(error) = driver.hooks.call(hook, &live).await else { return };
            tracing::error!("domain '{}' is ended: {error}", domain.name);
            match driver.end(&domain, &run).await {
                Ok(()) => driver.finish(&domain, &run, Operation::Fail, None).await,
                Err(error) => tracing::error!("{error}"),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("nsvirt-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("lxc.d")).unwrap();
        path
    }

    fn script(path: &Path, text: &str) {
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn what_can_be_executed_is_called_in_order() {
        let path = directory("hook-order");
        let hooks = Hooks::new(path.clone());
        for name in ["lxc.d/b", "lxc.d/a", "lxc"] {
            script(&path.join(name), "");
        }
        fs::write(path.join("lxc.d/README"), "no program").unwrap();
        fs::create_dir(path.join("lxc.d/0")).unwrap();
        let expected = ["lxc", "lxc.d/a", "lxc.d/b"].map(|name| path.join(name));
        assert_eq!(hooks.programs().unwrap(), expected);
        fs::remove_dir_all(&path).unwrap();
        assert!(hooks.programs().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_failure_says_what_the_program_said_and_no_more_than_so_much() {
        let path = directory("hook-says");
        let program = path.join("lxc");
        let document = "x".repeat(1 << 20);
        script(&program, "echo \"$# $*\"; wc -c; echo no >&2; exit 3");
        let error = call(&program, Hook::Prepare, "web", document.as_bytes()).await.unwrap_err();
        let expected = format!(
            "Hook script execution failed: {} web prepare begin failed (exit status: 3): \
             4 web prepare begin -\n1048576\nno",
            program.display()
        );
        assert_eq!(error.message, expected);
        // It neither reads the document nor ends what it has started.
        script(&program, "sleep 1000 & echo $! >\"$0.pid\"; yes | head -c 300000; exit 1");
        let error = call(&program, Hook::Start, "web", document.as_bytes()).await.unwrap_err();
        assert!(error.message.len() < 2 * OUTPUT_LIMIT, "{}", error.message.len());
        let pid = fs::read_to_string(path.join("lxc.pid")).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        script(&program, "test \"$(env | grep -c -v '^PWD=\\|^_=\\|^SHLVL=')\" = 3");
        call(&program, Hook::Stopped, "web", b"").await.unwrap();
        fs::remove_dir_all(&path).unwrap();
    }
}
