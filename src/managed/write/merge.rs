//! Rows that are there and rows that come, both sorted by key, to the rows that will be there.

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use hypostyle_engine::KeyPoint;

use super::rows::{key_text, keys};
use super::{Action, NewRows};
use crate::{Error, Result};

/// The rows after a write; `None` if they are the old ones.
pub(super) fn merge(old: &RecordBatch, new: &NewRows, action: &Action) -> Result<Option<RecordBatch>> {
    let kept: Vec<usize> = match action {
        Action::Append | Action::Upsert => (0..old.num_rows()).collect(),
        Action::Replace(range) => {
            let first = new.key.first().and_then(|name| old.column_by_name(name));
            let first = first.ok_or_else(|| Error::internal("the table's files lack its key"))?;
            let points = KeyPoint::column(first)?;
            let stays =
                |(_, point): &(usize, &Option<KeyPoint>)| !point.as_ref().is_some_and(|p| range.contains(p));
            points.iter().enumerate().filter(stays).map(|(row, _)| row).collect()
        }
    };
    if new.batch.num_rows() == 0 && kept.len() == old.num_rows() {
        return Ok(None);
    }
    let (old_keys, new_keys) = (keys(old, &new.key)?, keys(&new.batch, &new.key)?);
    let shift = old.num_rows();
    let mut order: Vec<u64> = Vec::with_capacity(kept.len() + new.batch.num_rows());
    let mut kept = kept.into_iter().peekable();
    for row in 0..new.batch.num_rows() {
        while let Some(before) = kept.next_if(|before| old_keys.row(*before) < new_keys.row(row)) {
            order.push(before as u64);
        }
        if kept.next_if(|same| old_keys.row(*same) == new_keys.row(row)).is_some()
            && matches!(action, Action::Append)
        {
            return Err(Error::invalid(format!(
                "the key {} is in the table already",
                key_text(&new.batch, &new.key, row)
            ))
            .hint("append brings new keys alone: use mode upsert to replace rows"));
        }
        order.push((shift + row) as u64);
    }
    order.extend(kept.map(|row| row as u64));
    let failed = |e| Error::internal("rows could not be merged").source(e);
    let all = concat_batches(new.batch.schema_ref(), [old, &new.batch]).map_err(failed)?;
    take_record_batch(&all, &UInt64Array::from(order)).map(Some).map_err(failed)
}
