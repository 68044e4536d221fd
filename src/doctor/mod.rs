//! What a mount can do, found out by doing it, and how a store there is then read and written.
//!
//! What mounts promise and what they do are two things: one takes a lock and tells nobody, another renames by copying.
//! So each promise that a store depends on is tried once, in a folder of our own that is gone afterwards.

mod advice;
mod medium;
mod other;
mod reading;
mod report;
mod scratch;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{Error, ErrorKind, Result};
use scratch::Scratch;

pub(crate) use medium::Medium;
pub use report::{Answer, DoctorReport, Probe, ReadFigures, Reading, Settings};

/// How a mount is probed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DoctorOptions {
    /// How long it may take; a mount that hangs is left with a thread in it. 60 seconds.
    pub timeout: Duration,
    /// What the folder is called that is made below the path, and removed again; a unique name when left out.
    pub scratch: Option<String>,
}

impl Default for DoctorOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), scratch: None }
    }
}

/// Probes the mount that a folder lies on by doing all that a store does there, and says what is safe.
///
/// It leaves nothing behind. Where nothing may be written, it reads what is there, and says what it could not probe.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) if there is no such folder, [`Timeout`](ErrorKind::Timeout) if the mount does not
/// answer, which says what it was asked last.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let report = hypostyle::doctor(folder.path())?;
/// println!("{}: {:?}", report.file_system, report.settings);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn doctor(path: impl AsRef<Path>) -> Result<DoctorReport> {
    doctor_with(path, &DoctorOptions::default())
}

/// The same, in the way that `options` says.
///
/// # Errors
/// Those of [`doctor`].
pub fn doctor_with(path: impl AsRef<Path>, options: &DoctorOptions) -> Result<DoctorReport> {
    let path = path.as_ref();
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path }.to_owned();
    let stage = Stage::default();
    let (tell, told) = channel();
    let work = {
        let (path, stage, scratch) = (path.clone(), stage.clone(), options.scratch.clone());
        move || drop(tell.send(examine(&path, scratch.as_deref(), &stage)))
    };
    // A thread of its own, which a mount that hangs may keep.
    let thread = std::thread::Builder::new().name("doctor".to_owned()).spawn(work);
    thread.map_err(|e| Error::internal(format!("no thread to probe with: {e}")))?;
    told.recv_timeout(options.timeout).unwrap_or_else(|e| match e {
        RecvTimeoutError::Disconnected => Err(Error::internal("the probe ended without an answer")),
        RecvTimeoutError::Timeout => {
            let last = stage.last();
            Err(Error::new(
                ErrorKind::Timeout,
                format!("the mount did not answer in time, when asked for: {last}"),
            )
            .path(path)
            .hint("see whether its daemon lives; a folder `.hypostyle-doctor-…` may be left there"))
        }
    })
}

/// What is being asked.
#[derive(Clone, Debug, Default)]
struct Stage(Arc<Mutex<&'static str>>);

impl Stage {
    fn begin(&self, what: &'static str) {
        if let Ok(mut last) = self.0.lock() {
            *last = what;
        }
    }

    fn last(&self) -> &'static str {
        self.0.lock().map_or("something", |last| *last)
    }
}

fn examine(path: &Path, scratch: Option<&str>, stage: &Stage) -> Result<DoctorReport> {
    stage.begin("its folder");
    let metadata = std::fs::metadata(path).map_err(|e| Error::from_io(path, e))?;
    if !metadata.is_dir() {
        return Err(Error::invalid("it is no folder").path(path));
    }
    let medium = Medium::at(path);
    let scratch = Scratch::new(path, scratch);
    let mut probes = Vec::new();
    let files: Vec<PathBuf>;
    match &scratch {
        Ok(scratch) => {
            writing::probe(scratch, stage, &mut probes);
            stage.begin("a file to read");
            let made = reading::make(scratch.path());
            files = made.map_or_else(|_| reading::find(path), |file| vec![file]);
        }
        Err(error) => {
            stage.begin("files to read");
            files = reading::find(path);
            writing::not_probed(error, files.first().map(PathBuf::as_path), stage, &mut probes);
        }
    }
    let reading = reading::probe(&files, scratch.is_ok(), stage, &mut probes);
    Ok(advice::report(path, &medium, probes, reading))
}

#[cfg(test)]
mod tests;
