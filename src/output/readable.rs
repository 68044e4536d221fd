//! Frames for formats that are text.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::timezone::Tz;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, make_array};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};

/// The same rows, with times of a named zone as times in UTC.
///
/// The text of such a time needs the zone's rules, which this program does not carry; the instants
/// stay the same. Times with an offset (`+01:00`) and without a zone are left as they are.
///
/// # Errors
/// Those of a cast; none is known.
pub fn readable(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let fields = in_utc(schema.fields());
    if &fields == schema.fields() {
        return Ok(batch.clone());
    }
    let columns = batch
        .columns()
        .iter()
        .zip(&fields)
        .map(|(column, field)| arrow_cast::cast(column, field.data_type()))
        .collect::<Result<_, _>>()?;
    let schema = Arc::new(Schema::new(fields));
    let rows = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &rows)
}

/// A text in at most so many characters, none of which a terminal would obey.
pub fn shortened(text: &str, most: usize) -> String {
    let mut short = String::new();
    for (at, c) in text.chars().enumerate() {
        if at >= most {
            short.push('…');
            break;
        }
        if c.is_control() { short.extend(c.escape_debug()) } else { short.push(c) }
    }
    short
}

fn in_utc(fields: &Fields) -> Fields {
    fields.iter().map(field_in_utc).collect()
}

fn field_in_utc(field: &Arc<Field>) -> Arc<Field> {
    match type_in_utc(field.data_type()) {
        Some(data_type) => Arc::new(field.as_ref().clone().with_data_type(data_type)),
        None => Arc::clone(field),
    }
}

/// The type to cast to, where there is something to cast.
fn type_in_utc(data_type: &DataType) -> Option<DataType> {
    let changed = match data_type {
        DataType::Timestamp(unit, Some(zone)) if zone.parse::<Tz>().is_err() => {
            DataType::Timestamp(*unit, Some("+00:00".into()))
        }
        DataType::List(item) => DataType::List(field_in_utc(item)),
        DataType::LargeList(item) => DataType::LargeList(field_in_utc(item)),
        DataType::ListView(item) => DataType::ListView(field_in_utc(item)),
        DataType::LargeListView(item) => DataType::LargeListView(field_in_utc(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(field_in_utc(item), *size),
        DataType::Map(entries, sorted) => DataType::Map(field_in_utc(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(in_utc(fields)),
        DataType::Dictionary(key, value) => DataType::Dictionary(key.clone(), Box::new(type_in_utc(value)?)),
        _ => return None,
    };
    (&changed != data_type).then_some(changed)
}

/// Times that no calendar has, such as 2⁶² milliseconds, have no text; the error names the first such column.
///
/// The JSON encoder would put the words of its own error in place of the value.
pub(super) fn check_times(batch: &RecordBatch) -> Result<(), String> {
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        check_data(&column.to_data()).map_err(|what| format!("column `{}` has {what}", field.name()))?;
    }
    Ok(())
}

fn check_data(data: &ArrayData) -> Result<(), String> {
    data.child_data().iter().try_for_each(check_data)?;
    let numbers = match data.data_type() {
        DataType::Date32 | DataType::Time32(_) => DataType::Int32,
        DataType::Date64 | DataType::Time64(_) | DataType::Timestamp(..) | DataType::Duration(_) => {
            DataType::Int64
        }
        _ => return Ok(()),
    };
    let shown = make_array(data.clone());
    let numbers = arrow_cast::cast(&shown, &numbers).map_err(|e| e.to_string())?;
    let numbers = arrow_cast::cast(&numbers, &DataType::Int64).map_err(|e| e.to_string())?;
    let numbers = numbers.as_primitive::<Int64Type>();
    let rows = (0..numbers.len()).filter(|row| numbers.is_valid(*row));
    // What has a text is one range of numbers, so its ends tell.
    let ends =
        [rows.clone().min_by_key(|row| numbers.value(*row)), rows.max_by_key(|row| numbers.value(*row))];
    let options = FormatOptions::default().with_display_error(false);
    for row in ends.into_iter().flatten() {
        let text =
            ArrayFormatter::try_new(shown.as_ref(), &options).and_then(|f| f.value(row).try_to_string());
        if text.is_err() {
            return Err(format!("{} as {}, which no calendar has", numbers.value(row), data.data_type()));
        }
    }
    Ok(())
}

/// CSV has no place for values within values; the error names the first such column.
pub(super) fn check_flat(batch: &RecordBatch) -> Result<(), String> {
    for field in batch.schema().fields() {
        let mut data_type = field.data_type();
        while let DataType::Dictionary(_, value) = data_type {
            data_type = value;
        }
        if data_type.is_nested() {
            return Err(format!("column `{}` is nested ({data_type})", field.name()));
        }
    }
    Ok(())
}
