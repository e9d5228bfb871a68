//! Files on disk: definitions, and what is written as a whole or not at all.
//!
//! A definition is synced before it takes its name, so that after a power cut there is the old or
//! the new one. A record (`records.rs`) says what runs; it needs no sync, since nothing of it runs
//! after a power cut. Names are checked by the model: none leads out of a directory.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::config::Paths;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain, View};
use crate::plan::RunFiles;
use crate::xml::{self, Limits};

/// How the names of directories begin that are only there to be removed.
const REMOVED: &str = ".removed-";

/// The daemon's files.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) paths: Paths,
}

impl Store {
    /// Makes the directories. What is inside is for root alone, or whoever runs the daemon.
    pub(super) fn open(paths: &Paths) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let private = [
            paths.definitions(),
            paths.autostart(),
            paths.hooks(),
            paths.runs(),
            paths.logs(),
            paths.endings(),
        ];
        for directory in private.iter().chain([&paths.run]) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(|e| failed("create directory", directory, e))?;
        }
        Ok(Self { paths: paths.clone() })
    }

    /// Reads every definition, with whether it is to start with the daemon. A file that cannot be
    /// used is reported, skipped and kept.
    pub(super) fn definitions(&self) -> Result<Vec<(Domain, bool)>> {
        let mut definitions = Vec::new();
        for file in files(&self.paths.definitions(), "xml")? {
            match read_definition(&file) {
                Ok(domain) => {
                    let autostart = self.autostart_link(&domain.name).is_symlink();
                    definitions.push((domain, autostart));
                }
                Err(error) => tracing::error!("skipping {}: {error}", file.display()),
            }
        }
        Ok(definitions)
    }

    fn definition(&self, name: &str) -> PathBuf {
        self.paths.definitions().join(format!("{name}.xml"))
    }

    fn autostart_link(&self, name: &str) -> PathBuf {
        self.paths.autostart().join(format!("{name}.xml"))
    }

    /// Writes a definition to stay, unless it could not be read again: a definition must not be
    /// lost when the daemon starts anew.
    pub(super) fn save(&self, domain: &Domain) -> Result<()> {
        let file = self.definition(&domain.name);
        let notice = "<!--\nThis file is kept by nsvirtd. Change it with the define command of a \
                      client;\nwhat is edited here counts from the next start of nsvirtd.\n-->\n\n";
        let text = format!("{notice}{}", domain.format(View::Inactive));
        parse(&text).map_err(|error| {
            let detail = format!("the definition could not be read back when stored: {error}");
            Error::new(ErrorCode::ConfigUnsupported, detail)
        })?;
        replace(&file, text.as_bytes(), true).map_err(|e| failed("write", &file, e))
    }

    /// Removes a definition and its link.
    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.set_autostart(name, false)?;
        let file = self.definition(name);
        remove(&file).map_err(|e| failed("remove", &file, e))?;
        let directory = self.paths.definitions();
        sync_directory(&directory).map_err(|e| failed("sync", &directory, e))
    }

    /// Puts what a domain changed of its templates where no start finds it, and says where that
    /// is; removing it takes its time.
    pub(super) fn set_aside_overlays(&self, domain: Uuid) -> Result<Option<PathBuf>> {
        let overlays = self.paths.overlays();
        let (from, to) = (
            overlays.join(domain.to_string()),
            overlays.join(format!("{REMOVED}{}", Uuid::new_v4())),
        );
        match fs::rename(&from, &to) {
            Ok(()) => Ok(Some(to)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("remove", &from, error)),
        }
    }

    /// What a daemon before has put aside and not removed.
    pub(super) fn overlays_set_aside(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.paths.overlays()).into_iter().flatten().flatten();
        let is_removed = |name: &OsStr| name.as_encoded_bytes().starts_with(REMOVED.as_bytes());
        entries.filter(|it| is_removed(&it.file_name())).map(|it| it.path()).collect()
    }

    /// Makes or removes the link that starts a domain with the daemon.
    pub(super) fn set_autostart(&self, name: &str, autostart: bool) -> Result<()> {
        let link = self.autostart_link(name);
        remove(&link).map_err(|e| failed("remove", &link, e))?;
        if autostart {
            std::os::unix::fs::symlink(self.definition(name), &link)
                .map_err(|e| failed("create", &link, e))?;
        }
        Ok(())
    }

    /// Says whether autostart has been done since the host booted, and that it is done now. The
    /// marker holds which boot that was: the run directory need not be one that is new with each.
    pub(super) fn first_since_boot(&self) -> Result<bool> {
        let marker = self.paths.run.join("autostarted");
        let boot = Path::new("/proc/sys/kernel/random/boot_id");
        let boot = fs::read(boot).map_err(|e| failed("read", boot, e))?;
        match fs::read(&marker) {
            Ok(marked) if marked == boot => return Ok(false),
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(failed("read", &marker, e));
            }
            _ => {}
        }
        replace(&marker, &boot, false).map_err(|e| failed("write", &marker, e))?;
        Ok(true)
    }

    /// Files of one run of a domain.
    pub(super) fn run_files(&self, uuid: Uuid, name: &str) -> RunFiles {
        let [socket, exit, _] = self.files_of_run(uuid);
        RunFiles { socket, exit, log: self.log_file(name) }
    }

    /// Socket, exit and record: what goes with a run.
    pub(super) fn files_of_run(&self, uuid: Uuid) -> [PathBuf; 3] {
        let file = |extension| self.paths.runs().join(format!("{uuid}.{extension}"));
        ["sock", "exit", "xml"].map(file)
    }

    /// What a supervisor leaves when its container has ended.
    pub(super) fn exit_file(&self, uuid: Uuid) -> PathBuf {
        let [_, exit, _] = self.files_of_run(uuid);
        exit
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.paths.logs().join(format!("{name}.log"))
    }

    /// The domain's log, for what its supervisor prints.
    pub(super) fn log(&self, name: &str) -> Result<File> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.log_file(name);
        let mut options = File::options();
        options.append(true).create(true).mode(0o600);
        options.open(&path).map_err(|e| failed("open log", &path, e))
    }

    /// Removes all files of a run that is over.
    pub(super) fn forget_run(&self, uuid: Uuid) -> Result<()> {
        for file in self.files_of_run(uuid) {
            remove(&file).map_err(|e| failed("remove", &file, e))?;
        }
        Ok(())
    }
}

/// Reads a document that was stored.
fn parse(text: &str) -> Result<Domain> {
    Domain::parse_element(&xml::parse_within(text, Limits::STORED)?)
}

fn read_definition(file: &Path) -> Result<Domain> {
    let domain = parse(&read(file)?)?;
    if file.file_stem().is_none_or(|stem| stem.as_encoded_bytes() != domain.name.as_bytes()) {
        return Err(Error::new(
            ErrorCode::XmlError,
            format!("the file's name does not match the domain's, '{}'", domain.name),
        ));
    }
    Ok(domain)
}

/// Reads a file.
pub(super) fn read(file: &Path) -> Result<String> {
    let bytes = fs::read(file).map_err(|e| failed("read", file, e))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorCode::XmlError, format!("{} is not UTF-8", file.display())))
}

/// Files of a directory with an extension, by name. Leftovers of an interrupted [`replace`] have
/// another extension.
pub(super) fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|it| it == extension) && !entry.file_type()?.is_dir() {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    };
    list().map_err(|e| failed("list", directory, e))
}

/// Replaces a file by way of a temporary one, so that a reader sees the old or the new text.
pub(super) fn replace(file: &Path, text: &[u8], durable: bool) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let write = || -> io::Result<()> {
        let mut new = File::create(&temporary)?;
        new.write_all(text)?;
        if durable {
            new.sync_all()?;
        }
        fs::rename(&temporary, file)
    };
    write().inspect_err(|_| {
        // The old file is untouched; what is left of the new one is of no use to anybody.
        let _ = fs::remove_file(&temporary);
    })?;
    match file.parent() {
        Some(directory) if durable => sync_directory(directory),
        _ => Ok(()),
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

pub(super) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

pub(super) fn failed(attempt: &str, path: &Path, cause: io::Error) -> Error {
    Error::system(format!("cannot {attempt} {}", path.display()), cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::records::Record;
    use crate::xml::{MAX_DEPTH, MAX_ELEMENTS};

    fn document(inner: &str) -> String {
        format!(
            "<domain type='lxc'><name>a</name><memory>65536</memory>\
             <os><type>exe</type><init>/i</init></os>{inner}</domain>"
        )
    }

    /// As large and as deep as a document may be, and it grows when it is read.
    #[test]
    fn what_was_accepted_is_there_after_a_restart() {
        let directory = std::env::temp_dir().join(format!("nsvirt-store-{}", std::process::id()));
        let store = Store::open(&Paths::below(&directory)).unwrap();
        let elements = MAX_ELEMENTS - 7 - (MAX_DEPTH - 1);
        let serial = "<serial/>".repeat(elements);
        let deep = ["<a:b xmlns:a='u'>", &"<b>".repeat(MAX_DEPTH - 3)];
        let ends = ["</b>".repeat(MAX_DEPTH - 3).as_str(), "</a:b>"].concat();
        let metadata = format!("<metadata>{}{ends}</metadata>", deep.concat());
        let text = document(&format!("{metadata}<devices>{serial}</devices>"));
        let domain = Domain::parse(&text).unwrap();
        let printed = domain.format(View::Inactive);
        assert!(Domain::parse(&printed).is_err(), "this test is of a document that has grown");

        store.save(&domain).unwrap();
        assert_eq!(store.definitions().unwrap(), [(domain.clone(), false)]);
        let group = PathBuf::from("/g");
        store
            .record(&Record {
                supervisor: None,
                paused: false,
                reason: 1,
                group,
                live: domain.clone(),
            })
            .unwrap();
        let records = store.records().unwrap();
        assert_eq!(records.iter().map(|it| &it.live).collect::<Vec<_>>(), [&domain]);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_could_not_be_read_again_is_not_stored() {
        let directory = std::env::temp_dir().join(format!("nsvirt-stored-{}", std::process::id()));
        let store = Store::open(&Paths::below(&directory)).unwrap();
        let mut domain = Domain::parse(&document("")).unwrap();
        domain.title = Some("a\nb".to_owned());
        let error = store.save(&domain).unwrap_err();
        assert!(error.message.contains("could not be read back when stored"), "{error}");
        assert_eq!(store.definitions().unwrap(), []);
        fs::remove_dir_all(&directory).unwrap();
    }
}
