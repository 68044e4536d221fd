//! Files described for people and machines.

use std::fmt;

use hypostyle_engine::{KeySummary, summarise_key};
use hypostyle_io::{FileDescription, Missing, Run, Table, read_ahead};
use rayon::prelude::*;
use serde::Serialize;

use super::roots::Wanted;
use super::{JoinOptions, Store};
use crate::{Error, Result};

/// A file and its key.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// What the file is made of.
    #[serde(flatten)]
    pub file: FileDescription,
    /// What its key is like; `None` if no column could be one.
    pub key: Option<KeySummary>,
}

impl Store {
    /// Describes the files that `path` (a file, a folder or a glob) stands for: one report a file.
    ///
    /// `key` names the key columns; when it is empty, the first column that could be a key is looked at.
    ///
    /// # Errors
    /// Those of finding and reading the files.
    pub fn inspect(&self, path: &str, key: &[String], options: &JoinOptions) -> Result<Vec<FileReport>> {
        self.inspect_all(&[path.to_owned()], key, options)
    }

    /// The same for several paths: on a mount that answers late, all of their files are asked for at once.
    ///
    /// # Errors
    /// Those of finding and reading the files.
    pub fn inspect_all(
        &self,
        paths: &[String],
        key: &[String],
        options: &JoinOptions,
    ) -> Result<Vec<FileReport>> {
        let run = options.run();
        self.on_pool(options, &run, || {
            self.again_if_changed(options, &run, || {
                let reports = self.reports(paths, key, options, &run);
                run.forget_ahead();
                reports
            })
        })
    }

    fn reports(
        &self,
        paths: &[String],
        key: &[String],
        options: &JoinOptions,
        run: &Run,
    ) -> Result<Vec<FileReport>> {
        let files = self.files.get();
        let find = |path: &String| self.roots.find(Wanted::Path(path.clone()), run);
        let finding: Vec<_> = paths.iter().map(find).collect();
        let mut begun = Vec::new();
        for found in finding {
            for place in found.wait(run)? {
                let name = place.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
                begun.push((name, files.begin(place, options.io, run)?));
            }
        }
        let table = |(name, begun)| {
            let file = files.finish(begun, run)?;
            Table::new(name, vec![file], Missing::Error)
        };
        let tables: Vec<Table> = begun.into_par_iter().map(table).collect::<Result<_>>()?;
        let mut wishes = Vec::new();
        for table in &tables {
            for file in table.files() {
                wishes.push(file.describe_ahead()?);
            }
            wishes.extend(hypostyle_engine::key_ahead(table, key, run)?);
        }
        read_ahead(wishes, run);
        let report = |table: &Table| {
            let [file] = table.files() else { return Err(Error::internal("a table of not one file")) };
            Ok(FileReport { file: file.describe(run)?, key: summarise_key(table, key, run)? })
        };
        tables.iter().map(report).collect()
    }
}

/// A key in one line.
pub(super) fn write_key(key: &KeySummary, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let range = match (&key.min, &key.max) {
        (Some(min), Some(max)) => format!("{min} … {max}"),
        _ => "no keys".to_owned(),
    };
    let unique = if key.unique { "unique" } else { "repeated" };
    writeln!(f, "  key {}: {range}, {}, {unique}, {} null", key.columns.join(", "), key.order, key.nulls)
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        writeln!(f, "{}", file.path.display())?;
        writeln!(
            f,
            "  {} rows, {} columns, {} row groups, {} bytes, written by {}",
            file.rows,
            file.columns.len(),
            file.row_groups.len(),
            file.bytes,
            file.created_by.as_deref().unwrap_or("an unknown program")
        )?;
        if let Some(key) = &self.key {
            write_key(key, f)?;
        }
        let width = file.columns.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
        for column in &file.columns {
            let pages = match column.dictionary_pages {
                0 => format!("{} pages", column.data_pages),
                d => format!("{} pages + {d} dictionaries", column.data_pages),
            };
            let index = match (column.offset_index, column.column_index) {
                (true, true) => ", page index",
                (true, false) => ", offset index",
                _ => "",
            };
            writeln!(
                f,
                "  {:width$}  {}{}  {}  {}  {pages}  {} of {} bytes{index}",
                column.name,
                column.arrow_type,
                if column.nullable { "?" } else { "" },
                column.codecs.join("+"),
                column.encodings.join("+"),
                column.bytes,
                column.uncompressed_bytes,
            )?;
        }
        Ok(())
    }
}
