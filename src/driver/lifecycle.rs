//! What may be done with a domain in which state, and what it is then: a pure function.
//!
//! ```text
//!                 define                    create
//!   (unknown) ───────────▶ shutoff ──────────────────────▶ running ◀──────┐
//!       ▲                  │    ▲                          │  │  ▲        │ resume
//!       │     undefine     │    │  destroy, end of init    │  │  │ reboot │
//!       └──────────────────┘    └──────────────────────────┘  │  └──┘     │
//!                                                     suspend └─────▶ paused
//! ```
//!
//! A transient domain (never defined, or undefined while it ran) goes where a persistent one goes
//! to `shutoff`: it is no more. Everything that acts asks [`admit`] first and changes nothing when
//! it is denied; the texts of the denials are libvirt's.

use crate::error::{Error, ErrorCode, ErrorDomain};

/// Whether a domain runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does not run.
    Shutoff,
    /// It runs.
    Running,
    /// It runs and all its processes are frozen.
    Paused,
}

/// All about a domain that decides what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it runs.
    pub state: State,
    /// Whether it is defined, so that it stays when it stops.
    pub persistent: bool,
}

impl Standing {
    /// Whether it runs, paused or not.
    pub fn is_active(self) -> bool {
        self.state != State::Shutoff
    }
}

/// What somebody wants to do with a domain, or what befell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Start it.
    Create,
    /// Give it a (new) definition.
    Define,
    /// Take its definition away.
    Undefine,
    /// Ask init to end.
    Shutdown,
    /// Ask init to start anew.
    Reboot,
    /// End it now.
    Destroy,
    /// Freeze it.
    Suspend,
    /// Let it go on.
    Resume,
    /// Change whether it starts with the daemon.
    SetAutostart,
    /// Change what it may use.
    Tune,
    /// Change the most memory it may have.
    ResizeMaximum,
    /// Change its title, description or metadata.
    Describe,
    /// Use something that is only there while it runs.
    UseLive,
    /// Execute a program in it.
    Enter,
    /// Init ended on its own.
    End,
    /// Init was killed.
    Crash,
    /// The supervisor died, and the container with it, or could not start it anew.
    Fail,
}

/// What follows from an operation that is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The standing after it; `None` when the domain is no more.
    pub next: Option<Standing>,
    /// What subscribers are told.
    pub event: Option<Lifecycle>,
}

/// libvirt's life cycle events with their details, as far as containers have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// A definition was added.
    Added,
    /// A definition was replaced.
    Updated,
    /// A definition was taken away.
    Undefined,
    /// It was started.
    Started,
    /// It was frozen.
    Suspended,
    /// It goes on.
    Resumed,
    /// Init ended.
    ShutDown,
    /// It was ended from outside.
    Destroyed,
    /// Init was killed.
    Crashed,
    /// It ended because its supervisor did, or could not go on.
    Failed,
}

impl Lifecycle {
    /// libvirt's numbers: `virDomainEventType` and the detail of that type.
    pub fn numbers(self) -> (i32, i32) {
        match self {
            Self::Added => (0, 0),
            Self::Updated => (0, 1),
            Self::Undefined => (1, 0),
            Self::Started => (2, 0),
            Self::Suspended => (3, 0),
            Self::Resumed => (4, 0),
            Self::ShutDown => (5, 0),
            Self::Destroyed => (5, 1),
            Self::Crashed => (5, 2),
            Self::Failed => (5, 5),
        }
    }
}

/// Decides whether a domain that stands so admits an operation, and what follows.
pub fn admit(standing: Standing, operation: Operation) -> Result<Transition, Error> {
    use Operation as Op;
    let Standing { state, persistent } = standing;
    let active = standing.is_active();
    let stay = Ok(Transition { next: Some(standing), event: None });
    let turn = |state, event| {
        let next = Standing { state, persistent };
        Ok(Transition { next: Some(next), event: Some(event) })
    };
    let stop = |event| {
        let next = Standing { state: State::Shutoff, persistent };
        Ok(Transition { next: persistent.then_some(next), event: Some(event) })
    };
    match (operation, state) {
        (Op::Create, State::Shutoff) => turn(State::Running, Lifecycle::Started),
        (Op::Create, State::Running | State::Paused) => denied("Domain is already running"),

        (Op::Define, _) => Ok(Transition {
            next: Some(Standing { state, persistent: true }),
            event: Some(if persistent { Lifecycle::Updated } else { Lifecycle::Added }),
        }),
        (Op::Undefine, _) if !persistent => denied("Cannot undefine transient domain"),
        (Op::Undefine, _) => Ok(Transition {
            next: active.then_some(Standing { state, persistent: false }),
            event: Some(Lifecycle::Undefined),
        }),
        (Op::SetAutostart, _) if !persistent => denied("Cannot set autostart for transient domain"),
        (Op::SetAutostart | Op::Describe | Op::Tune, _) => stay,
        (Op::ResizeMaximum, _) if active => {
            denied("Cannot resize the max memory on an active domain")
        }
        (Op::ResizeMaximum, _) => stay,

        (
            Op::Shutdown
            | Op::Reboot
            | Op::Destroy
            | Op::Suspend
            | Op::Resume
            | Op::UseLive
            | Op::Enter
            | Op::End
            | Op::Crash
            | Op::Fail,
            State::Shutoff,
        ) => Err(not_running()),

        (Op::Shutdown | Op::Reboot | Op::UseLive, State::Running | State::Paused) => stay,
        (Op::Enter, State::Running) => stay,
        (Op::Enter, State::Paused) => denied("domain is paused, and nothing runs in it: resume it"),
        (Op::Destroy, State::Running | State::Paused) => stop(Lifecycle::Destroyed),
        (Op::End, State::Running | State::Paused) => stop(Lifecycle::ShutDown),
        (Op::Crash, State::Running | State::Paused) => stop(Lifecycle::Crashed),
        (Op::Fail, State::Running | State::Paused) => stop(Lifecycle::Failed),

        (Op::Suspend, State::Running) => turn(State::Paused, Lifecycle::Suspended),
        (Op::Suspend, State::Paused) => stay,
        (Op::Resume, State::Paused) => turn(State::Running, Lifecycle::Resumed),
        (Op::Resume, State::Running) => denied("domain is already running"),
    }
}

/// libvirt's answer to what only a running domain can do.
pub(super) fn not_running() -> Error {
    let error = Error::new(ErrorCode::OperationInvalid, "domain is not running");
    error.in_domain(ErrorDomain::Domain)
}

fn denied<T>(why: &str) -> Result<T, Error> {
    Err(Error::new(ErrorCode::OperationInvalid, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn standing() -> impl Strategy<Value = Standing> {
        let state = prop_oneof![Just(State::Shutoff), Just(State::Running), Just(State::Paused)];
        (state, any::<bool>())
            .prop_map(|(state, persistent)| Standing { state, persistent })
            // A transient domain that does not run does not exist.
            .prop_filter("exists", |it| it.persistent || it.state != State::Shutoff)
    }

    fn operation() -> impl Strategy<Value = Operation> {
        use Operation::*;
        proptest::sample::select(vec![
            Create,
            Define,
            Undefine,
            Shutdown,
            Reboot,
            Destroy,
            Suspend,
            Resume,
            SetAutostart,
            Tune,
            ResizeMaximum,
            Describe,
            UseLive,
            Enter,
            End,
            Crash,
            Fail,
        ])
    }

    proptest! {
        #[test]
        fn no_domain_is_left_that_is_neither_defined_nor_running(
            start in standing(), operations in prop::collection::vec(operation(), 0..40)
        ) {
            let mut now = Some(start);
            for operation in operations {
                let Some(standing) = now else { break };
                if let Ok(transition) = admit(standing, operation) {
                    now = transition.next;
                }
                prop_assert!(now.is_none_or(|it| it.persistent || it.state != State::Shutoff));
            }
        }

        #[test]
        fn only_define_and_undefine_change_persistence(s in standing(), op in operation()) {
            if let Ok(Transition { next: Some(next), .. }) = admit(s, op)
                && !matches!(op, Operation::Define | Operation::Undefine)
            {
                prop_assert_eq!(next.persistent, s.persistent);
            }
        }

        #[test]
        fn destroying_twice_is_denied_the_second_time(s in standing()) {
            if let Ok(Transition { next: Some(next), .. }) = admit(s, Operation::Destroy) {
                prop_assert_eq!(next.state, State::Shutoff);
                prop_assert!(admit(next, Operation::Destroy).is_err());
            }
        }

        #[test]
        fn a_change_is_told_and_nothing_else_is(s in standing(), op in operation()) {
            if let Ok(Transition { next, event }) = admit(s, op)
                && !matches!(op, Operation::Define)
            {
                prop_assert_eq!(event.is_some(), next != Some(s));
            }
        }

        #[test]
        fn whatever_runs_can_be_destroyed(s in standing()) {
            prop_assert_eq!(admit(s, Operation::Destroy).is_ok(), s.state != State::Shutoff);
        }
    }

    #[test]
    fn denials_are_libvirts() {
        let off = Standing { state: State::Shutoff, persistent: true };
        let text = |s, op| admit(s, op).unwrap_err().message;
        let phrase = "Requested operation is not valid: ";
        assert_eq!(text(off, Operation::Destroy), format!("{phrase}domain is not running"));
        let on = Standing { state: State::Running, persistent: false };
        assert_eq!(text(on, Operation::Resume), format!("{phrase}domain is already running"));
        assert_eq!(
            text(on, Operation::Undefine),
            format!("{phrase}Cannot undefine transient domain")
        );
    }
}
