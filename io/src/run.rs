//! What one run (a join, an inspection) carries along: its limits, its counters, its clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;

use crate::error::Result;
use crate::reading::{Reading, RootReads};
use crate::requests::{Depth, Patience};

/// Counters of one run. Relaxed: they are read when the work is over, or to draw a bar.
///
/// All threads add to them at every page, so each has a cache line of its own.
#[derive(Debug, Default)]
pub struct Counters {
    /// Bytes asked of a source (footers, page headers and pages).
    pub bytes_read: CachePadded<AtomicU64>,
    /// Requests made to a source.
    pub reads: CachePadded<AtomicU64>,
    /// Pages that were decompressed and decoded, dictionary pages included.
    pub pages_decoded: CachePadded<AtomicU64>,
    /// Pages that were stepped over without being decompressed.
    pub pages_skipped: CachePadded<AtomicU64>,
    /// Units of work (column chunks) planned.
    pub units_planned: CachePadded<AtomicU64>,
    /// Units of work done.
    pub units_done: CachePadded<AtomicU64>,
    /// Units of work that the general reader did: nested columns, rare types and encodings.
    pub units_general: CachePadded<AtomicU64>,
}

impl Counters {
    pub(crate) fn read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        self.reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// A named piece of time on one thread, for the statistics and the trace.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Span {
    /// The stage it belongs to: `footers`, `keys`, `align`, `columns`, …
    pub stage: &'static str,
    /// What was worked on, such as `wind.speed_80m`.
    pub detail: String,
    /// Microseconds since the run began.
    pub start_us: f64,
    /// Its length in microseconds.
    pub duration_us: f64,
    /// A small number for the thread.
    pub thread: u64,
}

/// One run: shared by reference with all threads that work on it.
#[derive(Debug)]
pub struct Run {
    /// What has been done so far.
    pub counters: Arc<Counters>,
    pub(crate) reading: Arc<Reading>,
    verify: bool,
    started: Instant,
    spans: Mutex<Vec<Span>>,
    stages: Mutex<Vec<(&'static str, Duration)>>,
}

impl Default for Run {
    fn default() -> Self {
        Self::new(crate::platform::default_memory_limit())
    }
}

impl Run {
    /// A run that may hold `memory_limit` bytes of decoded data at once.
    pub fn new(memory_limit: u64) -> Self {
        let started = Instant::now();
        let counters: Arc<Counters> = Arc::default();
        Self {
            reading: Arc::new(Reading::new(Arc::clone(&counters), memory_limit, started)),
            counters,
            verify: true,
            started,
            spans: Mutex::new(Vec::new()),
            stages: Mutex::new(Vec::new()),
        }
    }

    /// The same run, ended with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) at the next step after `timeout`; what waits for storage that
    /// may hang ends then too, and names the files.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        // A moment too far away for the clock is no deadline.
        let deadline = timeout.and_then(|t| self.started.checked_add(t));
        let patience = Patience::new(self.started, deadline);
        if let Some(reading) = Arc::get_mut(&mut self.reading) {
            reading.rules.patience = Arc::new(patience);
        }
        self
    }

    /// The same run, which has so many requests in flight on a mount that is not local; `hedge` says whether the
    /// next of several roots is asked as soon as one is slower than it usually is.
    #[must_use]
    pub fn with_requests(mut self, depth: Depth, hedge: bool) -> Self {
        if let Some(reading) = Arc::get_mut(&mut self.reading) {
            reading.rules.depth = depth;
            reading.rules.hedge = hedge;
        }
        self
    }

    /// The same run, which compares the checksums of pages, where there are any, unless `verify` is false.
    #[must_use]
    pub fn with_verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    pub(crate) fn verifies(&self) -> bool {
        self.verify
    }

    /// Asks the work to stop at the next step with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    pub fn cancel(&self) {
        self.reading.rules.patience.cancel();
    }

    /// To be called between units of work.
    pub fn check(&self) -> Result<()> {
        self.reading.rules.patience.check()
    }

    /// Takes `bytes` from the memory limit before they are allocated; the guard gives them back.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) when that would pass the limit; `what` names the thing.
    pub fn reserve(&self, bytes: u64, what: &str) -> Result<Reserved<'_>> {
        self.reading.memory.take(bytes, what)?;
        Ok(Reserved { run: self, bytes })
    }

    /// Bytes that it may hold at once.
    pub fn memory_limit(&self) -> u64 {
        self.reading.memory.limit()
    }

    /// Bytes of the memory limit that nobody has reserved.
    pub(crate) fn memory_left(&self) -> u64 {
        self.reading.memory.left()
    }

    /// The most bytes that were reserved at one time.
    pub fn memory_peak(&self) -> u64 {
        self.reading.memory.peak()
    }

    /// Names the roots that files are read under, where there are several: [`Self::roots`] tells of each.
    pub fn name_roots(&self, names: Vec<String>) {
        let _ = self.reading.root_names.set(names);
    }

    /// What was read under each of several roots, in their order; empty where there is but one.
    pub fn roots(&self) -> Vec<RootReads> {
        self.reading.roots()
    }

    /// Lets go of what was read ahead and not used.
    pub fn forget_ahead(&self) {
        self.reading.ahead.forget(&self.reading.memory);
    }

    /// Runs `work` and notes how long it took.
    pub fn span<T>(
        &self,
        stage: &'static str,
        detail: impl FnOnce() -> String,
        work: impl FnOnce() -> T,
    ) -> T {
        let start = self.started.elapsed();
        let value = work();
        let end = self.started.elapsed();
        let span = Span {
            stage,
            detail: detail(),
            start_us: start.as_secs_f64() * 1e6,
            duration_us: (end - start).as_secs_f64() * 1e6,
            thread: thread_number(),
        };
        if let Ok(mut spans) = self.spans.lock() {
            spans.push(span);
        }
        value
    }

    /// All spans so far, in the order in which they ended.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().map(|s| s.clone()).unwrap_or_default()
    }

    /// Runs a stage of the whole run: stages follow one another, so their times add up to the run's.
    pub fn stage<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let value = work();
        if let Ok(mut stages) = self.stages.lock() {
            stages.push((name, started.elapsed()));
        }
        value
    }

    /// The stages so far and how long each took.
    pub fn stages(&self) -> Vec<(&'static str, Duration)> {
        self.stages.lock().map(|s| s.clone()).unwrap_or_default()
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Bytes taken from a [`Run`]'s memory limit, given back when dropped.
#[derive(Debug)]
pub struct Reserved<'a> {
    run: &'a Run,
    bytes: u64,
}

impl Reserved<'_> {
    /// Keeps the bytes counted for the rest of the run.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.run.reading.memory.give(self.bytes);
    }
}

fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|n| *n)
}
