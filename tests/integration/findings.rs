//! What was found in libvirt's own driver and has no other test here: see the list in
//! `docs/security.md`.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::process::Process;
use crate::support::{Facts, Host, inventory, probe};

const IDS: &str = "<idmap><uid start='0' target='100000' count='65536'/>\
                   <gid start='0' target='100000' count='65536'/></idmap>";

/// Owners of the roots of all hierarchies and of the files in there.
fn owners_of_the_hosts_groups() -> Vec<String> {
    let mut owners = Vec::new();
    for root in inventory::hierarchies() {
        let files = fs::read_dir(&root).unwrap().map(|it| it.unwrap());
        let files = files.filter(|it| it.file_type().unwrap().is_file()).map(|it| it.path());
        for path in files.chain([root.clone()]) {
            let file = fs::metadata(&path).unwrap();
            owners.push(format!("{} {}:{}", path.display(), file.uid(), file.gid()));
        }
    }
    owners.sort_unstable();
    owners
}

#[test]
fn the_hosts_groups_are_not_given_to_a_container_with_ids_of_its_own() {
    let name = "the_hosts_groups_are_not_given_to_a_container_with_ids_of_its_own";
    let Some(host) = Host::new(name) else { return };
    let before = owners_of_the_hosts_groups();
    assert!(!before.is_empty());
    let domain = host.run(&host.document("ids").element(IDS));
    domain.assert_answers();
    assert_eq!(owners_of_the_hosts_groups(), before);
    domain.destroy().unwrap();
    assert_eq!(owners_of_the_hosts_groups(), before);
}

/// The record of the only container that runs.
fn record(host: &Host) -> PathBuf {
    let mut files = fs::read_dir(host.paths.runs()).unwrap().map(|it| it.unwrap().path());
    files.find(|it| it.extension().is_some_and(|it| it == "xml")).unwrap()
}

#[test]
fn a_record_of_another_process_ends_nobody() {
    let Some(mut host) = Host::new("a_record_of_another_process_ends_nobody") else {
        return;
    };
    let mut other = Command::new("busybox").args(["sleep", "100000"]).spawn().unwrap();
    let bystander = Process::open(other.id()).unwrap();
    let domain = host.bystander();
    let supervisor = domain.id();
    host.kill_daemon();
    let record = record(&host);
    let text = fs::read_to_string(&record).unwrap();
    let forged = text.replace(&format!("'{supervisor}'"), &format!("'{}'", other.id()));
    assert_ne!(forged, text);
    fs::write(&record, forged).unwrap();
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    // The container is found all the same, and ends.
    assert_eq!(domain.id(), supervisor);
    domain.assert_answers();
    domain.destroy().unwrap();
    host.assert_idle();

    // The same when nobody is there to be asked.
    let domain = host.bystander();
    let supervisor = Process::open(domain.id()).unwrap();
    let record = self::record(&host);
    let text = fs::read_to_string(&record).unwrap();
    host.kill_daemon();
    supervisor.kill_and_wait();
    let forged = text.replace(&format!("'{}'", supervisor.pid), &format!("'{}'", other.id()));
    fs::write(&record, forged).unwrap();
    host.start_daemon();
    assert!(host.bus().list(1).unwrap().is_empty());
    host.assert_idle();

    assert!(other.try_wait().unwrap().is_none(), "it was ended");
    bystander.kill();
    other.wait().unwrap();
}

#[test]
fn a_definition_that_finds_no_room_changes_nothing() {
    let Some(mut host) = Host::new("a_definition_that_finds_no_room_changes_nothing") else {
        return;
    };
    let directory = host.paths.definitions();
    host.stop_daemon();
    let small = Some("size=16k");
    mount(Some("test"), &directory, Some("tmpfs"), MsFlags::empty(), small).unwrap();
    host.start_daemon();
    let domain = host.bus().define(host.document("full")).unwrap();
    let before = domain.xml(0).unwrap();
    // As much as there is.
    let fill = fs::write(directory.join("fill"), vec![b'x'; 64 << 10]);
    assert_eq!(fill.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let other = before.replace("<uuid>", "<title>other</title><uuid>");
    let failure = host.bus().define(&other).unwrap_err();
    assert!(failure.text.contains("No space left on device"), "{failure:?}");
    assert_eq!(domain.xml(0).unwrap(), before);
    fs::remove_file(directory.join("fill")).unwrap();
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    assert_eq!(domain.xml(0).unwrap(), before);
    domain.undefine().unwrap();
    host.stop_daemon();
    umount2(&directory, MntFlags::MNT_DETACH).unwrap();
    host.start_daemon();
}

#[test]
fn a_source_is_where_its_path_leads() {
    let Some(host) = Host::new("a_source_is_where_its_path_leads") else {
        return;
    };
    let link = host.directory.join("link");
    symlink("/", &link).unwrap();
    let up = Path::new("/usr/..");
    for source in [link.as_path(), up] {
        let document = probe(host.document("host")).mount(source, "/host", true);
        let (domain, facts) = Facts::of(&host, &document);
        // Nothing of the host's /proc, and the daemon's sockets are covered.
        let inside = |it: &&str| it.starts_with("/host/proc") || it.starts_with("/host/sys");
        let mounts = facts.mounts();
        let targets: Vec<_> = mounts.iter().map(|it| it.target).collect();
        assert_eq!(targets.iter().copied().find(|it| inside(it)), None, "{targets:#?}");
        let run = format!("/host{}", host.paths.run.display());
        assert!(targets.contains(&run.as_str()), "{run} is not covered: {targets:#?}");
        domain.destroy().unwrap();
    }
}
