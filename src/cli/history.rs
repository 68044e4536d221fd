//! `hypostyle files`, `log`, `diff` and `tag`: what a managed store's snapshots are.

use hypostyle::{AsOf, Difference, Error, Result, SnapshotReport, TableChange};

use super::root::Root;
use super::{Common, stdout};

/// List the Parquet files of a table, for other tools
#[derive(Debug, clap::Args)]
pub(super) struct Files {
    /// The table
    table: String,
    #[command(flatten)]
    root: Root,
    /// As of a snapshot: a number, a time or a tag; else the newest
    #[arg(long, value_name = "S")]
    as_of: Option<AsOf>,
}

impl Files {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let files = self.root.open()?.files(&self.table, self.as_of.as_ref())?;
        let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        if common.json {
            return stdout::print_json(&files);
        }
        stdout::print(&files.iter().map(|file| format!("{file}\n")).collect::<String>())
    }
}

/// List what was committed, the newest first
#[derive(Debug, clap::Args)]
pub(super) struct Log {
    /// Only commits that changed this table
    table: Option<String>,
    #[command(flatten)]
    root: Root,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    most: usize,
}

impl Log {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let log = self.root.open()?.log(self.table.as_deref(), self.most)?;
        if common.json {
            return stdout::print_json(&log);
        }
        let line = |s: &SnapshotReport| {
            let tags = if s.tags.is_empty() { String::new() } else { format!(" [{}]", s.tags.join(", ")) };
            format!("{:>8}  {}  {}{tags}  ({}, commit {})\n", s.number, s.time, s.what, s.who, s.commit)
        };
        stdout::print(&log.iter().map(line).collect::<String>())
    }
}

/// Show what differs between two snapshots
#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    /// A number, a time or a tag
    #[arg(value_name = "A")]
    from: AsOf,
    /// Another
    #[arg(value_name = "B")]
    to: AsOf,
    #[command(flatten)]
    root: Root,
}

impl Diff {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let difference = self.root.open()?.diff(&self.from, &self.to)?;
        if common.json { stdout::print_json(&difference) } else { stdout::print(&text(&difference)) }
    }
}

fn text(difference: &Difference) -> String {
    let rows = |rows: Option<u64>| rows.map_or("none".to_owned(), |rows| rows.to_string());
    let table = |(name, change): (&String, &TableChange)| {
        let mut lines = format!("{name}: rows {} → {}\n", rows(change.rows_before), rows(change.rows_after));
        for (sign, what, names) in [
            ("+", "column ", &change.columns_added),
            ("+", "", &change.files_added),
            ("-", "", &change.files_removed),
        ] {
            lines.extend(names.iter().map(|name| format!("  {sign} {what}{name}\n")));
        }
        lines
    };
    let tables: String = difference.tables.iter().map(table).collect();
    format!("snapshot {} → {}\n{tables}", difference.from, difference.to)
}

/// Name a snapshot, which gc then keeps; without a name, list the tags
#[derive(Debug, clap::Args)]
pub(super) struct Tag {
    /// The tag
    name: Option<String>,
    #[command(flatten)]
    root: Root,
    /// The snapshot: a number, a time or another tag; else the newest
    #[arg(long, value_name = "S")]
    as_of: Option<AsOf>,
    /// Move a tag that names another snapshot
    #[arg(long)]
    force: bool,
    /// Take the tag away
    #[arg(long, conflicts_with_all = ["as_of", "force"])]
    delete: bool,
}

impl Tag {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let store = self.root.open()?;
        let Some(name) = &self.name else {
            if self.delete || self.force || self.as_of.is_some() {
                return Err(Error::invalid("which tag?").hint("give its name"));
            }
            let tags = store.tags()?;
            if common.json {
                return stdout::print_json(&tags);
            }
            return stdout::print(
                &tags.iter().map(|(tag, number)| format!("{tag} {number}\n")).collect::<String>(),
            );
        };
        if self.delete {
            store.untag(name)?;
            return if common.json { stdout::print_json(&store.tags()?) } else { Ok(()) };
        }
        let number = store.tag(name, self.as_of.as_ref(), self.force)?;
        if common.json {
            return stdout::print_json(&serde_json::json!({"tag": name, "snapshot": number}));
        }
        stdout::print(&format!("{name} is snapshot {number}\n"))
    }
}
