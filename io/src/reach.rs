//! One file that others answer for, and the ways to it: the same file under several roots.

use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::footer::{self, Tail};
use crate::mount;
use crate::platform::{self, Identity};
use crate::reading::Reading;
use crate::requests::{Call, Lane, Request, Rules, lane_of, retried};
use crate::run::Run;
use crate::source::{Descriptor, read_exactly, replaced};

/// Where something lies: under one root, or the same under several. What stands first is asked first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place(Vec<(usize, PathBuf)>);

impl Place {
    /// One place alone.
    pub fn one(path: impl Into<PathBuf>) -> Self {
        Self(vec![(0, path.into())])
    }

    /// Several, each with the number of its root.
    pub fn several(ways: impl IntoIterator<Item = (usize, PathBuf)>) -> Self {
        Self(ways.into_iter().collect())
    }

    /// The path that is asked first.
    pub fn path(&self) -> &Path {
        self.0.first().map_or(Path::new(""), |(_, path)| path)
    }

    /// Whether the first way leads to a mount that can hang.
    pub fn is_remote(&self) -> bool {
        mount::is_remote(self.path())
    }

    pub(crate) fn ways(&self) -> &[(usize, PathBuf)] {
        &self.0
    }
}

/// Work that a mount's threads do, so that it can be waited for until a deadline.
#[derive(Debug)]
pub struct Asked<T>(Request<T>);

impl<T: Send + 'static> Asked<T> {
    /// Has `work` done at the first path of `place`; where that does not answer, at the next.
    pub fn of(
        place: &Place,
        run: &Run,
        work: impl Fn(usize, &Path) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let work = Arc::new(work);
        let call = |(root, path): &(usize, PathBuf)| {
            let (work, at, root) = (Arc::clone(&work), path.clone(), *root);
            let make = Box::new(move |wanted: &dyn Fn() -> bool| {
                patiently(wanted, || work(root, &at)).map_err(|e| e.path(&at))
            });
            Call { lane: lane_of(mount::of(path).as_deref()), path: path.clone(), root, make }
        };
        Self(Request::new(place.0.iter().map(call).collect(), &run.reading.rules))
    }

    /// The answer, and the number of the root that it is from.
    ///
    /// # Errors
    /// Those of the work, and of the run's deadline.
    pub fn wait(self) -> Result<(usize, T)> {
        self.0.wait()
    }
}

/// Work that fails with an error of ours, tried again when the reason passes.
fn patiently<T>(wanted: &dyn Fn() -> bool, work: impl Fn() -> Result<T>) -> Result<T> {
    retried(wanted, || {
        work().map_err(|error| {
            let errno = std::error::Error::source(&error)
                .and_then(|e| e.downcast_ref::<std::io::Error>())
                .and_then(std::io::Error::raw_os_error);
            // The number is what tells whether it passes; the error is made of it again below.
            match errno {
                Some(errno) if error.kind() == ErrorKind::Unavailable => {
                    std::io::Error::from_raw_os_error(errno)
                }
                _ => std::io::Error::other(error),
            }
        })
    })
    .map_err(|e| match e.downcast::<Error>() {
        Ok(own) => own,
        Err(e) => Error::from_io(Path::new(""), e).without_path(),
    })
}

/// What makes a file the one that was begun with, wherever it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seal {
    size: u64,
    /// Where its metadata begins, and a hash of all from there.
    footer: (u64, u64),
}

impl Seal {
    pub(crate) fn of(tail: &Tail) -> Self {
        let metadata = tail.bytes.get(tail.metadata.start..).unwrap_or(&[]);
        let start = tail.start + tail.metadata.start as u64;
        Self { size: tail.start + tail.bytes.len() as u64, footer: (start, hash(metadata)) }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The ways to one file.
#[derive(Debug)]
pub(crate) struct Reach {
    ways: Vec<Arc<Way>>,
    /// Told of the file when it was opened first, where there are several ways.
    seal: OnceLock<Seal>,
}

/// A file under one root.
#[derive(Debug)]
struct Way {
    root: usize,
    path: PathBuf,
    lane: Arc<Lane>,
    opened: Mutex<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    file: Option<Arc<Descriptor>>,
    /// Known once it was opened.
    identity: Option<Identity>,
}

/// A file as a thread of its mount found it.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is the one that is known already.
    Same,
    New {
        identity: Identity,
        tail: Tail,
    },
}

impl Reach {
    pub(crate) fn new(place: &Place) -> Arc<Self> {
        let way = |(root, path): &(usize, PathBuf)| {
            let lane = lane_of(mount::of(path).as_deref());
            Arc::new(Way { root: *root, path: path.clone(), lane, opened: Mutex::default() })
        };
        Arc::new(Self { ways: place.ways().iter().map(way).collect(), seal: OnceLock::new() })
    }

    /// Whether there is another way beside the first.
    pub(crate) fn has_others(&self) -> bool {
        self.ways.len() > 1
    }

    pub(crate) fn first_root(&self) -> usize {
        self.ways.first().map_or(0, |way| way.root)
    }

    pub(crate) fn seal_with(&self, tail: &Tail) {
        if self.has_others() {
            let _ = self.seal.set(Seal::of(tail));
        }
    }

    /// The path under a root.
    pub(crate) fn path_at(&self, root: usize) -> Option<&Path> {
        self.ways.iter().find(|way| way.root == root).map(|way| way.path.as_path())
    }

    fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        rules: &Rules,
        skip: usize,
        work: impl Fn(&Reach, &Way, &dyn Fn() -> bool) -> Result<T> + Send + Sync + 'static,
    ) -> Request<T> {
        let work = Arc::new(work);
        let call = |way: &Arc<Way>| {
            let (reach, work, of) = (Arc::clone(self), Arc::clone(&work), Arc::clone(way));
            let make = Box::new(move |wanted: &dyn Fn() -> bool| {
                work(&reach, &of, wanted).map_err(|e| e.path(&of.path))
            });
            Call { lane: Arc::clone(&way.lane), path: way.path.clone(), root: way.root, make }
        };
        Request::new(self.ways.iter().skip(skip).map(call).collect(), rules)
    }

    /// Asks for a range. The first `skip` ways are left out.
    pub(crate) fn read(self: &Arc<Self>, range: &Range<u64>, skip: usize, rules: &Rules) -> Request<Bytes> {
        let range = range.clone();
        self.ask(rules, skip, move |reach, way, wanted| {
            let len = usize::try_from(range.end - range.start)
                .map_err(|_| Error::limit("more bytes than fit memory"))?;
            way.read(range.start, len, reach.seal.get(), wanted)
        })
    }

    /// Asks for the file's identity and end, unless it is the one with the identity that is `known`.
    pub(crate) fn open(
        self: &Arc<Self>,
        known: Option<Identity>,
        skip: usize,
        reading: &Arc<Reading>,
    ) -> Request<Found> {
        let counted = Arc::clone(reading);
        self.ask(&reading.rules, skip, move |_, way, wanted| {
            let io = |e| Error::from_io(&way.path, e);
            if let Some(known) = known {
                let now = retried(wanted, || Identity::at(&way.path)).map_err(io)?;
                if now == known {
                    return Ok(Found::Same);
                }
            }
            let file = Arc::new(retried(wanted, || Descriptor::open(&way.path)).map_err(io)?);
            platform::expect_random_reads(file.get());
            let identity = Identity::of(file.get()).map_err(io)?;
            let tail = footer::find(identity.size(), |from, to| {
                counted.counters.read(to - from);
                let len = usize::try_from(to - from).map_err(|_| Error::limit("the footer is too large"))?;
                retried(wanted, || read_exactly(file.get(), from, len)).map_err(io)
            });
            let tail = tail.map_err(|error| {
                unless_changed(error, || {
                    let now = retried(wanted, || Identity::asked_anew(file.get()));
                    now.is_ok_and(|now| !identity.same_content(&now))
                })
            })?;
            way.keep(file, identity);
            Ok(Found::New { identity, tail })
        })
    }

    /// Asks whether each way that was used still leads to the bytes that it did.
    pub(crate) fn check(self: &Arc<Self>, rules: &Rules) -> Vec<Request<()>> {
        let used = |way: &&Arc<Way>| way.lock().identity.is_some();
        let check = |way: &Arc<Way>| {
            let of = Arc::clone(way);
            let make =
                Box::new(move |wanted: &dyn Fn() -> bool| of.check(wanted).map_err(|e| e.path(&of.path)));
            let (lane, path, root) = (Arc::clone(&way.lane), way.path.clone(), way.root);
            Request::new(vec![Call { lane, path, root, make }], rules)
        };
        self.ways.iter().filter(used).map(check).collect()
    }
}

impl Way {
    fn lock(&self) -> std::sync::MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, file: Arc<Descriptor>, identity: Identity) {
        let mut opened = self.lock();
        opened.identity = Some(identity);
        opened.file = file.may_stay().then_some(file);
    }

    fn read(&self, offset: u64, len: usize, seal: Option<&Seal>, wanted: &dyn Fn() -> bool) -> Result<Bytes> {
        let io = |e| Error::from_io(&self.path, e);
        let file = self.file(seal, wanted)?;
        match retried(wanted, || read_exactly(file.get(), offset, len)) {
            // The descriptor is of a mount that is gone; the path may lead to the same file again.
            Err(e) if is_lost(&e) => {
                drop(file);
                self.lock().file = None;
                let file = self.file(seal, wanted)?;
                retried(wanted, || read_exactly(file.get(), offset, len)).map_err(io)
            }
            outcome => outcome.map_err(io),
        }
    }

    /// The opened file, opened now if it is not; it must be the one that it was, or that the seal is of.
    fn file(&self, seal: Option<&Seal>, wanted: &dyn Fn() -> bool) -> Result<Arc<Descriptor>> {
        let known = {
            let opened = self.lock();
            if let Some(file) = &opened.file {
                return Ok(Arc::clone(file));
            }
            opened.identity
        };
        let io = |e| Error::from_io(&self.path, e);
        // No lock is held meanwhile: opening may hang.
        let file = Arc::new(retried(wanted, || Descriptor::open(&self.path)).map_err(io)?);
        platform::expect_random_reads(file.get());
        let identity = Identity::of(file.get()).map_err(io)?;
        match (known, seal) {
            (Some(known), _) if known.same_content(&identity) => {}
            (Some(_), _) => return Err(replaced()),
            (None, Some(seal)) => {
                let (start, expected) = seal.footer;
                let same = identity.size() == seal.size && {
                    let len = usize::try_from(seal.size - start).unwrap_or(usize::MAX);
                    let found = retried(wanted, || read_exactly(file.get(), start, len)).map_err(io)?;
                    hash(&found) == expected
                };
                if !same {
                    return Err(Error::new(
                        ErrorKind::Changed,
                        "the file differs from the one under the other root, so nothing is read from it instead",
                    )
                    .hint("bring the roots to the same state"));
                }
            }
            (None, None) => return Err(Error::internal("a file was read before it was opened")),
        }
        self.keep(Arc::clone(&file), identity);
        Ok(file)
    }

    fn check(&self, wanted: &dyn Fn() -> bool) -> Result<()> {
        let (file, identity) = {
            let opened = self.lock();
            (opened.file.clone(), opened.identity)
        };
        let now = retried(wanted, || match &file {
            Some(file) => Identity::asked_anew(file.get()),
            None => Identity::at(&self.path),
        });
        let now = match now {
            Err(e) if is_lost(&e) => Identity::at(&self.path),
            now => now,
        };
        let now = now.map_err(|e| Error::from_io(&self.path, e))?;
        if identity.is_none_or(|known| known.same_content(&now)) { Ok(()) } else { Err(written_to()) }
    }
}

/// The file is no longer what it was when it was opened.
pub(crate) fn written_to() -> Error {
    Error::new(ErrorKind::Changed, "the file was written to while it was read")
        .hint("write a new file and rename it over the old one, and ask again")
}

/// What is wrong with a file that was looked at; that it `changed` meanwhile, if it seems to be no sound file and did.
pub(crate) fn unless_changed(error: Error, changed: impl FnOnce() -> bool) -> Error {
    if looks_wrong(&error) && changed() { written_to() } else { error }
}

/// Whether it says that a file is not as it should be, as half of one is not.
pub(crate) fn looks_wrong(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::Internal)
}

/// Whether a descriptor is of no use any more, though the path may be.
pub(crate) fn is_lost(error: &std::io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::STALE | Errno::NOTCONN | Errno::CONNABORTED | Errno::NODEV | Errno::SHUTDOWN)
    )
}
