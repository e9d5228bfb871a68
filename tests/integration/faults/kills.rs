//! Daemon, supervisor, both, or init are killed in the middle of a start and of an end: with the
//! n-th change of the files and groups that both make, and wherever they have got to by then.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::{assert_starts, with_bystander};
use crate::supervisor::{children, spare};
use crate::support::process::Process;
use crate::support::{Bus, Domain, Host, inventory, until};

/// The name of the file that ends the wait for changes.
const OVER: &str = "over";

/// Waits for changes that a start or an end makes.
struct Changes<'a> {
    inotify: Inotify,
    over: &'a Path,
}

impl<'a> Changes<'a> {
    fn of(host: &'a Host) -> Self {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
        let partition = host.paths.partition.trim_start_matches('/');
        let own = [host.paths.runs(), host.paths.logs(), host.paths.endings()];
        let groups = inventory::hierarchies().into_iter().map(|it| it.join(partition));
        let changes = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CLOSE_WRITE;
        for directory in own.into_iter().chain(groups).chain([host.directory.clone()]) {
            inotify.add_watch(&directory, changes).unwrap();
        }
        Self { inotify, over: &host.directory }
    }

    /// Acts with the `n`-th change, unless it is over before. How many there were.
    fn act_at(self, n: u32, act: impl FnOnce()) -> u32 {
        let mut seen = 0;
        let mut act = Some(act);
        loop {
            for event in self.inotify.read_events().unwrap() {
                if event.name.is_some_and(|name| name == OVER) {
                    return seen;
                }
                seen += 1;
                if seen == n
                    && let Some(act) = act.take()
                {
                    act();
                }
            }
        }
    }

    fn end(over: &Path) {
        std::fs::write(over.join(OVER), "").unwrap();
        std::fs::remove_file(over.join(OVER)).unwrap();
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Victim {
    Daemon,
    Supervisor,
    Both,
    Init,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Start,
    Destroy,
}

/// Kills a victim in the middle of an operation; the answer may be anything but none.
fn strike(host: &Host, domain: &Domain, operation: Operation, victim: Victim, n: u32) -> u32 {
    let daemon = Process::open(host.daemon_pid()).unwrap();
    let supervisor = match operation {
        Operation::Start => {
            until("a supervisor waits", || spare(daemon.pid).is_some());
            spare(daemon.pid).unwrap()
        }
        Operation::Destroy => domain.id(),
    };
    let supervisor = Process::open(supervisor).unwrap();
    let changes = Changes::of(host);
    let over = changes.over;
    let kill = || match victim {
        Victim::Daemon => daemon.kill(),
        Victim::Supervisor => supervisor.kill(),
        Victim::Both => {
            daemon.kill();
            supervisor.kill();
        }
        Victim::Init => {
            // One that is not there yet, or no more, is none.
            children(supervisor.pid).into_iter().filter_map(Process::open).for_each(|it| it.kill());
        }
    };
    std::thread::scope(|scope| {
        let watch = scope.spawn(move || changes.act_at(n, kill));
        let answer = match operation {
            Operation::Start => domain.create(),
            Operation::Destroy => domain.destroy(),
        };
        Changes::end(over);
        if let Err(failure) = &answer {
            assert_ne!(failure.text, "", "{operation:?} {victim:?} {n}");
        }
        watch.join().unwrap()
    })
}

/// Numbers that are others in each run, and the same for a seed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("NSVIRT_SEED").ok().map(|it| it.parse().unwrap());
        let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("NSVIRT_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from((self.0 >> 33) % u64::from(limit)).unwrap()
    }
}

/// Strikes again and again, at different moments, and looks at what that leaves.
fn strike_often(test: &str, victim: Victim, times: u32) {
    let Some((mut host, domain, bystander)) = with_bystander(test) else { return };
    let times = std::env::var("NSVIRT_TIMES").map_or(times, |it| it.parse().unwrap());
    let mut random = Random::new();
    let before = host.inventory();
    let at = |bus: &Bus, path: &str| bus.at(path);
    for operation in [Operation::Start, Operation::Destroy] {
        // How many changes there are without a fault.
        let mut most = 0;
        for time in 0..=times {
            let domain = at(&host.bus(), &domain.path);
            if matches!(operation, Operation::Destroy) {
                domain.create().unwrap();
            }
            let n = if time == 0 { u32::MAX } else { 1 + random.below(most + 1) };
            println!("{operation:?} {victim:?} {n} of {most}");
            let seen = strike(&host, &domain, operation, victim, n);
            if time == 0 {
                most = seen;
            }
            if n <= seen && matches!(victim, Victim::Daemon | Victim::Both) {
                host.kill_daemon();
                host.start_daemon();
            }
            let domain = at(&host.bus(), &domain.path);
            settle(&domain, n <= seen && victim != Victim::Daemon);
            before.assert_same(&host.inventory(), &format!("{operation:?} {victim:?} {n}"));
        }
        assert!(most > 5, "only {most} changes");
    }
    assert_starts(&at(&host.bus(), &domain.path));
    at(&host.bus(), &bystander.path).assert_answers();
}

/// It runs as well as ever, and is ended, or it is shut off or will be, if it is doomed.
fn settle(domain: &Domain, may_be_doomed: bool) {
    if domain.state().0 == 5 {
        return;
    }
    if may_be_doomed {
        // Whoever was hit before init was there has hit nobody.
        return match domain.destroy() {
            Err(failure) if !failure.text.contains("domain is not running") => {
                panic!("{failure:?}")
            }
            _ => until("it has ended", || domain.state().0 == 5),
        };
    }
    domain.assert_answers();
    domain.destroy().unwrap();
}

#[test]
fn the_daemon_is_killed() {
    strike_often("the_daemon_is_killed", Victim::Daemon, 6);
}

#[test]
fn the_supervisor_is_killed() {
    strike_often("the_supervisor_is_killed", Victim::Supervisor, 12);
}

#[test]
fn daemon_and_supervisor_are_killed() {
    strike_often("daemon_and_supervisor_are_killed", Victim::Both, 6);
}

#[test]
fn init_is_killed() {
    strike_often("init_is_killed", Victim::Init, 12);
}

#[test]
fn a_stopped_supervisor_keeps_nobody_from_ending() {
    let test = "a_stopped_supervisor_keeps_nobody_from_ending";
    let Some((host, domain, bystander)) = with_bystander(test) else { return };
    let before = host.inventory();
    domain.create().unwrap();
    domain.assert_answers();
    let supervisor = nix::unistd::Pid::from_raw(domain.id().try_into().unwrap());
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGSTOP).unwrap();
    domain.destroy().unwrap();
    assert_eq!(domain.state(), (5, 2));
    before.assert_same(&host.inventory(), "after the end of a stopped one");
    assert_starts(&domain);
    bystander.assert_answers();
}
