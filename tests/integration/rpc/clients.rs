//! Programs of Debian's that are made with libvirt's library, or speak its protocol, unmodified.
//!
//! Each test needs one program, and says so where it is missing. `scripts/check.sh` installs them.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::raw::{message, socket, uri};
use crate::support::libvirt::say;
use crate::support::process::readable;
use crate::support::{Host, until};

/// A host, where there is the program.
fn host(test: &str, program: &str) -> Option<Host> {
    if !Path::new(program).exists() {
        assert!(std::env::var_os("NSVIRT_CHECK_ALL").is_none(), "{program} is not there");
        say(&format!("needs {program}: {test}"));
        return None;
    }
    Host::new(test)
}

/// Runs a script where the daemon's sockets are in the place where clients look for them.
fn at_home(host: &Host, script: &str) -> Output {
    // Whatever does not come to an end is ended, so that the test says what it printed.
    let script = format!("set -e\nmount --bind \"$1\" /run/libvirt\n{script}");
    Command::new("timeout")
        .args(["--kill-after=1", "60", "unshare", "--mount", "--net", "--pid", "--fork"])
        .args(["--kill-child", "--propagation", "private", "sh", "-c", &script, "sh"])
        .args([&host.paths.libvirt, &host.directory])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{out}{error}({})", output.status)
}

#[test]
fn virsh_finds_the_daemon_without_being_told() {
    let test = "virsh_finds_the_daemon_without_being_told";
    let Some(host) = host(test, "/usr/bin/virsh") else { return };
    host.run(&host.document("home"));
    let output = at_home(&host, "virsh -c lxc:///system list --name");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "home", "{}", text(&output));
}

#[test]
fn the_ssh_helper_reaches_the_daemon() {
    let Some(host) = host("the_ssh_helper_reaches_the_daemon", "/usr/bin/virt-ssh-helper") else {
        return;
    };
    let mut helper = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .arg("mount --bind \"$1\" /run/libvirt && exec virt-ssh-helper lxc:///system")
        .args([Path::new("sh"), &host.paths.libvirt])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // What a client on another host sends through ssh: which authentications there are.
    let question = message(super::raw::REMOTE, [66, 0, 1, 0], &[]);
    helper.stdin.as_mut().unwrap().write_all(&question).unwrap();
    let expected = message(super::raw::REMOTE, [66, 1, 1, 0], &super::raw::words(&[1, 0]));
    let mut answer = vec![0; expected.len()];
    let mut output = helper.stdout.take().unwrap();
    assert!(readable(output.as_fd()));
    output.read_exact(&mut answer).unwrap();
    assert_eq!(answer, expected);
    drop(helper.stdin.take());
    helper.wait().unwrap();
}

#[test]
fn virt_install_makes_a_container() {
    let Some(host) = host("virt_install_makes_a_container", "/usr/bin/virt-install") else {
        return;
    };
    let filesystem = format!("{},/", host.tree.path.display());
    let installed = Command::new("virt-install")
        .args(["--connect", &uri(&host), "--container", "--name", "installed", "--memory", "64"])
        .args(["--vcpus", "1", "--init", "/bin/sh", "--network", "none", "--osinfo", "generic"])
        .args(["--noautoconsole", "--filesystem", &filesystem])
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", text(&installed));
    let domain = host.bus().by_name("installed").unwrap();
    assert_eq!(domain.state().0, 1);
    let edited = Command::new("virt-xml")
        .args(["--connect", &uri(&host), "installed", "--edit", "--metadata", "title=edited"])
        .output()
        .unwrap();
    assert!(edited.status.success(), "{}", text(&edited));
    assert!(domain.xml(2).unwrap().contains("<title>edited</title>"));
    domain.destroy().unwrap();
    domain.undefine().unwrap();
}

#[test]
fn perl_has_it_as_well() {
    let test = "perl_has_it_as_well";
    let Some(host) = host(test, "/usr/share/doc/libsys-virt-perl") else { return };
    let document = host.directory.join("perl.xml");
    fs::write(&document, host.document("perl").to_string()).unwrap();
    let script = "my $c = Sys::Virt->new(uri => $ARGV[0]);
        my $text = do { local $/; open my $f, '<', $ARGV[1]; <$f> };
        my $d = $c->define_domain($text);
        $d->create;
        print join(',', map { $_->get_name } $c->list_all_domains), ' ', $d->is_active;
        $d->destroy;
        $d->undefine;";
    let output = Command::new("perl")
        .args(["-MSys::Virt", "-e", script, &uri(&host)])
        .arg(&document)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "perl 1", "{}", text(&output));
}

#[test]
fn prometheus_is_told() {
    let Some(host) = host("prometheus_is_told", "/usr/bin/prometheus-libvirt-exporter") else {
        return;
    };
    host.run(&host.document("counted"));
    // A network of its own, so that its port is free.
    let script = "ip link set lo up\nprometheus-libvirt-exporter --libvirt.uri=lxc:///system \
                  --web.listen-address=127.0.0.1:9177 &\nexporter=$!\n\
                  until busybox wget -q -O \"$2/metrics\" http://127.0.0.1:9177/metrics; do \
                  kill -0 $exporter; done\nkill $exporter";
    let output = at_home(&host, script);
    let metrics = fs::read_to_string(host.directory.join("metrics")).unwrap_or_default();
    assert!(metrics.contains("\nlibvirt_up 1\n"), "{metrics}{}", text(&output));
    assert!(metrics.contains("libvirt_domain_info_virtual_cpus{domain=\"counted\""), "{metrics}");
}

#[test]
fn libvirt_dbus_serves_the_containers() {
    let Some(host) = host("libvirt_dbus_serves_the_containers", "/usr/sbin/libvirt-dbus") else {
        return;
    };
    host.run(&host.document("served"));
    let config = format!(
        "<busconfig><type>system</type><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth>\
         <policy context='default'><allow send_destination='*' eavesdrop='true'/>\
         <allow eavesdrop='true'/><allow own='*'/></policy></busconfig>",
        host.directory.display()
    );
    fs::write(host.directory.join("bus.conf"), config).unwrap();
    let script = "dbus-daemon --config-file=\"$2/bus.conf\" --nofork &\nbus=$!\n\
                  export DBUS_SYSTEM_BUS_ADDRESS=\"unix:path=$2/bus\"\n\
                  until [ -S \"$2/bus\" ]; do kill -0 $bus; done\n\
                  libvirt-dbus --system & server=$!\n\
                  until dbus-send --bus=\"$DBUS_SYSTEM_BUS_ADDRESS\" --print-reply \
                  --dest=org.libvirt /org/libvirt/LXC org.libvirt.Connect.DomainLookupByName \
                  string:served >\"$2/reply\" 2>\"$2/error\"; do kill -0 $server; done\n\
                  kill $server $bus";
    let output = at_home(&host, script);
    let reply = fs::read_to_string(host.directory.join("reply")).unwrap_or_default();
    let uuid: String = host.bus().by_name("served").unwrap().property("UUID");
    let path = format!("/org/libvirt/LXC/domain/_{}", uuid.replace('-', "_"));
    assert!(reply.contains(&path), "{reply}{}", text(&output));
    // Its sockets go with it.
    let _ = fs::remove_file(host.directory.join("bus"));
    until("the connections are closed", || !has_clients(&host));
}

/// Whether somebody is connected to the socket for everything.
fn has_clients(host: &Host) -> bool {
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    let path = socket(host, false);
    table.lines().filter(|line| line.ends_with(path.to_str().unwrap())).count() > 1
}
