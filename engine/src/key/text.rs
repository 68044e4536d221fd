//! A key in words.

use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

/// The value of a key column at a row, for messages; a time of a named zone as the same moment in UTC, for the
/// rules of zones are not at hand.
pub(crate) fn text_of(column: &ArrayRef, row: usize) -> String {
    let in_utc = || {
        let DataType::Timestamp(unit, Some(_)) = column.data_type() else { return None };
        let utc = cast(&column.slice(row, 1), &DataType::Timestamp(*unit, Some("+00:00".into()))).ok()?;
        array_value_to_string(&utc, 0).ok()
    };
    array_value_to_string(column, row).ok().or_else(in_utc).unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, TimestampMillisecondArray};
    use std::sync::Arc;

    #[test]
    fn a_key_is_told_in_words_whatever_its_zone() {
        let moment = |zone: Option<&str>| -> ArrayRef {
            let times = TimestampMillisecondArray::from(vec![None, Some(1_735_084_800_000)]);
            Arc::new(times.with_timezone_opt(zone))
        };
        for (column, expected) in [
            (Arc::new(Int64Array::from(vec![1, -7])) as ArrayRef, "-7"),
            (moment(None), "2024-12-25T00:00:00"),
            (moment(Some("+01:00")), "2024-12-25T01:00:00+01:00"),
            (moment(Some("UTC")), "2024-12-25T00:00:00Z"),
            (moment(Some("Europe/Berlin")), "2024-12-25T00:00:00Z"),
        ] {
            assert_eq!(text_of(&column, 1), expected);
        }
    }
}
