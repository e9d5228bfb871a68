//! Nothing more to be had: space, files, descriptors.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::statvfs;

use super::{UUID, assert_starts, sh};
use crate::supervisor::{children, spare};
use crate::support::{Domain, Host, Step, until};

/// A run directory of its own size, in memory.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(path: &'a Path) -> Self {
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some("mode=700")).unwrap();
        let small = Self(path);
        small.leave_enough();
        small
    }

    /// Leaves so many pages and files.
    fn leave(&self, pages: u64, files: u64) {
        let now = statvfs(self.0).unwrap();
        let pages = now.blocks() - now.blocks_free() + pages;
        let files = now.files() - now.files_free() + files;
        self.remount(MsFlags::empty(), &format!("nr_blocks={pages},nr_inodes={files}"));
    }

    /// Room for everything.
    fn leave_enough(&self) {
        self.remount(MsFlags::empty(), "nr_blocks=1000,nr_inodes=1000");
    }

    fn remount(&self, flags: MsFlags, options: &str) {
        mount(None::<&str>, self.0, None::<&str>, flags | MsFlags::MS_REMOUNT, Some(options))
            .unwrap();
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        umount2(self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
fn a_run_directory_that_is_full_or_read_only_is_an_error() {
    let name = "a_run_directory_that_is_full_or_read_only_is_an_error";
    let Some(mut host) = Host::new(name) else { return };
    host.stop_daemon();
    let run = host.paths.runs();
    let small = Small::mount(&run);
    host.start_daemon();
    let bystander = host.bystander();
    let domain = host.bus().define(host.document("faulty").uuid(UUID)).unwrap();
    let before = host.inventory();
    const MANY: u64 = 100;
    let record = format!("cannot write {}", run.join(UUID).display());
    let no_space = "No space left on device";
    for (pages, files, expected) in [
        (0, MANY, record.as_str()),
        (1, MANY, &record),
        (MANY, 0, &record),
        (MANY, 1, "cannot listen on "),
        (MANY, 2, &record),
    ] {
        small.leave(pages, files);
        let failure = domain.create().unwrap_err();
        let text = &failure.text;
        assert!(text.contains(expected), "{pages}, {files}: {text}, not {expected}");
        assert!(text.ends_with(no_space), "{pages}, {files}: {text}");
        small.leave_enough();
        before.assert_same(&host.inventory(), "with a full disk");
        assert_starts(&domain);
    }
    small.remount(MsFlags::MS_RDONLY, "");
    let failure = domain.create().unwrap_err();
    assert!(failure.text.contains("Read-only file system"), "{failure:?}");
    assert!(failure.text.contains(UUID), "{failure:?}");
    small.remount(MsFlags::empty(), "");
    before.assert_same(&host.inventory(), "with a read-only directory");
    while_it_runs(&host, &domain, &small);
    before.assert_same(&host.inventory(), "after ends on a full disk");
    bystander.assert_answers();
    drop((domain, bystander));
    let paths = host.bus().list(1).unwrap();
    paths.iter().for_each(|path| host.bus().at(path).destroy().unwrap());
    host.stop_daemon();
    drop(small);
    host.start_daemon();
}

/// What runs ends, and its end is told.
fn while_it_runs(host: &Host, domain: &Domain, small: &Small<'_>) {
    let events = host.bus().events();
    domain.create().unwrap();
    events.expect(domain, &[Step::STARTED]);
    small.leave(0, 0);
    crate::support::process::Process::open(crate::support::process::only_child(domain.id()))
        .unwrap()
        .kill();
    events.expect(domain, &[Step::CRASHED]);
    small.leave_enough();
    domain.create().unwrap();
    small.remount(MsFlags::MS_RDONLY, "");
    domain.destroy().unwrap();
    events.expect(domain, &[Step::STARTED, Step::DESTROYED]);
    assert_eq!(domain.state(), (5, 2));
    small.remount(MsFlags::empty(), "");
    assert_starts(domain);
}

/// Limits how many descriptors a process may have, to few or to the usual; one that is gone is fine.
fn limit(pid: u32, most: Option<usize>) {
    let most = most.map_or("1024:".to_owned(), |most| format!("{most}:"));
    sh(&format!("prlimit --pid {pid} --nofile={most} 2>/dev/null || [ ! -e /proc/{pid} ]"));
}

#[test]
fn a_supervisor_without_descriptors_is_an_error() {
    let name = "a_supervisor_without_descriptors_is_an_error";
    let Some((host, domain, bystander)) = super::with_bystander(name) else { return };
    let before = host.inventory();
    let mut failed = 0;
    // Each one more is another step that fails, until none does.
    for most in 3.. {
        until("a supervisor waits", || spare(host.daemon_pid()).is_some());
        limit(spare(host.daemon_pid()).unwrap(), Some(most));
        match domain.create() {
            Ok(()) => break,
            Err(failure) => {
                let text = &failure.text;
                assert!(text.contains("guest failed to start: cannot "), "{most}: {text}");
                assert!(text.ends_with("Too many open files"), "{most}: {text}");
                failed += 1;
            }
        }
        before.assert_same(&host.inventory(), "without descriptors");
    }
    assert!(failed > 5, "only {failed} steps failed");
    domain.assert_answers();
    domain.destroy().unwrap();
    bystander.assert_answers();
}

#[test]
fn a_daemon_without_descriptors_says_so_and_recovers() {
    let name = "a_daemon_without_descriptors_says_so_and_recovers";
    let Some((host, domain, bystander)) = super::with_bystander(name) else { return };
    let daemon = host.daemon_pid();
    let before = host.inventory();
    let mut failures = Vec::new();
    // What is open stays open; each one more is another step that fails, until none does.
    for most in 3.. {
        limit(daemon, Some(most));
        let created = domain.create();
        // To destroy takes no more than to start.
        let destroyed = created.as_ref().map(|()| domain.destroy());
        limit(daemon, None);
        // One that waits for the next start has been given little as well.
        children(daemon).into_iter().for_each(|it| limit(it, None));
        match destroyed {
            Ok(destroyed) => {
                destroyed.unwrap();
                break;
            }
            Err(failure) => {
                let text = failure.text.clone();
                assert!(text.ends_with("Too many open files"), "{most}: {text}");
                failures.push(text);
            }
        }
        assert_eq!(domain.state().0, 5);
        before.assert_same(&host.inventory(), "without descriptors");
    }
    failures.dedup();
    assert!(failures.len() > 1, "{failures:?}");
    assert_starts(&domain);
    bystander.assert_answers();
}
