//! Bytes of models, from packs: mapped where the store lies on a local disk and is managed here, else asked for as a
//! join's bytes are, with deadlines, other roots and limits.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hypostyle_io::{Immutable, IoMode, Run, check_bytes, is_remote};

use crate::managed::{AsOf, Card, FoundModel, MOST_CARD, Managed, ModelVersion, View};
use crate::store::JoinOptions;
use crate::store::roots::{Roots, goes_on};
use crate::{Error, ErrorKind, Result};

/// Packs that stay open.
const MOST: usize = 256;

/// What is read at once of something large.
const PIECE: u64 = 4 << 20;

/// The same, however low the memory limit is.
const LEAST_PIECE: u64 = 64 << 10;

/// How soon packs that are open are looked for again: what gc removed takes its space until it is let go.
const AGAIN: Duration = Duration::from_secs(10);

/// Opened packs, by their path and the way they are read.
#[derive(Debug, Default)]
pub(crate) struct OpenPacks {
    files: Mutex<Open>,
    usual_limit: OnceLock<u64>,
}

#[derive(Debug, Default)]
struct Open {
    packs: HashMap<(PathBuf, IoMode), Arc<Immutable>>,
    looked: Option<Instant>,
}

impl Open {
    /// Lets go what was removed. A mount is not asked: it may hang, and has its own way with what is removed.
    fn let_go(&mut self, after: Duration) {
        if self.looked.is_none_or(|looked| looked.elapsed() >= after) {
            self.packs.retain(|(path, _), _| is_remote(path) || path.exists());
            self.looked = Some(Instant::now());
        }
    }
}

impl OpenPacks {
    /// The memory limit of who names none, as it was when it was asked for first.
    pub(super) fn usual_limit(&self) -> u64 {
        *self.usual_limit.get_or_init(hypostyle_io::default_memory_limit)
    }

    #[cfg(test)]
    pub(super) fn close(&self) {
        self.files.lock().unwrap().packs.clear();
    }

    fn get(&self, path: PathBuf, mode: IoMode) -> Arc<Immutable> {
        let mut open = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        open.let_go(AGAIN);
        // Whoever reads one that is let go keeps it until the read is over.
        if open.packs.len() >= MOST && !open.packs.contains_key(&(path.clone(), mode)) {
            open.packs.clear();
        }
        let file =
            open.packs.entry((path.clone(), mode)).or_insert_with(|| Arc::new(Immutable::new(path, mode)));
        Arc::clone(file)
    }
}

/// What reads need, shared by all that one call makes.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    roots: Roots,
    open: Arc<OpenPacks>,
    managed: Arc<Managed>,
    mode: IoMode,
    as_of: Option<AsOf>,
    staleness: Duration,
    verify: bool,
    pub(super) limit: u64,
    pub(super) depth: usize,
    pub(super) run: Arc<Run>,
}

impl Reader {
    pub(super) fn new(
        roots: Roots,
        open: Arc<OpenPacks>,
        managed: Arc<Managed>,
        options: &JoinOptions,
        run: Arc<Run>,
    ) -> Self {
        Self {
            mode: managed.io_mode(options.io),
            as_of: options.as_of.clone(),
            staleness: options.staleness,
            verify: options.verify.unwrap_or(true),
            limit: run.memory_limit(),
            depth: options.io_depth.unwrap_or(hypostyle_io::Depth::default().in_flight),
            roots,
            open,
            managed,
            run,
        }
    }

    /// Whether reads wait for somebody more than they work.
    pub(super) fn waits(&self) -> bool {
        self.roots.may_hang() && self.mode != IoMode::Mmap
    }

    /// Whether reads wait for nobody.
    pub(super) fn is_mapped(&self) -> bool {
        self.mode == IoMode::Mmap && !self.roots.may_hang()
    }

    /// Looks something up in the snapshot that is meant, whose number is given back as well.
    pub(super) fn resolve<T: Send + 'static>(
        &self,
        look: impl Fn(&View<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<(u64, T)> {
        self.resolve_as_of(self.as_of.clone(), self.staleness, look)
    }

    /// The same in another snapshot.
    fn resolve_as_of<T: Send + 'static>(
        &self,
        as_of: Option<AsOf>,
        staleness: Duration,
        look: impl Fn(&View<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<(u64, T)> {
        let managed = Arc::clone(&self.managed);
        self.roots.anywhere("", &self.run, move |place| {
            let look = |managed: &Managed| {
                let view = managed.view(as_of.as_ref(), staleness)?;
                Ok((view.number(), look(&view)?))
            };
            if place.base == managed.root() || managed.root() == Path::new(".") {
                return look(&managed);
            }
            // What the first root cannot tell the next one may.
            match Managed::at(&place.base)? {
                Some(managed) => look(&managed),
                None => Err(Error::not_found("the root is no managed store").path(&place.base)),
            }
        })
    }

    /// Works with a version that is meant. If gc takes it away meanwhile, and the newest was meant, with what is the
    /// newest then.
    pub(super) fn found<T>(
        &self,
        name: &str,
        version: &ModelVersion,
        mut work: impl FnMut(&Self, &FoundModel) -> Result<T>,
    ) -> Result<T> {
        let mut before = None;
        loop {
            let (name, version) = (name.to_owned(), version.clone());
            let (number, found) = self.resolve(move |view| view.model(&name, &version, true))?;
            match work(self, &found) {
                Err(error) if error.kind() == ErrorKind::Corrupt && before != Some(number) => {
                    self.is_gone(error, number)?;
                    before = Some(number);
                }
                outcome => return outcome,
            }
        }
    }

    /// Goes on if the snapshot that was read is not the one that is meant any more; else says what is wrong.
    pub(super) fn is_gone(&self, error: Error, number: u64) -> Result<()> {
        let newest = self.resolve_as_of(self.as_of.clone(), Duration::ZERO, |_| Ok(()));
        match newest.map(|(number, ())| number) {
            Err(gone) if gone.kind() == ErrorKind::NotFound => Err(gone.source(error)),
            Ok(newest) if newest != number => Ok(()),
            _ => Err(error),
        }
    }

    /// An error about a version of a snapshot: that the snapshot is gone, if it is, which is why its files are.
    pub(super) fn gone(&self, found: &FoundModel, error: Error, number: u64) -> Error {
        match self.resolve_as_of(Some(AsOf::Snapshot(number)), Duration::ZERO, |_| Ok(())) {
            Err(gone) if gone.kind() == ErrorKind::NotFound => found.about(gone),
            _ => error,
        }
    }

    /// All bytes of a version.
    pub(super) fn whole(&self, found: &FoundModel) -> Result<Bytes> {
        let reserved = self.run.reserve(found.entry.bytes, "the model").map_err(|e| {
            found.about(e).hint("raise the memory limit, or take it to a file: `hypostyle model get -o`")
        })?;
        let bytes = self.range(found, found.entry.at, found.entry.bytes)?;
        drop(reserved);
        if self.verify {
            check_bytes(&bytes, found.entry.checksum).map_err(|e| self.damaged(found, e))?;
        }
        Ok(bytes)
    }

    /// The card of a version.
    pub(super) fn card(&self, found: &FoundModel) -> Result<Card> {
        let (length, checksum) = found.entry.card;
        let at = found.entry.at.checked_sub(u64::from(length));
        let at =
            at.ok_or_else(|| found.about(Error::corrupt("the manifest has its card before its file")))?;
        if length as usize > MOST_CARD {
            return Err(found.about(Error::corrupt(format!("the manifest has a card of {length} bytes"))));
        }
        let bytes = self.range(found, at, u64::from(length))?;
        Card::decode(&bytes, checksum, &found.name, found.entry.version).map_err(|e| self.damaged(found, e))
    }

    /// The bytes of a version, piece by piece.
    pub(super) fn pieces(&self, found: &FoundModel, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut stream = self.stream(found);
        while let Some(piece) = stream.next_piece()? {
            take(&piece)?;
        }
        Ok(())
    }

    /// The same, to be read.
    pub(super) fn stream<'r>(&'r self, found: &'r FoundModel) -> Stream<'r> {
        Stream {
            reader: self,
            found,
            done: 0,
            hasher: crc32fast::Hasher::new(),
            piece: Bytes::new(),
            is_over: false,
        }
    }

    fn damaged(&self, found: &FoundModel, error: Error) -> Error {
        let path = self.managed.root().join(found.below());
        found
            .about(error.path(path).hint("restore the file, or take another version; see `hypostyle repair`"))
    }

    /// So many bytes of a version's pack.
    fn range(&self, found: &FoundModel, at: u64, bytes: u64) -> Result<Bytes> {
        self.range_by(self.mode, found, at, bytes)
    }

    fn range_by(&self, mode: IoMode, found: &FoundModel, at: u64, bytes: u64) -> Result<Bytes> {
        let len = usize::try_from(bytes).map_err(|_| found.about(Error::limit("it does not fit memory")))?;
        if len == 0 {
            return Ok(Bytes::new());
        }
        self.run.check()?;
        let below = found.below();
        let path = self.managed.root().join(&below);
        let read = if mode == IoMode::Mmap || !is_remote(&path) {
            match self.open.get(path, mode).read(at, len) {
                Err(e) if goes_on(&e) && self.roots.are_several() => self.ask(&below, 1, at, len),
                outcome => outcome,
            }
        } else {
            self.ask(&below, 0, at, len)
        };
        let counters = &self.run.counters;
        counters.reads.fetch_add(1, Ordering::Relaxed);
        counters.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => self.damaged(
                found,
                Error::corrupt("the manifest names its file, and it is missing")
                    .path(self.managed.root().join(&below)),
            ),
            _ => found.about(error),
        })
    }

    fn ask(&self, below: &str, skip: usize, at: u64, len: usize) -> Result<Bytes> {
        let (open, of) = (Arc::clone(&self.open), below.to_owned());
        let asked = self.roots.ask(below, skip, &self.run, move |place| {
            open.get(place.base.join(&of), IoMode::Pread).read(at, len)
        });
        asked.wait().map(|(_, bytes)| bytes)
    }
}

/// The bytes of a version on their way out, whose checksum is known at their end.
pub(super) struct Stream<'r> {
    reader: &'r Reader,
    found: &'r FoundModel,
    done: u64,
    hasher: crc32fast::Hasher,
    /// What was read and not taken yet.
    piece: Bytes,
    is_over: bool,
}

impl Stream<'_> {
    fn next_piece(&mut self) -> Result<Option<Bytes>> {
        let (entry, reader) = (&self.found.entry, self.reader);
        let many = (entry.bytes - self.done).min(PIECE).min(reader.limit.max(LEAST_PIECE));
        if many == 0 {
            if !self.is_over && reader.verify && self.hasher.clone().finalize() != entry.checksum {
                let error =
                    Error::corrupt("the bytes are not those that were written: their checksum does not fit");
                return Err(reader.damaged(self.found, error));
            }
            self.is_over = true;
            return Ok(None);
        }
        // What was touched of a map counts as this process's memory.
        let mode = if reader.is_mapped() { IoMode::Pread } else { reader.mode };
        let piece = reader.range_by(mode, self.found, entry.at + self.done, many)?;
        self.done += many;
        if reader.verify {
            self.hasher.update(&piece);
        }
        Ok(Some(piece))
    }
}

impl io::Read for Stream<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            match self.next_piece().map_err(io::Error::other)? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let many = self.piece.len().min(to.len());
        let piece = self.piece.split_to(many);
        to.get_mut(..many).unwrap_or_default().copy_from_slice(&piece);
        Ok(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that read models all day kept the files of all that gc had removed: their space was not free.
    #[test]
    fn a_pack_that_was_removed_is_let_go_and_the_others_stay_open() {
        let folder = tempfile::tempdir().unwrap();
        let [gone, stays] = ["gone", "stays"].map(|name| {
            let path = folder.path().join(name);
            std::fs::write(&path, name).unwrap();
            path
        });
        for mode in [IoMode::Mmap, IoMode::Pread] {
            std::fs::write(&gone, "gone").unwrap();
            let open = OpenPacks::default();
            let held = open.get(gone.clone(), mode);
            let bytes = held.read(0, 4).unwrap();
            let kept = open.get(stays.clone(), mode);
            std::fs::remove_file(&gone).unwrap();
            let mut files = open.files.lock().unwrap();
            files.let_go(AGAIN);
            assert_eq!(files.packs.len(), 2, "not at each read");
            files.let_go(Duration::ZERO);
            drop(files);
            assert_eq!(Arc::strong_count(&held), 1, "only who reads it has it");
            assert_eq!(&bytes[..], b"gone", "and can still do so");
            assert!(Arc::ptr_eq(&kept, &open.get(stays.clone(), mode)));
        }
    }
}
