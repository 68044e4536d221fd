//! Opened files, kept with their footers for as long as the path leads to the same bytes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hypostyle_io::{Identity, IoMode, ParquetFile, Run};

use crate::{Error, Result};

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

impl OpenFiles {
    /// The opened file at a path: the one that is kept, if the path still leads to the same bytes.
    pub(super) fn open(&self, path: &Path, mode: IoMode, run: &Run) -> Result<Arc<ParquetFile>> {
        let key = (path.to_owned(), mode);
        if let Some(file) = self.kept(&key)? {
            let now = Identity::at(path).map_err(|e| Error::from_io(path, e))?;
            if now == file.identity() {
                return Ok(file);
            }
        }
        let moment = SystemTime::now();
        let file = Arc::new(ParquetFile::open(path, mode, run)?);
        if file.identity().is_quiet(QUIET, moment) {
            self.keep(key, &file)?;
        } else {
            self.kept.lock().map_err(|_| poisoned())?.files.remove(&key);
        }
        Ok(file)
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
        if kept.files.len() >= MOST {
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
