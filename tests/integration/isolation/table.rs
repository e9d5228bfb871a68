//! What is expected, and the table in the document.

use std::fs;
use std::path::{Path, PathBuf};

use super::Rows;
use super::probe::Answers;

/// A profile, with ids of the container's own or without.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub profile: &'static str,
    pub has_ids: bool,
}

impl Column {
    pub const ALL: [&'static Self; 4] = [
        &Self { name: "compat", profile: "compat", has_ids: false },
        &Self { name: "compat-ids", profile: "compat", has_ids: true },
        &Self { name: "hardened", profile: "hardened", has_ids: false },
        &Self { name: "hardened-ids", profile: "hardened", has_ids: true },
    ];
}

const PROFILES: [&str; 2] = ["compat", "hardened"];

/// Answers by column.
#[derive(Debug, Default)]
pub struct Measured(Vec<(&'static Column, Answers)>);

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn file(profile: &str) -> PathBuf {
    at(&format!("tests/data/isolation/{profile}.tsv"))
}

const DOCUMENT: &str = "docs/security.md";
const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

/// What the document has between its marks.
pub fn documented() -> String {
    let text = fs::read_to_string(at(DOCUMENT)).unwrap();
    let (_, rest) = text.split_once(BEGIN).unwrap();
    rest.split_once(END).unwrap().0.to_owned()
}

impl Measured {
    /// The tables.
    pub fn expected() -> Self {
        let answers = |column: &'static Column| {
            let text = fs::read_to_string(file(column.profile)).unwrap();
            let row = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
                [name, plain, ids] => {
                    (name.to_owned(), if column.has_ids { ids } else { plain }.to_owned())
                }
                _ => panic!("{line}"),
            };
            (column, Answers(text.lines().skip(1).map(row).collect()))
        };
        Self(Column::ALL.map(answers).into())
    }

    pub fn insert(&mut self, column: &'static Column, answers: Answers) {
        self.0.push((column, answers));
    }

    pub fn of(&self, column: &Column) -> &Answers {
        &self.0.iter().find(|(it, _)| *it == column).unwrap().1
    }

    fn of_profile(&self, profile: &str) -> [&Rows; 2] {
        let of = |has_ids| {
            let is_it =
                |it: &&(&Column, Answers)| it.0.profile == profile && it.0.has_ids == has_ids;
            &self.0.iter().find(is_it).unwrap().1.0
        };
        [of(false), of(true)]
    }

    /// Makes the present state the expected one.
    pub fn write(&self) {
        for profile in PROFILES {
            let [plain, ids] = self.of_profile(profile);
            let row =
                |(name, answer): (&String, &String)| format!("{name}\t{answer}\t{}\n", ids[name]);
            let rows: String = plain.iter().map(row).collect();
            fs::write(file(profile), format!("row\tplain\tidmap\n{rows}")).unwrap();
        }
        let text = fs::read_to_string(at(DOCUMENT)).unwrap();
        let old = format!("{BEGIN}{}{END}", documented());
        let text = text.replace(&old, &format!("{BEGIN}{}{END}", Self::expected().table()));
        fs::write(at(DOCUMENT), text).unwrap();
    }

    /// What differs from the tables. What this kernel does not have cannot be asked of it; what it
    /// has, and the one that the tables were made on has not, must be closed.
    pub fn compare(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (column, expected) in Self::expected().0 {
            let found = self.of(column);
            let unknown = found.0.keys().filter(|name| !expected.0.contains_key(*name));
            faults.extend(unknown.map(|name| format!("{}: {name} is in no table", column.name)));
            for (name, expected) in &expected.0 {
                let found = found.0.get(name).map_or("missing", String::as_str);
                let fits = found == expected || found == "na" || expected == "na" && found == "no";
                if !fits {
                    let column = column.name;
                    faults.push(format!("{column}: {name} is {found}, expected {expected}"));
                }
            }
        }
        faults
    }

    /// The table of the document: by property, what is open here and with others.
    pub fn table(&self) -> String {
        let peers = fs::read_to_string(at("tests/data/isolation/peers.tsv")).unwrap();
        let mut lines = peers.lines();
        let head: Vec<_> = lines.next().unwrap().split('\t').collect();
        let (property, others) = (head[0], &head[2..]);
        let own = Column::ALL.map(|it| it.name.replace("-ids", " + idmap"));
        let mut table = format!("| {property} | {} | {} |\n", own.join(" | "), others.join(" | "));
        table.push_str(&format!("|---{}|\n", "|---".repeat(own.len() + others.len())));
        for line in lines {
            let cells: Vec<_> = line.split('\t').collect();
            assert_eq!(cells.len(), head.len(), "{line}");
            let rows: Vec<_> = cells[1].split(' ').collect();
            let own = Column::ALL.map(|column| self.cell(column, &rows));
            let others = cells[2..].join(" | ");
            table.push_str(&format!("| {} | {} | {others} |\n", cells[0], own.join(" | ")));
        }
        let open = Column::ALL.map(|column| {
            let answers = self.of(column).0.values();
            let open = answers.clone().filter(|it| it.as_str() == "yes").count();
            let known = answers.filter(|it| it.as_str() != "na").count();
            format!("{open} of {known}")
        });
        let nothing = vec![""; others.len()].join(" | ");
        table.push_str(&format!(
            "| rows that are open, of all | {} | {nothing} |\n",
            open.join(" | ")
        ));
        table
    }

    /// Whether any of some rows is open.
    fn cell(&self, column: &Column, rows: &[&str]) -> String {
        let answers = &self.of(column).0;
        let of = |row: &&str| answers.get(*row).unwrap_or_else(|| panic!("no row {row}")).as_str();
        let found: Vec<_> = rows.iter().map(of).filter(|it| *it != "na").collect();
        let open = found.iter().filter(|it| **it == "yes").count();
        let text = match open {
            _ if found.is_empty() => "–",
            0 => "no",
            _ if open == found.len() => "**yes**",
            _ => "part",
        };
        text.to_owned()
    }
}
