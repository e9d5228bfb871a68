//! What is on disk, in the kernel's groups or under a number is not what it was.

use std::fs;
use std::process::{Child, Command};

use super::{UUID, assert_starts};
use crate::support::process::{Process, only_child};
use crate::support::{Domain, Host, inventory};

/// A process of the test's own that must live, and dies with this.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000000").spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn assert_lives(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "an unrelated process was ended");
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn change(host: &Host, from: &str, to: &str) {
    let record = host.paths.runs().join(format!("{UUID}.xml"));
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains(from), "no {from} in {text}");
    fs::write(record, text.replace(from, to)).unwrap();
}

fn again(host: &Host, domain: &Domain) -> Domain {
    host.bus().at(&domain.path)
}

#[test]
fn a_process_with_a_number_on_record_lives() {
    let Some((mut host, domain, bystander)) =
        super::with_bystander("a_process_with_a_number_on_record_lives")
    else {
        return;
    };
    let mut stranger = Stranger::new();
    for is_dead in [false, true] {
        let domain = again(&host, &domain);
        domain.create().unwrap();
        let id = domain.id();
        host.kill_daemon();
        if is_dead {
            Process::open(id).unwrap().kill_and_wait();
            // Its file for libvirt's clients has the number that was on record.
            fs::remove_file(host.paths.libvirt.join("lxc/faulty.pid")).unwrap();
        }
        change(&host, &format!("pid='{id}'"), &format!("pid='{}'", stranger.pid()));
        host.start_daemon();
        let domain = again(&host, &domain);
        if is_dead {
            assert_eq!(domain.state(), (5, 6));
        } else {
            assert_eq!(domain.id(), id, "the kernel knows better");
            domain.assert_answers();
            domain.destroy().unwrap();
        }
        stranger.assert_lives();
        assert_starts(&domain);
    }
    again(&host, &bystander).assert_answers();
}

#[test]
fn the_groups_of_another_are_not_cleared() {
    let Some((mut host, domain, bystander)) =
        super::with_bystander("the_groups_of_another_are_not_cleared")
    else {
        return;
    };
    for group in ["bystander.libvirt-lxc", "../faulty.libvirt-lxc", "", "/"] {
        let domain = again(&host, &domain);
        domain.create().unwrap();
        let supervisor = Process::open(domain.id()).unwrap();
        host.kill_daemon();
        supervisor.kill_and_wait();
        let place = format!("{}/faulty.libvirt-lxc'", &host.paths.partition[1..]);
        let other = match group {
            "bystander.libvirt-lxc" => format!("{}/{group}'", &host.paths.partition[1..]),
            other => format!("{other}'"),
        };
        change(&host, &place, &other);
        host.start_daemon();
        assert!(host.log().contains("is no place of the control groups of 'faulty'"));
        again(&host, &bystander).assert_answers();
        assert_starts(&again(&host, &domain));
    }
}

#[test]
fn notes_of_an_end_that_cannot_be_read_are_none() {
    let Some((mut host, domain, bystander)) =
        super::with_bystander("notes_of_an_end_that_cannot_be_read_are_none")
    else {
        return;
    };
    let exit = host.paths.runs().join(format!("{UUID}.exit"));
    let ending = host.paths.endings().join(format!("{UUID}.json"));
    for bytes in [&b""[..], b"\xff\xfe", b"{\"exit\":", b"[]", b"{\"reason\":\"x\"}"] {
        let domain = again(&host, &domain);
        domain.create().unwrap();
        let supervisor = Process::open(domain.id()).unwrap();
        host.kill_daemon();
        supervisor.kill_and_wait();
        fs::write(&exit, bytes).unwrap();
        host.start_daemon();
        assert_eq!(again(&host, &domain).state(), (5, 6), "{bytes:?}");
        assert!(host.log().contains(&format!("cannot read {}", exit.display())));
        host.kill_daemon();
        fs::write(&ending, bytes).unwrap();
        host.start_daemon();
        assert_eq!(again(&host, &domain).state(), (5, 0), "{bytes:?}");
        assert!(host.log().contains(&format!("cannot read {}", ending.display())));
        assert_starts(&again(&host, &domain));
    }
    again(&host, &bystander).assert_answers();
}

#[test]
fn files_of_what_runs_may_be_removed() {
    let Some((mut host, domain, bystander)) =
        super::with_bystander("files_of_what_runs_may_be_removed")
    else {
        return;
    };
    let before = host.inventory();
    domain.create().unwrap();
    for extension in ["xml", "sock"] {
        fs::remove_file(host.paths.runs().join(format!("{UUID}.{extension}"))).unwrap();
    }
    domain.assert_answers();
    // It is on record from now on, but without its socket nobody reaches it who does not already.
    domain.suspend().unwrap();
    domain.resume().unwrap();
    domain.assert_answers();
    domain.destroy().unwrap();
    assert_eq!(domain.state(), (5, 2));
    before.assert_same(&host.inventory(), "after an end without files");
    domain.create().unwrap();
    let supervisor = Process::open(domain.id()).unwrap();
    fs::remove_file(host.paths.runs().join(format!("{UUID}.sock"))).unwrap();
    host.kill_daemon();
    host.start_daemon();
    supervisor.wait();
    assert_eq!(again(&host, &domain).state(), (5, 6));
    assert_starts(&again(&host, &domain));
    again(&host, &bystander).assert_answers();
}

/// Moves all of a domain's processes into another group in every hierarchy, and removes its own.
fn take_groups_away(host: &Host) {
    let partition = host.paths.partition.trim_start_matches('/');
    for hierarchy in inventory::hierarchies() {
        let elsewhere = hierarchy.join(partition).join("elsewhere");
        let own = hierarchy.join(partition).join("faulty.libvirt-lxc");
        fs::create_dir(&elsewhere).unwrap();
        let mut groups = vec![own.clone()];
        inventory::below(&own, &mut groups);
        for group in groups.iter().rev() {
            for pid in fs::read_to_string(group.join("cgroup.procs")).unwrap().lines() {
                fs::write(elsewhere.join("cgroup.procs"), pid).unwrap();
            }
            fs::remove_dir(group).unwrap();
        }
    }
}

#[test]
fn control_groups_that_vanish_keep_nobody_from_ending() {
    let Some((mut host, domain, bystander)) =
        super::with_bystander("control_groups_that_vanish_keep_nobody_from_ending")
    else {
        return;
    };
    for restart in [false, true] {
        let domain = again(&host, &domain);
        domain.create().unwrap();
        // Then its supervisor has gone to its group.
        domain.assert_answers();
        take_groups_away(&host);
        let init = Process::open(only_child(domain.id())).unwrap();
        if restart {
            host.kill_daemon();
            host.start_daemon();
        }
        let domain = again(&host, &domain);
        assert_eq!(domain.state().0, 1);
        domain.assert_answers();
        let failure = domain.suspend().unwrap_err();
        assert!(failure.text.contains("faulty.libvirt-lxc/payload"), "{failure:?}");
        assert!(failure.text.ends_with("No such file or directory"), "{failure:?}");
        assert_eq!(domain.state().0, 1);
        domain.destroy().unwrap();
        init.wait();
        for group in inventory::groups(&host.paths.partition) {
            if group.ends_with("elsewhere") {
                fs::remove_dir(group).unwrap();
            }
        }
        assert_starts(&domain);
    }
    again(&host, &bystander).assert_answers();
}
