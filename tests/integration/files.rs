//! The container's tree: what is mounted, what can be written, what cannot be seen.

use std::fs;
use std::path::Path;

use crate::support::{Facts, Host, probe};

#[test]
fn kernel_file_systems_are_guarded() {
    let Some(host) = Host::new("kernel_file_systems_are_guarded") else {
        return;
    };
    let wanted = "/proc/sys/kernel/hostname /proc/sys/vm/swappiness /proc/sysrq-trigger \
                  /sys/kernel/mm/transparent_hugepage/enabled /proc/self/comm /tmp/file";
    let document =
        probe(host.document("proc")).os(&format!("<initenv name='PROBE_WRITE'>{wanted}</initenv>"));
    let (_domain, facts) = Facts::of(&host, &document);
    for path in ["/proc/sys/kernel/hostname", "/proc/sys/vm/swappiness", "/proc/sysrq-trigger"] {
        assert_eq!(facts.of_word("write", path), "no", "{path}");
    }
    let hugepages = "/sys/kernel/mm/transparent_hugepage/enabled";
    assert_eq!(facts.of_word("write", hugepages), "no");
    // The probe can tell the difference.
    assert_eq!(facts.of_word("write", "/proc/self/comm"), "yes");
    assert_eq!(facts.of_word("write", "/tmp/file"), "yes");
    for (path, kind, read_only) in
        [("/proc", "proc", false), ("/proc/sys", "proc", true), ("/sys", "sysfs", true)]
    {
        let mount = facts.mount(path);
        assert_eq!(mount.kind, kind);
        assert_eq!(mount.has("ro"), read_only, "{mount:?}");
        for option in ["nosuid", "nodev", "noexec"] {
            assert!(mount.has(option), "{mount:?} without {option}");
        }
    }
}

#[test]
fn devices_are_libvirts_few() {
    let Some(host) = Host::new("devices_are_libvirts_few") else {
        return;
    };
    let (_domain, facts) = Facts::of(&host, &probe(host.document("dev").consoles(2)));
    let mut devices = facts.all("device");
    devices.sort_unstable();
    let expected = [
        "/dev/console 88:0 620",
        "/dev/full 1:7 666",
        "/dev/null 1:3 666",
        "/dev/ptmx 5:2 666",
        "/dev/pts/0 88:0 620",
        "/dev/pts/1 88:1 620",
        "/dev/pts/ptmx 5:2 666",
        "/dev/random 1:8 666",
        "/dev/tty 5:0 666",
        "/dev/tty1 88:0 620",
        "/dev/tty2 88:1 620",
        "/dev/urandom 1:9 666",
        "/dev/zero 1:5 666",
    ];
    assert_eq!(devices, expected);
    let mut links = facts.all("link");
    links.sort_unstable();
    let expected = [
        "/dev/fd /proc/self/fd",
        "/dev/stderr /proc/self/fd/2",
        "/dev/stdin /proc/self/fd/0",
        "/dev/stdout /proc/self/fd/1",
    ];
    assert_eq!(links, expected);
    // An instance of its own: the terminals of the host are not in there.
    assert_eq!(facts.all("pts"), ["0", "1", "ptmx"]);
    assert_eq!(facts.mount("/dev/pts").kind, "devpts");
    assert!(!facts.mount("/dev").has("nodev"), "devices must open");
}

#[test]
fn nothing_of_the_host_can_be_seen() {
    let Some(host) = Host::new("nothing_of_the_host_can_be_seen") else {
        return;
    };
    let source = host.directory.join("source");
    fs::create_dir(&source).unwrap();
    let document = probe(host.document("alone")).mount(&source, "/data", false);
    let (_domain, facts) = Facts::of(&host, &document);
    // Only its root and its source are of a file system of the host.
    let device = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        let number = fs::metadata(path).unwrap().dev();
        (nix::sys::stat::major(number), nix::sys::stat::minor(number))
    };
    let (major, minor) = device(&host.directory);
    let mut of_host: Vec<&str> = facts
        .all("mount")
        .into_iter()
        .filter(|it| it.split(' ').nth(2) == Some(&format!("{major}:{minor}")))
        .map(|it| it.split(' ').nth(4).unwrap())
        .collect();
    of_host.sort_unstable();
    assert_eq!(of_host, ["/", "/data"]);
    let known = ["proc", "sysfs", "tmpfs", "devpts", "cgroup", "cgroup2"];
    for mount in facts.mounts() {
        let own = mount.target == "/" || mount.target == "/data";
        assert!(own || known.contains(&mount.kind), "{mount:?}");
    }
    // Up from the root is the root.
    let inodes: Vec<_> =
        facts.all("inode").iter().map(|it| it.trim().split(' ').next().unwrap()).collect();
    assert_eq!(inodes.len(), 3);
    assert!(inodes.iter().all(|it| *it == inodes[0]), "{inodes:?}");
    let mut top: Vec<_> = facts.all("top").into_iter().filter(|it| !it.starts_with("/.")).collect();
    top.sort_unstable();
    let expected =
        ["/bin", "/data", "/dev", "/etc", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp"];
    assert_eq!(top, expected);
}

#[test]
fn a_read_only_root_is_read_only() {
    let Some(host) = Host::new("a_read_only_root_is_read_only") else {
        return;
    };
    let source = host.directory.join("source");
    fs::create_dir(&source).unwrap();
    fs::create_dir(host.tree.path.join("data")).unwrap();
    fs::create_dir(host.tree.path.join("scratch")).unwrap();
    let document = probe(host.document("ro").read_only_root())
        .mount(&source, "/data", false)
        .device("<filesystem type='ram'><source usage='1024' units='KiB'/><target dir='/scratch'/></filesystem>")
        .os("<initenv name='PROBE_WRITE'>/file /tmp/file /data/file /scratch/file</initenv>");
    let (_domain, facts) = Facts::of(&host, &document);
    assert!(facts.mount("/").has("ro"));
    for (path, can) in
        [("/file", "no"), ("/tmp/file", "no"), ("/data/file", "yes"), ("/scratch/file", "yes")]
    {
        assert_eq!(facts.of_word("write", path), can, "{path}");
    }
    assert!(source.join("file").exists());
    assert!(!host.tree.path.join("tmp/file").exists());
}

#[test]
fn a_read_only_file_system_is_read_only() {
    let Some(host) = Host::new("a_read_only_file_system_is_read_only") else {
        return;
    };
    let source = host.directory.join("source");
    fs::create_dir(&source).unwrap();
    let document = probe(host.document("ro"))
        .mount(&source, "/read", true)
        .mount(&source, "/write", false)
        .os("<initenv name='PROBE_WRITE'>/read/file /write/file</initenv>");
    let (_domain, facts) = Facts::of(&host, &document);
    assert_eq!(facts.of_word("write", "/read/file"), "no");
    assert_eq!(facts.of_word("write", "/write/file"), "yes");
    assert!(source.join("file").exists());
}

#[test]
fn a_ram_file_system_has_its_size() {
    let Some(host) = Host::new("a_ram_file_system_has_its_size") else {
        return;
    };
    let ram = "<filesystem type='ram'><source usage='2048' units='KiB'/><target dir='/ram'/></filesystem>";
    let (domain, facts) = Facts::of(&host, &probe(host.document("ram")).device(ram));
    let mount = facts.mount("/ram");
    assert_eq!(mount.kind, "tmpfs");
    assert!(mount.super_options.split(',').any(|it| it == "size=2048k"), "{mount:?}");
    domain.destroy().unwrap();
    assert!(fs::read_dir(host.tree.path.join("ram")).unwrap().next().is_none());
    // Full is full.
    let script = "dd if=/dev/zero of=/ram/file bs=1024 count=4096 2>/dev/null; \
                  wc -c </ram/file; echo done; read line";
    let domain = host.run(&host.document("full").script(script).device(ram));
    let written = domain.console().wait_for("done\r\n");
    assert_eq!(written.trim(), (2048 * 1024).to_string());
}

#[test]
fn devices_do_not_open_wherever_their_nodes_come_from() {
    let Some(host) = Host::new("devices_do_not_open_wherever_their_nodes_come_from") else {
        return;
    };
    // Root inside may mount a file system with nodes for every device of the host.
    let script = "mkdir -p /host && mount -t devtmpfs none /host && \
                  for it in null kmsg; do \
                  if (: < /host/$it) 2>/dev/null; then echo $it opens; else echo $it is shut; fi; \
                  done; umount /host; echo tried; while read line; do :; done";
    let domain = host.run(&host.document("devtmpfs").script(script));
    let printed = domain.console().wait_for("tried\r\n");
    assert!(printed.contains("null opens"), "{printed}");
    assert!(printed.contains("kmsg is shut"), "{printed}");
    domain.destroy().unwrap();
    host.assert_idle();
}
