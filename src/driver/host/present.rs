//! What a document names of the host, looked up at each start: processors, memory nodes, block
//! devices.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;

use super::usb;
use crate::error::{Error, ErrorCode, Result, errno_text};
use crate::model::{Bitmap, Domain, FilesystemSource, VcpuPlacement};
use crate::network::{Netlink, Refused};
use crate::plan::{self, BlockDevice, Device, DeviceKind, HostLink, Node, Present, host_links};

/// Where the kernel lists USB devices.
const USB: &str = "/sys/bus/usb/devices";

/// Looks up what a document names, and nothing else.
pub(in crate::driver) fn present(domain: &Domain) -> Result<Present> {
    let vcpus = &domain.vcpus;
    let placed = vcpus.cpuset.is_some()
        || vcpus.placement == VcpuPlacement::Auto
        || domain.numa_tune.memory.is_some();
    Ok(Present {
        nodes: if placed { nodes(Path::new("/sys/devices/system")) } else { Vec::new() },
        block_devices: block_devices(domain)?,
        devices: devices(domain)?,
        images: Vec::new(),
        usb: if plan::has_usb(domain) { usb::devices(Path::new(USB)) } else { Vec::new() },
        links: links(domain)?,
        directories: directories(domain)?,
        id_maps: Vec::new(),
    })
}

/// Where the directories are that file systems have as their sources. What a path says is not
/// where it leads: a link to `/` has the host's `/proc` and the daemon's sockets below it as well.
fn directories(domain: &Domain) -> Result<Vec<(String, PathBuf)>> {
    let directories = domain.devices.filesystems.iter().filter_map(|it| match &it.source {
        FilesystemSource::Mount { dir } => Some((dir, it.target == "/")),
        _ => None,
    });
    let place_of = |(dir, is_root): (&String, bool)| {
        let what = if is_root { "root file system" } else { "file system source" };
        let place = fs::canonicalize(Path::new("/").join(dir)).map_err(|error| {
            let reason = errno_text(&error);
            let text = format!("guest failed to start: cannot open {what} {dir}: {reason}");
            Error::new(ErrorCode::InternalError, text)
        })?;
        Ok((dir.clone(), place))
    };
    directories.map(place_of).collect()
}

/// Where a directory of the daemon's own is.
pub(super) fn place(directory: &Path) -> Result<PathBuf> {
    fs::canonicalize(directory)
        .map_err(|e| Error::system(format!("cannot find {}", directory.display()), e))
}

/// Network devices by the names that a document mentions; one that is not there is left out.
fn links(domain: &Domain) -> Result<Vec<HostLink>> {
    let names = host_links(domain);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |refused| Error::system("cannot see the host's network devices", refused);
    let mut netlink = Netlink::open().map_err(failed)?;
    let mut links = Vec::new();
    for name in names {
        match netlink.find(name) {
            Ok(link) => links.push(HostLink {
                name: name.to_owned(),
                is_bridge: link.kind.as_deref() == Some("bridge"),
            }),
            Err(Refused { errno: Errno::ENODEV, .. }) => {}
            Err(refused) => return Err(failed(refused)),
        }
    }
    Ok(links)
}

/// Block devices by the paths of `<blkiotune>`.
pub(in crate::driver) fn block_devices(domain: &Domain) -> Result<Vec<(String, BlockDevice)>> {
    let paths = domain.block_tune.devices.iter().map(|device| &device.path);
    paths.map(|path| Ok((path.clone(), block_device(path)?))).collect()
}

fn block_device(path: &str) -> Result<BlockDevice> {
    let bad = |what: String| {
        let text = format!("Path '{path}' {what} (<blkiotune><device>)");
        Error::new(ErrorCode::SystemError, text)
    };
    let metadata = fs::metadata(path)
        .map_err(|error| bad(format!("is not accessible: {}", errno_text(&error))))?;
    if !metadata.file_type().is_block_device() {
        return Err(bad("must be a block device".to_owned()));
    }
    let number = metadata.rdev();
    Ok(BlockDevice { major: nix::sys::stat::major(number), minor: nix::sys::stat::minor(number) })
}

/// What is at the paths of disks, host devices and clocks.
fn devices(domain: &Domain) -> Result<Vec<(String, Option<Device>)>> {
    let paths = plan::device_paths(domain).into_iter();
    paths.map(|path| Ok((path.to_owned(), device(path)?))).collect()
}

/// The device at a path; None for anything else.
fn device(path: &str) -> Result<Option<Device>> {
    let metadata = fs::metadata(path)
        .map_err(|error| Error::system(format_args!("Unable to access {path}"), error))?;
    let kind = match metadata.file_type() {
        block if block.is_block_device() => DeviceKind::Block,
        char if char.is_char_device() => DeviceKind::Char,
        _ => return Ok(None),
    };
    let (major, minor) = (libc::major(metadata.rdev()), libc::minor(metadata.rdev()));
    Ok(Some(Device { kind, major, minor }))
}

/// The host's nodes; a kernel without NUMA has one.
fn nodes(system: &Path) -> Vec<Node> {
    let list = |file: &str| {
        fs::read_to_string(system.join(file)).ok().and_then(|text| Bitmap::parse(&text))
    };
    let online = list("cpu/online").unwrap_or_default();
    let Some(with_memory) = list("node/has_memory") else {
        return vec![Node { id: 0, free: u64::MAX, cpus: online }];
    };
    let node = |id: u32| {
        let directory = format!("node/node{id}");
        let cpus = list(&format!("{directory}/cpulist")).unwrap_or_default();
        let text = fs::read_to_string(system.join(directory).join("meminfo")).unwrap_or_default();
        Node {
            id,
            free: free(&text),
            cpus: cpus.iter().filter(|&it| online.contains(it)).collect(),
        }
    };
    with_memory.iter().map(node).collect()
}

/// `Node 0 MemFree:  1234 kB`
fn free(meminfo: &str) -> u64 {
    let line = meminfo.lines().find(|line| line.contains("MemFree:"));
    line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_block_device_or_an_error_that_says_so() {
        let text = |path| block_device(path).unwrap_err().message;
        assert!(text("/dev/null").starts_with("Path '/dev/null' must be a block device"));
        assert!(text("/nowhere").starts_with("Path '/nowhere' is not accessible: No such file"));
    }

    #[test]
    fn directories_are_where_their_paths_lead() {
        let top = std::env::temp_dir().join(format!("nsvirt-present-{}", std::process::id()));
        fs::create_dir(&top).unwrap();
        let link = top.join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        let paths = [link.clone(), PathBuf::from("/usr/.."), PathBuf::from("//usr/./")];
        let filesystems = paths.iter().map(|path| {
            format!("<filesystem><source dir='{}'/><target dir='/a'/></filesystem>", path.display())
        });
        let document = |filesystems: &str| {
            let text = format!(
                "<domain type='lxc'><name>a</name><memory>1</memory><os><type>exe</type>\
                 <init>/i</init></os><devices>{filesystems}</devices></domain>"
            );
            Domain::parse(&text).unwrap()
        };
        let found = directories(&document(&filesystems.collect::<String>())).unwrap();
        let places: Vec<_> = found.iter().map(|(_, place)| place.as_path()).collect();
        assert_eq!(places, ["/", "/", "/usr"].map(Path::new));
        fs::remove_dir_all(&top).unwrap();
        let missing =
            format!("<filesystem><source dir='{}'/><target dir='/'/></filesystem>", link.display());
        let error = directories(&document(&missing)).unwrap_err();
        assert!(error.message.contains("cannot open root file system"), "{error}");
    }

    #[test]
    fn this_host_has_a_node_with_processors() {
        let nodes = nodes(Path::new("/sys/devices/system"));
        assert!(nodes.iter().any(|node| !node.cpus.is_empty() && node.free > 0), "{nodes:?}");
        assert_eq!(free("Node 0 MemTotal: 9 kB\nNode 0 MemFree:   7 kB\n"), 7);
    }
}
