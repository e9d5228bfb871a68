//! System calls, with arguments that say whether there is permission and do nothing.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

use crate::call::{address, call, ended_with, fork, leave, of, text};
use crate::files::status;
use crate::row::{Said, allowing, from, na, no, whether, yes};

/// `KEY_SPEC_SESSION_KEYRING`.
pub(crate) const SESSION: i32 = -3;
/// `KEY_SPEC_USER_KEYRING`.
pub(crate) const USER: i32 = -4;

const NOWHERE: &str = "/nowhere-at-all";

/// A call without meaning whose permission is asked first.
pub(crate) fn bare(number: i64, arguments: &[u64], meaningless: &[i32]) -> Said {
    allowing(call(number, arguments), meaningless)
}

/// The same with the path of a file that is not there as its first argument.
pub(crate) fn with_path(number: i64, arguments: &[u64]) -> Said {
    let path = text(NOWHERE);
    let all: Vec<u64> = std::iter::once(address(&path)).chain(arguments.iter().copied()).collect();
    allowing(call(number, &all), &[libc::ENOENT])
}

/// The number of a keyring; 0 for none.
pub(crate) fn keyring(which: i32) -> i64 {
    const GET_KEYRING_ID: u64 = 0;
    call(libc::SYS_keyctl, &[GET_KEYRING_ID, which as i64 as u64, 0]).unwrap_or(0)
}

/// Whether a keyring is the one that the host has.
pub(crate) fn keyring_of_host(which: i32, variable: &str) -> Said {
    let Some(expected) = std::env::var(variable).ok().and_then(|it| it.parse::<i64>().ok()) else {
        return na("the test does not say which");
    };
    let own = keyring(which);
    if own == 0 { no("no keyctl") } else { whether(own == expected, format!("{own}")) }
}

/// A socket that is asked for.
pub(crate) fn socket(domain: i32, kind: i32, protocol: i32) -> Said {
    let arguments = [domain as u64, kind as u64, protocol as u64];
    match call(libc::SYS_socket, &arguments) {
        // What a kernel without it says, and what a filter says: no difference to root inside.
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => no(error.to_string()),
        Err(error) if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => na(error.to_string()),
        result => from(result),
    }
}

/// Whether the host's abstract sockets can be reached.
pub(crate) fn abstract_socket() -> Said {
    let Ok(name) = std::env::var("PROBE_ABSTRACT") else { return na("the test has none") };
    let connect =
        SocketAddr::from_abstract_name(&name).and_then(|it| UnixStream::connect_addr(&it));
    from(connect)
}

/// Whether the host's own ports can be reached.
pub(crate) fn loopback() -> Said {
    let port = std::env::var("PROBE_PORT").ok().and_then(|it| it.parse::<u16>().ok());
    let Some(port) = port else { return na("the test has none") };
    from(TcpStream::connect(("127.0.0.1", port)))
}

/// New namespaces.
pub(crate) fn unshare(flags: i32) -> Said {
    allowing(call(libc::SYS_unshare, &[flags as u64]), &[])
}

/// A user namespace, and root in it.
pub(crate) fn user_namespace_mounts() -> Said {
    let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64;
    let attempt = || -> io::Result<()> {
        call(libc::SYS_unshare, &[flags])?;
        crate::mounts::mount("none", "/tmp", "tmpfs", 0)
    };
    from(attempt())
}

/// `open_by_handle_at(2)` of the root directory of the file system that `/` is on.
pub(crate) fn handle() -> Said {
    const TYPE_INO32_GEN: i32 = 1;
    // Bytes, type, and as ext4 has it: inode 2, any generation.
    let handle: [u32; 4] = [8, TYPE_INO32_GEN as u32, 2, 0];
    let Ok(root) = fs::File::open("/") else { return no("/") };
    let fd = std::os::fd::AsRawFd::as_raw_fd(&root) as u64;
    let result = call(libc::SYS_open_by_handle_at, &[fd, of(&handle), libc::O_RDONLY as u64]);
    allowing(result, &[libc::ESTALE, libc::EINVAL])
}

#[repr(C)]
#[derive(Default)]
struct Bpf([u64; 16]);

/// `bpf(2)`: a map.
pub(crate) fn bpf_map() -> Said {
    const MAP_CREATE: u64 = 0;
    // Type array, keys of 4 bytes, values of 4 bytes, 1 of them.
    let mut map = Bpf::default();
    map.0[0] = 2 | 4 << 32;
    map.0[1] = 4 | 1 << 32;
    from(call(libc::SYS_bpf, &[MAP_CREATE, of(&map), 128]))
}

/// `bpf(2)`: the programs of the host.
pub(crate) fn bpf_list() -> Said {
    const PROG_GET_NEXT_ID: u64 = 11;
    let start = Bpf::default();
    bare(libc::SYS_bpf, &[PROG_GET_NEXT_ID, of(&start), 128], &[libc::ENOENT])
}

/// `bpf(2)`: a program of a type, that ends at once.
pub(crate) fn bpf_program(kind: u64) -> Said {
    const PROG_LOAD: u64 = 5;
    // r0 = 0; exit
    let instructions: [u64; 2] = [0xb7, 0x95];
    let license = text("GPL");
    let mut load = Bpf::default();
    load.0[0] = kind | 2 << 32;
    load.0[1] = of(&instructions);
    load.0[2] = address(&license);
    from(call(libc::SYS_bpf, &[PROG_LOAD, of(&load), 128]))
}

/// `perf_event_open(2)`: instructions or time of this process, or of all of the first processor.
pub(crate) fn perf(process: i64, processor: i64) -> Said {
    const TYPE_SOFTWARE: u64 = 1;
    const SIZE: u64 = 64;
    let mut attributes = [0_u64; 16];
    attributes[0] = TYPE_SOFTWARE | SIZE << 32;
    let arguments = [of(&attributes), process as u64, processor as u64, u64::MAX, 0];
    from(call(libc::SYS_perf_event_open, &arguments))
}

/// `io_uring_setup(2)`.
pub(crate) fn io_uring() -> Said {
    let parameters = [0_u64; 16];
    from(call(libc::SYS_io_uring_setup, &[1, of(&parameters)]))
}

/// `add_key(2)` to the process's own keyring.
pub(crate) fn add_key() -> Said {
    const PROCESS_KEYRING: i64 = -2;
    let (kind, name) = (text("user"), text("nsvirt-probe"));
    let arguments = [address(&kind), address(&name), address(&name), 4, PROCESS_KEYRING as u64];
    from(call(libc::SYS_add_key, &arguments))
}

/// `adjtimex(2)` with a tick that no clock can have: the clock stays as it is.
pub(crate) fn adjust_clock() -> Said {
    let mut change = [0_u64; 26];
    const ADJ_TICK: u64 = 0x4000;
    change[0] = ADJ_TICK;
    bare(libc::SYS_adjtimex, &[of(&change)], &[libc::EINVAL])
}

/// `quotactl(2)` of no device.
pub(crate) fn quota() -> Said {
    const Q_SYNC_ALL: u64 = 0x80_0001 << 8;
    let device = text(NOWHERE);
    let result = call(libc::SYS_quotactl, &[Q_SYNC_ALL, address(&device), 0, 0]);
    allowing(result, &[libc::ENOENT, libc::ENODEV, libc::ENOTBLK])
}

/// A higher limit than the host gave.
pub(crate) fn raise_limit() -> Said {
    let mut limit = [0_u64; 2];
    let old = of(&limit);
    if let Err(error) = call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE as u64, 0, old]) {
        return no(error.to_string());
    }
    limit[1] += 1;
    from(call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE as u64, of(&limit), 0]))
}

/// A policy of real time.
pub(crate) fn real_time() -> Said {
    const FIFO: u64 = 1;
    let priority = 1_u32;
    from(call(libc::SYS_sched_setscheduler, &[0, FIFO, of(&priority)]))
}

/// `process_vm_readv(2)`-like reach: tracing a child.
pub(crate) fn trace_child() -> Said {
    let child = fork();
    if child == 0 {
        loop {
            std::thread::park();
        }
    }
    let attached = call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE as u64, child as u64, 0, 0]);
    let _ = call(libc::SYS_kill, &[child as u64, libc::SIGKILL as u64]);
    ended_with(child, 0);
    from(attached)
}

/// Whether a set-user-ID program would still make somebody root.
pub(crate) fn gains_privileges() -> Said {
    whether(status("NoNewPrivs") == "0", format!("NoNewPrivs {}", status("NoNewPrivs")))
}

/// Whether no filter asks about calls.
pub(crate) fn unfiltered() -> Said {
    whether(status("Seccomp") == "0", format!("Seccomp {}", status("Seccomp")))
}

/// Whether there are further groups.
pub(crate) fn extra_groups() -> Said {
    whether(!status("Groups").is_empty(), status("Groups"))
}

/// Whether capabilities would be inherited.
pub(crate) fn inherits_capabilities() -> Said {
    let none = |field| status(field).bytes().all(|it| it == b'0');
    whether(!none("CapInh") || !none("CapAmb"), "CapInh, CapAmb")
}

/// Another user.
pub(crate) fn become_user(id: u64) -> Said {
    from(call(libc::SYS_setuid, &[id]))
}

/// Programs of 32 bits.
#[cfg(target_arch = "x86_64")]
pub(crate) fn narrow() -> Said {
    let result = crate::call::getpid_32();
    match result {
        pid if pid > 0 => yes("int 0x80"),
        error if error == -i64::from(libc::ENOSYS) => na("not in this kernel"),
        error => no(io::Error::from_raw_os_error(-error as i32).to_string()),
    }
}

/// The numbers of x32.
pub(crate) fn x32() -> Said {
    const X32: i64 = 0x4000_0000;
    match call(X32 | libc::SYS_getpid, &[]) {
        Ok(_) => yes("done"),
        Err(error) => no(error.to_string()),
    }
}

/// Typing into the own terminal, with more bits than the kernel looks at.
pub(crate) fn type_into_terminal(request: u64) -> Said {
    // No end of a line, so that nobody reads it.
    let letter = b'x';
    let child = fork();
    if child == 0 {
        let typed = call(libc::SYS_ioctl, &[0, request, of(&letter)]);
        leave(typed.is_err().into());
    }
    whether(ended_with(child, 0), "ioctl")
}

/// Whether a variable of the daemon's is in init's environment.
pub(crate) fn environment_of_host() -> Said {
    let text = fs::read("/proc/1/environ").unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    whether(text.split('\0').any(|it| it.starts_with("CARGO") || it.starts_with("LANG")), "environ")
}
