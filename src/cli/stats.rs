//! What a join did, for people.

use comfy_table::{Cell, CellAlignment, Table, presets};
use hypostyle::JoinStats;

use super::figures::{Count, bytes, ms};

/// `70,000 rows × 81 columns in 21.3 ms, 35.1 MB read`.
pub(super) fn line(stats: &JoinStats) -> String {
    format!(
        "{} rows × {} columns in {}, {} read\n",
        Count(stats.rows),
        Count(stats.columns),
        ms(stats.total_ms),
        bytes(stats.bytes_read)
    )
}

/// Everything that `--stats` tells; `write_ms` is what came after the join.
pub(super) fn all(stats: &JoinStats, write_ms: Option<f64>) -> String {
    let stages = stats.stages.iter().map(|stage| format!("{} {}", stage.name, ms(stage.ms)));
    let write = write_ms.map(|time| format!("then write {}", ms(time)));
    let stages: Vec<String> = stages.chain(write).collect();
    let mut text = line(stats);
    if let (Some(snapshot), Some(at)) = (stats.snapshot, stats.snapshot_known_at_ns) {
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(at);
        text += &format!(
            "snapshot {snapshot}, the newest known at {}: the coordinator does not answer\n",
            humantime::format_rfc3339_seconds(at)
        );
    }
    text += &format!("stages   {}\n", stages.join(" · "));
    text += &format!(
        "read     {} in {} requests; {} pages decoded, {} skipped\n",
        bytes(stats.bytes_read),
        Count(stats.reads),
        Count(stats.pages_decoded),
        Count(stats.pages_skipped)
    );
    for root in &stats.roots {
        let (reads, bytes) = (Count(root.reads), bytes(root.bytes));
        text += &format!("  root   {}: {bytes} in {reads} answers\n", root.root);
    }
    text += &format!(
        "memory   {} at most, on {} threads\n",
        bytes(stats.memory_peak),
        Count(stats.threads as u64)
    );
    text + &tables(stats)
}

fn tables(stats: &JoinStats) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "table",
        "files",
        "rows",
        "considered",
        "keys",
        "matched",
        "null keys",
        "alignment",
        "why",
    ]);
    for t in &stats.tables {
        let count = |n: u64| Cell::new(Count(n)).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(&t.name),
            count(t.files as u64),
            count(t.rows),
            count(t.rows_considered),
            Cell::new(t.keys),
            count(t.rows_matched),
            count(t.null_keys),
            Cell::new(t.alignment),
            Cell::new(&t.reason),
        ]);
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}
