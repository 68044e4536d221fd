//! Where bytes come from: one trait, two ways behind it.
//!
//! A source gives exact ranges of one opened file. Decoders never see a file; they are handed bytes.

mod descriptor;
mod mmap;
mod pread;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::platform::Identity;

pub(crate) use descriptor::Descriptor;
pub(crate) use pread::{read_exactly, replaced};

/// How files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IoMode {
    /// Map what cannot change, read all else with `pread`. A Parquet file that anybody may rewrite
    /// in place is of the second kind: truncating a mapped file kills the process that touches it.
    #[default]
    Auto,
    /// Map every file.
    ///
    /// If a mapped file is truncated, or its mount fails, touching the map raises `SIGBUS` and the
    /// process dies. Choose it for files that nobody rewrites in place, on local disks.
    ///
    /// What is read of the map is populated first, so that the common faults of a mount come back as errors; a file
    /// that shrinks afterwards is not noticed. Files are mapped in the thread that decodes: a mount that hangs
    /// hangs it, past any deadline, and a second root is no help then.
    Mmap,
    /// Read every file with positioned reads.
    Pread,
}

impl FromStr for IoMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "mmap" => Ok(Self::Mmap),
            "pread" => Ok(Self::Pread),
            other => {
                Err(Error::invalid(format!("`{other}` is not a way of reading")).hint("auto, mmap or pread"))
            }
        }
    }
}

impl std::fmt::Display for IoMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Mmap => "mmap",
            Self::Pread => "pread",
        })
    }
}

/// Exact ranges of one opened file.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// The file's length when it was opened, in bytes.
    fn len(&self) -> u64;

    /// Whether the file had no bytes when it was opened.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `len` bytes from `offset`.
    ///
    /// # Errors
    /// Whatever the operating system says, and `UnexpectedEof` when the file ends before.
    fn read(&self, offset: u64, len: usize) -> std::io::Result<Bytes>;

    /// The same, in `space` if that is large enough and the bytes must be copied at all: memory that was used
    /// before costs no page faults.
    ///
    /// # Errors
    /// As those of [`Self::read`].
    fn read_in(&self, offset: u64, len: usize, space: Vec<u8>) -> std::io::Result<Bytes> {
        drop(space);
        self.read(offset, len)
    }

    /// The identity that the opened file has now.
    fn identity(&self) -> std::io::Result<Identity>;
}

/// Opens a regular file for reading in the way that `mode` says.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) or what else the operating system says, with the path.
pub fn open(path: &Path, mode: IoMode) -> Result<(Arc<dyn Source>, Identity)> {
    let attempt = || -> std::io::Result<(Arc<dyn Source>, Identity)> {
        let file = Descriptor::open(path)?;
        let identity = Identity::of(file.get())?;
        Ok(match mode {
            IoMode::Mmap => (Arc::new(mmap::MmapSource::new(file, identity.size())?), identity),
            IoMode::Auto | IoMode::Pread => {
                (Arc::new(pread::PreadSource::new(path, file, identity)), identity)
            }
        })
    };
    attempt().map_err(|e| Error::from_io(path, e))
}

pub(crate) fn past_the_end(offset: u64, len: usize, size: u64) -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::UnexpectedEof,
        format!("bytes {offset}..+{len} lie behind the end of the file at {size}"),
    )
}
