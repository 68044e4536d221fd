//! New rows, as they must be before they are written: the table's columns and types, no null in a key, sorted, no key
//! twice.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take_record_batch;
use hypostyle_engine::KeyPoint;
use hypostyle_io::{is_key_type, widen};

use super::super::manifest::{ColumnEntry, TableEntry};
use crate::{Error, Result};

/// Rows that are ready.
#[derive(Clone, Debug)]
pub(in super::super) struct NewRows {
    /// Sorted, in the table's columns.
    pub(in super::super) batch: RecordBatch,
    pub(in super::super) schema: SchemaRef,
    pub(in super::super) key: Vec<String>,
    /// The least and the greatest first key.
    pub(in super::super) range: Option<(KeyPoint, KeyPoint)>,
}

/// Checks and sorts rows for a table, or for one that they make. `key` may be empty for a table that has one.
pub(in super::super) fn prepare(
    data: &RecordBatch,
    key: &[String],
    table: Option<&TableEntry>,
) -> Result<NewRows> {
    let data = plain(data)?;
    let key = key_of(key, table)?;
    let schema = match table {
        Some(table) => with_new_columns(table, data.schema_ref())?,
        None => {
            let fields = data.schema_ref().fields().iter();
            let fields: Vec<_> = fields
                .map(|f| Field::new(f.name(), f.data_type().clone(), !key.contains(f.name())))
                .collect();
            check_columns(&fields)?;
            Arc::new(Schema::new(fields))
        }
    };
    for name in &key {
        let field = schema.field_with_name(name).map_err(|_| {
            let names = schema.fields().iter().map(|f| f.name().as_str());
            let error = Error::invalid("the data has no such column, and it is the key").column(name);
            match hypostyle_io::did_you_mean(name, names) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        if !is_key_type(field.data_type()) {
            return Err(Error::invalid(format!("a key cannot be {}", field.data_type()))
                .column(name)
                .hint("keys are integers, dates, times, timestamps, decimals, strings, binary or bool"));
        }
    }
    let batch = fit(&data, &schema)?;
    check_nulls(&batch, &key)?;
    let batch = sorted(&batch, &key)?;
    let range = range(&batch, &key)?;
    Ok(NewRows { batch, schema, key, range })
}

/// The columns of a table as its manifest lists them.
pub(in super::super) fn schema_of(table: &TableEntry) -> Result<SchemaRef> {
    let field = |column: &ColumnEntry| {
        let data_type: DataType = column.data_type.parse().map_err(|_| {
            Error::corrupt(format!("the manifest says that the column is {}", column.data_type))
                .column(&column.name)
        })?;
        Ok(Field::new(&column.name, data_type, !table.key.contains(&column.name)))
    };
    table.columns.iter().map(field).collect::<Result<Vec<_>>>().map(|fields| Arc::new(Schema::new(fields)))
}

/// Encodings that are a matter of memory alone are taken off.
fn plain(data: &RecordBatch) -> Result<RecordBatch> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in data.schema_ref().fields().iter().zip(data.columns()) {
        let data_type = match field.data_type() {
            DataType::Dictionary(_, value) => value.as_ref().clone(),
            DataType::RunEndEncoded(_, value) => value.data_type().clone(),
            other => other.clone(),
        };
        columns.push(cast_to(column, &data_type, field.name())?);
        fields.push(Field::new(field.name(), data_type, field.is_nullable()));
    }
    of_columns(fields, columns, data.num_rows())
}

fn of_columns(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|e| Error::invalid(format!("the data makes no table: {e}")).source(e))
}

fn cast_to(column: &ArrayRef, data_type: &DataType, name: &str) -> Result<ArrayRef> {
    if column.data_type() == data_type {
        return Ok(Arc::clone(column));
    }
    cast(column, data_type).map_err(|e| {
        Error::invalid(format!("its {} cannot become {data_type}: {e}", column.data_type()))
            .column(name)
            .source(e)
    })
}

fn key_of(given: &[String], table: Option<&TableEntry>) -> Result<Vec<String>> {
    crate::spec::check_names(given)?;
    match table {
        Some(table) if given.is_empty() || table.key == given => Ok(table.key.clone()),
        Some(table) => Err(Error::invalid(format!(
            "the table's key is {}, and cannot become {}",
            table.key.join(", "),
            given.join(", ")
        ))
        .hint("a table keeps the key of its first write; leave the key out, or write another table")),
        None if given.is_empty() => Err(Error::invalid("the table is new, and has no key")
            .hint("say which column it is: --key ts, or key=…")),
        None => Ok(given.to_vec()),
    }
}

/// Names and types that a manifest can keep.
fn check_columns(fields: &[Field]) -> Result<()> {
    let mut seen = HashSet::new();
    for field in fields {
        if field.name().is_empty() {
            return Err(Error::invalid("a column has an empty name"));
        }
        if !seen.insert(field.name()) {
            return Err(Error::invalid("the data has two columns of this name").column(field.name()));
        }
        let data_type = field.data_type();
        if data_type.to_string().parse::<DataType>().ok().as_ref() != Some(data_type) || data_type.is_null() {
            return Err(Error::unsupported(format!("a managed table cannot have a column of {data_type}"))
                .column(field.name())
                .hint("give it a flat type such as Float64, Int64, Utf8 or Timestamp"));
        }
    }
    Ok(())
}

/// The table's columns, then those that the data adds; what the data lacks or has in another type is refused.
fn with_new_columns(table: &TableEntry, data: &Schema) -> Result<SchemaRef> {
    let known = schema_of(table)?;
    let mut fields: Vec<Field> = known.fields().iter().map(|f| f.as_ref().clone()).collect();
    for field in known.fields() {
        let Ok(given) = data.field_with_name(field.name()) else {
            return Err(Error::invalid("the table has this column, and the data lacks it")
                .column(field.name())
                .hint("write it as well, with nulls if there is nothing to say"));
        };
        let fits = given.data_type().is_null() && !table.key.contains(field.name())
            || widen(given.data_type(), field.data_type()).as_ref() == Some(field.data_type());
        if !fits {
            return Err(Error::invalid(format!(
                "the column is {} in the table and {} in the data",
                field.data_type(),
                given.data_type()
            ))
            .column(field.name())
            .hint("a column keeps its type: convert the data, or write it under another name"));
        }
    }
    let added = data.fields().iter().filter(|f| known.field_with_name(f.name()).is_err());
    fields.extend(added.map(|f| Field::new(f.name(), f.data_type().clone(), true)));
    check_columns(&fields)?;
    Ok(Arc::new(Schema::new(fields)))
}

/// Rows in the columns of a schema; those they lack are null.
pub(super) fn fit(data: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let column = |field: &Arc<Field>| match data.column_by_name(field.name()) {
        Some(column) => cast_to(column, field.data_type(), field.name()),
        None => Ok(new_null_array(field.data_type(), data.num_rows())),
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    // Nullable even in the key: what is refused is refused with its value, below.
    let fields = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    of_columns(fields, columns, data.num_rows())
}

fn check_nulls(batch: &RecordBatch, key: &[String]) -> Result<()> {
    for name in key {
        let Some(column) = batch.column_by_name(name) else { continue };
        if let Some(row) = (0..column.len()).find(|row| column.is_null(*row)) {
            return Err(Error::invalid(format!("the key is null in row {} of the data", row + 1))
                .column(name)
                .hint("every row of a table has a key"));
        }
    }
    Ok(())
}

/// The keys of rows, in a form in which they compare.
pub(super) fn keys(batch: &RecordBatch, key: &[String]) -> Result<Rows> {
    let columns: Vec<ArrayRef> = key.iter().filter_map(|name| batch.column_by_name(name)).cloned().collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let failed = |e: arrow_schema::ArrowError| {
        Error::unsupported(format!("the keys cannot be compared: {e}")).source(e)
    };
    RowConverter::new(fields).and_then(|converter| converter.convert_columns(&columns)).map_err(failed)
}

fn sorted(batch: &RecordBatch, key: &[String]) -> Result<RecordBatch> {
    let rows = keys(batch, key)?;
    let count = batch.num_rows();
    if (1..count).all(|row| rows.row(row - 1) < rows.row(row)) {
        return Ok(batch.clone());
    }
    let count = u32::try_from(count).map_err(|_| Error::limit("more rows than one write may have"))?;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
    for pair in order.windows(2) {
        if let [a, b] = pair
            && rows.row(*a as usize) == rows.row(*b as usize)
        {
            return Err(Error::invalid(format!(
                "the key {} stands twice in the data, in rows {} and {}",
                key_text(batch, key, *a as usize),
                a + 1,
                b + 1
            ))
            .hint("a table has one row a key"));
        }
    }
    take_record_batch(batch, &UInt32Array::from(order))
        .map_err(|e| Error::internal("rows could not be sorted").source(e))
}

/// The least and the greatest first key of sorted rows.
pub(super) fn range(batch: &RecordBatch, key: &[String]) -> Result<Option<(KeyPoint, KeyPoint)>> {
    let column = key.first().and_then(|name| batch.column_by_name(name));
    let Some(column) = column.filter(|column| !column.is_empty()) else { return Ok(None) };
    let point = |row: usize| Ok(KeyPoint::column(&column.slice(row, 1))?.into_iter().flatten().next());
    Ok(point(0)?.zip(point(column.len() - 1)?))
}

/// A row's key, for people.
pub(super) fn key_text(batch: &RecordBatch, key: &[String], row: usize) -> String {
    let options = FormatOptions::new().with_display_error(true);
    let value = |name: &String| {
        let column = batch.column_by_name(name)?;
        ArrayFormatter::try_new(column, &options).ok()?.value(row).try_to_string().ok()
    };
    let values: Vec<String> = key.iter().filter_map(value).collect();
    crate::output::shortened(&values.join(", "), 120)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
    }

    fn table(columns: &[(&str, &str)]) -> TableEntry {
        let columns = columns.iter();
        let columns = columns.map(|(n, t)| ColumnEntry { name: (*n).to_owned(), data_type: (*t).to_owned() });
        TableEntry {
            changed: 1,
            key: vec!["k".to_owned()],
            columns: columns.collect(),
            files: vec![],
            fence: 0,
        }
    }

    fn ints(values: Vec<Option<i64>>) -> ArrayRef {
        Arc::new(Int64Array::from(values))
    }

    #[test]
    fn what_cannot_be_written_is_refused_with_its_value() {
        let floats = || -> ArrayRef { Arc::new(Float64Array::from(vec![1.0, 2.0])) };
        let two = || ints(vec![Some(1), Some(2)]);
        let has = table(&[("k", "Int64"), ("x", "Float64")]);
        let check =
            |columns: Vec<(&str, ArrayRef)>, key: &[&str], table: Option<&TableEntry>, message: &str| {
                let key: Vec<String> = key.iter().map(|k| (*k).to_owned()).collect();
                let error = prepare(&batch(columns), &key, table).expect_err(message);
                assert_eq!(error.to_string(), message);
            };
        check(vec![("k", two())], &[], None, "the table is new, and has no key");
        check(vec![("k", two())], &["j"], None, "column `j`: the data has no such column, and it is the key");
        check(vec![("k", floats())], &["k"], None, "column `k`: a key cannot be Float64");
        check(
            vec![("k", ints(vec![Some(1), None]))],
            &["k"],
            None,
            "column `k`: the key is null in row 2 of the data",
        );
        check(
            vec![("k", ints(vec![Some(7), Some(3), Some(7)]))],
            &["k"],
            None,
            "the key 7 stands twice in the data, in rows 1 and 3",
        );
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![3_600_000_000, 3_600_000_000]));
        check(
            vec![("k", times)],
            &["k"],
            None,
            "the key 1970-01-01T01:00:00 stands twice in the data, in rows 1 and 2",
        );
        check(
            vec![("k", two()), ("x", floats())],
            &["x"],
            Some(&has),
            "the table's key is k, and cannot become x",
        );
        check(
            vec![("k", two())],
            &[],
            Some(&has),
            "column `x`: the table has this column, and the data lacks it",
        );
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        check(
            vec![("k", two()), ("x", text)],
            &[],
            Some(&has),
            "column `x`: the column is Float64 in the table and Utf8 in the data",
        );
        check(
            vec![("k", two()), ("k", two())],
            &["k"],
            None,
            "column `k`: the data has two columns of this name",
        );
    }

    #[test]
    fn rows_are_sorted_and_take_the_tables_types() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![3, 1, 2]));
        let data = batch(vec![
            ("new", ints(vec![Some(30), None, Some(20)])),
            ("k", narrow),
            ("x", Arc::new(arrow_array::NullArray::new(3))),
        ]);
        let rows = prepare(&data, &[], Some(&table(&[("k", "Int64"), ("x", "Float64")]))).unwrap();
        let expected = batch(vec![
            ("k", ints(vec![Some(1), Some(2), Some(3)])),
            ("x", Arc::new(Float64Array::from(vec![None, None, None]))),
            ("new", ints(vec![None, Some(20), Some(30)])),
        ]);
        assert_eq!(rows.batch, expected);
        assert_eq!(rows.range.unwrap().1.to_string(), "3");
    }

    #[test]
    fn every_key_type_keeps_its_name_in_a_manifest() {
        for text in
            ["Int64", "Utf8", "LargeUtf8", "Utf8View", "Binary", "Date32", "Boolean", "UInt8", "Float32"]
        {
            assert_eq!(text.parse::<DataType>().unwrap().to_string(), text);
        }
        let zoned = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("Europe/Berlin".into()));
        assert_eq!(zoned.to_string().parse::<DataType>().unwrap(), zoned);
        let decimal = DataType::Decimal128(12, 3);
        assert_eq!(decimal.to_string().parse::<DataType>().unwrap(), decimal);
    }
}
