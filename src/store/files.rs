//! Opened files, kept with their footers for as long as the path leads to the same bytes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hypostyle_io::{IoMode, Opening, ParquetFile, Place, Run, descriptors_for_files};

use crate::{Error, ErrorKind, Result};

/// Files that stay open. A process may often have no more than 1,024 open, and is not only ours.
const MOST: usize = 512;

/// How long a file must have been left alone before it is opened once for many joins. One that is being written may
/// look the same when the writer is done, and what was read of it meanwhile must not be taken for what it is then.
const QUIET: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<(PathBuf, IoMode), (Arc<ParquetFile>, u64)>,
    clock: u64,
}

/// A file on its way to being open. Begin all of a join's before finishing the first.
#[derive(Debug)]
pub(super) struct Begun {
    opening: Opening,
    place: Place,
    key: (PathBuf, IoMode),
    kept: Option<Arc<ParquetFile>>,
    moment: SystemTime,
}

impl OpenFiles {
    /// Begins to open a file: the one that is kept, if its place still leads to the same bytes.
    pub(super) fn begin(&self, place: Place, mode: IoMode, run: &Run) -> Result<Begun> {
        let key = (place.path().to_owned(), mode);
        let kept = self.kept(&key)?;
        let moment = SystemTime::now();
        Ok(Begun {
            opening: Opening::begin(place.clone(), mode, kept.clone(), run),
            place,
            key,
            kept,
            moment,
        })
    }

    /// The opened file.
    pub(super) fn finish(&self, begun: Begun, run: &Run) -> Result<Arc<ParquetFile>> {
        let Begun { opening, place, key, kept, moment } = begun;
        let file = match opening.wait(run) {
            // Those that are kept for later joins are in the way of this one.
            Err(e) if e.kind() == ErrorKind::LimitExceeded && self.let_go()? > 0 => {
                Opening::begin(place, key.1, None, run).wait(run)?
            }
            outcome => outcome?,
        };
        if kept.is_some_and(|kept| Arc::ptr_eq(&kept, &file)) {
            return Ok(file);
        }
        if file.identity().is_quiet(QUIET, moment) {
            self.keep(key, &file)?;
        } else {
            self.kept.lock().map_err(|_| poisoned())?.files.remove(&key);
        }
        Ok(file)
    }

    /// Closes those that no join has; how many there were.
    fn let_go(&self) -> Result<usize> {
        let mut kept = self.kept.lock().map_err(|_| poisoned())?;
        let before = kept.files.len();
        kept.files.retain(|_, (file, _)| Arc::strong_count(file) > 1);
        Ok(before - kept.files.len())
    }

    /// How many files are kept open.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.lock().map_or(0, |kept| kept.files.len())
    }

    fn kept(&self, key: &(PathBuf, IoMode)) -> Result<Option<Arc<ParquetFile>>> {
        let mut kept = self.kept.lock().map_err(|_| poisoned())?;
        kept.clock += 1;
        let clock = kept.clock;
        Ok(kept.files.get_mut(key).map(|(file, used)| {
            *used = clock;
            Arc::clone(file)
        }))
    }

    fn keep(&self, key: (PathBuf, IoMode), file: &Arc<ParquetFile>) -> Result<()> {
        let mut kept = self.kept.lock().map_err(|_| poisoned())?;
        if kept.files.len() >= MOST.min(descriptors_for_files()).max(1) {
            // Half at once, so that a join of very many files does not sort for each of them.
            let mut uses: Vec<u64> = kept.files.values().map(|(_, used)| *used).collect();
            let middle = uses.len() / 2;
            let (_, median, _) = uses.select_nth_unstable(middle);
            let median = *median;
            kept.files.retain(|_, (_, used)| *used > median);
        }
        let clock = kept.clock;
        kept.files.insert(key, (Arc::clone(file), clock));
        Ok(())
    }
}

fn poisoned() -> Error {
    Error::internal("the lock of the opened files is poisoned")
}
