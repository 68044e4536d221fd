//! A whole file mapped. One of the named modules that may use `unsafe`.
#![expect(unsafe_code, reason = "mapping a file is unsafe by nature; this is the module for it")]

use bytes::Bytes;
use memmap2::Mmap;

use super::{Descriptor, Source, past_the_end};
use crate::platform::{self, Identity};

#[derive(Debug)]
pub(super) struct MmapSource {
    file: Descriptor,
    bytes: Bytes,
    map: std::sync::Arc<Mmap>,
}

/// Lets `Bytes` own a share of the map.
struct Shared(std::sync::Arc<Mmap>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl MmapSource {
    pub(super) fn new(file: Descriptor, len: u64) -> std::io::Result<Self> {
        if len == 0 {
            let map = std::sync::Arc::new(memmap2::MmapOptions::new().map_anon()?.make_read_only()?);
            return Ok(Self { file, bytes: Bytes::new(), map });
        }
        let len = usize::try_from(len).map_err(|_| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
        // SAFETY: the map is private to this object, read-only, and unmapped only when the last `Bytes`
        // of it is gone. That nobody truncates the file meanwhile cannot be checked here: it is what the
        // user takes on with `--io mmap` (documented at `IoMode::Mmap`), and why `auto` does not map.
        let map = std::sync::Arc::new(unsafe { memmap2::MmapOptions::new().len(len).map(file.get())? });
        let bytes = Bytes::from_owner(Shared(map.clone()));
        Ok(Self { file, bytes, map })
    }
}

impl Source for MmapSource {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, len: usize) -> std::io::Result<Bytes> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|s| Some(s..s.checked_add(len)?)).filter(|r| r.end <= self.bytes.len());
        let range = range.ok_or_else(|| past_the_end(offset, len, self.len()))?;
        platform::populate(&self.map, range.start, len)?;
        Ok(self.bytes.slice(range))
    }

    fn identity(&self) -> std::io::Result<Identity> {
        Identity::of(self.file.get())
    }
}
