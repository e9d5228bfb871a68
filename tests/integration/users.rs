//! Who the processes of a container are: init's user, and ids of its own.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::isolation::isolation;
use crate::support::process::only_child;
use crate::support::{Document, Facts, Host, probe};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/srv:/bin/false\n";
const GROUP: &str = "root:x:0:\nwww-data:x:34:\nlog:x:4:syslog,www\nmail:x:8:www\n";

/// The container's ids are the host's from 100000 on.
const IDS: &str = "<idmap><uid start='0' target='100000' count='65536'/>\
                   <gid start='0' target='200000' count='65536'/></idmap>";

fn fifo(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mkfifo(path, Mode::S_IRWXU).unwrap();
}

fn user(document: Document, user: &str, group: &str) -> Document {
    document.os(&format!("<inituser>{user}</inituser><initgroup>{group}</initgroup>"))
}

#[test]
fn init_is_the_documents_user_and_owns_its_terminal() {
    let name = "init_is_the_documents_user_and_owns_its_terminal";
    let Some(host) = Host::new(name) else { return };
    host.tree.write("/etc/passwd", PASSWD);
    host.tree.write("/etc/group", GROUP);
    // What the C library would read: whoever opens one of these waits for ever.
    for path in ["etc/nsswitch.conf", "lib/libnss_files.so.2", "lib64/libnss_files.so.2"] {
        fifo(&host.tree.path.join(path));
    }
    let document = user(probe(host.document("www")), "www", "www-data");
    let (domain, facts) = Facts::of(&host, &document);
    assert_eq!(facts.of_word("who", "Uid"), "33\t33\t33\t33");
    assert_eq!(facts.of_word("who", "Gid"), "34\t34\t34\t34");
    assert_eq!(facts.of_word("who", "Groups").trim(), "4 8 34");
    assert_eq!(facts.one("console-owner"), "33:5");
    assert_eq!(facts.one("tty"), "/dev/console");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(facts.of_word("status", set), "0000000000000000", "{set}");
    }
    domain.destroy().unwrap();
    // The supervisor's end still ends it, although changing ids makes a process forget that.
    let domain = host.run(&user(host.document("www"), "+1000", "+1000"));
    domain.assert_answers();
    let (supervisor, init) = (domain.id(), only_child(domain.id()));
    let process = crate::support::process::Process::open(init).unwrap();
    crate::support::process::Process::open(supervisor).unwrap().kill_and_wait();
    process.wait();
}

#[test]
fn root_has_no_further_groups_unless_it_is_named() {
    let Some(host) = Host::new("root_has_no_further_groups_unless_it_is_named") else {
        return;
    };
    let (_plain, facts) = Facts::of(&host, &probe(host.document("plain")));
    assert_eq!(facts.of_word("who", "Uid"), "0\t0\t0\t0");
    assert_eq!(facts.of_word("who", "Groups"), "");
    let numbers = user(probe(host.document("numbers")), "1000", "+50");
    let (_numbers, facts) = Facts::of(&host, &numbers);
    assert_eq!(facts.of_word("who", "Uid"), "1000\t1000\t1000\t1000");
    assert_eq!(facts.of_word("who", "Groups").trim(), "50");
}

#[test]
fn files_of_users_that_are_a_trap_are_an_error() {
    let Some(host) = Host::new("files_of_users_that_are_a_trap_are_an_error") else {
        return;
    };
    let passwd = host.tree.path.join("etc/passwd");
    let secret = host.directory.join("passwd");
    fs::write(&secret, "evil:x:0:0:::\n").unwrap();
    let document = user(host.document("trap"), "evil", "+0");
    let refused = |expected: &str| {
        let failure = host.bus().create_xml(&document).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}, not {expected:?}");
        host.assert_idle();
        fs::remove_file(&passwd).unwrap();
    };
    host.tree.write("/etc/passwd", PASSWD);
    refused("User 'evil' doesn't exist");
    fifo(&passwd);
    refused("it is no regular file");
    // Longer than any memory, and no longer on the disk than nothing.
    fs::File::create(&passwd).unwrap().set_len(1 << 40).unwrap();
    refused("it is longer than 1 MiB");
    // Links are the container's: there is no such path in its tree.
    symlink(&secret, &passwd).unwrap();
    refused("User 'evil' doesn't exist");
    symlink(format!("/proc/{}/cwd/passwd", std::process::id()), &passwd).unwrap();
    refused("User 'evil' doesn't exist");
}

#[test]
fn ids_are_the_maps_and_the_tree_stays_the_hosts_roots() {
    let name = "ids_are_the_maps_and_the_tree_stays_the_hosts_roots";
    let Some(host) = Host::new(name) else { return };
    let source = host.directory.join("source");
    fs::create_dir(&source).unwrap();
    let script = "id -u >/bound/id; touch /made; chown 33:34 /made";
    let probe_text = include_str!("../probe/probe.sh");
    let document = host
        .document("ids")
        .script(&format!("{script}\n{probe_text}"))
        .mount(&source, "/bound", false)
        .element(IDS)
        .element("<features><privnet/></features>")
        .consoles(2)
        .os("<initenv name='PROBE_WRITE'>/proc/sys/kernel/core_pattern /dev/null</initenv>");
    let (domain, facts) = Facts::of(&host, &document);
    assert_eq!(facts.all("map"), ["uid 0 100000 65536", "gid 0 200000 65536"]);
    assert_eq!(facts.of_word("who", "Uid"), "0\t0\t0\t0");
    assert_eq!(facts.one("console-owner"), "0:5");
    assert_eq!(facts.one("tty"), "/dev/console");
    assert_eq!(facts.one("lo"), "1");
    assert_eq!(facts.one("hostname"), "ids");
    assert_eq!(facts.of_word("write", "/proc/sys/kernel/core_pattern"), "no");
    assert_eq!(facts.of_word("write", "/dev/null"), "yes");
    let devices = facts.all("device");
    for device in ["/dev/console 88:0 620", "/dev/tty2 88:1 620", "/dev/zero 1:5 666"] {
        assert!(devices.contains(&device), "{devices:?}");
    }
    // All of its namespaces are its own.
    for namespace in ["user", "mnt", "pid", "uts", "ipc", "cgroup", "net"] {
        let daemon = fs::read_link(format!("/proc/{}/ns/{namespace}", host.daemon_pid())).unwrap();
        assert_ne!(facts.of_word("ns", namespace), daemon.to_str().unwrap(), "{namespace}");
    }
    // On the host it is nobody, and its files are who they were.
    let init = only_child(domain.id());
    assert_eq!(fs::metadata(format!("/proc/{init}")).unwrap().uid(), 100_000);
    let owner = |path: &Path| {
        let file = fs::metadata(path).unwrap();
        (file.uid(), file.gid())
    };
    assert_eq!(owner(&host.tree.path.join("made")), (33, 34));
    assert_eq!(owner(&source.join("id")), (0, 0));
    assert_eq!(fs::read_to_string(source.join("id")).unwrap(), "0\n");
}

#[test]
fn what_guards_the_kernels_files_cannot_be_taken_away() {
    let Some(host) = Host::new("what_guards_the_kernels_files_cannot_be_taken_away") else {
        return;
    };
    let script = "tried() { if \"$@\" 2>/dev/null; then echo \"can $*\"; else echo \"cannot $*\"; fi; }\n\
                  tried umount /proc/sys\n\
                  tried mount -o remount,rw /proc/sys\n\
                  tried mount -o remount,bind,rw /sys\n\
                  mkdir -p /other\n\
                  tried mount -t proc none /other\n\
                  tried mount -t devtmpfs none /other\n\
                  tried mount -t tmpfs none /other\n\
                  tried dmesg -c\n\
                  echo tried; while read line; do :; done";
    let document = host.document("guards").script(script).element(IDS);
    let domain = host.run(&document.element("<features><privnet/></features>"));
    let printed = domain.console().wait_for("tried\r\n");
    let can: Vec<_> = printed.lines().filter(|it| it.starts_with("can ")).collect();
    assert_eq!(can, ["can mount -t tmpfs none /other"], "{printed}");
    assert_eq!(printed.lines().filter(|it| it.starts_with("cannot ")).count(), 6, "{printed}");
}

#[test]
fn groups_below_its_own_are_its_to_manage_and_limits_are_not() {
    let name = "groups_below_its_own_are_its_to_manage_and_limits_are_not";
    let Some(host) = Host::new(name) else { return };
    let script = "for it in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do\n\
                  test -e $it/cgroup.procs || continue\n\
                  mkdir $it/own && echo 0 >$it/own/cgroup.procs && echo \"manages $it\"\n\
                  done\n\
                  for it in /sys/fs/cgroup/memory/memory.limit_in_bytes \
                  /sys/fs/cgroup/memory.max; do\n\
                  test -e $it || continue; (echo 1000000000000 >$it) && echo \"lifts $it\"; done\n\
                  echo tried; while read line; do :; done";
    let domain = host.run(&host.document("manage").script(script).element(IDS));
    let printed = domain.console().wait_for("tried\r\n");
    assert!(printed.contains("manages"), "{printed}");
    assert!(!printed.contains("lifts"), "{printed}");
    // Nothing of a group but what says who is in it is the container's.
    for directory in crate::support::inventory::groups(&host.paths.partition) {
        for file in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let name = file.file_name().into_string().unwrap();
            let manages = ["init", "own", "tasks"].contains(&name.as_str())
                || ["procs", "threads", "subtree_control"].iter().any(|it| name.ends_with(it));
            let inside = directory.ends_with("own");
            let owner = file.metadata().unwrap().uid();
            assert!(owner == 0 || manages || inside, "{owner} {}", file.path().display());
        }
    }
}

#[test]
fn a_tree_whose_owners_were_changed_stays_as_it_is() {
    let Some(host) = Host::new("a_tree_whose_owners_were_changed_stays_as_it_is") else {
        return;
    };
    let chown = Command::new("chown").args(["-hR", "100000:200000"]).arg(&host.tree.path).status();
    assert!(chown.unwrap().success());
    let script = "touch /made; stat -c 'it is %u:%g' /bin /made; while read line; do :; done";
    let domain = host.run(&host.document("changed").script(script).element(IDS));
    let printed = domain.console().wait_for("it is 0:0\r\nit is 0:0\r\n");
    assert_eq!(printed, "");
    let made = fs::metadata(host.tree.path.join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (100_000, 200_000));
}

#[test]
fn a_tree_that_cannot_be_the_containers_is_an_error() {
    let Some(host) = Host::new("a_tree_that_cannot_be_the_containers_is_an_error") else {
        return;
    };
    // A file system that has no id-mapped mounts, on every host.
    let document = host.document("sysfs").root(Path::new("/sys")).element(IDS);
    let failure = host.bus().create_xml(&document).unwrap_err();
    assert!(failure.text.contains("has no id-mapped mounts: move it"), "{failure:?}");
    host.assert_idle();
}

#[test]
fn ids_that_are_others_are_refused_unless_the_profile_is_compat() {
    let name = "ids_that_are_others_are_refused_unless_the_profile_is_compat";
    let Some(host) = Host::new(name) else { return };
    let compat = isolation("compat", "");
    let zero = host.document("zero").element(&IDS.replace("100000", "0"));
    let refused = |document: &Document| host.bus().create_xml(document).unwrap_err().text;
    let text = refused(&zero);
    assert!(text.contains("uid 0 the host's root") && text.contains("profile 'compat'"), "{text}");
    host.assert_idle();
    host.run(&zero.element(&compat)).destroy().unwrap();

    let first = host.run(&host.document("first").element(IDS));
    let second = host.document("second").element(&IDS.replace("'100000'", "'165535'"));
    let text = refused(&second);
    let expected = "<uid start='0' target='165535' count='65536'/> has ids of domain 'first'";
    assert!(text.contains(expected), "{text}");
    host.run(&second.clone().element(&compat)).destroy().unwrap();
    first.assert_answers();
    first.destroy().unwrap();
    host.run(&second).destroy().unwrap();
}

#[test]
fn ids_are_taken_over_a_restart_of_the_daemon_and_given_back_after_a_failure() {
    let name = "ids_are_taken_over_a_restart_of_the_daemon_and_given_back_after_a_failure";
    let Some(mut host) = Host::new(name) else { return };
    let document = |host: &Host, name: &str| host.document(name).element(IDS);
    let failing = document(&host, "failing").init("/nowhere", &[]);
    host.bus().create_xml(&failing).unwrap_err();
    let first = document(&host, "first");
    host.run(&first).assert_answers();
    host.stop_daemon();
    host.start_daemon();
    let failure = host.bus().create_xml(document(&host, "second")).unwrap_err();
    assert!(failure.text.contains("has ids of domain 'first', which runs"), "{failure:?}");
}

#[test]
fn users_are_the_maps_and_a_reboot_changes_nothing() {
    let Some(host) = Host::new("users_are_the_maps_and_a_reboot_changes_nothing") else {
        return;
    };
    host.tree.write("/etc/passwd", PASSWD);
    host.tree.write("/etc/group", GROUP);
    let document = user(probe(host.document("www")), "www", "www-data").element(IDS);
    let (domain, facts) = Facts::of(&host, &document);
    assert_eq!(facts.of_word("who", "Uid"), "33\t33\t33\t33");
    assert_eq!(facts.one("console-owner"), "33:5");
    let init = only_child(domain.id());
    assert_eq!(fs::metadata(format!("/proc/{init}")).unwrap().uid(), 100_033);
    domain.destroy().unwrap();
    let document = user(host.document("nobody"), "+70000", "+0").element(IDS);
    let failure = host.bus().create_xml(&document).unwrap_err();
    assert!(failure.text.contains("<idmap> has no user 70000"), "{failure:?}");

    let script = "cat /proc/1/uid_map; (umount /proc/sys) 2>/dev/null || echo locked; \
                  while read line; do if [ \"$line\" = reboot ]; then reboot -f; fi; done";
    let domain = host.run(&host.document("reboot").script(script).element(IDS));
    let mut console = domain.console();
    for _ in 0..3 {
        let printed = console.wait_for("locked\r\n");
        assert!(printed.contains("100000"), "{printed}");
        console.type_line("reboot");
    }
    console.wait_for("locked\r\n");
}
