//! `list`

use futures_util::future;
use unicode_width::UnicodeWidthStr;
use zbus::OwnedObjectPath;

use crate::bus::{Bus, BusError, CONNECT, DOMAIN, ROOT};
use crate::cmd::exclusive;
use crate::domain::{self, SHUTOFF};
use crate::outcome::{Context, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use crate::xml;

const ACTIVE: u32 = 1;
const INACTIVE: u32 = 2;

/// Filters the service applies, by the names of their options.
const FILTERS: &[(&str, u32)] = &[
    ("persistent", 1 << 2),
    ("transient", 1 << 3),
    ("state-running", 1 << 4),
    ("state-paused", 1 << 5),
    ("state-shutoff", 1 << 6),
    ("state-other", 1 << 7),
    ("with-managed-save", 1 << 8),
    ("without-managed-save", 1 << 9),
    ("autostart", 1 << 10),
    ("no-autostart", 1 << 11),
    ("with-snapshot", 1 << 12),
    ("without-snapshot", 1 << 13),
    ("with-checkpoint", 1 << 14),
    ("without-checkpoint", 1 << 15),
];

/// One domain of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    id: Option<u64>,
    name: String,
    uuid: String,
    state: i32,
    title: String,
    saved: bool,
}

/// `list`
pub(crate) fn list(shell: &mut Shell, args: &Args) -> Outcome {
    for column in ["uuid", "name", "id"] {
        exclusive(args, "table", column)?;
    }
    let paths: Vec<OwnedObjectPath> = shell
        .bus()?
        .call(ROOT, CONNECT, "ListDomains", &(filter(args),))
        .context(|| "Failed to list domains".to_owned())?;
    let plain = ["uuid", "name", "id"].iter().any(|column| args.has(column));
    let want =
        Want { title: args.has("title") && !plain, saved: args.has("managed-save") && !plain };
    let mut rows = rows(shell.bus()?, &paths, want)?;
    sort(&mut rows);
    if plain {
        for row in &rows {
            if let Some(line) = plain_line(args, row) {
                shell.print(format_args!("{line}\n"));
            }
        }
        return Ok(());
    }
    let text = table(&rows, want, !shell.quiet);
    shell.print(text);
    Ok(())
}

/// Without a word about it only the running ones are listed.
fn filter(args: &Args) -> u32 {
    let base = if args.has("all") {
        ACTIVE | INACTIVE
    } else if args.has("inactive") || args.has("state-shutoff") {
        INACTIVE
    } else {
        ACTIVE
    };
    base | crate::cmd::flags(args, FILTERS)
}

/// What the table shows beyond the usual, as it costs a call for each domain.
#[derive(Debug, Clone, Copy)]
struct Want {
    title: bool,
    saved: bool,
}

fn rows(bus: &Bus, paths: &[OwnedObjectPath], want: Want) -> Outcome<Vec<Row>> {
    let found = bus.each(paths, |path| row(bus, path.as_str(), want));
    // A domain may vanish between the list and the look at it; then it is no part of the list.
    let mut rows = Vec::with_capacity(found.len());
    for one in found {
        match one {
            Ok(row) => rows.push(row),
            Err(BusError::Broken(text)) => return Err(fail(text)),
            Err(BusError::Driver(_) | BusError::Missing(_)) => {}
        }
    }
    Ok(rows)
}

async fn row(bus: &Bus, path: &str, want: Want) -> Result<Row, BusError> {
    let state = async {
        let (state, _) =
            bus.call_async::<_, (i32, i32)>(path, DOMAIN, "GetState", &(0u32,)).await?;
        // What the property holds for a domain that is off differs between services.
        let id = match state {
            SHUTOFF => None,
            _ => bus.property_async::<u64>(path, DOMAIN, "Id").await.ok(),
        };
        Ok::<_, BusError>((state, id))
    };
    let name = bus.property_async::<String>(path, DOMAIN, "Name");
    let title = async {
        if !want.title {
            return String::new();
        }
        let xml = bus.call_async::<_, String>(path, DOMAIN, "GetXMLDesc", &(0u32,)).await;
        xml.ok().and_then(|xml| xml::text(&xml, &["domain", "title"])).unwrap_or_default()
    };
    let saved = async {
        want.saved
            && bus
                .call_async(path, DOMAIN, "HasManagedSaveImage", &(0u32,))
                .await
                .unwrap_or_default()
    };
    let (state, name, title, saved) = future::join4(state, name, title, saved).await;
    let (state, id) = state?;
    Ok(Row { id, name: name?, uuid: domain::uuid_of(path), state, title, saved })
}

/// Running ones first, by id; then the others by name.
fn sort(rows: &mut [Row]) {
    rows.sort_by_cached_key(|row| {
        let name = row.id.is_none().then(|| row.name.to_lowercase());
        (row.id.is_none(), row.id, name)
    });
}

/// The columns asked for, in one order whatever the order of the options.
fn plain_line(args: &Args, row: &Row) -> Option<String> {
    let mut parts = Vec::new();
    if args.has("uuid") {
        parts.push(row.uuid.clone());
    }
    if args.has("id") {
        match row.id {
            Some(id) => parts.push(id.to_string()),
            // Alone on its line a dash would say nothing.
            None if args.has("uuid") || args.has("name") => parts.push("-".to_owned()),
            None => return None,
        }
    }
    if args.has("name") {
        parts.push(row.name.clone());
    }
    Some(parts.join(" "))
}

fn table(rows: &[Row], want: Want, heading: bool) -> String {
    let mut lines = Vec::with_capacity(rows.len() + 1);
    if heading {
        let mut line = vec!["Id".to_owned(), "Name".to_owned(), "State".to_owned()];
        line.extend(want.title.then(|| "Title".to_owned()));
        lines.push(line);
    }
    lines.extend(rows.iter().map(|row| {
        let id = row.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let state =
            if row.saved && row.id.is_none() { "saved" } else { domain::state_name(row.state) };
        let mut line = vec![id, printable(&row.name), state.to_owned()];
        line.extend(want.title.then(|| printable(&row.title)));
        line
    }));
    layout(&lines, heading)
}

/// What would move the cursor is shown by its number.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Columns as wide as their widest cell, three spaces between them, the last one open.
fn layout(lines: &[Vec<String>], heading: bool) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            out.push_str(if column == 0 { " " } else { "   " });
            out.push_str(cell);
            if column + 1 < columns {
                out.push_str(&" ".repeat(width - cell.width()));
            }
        }
        out.push('\n');
        if heading && number == 0 {
            // A column counts its cell and three spaces.
            out.push_str(&"-".repeat(widths.iter().map(|width| width + 3).sum::<usize>()));
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    const PLAIN: Want = Want { title: false, saved: false };

    fn row(id: Option<u64>, name: &str, state: i32) -> Row {
        Row {
            id,
            name: name.to_owned(),
            uuid: format!("uuid-{name}"),
            state,
            title: format!("T {name}"),
            saved: false,
        }
    }

    fn args(line: &str) -> Args {
        parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn table_as_virsh_draws_it() {
        let rows = [row(Some(5186), "c1", 1), row(None, "c2", 5)];
        assert_eq!(
            table(&rows, PLAIN, true),
            " Id     Name   State\n-------------------------\n 5186   c1     running\n \
             -      c2     shut off\n"
        );
        assert_eq!(table(&[], PLAIN, true), " Id   Name   State\n--------------------\n");
        assert_eq!(table(&rows[..1], PLAIN, false), " 5186   c1   running\n");
        assert_eq!(table(&[], PLAIN, false), "");
    }

    #[test]
    fn titles_and_wide_characters() {
        let rows = [row(Some(1), "容器", 3)];
        assert_eq!(
            table(&rows, Want { title: true, saved: false }, true),
            " Id   Name   State    Title\n------------------------------\n 1    容器   paused   T 容器\n"
        );
    }

    #[test]
    fn order() {
        let mut rows =
            [row(None, "b", 5), row(None, "A", 5), row(Some(20), "x", 1), row(Some(3), "y", 1)];
        sort(&mut rows);
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["y", "x", "A", "b"]);
    }

    #[test]
    fn plain_columns() {
        let (on, off) = (row(Some(7), "c1", 1), row(None, "c2", 5));
        let line = |options: &str, row| plain_line(&args(&format!("list {options}")), row);
        assert_eq!(line("--name --uuid", &on).as_deref(), Some("uuid-c1 c1"));
        assert_eq!(line("--name --id", &off).as_deref(), Some("- c2"));
        assert_eq!(line("--id", &off), None);
    }

    #[test]
    fn filters() {
        assert_eq!(filter(&args("list")), ACTIVE);
        assert_eq!(filter(&args("list --all --inactive")), ACTIVE | INACTIVE);
        assert_eq!(filter(&args("list --state-shutoff --transient")), INACTIVE | 64 | 8);
    }
}
