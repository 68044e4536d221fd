//! `hypostyle join`.

use std::io::Write;
use std::time::{Duration, Instant};

use hypostyle::{Frame, JoinStats, Result};
use serde::Serialize;

use super::arguments::{Query, Request};
use super::destination::{Destination, Output};
use super::progress::Progress;
use super::trace::Trace;
use super::{Common, figures, preview, stats, stdout, supervise};

const EXAMPLES: &str = "\
Examples:
  hypostyle join --key ts --table wind.parquet:speed_80m,speed_120m --table sun.parquet:ghi=sunshine
  hypostyle join join.yaml --root /data/features --last 24 -o newest.arrow
  hypostyle join join.yaml --format csv | head";

/// Join tables into one frame
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Join {
    #[command(flatten)]
    query: Query,
    #[command(flatten)]
    output: Output,
}

/// The payload under `--json`.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    stats: &'a JoinStats,
    output: Option<String>,
    format: Option<&'static str>,
    write_ms: f64,
}

impl Join {
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.query.timeout
    }

    pub(super) fn run(&self, common: Common) -> Result<()> {
        let request = self.query.request()?;
        let destination = self.output.open(common.json)?;
        let trace = self.output.open_trace()?;
        let frame = run(request, common)?;
        supervise::worked();
        if matches!(destination, Destination::Preview) {
            stdout::print(&preview::draw(frame.batch(), preview::terminal_width())?)?;
            stdout::print(&stats::line(frame.stats()))?;
            return self.tell(&frame, None, trace);
        }
        let file = destination.file().map(|(path, format)| (path.to_string_lossy().into_owned(), format));
        let started = Instant::now();
        destination.write(frame.batch())?;
        let write_ms = figures::in_ms(started.elapsed());
        self.tell(&frame, Some(write_ms), trace)?;
        if common.json {
            stdout::print_json(&Report {
                stats: frame.stats(),
                format: file.as_ref().map(|(_, format)| format.name()),
                output: file.map(|(path, _)| path),
                write_ms,
            })?;
        }
        Ok(())
    }

    /// What was asked for beside the frame.
    fn tell(&self, frame: &Frame, write_ms: Option<f64>, trace: Option<Trace>) -> Result<()> {
        if self.output.stats {
            // Nobody is served by a failure to tell of a success.
            let _ = std::io::stderr().write_all(stats::all(frame.stats(), write_ms).as_bytes());
        }
        trace.map_or(Ok(()), |trace| trace.write(frame.stats()))
    }
}

/// Runs a join under a progress bar.
fn run(request: Request, common: Common) -> Result<Frame> {
    let Request { store, spec, mut options } = request;
    let _progress = Progress::watch_run(common, "joining", &mut options);
    store.join_with(&spec, &options)
}
