//! Whether, and how soon, a container is started anew after its init has ended.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::domain_log::say;
use super::ending::{Cause, End};
use crate::plan::{Plan, Restart};
use crate::sys::pidfd::Exit;

/// How long init may take to end after it was asked to for a reboot. What ends later than that ends
/// for a reason of its own.
const REBOOT_PATIENCE: Duration = Duration::from_secs(300);

/// A container that has run so long has not ended because of what it was started with.
const LASTING: Duration = Duration::from_secs(10);
/// So many ends in a row, each before that, are followed by a start at once.
const AT_ONCE: u32 = 5;
/// Then it waits, twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What decides about the next start.
pub(super) struct Restarts {
    policy: Restart,
    /// Where the kernel counts what it killed for lack of memory.
    oom_kills: Option<PathBuf>,
    counted: u64,
    destroyed: bool,
    to_reboot: Option<Instant>,
    began: Instant,
    short_runs: u32,
}

impl Restarts {
    /// For a container that has just been started.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            policy: plan.restart,
            oom_kills: plan.placement.oom_kills.clone(),
            counted: 0,
            destroyed: false,
            to_reboot: None,
            began: Instant::now(),
            short_runs: 0,
        }
    }

    /// From now on the end of init is the end.
    pub(super) fn forbid(&mut self) {
        self.destroyed = true;
    }

    pub(super) fn are_forbidden(&self) -> bool {
        self.destroyed
    }

    /// Init was asked to end, and whether for a reboot.
    pub(super) fn asked(&mut self, to_reboot: bool) {
        self.to_reboot = to_reboot.then(Instant::now);
    }

    /// The container was started anew.
    pub(super) fn started(&mut self) {
        self.began = Instant::now();
        self.to_reboot = None;
    }

    /// What the exit of init was.
    pub(super) fn judge(&mut self, exit: Exit) -> End {
        let asked = self.to_reboot.take();
        let to_reboot = asked.is_some_and(|asked| asked.elapsed() < REBOOT_PATIENCE);
        let counted = self.count_oom_kills();
        let out_of_memory = exit == Exit::Signal(Signal::SIGKILL as i32) && counted > self.counted;
        self.counted = counted;
        End { exit, cause: Cause::of(exit, to_reboot), out_of_memory, not_restarted: None }
    }

    /// How long to wait before the next start; `None` when there is none.
    pub(super) fn wait(&mut self, cause: Cause) -> Option<Duration> {
        let restart = match cause {
            Cause::PowerOff => self.policy.poweroff,
            Cause::Reboot => self.policy.reboot,
            Cause::Crash => self.policy.crash,
        };
        let is_short = self.began.elapsed() < LASTING;
        self.short_runs = if is_short { self.short_runs.saturating_add(1) } else { 0 };
        (restart && !self.destroyed).then(|| wait_after(self.short_runs))
    }

    fn count_oom_kills(&self) -> u64 {
        let Some(file) = &self.oom_kills else { return self.counted };
        match fs::read_to_string(file) {
            Ok(text) => oom_kills(&text),
            // A host whose kernel does not limit memory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.counted,
            Err(error) => {
                say(format_args!("cannot read {}: {error}", file.display()));
                self.counted
            }
        }
    }
}

fn wait_after(short_runs: u32) -> Duration {
    match short_runs.checked_sub(AT_ONCE + 1) {
        None => Duration::ZERO,
        Some(doubled) => {
            let factor = 1_u32.checked_shl(doubled).filter(|it| *it != 0).unwrap_or(u32::MAX);
            FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
        }
    }
}

fn oom_kills(text: &str) -> u64 {
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
    count.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_again_and_again_waits_longer_each_time() {
        let seconds = |runs| wait_after(runs).as_secs_f64();
        assert_eq!([0, 5, 6, 7, 8].map(seconds), [0.0, 0.0, 0.1, 0.2, 0.4]);
        assert_eq!([16, 40, u32::MAX].map(seconds), [60.0, 60.0, 60.0]);
    }

    #[test]
    fn both_versions_count_in_the_same_words() {
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
        assert_eq!(oom_kills("low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(oom_kills("oom_kill_disable 0\n"), 0);
    }
}
