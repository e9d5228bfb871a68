//! Control groups: limits hold, and the container cannot lift them.

use std::fs;
use std::path::Path;

use crate::support::process::{Process, only_child};
use crate::support::{Facts, Host, inventory, probe};

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_memory_limit_is_in_force_and_out_of_reach() {
    let Some(host) = Host::new("the_memory_limit_is_in_force_and_out_of_reach") else {
        return;
    };
    // Version 1 shows them read-only. In version 2 the container may limit itself below.
    let limits = [
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/cgroup.procs",
        "/sys/fs/cgroup/memory.max",
    ];
    let limits = limits.join(" ");
    let document = probe(host.document("memory").memory(49152))
        .os(&format!("<initenv name='PROBE_LIMITS'>{limits}</initenv>"));
    let (_domain, facts) = Facts::of(&host, &document);
    let payload = host.group("memory", "memory", "payload");
    let limit = ["memory.limit_in_bytes", "memory.max"].map(|it| payload.join(it));
    let limit = limit.iter().find(|it| it.exists()).unwrap();
    assert_eq!(read(limit).trim(), (48 << 20).to_string(), "after what the container tried");
    for path in limits.split_whitespace().filter(|it| it.contains("/memory/")) {
        assert_eq!(facts.of_word("raise", path), "no", "{path}");
    }
}

#[test]
fn more_memory_than_the_limit_is_not_to_be_had() {
    let Some(host) = Host::new("more_memory_than_the_limit_is_not_to_be_had") else {
        return;
    };
    // tail keeps its last bytes: 64 MiB where 16 are allowed. The kernel kills it, not init.
    let script = "head -c 67108864 /dev/zero | tail -c 67108864 | wc -c; echo survived; read line";
    let domain = host.run(&host.document("eater").memory(16384).script(script));
    let printed = domain.console().wait_for("survived\r\n");
    assert!(!printed.contains("67108864"), "{printed:?}");
}

#[test]
fn the_container_sees_its_own_group_as_the_root() {
    let Some(host) = Host::new("the_container_sees_its_own_group_as_the_root") else {
        return;
    };
    let (domain, facts) = Facts::of(&host, &probe(host.document("groups")));
    let own = facts.all("cgroup");
    assert!(!own.is_empty());
    for line in own {
        assert!(line.ends_with(":/"), "{line}");
    }
    for mount in facts.mounts().iter().filter(|it| it.kind.starts_with("cgroup")) {
        assert_eq!(mount.root, "/", "{mount:?}");
    }
    // The supervisor is elsewhere, in every hierarchy it was put in.
    let supervisor = domain.id();
    let group = format!("{}/groups.libvirt-lxc", host.paths.partition);
    let of = |pid: u32, below: &str| {
        let text = read(format!("/proc/{pid}/cgroup"));
        let lines = text.lines().filter(|it| it.contains(&group)).count();
        let here = text.lines().filter(|it| it.ends_with(&format!("{group}/{below}"))).count();
        assert!(here > 0 && here == lines, "{pid}: {text}");
        here
    };
    let all = of(only_child(supervisor), "payload/init");
    // Version 2 is left out where there is version 1 as well.
    let hybrid = usize::from(all > 1);
    assert_eq!(of(supervisor, "supervisor"), all - hybrid);
}

/// A process of the host that enters a container's groups, as `virsh lxc-enter-namespace` does,
/// and none of its namespaces.
fn intruder(host: &Host, domain: &str) -> std::process::Child {
    let child = std::process::Command::new("sleep").arg("1000000").spawn().unwrap();
    let partition = host.paths.partition.trim_start_matches('/');
    for hierarchy in inventory::hierarchies() {
        let payload = hierarchy.join(partition).join(format!("{domain}.libvirt-lxc/payload/init"));
        fs::write(payload.join("cgroup.procs"), child.id().to_string()).unwrap();
    }
    child
}

#[test]
fn what_entered_the_container_ends_with_it() {
    let Some(host) = Host::new("what_entered_the_container_ends_with_it") else {
        return;
    };
    for suspended in [false, true] {
        let domain = host.run(&host.document("entered"));
        let mut child = intruder(&host, "entered");
        if suspended {
            domain.suspend().unwrap();
        }
        domain.destroy().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        host.assert_idle();
    }
}

#[test]
fn the_dead_keep_nobody_from_suspending_or_ending() {
    let Some(host) = Host::new("the_dead_keep_nobody_from_suspending_or_ending") else {
        return;
    };
    // A zombie whose parent never asks for it.
    let script = "(sh -c 'echo dead' & exec sleep 1000000) & read line";
    let domain = host.run(&host.document("zombie").script(script));
    domain.console().wait_for("dead\r\n");
    domain.suspend().unwrap();
    assert_eq!(domain.state().0, 3);
    domain.resume().unwrap();
    domain.suspend().unwrap();
    domain.destroy().unwrap();
    host.assert_idle();
}

#[test]
fn a_paused_container_does_not_outlive_daemon_and_supervisor() {
    let Some(mut host) = Host::new("a_paused_container_does_not_outlive_daemon_and_supervisor")
    else {
        return;
    };
    let domain = host.run(&host.document("paused"));
    let mut child = intruder(&host, "paused");
    domain.suspend().unwrap();
    let supervisor = Process::open(domain.id()).unwrap();
    host.kill_daemon();
    supervisor.kill_and_wait();
    host.start_daemon();
    assert_eq!(host.bus().list(0).unwrap(), Vec::<String>::new());
    child.wait().unwrap();
    host.assert_idle();
}

#[test]
fn root_inside_arranges_groups_of_its_own() {
    let Some(host) = Host::new("root_inside_arranges_groups_of_its_own") else {
        return;
    };
    // What a booting systemd does first: out of the root, which then passes controllers on.
    let script = "cd /sys/fs/cgroup; [ -d unified ] && cd unified; \
                  [ -e cgroup.controllers ] || { echo none; read line; }; \
                  mkdir leaf; echo 0 >leaf/cgroup.procs; \
                  for it in $(cat cgroup.controllers); do echo +$it >cgroup.subtree_control; done; \
                  echo \"has $(cat cgroup.controllers)\"; echo \"passes $(cat leaf/cgroup.controllers)\"; \
                  echo end; read line";
    let domain = host.run(&host.document("delegate").script(script));
    let mut console = domain.console();
    let text = console.wait_for(if v2().is_some() { "end\r\n" } else { "none\r\n" });
    if let Some(unified) = v2() {
        let of = |word: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(word));
            line.unwrap_or_else(|| panic!("no {word} in {text:?}")).trim().to_owned()
        };
        let host = read(unified.join("cgroup.controllers"));
        assert_eq!(of("has"), of("passes"));
        assert_eq!(of("has").split(' ').count(), host.split_whitespace().count(), "{text}");
    }
    domain.destroy().unwrap();
}

/// Version 2, on a host that has it.
fn v2() -> Option<std::path::PathBuf> {
    inventory::hierarchies().into_iter().find(|it| it.join("cgroup.controllers").exists())
}
