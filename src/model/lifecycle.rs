//! `<on_poweroff>`, `<on_reboot>`, `<on_crash>`: what follows the end of a container.

use super::read::words;
use crate::error::Result;
use crate::xml::Element;

/// What to do at one of the three ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleAction {
    /// Clean up.
    Destroy,
    /// Start again.
    Restart,
    /// Keep what is left for inspection.
    Preserve,
    /// Start again under a new name.
    RenameRestart,
    /// Dump the memory, then clean up; only for a crash.
    CoredumpDestroy,
    /// Dump the memory, then start again; only for a crash.
    CoredumpRestart,
}

words! {
    /// What to do when a lock on a disk is lost; without effect on containers.
    pub enum LockFailureAction {
        /// What the lock manager does.
        Default = "default",
        /// End it.
        Poweroff = "poweroff",
        /// Start it again.
        Restart = "restart",
        /// Stop its processes.
        Pause = "pause",
        /// Nothing.
        Ignore = "ignore",
    }
}

impl LockFailureAction {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let Some(element) = root.child("on_lockfailure") else { return Ok(Self::Default) };
        let text = element.text();
        match Self::from_word(&text) {
            Some(action) => Ok(action),
            None if text.is_empty() => Ok(Self::Default),
            None => Err(element.unsupported(format_args!(
                "unknown on_lockfailure action: {text}: expected one of {}",
                Self::WORDS.join(", ")
            ))),
        }
    }
}

/// The three ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Poweroff,
    Reboot,
    Crash,
}

impl Event {
    fn element(self) -> &'static str {
        match self {
            Self::Poweroff => "on_poweroff",
            Self::Reboot => "on_reboot",
            Self::Crash => "on_crash",
        }
    }

    fn default_action(self) -> LifecycleAction {
        match self {
            Self::Poweroff | Self::Crash => LifecycleAction::Destroy,
            Self::Reboot => LifecycleAction::Restart,
        }
    }
}

impl LifecycleAction {
    const ALL: [Self; 6] = [
        Self::Destroy,
        Self::Restart,
        Self::RenameRestart,
        Self::Preserve,
        Self::CoredumpDestroy,
        Self::CoredumpRestart,
    ];

    /// The word in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Restart => "restart",
            Self::Preserve => "preserve",
            Self::RenameRestart => "rename-restart",
            Self::CoredumpDestroy => "coredump-destroy",
            Self::CoredumpRestart => "coredump-restart",
        }
    }

    fn is_for_crashes(self) -> bool {
        matches!(self, Self::CoredumpDestroy | Self::CoredumpRestart)
    }

    pub(super) fn parse(root: &Element, event: Event) -> Result<Self> {
        let name = event.element();
        let Some(element) = root.child(name) else {
            return Ok(event.default_action());
        };
        let text = element.text();
        if text.is_empty() {
            return Ok(event.default_action());
        }
        let Some(action) = Self::ALL.into_iter().find(|action| action.as_str() == text) else {
            return Err(element.unsupported(format_args!("unknown {name} action: {text}")));
        };
        if action.is_for_crashes() && event != Event::Crash {
            let event = name.trim_start_matches("on_");
            return Err(element.unsupported(format_args!(
                "Lifecycle event '{event}' doesn't support '{text}' action"
            )));
        }
        Ok(action)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};
    use super::*;

    #[test]
    fn defaults_are_libvirts() {
        for text in ["", "<on_poweroff/><on_reboot/><on_crash/>"] {
            let domain = parse(text);
            assert_eq!(domain.on_poweroff, LifecycleAction::Destroy);
            assert_eq!(domain.on_reboot, LifecycleAction::Restart);
            assert_eq!(domain.on_crash, LifecycleAction::Destroy);
        }
    }

    #[test]
    fn every_word_comes_back() {
        for action in LifecycleAction::ALL {
            let text = format!("<on_crash>{}</on_crash>", action.as_str());
            assert_eq!(parse(&text).on_crash, action);
        }
        let text = "<on_reboot>rename-restart</on_reboot>";
        assert_eq!(printed(text), [format!("  {text}")]);
        let text = "<on_lockfailure>pause</on_lockfailure>";
        assert_eq!(printed(text), [format!("  {text}")]);
        assert!(printed("<on_lockfailure>default</on_lockfailure>").is_empty());
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<on_reboot> destroy</on_reboot>",
                "unsupported configuration: line 2: unknown on_reboot action:  destroy",
            ),
            (
                "<on_lockfailure>x</on_lockfailure>",
                "unsupported configuration: line 2: unknown on_lockfailure action: x: expected \
                 one of default, poweroff, restart, pause, ignore",
            ),
            (
                "<on_poweroff>coredump-destroy</on_poweroff>",
                "unsupported configuration: line 2: Lifecycle event 'poweroff' doesn't support \
                 'coredump-destroy' action",
            ),
        ]);
    }
}
