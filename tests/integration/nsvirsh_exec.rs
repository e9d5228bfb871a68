//! `nsvirsh exec` and `nsvirsh lxc-enter-namespace`, as a user runs them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Host, Said};

#[test]
fn exec_passes_input_output_and_status() {
    let Some(host) = Host::new("exec_passes_input_output_and_status") else { return };
    let _domain = host.run(&host.document("c"));
    let sh = host.nsvirsh();
    let script = "cat; echo bad >&2; exit 3";
    let (said, status) = sh.feed(&["exec", "c", "--", "sh", "-c", script], "one\ntwo\n");
    let (out, err) = ("one\ntwo\n".to_owned(), "bad\n".to_owned());
    assert_eq!((said, status), (Said { out, err, good: false }, Some(3)));
    assert_eq!(sh.run(&["exec", "c", "echo", "hi"]), Said::good("hi\n"));
    // More than any pipe holds, both ways.
    let much = "0123456789abcde\n".repeat(65_536);
    assert_eq!(sh.feed(&["exec", "c", "--", "cat"], &much).0, Said::good(&much));
    // Input that nobody reads.
    assert_eq!(sh.feed(&["exec", "c", "--", "true"], "").1, Some(0));
    let killed = ["exec", "c", "--", "sh", "-c", "kill -9 $$"];
    assert_eq!(sh.feed(&killed, "").1, Some(128 + 9));
    let options = ["exec", "c", "--env", "A=b", "--env", "C=d", "--dir", "/tmp", "--user", "+5:+6"];
    let script = "echo $A $C; pwd; id -u; id -g";
    let said = sh.run(&[&options[..], &["--", "sh", "-c", script]].concat());
    assert_eq!(said, Said::good("b d\n/tmp\n5\n6\n"));
    // What is left behind holds nobody up.
    let script = "sleep 1000 & echo left";
    assert_eq!(sh.run(&["exec", "c", "--", "sh", "-c", script]), Said::good("left\n"));
    let (failed, status) = sh.feed(&["exec", "c", "--", "nope"], "");
    assert!(failed.err.contains("cannot execute in the container: nope: No such file"));
    assert_eq!(status, Some(1));
    assert_eq!(sh.run(&["exec", "c"]), Said::bad(&["command 'exec' requires <command> option"]));
    let both = sh.run(&["exec", "c", "--tty", "--no-tty", "--", "true"]);
    assert_eq!(both, Said::bad(&["Options --tty and --no-tty are mutually exclusive"]));
    let denied = "operation forbidden: read only access prevents virDomainLxcOpenNamespace";
    assert_eq!(sh.run(&["-r", "exec", "c", "true"]), Said::bad(&[denied]));
}

#[test]
fn exec_on_a_terminal_has_one_with_its_size() {
    let Some(host) = Host::new("exec_on_a_terminal_has_one_with_its_size") else { return };
    let _domain = host.run(&host.document("c"));
    // What waits for another process sees a signal at once.
    let script = "trap 'stty size; kill $!' WINCH; sleep 1000 & tty; echo $TERM; stty size; \
                  echo set; wait; wait; read l; echo got $l; exit 7";
    let arguments = ["exec", "c", "--", "sh", "-c", script];
    let (mut console, mut child) = host.nsvirsh().on_terminal(&arguments, 30, 90);
    let printed = console.wait_for("set\r\n");
    assert_eq!(printed, "/dev/pts/1\r\nvt220\r\n30 90\r\n");
    console.resize(40, 100);
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGWINCH).unwrap();
    console.wait_for("40 100\r\n");
    console.type_line("word");
    console.wait_for("got word\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(7));
    // Without one though there is one; and a signal is passed on.
    let arguments = ["exec", "c", "--no-tty", "--", "sh", "-c", "tty; echo set; exec cat"];
    let (mut console, mut child) = host.nsvirsh().on_terminal(&arguments, 30, 90);
    assert_eq!(console.wait_for("set\r\n"), "not a tty\r\n");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}

#[test]
fn lxc_enter_namespace_says_what_virsh_says() {
    let Some(host) = Host::new("lxc_enter_namespace_says_what_virsh_says") else { return };
    let user = "<inituser>+1000</inituser><initgroup>+1000</initgroup>";
    let domain = host.bus().define(host.document("c").os(user)).unwrap();
    let sh = host.nsvirsh();
    let enter = |words: &[&str]| sh.run(&[&["lxc-enter-namespace"], words].concat());
    let off = "Requested operation is not valid: domain is not running";
    assert_eq!(
        enter(&["c", "--", "/bin/true"]).err.lines().last(),
        Some(&*format!("error: {off}"))
    );
    domain.create().unwrap();
    for label in [&["c", "--noseclabel", "--"][..], &["c", "--"], &["c"]] {
        assert_eq!(enter(&[label, &["/bin/echo", "hi"]].concat()), Said::good("hi\n"));
    }
    assert_eq!(enter(&["c", "/bin/id", "-u"]), Said::good("0\n"));
    let ends =
        [("exit 3", "unexpected exit status 3"), ("kill -9 $$", "unexpected fatal signal 9")];
    for (script, text) in ends {
        let (said, status) =
            sh.feed(&["lxc-enter-namespace", "c", "--", "/bin/sh", "-c", script], "");
        assert!(said.err.starts_with("error: internal error: Child process ("), "{said:?}");
        assert!(said.err.ends_with(&format!(") {text}\n")), "{said:?}");
        assert_eq!(status, Some(1));
    }
    let missing = "command 'lxc-enter-namespace' requires <cmd> option";
    assert_eq!(enter(&["c"]), Said::bad(&[missing]));
    assert_eq!(enter(&["nope", "/bin/true"]), Said::bad(&["failed to get domain 'nope'"]));
}
