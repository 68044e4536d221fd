//! From a spec to what the engine is asked: paths become opened tables, column lists become features.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::Schema;
use hypostyle_engine::{Feature, How, JoinRequest, JoinTable, Rows, Spine, read_table};
use hypostyle_io::{IoMode, Run, Table};
use rayon::prelude::*;

use super::files::OpenFiles;
use super::resolve::Place;
use super::{JoinOptions, key};
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
    let open_one = |table: &TableSpec| -> Result<Table> {
        let name = table.label();
        let paths = match &table.path {
            Some(path) => place.files(path),
            None => place.named(&name),
        };
        let missing = match table.missing {
            Missing::Error => hypostyle_io::Missing::Error,
            Missing::Null => hypostyle_io::Missing::Null,
        };
        paths.and_then(|paths| open(&name, paths, missing)).map_err(|e| e.table(&name))
    };
    let opened = spec.tables.par_iter().map(open_one).collect::<Result<Vec<_>>>()?;
    let place_error = |e: Error| e.table("spine");
    let spine_table = spec.spine.as_ref().map(|spine| {
        let paths = place.files(&spine.path).map_err(place_error)?;
        open("spine", paths, hypostyle_io::Missing::Error)
    });
    let spine_table = spine_table.transpose()?;
    let key = match spec.key.as_slice() {
        [] => key_of(place, spec, &opened, spine_table.as_ref(), options)?,
        given => given.to_vec(),
    };
    let tables = spec.tables.iter().zip(opened).map(|(table, opened)| {
        let name = table.label();
        let own = if table.key.is_empty() { key.clone() } else { table.key.clone() };
        let features = features(table, &name, &own, &opened, spec.full_names);
        JoinTable { name, table: Arc::new(opened), key: own, features, duplicates: table.duplicates }
    });
    let tables: Vec<JoinTable> = tables.collect();
    let spine = match (&options.spine, &spec.spine, spine_table) {
        (Some(batch), ..) => Some(Spine { batch: typed(batch, &key, &tables)?, key: key.clone() }),
        (None, Some(spine), Some(opened)) => {
            let own = if spine.key.is_empty() { key.clone() } else { spine.key.clone() };
            Some(Spine { batch: read_table(&opened, run).map_err(place_error)?, key: own })
        }
        _ => None,
    };
    Ok(JoinRequest {
        how: if spine.is_some() { How::Spine } else { spec.how },
        key,
        spine,
        tables,
        rows: Rows { from: spec.rows.from.clone(), to: spec.rows.to.clone(), last: spec.rows.last },
        remembered: None,
        strategy: options.strategy,
    })
}

/// A spine without rows, whose key columns libraries give whatever type they give to nothing (often a floating-point
/// one), with those of the first table.
fn typed(spine: &RecordBatch, key: &[String], tables: &[JoinTable]) -> Result<RecordBatch> {
    let first = tables.first();
    if spine.num_rows() > 0 {
        return Ok(spine.clone());
    }
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in spine.schema_ref().fields().iter().zip(spine.columns()) {
        let own =
            key.iter().position(|name| name == field.name()).filter(|_| field.data_type().is_floating());
        let own = own.and_then(|at| Some(first?.table.column(first?.key.get(at)?)));
        match own.transpose()? {
            Some(own) => {
                fields.push(field.as_ref().clone().with_data_type(own.data_type().clone()));
                columns.push(new_empty_array(own.data_type()));
            }
            None => {
                fields.push(field.as_ref().clone());
                columns.push(Arc::clone(column));
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(0));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|e| Error::internal(format!("the empty spine makes no batch: {e}")))
}

/// The key of a join that names none.
fn key_of(
    place: &Place,
    spec: &JoinSpec,
    opened: &[Table],
    spine: Option<&Table>,
    options: &JoinOptions,
) -> Result<Vec<String>> {
    let of_root = key::of_root(place)?;
    if !of_root.is_empty() {
        return Ok(of_root);
    }
    // A table that has a key of its own says nothing about the others'.
    let tables: Vec<&Table> =
        spec.tables.iter().zip(opened).filter(|(t, _)| t.key.is_empty()).map(|(_, table)| table).collect();
    let in_memory = options.spine.as_ref().map(|batch| {
        batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    });
    let in_file = || match &spec.spine {
        Some(spec) if spec.key.is_empty() => spine.map(Table::column_names),
        _ => None,
    };
    key::shared(&tables, in_memory.or_else(in_file).as_deref())
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
