//! From a spec to what the engine is asked: paths become opened tables, column lists become features.

use std::sync::Arc;

use hypostyle_engine::{Feature, How, JoinRequest, JoinTable, Rows, Spine, read_table};
use hypostyle_io::{IoMode, Run, Table};
use rayon::prelude::*;

use super::JoinOptions;
use super::files::OpenFiles;
use super::resolve::Place;
use crate::spec::{ColumnSpec, Columns, JoinSpec, Missing, TableSpec};
use crate::{Error, Result};

pub(super) fn of(
    place: &Place,
    files: &OpenFiles,
    spec: &JoinSpec,
    options: &JoinOptions,
    run: &Run,
) -> Result<JoinRequest> {
    spec.validate_beside(options.spine.is_some())?;
    let open = |name: &str, paths: Vec<std::path::PathBuf>, missing| {
        open_table(files, name, &paths, missing, options.io, run)
    };
    let table = |table: &TableSpec| -> Result<JoinTable> {
        let name = table.label();
        let paths = match &table.path {
            Some(path) => place.files(path),
            None => place.named(&name),
        };
        let missing = match table.missing {
            Missing::Error => hypostyle_io::Missing::Error,
            Missing::Null => hypostyle_io::Missing::Null,
        };
        let opened = paths.and_then(|paths| open(&name, paths, missing)).map_err(|e| e.table(&name))?;
        let key = if table.key.is_empty() { spec.key.clone() } else { table.key.clone() };
        let features = features(table, &name, &key, &opened, spec.full_names);
        Ok(JoinTable { name, table: Arc::new(opened), key, features, duplicates: table.duplicates })
    };
    let tables = spec.tables.par_iter().map(table).collect::<Result<_>>()?;
    let spine = spec.spine.as_ref().map(|spine| -> Result<Spine> {
        let place_error = |e: Error| e.table("spine");
        let paths = place.files(&spine.path).map_err(place_error)?;
        let opened = open("spine", paths, hypostyle_io::Missing::Error)?;
        let key = if spine.key.is_empty() { spec.key.clone() } else { spine.key.clone() };
        Ok(Spine { batch: read_table(&opened, run).map_err(place_error)?, key })
    });
    let spine = match &options.spine {
        Some(batch) => Some(Spine { batch: batch.clone(), key: spec.key.clone() }),
        None => spine.transpose()?,
    };
    Ok(JoinRequest {
        how: if spine.is_some() { How::Spine } else { spec.how },
        key: spec.key.clone(),
        spine,
        tables,
        rows: Rows { from: spec.rows.from.clone(), to: spec.rows.to.clone(), last: spec.rows.last },
        strategy: options.strategy,
    })
}

fn open_table(
    files: &OpenFiles,
    name: &str,
    paths: &[std::path::PathBuf],
    missing: hypostyle_io::Missing,
    mode: IoMode,
    run: &Run,
) -> Result<Table> {
    let open = |path: &std::path::PathBuf| {
        run.check()?;
        run.span("open", || name.to_owned(), || files.open(path, mode, run))
    };
    let opened = paths.par_iter().map(open).collect::<Result<Vec<_>>>().map_err(|e| e.table(name))?;
    Table::new(name, opened, missing)
}

/// The columns wanted, with their names in the output: a new name that is given is the whole name.
fn features(spec: &TableSpec, name: &str, key: &[String], table: &Table, full_names: bool) -> Vec<Feature> {
    let all: Vec<ColumnSpec>;
    let columns = match &spec.columns {
        Columns::Named(columns) => columns,
        Columns::All => {
            let names = table.column_names().into_iter().filter(|n| !key.contains(n));
            all = names.map(|column| ColumnSpec { column, rename: None }).collect();
            &all
        }
    };
    let feature = |c: &ColumnSpec| {
        let full = || if full_names { format!("{name}__{}", c.column) } else { c.column.clone() };
        Feature { column: c.column.clone(), output: c.rename.clone().unwrap_or_else(full) }
    };
    columns.iter().map(feature).collect()
}
