//! The daemon goes and comes; containers do not care.

use std::fs;

use crate::support::process::{Process, only_child};
use crate::support::{Domain, Host, Step, until};

/// The same domain, asked through the daemon that runs now.
fn again(host: &Host, domain: &Domain) -> Domain {
    host.bus().at(&domain.path)
}

#[test]
fn containers_outlive_the_daemon() {
    let Some(mut host) = Host::new("containers_outlive_the_daemon") else {
        return;
    };
    let running = host.bus().define(host.document("running")).unwrap();
    running.create().unwrap();
    running.assert_answers();
    let transient = host.run(&host.document("transient"));
    let paused = host.run(&host.document("paused"));
    paused.suspend().unwrap();
    let resumed = host.run(&host.document("resumed"));
    resumed.suspend().unwrap();
    resumed.resume().unwrap();
    let mut console = running.console();
    let all = [&running, &transient, &paused, &resumed];
    let facts = |domain: &Domain| {
        let persistent: bool = domain.property("Persistent");
        let init = only_child(domain.id());
        (domain.id(), domain.state(), persistent, domain.xml(0).unwrap(), init)
    };
    let before = all.map(facts);
    let inventory = host.inventory();
    for gently in [false, true, false] {
        if gently {
            host.stop_daemon();
        } else {
            host.kill_daemon();
        }
        // A console that is open goes on without a daemon.
        console.type_line("alone");
        console.wait_for("got alone\r\n");
        host.start_daemon();
        let domains = all.map(|it| again(&host, it));
        for (domain, before) in domains.iter().zip(&before) {
            assert_eq!(facts(domain), *before);
        }
        inventory.assert_same(&host.inventory(), "after a restart of the daemon");
    }
    drop(console);
    let events = host.bus().events();
    let [running, transient, paused, resumed] = all.map(|it| again(&host, it));
    paused.resume().unwrap();
    for domain in [&running, &transient, &paused, &resumed] {
        domain.assert_answers();
    }
    events.expect(&paused, &[Step::RESUMED]);
    running.destroy().unwrap();
    transient.destroy().unwrap();
    events.expect(&running, &[Step::DESTROYED]);
    events.expect(&transient, &[Step::DESTROYED]);
    assert_eq!(running.state(), (5, 2));
    assert!(host.bus().by_name("transient").is_err());
}

#[test]
fn what_was_stopped_or_let_go_on_without_a_daemon_is_seen() {
    let name = "what_was_stopped_or_let_go_on_without_a_daemon_is_seen";
    let Some(mut host) = Host::new(name) else {
        return;
    };
    let stopped = host.run(&host.document("stopped"));
    stopped.suspend().unwrap();
    stopped.resume().unwrap();
    let goes_on = host.run(&host.document("goes-on"));
    goes_on.suspend().unwrap();
    host.kill_daemon();
    let freezer = |domain, v1, v2| {
        let unified = host.group("unified", domain, "payload").join("cgroup.freeze");
        if unified.exists() {
            fs::write(unified, v2).unwrap();
        } else {
            fs::write(host.group("freezer", domain, "payload").join("freezer.state"), v1).unwrap();
        }
    };
    freezer("stopped", "FROZEN", "1");
    freezer("goes-on", "THAWED", "0");
    host.start_daemon();
    let (stopped, goes_on) = (again(&host, &stopped), again(&host, &goes_on));
    assert_eq!(stopped.state(), (3, 1));
    assert_eq!(goes_on.state(), (1, 5));
    goes_on.assert_answers();
    stopped.resume().unwrap();
    stopped.assert_answers();
}

#[test]
fn what_ended_without_a_daemon_is_seen_by_the_next() {
    let name = "what_ended_without_a_daemon_is_seen_by_the_next";
    let Some(mut host) = Host::new(name) else {
        return;
    };
    let script = "read line; exit 3";
    let kept = host.bus().define(host.document("kept").script(script)).unwrap();
    kept.create().unwrap();
    let brief = host.run(&host.document("brief").script(script));
    let killed = host.bus().define(host.document("killed")).unwrap();
    killed.create().unwrap();
    let supervisors = [&kept, &brief, &killed].map(|it| Process::open(it.id()).unwrap());
    let consoles = [kept.console(), brief.console()];
    host.kill_daemon();
    for mut console in consoles {
        console.type_line("");
    }
    supervisors[2].kill();
    for supervisor in supervisors {
        supervisor.wait();
    }
    host.start_daemon();
    assert_eq!(again(&host, &kept).state(), (5, 1));
    assert_eq!(again(&host, &kept).end().get::<i32>("status"), 3);
    assert_eq!(again(&host, &killed).state(), (5, 6));
    assert!(host.bus().by_name("brief").is_err());
    host.assert_idle();
    // And they start again.
    again(&host, &killed).create().unwrap();
    again(&host, &killed).assert_answers();
}

#[test]
fn events_and_ends_reach_the_daemon_that_came_later() {
    let name = "events_and_ends_reach_the_daemon_that_came_later";
    let Some(mut host) = Host::new(name) else {
        return;
    };
    let script = "echo ready; while read line; do if [ $line = reboot ]; then reboot -f; \
                  else exit 0; fi; done";
    let domain = host.run(&host.document("later").script(script));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    host.kill_daemon();
    // A reboot that no daemon sees.
    console.type_line("reboot");
    console.wait_for("ready\r\n");
    host.start_daemon();
    let events = host.bus().events();
    console.type_line("reboot");
    console.wait_for("ready\r\n");
    console.type_line("end");
    events.expect(&domain, &[Step::Reboot, Step::SHUT_DOWN]);
    host.assert_idle();
}

#[test]
fn killed_amid_starts_the_daemon_finds_its_way_back() {
    let name = "killed_amid_starts_the_daemon_finds_its_way_back";
    let Some(mut host) = Host::new(name) else {
        return;
    };
    const COUNT: usize = 12;
    let define = |number| host.bus().define(host.document(&format!("start{number}"))).unwrap();
    let domains: Vec<Domain> = (0..COUNT).map(define).collect();
    // Killed after the first, the third, the sixth has said that it runs; others are on their way.
    for started in [0, 1, 3, 6] {
        let events = host.bus().events();
        for domain in &domains {
            let domain = again(&host, domain);
            let bus = domain.bus.clone();
            crate::support::bus::runtime().spawn(async move {
                let interface = Some("org.libvirt.Domain");
                let call = bus.0.call_method(
                    Some("org.libvirt"),
                    &*domain.path,
                    interface,
                    "Create",
                    &0_u32,
                );
                // The daemon dies under it.
                let _ = call.await;
            });
        }
        for _ in 0..started {
            assert_eq!(events.next().1, Step::STARTED);
        }
        host.kill_daemon();
        host.start_daemon();
        for domain in domains.iter().map(|it| again(&host, it)) {
            match domain.state().0 {
                1 => {
                    domain.assert_answers();
                    domain.destroy().unwrap();
                }
                state => assert_eq!(state, 5),
            }
        }
        host.assert_idle();
    }
    for domain in &domains {
        again(&host, domain).create().unwrap();
        again(&host, domain).assert_answers();
    }
}

#[test]
fn a_prefix_has_one_daemon() {
    let Some(mut host) = Host::new("a_prefix_has_one_daemon") else {
        return;
    };
    let bystander = host.bystander();
    let printed = host.try_daemon().unwrap_err();
    let run = host.paths.run.display();
    let expected = format!("operation failed: another nsvirtd uses {run}; choose another --prefix");
    assert!(printed.contains(&expected), "{printed}");
    assert!(printed.contains("exit status: 1"), "{printed}");
    bystander.assert_answers();
    host.stop_daemon();
    host.start_daemon();
    again(&host, &bystander).assert_answers();
}

#[test]
fn autostart_is_once_per_boot() {
    let Some(mut host) = Host::new("autostart_is_once_per_boot") else {
        return;
    };
    let wanted = host.bus().define(host.document("wanted")).unwrap();
    let other = host.bus().define(host.document("other")).unwrap();
    wanted.set("Autostart", true).unwrap();
    assert_eq!(
        wanted.set("Autostart", "yes").unwrap_err().name,
        "org.freedesktop.DBus.Error.InvalidArgs"
    );
    host.stop_daemon();
    // As after a boot, where the run directory is new.
    fs::remove_file(host.paths.run.join("autostarted")).unwrap();
    host.start_daemon();
    let (wanted, other) = (again(&host, &wanted), again(&host, &other));
    assert!(wanted.property::<bool>("Autostart"));
    // It is under way when the daemon is ready; its event may have come before anybody asked.
    until("it is started", || wanted.state().0 == 1);
    wanted.assert_answers();
    assert_eq!(other.state().0, 5);
    wanted.destroy().unwrap();
    host.stop_daemon();
    host.start_daemon();
    assert_eq!(again(&host, &wanted).state().0, 5);
    assert!(again(&host, &wanted).property::<bool>("Autostart"));
    // As after a boot of a host whose run directory is not in memory.
    host.stop_daemon();
    let marker = host.paths.run.join("autostarted");
    assert_ne!(fs::read_to_string(&marker).unwrap(), "");
    fs::write(&marker, "another boot\n").unwrap();
    host.start_daemon();
    until("it is started", || again(&host, &wanted).state().0 == 1);
    again(&host, &wanted).destroy().unwrap();
    // Switched off, it stays off after the next boot.
    again(&host, &wanted).set("Autostart", false).unwrap();
    host.stop_daemon();
    fs::remove_file(host.paths.run.join("autostarted")).unwrap();
    host.start_daemon();
    assert!(!again(&host, &wanted).property::<bool>("Autostart"));
    assert_eq!(host.bus().list(1).unwrap(), Vec::<String>::new());
}

#[test]
fn definitions_survive_and_broken_ones_are_kept() {
    let name = "definitions_survive_and_broken_ones_are_kept";
    let Some(mut host) = Host::new(name) else {
        return;
    };
    let good = host.bus().define(host.document("good")).unwrap();
    let xml = good.xml(2).unwrap();
    host.stop_daemon();
    let broken: [(&str, &[u8]); 5] = [
        ("bytes", b"<domain type='lxc'><name>bytes\xff\xfe</name></domain>"),
        ("empty", b""),
        ("half", b"<domain type='lxc'><name>half</na"),
        ("moved", xml.as_bytes()),
        ("zeros", &[0; 4096]),
    ];
    for (name, bytes) in broken {
        fs::write(host.paths.definitions().join(format!("{name}.xml")), bytes).unwrap();
    }
    fs::write(host.paths.definitions().join("good.xml.new"), "half written").unwrap();
    host.start_daemon();
    assert_eq!(host.bus().list(0).unwrap(), [good.path.as_str()]);
    assert_eq!(again(&host, &good).xml(2).unwrap(), xml);
    let log = host.log();
    for (name, bytes) in broken {
        let file = host.paths.definitions().join(format!("{name}.xml"));
        assert!(log.contains(&format!("skipping {}", file.display())), "{name}: {log}");
        assert_eq!(fs::read(file).unwrap(), bytes, "{name}");
    }
    again(&host, &good).create().unwrap();
    again(&host, &good).assert_answers();
}

#[test]
fn a_broken_record_does_not_stop_the_daemon() {
    let name = "a_broken_record_does_not_stop_the_daemon";
    let Some(mut host) = Host::new(name) else {
        return;
    };
    let bystander = host.bystander();
    host.kill_daemon();
    let record = host.paths.runs().join("00000000-0000-4000-8000-000000000000.xml");
    for bytes in [&b"\xff\xfe"[..], b"", b"<domstatus pid='x' reason='1'/>", b"<domstatus pid='1'"]
    {
        fs::write(&record, bytes).unwrap();
        host.start_daemon();
        again(&host, &bystander).assert_answers();
        let log = host.log();
        assert!(log.contains("skipping record"), "{log}");
        host.kill_daemon();
    }
    fs::remove_file(record).unwrap();
    host.start_daemon();
}

#[test]
fn a_container_is_found_again_without_its_record() {
    let name = "a_container_is_found_again_without_its_record";
    let Some(mut host) = Host::new(name) else {
        return;
    };
    let bystander = host.bystander();
    let document = host.document("lost").element("<title>kept</title>");
    let domain = host.bus().define(&document).unwrap();
    domain.create().unwrap();
    let before = domain.xml(0).unwrap();
    let record = |domain: &Domain| {
        let uuid: String = domain.property("UUID");
        host.paths.runs().join(format!("{uuid}.xml"))
    };
    let (lost, whole) = (record(&domain), fs::read(record(&bystander)).unwrap());
    domain.suspend().unwrap();
    let broken: [Option<&[u8]>; 4] = [None, Some(b""), Some(b"<domstatus"), Some(&whole)];
    for bytes in broken {
        host.kill_daemon();
        match bytes {
            None => fs::remove_file(&lost).unwrap(),
            Some(bytes) => fs::write(&lost, bytes).unwrap(),
        }
        host.start_daemon();
        let domain = again(&host, &domain);
        assert_eq!(domain.state(), (3, 1), "{bytes:?}");
        assert_eq!(domain.xml(0).unwrap(), before);
        assert!(fs::read_to_string(&lost).unwrap().contains("<name>lost</name>"));
        again(&host, &bystander).assert_answers();
    }
    let domain = again(&host, &domain);
    domain.resume().unwrap();
    domain.assert_answers();
    domain.destroy().unwrap();
    // With nobody who has it, and nobody who runs.
    domain.create().unwrap();
    let supervisor = Process::open(domain.id()).unwrap();
    host.kill_daemon();
    supervisor.kill_and_wait();
    fs::write(&lost, "").unwrap();
    host.start_daemon();
    let domain = again(&host, &domain);
    assert_eq!(domain.state().0, 5);
    domain.create().unwrap();
    domain.assert_answers();
}
