//! Rows as a feature table has them: hours, and waves of two decimals.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray};

use super::Outcome;

/// The rows of these hours; another `round` gives other values.
pub(super) fn rows(hours: Range<usize>, columns: usize, round: u64) -> Outcome<RecordBatch> {
    let keys = hours.clone().map(|hour| hour as i64 * 3_600_000_000);
    let keys: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(keys));
    let column = |column: usize| -> ArrayRef {
        let value = |hour: usize| {
            let mixed = (hour as u64).wrapping_mul(0x9E37_79B9).wrapping_add(round * 7919 + column as u64);
            let noise = mixed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 50;
            (hour % 24) as f64 * 10.0 + noise as f64 / 100.0
        };
        Arc::new(Float64Array::from_iter_values(hours.clone().map(value)))
    };
    let features = (0..columns).map(|at| (format!("f{at:03}"), column(at)));
    let columns = std::iter::once(("ts".to_owned(), keys)).chain(features);
    Ok(RecordBatch::try_from_iter(columns)?)
}
