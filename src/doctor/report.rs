//! What a probe found.

use std::path::PathBuf;

use hypostyle_io::IoMode;
use serde::Serialize;

/// What a mount does, and what follows from it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DoctorReport {
    /// The folder that was probed.
    pub path: PathBuf,
    /// Where its mount is.
    pub mount: Option<PathBuf>,
    /// The type of its file system, such as `ext4` or `fuse.alluxio`.
    pub file_system: String,
    /// Whether others answer for it, so that it can hang: FUSE, or a network's.
    pub is_remote: bool,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// The most bytes of one request, where the kernel says so.
    pub max_read: Option<u64>,
    /// How many requests the kernel lets wait that nobody asked for one by one, where it says so.
    pub max_background: Option<u64>,
    /// What was tried, and what came of it.
    pub probes: Vec<Probe>,
    /// How reads went, if there was anything to read.
    pub reading: Option<Reading>,
    /// The ways of reading that are safe: of `pread` and `mmap`.
    pub safe_reading: Vec<&'static str>,
    /// The ways of publishing that are safe: of `local` and `etcd`, or none.
    pub safe_publishing: Vec<&'static str>,
    /// Why the others are not.
    pub why_not: Vec<String>,
    /// The settings to use.
    pub settings: Settings,
}

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Probe {
    /// What, in a word for programs.
    pub name: &'static str,
    /// What, for people.
    pub what: &'static str,
    /// Whether the mount does it.
    pub answer: Answer,
    /// What was seen.
    pub detail: String,
    /// How long it took, in milliseconds; the median, if it was done several times.
    pub ms: Option<f64>,
}

/// Whether a mount does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Answer {
    /// It does.
    Yes,
    /// It does not, or not as it should.
    No,
    /// It could not be tried.
    Unknown,
}

/// How reads went, one after another and 32 at once.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Reading {
    /// The bytes of each.
    pub bytes_each: usize,
    /// One after another.
    pub one: ReadFigures,
    /// 32 at once.
    pub many: ReadFigures,
    /// How many requests the mount works on at once, as far as reads show; none where one takes no time worth it.
    pub in_flight: Option<f64>,
}

/// Reads, measured.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct ReadFigures {
    /// How many.
    pub reads: usize,
    /// The median, in milliseconds.
    pub median_ms: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99_ms: f64,
    /// All of them together, in megabytes a second.
    pub mb_per_s: f64,
}

/// How a store on the mount is best used.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Settings {
    /// `--io`.
    pub io: IoMode,
    /// `--io-depth`, where it matters.
    pub io_depth: Option<usize>,
    /// Whether joins should have a deadline (`--timeout`), since the mount can hang.
    pub timeout: bool,
    /// `--coordination`, where a managed store can be made.
    pub coordination: Option<&'static str>,
}

impl Probe {
    pub(super) fn new(
        name: &'static str,
        what: &'static str,
        answer: Answer,
        detail: impl Into<String>,
    ) -> Self {
        Self { name, what, answer, detail: detail.into(), ms: None }
    }

    pub(super) fn took(self, ms: f64) -> Self {
        Self { ms: Some(ms), ..self }
    }
}

impl DoctorReport {
    /// What came of one of the probes.
    pub fn probe(&self, name: &str) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.name == name)
    }
}

/// The median and the 99th of 100, of times in milliseconds.
pub(super) fn median_and_p99(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get((times.len() * share).div_ceil(100).saturating_sub(1)).copied();
    (at(50).unwrap_or(0.0), at(99).unwrap_or(0.0))
}
