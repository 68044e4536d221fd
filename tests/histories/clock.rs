//! Wall clocks that jump: each worker has one of its own, which the test puts hours forward and back.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where a worker's clock stands.
const FILE: &str = "HYPOSTYLE_TEST_CLOCK";

/// Whether this process has a clock that jumps.
pub(crate) fn jumps() -> bool {
    std::env::var_os(FILE).is_some()
}

/// The clocks of a history's workers.
#[derive(Debug)]
pub(crate) struct Clocks {
    folder: tempfile::TempDir,
    files: Vec<File>,
}

impl Clocks {
    /// None where there is no C compiler to make the library that is preloaded, which is said.
    pub(crate) fn new() -> Option<Self> {
        library()?;
        Some(Self { folder: tempfile::tempdir().unwrap(), files: Vec::new() })
    }

    /// Gives a worker a clock.
    pub(crate) fn give(&mut self, command: &mut Command) {
        let Some(library) = library() else { return };
        let path = self.folder.path().join(self.files.len().to_string());
        std::fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
        command.env("LD_PRELOAD", library).env(FILE, &path);
        self.files.push(File::options().write(true).open(path).unwrap());
    }

    /// Puts the clock of one of the workers so many seconds ahead of the system's.
    pub(crate) fn jump(&self, which: u64, seconds: i64) {
        let at = usize::try_from(which).unwrap() % self.files.len();
        self.files[at].write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}

/// Compiled once; it stays beside the test's own program.
fn library() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/histories/clock.c");
        let target = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/clock.so"));
        // Under a name of its own: another run may be at it.
        let own = target.with_extension(std::process::id().to_string());
        let done = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&own)
            .args([source, "-ldl"])
            .status();
        match done {
            Ok(status) if status.success() => {
                std::fs::rename(own, &target).unwrap();
                Some(target)
            }
            _ => {
                eprintln!("NOT RUN: histories with clocks that jump, since there is no `cc`");
                None
            }
        }
    };
    MADE.get_or_init(make).as_deref()
}
