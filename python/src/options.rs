//! How a join is done, as it comes from Python.

use std::time::{Duration, Instant};

use bytesize::ByteSize;
use hypostyle::{Error, IoMode, JoinOptions, Result, Strategy};
use pyo3::prelude::*;

use crate::errors::OrRaise;

/// `threads=`, `memory_limit=`, `timeout=`, `io=`, `strategy=`.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Options {
    options: JoinOptions,
    /// When the call began: what comes before the join, such as taking a spine over, counts against the timeout.
    began: Instant,
}

#[pymethods]
impl Options {
    /// Bytes come as text, so that `"4GB"` and `4_000_000_000` are read in one place.
    #[new]
    #[pyo3(signature = (timeout=None, threads=None, memory_limit=None, io=None, strategy=None))]
    fn new(
        py: Python<'_>,
        timeout: Option<f64>,
        threads: Option<usize>,
        memory_limit: Option<&str>,
        io: Option<&str>,
        strategy: Option<&str>,
    ) -> PyResult<Self> {
        let began = Instant::now();
        read(timeout, threads, memory_limit, io, strategy).or_raise(py).map(|options| Self { options, began })
    }
}

impl Options {
    pub(crate) fn get(&self) -> JoinOptions {
        let mut options = self.options.clone();
        options.timeout = options.timeout.map(|timeout| timeout.saturating_sub(self.began.elapsed()));
        options
    }
}

fn read(
    timeout: Option<f64>,
    threads: Option<usize>,
    memory_limit: Option<&str>,
    io: Option<&str>,
    strategy: Option<&str>,
) -> Result<JoinOptions> {
    let mut options = JoinOptions::default();
    options.timeout = timeout.map(seconds).transpose()?;
    options.threads = threads;
    options.memory_limit = memory_limit.map(bytes).transpose()?;
    options.io = io.map_or(Ok(IoMode::Auto), str::parse)?;
    options.strategy = strategy.map_or(Ok(Strategy::Auto), way)?;
    Ok(options)
}

fn seconds(timeout: f64) -> Result<Duration> {
    let refuse = || {
        Error::invalid(format!("`timeout` is {timeout:?}, which is no length of time"))
            .hint("give seconds, such as timeout=0.2, or a timedelta")
    };
    if timeout > 0.0 { Duration::try_from_secs_f64(timeout).map_err(|_| refuse()) } else { Err(refuse()) }
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
