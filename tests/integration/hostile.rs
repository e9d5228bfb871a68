//! Root trees that are a trap: what is in them must not act outside of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::Host;

/// A directory of the host that nobody may touch, and the host around it.
fn with_victim(test: &str) -> Option<(Host, std::path::PathBuf)> {
    let host = Host::new(test)?;
    let victim = host.directory.join("victim");
    fs::create_dir(&victim).unwrap();
    Some((host, victim))
}

fn assert_untouched(victim: &Path) {
    let found: Vec<_> = fs::read_dir(victim).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// What a link may say to reach a directory of the host, wherever somebody has left the host.
fn ways_out(victim: &Path) -> Vec<String> {
    let path = victim.to_str().unwrap();
    let mut ways = vec![
        path.to_owned(),
        format!("/.oldroot{path}"),
        format!("/../../../../..{path}"),
        format!("/proc/1/root{path}"),
        format!("/proc/self/cwd{path}"),
        format!("/proc/{}/root{path}", std::process::id()),
    ];
    ways.extend((0..16).map(|fd| format!("/proc/self/fd/{fd}")));
    ways
}

#[test]
fn mount_points_behind_links_are_inside_or_refused() {
    let Some((host, victim)) = with_victim("mount_points_behind_links_are_inside_or_refused")
    else {
        return;
    };
    let source = host.directory.join("source");
    fs::create_dir(&source).unwrap();
    let groups = || crate::support::inventory::groups(&host.paths.partition);
    let link = host.tree.path.join("mnt");
    for way in ways_out(&victim) {
        symlink(&way, &link).unwrap();
        let document = host.document("way").mount(&source, "/mnt/new/place", false);
        // Either is well, as long as nothing happens outside.
        if let Ok(domain) = host.bus().create_xml(&document) {
            domain.assert_answers();
            assert!(!groups().iter().any(|it| it.ends_with("place")), "{way}");
            domain.destroy().unwrap();
        }
        assert_untouched(&victim);
        host.assert_idle();
        fs::remove_file(&link).unwrap();
    }
    let document =
        host.document("plain").mount(&source, &format!("/.oldroot{}", victim.display()), false);
    host.run(&document).assert_answers();
    assert_untouched(&victim);
}

#[test]
fn the_kernels_file_systems_are_where_they_belong_or_the_start_fails() {
    let name = "the_kernels_file_systems_are_where_they_belong_or_the_start_fails";
    let Some((host, victim)) = with_victim(name) else { return };
    fs::create_dir(host.tree.path.join("elsewhere")).unwrap();
    for top in ["dev", "proc", "sys"] {
        let path = host.tree.path.join(top);
        fs::remove_dir(&path).unwrap();
        let mut ways = ways_out(&victim);
        ways.push("/elsewhere".to_owned());
        for way in ways {
            symlink(&way, &path).unwrap();
            let failure = host.bus().create_xml(host.document("link")).unwrap_err();
            let expected = format!("/{top}: Too many symbolic links encountered");
            assert!(failure.text.ends_with(&expected), "{way}: {failure:?}");
            assert_untouched(&victim);
            host.assert_idle();
            fs::remove_file(&path).unwrap();
        }
        fs::create_dir(&path).unwrap();
    }
    host.run(&host.document("well")).assert_answers();
}

#[test]
fn a_mount_point_that_turns_into_a_link_leads_nowhere() {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    use std::sync::atomic::{AtomicBool, Ordering};

    let Some((host, victim)) = with_victim("a_mount_point_that_turns_into_a_link_leads_nowhere")
    else {
        return;
    };
    let source = host.directory.join("source");
    fs::create_dir(&source).unwrap();
    let (place, link) = (host.tree.path.join("mnt"), host.tree.path.join("link"));
    fs::create_dir(&place).unwrap();
    symlink(&victim, &link).unwrap();
    let document = host.document("race").mount(&source, "/mnt/new/place", false);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &place, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        for _ in 0..20 {
            // It starts or it does not, as the moment has it.
            if let Ok(domain) = host.bus().create_xml(&document) {
                domain.destroy().unwrap();
            }
            // A link that leads nowhere inside may have been made a directory there.
            assert_untouched(&victim);
        }
        over.store(true, Ordering::Relaxed);
    });
    host.assert_idle();
}
