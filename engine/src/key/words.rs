//! Keys in words, for errors and reports.

use arrow_array::timezone::Tz;
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

/// The key of a row, its columns joined with commas.
///
/// A time of a named zone is shown in UTC: the zone's rules are not at hand, and the instant is the same.
pub(crate) fn in_words(columns: &[ArrayRef], row: usize) -> String {
    columns.iter().map(|column| word(column.slice(row, 1))).collect::<Vec<_>>().join(", ")
}

/// A longer value is cut: a message is for reading.
const LONGEST: usize = 100;

fn word(one: ArrayRef) -> String {
    if let DataType::Dictionary(_, value) = one.data_type() {
        return arrow_cast::cast(&one, value).map_or_else(|_| "?".to_owned(), word);
    }
    let in_utc = match one.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.parse::<Tz>().is_err() => {
            arrow_cast::cast(&one, &DataType::Timestamp(*unit, Some("+00:00".into()))).ok()
        }
        _ => None,
    };
    let options = FormatOptions::default().with_display_error(false);
    let shown = |array: &ArrayRef| {
        ArrayFormatter::try_new(array.as_ref(), &options).and_then(|f| f.value(0).try_to_string()).ok()
    };
    // A moment too far away for a calendar is told as the number that is stored.
    let stored = || {
        let number = shown(&arrow_cast::cast(&one, &DataType::Int64).ok()?)?;
        Some(format!("{number} as {}", one.data_type()))
    };
    let text = shown(in_utc.as_ref().unwrap_or(&one)).or_else(stored).unwrap_or_else(|| "?".to_owned());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, TimestampMicrosecondArray};

    use super::*;

    // A key with the zone `UTC` was shown as `?`: the formatter knows no names of zones.
    #[test]
    fn a_key_with_a_named_zone_is_shown_in_utc() {
        let time = |zone: &str| {
            Arc::new(TimestampMicrosecondArray::from(vec![0, 1_000_000]).with_timezone(zone)) as ArrayRef
        };
        let number: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        assert_eq!(in_words(&[time("UTC"), number], 1), "1970-01-01T00:00:01Z, 8");
        assert_eq!(in_words(&[time("Europe/Berlin")], 0), "1970-01-01T00:00:00Z");
        assert_eq!(in_words(&[time("+01:00")], 0), "1970-01-01T01:00:00+01:00");
        let zoned = DataType::Dictionary(Box::new(DataType::Int8), Box::new(time("UTC").data_type().clone()));
        assert_eq!(in_words(&[arrow_cast::cast(&time("UTC"), &zoned).unwrap()], 1), "1970-01-01T00:00:01Z");
        let far: ArrayRef = Arc::new(arrow_array::TimestampMillisecondArray::from(vec![1 << 62]));
        assert_eq!(in_words(&[far], 0), "4611686018427387904 as Timestamp(ms)");
        let long: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["é".repeat(1000)]));
        assert_eq!(in_words(&[long], 0), format!("{}… (2000 bytes)", "é".repeat(100)));
    }
}
