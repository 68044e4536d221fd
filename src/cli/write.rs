//! `hypostyle write` and `hypostyle delete`.

use std::path::{Path, PathBuf};

use arrow_select::concat::concat_batches;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hypostyle::{Committed, Error, Format, Result, WriteMode, WriteOptions, read_rows, read_rows_from};

use super::root::Root;
use super::{Common, stdout};

/// Write rows into a table of a managed store, durably when it returns
#[derive(Debug, clap::Args)]
pub(super) struct Write {
    /// The table; it is made by its first write
    table: String,
    /// Parquet, Arrow IPC or CSV files, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    root: Root,
    /// The key columns; a table keeps those of its first write
    #[arg(long, value_name = "K[,K…]", value_delimiter = ',')]
    key: Vec<String>,
    /// append: keys must be new. upsert: rows of known keys are replaced. replace: all rows are, or a range of keys
    #[arg(long, value_name = "MODE", default_value = "append", value_parser = mode())]
    mode: WriteMode,
    /// With replace: only keys from V on
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    from: Option<String>,
    /// With replace: only keys less than V
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    to: Option<String>,
    /// The format, where the file's suffix (.parquet .arrow .arrows .csv) does not tell it
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    format: Option<Format>,
}

impl Write {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let store = self.root.open()?;
        let schema = store.schema(&self.table).map_err(|e| e.table(&self.table))?;
        let read = |path: &PathBuf| match path == Path::new("-") {
            true => read_rows_from(&mut std::io::stdin().lock(), self.format, schema.as_deref()),
            false => read_rows(path, self.format, schema.as_deref()),
        };
        let parts = self.files.iter().map(read).collect::<Result<Vec<_>>>()?;
        let Some(first) = parts.first() else { return Err(Error::invalid("there is nothing to write")) };
        let rows = concat_batches(first.schema_ref(), &parts).map_err(|e| {
            Error::invalid(format!("the files do not have the same columns: {e}"))
                .hint("write them one by one")
        })?;
        let options = WriteOptions::new(self.mode).key(self.key.iter().cloned());
        let options = options.range(self.from.clone(), self.to.clone());
        tell(&store.write(&self.table, &rows, &options)?, common)
    }
}

/// Delete rows of a table of a managed store, by a range of keys
#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    /// The table
    table: String,
    #[command(flatten)]
    root: Root,
    /// Only rows whose first key is V or greater
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    from: Option<String>,
    /// Only rows whose first key is less than V
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    to: Option<String>,
    /// All rows: in place of --from and --to
    #[arg(long, conflicts_with_all = ["from", "to"])]
    all: bool,
}

impl Delete {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        if !self.all && self.from.is_none() && self.to.is_none() {
            return Err(Error::invalid("which rows are to be deleted?").hint("say --from, --to or --all"));
        }
        tell(&self.root.open()?.delete(&self.table, self.from.as_deref(), self.to.as_deref())?, common)
    }
}

/// What a commit did.
pub(super) fn tell(committed: &Committed, common: Common) -> Result<()> {
    if common.json {
        return stdout::print_json(committed);
    }
    if committed.tables.is_empty() {
        return stdout::print(&format!("nothing to change; the newest snapshot is {}\n", committed.snapshot));
    }
    let tables = committed.tables.iter().map(|(name, rows)| format!(", {name} has {rows} rows"));
    let tables: String = tables.collect();
    stdout::print(&format!("snapshot {} at {}{tables}\n", committed.snapshot, committed.time()))
}

fn mode() -> impl TypedValueParser<Value = WriteMode> {
    PossibleValuesParser::new(["append", "upsert", "replace"]).try_map(|word| word.parse::<WriteMode>())
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["arrow", "stream", "parquet", "csv"]).try_map(|word| word.parse::<Format>())
}
