//! Files being opened: those on mounts that can hang all at once, by the threads of their mounts.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::file::ParquetFile;
use crate::platform::Identity;
use crate::reach::{Found, Place, Reach, unless_changed, written_to};
use crate::requests::{Request, goes_on};
use crate::run::Run;
use crate::source::IoMode;

/// A file on its way to being open. Begin all of a join's before waiting for the first.
#[derive(Debug)]
pub struct Opening {
    place: Place,
    mode: IoMode,
    /// The one that is open already, if the path still leads to it.
    known: Option<Arc<ParquetFile>>,
    asked: Option<(Arc<Reach>, Request<Found>)>,
}

impl Opening {
    /// Begins to open a file. A local one is opened by whoever waits for it; `known` is given again if the place
    /// still leads to the same bytes.
    pub fn begin(place: Place, mode: IoMode, known: Option<Arc<ParquetFile>>, run: &Run) -> Self {
        let asked = (mode != IoMode::Mmap && place.is_remote()).then(|| {
            let reach = Reach::new(&place);
            let identity = known.as_ref().map(|file| file.identity());
            let request = reach.open(identity, 0, &run.reading);
            (reach, request)
        });
        Self { place, mode, known, asked }
    }

    /// The opened file.
    ///
    /// # Errors
    /// Typed by what is wrong with the file, naming the path; those of the run's deadline.
    pub fn wait(self, run: &Run) -> Result<Arc<ParquetFile>> {
        let Self { place, mode, known, asked } = self;
        let Some((reach, request)) = asked else { return here(&place, mode, known, run) };
        from_found(reach, request, known, run)
    }
}

fn here(place: &Place, mode: IoMode, known: Option<Arc<ParquetFile>>, run: &Run) -> Result<Arc<ParquetFile>> {
    let path = place.path();
    let attempt = || {
        if let Some(known) = &known {
            let now = Identity::at(path).map_err(|e| Error::from_io(path, e))?;
            if now == known.identity() {
                return Ok(Arc::clone(known));
            }
        }
        ParquetFile::open_here(place, mode, run).map(Arc::new)
    };
    match attempt() {
        Err(error) if place.ways().len() > 1 && goes_on(&error) => {
            let reach = Reach::new(place);
            let request = reach.open(None, 1, &run.reading);
            from_found(reach, request, None, run)
        }
        outcome => outcome,
    }
}

fn from_found(
    reach: Arc<Reach>,
    request: Request<Found>,
    known: Option<Arc<ParquetFile>>,
    run: &Run,
) -> Result<Arc<ParquetFile>> {
    let (root, found) = request.wait()?;
    match (found, known) {
        (Found::Same, Some(known)) => Ok(known),
        (Found::Same, None) => Err(written_to()),
        (Found::New { identity, tail }, _) => {
            if reach.has_others() {
                run.reading.came_from(root, tail.bytes.len() as u64);
            }
            reach.seal_with(&tail);
            let opened = ParquetFile::open_there(Arc::clone(&reach), root, identity, &tail, run);
            opened.map(Arc::new).map_err(|error| {
                unless_changed(error, || {
                    let changed = |error: Error| error.kind() == ErrorKind::Changed;
                    reach.check(&run.reading.rules).into_iter().any(|asked| asked.wait().is_err_and(changed))
                })
            })
        }
    }
}
