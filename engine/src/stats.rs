//! What a join did, for people (`--stats`), machines (`--json`) and traces.

use hypostyle_io::{RootReads, Span};
use serde::Serialize;

/// What one join did and how long it took.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JoinStats {
    /// Rows of the frame.
    pub rows: u64,
    /// Columns of the frame, keys included.
    pub columns: u64,
    /// The snapshot that all tables were read from, in a managed store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<u64>,
    /// If the store's coordinator did not answer: when that snapshot was known to be the newest, in nanoseconds since
    /// 1970. Later ones may stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_known_at_ns: Option<u64>,
    /// Bytes asked of storage.
    pub bytes_read: u64,
    /// Requests made to storage.
    pub reads: u64,
    /// What was read under each root, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<RootReads>,
    /// Pages decompressed and decoded.
    pub pages_decoded: u64,
    /// Pages that were never decompressed.
    pub pages_skipped: u64,
    /// Threads that worked.
    pub threads: usize,
    /// The most memory that was reserved at one time, in bytes.
    pub memory_peak: u64,
    /// From the request to the frame, in milliseconds.
    pub total_ms: f64,
    /// The stages of the join in their order; they follow one another on the wall clock.
    pub stages: Vec<Stage>,
    /// One entry for each table, in the order of the request.
    pub tables: Vec<TableStats>,
    /// Every piece of work on every thread, for the trace.
    #[serde(skip)]
    pub spans: Vec<Span>,
}

/// A stage of the join and its wall-clock time.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// `open`, `keys and alignment` or `columns`.
    pub name: &'static str,
    /// Milliseconds.
    pub ms: f64,
}

/// What was done with one table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TableStats {
    /// Its name.
    pub name: String,
    /// Its files.
    pub files: usize,
    /// All its rows.
    pub rows: u64,
    /// Rows whose key was read (the others were excluded by statistics).
    pub rows_considered: u64,
    /// Where its keys are from: `read`; `as the first` when they are stored as the first table's, byte for byte, and
    /// so need not be decoded; `remembered` from an earlier join.
    pub keys: &'static str,
    /// Rows of the frame that found a row here.
    pub rows_matched: u64,
    /// Rows whose key is null: they match nothing.
    pub null_keys: u64,
    /// Row groups of its files.
    pub row_groups: usize,
    /// `base`, `identity`, `run`, `merge` or `hash`.
    pub alignment: &'static str,
    /// Why that alignment was taken.
    pub reason: String,
}
