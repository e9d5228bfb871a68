//! The process beside each container: what it may do, and what a container can do to it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::support::process::{Process, only_child};
use crate::support::{Host, until};

fn status(process: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|it| it.strip_prefix(field)?.strip_prefix(":\t"));
    line.unwrap().to_owned()
}

#[test]
fn it_has_no_right_that_it_does_not_need() {
    let Some(host) = Host::new("it_has_no_right_that_it_does_not_need") else {
        return;
    };
    let domain = host.run(&host.document("ends").element("<on_reboot>destroy</on_reboot>"));
    domain.assert_answers();
    let supervisor = domain.id();
    // It gives them up after it has said that the container runs.
    until("the supervisor gives up its rights", || status(supervisor, "NoNewPrivs") == "1");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(supervisor, set), "0000000000000000", "{set}");
    }
    let memory = fs::metadata(format!("/proc/{supervisor}/mem")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&memory), 0);
    let init = only_child(supervisor);
    let oom = |process| fs::read_to_string(format!("/proc/{process}/oom_score_adj")).unwrap();
    assert_eq!(oom(init), oom(host.daemon_pid()), "init is as likely to go as the daemon");
    assert_eq!(status(init, "NoNewPrivs"), "0");

    assert_eq!(status(supervisor, "Seccomp"), "2", "it may call little");

    // One that has to start the container again has what that needs, out of effect.
    let domain = host.run(&host.document("again"));
    domain.assert_answers();
    until("capabilities are out of effect", || status(domain.id(), "CapEff") == "0000000000000000");
    let kept = u64::from_str_radix(&status(domain.id(), "CapPrm"), 16).unwrap();
    for useless in [16, 17, 25, 39] {
        assert_eq!(kept & 1 << useless, 0, "capability {useless} in {kept:x}");
    }
    assert_eq!(status(domain.id(), "CapBnd"), status(domain.id(), "CapPrm"));

    // One that has to take back network devices has what that needs.
    let link = "<interface type='ethernet'><ip address='192.0.2.2' prefix='24'/></interface>";
    let linked = host.document("linked").device(link);
    let domain = host.run(&linked.element("<on_reboot>destroy</on_reboot>"));
    domain.assert_answers();
    until("the supervisor gives up its rights", || status(domain.id(), "Seccomp") == "2");
    assert_eq!(status(domain.id(), "CapPrm"), "0000000000001000");
    assert_eq!(status(domain.id(), "CapEff"), "0000000000000000");
    domain.destroy().unwrap();
    host.assert_only(&[]);
}

#[test]
fn one_that_may_call_little_does_all_its_work() {
    let Some(mut host) = Host::new("one_that_may_call_little_does_all_its_work") else {
        return;
    };
    let log = host.directory.join("console.log");
    let script = "echo ready; while read line; do \
                  case \"$line\" in end) exit 7;; size) stty size;; esac; echo \"got $line\"; done";
    let consoles = format!(
        "<console type='pty'><log file='{}' append='off'/></console><console type='pty'/>",
        log.display()
    );
    let document = host
        .document("little")
        .script(script)
        .consoles(0)
        .device(&consoles)
        .device("<interface type='ethernet'><ip address='192.0.2.2' prefix='24'/></interface>")
        .element("<on_reboot>destroy</on_reboot>");
    let domain = host.run(&document);
    until("the supervisor gives up its calls", || status(domain.id(), "Seccomp") == "2");
    domain.assert_answers();
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    domain.assert_answers();
    let mut console = domain.console();
    // More than its buffers hold.
    for number in 0..2000 {
        console.type_line(&format!("line {number}"));
        console.wait_for(&format!("got line {number}\r\n"));
    }
    until("the log holds the last line", || {
        fs::read_to_string(&log).unwrap().contains("got line 1999")
    });
    let supervisor = crate::support::process::Process::open(domain.id()).unwrap();
    console.type_line("end");
    supervisor.wait();
    until("the container is gone", || host.bus().list(1).unwrap().is_empty());
    host.assert_idle();
    host.assert_only(&[]);
    let said = fs::read_to_string(host.paths.logs().join("little.log")).unwrap();
    assert!(said.contains("init exited with status 7"), "{said}");
    assert!(!said.contains("cannot"), "something went wrong: {said}");
}

fn arguments(process: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    text.split('\0').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// Of any thread: the daemon executes it beside everything else.
fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of = |task: std::io::Result<fs::DirEntry>| {
        fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()
    };
    let text: Vec<String> = tasks.map(of).collect();
    text.iter().flat_map(|it| it.split_whitespace()).map(|it| it.parse().unwrap()).collect()
}

#[test]
fn one_waits_for_its_container_and_ends_with_the_daemon() {
    let Some(mut host) = Host::new("one_waits_for_its_container_and_ends_with_the_daemon") else {
        return;
    };
    let spare = |daemon| {
        let is_spare = |it: &u32| arguments(*it).last().is_some_and(|it| it.trim().is_empty());
        children(daemon).into_iter().find(is_spare)
    };
    let daemon = host.daemon_pid();
    until("a supervisor waits", || spare(daemon).is_some());
    let waiting = spare(daemon).unwrap();
    let domain = host.run(&host.document("first"));
    assert_eq!(domain.id(), waiting, "the container has the one that waited");
    until("it has the domain's name", || arguments(waiting).last().unwrap() == "first");
    until("the next one waits", || spare(daemon).is_some_and(|it| it != waiting));

    // One that is gone is no start that fails.
    Process::open(spare(daemon).unwrap()).unwrap().kill_and_wait();
    let second = host.run(&host.document("second"));
    second.assert_answers();

    until("the next one waits", || spare(daemon).is_some());
    let last = Process::open(spare(daemon).unwrap()).unwrap();
    host.stop_daemon();
    last.wait();
    host.start_daemon();
    let last = {
        until("a supervisor waits", || spare(host.daemon_pid()).is_some());
        Process::open(spare(host.daemon_pid()).unwrap()).unwrap()
    };
    host.kill_daemon();
    last.wait();
    host.start_daemon();
}

#[test]
fn its_program_cannot_be_written_by_anybody() {
    let Some(host) = Host::new("its_program_cannot_be_written_by_anybody") else {
        return;
    };
    let program = Path::new(env!("CARGO_BIN_EXE_nsvirt-lxc"));
    let before = fs::metadata(program).unwrap();
    // Init is what executes it: for the container, /proc/self/exe is the supervisor's program.
    let script = host.tree.path.join("trick");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let trick = host.document("trick").init("/trick", &[]);
    let failure = host.bus().create_xml(&trick).unwrap_err();
    assert!(failure.text.contains("cannot execute init /trick"), "{failure:?}");
    host.assert_idle();

    let domain = host.bystander();
    let exe = format!("/proc/{}/exe", domain.id());
    let link = fs::read_link(&exe).unwrap();
    assert!(link.to_str().unwrap().starts_with("/memfd:nsvirt-lxc"), "{}", link.display());
    let written = File::options().write(true).open(&exe).and_then(|mut it| it.write_all(b"#!"));
    assert!(written.is_err(), "{written:?}");
    let after = fs::metadata(program).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    domain.assert_answers();
}

#[test]
fn a_container_out_of_memory_loses_a_process_and_not_its_supervisor() {
    let name = "a_container_out_of_memory_loses_a_process_and_not_its_supervisor";
    let Some(host) = Host::new(name) else { return };
    // tail keeps the last line, and this one has no end.
    let script = "echo ready; for it in 1 2 3; do tail /dev/zero; echo \"lost $it\"; done; \
                  while read line; do echo \"got $line\"; done";
    let domain = host.run(&host.document("oom").memory(32768).script(script));
    let mut console = domain.console();
    for number in 1..=3 {
        console.wait_for(&format!("lost {number}\r\n"));
    }
    console.type_line("still here");
    console.wait_for("got still here\r\n");
    assert_eq!(domain.state().0, 1);
}

#[test]
fn a_console_is_fast_and_costs_no_more_memory_for_that() {
    let name = "a_console_is_fast_and_costs_no_more_memory_for_that";
    let Some(host) = Host::new(name) else { return };
    let script = "echo ready; read line; \
                  dd if=/dev/zero bs=1024 count=20480 2>/dev/null | tr '\\0' x; echo; touch /tmp/through; echo end; \
                  read line";
    let domain = host.run(&host.document("fast").script(script));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    let resident = || {
        let text = fs::read_to_string(format!("/proc/{}/statm", domain.id())).unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = resident();
    console.type_line("go");
    // Nobody reads until the container is through.
    until("20 MiB are through", || host.tree.path.join("tmp/through").exists());
    console.wait_for("end\r\n");
    let pages = resident().saturating_sub(before);
    assert!(pages < 256, "{pages} pages more");
}

#[test]
fn a_log_holds_all_that_a_console_prints() {
    let Some(host) = Host::new("a_log_holds_all_that_a_console_prints") else {
        return;
    };
    let (log, other) = (host.directory.join("first.log"), host.directory.join("second.log"));
    fs::write(&log, "before\n").unwrap();
    fs::write(&other, "before\n").unwrap();
    // A mebibyte, which nobody reads: more than any terminal or buffer holds.
    let script = "echo begin; seq 1 150000; echo end >/dev/tty2; \
                  while read line; do if [ \"$line\" = reboot ]; then reboot -f; fi; done";
    let consoles = format!(
        "<console type='pty'><log file='{}' append='off'/></console>\
         <console type='pty'><log file='{}' append='on'/></console>",
        log.display(),
        other.display()
    );
    let document = host.document("log").script(script).consoles(0).device(&consoles);
    let domain = host.run(&document);
    let printed: String = (1..=150_000).map(|number| format!("{number}\r\n")).collect();
    let once = format!("begin\r\n{printed}");
    let holds = |path: &Path, text: &str| fs::read_to_string(path).unwrap() == text;
    until("the second log holds its line", || holds(&other, "before\nend\r\n"));
    until("the first log holds all and no more", || holds(&log, &once));
    // Typed lines are printed as well: the terminal echoes them.
    domain.console().type_line("reboot");
    until("the log goes on over a reboot", || {
        let text = fs::read_to_string(&log).unwrap();
        text.starts_with(&once) && text.ends_with(&once) && text.len() > 2 * once.len()
    });
    domain.destroy().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&log).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o644, "it was there, and keeps its mode");

    for (path, expected) in [
        ("relative", "expected a path from the root on"),
        ("/missing/log", "open console log /missing/log: No such file or directory"),
        ("/dev/null", "it is no regular file"),
    ] {
        let console = format!("<console type='pty'><log file='{path}'/></console>");
        let document = host.document("bad").consoles(0).device(&console);
        let failure = host.bus().create_xml(&document).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}");
        host.assert_idle();
    }
}
