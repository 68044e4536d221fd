//! Values as short texts, for previews.

use arrow_array::PrimitiveArray;
use arrow_array::RecordBatch;
use arrow_array::types::UInt64Type;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use hypostyle::{Error, Result, readable, shortened};

/// Longer texts are cut.
const MOST_CHARACTERS: usize = 60;

/// One list of texts for each of `columns`, with one text for each of `rows`.
pub(crate) fn texts(batch: &RecordBatch, rows: &[usize], columns: &[usize]) -> Result<Vec<Vec<String>>> {
    let failed = |e| Error::internal(format!("a value could not be shown: {e}"));
    let options = FormatOptions::new().with_null("null").with_display_error(true);
    let rows: PrimitiveArray<UInt64Type> = rows.iter().map(|row| *row as u64).collect();
    let shown = batch.project(columns).and_then(|b| arrow_select::take::take_record_batch(&b, &rows));
    let shown = shown.and_then(|b| readable(&b)).map_err(failed)?;
    shown
        .columns()
        .iter()
        .map(|column| {
            let texts = ArrayFormatter::try_new(column, &options).map_err(failed)?;
            Ok((0..column.len())
                .map(|row| shortened(&texts.value(row).to_string(), MOST_CHARACTERS))
                .collect())
        })
        .collect()
}
