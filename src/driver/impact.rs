//! Which of a domain's two documents a call is about (`virDomainModificationImpact`).

use super::lifecycle::Standing;
use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// The document it runs from.
pub(super) const AFFECT_LIVE: u32 = 1;
/// The document it will start from next.
pub(super) const AFFECT_CONFIG: u32 = 2;

/// The documents a call is about, at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Impact {
    pub(super) live: bool,
    pub(super) config: bool,
}

impl Impact {
    /// What flags mean for a domain that stands so. Neither flag means the document that counts
    /// now; other flags are for the caller.
    pub(super) fn of(flags: u32, standing: Standing) -> Result<Self> {
        let active = standing.is_active();
        let (live, config) = match (flags & AFFECT_LIVE != 0, flags & AFFECT_CONFIG != 0) {
            (false, false) => (active, !active),
            both => both,
        };
        if live && !active {
            return Err(denied("domain is not running"));
        }
        if config && !standing.persistent {
            return Err(denied("transient domains do not have any persistent config"));
        }
        Ok(Self { live, config })
    }

    /// Refuses flags that mean two documents, for a call that reads one.
    pub(super) fn check_one(flags: u32) -> Result<()> {
        const BOTH: u32 = AFFECT_LIVE | AFFECT_CONFIG;
        if flags & BOTH == BOTH {
            let message = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are \
                           mutually exclusive";
            return Err(Error::bare(ErrorCode::InvalidArg, message).in_domain(ErrorDomain::Domain));
        }
        Ok(())
    }
}

fn denied(why: &str) -> Error {
    Error::new(ErrorCode::OperationInvalid, why).in_domain(ErrorDomain::Domain)
}

#[cfg(test)]
mod tests {
    use super::super::lifecycle::State;
    use super::*;

    #[test]
    fn flags_mean_documents_that_are_there() {
        let off = Standing { state: State::Shutoff, persistent: true };
        let on = Standing { state: State::Paused, persistent: true };
        let transient = Standing { state: State::Running, persistent: false };
        let not_running = "Requested operation is not valid: domain is not running";
        let no_config = "Requested operation is not valid: transient domains do not have any \
                         persistent config";
        let cases = [
            (off, 0, Ok((false, true))),
            (off, 1, Err(not_running)),
            (off, 2, Ok((false, true))),
            (off, 3, Err(not_running)),
            (on, 0, Ok((true, false))),
            (on, 1, Ok((true, false))),
            (on, 2, Ok((false, true))),
            (on, 3, Ok((true, true))),
            (transient, 0, Ok((true, false))),
            (transient, 1, Ok((true, false))),
            (transient, 2, Err(no_config)),
            (transient, 3, Err(no_config)),
        ];
        for (standing, flags, expected) in cases {
            let found = Impact::of(flags, standing);
            let found = found.map(|it| (it.live, it.config)).map_err(|error| error.message);
            assert_eq!(found, expected.map_err(str::to_owned), "{standing:?} {flags}");
        }
    }
}
