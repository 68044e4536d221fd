//! What a join would do, in words.

use std::fmt;

use hypostyle_io::{Reader, Result, Run};
use serde::Serialize;

use crate::check::Checked;
use crate::picked::Picked;
use crate::plan::Planned;
use crate::sides::AS_FIRST;
use crate::stats::TableStats;

/// What would be read, and how it would be joined.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Rows that the frame would have.
    pub rows: u64,
    /// Columns that the frame would have.
    pub columns: u64,
    /// Bytes read to find that out: footers, page indexes and keys.
    pub bytes_read: u64,
    /// One entry a table, in the order of the request.
    pub tables: Vec<TableExplanation>,
}

/// What would be read of one table.
#[derive(Clone, Debug, Serialize)]
pub struct TableExplanation {
    /// How its keys were aligned, and what was skipped on the way.
    #[serde(flatten)]
    pub stats: TableStats,
    /// Rows whose features would be decoded.
    pub rows_to_decode: u64,
    /// Row groups that hold them.
    pub row_groups_to_read: usize,
    /// Bytes that the wanted columns take in those row groups, compressed.
    pub bytes_in_chunks: u64,
    /// Whether decoded rows go straight into the frame, or are picked from.
    pub placement: &'static str,
    /// The feature columns.
    pub features: Vec<String>,
}

impl Explanation {
    pub(crate) fn of(
        checked: &Checked<'_>,
        planned: &Planned,
        stats: Vec<TableStats>,
        run: &Run,
    ) -> Result<Self> {
        let tables = checked
            .tables
            .iter()
            .zip(&planned.tables)
            .zip(stats)
            .map(|((table, plan), stats)| {
                let picked = Picked::of(plan, run)?;
                let reader = Reader::new(&table.request.table, &picked.rows, run);
                Ok(TableExplanation {
                    stats,
                    rows_to_decode: reader.rows(),
                    row_groups_to_read: reader.row_groups(),
                    bytes_in_chunks: table.features.iter().map(|c| reader.stored_bytes(c)).sum(),
                    placement: if picked.gather.is_none() {
                        "straight into the frame"
                    } else {
                        "decoded, then picked"
                    },
                    features: table.features.iter().map(|c| c.name().to_owned()).collect(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let carried = checked.request.spine.as_ref().map_or(0, |s| s.batch.num_columns() - s.key.len());
        let features = tables.iter().map(|t| t.features.len()).sum::<usize>();
        Ok(Self {
            rows: planned.rows.len() as u64,
            columns: (checked.request.key.len() + carried + features) as u64,
            bytes_read: run.counters.bytes_read.load(std::sync::atomic::Ordering::Relaxed),
            tables,
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rows × {} columns; {} bytes read to plan it",
            self.rows, self.columns, self.bytes_read
        )?;
        for table in &self.tables {
            let stats = &table.stats;
            writeln!(f, "\n{}: {}: {}", stats.name, stats.alignment, stats.reason)?;
            let skipped = stats.rows - stats.rows_considered;
            writeln!(
                f,
                "  keys      {} of {} rows {}{}{}",
                stats.rows_considered,
                stats.rows,
                match stats.keys {
                    AS_FIRST => "stored as the first table's, not decoded",
                    other => other,
                },
                if skipped > 0 { format!(", {skipped} excluded by statistics") } else { String::new() },
                if stats.null_keys > 0 {
                    format!(", {} null keys match nothing", stats.null_keys)
                } else {
                    String::new()
                },
            )?;
            writeln!(f, "  matched   {} of {} rows of the frame", stats.rows_matched, self.rows)?;
            writeln!(
                f,
                "  features  {} rows of {} columns from {} of {} row groups ({} bytes), {}",
                table.rows_to_decode,
                table.features.len(),
                table.row_groups_to_read,
                stats.row_groups,
                table.bytes_in_chunks,
                table.placement
            )?;
        }
        Ok(())
    }
}
