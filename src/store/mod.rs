//! A folder of tables, its opened files, and the joins over them.

mod describe;
mod files;
mod inspect;
mod key;
mod managed;
mod models;
mod pending;
mod pool;
mod request;
mod resolve;
mod roots;
mod workers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use hypostyle_engine::{Explanation, Frame, JoinRequest, Remembered, Strategy};
use hypostyle_io::{ByProcess, Depth, IoMode, Run, default_memory_limit};

use crate::managed::AsOf;
use crate::spec::JoinSpec;
use crate::{Error, ErrorKind, Result};

pub use describe::{TableColumn, TableReport};
pub use inspect::FileReport;
pub use models::{AtSnapshot, Blobs, Models};
pub use pending::{Pending, spawn, spawn_apart};
pub use pool::fill_matrix;

use files::OpenFiles;
use resolve::Place;
use roots::{Roots, Wanted};

pub(crate) use pool::{Lane, run as on_threads};
pub(crate) use resolve::name_of;

/// How long the roots are waited for when a store is opened.
const PATIENCE: Duration = Duration::from_secs(1);

/// The number of the snapshot that was read, and for how many milliseconds it is known, where nobody could be asked for
/// a newer one.
type Read = (u64, Option<u64>);

/// How often a join is begun again whose files changed under it.
const RETRIES: u32 = 3;

/// Tables under one folder, and what is known of them: opened files and their footers are kept for the next join.
///
/// A store is shared by reference between threads; joins at the same time share one pool of threads, and so do all
/// stores of a process. In a forked child it works too, and opens its files anew.
#[derive(Debug)]
pub struct Store {
    roots: Roots,
    files: ByProcess<OpenFiles>,
    remembered: ByProcess<Remembered>,
    managed: ByProcess<managed::Found>,
    packs: ByProcess<models::OpenPacks>,
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
    ///
    /// On FUSE and network mounts it ends a wait for calls that do not return, in `open` and `stat` as in reads: the
    /// call keeps a thread of its own, which is left behind. While such a thread is stuck in a daemon that hangs,
    /// the kernel may be unable to end the process, even by `SIGKILL`; a program that must be able to end does such
    /// joins in a child of its own, as the command does.
    pub timeout: Option<Duration>,
    /// Requests in flight at once on a FUSE or network mount, over all joins of the process; 32 when left out.
    pub io_depth: Option<usize>,
    /// Threads that may be stuck in calls to one mount that do not return, before it is asked no more but once in a
    /// while to see if it is back; 64 when left out.
    pub io_left_behind: Option<usize>,
    /// Whether the next of several roots is asked too as soon as one is slower than 95 of 100 of its last answers.
    pub hedge: bool,
    /// How often a join is begun again whose files changed under it; 3 times when left out.
    pub retries: Option<u32>,
    /// Whether pages are compared with their checksums, where they have any; they are when left out. A run of the
    /// caller's own says it itself.
    pub verify: Option<bool>,
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
    /// A run with the limits that these options say, which begins now: to be watched, or cancelled.
    pub fn new_run(&self) -> Run {
        let usual = Depth::default();
        let depth = Depth {
            in_flight: self.io_depth.unwrap_or(usual.in_flight),
            left_behind: self.io_left_behind.unwrap_or(usual.left_behind),
        };
        let limit = self.memory_limit.unwrap_or_else(default_memory_limit);
        Run::new(limit)
            .with_timeout(self.timeout)
            .with_requests(depth, self.hedge)
            .with_verify(self.verify.unwrap_or(true))
    }

    pub(crate) fn run(&self) -> Arc<Run> {
        self.run.clone().unwrap_or_else(|| Arc::new(self.new_run()))
    }
}

impl Store {
    /// The tables under `root`. Paths in specs are relative to it and cannot leave it.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such folder.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        Self::open_all([root])
    }

    /// The same tables under several roots, such as two mounts, or a mount and a copy of it. What the first cannot
    /// give, because it does not answer, is read from the next; what differs there is refused, and never mixed in.
    ///
    /// A mount that does not answer within a second is taken for granted: joins will say what it does.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if one of them is no folder, and
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) without any.
    pub fn open_all<P: AsRef<Path>>(roots: impl IntoIterator<Item = P>) -> Result<Self> {
        Self::open_within(roots, PATIENCE)
    }

    /// As [`Self::open_all`], for a caller with less time.
    ///
    /// # Errors
    /// Those of [`Self::open_all`].
    pub fn open_within<P: AsRef<Path>>(
        roots: impl IntoIterator<Item = P>,
        patience: Duration,
    ) -> Result<Self> {
        let place = |root: P| Place { base: root.as_ref().to_owned(), rooted: true };
        let places: Vec<Place> = roots.into_iter().map(place).collect();
        if places.is_empty() {
            return Err(Error::invalid("there is no root").hint("name at least one folder"));
        }
        let roots = Roots::new(places);
        roots.check(&Run::default().with_timeout(Some(patience)))?;
        Ok(Self::under(roots))
    }

    /// Tables anywhere: relative paths in specs begin at `base`, others are taken as they are.
    pub fn unrooted(base: impl AsRef<Path>) -> Self {
        Self::under(Roots::new(vec![Place { base: base.as_ref().to_owned(), rooted: false }]))
    }

    fn under(roots: Roots) -> Self {
        Self {
            roots,
            files: ByProcess::new(),
            remembered: ByProcess::new(),
            managed: ByProcess::new(),
            packs: ByProcess::new(),
        }
    }

    /// Where relative paths begin, under the first root.
    pub fn base(&self) -> &Path {
        self.roots.base()
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
            self.again_if_changed(options, &run, || {
                self.at_one_snapshot(spec, options, &run, |request| hypostyle_engine::join(request, &run))
            })
            .map(|(frame, snapshot)| frame.of_snapshot(snapshot.map(|s| s.0), snapshot.and_then(|s| s.1)))
        })
    }

    /// Says what a join would read and how it would align it, without decoding features.
    ///
    /// # Errors
    /// Those of [`Store::join`] that show before features are read.
    pub fn explain(&self, spec: &JoinSpec, options: &JoinOptions) -> Result<Explanation> {
        let run = options.run();
        self.on_pool(options, &run, || {
            self.again_if_changed(options, &run, || {
                self.at_one_snapshot(spec, options, &run, |request| hypostyle_engine::explain(request, &run))
            })
            .map(|(explanation, _)| explanation)
        })
    }

    /// The files that a path, a folder, a glob or a table's name stands for here.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there are none.
    pub fn files_at(&self, path: &str) -> Result<Vec<PathBuf>> {
        let run = Run::default();
        let found = self.roots.find(Wanted::Path(path.to_owned()), &run).wait(&run)?;
        Ok(found.iter().map(|place| place.path().to_owned()).collect())
    }

    /// Does work again whose files changed meanwhile, or look wrong and were written to a moment ago, or whose root
    /// was lost while there is another: with files that are opened anew. Nothing was written, so that is safe; it is
    /// done a few times, within the deadline.
    fn again_if_changed<T>(
        &self,
        options: &JoinOptions,
        run: &Run,
        work: impl Fn() -> Result<T>,
    ) -> Result<T> {
        let mut left = options.retries.unwrap_or(RETRIES);
        let mut pause = Duration::from_millis(1);
        loop {
            let error = match work() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let (error, is_fresh) = hypostyle_io::unless_being_written(error, run);
            let may_help = error.kind() == ErrorKind::Changed
                || is_fresh
                || error.kind() == ErrorKind::Unavailable && self.roots.names().is_some();
            if left == 0 || !may_help || run.check().is_err() {
                return Err(error);
            }
            tracing::info!(%error, "begun again");
            left -= 1;
            // Whoever writes may be at it for a moment.
            std::thread::sleep(pause);
            pause *= 4;
        }
    }

    /// Does what is asked with the tables of one snapshot, whose number is given back as well, and when it was the
    /// newest if nobody could be asked.
    ///
    /// A snapshot that gc takes away under a reader who wanted the newest is a snapshot that is not the newest any
    /// more: the newest is then taken.
    fn at_one_snapshot<T>(
        &self,
        spec: &JoinSpec,
        options: &JoinOptions,
        run: &Run,
        work: impl Fn(&JoinRequest) -> Result<T>,
    ) -> Result<(T, Option<Read>)> {
        if let Some(names) = self.roots.names() {
            run.name_roots(names);
        }
        let managed = self.managed_within(run)?;
        let as_of = request::as_of(spec, options)?;
        if managed.is_none() && as_of.is_some() {
            return Err(no_snapshots());
        }
        loop {
            let newest = |managed: &std::sync::Arc<crate::managed::Managed>| {
                managed.view(as_of.as_ref(), Duration::ZERO).map(|view| view.number())
            };
            let view = managed.as_ref().map(|m| m.view(as_of.as_ref(), options.staleness)).transpose()?;
            let number = view.as_ref().map(crate::managed::View::number);
            let known_at = view.as_ref().and_then(crate::managed::View::known_at);
            let open = || request::of(&self.roots, &self.files.get(), view.as_ref(), spec, options, run);
            let done = run.stage("open", open).and_then(|request| {
                work(&JoinRequest { remembered: Some(self.remembered.get()), ..request })
            });
            match (done, &managed) {
                (Err(error), Some(managed)) if error.kind() == crate::ErrorKind::Corrupt => {
                    match newest(managed) {
                        // What was named is gone, which is why its files are.
                        Err(gone) if gone.kind() == crate::ErrorKind::NotFound => {
                            return Err(gone.source(error));
                        }
                        newest if as_of.is_some() || newest.as_ref().ok() == number.as_ref() => {
                            return Err(error);
                        }
                        _ => {}
                    }
                }
                (done, _) => return done.map(|answer| (answer, number.map(|number| (number, known_at)))),
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
        pool::run(self.lane(options), Some(run), work)
    }

    /// The threads that its joins work on.
    fn lane(&self, options: &JoinOptions) -> Lane {
        Lane { threads: options.threads, mount: self.roots.may_hang().then(|| self.base().to_owned()) }
    }
}

/// The error of a snapshot that is asked for where there are none.
fn no_snapshots() -> Error {
    Error::invalid("`as_of` needs a managed store, and the root is none")
        .hint("`hypostyle init` makes it one")
}

#[cfg(test)]
mod tests;
