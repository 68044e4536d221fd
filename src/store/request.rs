//! From a spec to what the engine is asked: paths become opened tables, column lists become features.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::Schema;
use hypostyle_engine::{Feature, How, JoinRequest, JoinTable, Rows, Spine, read_table};
use hypostyle_io::{Run, Table, any_remote};
use rayon::prelude::*;

use super::files::{Begun as Opening, OpenFiles};
use super::roots::{Roots, Wanted};
use super::{JoinOptions, key};
use crate::spec::{ColumnSpec, Columns, JoinSpec, Missing, TableSpec};
use crate::{Error, Result};

pub(super) fn of(
    roots: &Roots,
    files: &OpenFiles,
    spec: &JoinSpec,
    options: &JoinOptions,
    run: &Run,
) -> Result<JoinRequest> {
    spec.validate_beside(options.spine.is_some())?;
    let place_error = |e: Error| e.table("spine");
    let (opened, spine_table) = open_tables(roots, files, spec, options, run)?;
    let key = match spec.key.as_slice() {
        [] => key_of(roots, run, spec, &opened, spine_table.as_ref(), options)?,
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
    roots: &Roots,
    run: &Run,
    spec: &JoinSpec,
    opened: &[Table],
    spine: Option<&Table>,
    options: &JoinOptions,
) -> Result<Vec<String>> {
    let of_root = roots.key(run)?;
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

/// A table of the spec, or its spine, on its way to being open.
struct Begun {
    name: String,
    missing: hypostyle_io::Missing,
    wanted: Wanted,
}

/// The tables and the spine. What lies on mounts that can hang is looked for and opened all at once.
fn open_tables(
    roots: &Roots,
    files: &OpenFiles,
    spec: &JoinSpec,
    options: &JoinOptions,
    run: &Run,
) -> Result<(Vec<Table>, Option<Table>)> {
    let table = |table: &TableSpec| {
        let name = table.label();
        let wanted = match &table.path {
            Some(path) => Wanted::Path(path.clone()),
            None => Wanted::Table(name.clone()),
        };
        let missing = match table.missing {
            Missing::Error => hypostyle_io::Missing::Error,
            Missing::Null => hypostyle_io::Missing::Null,
        };
        Begun { name, missing, wanted }
    };
    let spine = spec.spine.as_ref().map(|spine| Begun {
        name: "spine".to_owned(),
        missing: hypostyle_io::Missing::Error,
        wanted: Wanted::Path(spine.path.clone()),
    });
    let all: Vec<Begun> = spec.tables.iter().map(table).chain(spine).collect();
    let mut opened = if any_remote() {
        let found = |begun: Begun| {
            let finding = roots.find(begun.wanted.clone(), run);
            (begun, finding)
        };
        let found: Vec<_> = all.into_iter().map(found).collect();
        let begun = found.into_iter().map(|(begun, finding)| {
            let places = finding.wait(run).map_err(|e| e.table(&begun.name))?;
            let files = places.into_iter().map(|place| files.begin(place, options.io, run));
            Ok((begun, files.collect::<Result<Vec<_>>>()?))
        });
        let begun = begun.collect::<Result<Vec<_>>>()?;
        let finish = |(begun, opening)| finish_table(files, begun, opening, run);
        begun.into_par_iter().map(finish).collect::<Result<Vec<_>>>()?
    } else {
        let open = |begun: Begun| {
            let places = roots.find(begun.wanted.clone(), run).wait(run).map_err(|e| e.table(&begun.name))?;
            let opening = places.into_iter().map(|place| files.begin(place, options.io, run));
            finish_table(files, begun, opening.collect::<Result<Vec<_>>>()?, run)
        };
        all.into_par_iter().map(open).collect::<Result<Vec<_>>>()?
    };
    let spine = spec.spine.as_ref().and_then(|_| opened.pop());
    Ok((opened, spine))
}

fn finish_table(files: &OpenFiles, begun: Begun, opening: Vec<Opening>, run: &Run) -> Result<Table> {
    let name = &begun.name;
    let open = |opening: Opening| {
        run.check()?;
        run.span("open", || name.clone(), || files.finish(opening, run))
    };
    let opened = opening.into_par_iter().map(open).collect::<Result<Vec<_>>>().map_err(|e| e.table(name))?;
    Table::new(name, opened, begun.missing)
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
