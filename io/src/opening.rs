//! Files being opened: those on mounts that can hang all at once, by the threads of their mounts.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Result};
use crate::file::ParquetFile;
use crate::platform::Identity;
use crate::reach::{Asked, Found, Place, Reach, looks_wrong, unless_changed, written_to};
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

/// How soon after its time of writing somebody may still be at a file.
const FRESH: Duration = Duration::from_secs(2);

/// For how long one who may be writing is watched.
const WATCH: Duration = Duration::from_millis(5);

/// What is wrong with a file that looks wrong and was written to a moment ago: that it is being written to, if it
/// changes within some milliseconds. Also whether it was fresh: a writer who is done by now was perhaps not when it
/// was read, so it should be read once more.
pub fn unless_being_written(error: Error, run: &Run) -> (Error, bool) {
    let Some(path) = error.file_path().filter(|_| looks_wrong(&error)) else { return (error, false) };
    let place = Place::one(path);
    let look = || {
        let anew = |_, path: &std::path::Path| Identity::anew_at(path).map_err(|e| Error::from_io(path, e));
        Asked::of(&place, run, anew).wait().map(|(_, identity)| identity)
    };
    let Ok(before) = look() else { return (error, false) };
    if before.is_quiet(FRESH, SystemTime::now()) {
        return (error, false);
    }
    std::thread::sleep(WATCH);
    if look().is_ok_and(|now| now.same_content(&before)) {
        return (error, true);
    }
    let changed = written_to().path(path);
    (error.table_name().map(str::to_owned).into_iter().fold(changed, Error::table).source(error), true)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, write};
    use std::path::Path;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;

    fn parquet(values: &[i64]) -> Vec<u8> {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        let batch = RecordBatch::try_from_iter([("k", column)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    /// Writes a file in place and gives it a time of writing.
    fn put(path: &Path, bytes: &[u8], hours_ago: u64) {
        write(path, bytes).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours_ago)).unwrap();
    }

    fn open(path: &Path, known: Option<Arc<ParquetFile>>, mode: IoMode) -> Result<Arc<ParquetFile>> {
        let run = Run::new(1 << 30);
        Opening::begin(Place::one(path), mode, known, &run).wait(&run)
    }

    #[test]
    fn a_file_that_is_open_is_taken_again_only_while_the_path_leads_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, beside) = (folder.path().join("t.parquet"), folder.path().join("beside"));
        let (old, new) = (parquet(&[1, 2, 3]), parquet(&[4, 5, 6]));
        assert_eq!(old.len(), new.len());
        for mode in [IoMode::Pread, IoMode::Mmap] {
            for (what, again) in [("nothing", true), ("in place", false), ("rename", false), ("touch", false)]
            {
                put(&path, &old, 2);
                let known = open(&path, None, mode).unwrap();
                match what {
                    "nothing" => {}
                    "in place" => put(&path, &new, 1),
                    "touch" => put(&path, &old, 1),
                    _ => {
                        // Size and times are as before.
                        put(&beside, &new, 1);
                        let file = File::options().write(true).open(&beside).unwrap();
                        file.set_modified(std::fs::metadata(&path).unwrap().modified().unwrap()).unwrap();
                        std::fs::rename(&beside, &path).unwrap();
                    }
                }
                let opened = open(&path, Some(Arc::clone(&known)), mode).unwrap();
                assert_eq!(Arc::ptr_eq(&opened, &known), again, "{what}, {mode}");
                // As a file is compared that is opened for each read.
                let now = Identity::at(&path).unwrap();
                assert_eq!(now.same_content(&known.identity()), again, "{what}, {mode}");
                // And at the end of a join that had it open: a rename leaves it as it was.
                let run = Run::new(1 << 30);
                let end = crate::check_unchanged([&*known], &run).map_err(|e| e.kind());
                let written = matches!(what, "in place" | "touch");
                assert_eq!(end, if written { Err(ErrorKind::Changed) } else { Ok(()) }, "{what}, {mode}");
            }
        }
    }

    #[test]
    fn a_file_that_looks_wrong_is_being_written_if_it_changes_while_it_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let whole = parquet(&[1, 2, 3]);
        for (hours_ago, goes_on, expected) in [
            (0, true, (ErrorKind::Changed, true)),
            (0, false, (ErrorKind::Corrupt, true)),
            // Nobody wrote to it for an hour.
            (1, false, (ErrorKind::Corrupt, false)),
        ] {
            put(&path, &whole[..whole.len() / 2], hours_ago);
            let error = || open(&path, None, IoMode::Pread).unwrap_err().table("wind");
            assert_eq!(error().kind(), ErrorKind::Corrupt);
            let run = Run::new(1 << 30);
            let over = std::sync::atomic::AtomicBool::new(false);
            let (error, is_fresh) = std::thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    let mut more = 0;
                    while goes_on && !over.load(std::sync::atomic::Ordering::Relaxed) {
                        more = 1 - more;
                        write(&path, &whole[..whole.len() / 2 + more]).unwrap();
                        std::thread::sleep(Duration::from_micros(500));
                    }
                });
                // On a busy machine the writer may not have its turn while the file is looked at.
                let mut found = unless_being_written(error(), &run);
                for _ in 0..100 {
                    if (found.0.kind(), found.1) == expected {
                        break;
                    }
                    found = unless_being_written(error(), &run);
                }
                over.store(true, std::sync::atomic::Ordering::Relaxed);
                writer.join().unwrap();
                found
            });
            assert_eq!((error.kind(), is_fresh), expected, "{hours_ago} {goes_on}");
            assert_eq!((error.table_name(), error.file_path()), (Some("wind"), Some(&*path)));
        }
        // What is no matter of the file's bytes is left as it is.
        let other = Error::invalid("no").path(&path);
        assert!(!unless_being_written(other, &Run::new(1 << 20)).1);
    }
}
