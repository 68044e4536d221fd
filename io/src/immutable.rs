//! A file that never changes once it can be named, read in ranges: mapped, or by positioned reads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::reach::is_lost;
use crate::source::{self, IoMode, Source};

/// A file of a managed store that is no Parquet: its reader knows by itself where in it what stands.
///
/// Opened by its first read. Calls are made in the thread that asks, so where they may hang ask through
/// [`Asked`](crate::Asked).
///
/// ```
/// use hypostyle_io::{Immutable, IoMode};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("x");
/// std::fs::write(&path, "0123456789")?;
/// let file = Immutable::new(path, IoMode::Mmap);
/// assert_eq!(&file.read(3, 4)?[..], b"3456");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Immutable {
    path: PathBuf,
    mode: IoMode,
    opened: Mutex<Option<Arc<dyn Source>>>,
}

impl Immutable {
    /// A file that is not opened yet.
    pub fn new(path: impl Into<PathBuf>, mode: IoMode) -> Self {
        Self { path: path.into(), mode, opened: Mutex::default() }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Exactly `len` bytes from `offset`; of a mapped file, without a copy.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if it is not there, [`Corrupt`](ErrorKind::Corrupt) if it ends before, and
    /// what else the operating system says.
    pub fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let error = match self.opened()?.read(offset, len) {
            Ok(bytes) => return Ok(bytes),
            // The descriptor is of a mount that is gone; the path may lead to the same file again.
            Err(e) if is_lost(&e) => {
                *self.lock() = None;
                match self.opened()?.read(offset, len) {
                    Ok(bytes) => return Ok(bytes),
                    Err(e) => e,
                }
            }
            Err(e) => e,
        };
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            return Err(Error::corrupt(format!("the file was cut off: {error}")).path(&self.path));
        }
        Err(Error::from_io(&self.path, error))
    }

    /// The file's length when it was opened.
    ///
    /// # Errors
    /// Those of opening it.
    pub fn bytes(&self) -> Result<u64> {
        self.opened().map(|source| source.len())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Source>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> Result<Arc<dyn Source>> {
        if let Some(source) = self.lock().as_ref() {
            return Ok(Arc::clone(source));
        }
        // No lock is held meanwhile: opening may hang.
        let (source, _) = match source::open(&self.path, self.mode) {
            // An address space that has no room for the whole file has some for what is read of it.
            Err(e) if self.mode == IoMode::Mmap && e.kind() == ErrorKind::LimitExceeded => {
                source::open(&self.path, IoMode::Pread)?
            }
            opened => opened?,
        };
        Ok(Arc::clone(self.lock().get_or_insert(source)))
    }
}

/// Whether bytes that were read are those with this checksum (CRC-32).
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) if they are not.
pub fn check_bytes(bytes: &[u8], checksum: u32) -> Result<()> {
    match crc32fast::hash(bytes) == checksum {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Corrupt,
            "the bytes are not those that were written: their checksum does not fit",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_in_each_way_and_what_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let bytes: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        for mode in [IoMode::Auto, IoMode::Mmap, IoMode::Pread] {
            let file = Immutable::new(&path, mode);
            for (offset, len) in [(0, 100_000), (7, 5_000), (99_999, 1), (5, 0), (100_000, 0)] {
                let got = file.read(offset, len).unwrap();
                assert_eq!(got, bytes[offset as usize..offset as usize + len], "{mode} {offset} {len}");
                check_bytes(&got, crc32fast::hash(&got)).unwrap();
            }
            for (offset, len) in [(0, 100_001), (100_000, 1), (u64::MAX, 2)] {
                assert_eq!(file.read(offset, len).unwrap_err().kind(), ErrorKind::Corrupt, "{mode}");
            }
            let none = Immutable::new(folder.path().join("none"), mode);
            assert_eq!(none.read(0, 1).unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(check_bytes(b"a", 7).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}
