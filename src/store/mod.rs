//! A folder of tables, its opened files, and the joins over them.

mod describe;
mod files;
mod inspect;
mod key;
mod managed;
mod pending;
mod pool;
mod process;
mod request;
mod resolve;
mod workers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use hypostyle_engine::{Explanation, Frame, JoinRequest, Remembered, Strategy};
use hypostyle_io::{IoMode, Run, default_memory_limit};

use crate::managed::AsOf;
use crate::spec::JoinSpec;
use crate::{Error, Result};

pub use describe::{TableColumn, TableReport};
pub use inspect::FileReport;
pub use pending::{Pending, spawn};
pub use pool::fill_matrix;

use files::OpenFiles;
use process::ByProcess;
use resolve::Place;

pub(crate) use pool::run as on_threads;
pub(crate) use resolve::name_of;

/// Tables under one folder, and what is known of them: opened files and their footers are kept for the next join.
///
/// A store is shared by reference between threads; joins at the same time share one pool of threads, and so do all
/// stores of a process. In a forked child it works too, and opens its files anew.
#[derive(Debug)]
pub struct Store {
    place: Place,
    files: ByProcess<OpenFiles>,
    remembered: ByProcess<Remembered>,
    managed: ByProcess<managed::Found>,
}

/// How a join is done, apart from what is joined.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct JoinOptions {
    /// Threads to work with; all cores when left out.
    pub threads: Option<usize>,
    /// Bytes of decoded data that one join may hold; half of the machine's or the control group's memory when
    /// left out.
    pub memory_limit: Option<u64>,
    /// How files are read.
    pub io: IoMode,
    /// How tables are aligned.
    pub strategy: Strategy,
    /// A run of the caller's own, to watch its counters or to cancel it; it then has the limits.
    pub run: Option<Arc<Run>>,
    /// How long a join may take, from its call on, before it ends with [`Timeout`](crate::ErrorKind::Timeout); a
    /// run of the caller's own has its own deadline.
    pub timeout: Option<Duration>,
    /// The rows to fill, in memory, which makes this a spine join: exactly these rows, in this order, the columns
    /// that are not in the key carried along. Its key columns are called as the join's. A spec that has a spine of
    /// its own, or says `how: left`, is refused.
    pub spine: Option<RecordBatch>,
    /// The snapshot to read, in a managed store; the newest, or what the spec says, when left out.
    pub as_of: Option<AsOf>,
    /// How long ago the newest snapshot may have been looked for; a join looks itself when left at zero.
    pub staleness: Duration,
}

impl JoinOptions {
    pub(crate) fn run(&self) -> Arc<Run> {
        let limit = || self.memory_limit.unwrap_or_else(default_memory_limit);
        let new = || Arc::new(Run::new(limit()).with_timeout(self.timeout));
        self.run.clone().unwrap_or_else(new)
    }
}

impl Store {
    /// The tables under `root`. Paths in specs are relative to it and cannot leave it.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such folder.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let metadata = std::fs::metadata(root).map_err(|e| Error::from_io(root, e))?;
        if !metadata.is_dir() {
            return Err(Error::not_found("the root is not a folder").path(root));
        }
        Ok(Self::at(Place { base: root.to_owned(), rooted: true }))
    }

    /// Tables anywhere: relative paths in specs begin at `base`, others are taken as they are.
    pub fn unrooted(base: impl AsRef<Path>) -> Self {
        Self::at(Place { base: base.as_ref().to_owned(), rooted: false })
    }

    fn at(place: Place) -> Self {
        Self { place, files: ByProcess::new(), remembered: ByProcess::new(), managed: ByProcess::new() }
    }

    /// Where relative paths begin.
    pub fn base(&self) -> &Path {
        &self.place.base
    }

    /// Joins the tables of a spec into one frame.
    ///
    /// # Errors
    /// Typed by what the caller must do ([`crate::ErrorKind`]), naming table, file, column and value.
    pub fn join(&self, spec: &JoinSpec) -> Result<Frame> {
        self.join_with(spec, &JoinOptions::default())
    }

    /// Joins as [`Store::join`] does, in the way that `options` says.
    ///
    /// # Errors
    /// Those of [`Store::join`].
    pub fn join_with(&self, spec: &JoinSpec, options: &JoinOptions) -> Result<Frame> {
        let run = options.run();
        self.on_pool(options, &run, || {
            self.at_one_snapshot(spec, options, &run, |request| hypostyle_engine::join(request, &run))
                .map(|(frame, snapshot)| frame.of_snapshot(snapshot))
        })
    }

    /// Says what a join would read and how it would align it, without decoding features.
    ///
    /// # Errors
    /// Those of [`Store::join`] that show before features are read.
    pub fn explain(&self, spec: &JoinSpec, options: &JoinOptions) -> Result<Explanation> {
        let run = options.run();
        self.on_pool(options, &run, || {
            self.at_one_snapshot(spec, options, &run, |request| hypostyle_engine::explain(request, &run))
                .map(|(explanation, _)| explanation)
        })
    }

    /// The files that a path, a folder, a glob or a table's name stands for here.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there are none.
    pub fn files_at(&self, path: &str) -> Result<Vec<PathBuf>> {
        self.place.files(path)
    }

    /// Does what is asked with the tables of one snapshot, whose number is given back as well.
    ///
    /// A snapshot that gc takes away under a reader who wanted the newest is a snapshot that is not the newest any
    /// more: the newest is then taken.
    fn at_one_snapshot<T>(
        &self,
        spec: &JoinSpec,
        options: &JoinOptions,
        run: &Run,
        work: impl Fn(&JoinRequest) -> Result<T>,
    ) -> Result<(T, Option<u64>)> {
        let managed = self.managed()?;
        let as_of = request::as_of(spec, options)?;
        if managed.is_none() && as_of.is_some() {
            return Err(Error::invalid("`as_of` needs a managed store, and the root is none")
                .hint("`hypostyle init` makes it one"));
        }
        loop {
            let newest = |managed: &std::sync::Arc<crate::managed::Managed>| {
                managed.view(as_of.as_ref(), options.staleness).map(|view| view.number())
            };
            let view = managed.as_ref().map(|m| m.view(as_of.as_ref(), options.staleness)).transpose()?;
            let number = view.as_ref().map(crate::managed::View::number);
            let open = || request::of(&self.place, &self.files.get(), view.as_ref(), spec, options, run);
            let done = run.stage("open", open).and_then(|request| {
                work(&JoinRequest { remembered: Some(self.remembered.get()), ..request })
            });
            match (done, &managed) {
                (Err(error), Some(managed)) if error.kind() == crate::ErrorKind::Corrupt => {
                    if as_of.is_some() || newest(managed).ok() == number {
                        return Err(error);
                    }
                }
                (done, _) => return done.map(|answer| (answer, number)),
            }
        }
    }

    /// Runs work on the pool of as many threads as asked for.
    pub(crate) fn on_pool<T: Send>(
        &self,
        options: &JoinOptions,
        run: &Run,
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        pool::run(options.threads, Some(run), work)
    }
}

#[cfg(test)]
mod tests;
