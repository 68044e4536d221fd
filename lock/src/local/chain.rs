//! States, each in a file of its own that is written once: whoever links number N + 1 has changed state N.
//!
//! ```text
//! DIR/
//!   states/00…042    the queue after 42 changes; the greatest number counts, a few older ones are kept
//!   fences/00…1024   empty: fences up to this number may have been given out
//!   live/9f3c…       locked by whoever made it, as long as it lives; a ticket's owner, or a state on its way
//! ```
//!
//! No lock protects this, so whoever is stopped halfway is in nobody's way. What is stopped before its link may
//! find the name free again, because old states are removed; so nobody trusts a link before it was seen to be the
//! newest, or its effect in the newest.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::live;
use super::state::{GREATEST, State};
use crate::LockError;

/// So many states stay. Few, so that a folder's listing is one system call, which sees one moment.
const KEPT: u64 = 8;

/// Fences are put on record by so many, since that is the one thing here that must outlive a power cut.
const BLOCK: u64 = 1024;

#[derive(Debug)]
pub(super) struct Chain {
    dir: PathBuf,
    /// Of this run of the operating system; empty where it has none.
    boot: String,
    prepared: AtomicBool,
}

impl Chain {
    pub(super) fn new(dir: &Path) -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { dir: dir.to_owned(), boot: boot.trim().to_owned(), prepared: AtomicBool::new(false) }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn live(&self) -> PathBuf {
        self.dir.join("live")
    }

    fn states(&self) -> PathBuf {
        self.dir.join("states")
    }

    fn fences(&self) -> PathBuf {
        self.dir.join("fences")
    }

    fn state(&self, number: u64) -> PathBuf {
        self.states().join(format!("{number:020}"))
    }

    fn error(&self, error: &io::Error) -> LockError {
        LockError::io(&self.dir, error)
    }

    /// Makes the folders, so that the fences' outlives a power cut.
    pub(super) fn prepare(&self) -> Result<(), LockError> {
        if self.prepared.load(Ordering::Relaxed) {
            return Ok(());
        }
        let make = || {
            fs::create_dir_all(self.states())?;
            fs::create_dir_all(self.live())?;
            fs::create_dir_all(self.fences())?;
            File::open(&self.dir)?.sync_all()?;
            match self.dir.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
                _ => File::open(".")?.sync_all(),
            }
        };
        make().map_err(|e| self.error(&e))?;
        live::sweep(&self.live());
        self.prepared.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The number of the newest state; 0 before the first.
    pub(super) fn newest(&self) -> Result<u64, LockError> {
        Ok(self.numbers(&self.states())?.into_iter().max().unwrap_or(0))
    }

    fn numbers(&self, dir: &Path) -> Result<Vec<u64>, LockError> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|e| self.error(&e))?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| self.error(&e))?.file_name();
            numbers.extend(
                name.to_str().filter(|name| name.len() == 20).and_then(|name| name.parse::<u64>().ok()),
            );
        }
        Ok(numbers)
    }

    /// The newest state and its number.
    pub(super) fn load(&self) -> Result<(u64, State), LockError> {
        loop {
            let number = self.newest()?;
            if number > 0 {
                match fs::read(self.state(number)) {
                    Ok(bytes) => {
                        let state = serde_json::from_slice::<State>(&bytes).ok();
                        if let Some(state) = state.filter(|s| s.boot == self.boot && s.next <= GREATEST) {
                            return Ok((number, state));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(self.error(&error)),
                }
            }
            // The first, or of an earlier run of the operating system, or damaged: nobody holds anything, and no
            // fence of the past is good.
            let bound = self.numbers(&self.fences())?.into_iter().max().unwrap_or(0).min(GREATEST);
            return Ok((number, State::after(bound, &self.boot)));
        }
    }

    /// Changes the newest state. `change` is called again, on another state, if somebody was faster; then it may
    /// find what it did done.
    pub(super) fn update<T>(&self, mut change: impl FnMut(&mut State) -> T) -> Result<T, LockError> {
        self.prepare()?;
        let mut gone = 0;
        loop {
            let (number, before) = self.load()?;
            let mut after = before.clone();
            let answer = change(&mut after);
            if after == before {
                return Ok(answer);
            }
            self.reserve(&mut after)?;
            match self.append(number, &after) {
                Ok(true) if self.newest()? == number + 1 => return Ok(answer),
                Ok(_) => {}
                // Somebody took our file for one left behind, or removed the folders.
                Err(error) if error.kind() == io::ErrorKind::NotFound && gone < 100 => {
                    gone += 1;
                    self.prepared.store(false, Ordering::Relaxed);
                    self.prepare()?;
                }
                Err(error) => return Err(self.error(&error)),
            }
        }
    }

    /// Links the state after `number`. `false`: somebody else did.
    fn append(&self, number: u64, state: &State) -> io::Result<bool> {
        let (name, mut file) = live::claim(&self.live())?;
        let path = self.live().join(name);
        let linked = serde_json::to_vec(state)
            .map_err(io::Error::other)
            .and_then(|bytes| file.write_all(&bytes))
            .and_then(|()| fs::hard_link(&path, self.state(number + 1)));
        let _ = fs::remove_file(&path);
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        for old in self.numbers(&self.states()).unwrap_or_default() {
            if old + KEPT <= number {
                let _ = fs::remove_file(self.state(old));
            }
        }
        Ok(true)
    }

    /// Puts it on record, for good, that the fences of `state` are given out.
    fn reserve(&self, state: &mut State) -> Result<(), LockError> {
        let used = state.next - 1;
        if used <= state.bound {
            return Ok(());
        }
        // Without a name for each run of the operating system, states of an earlier one are not told apart; then
        // each fence is put on record.
        let bound = if self.boot.is_empty() { used } else { used + BLOCK };
        let record = || {
            File::create(self.fences().join(format!("{bound:020}")))?;
            File::open(self.fences())?.sync_all()
        };
        record().map_err(|e| self.error(&e))?;
        for old in self.numbers(&self.fences())?.into_iter().filter(|old| *old < bound) {
            let _ = fs::remove_file(self.fences().join(format!("{old:020}")));
        }
        state.bound = bound;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fence;

    /// Whoever is stopped between reading a state and linking the next one may find that name free again, since
    /// old states are removed. What it linked there is no change.
    #[test]
    fn a_change_after_a_state_that_is_long_past_is_made_again() {
        for others in [0, 1, 3, KEPT, KEPT + 1, 5 * KEPT] {
            let folder = tempfile::tempdir().unwrap();
            let (mine, theirs) = (Chain::new(folder.path()), Chain::new(folder.path()));
            theirs.update(|state| state.next += 1).unwrap();
            let mut calls = 0;
            mine.update(|state| {
                calls += 1;
                if calls == 1 {
                    for _ in 0..others {
                        theirs.update(|state| state.next += 1).unwrap();
                    }
                }
                state.next += 1000;
            })
            .unwrap();
            assert_eq!(calls, if others == 0 { 1 } else { 2 }, "after {others} changes by others");
            let (number, state) = theirs.load().unwrap();
            assert_eq!((number, state.next), (others + 2, others + 1002), "after {others} changes by others");
        }
    }

    /// The one thing that must outlive a power cut is on record before a state says that it happened.
    #[test]
    fn fences_are_on_record_before_they_are_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let chain = Chain::new(folder.path());
        for _ in 0..3000 / 7 {
            chain.update(|state| state.next += 7).unwrap();
            let given = chain.load().unwrap().1.next - 1;
            let recorded = chain.numbers(&chain.fences()).unwrap();
            assert!(recorded.len() == 1 && recorded[0] >= given, "{recorded:?}, {given}");
            assert!(Fence(recorded[0]) <= Fence(given + 2 * BLOCK));
        }
    }
}
