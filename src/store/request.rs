//! From a spec to what the engine is asked: paths become opened tables, column lists become features.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::Schema;
use hypostyle_engine::{Feature, How, JoinRequest, JoinTable, Rows, Spine, read_table};
use hypostyle_io::{Run, Table, any_remote};
use rayon::prelude::*;

use super::files::{Begun as Opening, OpenFiles};
use super::roots::{Finding, Roots, Wanted};
use super::{JoinOptions, key, managed};
use crate::managed::{AsOf, ListedTable, View};
use crate::spec::{ColumnSpec, Columns, JoinSpec, Missing, TableSpec};
use crate::{Error, Result};

/// The snapshot that is asked for.
pub(super) fn as_of(spec: &JoinSpec, options: &JoinOptions) -> Result<Option<AsOf>> {
    match (&options.as_of, &spec.as_of) {
        (Some(as_of), _) => Ok(Some(as_of.clone())),
        (None, Some(text)) => text.parse().map(Some),
        (None, None) => Ok(None),
    }
}

pub(super) fn of(
    roots: &Roots,
    files: &OpenFiles,
    view: Option<&View<'_>>,
    spec: &JoinSpec,
    options: &JoinOptions,
    run: &Run,
) -> Result<JoinRequest> {
    spec.validate_beside(options.spine.is_some())?;
    let listed = |table: &TableSpec| listed(roots, view, table).map_err(|e| e.table(table.label()));
    let listed = spec.tables.iter().map(listed).collect::<Result<Vec<_>>>()?;
    let place_error = |e: Error| e.table("spine");
    let (opened, spine_table) = open_tables(roots, files, view, &listed, spec, options, run)?;
    let key = match spec.key.as_slice() {
        [] => match key_of_listed(spec, &listed) {
            Some(key) => key,
            None => key_of(roots, run, spec, &opened, spine_table.as_ref(), options)?,
        },
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

/// The table that a managed store lists, where that is what is meant.
fn listed(roots: &Roots, view: Option<&View<'_>>, table: &TableSpec) -> Result<Option<ListedTable>> {
    let Some(view) = view else { return Ok(None) };
    let place = roots.first()?;
    match &table.path {
        None => view.table(&table.label()).map(Some),
        Some(path) if managed::as_name(path) => match view.find(path)? {
            None if place.files(path).is_err() => view.table(path).map(Some),
            found => Ok(found),
        },
        Some(path) => managed::check_path(view, place, path).map(|()| None),
    }
}

/// The key that all tables have by their first writes.
fn key_of_listed(spec: &JoinSpec, listed: &[Option<ListedTable>]) -> Option<Vec<String>> {
    let keys = spec.tables.iter().zip(listed).filter(|(table, _)| table.key.is_empty());
    let mut keys = keys.map(|(_, listed)| listed.as_ref().map(|listed| &listed.key));
    let first = keys.next()??;
    keys.all(|key| key == Some(first)).then(|| first.clone())
}

/// A table of the spec, or its spine, on its way to being open.
struct Begun<'a> {
    name: String,
    /// What the snapshot lists of it, in a managed store.
    listed: Option<&'a ListedTable>,
    missing: hypostyle_io::Missing,
    wanted: Wanted,
}

/// The tables and the spine. What lies on mounts that can hang is looked for and opened all at once.
fn open_tables(
    roots: &Roots,
    files: &OpenFiles,
    view: Option<&View<'_>>,
    listed: &[Option<ListedTable>],
    spec: &JoinSpec,
    options: &JoinOptions,
    run: &Run,
) -> Result<(Vec<Table>, Option<Table>)> {
    let mut all: Vec<Begun<'_>> = Vec::with_capacity(spec.tables.len() + 1);
    for (table, listed) in spec.tables.iter().zip(listed) {
        let name = table.label();
        let wanted = match (&table.path, listed) {
            (_, Some(listed)) => Wanted::Files(listed.paths()),
            (Some(path), None) => Wanted::Path(path.clone()),
            (None, None) => Wanted::Table(name.clone()),
        };
        let missing = match table.missing {
            // Files of before a column was added have nulls there.
            _ if listed.is_some() => hypostyle_io::Missing::Null,
            Missing::Error => hypostyle_io::Missing::Error,
            Missing::Null => hypostyle_io::Missing::Null,
        };
        all.push(Begun { name, listed: listed.as_ref(), missing, wanted });
    }
    all.extend(spec.spine.as_ref().map(|spine| Begun {
        name: "spine".to_owned(),
        listed: None,
        missing: hypostyle_io::Missing::Error,
        wanted: Wanted::Path(spine.path.clone()),
    }));
    let find = |begun: &Begun<'_>| roots.find(begun.wanted.clone(), run);
    let open = |begun: &Begun<'_>, finding: Finding| {
        let mode = view.filter(|_| begun.listed.is_some()).map_or(options.io, |v| v.io_mode(options.io));
        let places = finding.wait(run).map_err(|e| e.table(&begun.name))?;
        places.into_iter().map(|place| files.begin(place, mode, run)).collect::<Result<Vec<_>>>()
    };
    let finish = |begun: &Begun<'_>, opening| finish_table(files, begun, view, opening, run);
    let mut opened = if any_remote() {
        let findings: Vec<Finding> = all.iter().map(find).collect();
        let opening = all.iter().zip(findings).map(|(begun, finding)| open(begun, finding));
        let opening = opening.collect::<Result<Vec<_>>>()?;
        let finish = all.par_iter().zip(opening).map(|(begun, opening)| finish(begun, opening));
        finish.collect::<Result<Vec<_>>>()?
    } else {
        let open = |begun| finish(begun, open(begun, find(begun))?);
        all.par_iter().map(open).collect::<Result<Vec<_>>>()?
    };
    let spine = spec.spine.as_ref().and_then(|_| opened.pop());
    Ok((opened, spine))
}

fn finish_table(
    files: &OpenFiles,
    begun: &Begun<'_>,
    view: Option<&View<'_>>,
    opening: Vec<Opening>,
    run: &Run,
) -> Result<Table> {
    let name = &begun.name;
    let open = |(at, opening): (usize, Opening)| {
        run.check()?;
        let file = run.span("open", || name.clone(), || files.finish(opening, run));
        let (Some(view), Some(listed)) = (view, begun.listed) else { return file };
        let file = file.map_err(|e| listed.gone(e))?;
        view.check(&file, listed, at, run)?;
        Ok(file)
    };
    let opened = opening.into_par_iter().enumerate().map(open).collect::<Result<Vec<_>>>();
    Table::new(name, opened.map_err(|e: Error| e.table(name))?, begun.missing)
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
