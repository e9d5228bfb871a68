//! The file systems of a document by their types.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::{Facts, Host, probe};

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
