//! How a join is done, as it comes from Python.

use std::time::{Duration, Instant};

use bytesize::ByteSize;
use hypostyle::{AsOf, Error, IoMode, JoinOptions, Result, Strategy};
use pyo3::prelude::*;

use crate::errors::OrRaise;

/// `threads=`, `memory_limit=`, `timeout=`, `io=`, `strategy=` and the other arguments that say how.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Options {
    options: JoinOptions,
    /// When the call began: what comes before the join, such as taking a spine over, counts against the timeout.
    began: Instant,
}

#[pymethods]
impl Options {
    /// Bytes come as text, so that `"4GB"` and `4_000_000_000` are read in one place; so do snapshots.
    #[new]
    #[expect(clippy::too_many_arguments, reason = "they are Python's named arguments")]
    #[pyo3(signature = (
        timeout=None, threads=None, memory_limit=None, io=None, strategy=None, io_depth=None, hedge=false,
        retries=None, verify=true, as_of=None, staleness=None
    ))]
    fn new(
        py: Python<'_>,
        timeout: Option<f64>,
        threads: Option<usize>,
        memory_limit: Option<&str>,
        io: Option<&str>,
        strategy: Option<&str>,
        io_depth: Option<usize>,
        hedge: bool,
        retries: Option<u32>,
        verify: bool,
        as_of: Option<&str>,
        staleness: Option<f64>,
    ) -> PyResult<Self> {
        let began = Instant::now();
        let read = || {
            let mut options = JoinOptions::default();
            options.timeout = timeout.map(|timeout| seconds("timeout", timeout)).transpose()?;
            options.threads = threads;
            options.memory_limit = memory_limit.map(bytes).transpose()?;
            options.io = io.map_or(Ok(IoMode::Auto), str::parse)?;
            options.strategy = strategy.map_or(Ok(Strategy::Auto), way)?;
            options.io_depth = io_depth;
            options.hedge = hedge;
            options.retries = retries;
            options.verify = Some(verify);
            options.as_of = as_of.map(str::parse::<AsOf>).transpose()?;
            options.staleness = staleness.map_or(Ok(Duration::ZERO), |age| length("staleness", age))?;
            Ok(options)
        };
        read().or_raise(py).map(|options| Self { options, began })
    }
}

impl Options {
    pub(crate) fn get(&self) -> JoinOptions {
        let mut options = self.options.clone();
        options.timeout = options.timeout.map(|timeout| timeout.saturating_sub(self.began.elapsed()));
        options
    }
}

/// A length of time that is not none.
pub(crate) fn seconds(name: &str, given: f64) -> Result<Duration> {
    if given > 0.0 { length(name, given) } else { Err(no_length(name, given)) }
}

/// A length of time, which may be none.
pub(crate) fn length(name: &str, given: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(given).map_err(|_| no_length(name, given))
}

fn no_length(name: &str, given: f64) -> Error {
    Error::invalid(format!("`{name}` is {given:?}, which is no length of time"))
        .hint(format!("give seconds, such as {name}=0.2, or a timedelta"))
}

fn bytes(text: &str) -> Result<u64> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(bytes)) if bytes > 0 => Ok(bytes),
        _ => Err(Error::invalid(format!("`memory_limit` is {text:?}, which is no number of bytes"))
            .hint("give bytes, such as memory_limit=500_000_000, or text such as \"500MB\" or \"2GiB\"")),
    }
}

fn way(word: &str) -> Result<Strategy> {
    match word {
        "auto" => Ok(Strategy::Auto),
        "identity" => Ok(Strategy::Identity),
        "merge" => Ok(Strategy::Merge),
        "hash" => Ok(Strategy::Hash),
        _ => Err(Error::invalid(format!("`strategy` is {word:?}"))
            .hint("say \"auto\", \"identity\", \"merge\" or \"hash\"")),
    }
}
