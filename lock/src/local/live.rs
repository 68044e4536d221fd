//! Who is alive: a file that its owner keeps locked is unlocked by the operating system when the owner ends, however
//! it ends.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

/// A new file in `dir` that is locked as long as what is returned stays open, and its name.
pub(super) fn claim(dir: &Path) -> io::Result<(String, File)> {
    loop {
        let mut hasher = RandomState::new().build_hasher();
        // A forked child has its parent's random keys.
        hasher.write_u32(std::process::id());
        hasher.write_u64(super::now());
        let name = format!("{:016x}", hasher.finish());
        let file = match File::options().read(true).write(true).create_new(true).open(dir.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        // Between the two calls somebody may have taken the file for one that was left behind, and removed it.
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => continue,
            locked => locked?,
        }
        if file.metadata()?.nlink() > 0 {
            return Ok((name, file));
        }
    }
}

/// Whether nobody keeps the file locked. What cannot be told is taken for alive.
pub(super) fn is_left_behind(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes the files in `dir` that nobody keeps locked.
pub(super) fn sweep(dir: &Path) {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
    for path in files.collect::<Vec<PathBuf>>() {
        if let Ok(file) = File::open(&path)
            && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            // Whoever was about to lock it sees that it has no name any more.
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// A process, so that nobody who comes later is taken for it. A child that it forked has its locked files, too,
/// and would keep them locked after its death.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Process {
    /// The namespace in which `pid` means something; without it, nothing is known.
    namespace: String,
    pid: u32,
    /// In ticks after the start of the operating system.
    started: u64,
}

impl Process {
    pub(super) fn here() -> Self {
        let pid = std::process::id();
        let started = stat(pid).map(|(started, _)| started).unwrap_or_default();
        Self { namespace: namespace().unwrap_or_default(), pid, started }
    }

    /// Whether it is known that this process has ended.
    pub(super) fn has_ended(&self) -> bool {
        if self.started == 0 || namespace().as_ref() != Some(&self.namespace) {
            return false;
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) else {
            return false;
        };
        if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return true;
        }
        stat(self.pid).is_some_and(|(started, state)| started != self.started || state == "Z")
    }
}

/// Where process numbers mean what they mean here. `None` where that is not known.
fn namespace() -> Option<String> {
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

/// When a process began, and in which state it is; see proc_pid_stat(5).
fn stat(pid: u32) -> Option<(u64, String)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may itself have parentheses and blanks.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.to_owned();
    Some((fields.nth(18)?.parse().ok()?, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_left_behind_when_its_owner_let_it_go() {
        let dir = tempfile::tempdir().unwrap();
        let (name, file) = claim(dir.path()).unwrap();
        let path = dir.path().join(name);
        assert!(!is_left_behind(&path));
        sweep(dir.path());
        assert!(path.exists());
        drop(file);
        assert!(is_left_behind(&path));
        sweep(dir.path());
        assert!(!path.exists());
        assert!(is_left_behind(&path));
    }

    #[test]
    fn a_process_has_ended_when_it_is_gone_or_another_bears_its_number() {
        let here = Process::here();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let started = stat(child.id()).unwrap().0;
        let other = Process { pid: child.id(), started, ..here.clone() };
        for (process, ended) in [
            (&here, false),
            (&other, false),
            (&Process { started: here.started + 1, ..here.clone() }, true),
            (&Process { namespace: "elsewhere".into(), started: 1, ..here.clone() }, false),
            (&Process::default(), false),
        ] {
            assert_eq!(process.has_ended(), ended, "{process:?}");
        }
        child.kill().unwrap();
        while !other.has_ended() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(other.has_ended());
    }
}
