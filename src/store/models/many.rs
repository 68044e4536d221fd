//! Many models, read side by side and given as they come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::read::Reader;
use crate::managed::{FoundModel, ModelVersion};
use crate::{Error, ErrorKind, Result};

/// How many models a thread may be ahead of whoever takes them.
const AHEAD: usize = 8;

/// How often a thread that waits for memory looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(20);

/// Models that are being read, given as they come: an iterator of names and bytes.
///
/// What is read ahead stays within the memory limit. Dropped, it stops.
#[derive(Debug)]
pub struct Blobs {
    coming: Receiver<Came>,
    shared: Arc<Shared>,
    left: usize,
    snapshot: u64,
    /// Whose threads read: a forked child has none of them.
    process: u32,
}

type Came = (String, Result<Bytes>, u64);

#[derive(Debug)]
struct Shared {
    reader: Reader,
    wanted: Vec<(String, Result<FoundModel>)>,
    next: AtomicUsize,
    stopped: AtomicBool,
    memory: Mutex<u64>,
    freed: Condvar,
    snapshot: u64,
}

impl Blobs {
    pub(super) fn begin(
        reader: Reader,
        wanted: Vec<(String, ModelVersion)>,
        threads: Option<usize>,
    ) -> Result<Self> {
        let looked_for = Arc::new(wanted);
        let all = Arc::clone(&looked_for);
        let (snapshot, found) = reader.resolve(move |view| {
            // The same model may be asked for twice, and is looked up once.
            let mut known: BTreeMap<&(String, ModelVersion), FoundModel> = BTreeMap::new();
            let look = |wanted: &'_ (String, ModelVersion)| view.model(&wanted.0, &wanted.1, false);
            let mut found = Vec::with_capacity(all.len());
            for wanted in all.iter() {
                found.push(match known.get(wanted) {
                    Some(model) => Ok(model.clone()),
                    None => look(wanted).inspect(|model| drop(known.insert(wanted, model.clone()))),
                });
            }
            Ok(found)
        })?;
        let names = looked_for.iter().map(|(name, _)| name.clone());
        let wanted: Vec<_> = names.zip(found).collect();
        let cores = hypostyle_io::cores();
        let threads = threads.unwrap_or(if reader.waits() { reader.depth } else { cores });
        let threads = threads.clamp(1, wanted.len().max(1));
        let (send, coming) = sync_channel(threads * AHEAD);
        let left = wanted.len();
        let shared = Arc::new(Shared {
            reader,
            wanted,
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            memory: Mutex::new(0),
            freed: Condvar::new(),
            snapshot,
        });
        let mut started = 0;
        for _ in 0..threads.min(left) {
            let (shared, send) = (Arc::clone(&shared), send.clone());
            let thread = std::thread::Builder::new().name("hypostyle-models".to_owned());
            match thread.stack_size(1 << 20).spawn(move || shared.work(&send)) {
                Ok(_) => started += 1,
                Err(e) if started == 0 => {
                    return Err(Error::limit(format!("a thread for reading could not be started: {e}")));
                }
                Err(_) => break,
            }
        }
        Ok(Self { coming, shared, left, snapshot, process: std::process::id() })
    }

    /// The snapshot that they are of.
    pub fn snapshot(&self) -> u64 {
        self.snapshot
    }

    /// Waits for the next one, but no longer than this: `None` says that none has come yet, `Some(None)` that all
    /// have.
    pub fn wait_for(&mut self, longest: Duration) -> Option<Option<(String, Result<Bytes>)>> {
        if self.left == 0 {
            return Some(None);
        }
        // What these threads hold to send with is never let go in a child, which would wait for ever.
        if self.process != std::process::id() {
            self.left = 0;
            let error =
                Error::invalid("the models were asked for before this process was forked, and come no more")
                    .hint("ask for them in the process that takes them");
            return Some(Some((String::new(), Err(error))));
        }
        match self.coming.recv_timeout(longest) {
            Ok((name, blob, reserved)) => {
                self.left -= 1;
                self.shared.give(reserved);
                Some(Some((name, blob)))
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.left = 0;
                let error = Error::internal("the threads that read models have ended");
                Some(Some((String::new(), Err(error))))
            }
        }
    }
}

impl Iterator for Blobs {
    type Item = (String, Result<Bytes>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.wait_for(Duration::from_secs(3600)) {
                return next;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.freed.notify_all();
    }
}

impl Shared {
    fn work(&self, send: &SyncSender<Came>) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((name, found)) = self.wanted.get(at) else { return };
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            // The thread is not to end by a bug in one read: all are counted on.
            let read = std::panic::AssertUnwindSafe(|| self.read(found));
            let (blob, reserved) = std::panic::catch_unwind(read)
                .unwrap_or_else(|_| (Err(Error::internal("reading the model panicked")), 0));
            if send.send((name.clone(), blob, reserved)).is_err() {
                return;
            }
        }
    }

    /// The bytes, and how many of them count as read ahead.
    fn read(&self, found: &Result<FoundModel>) -> (Result<Bytes>, u64) {
        let found = match found {
            Ok(found) => found,
            Err(error) => return (Err(again(error)), 0),
        };
        let bytes = found.entry.bytes;
        if let Err(error) = self.take(bytes) {
            return (Err(error), 0);
        }
        let blob = self.reader.whole(found);
        let blob = blob.map_err(|error| match error.kind() {
            // What gc took away is gone, not damaged.
            ErrorKind::Corrupt => self.reader.gone(found, error, self.snapshot),
            _ => error,
        });
        (blob, bytes)
    }

    /// Waits until so many bytes may be read ahead. One model alone may have any size that the limit allows.
    fn take(&self, bytes: u64) -> Result<()> {
        let mut used = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        while *used > 0 && used.saturating_add(bytes) > self.reader.limit {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Cancelled, "the models are not wanted any more"));
            }
            self.reader.run.check()?;
            used = self.freed.wait_timeout(used, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        *used += bytes;
        Ok(())
    }

    fn give(&self, bytes: u64) {
        let mut used = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(bytes);
        drop(used);
        self.freed.notify_all();
    }
}

/// The same error once more.
fn again(error: &Error) -> Error {
    let mut again = Error::new(error.kind(), error.message());
    if let Some(path) = error.file_path() {
        again = again.path(path);
    }
    if let Some(hint) = error.hint_text() {
        again = again.hint(hint);
    }
    again
}
