//! What can be said of a request before a byte of data is read: names, columns, key types.

use std::collections::HashMap;

use arrow_schema::DataType;
use hypostyle_io::{Column, Error, Result, Table};
use rayon::prelude::*;

use crate::key::{Bounds, KeyType, mend};
use crate::request::{How, JoinRequest, JoinTable};

/// A request whose names are found and whose types fit.
pub(crate) struct Checked<'a> {
    pub(crate) request: &'a JoinRequest,
    pub(crate) tables: Vec<CheckedTable<'a>>,
    /// The common terms of each key column.
    pub(crate) key_types: Vec<KeyType>,
    pub(crate) bounds: Bounds,
}

/// One table with its columns found.
pub(crate) struct CheckedTable<'a> {
    pub(crate) request: &'a JoinTable,
    pub(crate) key: Vec<Column>,
    pub(crate) features: Vec<Column>,
}

impl<'a> Checked<'a> {
    pub(crate) fn of(request: &'a JoinRequest) -> Result<Self> {
        shape(request)?;
        // What a footer says of a column is parsed when the column is first asked for, which is here.
        let tables: Vec<Result<CheckedTable<'_>>> = request
            .tables
            .par_iter()
            .with_min_len(2)
            .map(|table| {
                let find = |name: &String| table.table.column(name).map_err(|e| e.table(&table.name));
                Ok(CheckedTable {
                    request: table,
                    key: table.key.iter().map(find).collect::<Result<_>>()?,
                    features: table.features.iter().map(|f| find(&f.column)).collect::<Result<_>>()?,
                })
            })
            .collect();
        // The first table's error is told, whichever came first.
        let tables = tables.into_iter().collect::<Result<Vec<_>>>()?;
        output_names(request)?;
        let key_types = key_types(request, &tables)?;
        let first = key_types.first().copied().ok_or_else(|| Error::invalid("the join names no key"))?;
        let rows = &request.rows;
        let bounds = Bounds::parse(rows.from.as_deref(), rows.to.as_deref(), first)?;
        Ok(Self { request, tables, key_types, bounds })
    }
}

fn shape(request: &JoinRequest) -> Result<()> {
    if request.tables.is_empty() {
        return Err(Error::invalid("the join names no table").hint("name at least one"));
    }
    if request.key.is_empty() {
        return Err(Error::invalid("the join names no key").hint("say which column the tables share"));
    }
    if request.rows.last == Some(0) {
        return Err(Error::invalid("`last: 0` asks for no rows").hint("ask for 1 or more, or leave it out"));
    }
    match (request.how, &request.spine) {
        (How::Spine, None) => {
            return Err(
                Error::invalid("a spine join without a spine").hint("name the spine, or join inner or left")
            );
        }
        (How::Inner | How::Left, Some(_)) => {
            return Err(
                Error::invalid("a spine is given, but the join is not a spine join").hint("say `how: spine`")
            );
        }
        _ => {}
    }
    let keys = request.tables.iter().map(|t| (t.name.as_str(), t.key.len()));
    for (name, len) in keys.chain(request.spine.iter().map(|s| ("spine", s.key.len()))) {
        if len != request.key.len() {
            return Err(Error::invalid(format!(
                "the join has {} key columns, the table {len}",
                request.key.len()
            ))
            .table(name));
        }
    }
    Ok(())
}

/// No two output columns may share a name.
fn output_names(request: &JoinRequest) -> Result<()> {
    let mut taken: HashMap<&str, String> = HashMap::new();
    let keys = request.key.iter().map(|k| (k.as_str(), format!("the key `{k}`"), None));
    let carried = request.spine.iter().flat_map(|s| {
        let names = s.batch.schema_ref().fields().iter().map(|f| f.name().as_str());
        names.filter(|n| !s.key.iter().any(|k| k == n)).map(|n| (n, format!("the spine's `{n}`"), None))
    });
    let features = request.tables.iter().flat_map(|t| {
        let of = |f: &str| format!("`{}:{f}`", t.name);
        t.features.iter().map(move |f| (f.output.as_str(), of(&f.column), Some((t, &f.column))))
    });
    for (name, what, place) in keys.chain(carried).chain(features) {
        if let Some(before) = taken.insert(name, what.clone()) {
            let error =
                Error::invalid(format!("two output columns would be called `{name}`: {before} and {what}"))
                    .hint("take full names (table__column), or rename one of them");
            return Err(match place {
                Some((table, column)) => error.table(&table.name).column(column),
                None => error,
            });
        }
    }
    Ok(())
}

/// The common terms of each key column, over the spine and all tables.
fn key_types(request: &JoinRequest, tables: &[CheckedTable<'_>]) -> Result<Vec<KeyType>> {
    let mut common: Vec<Option<(KeyType, String)>> = vec![None; request.key.len()];
    let mut meet = |at: usize, table: &str, column: &str, data_type: &DataType| -> Result<()> {
        let place = |e: Error| e.table(table).column(column);
        let this = KeyType::of(data_type).map_err(place)?;
        let Some(slot) = common.get_mut(at) else { return Ok(()) };
        let named = format!("`{table}:{column}` is {data_type}");
        *slot = Some(match slot.take() {
            None => (this, named),
            Some((before, first)) => {
                let both = before.with(this).ok_or_else(|| {
                    place(Error::invalid(format!("the keys cannot be compared: {first}, {named}")))
                        .hint(mend(before.class, this.class))
                })?;
                (both, first)
            }
        });
        Ok(())
    };
    if let Some(spine) = &request.spine {
        let rows = spine.batch.num_rows() as u64;
        if rows > Table::MOST_ROWS {
            return Err(Error::unsupported(format!(
                "{rows} rows; at most {} can be filled",
                Table::MOST_ROWS
            ))
            .table("spine"));
        }
        for (at, name) in spine.key.iter().enumerate() {
            let field =
                spine.batch.schema_ref().fields().iter().filter(|f| f.name() == name).collect::<Vec<_>>();
            match field.as_slice() {
                // A column of nulls without a type: it takes the tables', and finds nothing.
                [field] if field.data_type() == &DataType::Null => {}
                [field] => meet(at, "spine", name, field.data_type())?,
                [] => return Err(spine_column_missing(spine, name)),
                _ => {
                    return Err(Error::invalid("the spine has two columns of this name")
                        .table("spine")
                        .column(name));
                }
            }
        }
    }
    for table in tables {
        for (at, column) in table.key.iter().enumerate() {
            meet(at, &table.request.name, column.name(), column.data_type())?;
        }
    }
    Ok(common.into_iter().flatten().map(|(key, _)| key).collect())
}

fn spine_column_missing(spine: &crate::request::Spine, name: &str) -> Error {
    let schema = spine.batch.schema_ref();
    let error = Error::invalid(format!("there is no column `{name}`")).table("spine").column(name);
    match hypostyle_io::did_you_mean(name, schema.fields().iter().map(|f| f.name().as_str())) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
