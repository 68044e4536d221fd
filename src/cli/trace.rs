//! A join's pieces of work as a Chrome trace, which Perfetto and chrome://tracing open.
//!
//! The format: "Trace Event Format", complete events (`"ph": "X"`), times in microseconds.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use hypostyle::{Error, JoinStats, OutputFile, Result};
use serde_json::{Value, json};

use super::cleanup::OnInterrupt;

/// Where a trace will be written, whole or not at all; opened before the work, so that a wrong path shows at once.
pub(super) struct Trace {
    path: PathBuf,
    file: OutputFile,
    _cleanup: Option<OnInterrupt>,
}

impl Trace {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OutputFile::create(path)?;
        let cleanup = file.temporary_path().map(OnInterrupt::remove);
        Ok(Self { path: path.to_owned(), file, _cleanup: cleanup })
    }

    pub(super) fn write(mut self, stats: &JoinStats) -> Result<()> {
        let mut text = BufWriter::new(&mut self.file);
        let written = serde_json::to_writer(&mut text, &trace(stats)).map_err(std::io::Error::from);
        written.and_then(|()| text.flush()).map_err(|e| Error::from_io(&self.path, e))?;
        drop(text);
        self.file.commit()
    }
}

fn trace(stats: &JoinStats) -> Value {
    let threads: BTreeSet<u64> = stats.spans.iter().map(|span| span.thread).collect();
    let mut events = vec![metadata("process_name", 0, "hypostyle")];
    events.extend(threads.iter().map(|thread| metadata("thread_name", *thread, &format!("thread {thread}"))));
    // The whole join on the thread that waited for it, with what it came to.
    events.push(json!({
        "name": "join", "cat": "join", "ph": "X", "pid": 1, "tid": threads.first().unwrap_or(&0),
        "ts": 0.0, "dur": stats.total_ms * 1e3, "args": stats,
    }));
    events.extend(stats.spans.iter().map(|span| {
        json!({
            "name": if span.detail.is_empty() { span.stage } else { &span.detail },
            "cat": span.stage, "ph": "X", "pid": 1, "tid": span.thread,
            "ts": span.start_us, "dur": span.duration_us, "args": {"stage": span.stage},
        })
    }));
    json!({"traceEvents": events, "displayTimeUnit": "ms"})
}

fn metadata(what: &str, thread: u64, name: &str) -> Value {
    json!({"name": what, "ph": "M", "pid": 1, "tid": thread, "args": {"name": name}})
}
