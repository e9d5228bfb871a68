//! Each step of a start fails for a reason that hosts have.

use std::path::PathBuf;

use super::{UUID, assert_starts, sh};
use crate::hooks::hook;
use crate::support::{Host, inventory};

/// What happens after the daemon has looked at everything, what takes it back, and what the error
/// says. `$root`, `$source`, `$lxc` and `$log` are the domain's.
const FAULTS: &[[&str; 3]] = &[
    // What the document names.
    ["rmdir $source", "mkdir $source", "open file system source $source: No such file"],
    [
        "rmdir $source; : >$source",
        "rm $source; mkdir $source",
        "cannot mount on /mnt: Is a directory",
    ],
    ["mv $root $root.away", "mv $root.away $root", "$root: No such file or directory"],
    ["mv $root $root.away; : >$root", "rm $root; mv $root.away $root", "$root: Not a directory"],
    // What is in the tree.
    ["rmdir $root/mnt; : >$root/mnt", "rm $root/mnt", "open mount point /mnt: Not a directory"],
    [
        "rmdir $root/proc; : >$root/proc",
        "rm $root/proc; mkdir $root/proc",
        "open mount point /proc: Not a directory",
    ],
    [
        "rmdir $root/sys; : >$root/sys",
        "rm $root/sys; mkdir $root/sys",
        "open mount point /sys: Not a directory",
    ],
    [
        "rmdir $root/dev; : >$root/dev",
        "rm $root/dev; mkdir $root/dev",
        "open mount point /dev: Not a directory",
    ],
    [
        "mv $root/bin/sh $root/bin/away",
        "mv $root/bin/away $root/bin/sh",
        "find init path '/bin/sh' relative to container root: No such file or directory",
    ],
    [
        "mv $root/bin/sh $root/bin/away; echo text >$root/bin/sh",
        "mv $root/bin/away $root/bin/sh",
        "execute init /bin/sh: Permission denied",
    ],
    [
        "mv $root/bin/sh $root/bin/away; echo text >$root/bin/sh; chmod +x $root/bin/sh",
        "mv $root/bin/away $root/bin/sh",
        "execute init /bin/sh: Exec format error",
    ],
    [
        "rmdir $root/work",
        "mkdir $root/work",
        "change to init's directory /work: No such file or directory",
    ],
    // Names of the daemon's own.
    [": >$lxc.sock", "", "listen on $lxc.sock: Address already in use"],
    ["mkdir $lxc.xml.new", "rmdir $lxc.xml.new", "cannot write $lxc.xml: Is a directory"],
    ["rm -f $log; mkdir $log", "rmdir $log", "cannot open log $log: Is a directory"],
];

#[test]
fn each_step_that_fails_is_a_sentence_and_leaves_nothing() {
    let name = "each_step_that_fails_is_a_sentence_and_leaves_nothing";
    let Some(host) = Host::new(name) else { return };
    let bystander = host.bystander();
    let source = host.directory.join("source");
    sh(&format!("mkdir {} {}/work", source.display(), host.tree.path.display()));
    let filled = |text: &str| {
        text.replace("$source", source.to_str().unwrap())
            .replace("$root", host.tree.path.to_str().unwrap())
            .replace("$lxc", host.paths.runs().join(UUID).to_str().unwrap())
            .replace("$log", host.paths.logs().join("faulty.log").to_str().unwrap())
    };
    let document = host.document("faulty").uuid(UUID).mount(&source, "/mnt", false);
    let document = document.os("<initdir>/work</initdir>");
    let domain = host.bus().define(&document).unwrap();
    assert_starts(&domain);
    let before = host.inventory();
    for [inject, take_back, expected] in FAULTS {
        hook(&host, "lxc", &filled(&format!("[ $2 != start ] || {{ {inject}; }}")));
        let failure = domain.create().unwrap_err();
        let text = &failure.text;
        assert!(text.contains(&filled(expected)), "{inject}: {text}, not {expected}");
        assert!(!text.contains("; then"), "{inject}: {text}");
        assert_eq!(domain.state(), (5, 6), "{inject}");
        sh(&filled(take_back));
        before.assert_same(&host.inventory(), inject);
        hook(&host, "lxc", "exit 0");
        assert_starts(&domain);
        before.assert_same(&host.inventory(), inject);
    }
    bystander.assert_answers();
}

/// Where version 2 is: so many groups of the container can be made, and no more.
#[test]
fn control_groups_that_cannot_be_made_are_an_error() {
    let name = "control_groups_that_cannot_be_made_are_an_error";
    let Some((host, domain, bystander)) = super::with_bystander(name) else { return };
    let own = host.group("unified", "bystander", "");
    let partition = own.parent().unwrap();
    let most = partition.join("cgroup.max.descendants");
    let Ok(unlimited) = std::fs::read_to_string(&most) else {
        return eprintln!("needs control groups of version 2: {name}");
    };
    let mut there = Vec::new();
    inventory::below(partition, &mut there);
    let before = host.inventory();
    for more in 0..4 {
        std::fs::write(&most, (there.len() + more).to_string()).unwrap();
        let failure = domain.create().unwrap_err();
        let expected = "cannot create control group ";
        assert!(failure.text.contains(expected), "{more}: {failure:?}");
        assert!(failure.text.ends_with("cgroup.max.depth allow"), "{failure:?}");
        before.assert_same(&host.inventory(), "without a control group");
    }
    std::fs::write(&most, unlimited.trim()).unwrap();
    assert_starts(&domain);
    bystander.assert_answers();
}

/// A process that somebody has put where the domain's group is to be, and not into it.
#[test]
fn a_group_that_somebody_has_taken_is_an_error_and_they_live() {
    let name = "a_group_that_somebody_has_taken_is_an_error_and_they_live";
    let Some((host, domain, bystander)) = super::with_bystander(name) else { return };
    let before = host.inventory();
    for hierarchy in ["memory", "unified"] {
        let group = host.group(hierarchy, "faulty", "").components().collect::<PathBuf>();
        std::fs::create_dir(&group).unwrap();
        let mut stranger = std::process::Command::new("sleep").arg("1000000").spawn().unwrap();
        std::fs::write(group.join("cgroup.procs"), stranger.id().to_string()).unwrap();
        let failure = domain.create().unwrap_err();
        let expected = format!("cannot remove stale control group {}", group.display());
        assert!(failure.text.contains(&expected), "{failure:?}");
        assert_eq!(stranger.try_wait().unwrap(), None, "the stranger lives");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        // What is left of the failed start goes with the next.
        assert_starts(&domain);
        before.assert_same(&host.inventory(), hierarchy);
    }
    bystander.assert_answers();
}
