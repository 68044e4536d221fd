//! What can be said of a request before a byte of data is read: names, columns, key types.

use std::collections::HashMap;

use arrow_schema::DataType;
use hypostyle_io::{Column, Error, Result, Run, Table};
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
    pub(crate) fn of(request: &'a JoinRequest, run: &Run) -> Result<Self> {
        shape(request)?;
        // What a footer says of a column is parsed when the column is first asked for, which is here.
        let tables: Vec<Result<CheckedTable<'_>>> = request
            .tables
            .par_iter()
            .with_min_len(2)
            .map(|table| {
                let find = |name: &String| {
                    let column = table.table.column(name).map_err(|e| e.table(&table.name))?;
                    let memory = run.reserve(column.footer_memory(), "what the footers say of a column");
                    memory.map_err(|e| e.table(&table.name).column(name))?.keep();
                    Ok(column)
                };
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use hypostyle_io::{ErrorKind, IoMode, Missing, ParquetFile};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::*;
    use crate::request::{Feature, Rows, Strategy};

    #[test]
    fn what_footers_say_of_columns_counts_against_the_memory_limit() {
        const GROUPS: i64 = 10;
        const TABLES: usize = 10;
        /// Of a text, which is the least and the greatest of its row group.
        const LENGTH: usize = 20_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wordy.parquet");
        let text = "x".repeat(LENGTH);
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..GROUPS));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..GROUPS).map(|_| text.as_str())));
        let batch = RecordBatch::try_from_iter([("k", keys), ("v", texts)]).unwrap();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(1))
            .set_statistics_truncate_length(None)
            .set_column_index_truncate_length(None);
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();

        let table = |at: usize| {
            let file = ParquetFile::open(&path, IoMode::Pread, &Run::default()).unwrap();
            JoinTable {
                name: format!("t{at}"),
                table: Arc::new(Table::new(format!("t{at}"), vec![file], Missing::Error).unwrap()),
                key: vec!["k".to_owned()],
                features: vec![Feature { column: "v".to_owned(), output: format!("v{at}") }],
                duplicates: None,
            }
        };
        let request = JoinRequest {
            how: How::Inner,
            key: vec!["k".to_owned()],
            spine: None,
            tables: (0..TABLES).map(table).collect(),
            rows: Rows { last: Some(1), ..Rows::default() },
            strategy: Strategy::Auto,
            remembered: None,
        };
        let said = (TABLES * GROUPS as usize * 2 * LENGTH) as u64;
        assert_eq!(crate::join(&request, &Run::new(said * 2)).unwrap().batch().num_rows(), 1);
        let error = crate::join(&request, &Run::new(said)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert!(error.to_string().contains("what the footers say of a column"), "{error}");
    }
}
