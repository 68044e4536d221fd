//! Tables listed and described, by name.

use std::fmt;

use hypostyle_engine::{KeySummary, summarise_key};
use hypostyle_io::{Missing, Run, Table};
use rayon::prelude::*;
use serde::Serialize;

use super::roots::Wanted;
use super::{JoinOptions, Store, inspect, no_snapshots};
use crate::Result;

/// A table over all of its files.
#[derive(Clone, Debug, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its files.
    pub files: usize,
    /// Its rows, in all files.
    pub rows: u64,
    /// What the files take, in bytes.
    pub bytes: u64,
    /// Its columns, with the types that all files together have.
    pub columns: Vec<TableColumn>,
    /// What its key is like; `None` if no column could be one.
    pub key: Option<KeySummary>,
}

/// A column of a table.
#[derive(Clone, Debug, Serialize)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    pub arrow_type: String,
    /// Whether it may have nulls.
    pub nullable: bool,
}

impl Store {
    /// The names of the tables under the root: what [`TableSpec::named`](crate::TableSpec::named) finds, sorted.
    ///
    /// # Errors
    /// Those of looking through the folder.
    pub fn tables(&self) -> Result<Vec<String>> {
        self.tables_within(&Run::default())
    }

    /// The same within a run of the caller's own, which may have a deadline.
    ///
    /// # Errors
    /// Those of looking through the folder, and of the deadline.
    pub fn tables_within(&self, run: &Run) -> Result<Vec<String>> {
        match self.managed_within(run)? {
            Some(managed) => managed.view(None, std::time::Duration::ZERO)?.names(),
            None => self.roots.tables(run),
        }
    }

    /// Describes a table by its name. `key` names the key columns; when it is empty, it is what `hypostyle.yaml`
    /// in the root says, else the first column that could be a key is looked at.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), with the nearest name, if there is no such table; those of reading
    /// its files.
    pub fn describe(&self, table: &str, key: &[String], options: &JoinOptions) -> Result<TableReport> {
        let run = options.run();
        self.on_pool(options, &run, || {
            let found = match self.managed_within(&run)? {
                None if options.as_of.is_some() => return Err(no_snapshots()),
                None => self.roots.find(Wanted::Table(table.to_owned()), &run).wait(&run),
                Some(_) => self
                    .files(table, options.as_of.as_ref())
                    .map(|paths| paths.into_iter().map(|path| self.roots.everywhere(0, path)).collect()),
            };
            let open = self.files.get();
            let begin = |place| open.begin(place, options.io, &run);
            let begun = found.map_err(|e| e.table(table))?.into_iter().map(begin);
            let files =
                begun.collect::<Result<Vec<_>>>()?.into_par_iter().map(|file| open.finish(file, &run));
            let files = files.collect::<Result<Vec<_>>>().map_err(|e| e.table(table))?;
            let opened = Table::new(table, files, Missing::Null)?;
            let mut key = key.to_vec();
            if key.is_empty() {
                let of_root = self.roots.key(&run)?;
                let has = opened.column_names();
                key = if of_root.iter().all(|name| has.contains(name)) { of_root } else { key };
            }
            let column = |name: &String| {
                let column = opened.column(name)?;
                let arrow_type = column.data_type().to_string();
                Ok(TableColumn { name: name.clone(), arrow_type, nullable: column.field().is_nullable() })
            };
            hypostyle_io::read_ahead(hypostyle_engine::key_ahead(&opened, &key, &run)?, &run);
            Ok(TableReport {
                name: table.to_owned(),
                files: opened.files().len(),
                rows: opened.rows(),
                bytes: opened.files().iter().map(|file| file.identity().size()).sum(),
                columns: opened.column_names().iter().map(column).collect::<Result<_>>()?,
                key: summarise_key(&opened, &key, &run)?,
            })
        })
    }
}

impl fmt::Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, files, rows, bytes, columns, key } = self;
        let many = |count: usize| if count == 1 { "" } else { "s" };
        writeln!(f, "{name}")?;
        writeln!(
            f,
            "  {rows} rows, {} column{}, {files} file{}, {bytes} bytes",
            columns.len(),
            many(columns.len()),
            many(*files)
        )?;
        if let Some(key) = key {
            inspect::write_key(key, f)?;
        }
        let width = columns.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
        for column in columns {
            let nullable = if column.nullable { "?" } else { "" };
            writeln!(f, "  {:width$}  {}{nullable}", column.name, column.arrow_type)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array};

    use super::super::tests::batch;
    use super::*;
    use crate::{ErrorKind, Format, write_file};

    #[test]
    fn tables_are_listed_and_described_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let keys = |keys: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(keys)) };
        let single = |values: Vec<f32>| -> ArrayRef { Arc::new(Float32Array::from(values)) };
        let double = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        for (name, batch) in [
            ("wind/2023.parquet", batch([("k", keys(vec![1, 2])), ("x", single(vec![0.5, 1.5]))])),
            ("wind/y/2024.parquet", batch([("k", keys(vec![3, 4])), ("x", double(vec![2.5, 3.5]))])),
            ("sun.parquet", batch([("f", double(vec![2.5]))])),
            ("no-name.parquet", batch([("k", keys(vec![1]))])),
            ("_hidden.parquet", batch([("k", keys(vec![1]))])),
            ("both.parquet", batch([("k", keys(vec![1]))])),
        ] {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            write_file(&batch, &root.join(name), Format::Parquet).unwrap();
        }
        for empty in ["hollow", "both", "2024"] {
            std::fs::create_dir(root.join(empty)).unwrap();
        }
        std::fs::write(root.join("readme.txt"), "").unwrap();
        let store = Store::open(root).unwrap();
        // What stands both as a file and as a folder is found under no name.
        assert_eq!(store.tables().unwrap(), ["_hidden", "sun", "wind"]);
        for name in store.tables().unwrap() {
            assert!(store.describe(&name, &[], &JoinOptions::default()).is_ok(), "{name}");
        }
        let report = |name: &str, key: &[&str]| {
            let key: Vec<String> = key.iter().map(|k| (*k).to_owned()).collect();
            store.describe(name, &key, &JoinOptions::default())
        };
        let wind = report("wind", &[]).unwrap();
        let bytes = wind.bytes;
        assert_eq!(
            wind.to_string(),
            format!(
                "wind\n  4 rows, 2 columns, 2 files, {bytes} bytes\n  key k: 1 … 4, strictly ascending, unique, 0 null\n  \
                 k  Int64?\n  x  Float64?\n"
            )
        );
        assert!(report("sun", &[]).unwrap().key.is_none());
        for (name, key, kind, hint) in [
            ("wimd", &[][..], ErrorKind::NotFound, "did you mean `wind`?"),
            ("hollow", &[], ErrorKind::NotFound, "files end in .parquet"),
            ("both", &[], ErrorKind::InvalidRequest, "say which"),
            ("../wind", &[], ErrorKind::InvalidRequest, "name a path below"),
            ("wind", &["other"], ErrorKind::InvalidRequest, "there are `k`, `x`"),
            ("wind", &["x"], ErrorKind::InvalidRequest, "write the key as"),
        ] {
            let error = report(name, key).expect_err(name);
            assert_eq!((error.kind(), error.table_name()), (kind, Some(name)), "{error}");
            assert!(error.hint_text().is_some_and(|h| h.starts_with(hint)), "{error:?}");
        }
        std::fs::write(root.join("hypostyle.yaml"), "key: x").unwrap();
        assert_eq!(report("wind", &["k"]).unwrap().key.unwrap().columns, ["k"]);
        assert_eq!(report("wind", &[]).unwrap_err().column_name(), Some("x"));
        assert!(report("sun", &[]).unwrap().key.is_none());
    }
}
