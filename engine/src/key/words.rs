//! Keys in words, for errors and reports.

use arrow_array::ArrayRef;
use arrow_array::timezone::Tz;
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

/// The key of a row, its columns joined with commas.
///
/// A time of a named zone is shown in UTC: the zone's rules are not at hand, and the instant is the same.
pub(crate) fn in_words(columns: &[ArrayRef], row: usize) -> String {
    let word = |column: &ArrayRef| {
        let one = column.slice(row, 1);
        let one = match one.data_type() {
            DataType::Timestamp(unit, Some(zone)) if zone.parse::<Tz>().is_err() => {
                arrow_cast::cast(&one, &DataType::Timestamp(*unit, Some("+00:00".into()))).unwrap_or(one)
            }
            _ => one,
        };
        array_value_to_string(&one, 0).unwrap_or_else(|_| "?".to_owned())
    };
    columns.iter().map(word).collect::<Vec<_>>().join(", ")
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
    }
}
