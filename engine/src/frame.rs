//! The answer of a join.

use std::collections::HashSet;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use hypostyle_io::{Error, Result, did_you_mean};

use crate::stats::JoinStats;

/// One joined table: the key columns, then the features in the order of the request.
///
/// All fixed-width columns share one allocation, so keeping one column keeps them all.
#[derive(Clone, Debug)]
pub struct Frame {
    batch: RecordBatch,
    base_columns: usize,
    stats: JoinStats,
}

impl Frame {
    pub(crate) fn new(batch: RecordBatch, base_columns: usize, stats: JoinStats) -> Self {
        Self { batch, base_columns, stats }
    }

    /// The rows as one Arrow record batch.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The rows, and what the join did.
    pub fn into_parts(self) -> (RecordBatch, JoinStats) {
        (self.batch, self.stats)
    }

    /// The rows as one Arrow record batch, without the statistics.
    pub fn into_batch(self) -> RecordBatch {
        self.batch
    }

    /// The number of the snapshot that all its tables were read from; `None` outside a managed store.
    pub fn snapshot(&self) -> Option<u64> {
        self.stats.snapshot
    }

    /// The same frame, known to be of that snapshot, which may not be the newest any more.
    #[must_use]
    pub fn of_snapshot(mut self, snapshot: Option<u64>, known_at_ns: Option<u64>) -> Self {
        self.stats.snapshot = snapshot;
        self.stats.snapshot_known_at_ns = known_at_ns;
        self
    }

    /// Names and types of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// The column of that name.
    ///
    /// # Errors
    /// [`InvalidRequest`](hypostyle_io::ErrorKind::InvalidRequest), with the nearest name, if there is none.
    pub fn column(&self, name: &str) -> Result<&ArrayRef> {
        column_position(self.batch.schema_ref(), name).map(|at| self.batch.column(at))
    }

    /// The frame of these columns alone, in this order; no value is copied. The statistics stay the join's.
    ///
    /// # Errors
    /// [`InvalidRequest`](hypostyle_io::ErrorKind::InvalidRequest) for a name that no column has, or that stands
    /// twice.
    pub fn select(&self, names: &[&str]) -> Result<Self> {
        let mut seen = HashSet::new();
        let positions = names
            .iter()
            .map(|name| match seen.insert(*name) {
                true => column_position(self.batch.schema_ref(), name),
                false => Err(Error::invalid("the column is named twice").column(*name)),
            })
            .collect::<Result<Vec<_>>>()?;
        let batch = self.batch.project(&positions).map_err(|e| Error::internal(e.to_string()))?;
        let base_columns = positions.iter().take_while(|at| **at < self.base_columns).count();
        Ok(Self { batch, base_columns, stats: self.stats.clone() })
    }

    /// How many rows.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// How many columns, keys included.
    pub fn num_columns(&self) -> usize {
        self.batch.num_columns()
    }

    /// How many of the first columns are no features: the key, and what a spine carries along.
    pub fn base_columns(&self) -> usize {
        self.base_columns
    }

    /// What the join did.
    pub fn stats(&self) -> &JoinStats {
        &self.stats
    }
}

/// The place of the column of that name, of several the first.
///
/// # Errors
/// [`InvalidRequest`](hypostyle_io::ErrorKind::InvalidRequest), with the nearest name, if there is none.
pub fn column_position(schema: &Schema, name: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let error = Error::invalid("the frame has no such column").column(name);
        match did_you_mean(name, schema.fields().iter().map(|f| f.name().as_str())) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })
}
