//! The rows, in the order of the matrix.

use libc::{S_IFBLK, S_IFCHR};

use crate::call::{address, call, of, text};
use crate::calls::{self, bare, socket, unshare, with_path};
use crate::devices;
use crate::files::{
    self, capability, has_content, kernel_addresses, open_for_writing, write_limit, write_same,
};
use crate::mounts::{self, below_new, make_writable, new, take_away, write_below};
use crate::row::{Ask, Said, allowing, from};

/// A name and its question.
pub(crate) type Row = (String, Ask);

/// All of them.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    proc_and_sys(&mut rows);
    readable(&mut rows);
    mounting(&mut rows);
    device(&mut rows);
    control_groups(&mut rows);
    kernel(&mut rows);
    memory_and_time(&mut rows);
    networks(&mut rows);
    process(&mut rows);
    for (number, name) in CAPABILITIES.iter().enumerate() {
        ask(&mut rows, &format!("cap_{name}"), move || capability(number as u32));
    }
    rows
}

fn ask(rows: &mut Vec<Row>, name: &str, question: impl Fn() -> Said + 'static) {
    rows.push((name.to_owned(), Box::new(question)));
}

fn proc_and_sys(rows: &mut Vec<Row>) {
    for (name, path) in [
        ("proc_sys_vm", "/proc/sys/vm/swappiness"),
        ("proc_sys_kernel", "/proc/sys/kernel/panic"),
        ("proc_core_pattern", "/proc/sys/kernel/core_pattern"),
        ("proc_sys_fs", "/proc/sys/fs/file-max"),
        ("proc_sys_net_core", "/proc/sys/net/core/somaxconn"),
        ("proc_sys_net_ipv4", "/proc/sys/net/ipv4/ip_forward"),
        ("proc_irq", "/proc/irq/default_smp_affinity"),
        ("sys_kernel", "/sys/kernel/rcu_expedited"),
        ("sys_block", "/sys/block/loop0/queue/read_ahead_kb"),
        ("sys_module", "/sys/module/printk/parameters/time"),
    ] {
        ask(rows, &format!("write_{name}"), move || write_same(path));
    }
    ask(rows, "write_proc_sysrq", || open_for_writing("/proc/sysrq-trigger"));
    ask(rows, "write_proc_mtrr", || open_for_writing("/proc/mtrr"));
}

fn readable(rows: &mut Vec<Row>) {
    for name in [
        "acpi",
        "asound",
        "buddyinfo",
        "config.gz",
        "diskstats",
        "driver",
        "interrupts",
        "iomem",
        "ioports",
        "kcore",
        "key-users",
        "keys",
        "kmsg",
        "kpagecount",
        "kpageflags",
        "latency_stats",
        "modules",
        "pagetypeinfo",
        "sched_debug",
        "scsi",
        "slabinfo",
        "softirqs",
        "timer_list",
        "vmallocinfo",
        "zoneinfo",
    ] {
        ask(rows, &format!("read_proc_{name}"), move || has_content(&format!("/proc/{name}")));
    }
    for (name, path) in [
        ("firmware", "/sys/firmware"),
        ("powercap", "/sys/devices/virtual/powercap"),
        ("debug", "/sys/kernel/debug"),
        ("tracing", "/sys/kernel/tracing"),
        ("security", "/sys/kernel/security"),
        ("bpf", "/sys/fs/bpf"),
    ] {
        ask(rows, &format!("read_sys_{name}"), move || has_content(path));
    }
    ask(rows, "read_kernel_addresses", || kernel_addresses("/proc/kallsyms"));
    ask(rows, "see_processes_of_host", files::sees_daemon);
}

fn mounting(rows: &mut Vec<Row>) {
    for kind in [
        "proc",
        "sysfs",
        "tmpfs",
        "ramfs",
        "devtmpfs",
        "devpts",
        "debugfs",
        "tracefs",
        "bpf",
        "securityfs",
        "mqueue",
        "cgroup2",
        "configfs",
        "pstore",
        "binfmt_misc",
        "fusectl",
        "hugetlbfs",
        "efivarfs",
    ] {
        ask(rows, &format!("mount_{kind}"), move || new(kind, ""));
    }
    ask(rows, "mount_cgroup_memory", || new("cgroup", "memory"));
    ask(rows, "mount_overlay", || new("overlay", "lowerdir=/etc:/bin"));
    ask(rows, "mount_bind", mounts::bind);
    ask(rows, "mount_api_proc", || mounts::new_api("proc"));
    ask(rows, "mount_api_tmpfs", || mounts::new_api("tmpfs"));
    for (name, file) in [
        ("sys_vm", "sys/vm/swappiness"),
        ("core_pattern", "sys/kernel/core_pattern"),
        ("irq", "irq/default_smp_affinity"),
    ] {
        ask(rows, &format!("fresh_proc_write_{name}"), move || below_new("proc", file, write_same));
    }
    ask(rows, "fresh_proc_sysrq", || below_new("proc", "sysrq-trigger", open_for_writing));
    for name in ["kcore", "keys", "kmsg", "interrupts", "iomem", "slabinfo", "timer_list"] {
        ask(rows, &format!("fresh_proc_read_{name}"), move || below_new("proc", name, has_content));
    }
    ask(rows, "fresh_proc_kernel_addresses", || below_new("proc", "kallsyms", kernel_addresses));
    ask(rows, "fresh_sys_write", || below_new("sysfs", "kernel/rcu_expedited", write_same));
    ask(rows, "fresh_sys_firmware", || below_new("sysfs", "firmware", has_content));
    for (name, path) in [
        ("proc_sys", "/proc/sys"),
        ("proc_irq", "/proc/irq"),
        ("proc_keys", "/proc/keys"),
        ("proc_kcore", "/proc/kcore"),
        ("proc_interrupts", "/proc/interrupts"),
        ("sys_firmware", "/sys/firmware"),
        ("sys", "/sys"),
    ] {
        ask(rows, &format!("unmount_{name}"), move || take_away(path));
    }
    for (name, path) in [("proc_sys", "/proc/sys"), ("sys", "/sys"), ("proc_keys", "/proc/keys")] {
        ask(rows, &format!("make_writable_{name}"), move || make_writable(path));
    }
    ask(rows, "unmount_and_write_proc_sys", || write_below("/proc/sys", "/proc/sys/vm/swappiness"));
    ask(rows, "change_root", mounts::change_root);
}

fn device(rows: &mut Vec<Row>) {
    ask(rows, "mknod_null", || devices::make(S_IFCHR, 1, 3));
    ask(rows, "mknod_mem", || devices::make(S_IFCHR, 1, 1));
    ask(rows, "mknod_loop0", || devices::make(S_IFBLK, 7, 0));
    for (name, kind, major, minor) in [
        ("mem", S_IFCHR, 1, 1),
        ("port", S_IFCHR, 1, 4),
        ("kmsg", S_IFCHR, 1, 11),
        ("loop0", S_IFBLK, 7, 0),
        ("loop-control", S_IFCHR, 10, 237),
        ("kvm", S_IFCHR, 10, 232),
        ("rtc0", S_IFCHR, 252, 0),
        ("console", S_IFCHR, 5, 1),
    ] {
        ask(rows, &format!("open_{name}"), move || devices::open(name, kind, major, minor));
    }
    ask(rows, "open_tun", || devices::open("net/tun", S_IFCHR, 10, 200));
    ask(rows, "open_fuse", || devices::open("fuse", S_IFCHR, 10, 229));
}

fn control_groups(rows: &mut Vec<Row>) {
    ask(rows, "cgroup_path_of_host", files::group_path_of_host);
    ask(rows, "cgroup_allow_devices", devices::allow_all);
    let memory = ["memory.limit_in_bytes", "memory.max"];
    let processes = ["pids.max", "pids.max"];
    let processors = ["cpu.shares", "cpu.weight"];
    ask(rows, "cgroup_write_memory", move || write_limit("memory", memory));
    ask(rows, "cgroup_write_pids", move || write_limit("pids", processes));
    ask(rows, "cgroup_write_cpu", move || write_limit("cpu", processors));
    ask(rows, "cgroup_write_release_agent", files::write_release_agent);
    ask(rows, "memory_filesystem_unlimited", files::unbounded_memory_filesystem);
}

fn kernel(rows: &mut Vec<Row>) {
    const NO_FD: u64 = u64::MAX;
    let arguments = text("");
    ask(rows, "kexec_load", || bare(libc::SYS_kexec_load, &[0, 17, 0, 0], &[libc::EINVAL]));
    ask(rows, "kexec_file_load", || {
        bare(libc::SYS_kexec_file_load, &[NO_FD, NO_FD, 0, 0, 0], &[libc::EBADF])
    });
    ask(rows, "init_module", || bare(libc::SYS_init_module, &[0, 0, 0], &[libc::ENOEXEC]));
    ask(rows, "finit_module", move || {
        bare(libc::SYS_finit_module, &[NO_FD, address(&arguments), 0], &[libc::EBADF])
    });
    ask(rows, "delete_module", || with_path(libc::SYS_delete_module, &[libc::O_NONBLOCK as u64]));
    ask(rows, "open_by_handle", calls::handle);
    ask(rows, "bpf_map", calls::bpf_map);
    ask(rows, "bpf_list_programs", calls::bpf_list);
    ask(rows, "bpf_socket_filter", || calls::bpf_program(1));
    ask(rows, "bpf_kprobe", || calls::bpf_program(2));
    ask(rows, "perf_own", || calls::perf(0, -1));
    ask(rows, "perf_system", || calls::perf(-1, 0));
    ask(rows, "userfaultfd", || bare(libc::SYS_userfaultfd, &[0], &[]));
    ask(rows, "userfaultfd_user_only", || bare(libc::SYS_userfaultfd, &[1], &[]));
    ask(rows, "io_uring", calls::io_uring);
    ask(rows, "add_key", calls::add_key);
    ask(rows, "keyring_session_of_host", || {
        calls::keyring_of_host(calls::SESSION, "PROBE_SESSION_KEYRING")
    });
    ask(rows, "keyring_user_of_host", || calls::keyring_of_host(calls::USER, "PROBE_USER_KEYRING"));
    ask(rows, "swapon", || with_path(libc::SYS_swapon, &[0]));
    ask(rows, "swapoff", || with_path(libc::SYS_swapoff, &[]));
    ask(rows, "acct", || with_path(libc::SYS_acct, &[]));
    ask(rows, "quotactl", calls::quota);
    ask(rows, "syslog_read", || {
        const READ_ALL: u64 = 3;
        let buffer = [0_u8; 64];
        from(call(libc::SYS_syslog, &[READ_ALL, of(&buffer), 64]))
    });
    ask(rows, "fanotify", || {
        const CLASS_CONTENT: u64 = 4;
        bare(libc::SYS_fanotify_init, &[CLASS_CONTENT, 0], &[])
    });
    ask(rows, "reboot_call", || bare(libc::SYS_reboot, &[0, 0, 0, 0], &[libc::EINVAL]));
    ask(rows, "set_host_name", || {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = text(name.trim());
        from(call(libc::SYS_sethostname, &[address(&name), name.as_bytes().len() as u64]))
    });
    #[cfg(target_arch = "x86_64")]
    {
        ask(rows, "iopl", || bare(libc::SYS_iopl, &[3], &[]));
        ask(rows, "ioperm", || bare(libc::SYS_ioperm, &[0x80, 1, 1], &[]));
        ask(rows, "uselib", || with_path(libc::SYS_uselib, &[]));
        ask(rows, "calls_of_32_bits", calls::narrow);
    }
    ask(rows, "calls_of_x32", calls::x32);
    ask(rows, "calls_unfiltered", calls::unfiltered);
}

fn memory_and_time(rows: &mut Vec<Row>) {
    ask(rows, "set_clock", calls::adjust_clock);
    ask(rows, "wake_alarm", || {
        const CLOCK_REALTIME_ALARM: u64 = 8;
        let timer = 0_u64;
        bare(libc::SYS_timer_create, &[CLOCK_REALTIME_ALARM, 0, of(&timer)], &[])
    });
    ask(rows, "real_time", calls::real_time);
    ask(rows, "raise_limit", calls::raise_limit);
    ask(rows, "raise_priority", || bare(libc::SYS_setpriority, &[0, 0, -10_i64 as u64], &[]));
    ask(rows, "lower_oom_score", || from(std::fs::write("/proc/self/oom_score_adj", "-1000")));
    ask(rows, "lock_all_memory", || bare(libc::SYS_mlockall, &[1], &[libc::ENOMEM]));
}

fn networks(rows: &mut Vec<Row>) {
    ask(rows, "socket_raw", || socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP));
    ask(rows, "socket_packet", || socket(libc::AF_PACKET, libc::SOCK_RAW, 0));
    ask(rows, "socket_vsock", || socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0));
    ask(rows, "socket_alg", || socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0));
    ask(rows, "socket_route", || socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE));
    ask(rows, "socket_audit", || socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT));
    ask(rows, "socket_uevent", || {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT)
    });
    ask(rows, "reach_abstract_socket_of_host", calls::abstract_socket);
    ask(rows, "reach_loopback_of_host", calls::loopback);
}

fn process(rows: &mut Vec<Row>) {
    for (name, flags) in [
        ("user", libc::CLONE_NEWUSER),
        ("mount", libc::CLONE_NEWNS),
        ("pid", libc::CLONE_NEWPID),
        ("net", libc::CLONE_NEWNET),
        ("uts", libc::CLONE_NEWUTS),
        ("ipc", libc::CLONE_NEWIPC),
        ("cgroup", libc::CLONE_NEWCGROUP),
        ("time", libc::CLONE_NEWTIME),
    ] {
        ask(rows, &format!("unshare_{name}"), move || unshare(flags));
    }
    ask(rows, "mount_in_user_namespace", calls::user_namespace_mounts);
    ask(rows, "trace_child", calls::trace_child);
    ask(rows, "become_user", || calls::become_user(1000));
    ask(rows, "gain_privileges", calls::gains_privileges);
    ask(rows, "inherit_capabilities", calls::inherits_capabilities);
    ask(rows, "extra_groups", calls::extra_groups);
    ask(rows, "extra_descriptors", files::extra_descriptors);
    ask(rows, "environment_of_host", calls::environment_of_host);
    ask(rows, "type_into_terminal", || calls::type_into_terminal(0x5412));
    ask(rows, "type_into_terminal_wide", || calls::type_into_terminal(1 << 32 | 0x5412));
    ask(rows, "personality", || {
        const NO_RANDOM_ADDRESSES: u64 = 0x004_0000;
        allowing(call(libc::SYS_personality, &[NO_RANDOM_ADDRESSES]), &[])
    });
}

/// By their numbers.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];
