//! An output file that appears whole or not at all.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::{Error, Result};

/// A file that is being written. Its name shows the whole content after [`OutputFile::commit`], and what
/// stood there before until then; dropped before that, it leaves nothing.
///
/// It is written under a temporary name beside its target, which begins with a dot, and then renamed.
/// A target that is a link is replaced where the link points to. A target that exists and is no regular
/// file (`/dev/null`, a named pipe) is written directly.
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    asked: PathBuf,
    replaces: Option<Replaces>,
}

/// How the temporary file comes into its place.
#[derive(Debug)]
struct Replaces {
    temporary: TempPath,
    target: PathBuf,
    folder: PathBuf,
}

impl OutputFile {
    /// Begins to write `path`. Opening a named pipe waits for its reader.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the folder does not exist,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the path is a folder or must not be
    /// written, [`Unavailable`](crate::ErrorKind::Unavailable) when storage fails.
    pub fn create(path: &Path) -> Result<Self> {
        let from_io = |e| Error::from_io(path, e);
        let existing = match std::fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(from_io(e)),
        };
        match existing {
            Some(metadata) if metadata.is_dir() => {
                Err(Error::invalid("the output is a folder").path(path).hint("name a file in it"))
            }
            Some(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path).map_err(from_io)?;
                Ok(Self { file, asked: path.to_owned(), replaces: None })
            }
            existing => Self::beside(path, existing.as_ref()),
        }
    }

    /// The temporary name, unless the target is written directly.
    pub fn temporary_path(&self) -> Option<&Path> {
        self.replaces.as_ref().map(|r| r.temporary.as_ref())
    }

    /// Makes the content durable and gives it its name.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when storage fails; the target is then as it was,
    /// unless it was only the folder that could not be synced.
    pub fn commit(self) -> Result<()> {
        let Self { mut file, asked, replaces } = self;
        let from_io = |e| Error::from_io(&asked, e);
        file.flush().map_err(from_io)?;
        let Some(Replaces { temporary, target, folder }) = replaces else { return Ok(()) };
        file.sync_all().map_err(from_io)?;
        // Closed before it is renamed: some file systems commit a file when it is closed.
        drop(file);
        temporary.persist(target).map_err(|e| from_io(e.error))?;
        sync_folder(&folder).map_err(from_io)
    }

    fn beside(path: &Path, existing: Option<&Metadata>) -> Result<Self> {
        let from_io = |e| Error::from_io(path, e);
        let target = behind_links(path).map_err(from_io)?;
        if existing.is_some() {
            // A rename would replace even a file that must not be written.
            OpenOptions::new().write(true).open(&target).map_err(from_io)?;
        }
        let no_file = || Error::invalid("the output has no file name").path(path);
        target.file_name().ok_or_else(no_file)?;
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let named = tempfile::Builder::new()
            .prefix(".hypostyle-")
            .suffix(".tmp")
            // Opened with the mode that any new file has, not the private one of temporary files.
            .make_in(&folder, |name| OpenOptions::new().write(true).create_new(true).open(name))
            .map_err(|e| match e.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                    Error::not_found("the output's folder does not exist").path(path).source(e)
                }
                _ => Error::from_io(path, e),
            })?;
        let (file, temporary) = named.into_parts();
        if let Some(existing) = existing {
            file.set_permissions(existing.permissions()).map_err(from_io)?;
        }
        Ok(Self { file, asked: path.to_owned(), replaces: Some(Replaces { temporary, target, folder }) })
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Where a path leads, although nothing may stand there yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        match std::fs::symlink_metadata(&at) {
            Ok(metadata) if metadata.is_symlink() => {
                let link = std::fs::read_link(&at)?;
                at = at.parent().map(|folder| folder.join(&link)).unwrap_or(link);
            }
            _ => return Ok(at),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "too many links"))
}

/// Makes a rename durable, on file systems that can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|f| f.sync_all()) {
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        // A folder may be written and yet not be read.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}
