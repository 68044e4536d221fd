//! The answer of a join.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::stats::JoinStats;

/// One joined table: the key columns, then the features in the order of the request.
///
/// All fixed-width columns share one allocation, so keeping one column keeps them all.
#[derive(Clone, Debug)]
pub struct Frame {
    batch: RecordBatch,
    stats: JoinStats,
}

impl Frame {
    pub(crate) fn new(batch: RecordBatch, stats: JoinStats) -> Self {
        Self { batch, stats }
    }

    /// The rows as one Arrow record batch.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The rows as one Arrow record batch, without the statistics.
    pub fn into_batch(self) -> RecordBatch {
        self.batch
    }

    /// Names and types of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// How many rows.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// How many columns, keys included.
    pub fn num_columns(&self) -> usize {
        self.batch.num_columns()
    }

    /// What the join did.
    pub fn stats(&self) -> &JoinStats {
        &self.stats
    }
}
