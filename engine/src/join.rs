//! The join itself, from a request to a frame.

use std::sync::atomic::Ordering;

use hypostyle_io::{ErrorKind, Result, Run};

use crate::check::Checked;
use crate::explain::Explanation;
use crate::frame::Frame;
use crate::plan::Planned;
use crate::request::{JoinRequest, JoinTable};
use crate::sides::REMEMBERED;
use crate::stats::{JoinStats, Stage, TableStats};

/// Joins the tables of a request into one frame.
///
/// Work is spread over the rayon pool of the calling thread. The files must not change meanwhile: if one of them
/// did, the answer is [`Changed`](hypostyle_io::ErrorKind::Changed), not a mix.
///
/// # Errors
/// Typed by what the caller must do, naming table, file and column.
pub fn join(request: &JoinRequest, run: &Run) -> Result<Frame> {
    let outcome = joined(request, run);
    run.forget_ahead();
    outcome.map_err(|error| match error.kind() {
        // A file that was rewritten in place while it was read may look like anything, and will not the next time.
        ErrorKind::Corrupt | ErrorKind::InvalidRequest | ErrorKind::Unsupported | ErrorKind::Internal => {
            check_unchanged(request, run).err().filter(|e| e.kind() == ErrorKind::Changed).unwrap_or(error)
        }
        _ => error,
    })
}

/// All files of all tables at once, where others answer for them.
fn check_unchanged(request: &JoinRequest, run: &Run) -> Result<()> {
    let files = request.tables.iter().flat_map(|t| t.table.files());
    hypostyle_io::check_unchanged(files.map(AsRef::as_ref), run).map_err(|error| {
        let of = |t: &&JoinTable| t.table.files().iter().any(|f| error.file_path() == Some(f.path()));
        match request.tables.iter().find(of) {
            Some(table) => error.table(&table.name),
            None => error,
        }
    })
}

fn joined(request: &JoinRequest, run: &Run) -> Result<Frame> {
    let checked = Checked::of(request, run)?;
    let (planned, is_known) = run.stage("keys and alignment", || checked.plan(run))?;
    let batch = run.stage("columns", || checked.assemble(&planned, run))?;
    run.check()?;
    check_unchanged(request, run)?;
    let mut stats = JoinStats {
        rows: batch.num_rows() as u64,
        columns: batch.num_columns() as u64,
        bytes_read: run.counters.bytes_read.load(Ordering::Relaxed),
        reads: run.counters.reads.load(Ordering::Relaxed),
        roots: run.roots(),
        pages_decoded: run.counters.pages_decoded.load(Ordering::Relaxed),
        pages_skipped: run.counters.pages_skipped.load(Ordering::Relaxed),
        threads: rayon::current_num_threads(),
        memory_peak: run.memory_peak(),
        tables: table_stats(&checked, &planned, is_known),
        spans: run.spans(),
        ..JoinStats::default()
    };
    stats.stages =
        run.stages().into_iter().map(|(name, took)| Stage { name, ms: took.as_secs_f64() * 1e3 }).collect();
    stats.total_ms = run.elapsed().as_secs_f64() * 1e3;
    tracing::info!(rows = stats.rows, columns = stats.columns, ms = stats.total_ms, "joined");
    let features = request.tables.iter().map(|t| t.features.len()).sum();
    let base_columns = batch.num_columns().saturating_sub(features);
    Ok(Frame::new(batch, base_columns, stats))
}

/// Says what [`join`] would read and how it would align it. Key columns are read, features are not.
///
/// # Errors
/// Those of [`join`] that show before features are read.
pub fn explain(request: &JoinRequest, run: &Run) -> Result<Explanation> {
    let checked = Checked::of(request, run)?;
    let (planned, is_known) = checked.plan(run)?;
    Explanation::of(&checked, &planned, table_stats(&checked, &planned, is_known), run)
}

fn table_stats(checked: &Checked<'_>, planned: &Planned, is_known: bool) -> Vec<TableStats> {
    checked
        .tables
        .iter()
        .zip(&planned.tables)
        .map(|(table, plan)| TableStats {
            name: table.request.name.clone(),
            files: table.request.table.files().len(),
            rows: table.request.table.rows(),
            keys: if is_known { REMEMBERED } else { plan.origin },
            rows_considered: plan.considered,
            rows_matched: plan.map.matched(),
            null_keys: plan.nulls,
            row_groups: table.request.table.files().iter().map(|f| f.row_groups()).sum(),
            alignment: plan.way,
            reason: plan.reason.clone(),
        })
        .collect()
}
