//! Records of what runs, one per container, for the daemons to come.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::store::{Store, failed, files, read, remove, replace};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain, View};
use crate::xml::{self, Limits, Writer};

/// What is known of a running container while no daemon is there to know it.
#[derive(Debug)]
pub(super) struct Record {
    /// Process ID of its supervisor, once there is one.
    pub(super) supervisor: Option<u32>,
    /// Whether it was suspended.
    pub(super) paused: bool,
    /// libvirt's reason for that.
    pub(super) reason: i32,
    /// Where its control groups are, below each hierarchy.
    pub(super) group: PathBuf,
    /// The document it was started from.
    pub(super) live: Domain,
}

impl Store {
    fn record_file(&self, uuid: Uuid) -> PathBuf {
        let [_, _, record] = self.files_of_run(uuid);
        record
    }

    /// Writes what runs.
    pub(super) fn record(&self, record: &Record) -> Result<()> {
        self.write_record(record.live.uuid, &Self::text(record))
    }

    /// Writes the text of a record.
    pub(super) fn write_record(&self, domain: Uuid, text: &str) -> Result<()> {
        let file = self.record_file(domain);
        replace(&file, text.as_bytes(), false).map_err(|e| failed("write", &file, e))
    }

    /// A record as it is written.
    pub(super) fn text(record: &Record) -> String {
        let Record { supervisor, paused, reason, group, live } = record;
        let pid = supervisor.map_or_else(String::new, |pid| format!(" pid='{pid}'"));
        let state = if *paused { "paused" } else { "running" };
        let mut place = Writer::new();
        place.empty("group", &[("path", &group.to_string_lossy())]);
        format!(
            "<domstatus state='{state}' reason='{reason}'{pid}>\n{}{}</domstatus>\n",
            place.finish(),
            live.format(View::Live)
        )
    }

    /// Reads what ran when the last daemon ended. A record that cannot be read is reported and
    /// kept: the container it meant may run still. One that was not written to its end is of a
    /// start that did not happen.
    pub(super) fn records(&self) -> Result<Vec<Record>> {
        for file in files(&self.paths.runs(), "new")? {
            remove(&file).map_err(|e| failed("remove", &file, e))?;
        }
        let mut records = Vec::new();
        for file in files(&self.paths.runs(), "xml")? {
            match read_record_file(&file) {
                Ok(record) => records.push(record),
                Err(error) => tracing::error!("skipping record {}: {error}", file.display()),
            }
        }
        Ok(records)
    }

    /// Reads a record's text.
    pub(super) fn read_record(text: &str) -> Result<Record> {
        let root = xml::parse_within(text, Limits::STORED)?;
        let number = |text: &str| -> Result<i32> {
            text.parse().map_err(|_| Error::xml(root.line, format!("'{text}' is no number")))
        };
        let supervisor = root.attr("pid").map(number).transpose()?;
        let supervisor = supervisor.map(u32::try_from).transpose();
        let child =
            |name| root.child(name).ok_or_else(|| Error::xml(root.line, format!("no <{name}>")));
        let (group, domain) = (child("group")?, child("domain")?);
        let mut live = Domain::parse_element(domain)?;
        live.take_aliases(domain);
        Ok(Record {
            supervisor: supervisor.map_err(|_| Error::xml(root.line, "a negative process ID"))?,
            paused: root.required_attr("state")? == "paused",
            reason: number(root.required_attr("reason")?)?,
            group: group.required_attr("path")?.into(),
            live,
        })
    }
}

fn read_record_file(file: &Path) -> Result<Record> {
    let record = Store::read_record(&read(file)?)?;
    let uuid = record.live.uuid.to_string();
    if file.file_stem().is_none_or(|stem| stem.as_encoded_bytes() != uuid.as_bytes()) {
        let text = format!("the file's name does not match the domain's UUID, {uuid}");
        return Err(Error::new(ErrorCode::XmlError, text));
    }
    Ok(record)
}
