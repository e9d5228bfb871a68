//! Programs put into a container that runs: what they have is what init has.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use crate::support::process::Process;
use crate::support::{Domain, Exec, Facts, Host, Step, probe};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/srv:/bin/false\n";
const GROUP: &str = "root:x:0:\nwww-data:x:34:\nlog:x:4:syslog,www\nmail:x:8:www\n";
const IDS: &str = "<idmap><uid start='0' target='100000' count='65536'/>\
                   <gid start='0' target='200000' count='65536'/></idmap>";

/// The probe, of whatever process it runs in and not of process 1, and without its last line, which
/// waits for ever.
fn own_probe() -> String {
    let script = include_str!("../probe/probe.sh").replace("/proc/1/fd", "/proc/$PPID/fd");
    let script = script.replace("/proc/1/", "/proc/$$/");
    let waits = script.rfind("while read line").unwrap();
    script[..waits].to_owned()
}

/// What the probe says as a program in a container.
fn facts(domain: &Domain, exec: Exec) -> Facts {
    let (printed, error, end) = exec.run(domain);
    assert_eq!(end.get::<i32>("status"), 0, "{error}");
    let printed = printed.split_once("probe-begin\n").unwrap().1;
    Facts::parse(printed.split_once("probe-end\n").unwrap().0)
}

/// Checks that a program's facts are those of init.
fn assert_same(program: &Facts, init: &Facts) {
    for key in ["ns", "mount", "cgroup", "allowed", "status", "who", "map", "env", "cwd", "umask"] {
        assert!(!init.all(key).is_empty(), "{key}");
        assert_eq!(program.all(key), init.all(key), "{key}");
    }
    if init.all("keyring") == ["_ses"] {
        // It sees its own, and that of init if that is the same user's.
        let seen = program.all("keyring");
        assert!(!seen.is_empty() && seen.iter().all(|it| *it == "_ses"), "{seen:?}");
    }
    for (number, fd) in program.all("fd").iter().enumerate() {
        assert!(fd.starts_with(&format!("{number} pipe:")), "{fd}");
    }
    assert_eq!(program.all("fd").len(), 3);
    assert!(program.all("tty").is_empty(), "{:?}", program.all("tty"));
    // pid (comm) state ppid pgrp session tty_nr
    let stat: Vec<_> = program.one("stat").rsplit(") ").next().unwrap().split(' ').collect();
    let own = program.one("pid");
    assert_eq!(stat[1..5], ["0", own, own, "0"], "parent, process group, session, terminal");
}

#[test]
fn a_program_has_what_init_has() {
    let Some(host) = Host::new("a_program_has_what_init_has") else { return };
    let few = "<features><capabilities><net_raw state='off'/></capabilities><privnet/></features>";
    let plain = probe(host.document("plain")).os("<initenv name='A'>b c</initenv>");
    for document in [
        plain.clone(),
        plain.clone().element(few),
        plain.os("<initdir>/tmp</initdir>").element(IDS),
    ] {
        let (domain, init) = Facts::of(&host, &document);
        assert_same(&facts(&domain, Exec::script(&own_probe())), &init);
        // Filters of system calls, and how many.
        let calls =
            |pid| Exec::of(&["grep", "Seccomp", &format!("/proc/{pid}/status")]).run(&domain).0;
        assert_eq!(calls("self"), calls("1"));
        domain.destroy().unwrap();
        host.assert_idle();
    }
}

#[test]
fn a_program_has_the_user_of_init_or_another() {
    let Some(host) = Host::new("a_program_has_the_user_of_init_or_another") else { return };
    host.tree.write("/etc/passwd", PASSWD);
    host.tree.write("/etc/group", GROUP);
    let user = "<inituser>www</inituser><initgroup>mail</initgroup>";
    for ids in ["", IDS] {
        let document = probe(host.document("users").os(user).element(ids));
        let (domain, init) = Facts::of(&host, &document);
        assert_same(&facts(&domain, Exec::script(&own_probe())), &init);
        let id = |user, group| Exec::of(&["id"]).user(user, group).run(&domain).0;
        let root = id("root", "");
        assert_eq!(root, "uid=0(root) gid=0(root) groups=0(root)\n");
        let www = id("www", "");
        assert!(www.starts_with("uid=33(www) gid=34(www-data) groups="), "{www}");
        assert!(www.contains("8(mail)") && www.contains("4(log)"), "{www}");
        assert!(id("+1000", "log").starts_with("uid=1000 gid=4(log) groups=4(log)"));
        // Root there has no more than the container's capabilities.
        let text = "grep CapEff: /proc/self/status | cut -f 2";
        let (effective, ..) = Exec::script(text).user("root", "").run(&domain);
        assert_eq!(effective.trim(), init.of_word("status", "CapBnd"));
        domain.destroy().unwrap();
    }
    host.assert_idle();
}

#[test]
fn arguments_environment_directory_and_descriptors_are_the_callers() {
    let name = "arguments_environment_directory_and_descriptors_are_the_callers";
    let Some(host) = Host::new(name) else { return };
    let domain = host.run(&host.document("c"));
    let exec = Exec::of(&["sh", "-c", "echo $0 \"$1\" $A $TERM $HOME; pwd", "x", "y z"]);
    let exec = exec.variable("A=first").variable("A=b").variable("TERM=vt52").directory("/tmp");
    assert_eq!(exec.run(&domain).0, "x y z b vt52 /\n/tmp\n");

    let (out, err) = (host.directory.join("out"), host.directory.join("err"));
    let create = |path| OwnedFd::from(fs::File::create(path).unwrap());
    let exec = Exec::script("read line; echo got $line; echo bad >&2; exit 3");
    fs::write(host.directory.join("in"), "word\n").unwrap();
    let input = fs::File::open(host.directory.join("in")).unwrap().into();
    let running = exec.standard([input, create(&out), create(&err)]).start(&domain).unwrap();
    assert!(running.descriptors.is_empty());
    let end = running.wait();
    assert_eq!(end.get::<i32>("status"), 3);
    assert_eq!(end.get::<String>("text"), "the program exited with status 3");
    assert_eq!(fs::read_to_string(out).unwrap(), "got word\n");
    assert_eq!(fs::read_to_string(err).unwrap(), "bad\n");
    // Its end can be asked for again.
    assert_eq!(running.wait().get::<i32>("status"), 3);
}

#[test]
fn a_terminal_is_one_of_the_containers_and_has_a_size() {
    let name = "a_terminal_is_one_of_the_containers_and_has_a_size";
    let Some(host) = Host::new(name) else { return };
    for ids in ["", IDS] {
        let domain = host.run(&host.document("c").element(ids));
        let script =
            "tty; stty size; trap 'stty size; exit 4' WINCH; echo set; while :; do read l; done";
        let mut running = Exec::script(script).terminal(24, 80).start(&domain).unwrap();
        let mut console = running.console();
        let printed = console.wait_for("set\r\n");
        // The container's console is number 0.
        assert_eq!(printed, "/dev/pts/1\r\n24 80\r\n");
        running.resize(50, 132).unwrap();
        console.type_line("");
        console.wait_for("50 132\r\n");
        assert_eq!(running.wait().get::<i32>("status"), 4);
        // Who closes the terminal hangs up.
        let mut running = Exec::of(&["cat"]).terminal(0, 0).start(&domain).unwrap();
        drop(running.console());
        assert_eq!(running.wait().get::<i32>("signal"), 1);
        domain.destroy().unwrap();
    }
    host.assert_idle();
}

#[test]
fn the_end_is_told_after_the_beginning_and_signals_arrive() {
    let name = "the_end_is_told_after_the_beginning_and_signals_arrive";
    let Some(host) = Host::new(name) else { return };
    let domain = host.run(&host.document("c"));
    let ends = host.bus().ends();
    for _ in 0..20 {
        let running = Exec::of(&["true"]).start(&domain).unwrap();
        ends.expect(&domain, &[Step::ExecEnded(running.number)]);
    }
    let running = Exec::of(&["cat"]).user("+1000", "").start(&domain).unwrap();
    running.kill(15).unwrap();
    let end = running.wait();
    assert_eq!(end.get::<i32>("signal"), 15);
    assert_eq!(end.get::<String>("text"), "the program was killed by signal 15 (SIGTERM)");
    ends.expect(&domain, &[Step::ExecEnded(running.number)]);
    let failure = running.kill(15).unwrap_err();
    assert!(failure.text.ends_with("the program has ended"), "{failure:?}");
    assert!(running.kill(0).unwrap_err().text.contains("0 is no signal"));
}

#[test]
fn what_cannot_be_executed_is_a_sentence() {
    let Some(host) = Host::new("what_cannot_be_executed_is_a_sentence") else { return };
    host.tree.write("/etc/passwd", PASSWD);
    let document = host.document("c").element(IDS);
    let domain = host.bus().define(&document).unwrap();
    let failure = |exec: Exec| exec.start(&domain).unwrap_err().text;
    assert!(failure(Exec::of(&["true"])).ends_with("domain is not running"));
    domain.create().unwrap();
    for (exec, text) in [
        (Exec::of(&["nope"]), "cannot execute in the container: nope: No such file or directory"),
        (Exec::of(&["/nope"]), "cannot execute in the container: /nope: No such file or directory"),
        (Exec::of(&["/etc/passwd"]), "/etc/passwd: Permission denied"),
        (Exec::of(&["true"]).directory("/nope"), "cannot change to directory /nope: No such file"),
        (Exec::of(&["true"]).user("nobody", ""), "User 'nobody' doesn't exist"),
        (Exec::of(&["true"]).user("+70000", ""), "<idmap> has no user 70000"),
        (Exec::of(&[]), "nothing is to be executed"),
        (Exec::of(&["true"]).variable("A"), "'A' is no variable: expected NAME=value"),
    ] {
        let said = failure(exec);
        assert!(said.contains(text), "{said}");
    }
    domain.suspend().unwrap();
    assert!(failure(Exec::of(&["true"])).contains("domain is paused"));
    domain.resume().unwrap();
    assert_eq!(Exec::of(&["echo", "here"]).run(&domain).0, "here\n");
    domain.assert_answers();
    domain.destroy().unwrap();
    host.assert_idle();
}

#[test]
fn a_program_ends_with_its_container_and_outlives_the_daemon() {
    let name = "a_program_ends_with_its_container_and_outlives_the_daemon";
    let Some(mut host) = Host::new(name) else { return };
    let domain = host.bus().define(host.document("c")).unwrap();
    domain.create().unwrap();
    let running = Exec::of(&["cat"]).start(&domain).unwrap();
    domain.destroy().unwrap();
    assert_eq!(running.wait().get::<i32>("signal"), 9);
    host.assert_idle();
    // Paused, it ends as well.
    domain.create().unwrap();
    let running = Exec::of(&["cat"]).start(&domain).unwrap();
    domain.suspend().unwrap();
    domain.destroy().unwrap();
    assert_eq!(running.wait().get::<i32>("signal"), 9);
    host.assert_idle();

    domain.create().unwrap();
    let mut running = Exec::script("echo ready; cat").terminal(0, 0).start(&domain).unwrap();
    let mut console = running.console();
    console.wait_for("ready\r\n");
    host.kill_daemon();
    host.start_daemon();
    console.type_line("still");
    console.wait_for("still\r\nstill\r\n");
    let domain = host.bus().by_name("c").unwrap();
    assert_eq!(Exec::of(&["echo", "here"]).run(&domain).0, "here\n");
    domain.destroy().unwrap();
}

#[test]
fn nothing_of_the_host_can_be_got_at_through_one_that_enters() {
    let name = "nothing_of_the_host_can_be_got_at_through_one_that_enters";
    let Some(host) = Host::new(name) else { return };
    // Looks at every process but itself as soon as it is there, until one says it is over.
    let script = "echo looking; while [ ! -e /tmp/over ]; do for p in /proc/[0-9]*; do \
                  case $p in /proc/1|/proc/$$) continue;; esac; \
                  ls -l $p/fd $p/exe $p/cwd $p/root 2>/dev/null; done; done >/tmp/seen; \
                  echo seen; while read line; do :; done";
    let domain = host.run(&host.document("c").script(script));
    let mut console = domain.console();
    console.wait_for("looking\r\n");
    for _ in 0..20 {
        Exec::of(&["true"]).run(&domain);
    }
    host.tree.write("/tmp/over", "");
    console.wait_for("seen\r\n");
    let seen = fs::read_to_string(host.tree.path.join("tmp/seen")).unwrap();
    let leads = seen.lines().filter_map(|line| line.split_once(" -> ")).map(|(_, to)| to);
    let strange = leads.filter(|to| {
        let is_own = ["/bin", "/dev", "/tmp/seen", "pipe:", "socket:", "/memfd:nsvirt-lxc"];
        *to != "/" && !to.starts_with("/proc/") && !is_own.iter().any(|it| to.starts_with(it))
    });
    assert_eq!(strange.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn namespaces_are_handed_out_with_their_names() {
    let Some(host) = Host::new("namespaces_are_handed_out_with_their_names") else { return };
    for (ids, first) in [("", "ipc"), (IDS, "user")] {
        let document = probe(host.document("c").element(ids));
        let (domain, facts) = Facts::of(&host, &document);
        let opened: Vec<(String, zbus::OwnedFd)> =
            domain.bus.call(&domain.path, "org.nsvirt.Domain1", "OpenNamespaces", &0_u32).unwrap();
        assert_eq!(opened[0].0, first);
        let opened: HashMap<_, _> = opened.into_iter().collect();
        assert_eq!(opened.len(), if ids.is_empty() { 6 } else { 7 });
        for (name, fd) in opened {
            let file = fs::File::from(fd.as_fd().try_clone_to_owned().unwrap());
            let text = format!("{name}:[{}]", file.metadata().unwrap().ino());
            assert_eq!(facts.of_word("ns", &name), text);
        }
        domain.destroy().unwrap();
    }
}

#[test]
fn a_program_is_killed_with_what_waits_for_it() {
    let Some(host) = Host::new("a_program_is_killed_with_what_waits_for_it") else { return };
    let domain = host.run(&host.document("c"));
    let running = Exec::of(&["cat"]).start(&domain).unwrap();
    let children = crate::support::process::children(host.daemon_pid());
    let outside = children.into_iter().find(|pid| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "nsvirt-enter\n")
    });
    Process::open(outside.unwrap()).unwrap().kill();
    assert_eq!(running.wait().get::<i32>("signal"), 9);
    domain.assert_answers();
}
