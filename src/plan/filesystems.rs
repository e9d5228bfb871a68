//! The document's file systems: what the root is, what is mounted below it, and what of it takes a
//! device or a directory of changes that the supervisor has to prepare.

use std::fmt;
use std::path::PathBuf;

use super::attributes::{NODEV, NOSUID, RDONLY};
use super::build::unsupported;
use super::mounts::{masks, mount, new, of_host};
use super::unsupported::refusal;
use super::{Host, Present, Root, RootSource, Source, Step, Volume};
use crate::error::Result;
use crate::model::{Domain, Filesystem, FilesystemDriverKind, FilesystemSource};

/// What a document's file systems come to.
pub(super) struct Filesystems {
    pub(super) root: Root,
    /// After the kernel's file systems, in the document's order.
    pub(super) steps: Vec<Step>,
    pub(super) volumes: Vec<Volume>,
}

pub(super) fn filesystems(domain: &Domain, host: &Host, present: &Present) -> Result<Filesystems> {
    let mut planner = Planner { domain, host, present, volumes: Vec::new() };
    let all = &domain.devices.filesystems;
    all.iter().try_for_each(|filesystem| planner.check(filesystem))?;
    let root = planner.root(all.iter().find(|filesystem| filesystem.target == "/"))?;
    let mut steps = match &root.source {
        RootSource::Directory(path) => masks(host, path, "/"),
        RootSource::Volume(_) => Vec::new(),
    };
    for filesystem in all.iter().filter(|filesystem| filesystem.target != "/") {
        steps.extend(planner.steps(filesystem)?);
    }
    Ok(Filesystems { root, steps, volumes: planner.volumes })
}

/// What a file system comes to that comes later: its steps, by volumes of their own.
pub(super) fn added(
    domain: &Domain,
    host: &Host,
    present: &Present,
    filesystem: &Filesystem,
) -> Result<(Vec<Step>, Vec<Volume>)> {
    let mut planner = Planner { domain, host, present, volumes: Vec::new() };
    planner.check(filesystem)?;
    let steps = planner.steps(filesystem)?;
    Ok((steps, planner.volumes))
}

struct Planner<'a> {
    domain: &'a Domain,
    host: &'a Host,
    present: &'a Present,
    volumes: Vec<Volume>,
}

impl Planner<'_> {
    /// Refuses targets that are not in the container's tree as they are written, and limits that
    /// nothing would keep.
    fn check(&self, filesystem: &Filesystem) -> Result<()> {
        let target = &filesystem.target;
        if !target.starts_with('/') || target.split('/').any(|component| component == "..") {
            let element = format_args!("<filesystem> with target '{target}'");
            let instead = "it must be an absolute path without '..'";
            return Err(refusal(self.domain, element, instead));
        }
        for name in ["space_hard_limit", "space_soft_limit"] {
            let is_kept = name == "space_hard_limit"
                && matches!(filesystem.source, FilesystemSource::Ram { .. });
            if filesystem.kept.iter().any(|element| element.name == name) && !is_kept {
                let element = format_args!("<{name}> of the file system at '{target}'");
                let instead = "only a <space_hard_limit> of type='ram' is; an image is as large \
                               as its file";
                return Err(refusal(self.domain, element, instead));
            }
        }
        Ok(())
    }

    /// The file system for `/`. libvirt takes the host's own, writable, when there is none; nobody
    /// wants that by accident, so it has to be asked for.
    fn root(&mut self, filesystem: Option<&Filesystem>) -> Result<Root> {
        let Some(filesystem) = filesystem else {
            let source = RootSource::Directory(PathBuf::from("/"));
            return if self.host.allow_host_root {
                Ok(Root { source, readonly: false })
            } else {
                Err(unsupported(format!(
                    "domain '{}' has no file system for '/': add <filesystem type='mount'> with \
                     <source dir='...'/> and <target dir='/'/> (source '/' means the host's own \
                     root), or set allow_host_root in the daemon's configuration",
                    self.domain.name
                )))
            };
        };
        let source = match &filesystem.source {
            FilesystemSource::Mount { dir } => RootSource::Directory(self.present.directory(dir)),
            FilesystemSource::Bind { .. } | FilesystemSource::Ram { .. } => {
                let instead = "a root is of type mount, block, file or template";
                return Err(self.refuse(filesystem, instead));
            }
            _ => RootSource::Volume(self.volume(filesystem)?),
        };
        Ok(Root { source, readonly: filesystem.readonly })
    }

    fn steps(&mut self, filesystem: &Filesystem) -> Result<Vec<Step>> {
        let Filesystem { source, target, readonly, .. } = filesystem;
        let access = if *readonly { RDONLY } else { 0 };
        Ok(match source {
            FilesystemSource::Mount { dir } => {
                let dir = self.present.directory(dir);
                let mut steps = vec![mount(of_host(&dir), target, access)];
                steps.extend(masks(self.host, &dir, target));
                steps
            }
            FilesystemSource::Bind { dir } => {
                vec![mount(Source::Bind(dir.clone()), target, access)]
            }
            FilesystemSource::Ram { usage } => {
                let size = usage.saturating_mul(1024).min(hard_limit(filesystem)).to_string();
                vec![mount(new("tmpfs", &[("size", &size)]), target, NOSUID | NODEV | access)]
            }
            _ => vec![mount(Source::Volume(self.volume(filesystem)?), target, access)],
        })
    }

    /// Adds a volume, and says which it is.
    fn volume(&mut self, filesystem: &Filesystem) -> Result<usize> {
        let readonly = filesystem.readonly;
        let volume = match &filesystem.source {
            FilesystemSource::Block { dev } => Volume::Device { path: dev.into(), readonly },
            FilesystemSource::File { file } => {
                self.check_format(filesystem)?;
                Volume::Image { path: file.into(), readonly }
            }
            FilesystemSource::Template { name } => self.layers(filesystem, name)?,
            FilesystemSource::Volume { .. } => {
                return Err(self.refuse(filesystem, "there are no storage pools"));
            }
            _ => return Err(self.refuse(filesystem, "only directories and devices are mounted")),
        };
        if matches!(volume, Volume::Layers { .. }) && self.volumes.contains(&volume) {
            return Err(self.refuse(filesystem, "the same template is at the same place already"));
        }
        self.volumes.push(volume);
        Ok(self.volumes.len() - 1)
    }

    /// Loop devices show files as they are. For other formats there would have to be a server in
    /// user space, and a driver for it that few kernels of hosts have.
    fn check_format(&self, filesystem: &Filesystem) -> Result<()> {
        use FilesystemDriverKind::{Loop, Nbd};
        let driver = &filesystem.driver;
        let format = driver.format.as_deref();
        let fault = match (driver.kind, format) {
            (None | Some(Loop), None | Some("raw")) => return Ok(()),
            (None | Some(Loop), Some(format)) => format!(
                "fs format {format} is not supported: a loop device shows images of format 'raw' \
                 (qemu-img convert makes one)"
            ),
            (Some(Nbd), None) => "An explicit disk format must be specified".to_owned(),
            (Some(Nbd), Some(format)) => format!(
                "format '{format}' with driver type 'nbd' takes qemu-nbd and a kernel with the \
                 driver nbd, which are not used here: convert the image to format 'raw' and leave \
                 <driver> out"
            ),
            (Some(kind), _) => format!(
                "fs driver {} is not supported: an image is shown by a loop device, type 'loop'",
                kind.as_str()
            ),
        };
        Err(unsupported(format!(
            "domain '{}' cannot start: file system at '{}': {fault}",
            self.domain.name, filesystem.target
        )))
    }

    /// A template is a directory by its path, or one of the host's templates by its name. What
    /// the container changes goes to a directory of its own, for this template at this place.
    fn layers(&self, filesystem: &Filesystem, name: &str) -> Result<Volume> {
        let is_name = !name.contains('/') && name != ".." && name != ".";
        if !is_name && !name.starts_with('/') {
            let instead = "a template's name is an absolute path, or a directory's name in the \
                           directory of templates";
            return Err(self.refuse(filesystem, instead));
        }
        let changes = format!("{}:{}", as_name(&filesystem.target), as_name(name));
        Ok(Volume::Layers {
            // An absolute path replaces what it is joined to.
            lower: self.host.templates.join(name),
            changes: self.host.overlays.join(self.domain.uuid.to_string()).join(changes),
        })
    }

    fn refuse(&self, filesystem: &Filesystem, instead: impl fmt::Display) -> crate::error::Error {
        let Filesystem { source, target, .. } = filesystem;
        let kind = match source {
            FilesystemSource::Socket { .. } => "with a socket".to_owned(),
            _ => format!("type='{}'", source.kind()),
        };
        let element = match source {
            FilesystemSource::Socket { .. } => format!("<filesystem> {kind} at '{target}'"),
            _ => format!("<filesystem {kind}> at '{target}'"),
        };
        refusal(self.domain, element, &instead.to_string())
    }
}

/// In bytes; the document's reader has checked it.
fn hard_limit(filesystem: &Filesystem) -> u64 {
    let limit = filesystem.kept.iter().find(|element| element.name == "space_hard_limit");
    limit.and_then(|element| element.text().parse().ok()).unwrap_or(u64::MAX)
}

/// A path as the name of one file, another for each path.
fn as_name(path: &str) -> String {
    path.replace('%', "%25").replace('/', "%2F").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::super::CgroupVersion;
    use super::super::tests::{domain_with, host_with};
    use super::*;
    use std::path::Path;

    fn plan(filesystems: &str) -> Result<Filesystems> {
        let domain = domain_with(&format!("<devices>{filesystems}</devices>"));
        let host = Host { allow_host_root: true, ..host_with(CgroupVersion::V2) };
        super::filesystems(&domain, &host, &Present::default())
    }

    fn refusal(filesystem: &str) -> String {
        let error = plan(filesystem).err().unwrap_or_else(|| panic!("{filesystem} is planned"));
        assert_eq!(error.code, crate::error::ErrorCode::ConfigUnsupported);
        error.message
    }

    #[test]
    fn what_takes_a_device_is_a_volume_in_the_documents_order() {
        let planned = plan(
            "<filesystem type='file'><driver type='loop' format='raw'/><source file='/a.img'/>\
             <target dir='/a'/><readonly/></filesystem>\
             <filesystem type='template'><source name='debian'/><target dir='/'/></filesystem>\
             <filesystem type='block'><source dev='/dev/b'/><target dir='/b'/></filesystem>\
             <filesystem type='bind'><source dir='/a'/><target dir='/c'/></filesystem>",
        )
        .unwrap();
        let changes = |volume: &Volume| match volume {
            Volume::Layers { lower, changes } => (lower.clone(), changes.clone()),
            _ => panic!("{volume}"),
        };
        let (lower, kept) = changes(&planned.volumes[0]);
        assert_eq!(lower, Path::new("/srv/templates/debian"));
        assert!(kept.starts_with("/srv/overlays") && kept.ends_with("%2F:debian"), "{kept:?}");
        let image = Volume::Image { path: "/a.img".into(), readonly: true };
        let device = Volume::Device { path: "/dev/b".into(), readonly: false };
        assert_eq!(planned.volumes[1..], [image, device]);
        assert_eq!(planned.root.source, RootSource::Volume(0));
        let sources = planned.steps.iter().filter_map(|step| match step {
            Step::Mount { source: source @ (Source::Volume(_) | Source::Bind(_)), .. } => {
                Some(source.clone())
            }
            _ => None,
        });
        let expected = [Source::Volume(1), Source::Volume(2), Source::Bind("/a".to_owned())];
        assert_eq!(sources.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_cannot_be_mounted_is_refused() {
        let file = |driver: &str| {
            refusal(&format!(
                "<filesystem type='file'><driver {driver}/><source file='/f'/><target dir='/f'/>\
                 </filesystem>"
            ))
        };
        assert!(file("type='loop' format='qcow2'").contains("fs format qcow2 is not supported"));
        assert!(file("type='nbd'").contains("An explicit disk format must be specified"));
        assert!(file("type='nbd' format='qcow2'").contains("qemu-nbd"));
        assert!(file("type='ploop'").contains("fs driver ploop is not supported"));
        let template = "<filesystem type='template'><source name='NAME'/><target dir='/t'/>\
                        </filesystem>";
        assert!(refusal(&template.replace("NAME", "../t")).contains("absolute path"));
        assert!(refusal(&template.repeat(2)).contains("same place already"));
        for root in [
            "<filesystem type='ram'><source usage='1'/><target dir='/'/></filesystem>",
            "<filesystem type='bind'><source dir='/d'/><target dir='/'/></filesystem>",
        ] {
            assert!(refusal(root).contains("a root is of type mount, block, file or template"));
        }
        for other in [
            "<filesystem><source socket='/s'/><target dir='/'/></filesystem>",
            "<filesystem type='volume'><source pool='p' volume='v'/><target dir='/v'/></filesystem>",
        ] {
            assert!(refusal(other).contains("cannot start: <filesystem"), "{other}");
        }
    }

    #[test]
    fn a_limit_of_space_is_kept_or_refused() {
        let limited = |kind: &str, source: &str, limit: &str| {
            format!(
                "<filesystem type='{kind}'><source {source}/><target dir='/d'/>\
                 <space_{limit}_limit unit='KiB'>64</space_{limit}_limit></filesystem>"
            )
        };
        let planned = plan(&limited("ram", "usage='1024'", "hard")).unwrap();
        let Some(Step::Mount { source: Source::New { options, .. }, .. }) = planned.steps.last()
        else {
            panic!("{:?}", planned.steps);
        };
        assert_eq!(options[0], ("size".to_owned(), "65536".to_owned()));
        assert!(refusal(&limited("ram", "usage='1024'", "soft")).contains("<space_soft_limit>"));
        assert!(refusal(&limited("mount", "dir='/d'", "hard")).contains("<space_hard_limit>"));
    }

    #[test]
    fn targets_stay_inside() {
        let with_target = |target| {
            plan(&format!("<filesystem><source dir='/a'/><target dir='{target}'/></filesystem>"))
        };
        for target in ["a", "../a", "/..", "/a/../b", "/a/.."] {
            let expected = format!(
                "unsupported configuration: domain 'web' cannot start: <filesystem> with target \
                 '{target}' is not supported: it must be an absolute path without '..'"
            );
            assert_eq!(with_target(target).err().map(|error| error.message), Some(expected));
        }
        assert!(with_target("/..a/b..").is_ok());
    }
}
