//! Scopes and machines: against systemd where it runs the host, and against a stand-in that keeps
//! its side of the two interfaces everywhere else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath, OwnedVariant};

use crate::support::bus::{runtime, wait};
use crate::support::process::only_child;
use crate::support::{Bus, Host, inventory, until};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MACHINED: &str = "org.freedesktop.machine1";

/// A daemon whose containers are scopes, of the systemd on a bus.
fn host_with(test: &str, systemd: &str) -> Option<Host> {
    let mut host = Host::new(test)?;
    host.stop_daemon();
    fs::create_dir_all(&host.paths.etc).unwrap();
    let config = host.paths.etc.join("nsvirtd.toml");
    fs::write(config, format!("systemd = \"{systemd}\"\n")).unwrap();
    host.start_daemon();
    Some(host)
}

/// The groups of a process, by hierarchy.
fn groups_of(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    text.lines().filter_map(|line| Some(line.splitn(3, ':').nth(2)?.to_owned())).collect()
}

/// The one scope that a process is in.
fn scope_of(pid: u32, below: &str) -> String {
    let groups = groups_of(pid);
    let end = format!(".scope/{below}");
    let scope = groups.iter().find(|group| group.ends_with(&end));
    let scope = scope.unwrap_or_else(|| panic!("{pid} is in {groups:?}, not in {end}"));
    scope.trim_end_matches(&format!("/{below}")).to_owned()
}

fn exists(scope: &str) -> bool {
    let path = scope.trim_start_matches('/');
    inventory::hierarchies().iter().any(|hierarchy| hierarchy.join(path).exists())
}

#[test]
fn containers_are_scopes_and_machines_of_this_hosts_systemd() {
    let test = "containers_are_scopes_and_machines_of_this_hosts_systemd";
    if !Path::new("/run/systemd/system").is_dir() {
        return eprintln!("needs systemd: {test}");
    }
    let Some(mut host) = host_with(test, "on") else { return };
    let bus = wait("the system bus", Connection::system()).unwrap();
    let machines = || {
        let path = "/org/freedesktop/machine1";
        let interface = Some("org.freedesktop.machine1.Manager");
        let call = bus.call_method(Some(MACHINED), path, interface, "ListMachines", &());
        let reply = wait("ListMachines", call).unwrap();
        let list: Vec<(String, String, String, OwnedObjectPath)> =
            reply.body().deserialize().unwrap();
        list.into_iter().map(|(name, class, service, _)| (name, class, service))
    };
    let domain = host.run(&host.document("web").memory(65536));
    let id = domain.id();
    let machine = (format!("lxc-{id}-web"), "container".to_owned(), "libvirt-lxc".to_owned());
    assert!(machines().any(|it| it == machine));
    let scope = scope_of(id, "supervisor");
    assert_eq!(scope_of(only_child(id), "payload/init"), scope);
    // The next daemon finds it, and takes it back when it ends.
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().by_name("web").unwrap();
    domain.assert_answers();
    domain.suspend().unwrap();
    domain.resume().unwrap();
    domain.destroy().unwrap();
    assert!(!exists(&scope));
    until("machined forgets the machine", || !machines().any(|it| it == machine));
    // At once again, with the same name.
    let again = host.run(&host.document("web"));
    assert_ne!(scope_of(again.id(), "supervisor"), scope);
}

/// What the stand-in was asked, in words.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Stands in for systemd and machined on a bus: makes and removes groups, and remembers.
struct StandIn {
    connection: Connection,
    asked: Asked,
    jobs: u32,
}

impl StandIn {
    fn start(bus: &Bus) -> Asked {
        let asked = Asked::default();
        let connection = bus.0.clone();
        wait("names", async {
            connection.request_name(SYSTEMD).await.unwrap();
            connection.request_name(MACHINED).await.unwrap();
        });
        let calls = MessageStream::from(&connection);
        let mut stand_in = Self { connection, asked: asked.clone(), jobs: 0 };
        runtime().spawn(async move {
            let mut calls = calls;
            while let Some(Ok(message)) = calls.next().await {
                if message.message_type() == Type::MethodCall {
                    stand_in.answer(&message).await;
                }
            }
        });
        asked
    }

    async fn answer(&mut self, call: &Message) {
        let header = call.header();
        let body = call.body();
        let member = header.member().unwrap().to_string();
        let said = match member.as_str() {
            "StartTransientUnit" => {
                type Properties = Vec<(String, OwnedVariant)>;
                let (unit, mode, properties, auxiliary): (
                    String,
                    String,
                    Properties,
                    Vec<(String, Properties)>,
                ) = body.deserialize().unwrap();
                assert!(auxiliary.is_empty());
                let of = |name: &str| {
                    let found = properties.iter().find(|(key, _)| key == name);
                    found.unwrap_or_else(|| panic!("no {name}")).1.clone()
                };
                let slice = String::try_from(of("Slice")).unwrap();
                let pids = Vec::<u32>::try_from(of("PIDs")).unwrap();
                enter(&slice, &unit, &pids);
                let delegate = bool::try_from(of("Delegate")).unwrap();
                self.job(&header, &unit).await;
                format!("start {mode} {slice} {delegate} {}", pids.len())
            }
            "StopUnit" => {
                let (unit, mode): (String, String) = body.deserialize().unwrap();
                self.job(&header, &unit).await;
                format!("stop {mode}")
            }
            "RegisterMachineWithNetwork" => {
                let (name, uuid, service, class, leader, root, links): (
                    String,
                    Vec<u8>,
                    String,
                    String,
                    u32,
                    String,
                    Vec<i32>,
                ) = body.deserialize().unwrap();
                assert_eq!((uuid.len(), root.as_str(), links.len()), (16, "", 0));
                self.reply(&header, &()).await;
                format!("register {name} {service} {class} {}", scope_of(leader, "payload/init"))
            }
            "UnregisterMachine" => {
                let name: String = body.deserialize().unwrap();
                self.reply(&header, &()).await;
                format!("unregister {name}")
            }
            other => panic!("nobody should call {other}"),
        };
        self.asked.0.lock().unwrap().push(said);
    }

    async fn reply(
        &self,
        call: &zbus::message::Header<'_>,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) {
        let reply = Message::method_return(call).build(body).unwrap();
        self.connection.send(&reply).await.unwrap();
    }

    /// A job that is over before its path is known to who asked for it.
    async fn job(&mut self, call: &zbus::message::Header<'_>, unit: &str) {
        self.jobs += 1;
        let job = format!("/org/freedesktop/systemd1/job/{}", self.jobs);
        let job = zbus::ObjectPath::try_from(job).unwrap();
        let signal = (self.jobs, &job, unit, "done");
        let manager = "org.freedesktop.systemd1.Manager";
        let path = "/org/freedesktop/systemd1";
        self.connection
            .emit_signal(None::<&str>, path, manager, "JobRemoved", &signal)
            .await
            .unwrap();
        self.reply(call, &job).await;
    }
}

/// The hierarchies systemd has on a host with version 1, or the one there is.
fn managed() -> Vec<PathBuf> {
    let is_managed =
        |path: &PathBuf| path.join("cgroup.controllers").exists() || path.ends_with("systemd");
    inventory::hierarchies().into_iter().filter(is_managed).collect()
}

/// Passes all controllers of version 2 on.
fn delegate(group: &Path) {
    let controllers = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        // One that is enabled already may be in use, and those that cannot be are not needed.
        let _ = fs::write(group.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

fn enter(slice: &str, unit: &str, pids: &[u32]) {
    for hierarchy in managed() {
        let scope = hierarchy.join(slice).join(unit);
        fs::create_dir_all(&scope).unwrap();
        delegate(&hierarchy);
        delegate(&hierarchy.join(slice));
        for pid in pids {
            fs::write(scope.join("cgroup.procs"), pid.to_string()).unwrap();
        }
    }
}

#[test]
fn systemd_and_machined_are_told_in_order() {
    let test = "systemd_and_machined_are_told_in_order";
    let Some(bus) = Host::new(test) else { return };
    let asked = StandIn::start(&bus.bus());
    let address = format!("unix:path={}", bus.paths.run.join("bus").display());
    let mut host = host_with(test, &address).unwrap();
    let slice = format!("{}.slice", host.paths.partition.replace('/', "").replace('-', "\\x2d"));

    let domain = host.bus().define(host.document("web")).unwrap();
    domain.create().unwrap();
    let id = domain.id();
    let scope = scope_of(id, "supervisor");
    assert!(scope.starts_with(&format!("/{slice}/machine-lxc\\x2d")), "{scope}");
    assert!(scope.ends_with("\\x2dweb.scope"), "{scope}");
    let started = [
        format!("start fail {slice} true 1"),
        format!("register lxc-{id}-web libvirt-lxc container {scope}"),
    ];
    assert_eq!(asked.take(), started);
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().by_name("web").unwrap();
    domain.assert_answers();
    assert_eq!(asked.take(), Vec::<String>::new());
    domain.destroy().unwrap();
    assert_eq!(asked.take(), [format!("unregister lxc-{id}-web"), "stop replace".to_owned()]);
    assert!(!exists(&scope));
    // A start that fails leaves no scope.
    let broken = host.document("broken").init("/nowhere", &[]);
    host.bus().create_xml(&broken).unwrap_err();
    let said = asked.take();
    assert_eq!((said.len(), said.last().map(String::as_str)), (3, Some("stop replace")));
    host.assert_idle();
    for hierarchy in inventory::hierarchies() {
        let slice = hierarchy.join(&slice);
        assert!(!slice.exists() || fs::remove_dir(&slice).is_ok(), "{}", slice.display());
    }
}
