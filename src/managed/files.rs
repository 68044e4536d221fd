//! Every call that changes a store's folder, one after another, through one gate: tests stand there and fail the
//! k-th call, or write down what a power cut could take away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Result};

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "what a call is about matters to who stands at the gate"))]
pub(super) enum Call<'a> {
    Create(&'a Path),
    Write(&'a Path, &'a [u8]),
    SyncFile(&'a Path),
    SyncFolder(&'a Path),
    MakeFolder(&'a Path),
    Link(&'a Path, &'a Path),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
}

/// Who is asked before each call.
pub(super) trait Gate: Send + Sync + std::fmt::Debug {
    /// Lets the call be made, or says what the operating system would.
    fn before(&self, call: &Call<'_>) -> io::Result<()>;
}

/// The calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    gate: Option<Arc<dyn Gate>>,
}

impl Files {
    #[cfg(test)]
    pub(super) fn through(gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate) }
    }

    fn pass(&self, call: Call<'_>) -> io::Result<()> {
        self.gate.as_ref().map_or(Ok(()), |gate| gate.before(&call))
    }

    /// Writes a file under a name that nobody has, and makes its bytes durable; the name is so only when the folder
    /// is synced.
    pub(super) fn create(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let attempt = || -> io::Result<()> {
            self.pass(Call::Create(path))?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            self.pass(Call::Write(path, bytes))?;
            file.write_all(bytes)?;
            self.pass(Call::SyncFile(path))?;
            file.sync_all()
        };
        attempt().map_err(|e| refused(path, e))
    }

    /// Begins a file under a name that nobody has, to be written piece by piece.
    pub(super) fn begin(&self, path: &Path) -> Result<File> {
        let attempt = || -> io::Result<File> {
            self.pass(Call::Create(path))?;
            OpenOptions::new().write(true).create_new(true).open(path)
        };
        attempt().map_err(|e| refused(path, e))
    }

    /// Adds bytes to a file that was begun.
    pub(super) fn append(&self, path: &Path, file: &mut File, bytes: &[u8]) -> Result<()> {
        let attempt = self.pass(Call::Write(path, bytes)).and_then(|()| file.write_all(bytes));
        attempt.map_err(|e| refused(path, e))
    }

    /// Begins to make the bytes of a file durable that was begun; whoever waits for it knows that they are.
    pub(super) fn begin_sync(&self, path: &Path, file: File) -> Result<Syncing> {
        Syncing::begin(self.clone(), path, false, move || file.sync_all())
    }

    /// The same for the names that are in a folder by now.
    pub(super) fn begin_sync_folder(&self, path: &Path) -> Result<Syncing> {
        let folder = File::open(path).map_err(|e| refused(path, e))?;
        Syncing::begin(self.clone(), path, true, move || folder.sync_all())
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_folder(&self, path: &Path) -> Result<()> {
        let attempt = || -> io::Result<()> {
            self.pass(Call::SyncFolder(path))?;
            File::open(path)?.sync_all()
        };
        attempt().map_err(|e| refused(path, e))
    }

    /// Makes a folder; whether it is a new one.
    pub(super) fn make_folder(&self, path: &Path) -> Result<bool> {
        if path.is_dir() {
            return Ok(false);
        }
        let made = self.pass(Call::MakeFolder(path)).and_then(|()| std::fs::create_dir(path));
        match made {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(e) => Err(refused(path, e)),
        }
    }

    /// Gives a file a second name; `false` if somebody has it.
    pub(super) fn link(&self, from: &Path, to: &Path) -> Result<bool> {
        match self.pass(Call::Link(from, to)).and_then(|()| std::fs::hard_link(from, to)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(refused(to, e)),
        }
    }

    /// Replaces a file that is only a hint: it is whole, but need not outlast a power cut.
    pub(super) fn replace(&self, path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
        self.pass(Call::Create(beside))?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(beside)?;
        self.pass(Call::Write(beside, bytes))?;
        file.write_all(bytes)?;
        self.pass(Call::Rename(beside, path))?;
        std::fs::rename(beside, path)
    }

    /// Takes a name away; whether there was one.
    pub(super) fn remove(&self, path: &Path) -> Result<bool> {
        match self.pass(Call::Remove(path)).and_then(|()| std::fs::remove_file(path)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(refused(path, e)),
        }
    }
}

/// A file whose bytes, or a folder whose names, are being made durable. They are so once it was waited for.
#[derive(Debug)]
pub(super) struct Syncing {
    files: Files,
    path: PathBuf,
    is_folder: bool,
    thread: std::thread::JoinHandle<io::Result<()>>,
}

impl Syncing {
    fn begin(
        files: Files,
        path: &Path,
        is_folder: bool,
        sync: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<Self> {
        let thread = std::thread::Builder::new().name("hypostyle-sync".to_owned());
        let thread = thread.spawn(sync).map_err(|e| Error::from_io(path, e))?;
        Ok(Self { files, path: path.to_owned(), is_folder, thread })
    }

    /// Waits until they are. Whoever stands at the gate is asked now, since nothing may count on it before.
    pub(super) fn wait(self) -> Result<()> {
        let Self { files, path, is_folder, thread } = self;
        let call = if is_folder { Call::SyncFolder(&path) } else { Call::SyncFile(&path) };
        let synced = thread.join();
        let synced = synced.map_err(|_| Error::internal("the thread that syncs a file panicked"))?;
        files.pass(call).and(synced).map_err(|e| refused(&path, e))
    }
}

/// What is being made durable at the same time, and must be before a commit counts on it.
#[derive(Debug, Default)]
pub(super) struct Syncs(Mutex<Vec<Syncing>>);

impl Syncs {
    pub(super) fn extend(&self, more: Vec<Syncing>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }

    /// Waits for all of it, whatever the first says. Whoever is told that something failed does not go on.
    pub(super) fn wait(&self) -> Result<()> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let synced: Vec<Result<()>> = all.into_iter().map(Syncing::wait).collect();
        synced.into_iter().collect()
    }
}

/// An error of writing: a file that vanished under the writer is no wrong request.
fn refused(path: &Path, error: io::Error) -> Error {
    use io::ErrorKind as Os;
    let hint = match error.kind() {
        Os::StorageFull | Os::QuotaExceeded => Some("free space; nothing was committed"),
        Os::ReadOnlyFilesystem => Some("the file system is mounted read-only"),
        Os::PermissionDenied => Some("writing needs permission to write in the root and below"),
        _ => None,
    };
    let error = Error::from_io(path, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
