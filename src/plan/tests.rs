//! The plan without root: what is planned for a document, and what is refused.

use super::*;
use crate::error::ErrorCode;
use crate::model::Domain;

fn host() -> Host {
    Host {
        arch: "x86_64".to_owned(),
        cgroups: vec![Hierarchy { directory: String::new(), kind: HierarchyKind::V2 }],
        controllers: all_controllers(CgroupVersion::V2),
        process_share: 4915,
        isolation: IsolationProfile::Hardened,
        maskable: maskable().map(str::to_owned).collect(),
        cgroup_links: Vec::new(),
        protected_proc: vec!["/proc/sys".to_owned()],
        network_settings: vec!["/proc/sys/net/ipv4".to_owned()],
        allow_host_root: false,
        user_namespaces: true,
        templates: "/srv/templates".into(),
        overlays: "/srv/overlays".into(),
        private_directories: vec![PathBuf::from("/srv/nsvirt/run")],
    }
}

fn all_controllers(version: CgroupVersion) -> Vec<(String, CgroupVersion)> {
    ["memory", "cpu", "cpuset", "pids", "blkio"].map(|name| (name.to_owned(), version)).into()
}

/// A host with all controllers in one version of control groups.
pub(super) fn host_with(version: CgroupVersion) -> Host {
    Host { controllers: all_controllers(version), ..host() }
}

/// A document with elements outside the devices.
pub(super) fn domain_with(elements: &str) -> Domain {
    let text = format!(
        "<domain type='lxc'>{elements}<name>web</name><memory unit='MiB'>64</memory>\
         <os><type>exe</type><init>/sbin/init</init></os></domain>"
    );
    Domain::parse(&text).unwrap()
}

fn domain(devices: &str) -> Domain {
    let text = format!(
        "<domain type='lxc'><name>web.1</name>\
         <uuid>0f5f9c4e-2c50-4a3e-9f0a-0a1d5a2a9a11</uuid><memory unit='MiB'>64</memory>\
         <os><type>exe</type><init>/sbin/init</init><initarg>-v</initarg>\
         <initenv name='PATH'>/usr/bin</initenv><initenv name='A'>1 2</initenv></os>\
         <features><privnet/></features><devices>{devices}<console type='pty'/></devices></domain>"
    );
    Domain::parse(&text).unwrap()
}

const ROOT: &str = "<filesystem><source dir='/srv/web'/><target dir='/'/></filesystem>";

fn plan(domain: &Domain, host: &Host) -> crate::error::Result<Plan> {
    let files =
        RunFiles { socket: "/run/x.sock".into(), exit: "/run/x.exit".into(), log: "/log/x".into() };
    build(domain, host, &Present::default(), Placement::default(), files)
}

#[test]
fn init_gets_libvirts_environment_and_the_documents() {
    let plan = plan(&domain(ROOT), &host()).unwrap();
    assert_eq!(plan.init.arguments, ["/sbin/init", "-v"]);
    assert_eq!(plan.init.directory, "/");
    let expected = [
        "TERM=linux",
        "container=lxc-libvirt",
        "HOME=/",
        "container_uuid=0f5f9c4e-2c50-4a3e-9f0a-0a1d5a2a9a11",
        "LIBVIRT_LXC_UUID=0f5f9c4e-2c50-4a3e-9f0a-0a1d5a2a9a11",
        "LIBVIRT_LXC_NAME=web.1",
        "PATH=/usr/bin",
        "A=1 2",
    ];
    assert_eq!(plan.init.environment, expected);
    assert_eq!(plan.hostname.as_deref(), Some("web1"));
    assert_eq!(plan.init.account, None);
    assert!(plan.private_network && plan.restart.reboot && !plan.restart.crash);
}

#[test]
fn the_command_line_follows_the_name() {
    let mut domain = domain(ROOT);
    domain.os.cmdline = Some("quiet x".to_owned());
    let environment = plan(&domain, &host()).unwrap().init.environment;
    assert_eq!(environment[5..7], ["LIBVIRT_LXC_NAME=web.1", "LIBVIRT_LXC_CMDLINE=quiet x"]);
}

#[test]
fn the_kernels_file_systems_come_first_and_in_order() {
    let devices = format!(
        "{ROOT}<filesystem type='ram'><source usage='1' units='MiB'/><target dir='/tmp'/>\
         </filesystem><filesystem><source dir='/srv/data'/><target dir='/data'/><readonly/>\
         </filesystem>"
    );
    let plan = plan(&domain(&devices), &host()).unwrap();
    let targets: Vec<&str> = plan
        .first_steps
        .iter()
        .chain(&plan.steps)
        .filter_map(|step| match step {
            Step::Mount { target, .. } => Some(target.as_str()),
            _ => None,
        })
        .collect();
    let expected = [
        "/proc",
        "/proc/sys",
        "/proc/sys/net/ipv4",
        "/sys",
        "/dev",
        "/dev/pts",
        "/dev/ptmx",
        "/dev/tty1",
        "/dev/console",
        "/sys/fs/cgroup",
        "/tmp",
        "/data",
    ];
    assert_eq!(targets, expected);
    let Some(Step::Mount { source, attributes, .. }) = plan.steps.last() else { panic!() };
    assert_eq!(*source, Source::Host { path: "/srv/data".into(), without: Vec::new() });
    assert_eq!(*attributes, attributes::RDONLY);
}

#[test]
fn a_hybrid_host_is_shown_as_it_is_with_its_controllers_read_only() {
    let mut host = host();
    let memory = vec![("memory".to_owned(), String::new())];
    host.cgroups = vec![
        Hierarchy { directory: "memory".to_owned(), kind: HierarchyKind::V1(memory) },
        Hierarchy { directory: "unified".to_owned(), kind: HierarchyKind::V2 },
    ];
    let plan = plan(&domain(ROOT), &host).unwrap();
    let of = |wanted: &str| {
        plan.first_steps.iter().chain(&plan.steps).find_map(|step| match step {
            Step::Mount { target, attributes, .. } if target == wanted => Some(*attributes),
            _ => None,
        })
    };
    assert_ne!(of("/sys/fs/cgroup/memory").unwrap() & attributes::RDONLY, 0);
    assert_eq!(of("/sys/fs/cgroup/unified").unwrap() & attributes::RDONLY, 0);
}

#[test]
fn no_root_no_start() {
    let error = plan(&domain(""), &host()).unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigUnsupported);
    assert!(error.message.contains("allow_host_root"), "{error}");
    let allowed = Host { allow_host_root: true, ..host() };
    let root = plan(&domain(""), &allowed).unwrap().root.source;
    assert_eq!(root, RootSource::Directory(PathBuf::from("/")));
    let named = "<filesystem><source dir='/'/><target dir='/'/><readonly/></filesystem>";
    let plan = plan(&domain(named), &host()).unwrap();
    assert!(plan.root.readonly);
}

#[test]
fn the_daemons_directories_are_covered_where_they_would_show() {
    let covered = |devices: &str, path: &str| {
        let plan = plan(&domain(devices), &host()).unwrap();
        plan.steps.iter().any(|step| matches!(step, Step::Mount { target, .. } if target == path))
    };
    assert!(!covered(ROOT, "/srv/nsvirt/run"));
    let host_root = "<filesystem><source dir='/'/><target dir='/'/><readonly/></filesystem>";
    assert!(covered(host_root, "/srv/nsvirt/run"));
    let below =
        format!("{ROOT}<filesystem><source dir='/srv'/><target dir='/mnt/srv'/></filesystem>");
    assert!(covered(&below, "/mnt/srv/nsvirt/run"));
}

#[test]
fn a_plan_survives_the_way_to_the_supervisor() {
    let plan = plan(&domain(ROOT), &host()).unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn the_32_bit_alternative_is_a_personality_and_others_are_refused() {
    let of = |arch: &str| {
        let mut domain = domain(ROOT);
        domain.os.arch = Some(arch.to_owned());
        plan(&domain, &host())
    };
    assert!(!of("x86_64").unwrap().linux32);
    assert!(of("i686").unwrap().linux32);
    let error = of("sparc").unwrap_err();
    assert!(error.message.contains("x86_64 and i686"), "{error}");
}

#[test]
fn who_init_is() {
    let of = |user: Option<&str>, group: Option<&str>| {
        let mut domain = domain(ROOT);
        domain.os.inituser = user.map(str::to_owned);
        domain.os.initgroup = group.map(str::to_owned);
        let account = plan(&domain, &host()).unwrap().init.account.unwrap();
        (account.user, account.group)
    };
    assert_eq!(of(Some("www"), None), ("www".to_owned(), "+0".to_owned()));
    assert_eq!(of(None, Some("+5")), ("+0".to_owned(), "+5".to_owned()));
}

#[test]
fn shared_namespaces_are_in_order_and_not_together_with_own_ones() {
    let with = |features: &str, shared: &str| {
        let text = format!(
            "<domain type='lxc' xmlns:l='http://libvirt.org/schemas/domain/lxc/1.0'>\
             <name>web</name><memory>1024</memory><os><type>exe</type><init>/i</init></os>\
             {features}<l:namespace>{shared}</l:namespace>\
             <devices>{ROOT}<console type='pty'/></devices></domain>"
        );
        plan(&Domain::parse(&text).unwrap(), &host())
    };
    let net = "<l:sharenet type='netns' value='red'/>";
    let plan = with("", &format!("<l:shareuts type='pid' value='1'/>{net}")).unwrap();
    assert_eq!(plan.shared_namespaces, [Namespace::Network, Namespace::Uts]);
    assert_eq!(plan.hostname, None);
    let error = with("<features><privnet/></features>", net).unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigUnsupported);
    assert!(error.message.contains("Config asks for inherit net namespace"), "{error}");
    let error = with("", "<l:shareipc type='netns' value='red'/>").unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigUnsupported);
}

#[test]
fn ids_of_its_own_need_user_namespaces() {
    let mut domain = domain(ROOT);
    let row = crate::model::IdRange { start: 0, target: 1000, count: 1 };
    domain.idmap.uids.push(row);
    domain.idmap.gids.push(row);
    let maps = plan(&domain, &host()).unwrap().id_maps;
    assert_eq!(maps.gids, [IdRange { inside: 0, outside: 1000, count: 1 }]);
    let error = plan(&domain, &Host { user_namespaces: false, ..host() }).unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigUnsupported);
    assert!(error.message.contains("user namespace"), "{error}");
}
