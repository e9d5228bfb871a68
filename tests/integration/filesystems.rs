//! The file systems of a document by their types.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::process::Process;
use crate::support::{Facts, Host, probe, until};

/// A file system in memory on the host, for as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        mount(Some("test"), path, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        Self(path.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

fn filesystem(kind: &str, source: &str, target: &str, more: &str) -> String {
    format!(
        "<filesystem type='{kind}'><source {source}/><target dir='{target}'/>{more}</filesystem>"
    )
}

#[test]
fn what_is_mounted_below_a_source_follows_and_is_as_read_only() {
    let name = "what_is_mounted_below_a_source_follows_and_is_as_read_only";
    let Some(host) = Host::new(name) else { return };
    let source = host.directory.join("source");
    let _below = Mounted::at(&source.join("below"));
    fs::write(source.join("below/file"), "").unwrap();
    let document = probe(host.document("below"))
        .mount(&source, "/read", true)
        .mount(&source, "/write", false)
        .os("<initenv name='PROBE_WRITE'>/read/below/file /write/below/file</initenv>");
    let (_domain, facts) = Facts::of(&host, &document);
    assert_eq!(facts.mount("/read/below").kind, "tmpfs");
    assert!(facts.mount("/read/below").has("ro"));
    assert_eq!(facts.of_word("write", "/read/below/file"), "no");
    assert_eq!(facts.of_word("write", "/write/below/file"), "yes");
}

#[test]
fn the_hosts_root_comes_without_its_kernels_file_systems() {
    let name = "the_hosts_root_comes_without_its_kernels_file_systems";
    let Some(host) = Host::new(name) else { return };
    // A way to mount it where its path does not lead.
    symlink(".", host.tree.path.join("loop")).unwrap();
    for target in ["/host", "/loop"] {
        let document = probe(host.document("host")).mount(Path::new("/"), target, true);
        let (domain, facts) = Facts::of(&host, &document);
        let mounts = facts.mounts();
        let of_kernel: Vec<_> =
            mounts.iter().filter(|it| ["proc", "sysfs"].contains(&it.kind)).collect();
        let is_own = |path: &str| path.starts_with("/proc") || path.starts_with("/sys");
        assert!(of_kernel.iter().all(|it| is_own(it.target)), "{of_kernel:#?}");
        assert_eq!(of_kernel.iter().filter(|it| it.target == "/proc").count(), 1);
        assert!(facts.mount("/proc/sys").has("ro"));
        domain.destroy().unwrap();
    }
}

#[test]
fn a_bind_is_of_the_containers_tree_and_no_more_writable() {
    let name = "a_bind_is_of_the_containers_tree_and_no_more_writable";
    let Some(host) = Host::new(name) else { return };
    let (source, outside) = (host.directory.join("source"), host.directory.join("outside"));
    let below = Mounted::at(&source.join("below"));
    fs::create_dir(&outside).unwrap();
    symlink(&outside, host.tree.path.join("out")).unwrap();
    symlink("/data", host.tree.path.join("in")).unwrap();
    let bind =
        |from: &str, to: &str, more: &str| filesystem("bind", &format!("dir='{from}'"), to, more);
    let document = probe(host.document("bind"))
        .mount(&source, "/data", false)
        .device(&bind("/in", "/again", ""))
        .device(&bind("/../data", "/read", "<readonly/>"))
        .device(&bind("/proc/sys", "/sysctl", ""))
        .os("<initenv name='PROBE_WRITE'>/again/below/file /read/below/file \
             /sysctl/vm/swappiness</initenv>");
    let (domain, facts) = Facts::of(&host, &document);
    for (path, can) in
        [("/again/below/file", "yes"), ("/read/below/file", "no"), ("/sysctl/vm/swappiness", "no")]
    {
        assert_eq!(facts.of_word("write", path), can, "{path}");
    }
    assert!(source.join("below/file").exists());
    assert!(facts.mount("/read/below").has("ro"));
    domain.destroy().unwrap();
    let document = host.document("out").device(&bind("/out", "/data", ""));
    let failure = host.bus().create_xml(&document).unwrap_err();
    assert!(failure.text.contains("cannot mount /out on /data: No such file"), "{failure:?}");
    drop(below);
    host.assert_idle();
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An image with an ext4 file system of what is in a directory.
pub fn image(host: &Host, name: &str, content: &Path) -> PathBuf {
    let path = host.directory.join(name);
    fs::File::create(&path).unwrap().set_len(16 << 20).unwrap();
    run("mkfs.ext4", &["-q", "-d", content.to_str().unwrap(), path.to_str().unwrap()]);
    path
}

fn content(host: &Host) -> PathBuf {
    let content = host.directory.join("content");
    fs::create_dir(&content).unwrap();
    fs::write(content.join("file"), "what is in the image\n").unwrap();
    content
}

fn file(image: &Path, target: &str, more: &str) -> String {
    filesystem("file", &format!("file='{}'", image.display()), target, more)
}

/// A device of the host for as long as this lives.
struct Device(String);

impl Device {
    fn of(image: &Path) -> Self {
        Self(run("losetup", &["--find", "--show", image.to_str().unwrap()]))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        run("losetup", &["--detach", &self.0]);
    }
}

/// Waits until no loop device shows a file any more; the kernel lets go of it by itself.
fn until_free(image: &Path) {
    let list = || run("losetup", &["--list", "--noheadings", "--output", "BACK-FILE"]);
    until("the loop device is free", || !list().contains(image.to_str().unwrap()));
}

#[test]
fn an_image_is_mounted_and_goes_with_the_container() {
    let Some(mut host) = Host::new("an_image_is_mounted_and_goes_with_the_container") else {
        return;
    };
    let image = image(&host, "data.img", &content(&host));
    let script = "cat /data/file; echo changed >/data/file; echo written; \
                  while read line; do if [ \"$line\" = reboot ]; then reboot -f; fi; done";
    let written = |name| host.document(name).script(script).device(&file(&image, "/data", ""));
    let domain = host.run(&written("first"));
    let mut console = domain.console();
    assert!(console.wait_for("written\r\n").contains("what is in the image"));
    // Its device is not the container's, and nobody else writes to it.
    let failure = host.bus().create_xml(written("second")).unwrap_err();
    assert!(failure.text.contains("container or program has it locked"), "{failure:?}");
    console.type_line("reboot");
    assert!(console.wait_for("written\r\n").contains("changed"));
    domain.destroy().unwrap();
    until_free(&image);
    host.assert_idle();

    // Two may read. The file is not even opened for writing.
    let before = fs::read(&image).unwrap();
    let read = |name| {
        probe(host.document(name))
            .device(&file(&image, "/data", "<readonly/>"))
            .os("<initenv name='PROBE_WRITE'>/data/file</initenv>")
    };
    let (first, facts) = Facts::of(&host, &read("first"));
    let (second, _) = Facts::of(&host, &read("second"));
    assert_eq!(facts.mount("/data").kind, "ext4");
    assert!(facts.mount("/data").has("ro") && facts.mount("/data").super_options.contains("ro"));
    assert_eq!(facts.of_word("write", "/data/file"), "no");
    assert!(facts.all("device").iter().all(|it| !it.contains("loop")));
    second.destroy().unwrap();
    assert_eq!(fs::read(&image).unwrap(), before);

    // Whoever is killed.
    let supervisor = Process::open(first.id()).unwrap();
    host.kill_daemon();
    supervisor.kill_and_wait();
    until_free(&image);
    host.start_daemon();
}

#[test]
fn a_root_is_an_image_with_ids_of_its_own_or_without() {
    let Some(host) = Host::new("a_root_is_an_image_with_ids_of_its_own_or_without") else {
        return;
    };
    let image = image(&host, "root.img", &host.tree.path);
    let ids = "<idmap><uid start='0' target='100000' count='65536'/>\
               <gid start='0' target='100000' count='65536'/></idmap>";
    for (name, ids) in [("plain", ""), ("ids", ids)] {
        let document = probe(host.document(name).without_root())
            .element(ids)
            .device(&file(&image, "/", ""))
            .os("<initenv name='PROBE_WRITE'>/file</initenv>");
        let (domain, facts) = Facts::of(&host, &document);
        assert_eq!(facts.mount("/").kind, "ext4");
        assert_eq!(facts.of_word("write", "/file"), "yes");
        domain.destroy().unwrap();
        until_free(&image);
    }
    let document = probe(host.document("ro").without_root())
        .device(&file(&image, "/", "<readonly/>"))
        .os("<initenv name='PROBE_WRITE'>/file</initenv>");
    // What mount points it needs, the first two have made.
    let (domain, facts) = Facts::of(&host, &document);
    assert!(facts.mount("/").has("ro"));
    assert_eq!(facts.of_word("write", "/file"), "no");
    domain.destroy().unwrap();
    until_free(&image);
}

#[test]
fn a_block_device_is_mounted_and_is_not_the_containers() {
    let Some(host) = Host::new("a_block_device_is_mounted_and_is_not_the_containers") else {
        return;
    };
    let device = Device::of(&image(&host, "disk.img", &content(&host)));
    let block = |more| filesystem("block", &format!("dev='{}'", device.0), "/disk", more);
    // Root inside finds the node, and does not open it.
    let script = format!(
        "cat /disk/file; mkdir -p /host && mount -t devtmpfs none /host && \
         if (: </host/{}) 2>/dev/null; then echo opens; else echo is shut; fi; umount /host; \
         (echo new >/disk/new) 2>/dev/null && echo writes; echo tried; while read line; do :; done",
        device.0.trim_start_matches("/dev/")
    );
    let tried = |name, more| {
        let domain = host.run(&host.document(name).script(&script).device(&block(more)));
        let printed = domain.console().wait_for("tried\r\n");
        assert!(printed.contains("what is in the image"), "{printed}");
        assert!(printed.contains("is shut"), "{printed}");
        domain.destroy().unwrap();
        printed
    };
    assert!(tried("write", "").contains("writes"));
    assert!(!tried("read", "<readonly/>").contains("writes"));
}

#[test]
fn what_is_no_file_system_is_an_error_that_says_so() {
    let Some(host) = Host::new("what_is_no_file_system_is_an_error_that_says_so") else {
        return;
    };
    let zeros = host.directory.join("zeros.img");
    fs::File::create(&zeros).unwrap().set_len(1 << 20).unwrap();
    let directory = host.directory.join("directory");
    fs::create_dir(&directory).unwrap();
    let refused = |device: String, expected: &str| {
        let failure = host.bus().create_xml(host.document("no").device(&device)).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}, not {expected:?}");
    };
    refused(file(&zeros, "/data", ""), "it has no known file system; known are btrfs");
    refused(file(&directory, "/data", "<readonly/>"), "it is no regular file");
    refused(file(&host.directory.join("none"), "/data", ""), "No such file or directory");
    let block = |path: &str| filesystem("block", &format!("dev='{path}'"), "/data", "");
    refused(block("/dev/null"), "it is no block device");
    host.assert_idle();
}

#[test]
fn a_template_stays_as_it_is_and_changes_last_as_long_as_the_domain() {
    let name = "a_template_stays_as_it_is_and_changes_last_as_long_as_the_domain";
    let Some(host) = Host::new(name) else { return };
    let template = filesystem("template", &format!("name='{}'", host.tree.path.display()), "/", "");
    let script = "cat /changed 2>/dev/null; echo changes >/changed; rm -rf /root; echo done; \
                  while read line; do :; done";
    let document = |name| host.document(name).without_root().script(script).device(&template);
    let domain = host.bus().define(document("kept")).unwrap();
    domain.create().unwrap();
    assert_eq!(domain.console().wait_for("done\r\n"), "");
    // Another one of the same template has nothing of it.
    let other = host.run(&document("other"));
    assert_eq!(other.console().wait_for("done\r\n"), "");
    domain.destroy().unwrap();
    domain.create().unwrap();
    assert_eq!(domain.console().wait_for("done\r\n"), "changes\r\n");
    domain.destroy().unwrap();
    assert!(host.tree.path.join("root").exists() && !host.tree.path.join("changed").exists());
    let overlays = host.paths.overlays();
    let left = || fs::read_dir(&overlays).unwrap().count();
    assert_eq!(left(), 2);
    other.destroy().unwrap();
    until("the changes of what is no more are removed", || left() == 1);
    domain.undefine().unwrap();
    until("the changes of what is no more are removed", || left() == 0);
}
