//! Open files, counted: a process may have few descriptors, and is not only ours.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::platform;

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// How often, and after which pauses, a file is opened again when there is no descriptor left: those that reads
/// take for themselves are free again in a moment.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(1);

/// A file that is open.
#[derive(Debug)]
pub(crate) struct Descriptor(File);

impl Descriptor {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let mut tried = 0;
        loop {
            match platform::open_regular(path) {
                Ok(file) => {
                    OPEN.fetch_add(1, Ordering::Relaxed);
                    return Ok(Self(file));
                }
                Err(e) if tried < TRIES && platform::is_out_of_descriptors(&e) => {
                    std::thread::sleep(PAUSE * tried);
                    tried += 1;
                }
                Err(e) => return Err(e),
            }
        }
    }

    pub(crate) fn get(&self) -> &File {
        &self.0
    }

    /// Whether there are so few that this one may stay open for long.
    pub(crate) fn may_stay(&self) -> bool {
        OPEN.load(Ordering::Relaxed) <= platform::descriptors_for_files()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}
