//! Every call that depends on the operating system. Linux is tested, macOS should build.

#[cfg(not(unix))]
compile_error!(
    "hypostyle needs a Unix (Linux, macOS): its sources use positioned reads and memory maps of that kind"
);

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::lately::Lately;

/// What tells one version of a file from another: device, inode, size and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    /// The identity of an opened file.
    pub fn of(file: &File) -> std::io::Result<Self> {
        file.metadata().map(|m| Self::from_metadata(&m))
    }

    /// The identity that an opened file has now: a mount that keeps what it was told of files for a while is asked
    /// again.
    #[cfg(target_os = "linux")]
    pub(crate) fn asked_anew(file: &File) -> std::io::Result<Self> {
        let empty = rustix::fs::AtFlags::EMPTY_PATH;
        Self::synchronised(file, std::path::Path::new(""), empty, || Self::of(file))
    }

    /// The same of the file at a path, links followed.
    #[cfg(target_os = "linux")]
    pub(crate) fn anew_at(path: &std::path::Path) -> std::io::Result<Self> {
        Self::synchronised(rustix::fs::CWD, path, rustix::fs::AtFlags::empty(), || Self::at(path))
    }

    /// Elsewhere it is what the system knows.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn anew_at(path: &std::path::Path) -> std::io::Result<Self> {
        Self::at(path)
    }

    #[cfg(target_os = "linux")]
    fn synchronised(
        file: impl std::os::fd::AsFd,
        path: &std::path::Path,
        flags: rustix::fs::AtFlags,
        known: impl FnOnce() -> std::io::Result<Self>,
    ) -> std::io::Result<Self> {
        use rustix::fs::{AtFlags, StatxFlags, makedev, statx};
        match statx(file, path, flags | AtFlags::STATX_FORCE_SYNC, StatxFlags::BASIC_STATS) {
            Ok(s) => Ok(Self {
                device: makedev(s.stx_dev_major, s.stx_dev_minor),
                inode: s.stx_ino,
                size: s.stx_size,
                modified: (s.stx_mtime.tv_sec, i64::from(s.stx_mtime.tv_nsec)),
                changed: (s.stx_ctime.tv_sec, i64::from(s.stx_ctime.tv_nsec)),
            }),
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => known(),
            Err(e) => Err(e.into()),
        }
    }

    /// Elsewhere it is what the system knows.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn asked_anew(file: &File) -> std::io::Result<Self> {
        Self::of(file)
    }

    /// The identity of the file at a path, links followed.
    pub fn at(path: &std::path::Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|m| Self::from_metadata(&m))
    }

    /// The identity in what `stat` gave.
    pub fn from_metadata(m: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: m.dev(),
            inode: m.ino(),
            size: m.len(),
            modified: (m.mtime(), m.mtime_nsec()),
            changed: (m.ctime(), m.ctime_nsec()),
        }
    }

    /// Whether both are the same bytes, as far as the file system tells: the change time is left out,
    /// since a rename or a new link moves it as well.
    pub fn same_content(&self, other: &Self) -> bool {
        (self.device, self.inode, self.size, self.modified)
            == (other.device, other.inode, other.size, other.modified)
    }

    /// Whether nobody wrote to the file in the `time` before `moment`, as far as the file system tells.
    ///
    /// A write moves the time when it begins, not when it ends. So whoever reads while it lasts may get some of its
    /// bytes, and will not see by the times that more came afterwards.
    pub fn is_quiet(&self, time: Duration, moment: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.modified;
        let since = match u64::try_from(seconds) {
            Ok(seconds) => Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or(0)),
            Err(_) => Duration::ZERO,
        };
        SystemTime::UNIX_EPOCH
            .checked_add(since)
            .and_then(|modified| moment.duration_since(modified).ok())
            .is_some_and(|passed| passed >= time)
    }

    /// The file's length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// How often a call that a signal interrupts is made again at once. A daemon can say so for ever, so there is an end;
/// what then becomes of it is the caller's business, like any other error that may pass.
const INTERRUPTIONS: u32 = 16;

/// Makes a call that a signal may interrupt.
fn uninterrupted<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> std::io::Result<T> {
    let mut left = INTERRUPTIONS;
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) if left > 0 => left -= 1,
            outcome => return outcome.map_err(Into::into),
        }
    }
}

/// Opens a regular file, and nothing else; a named pipe is not waited for.
pub(crate) fn open_regular(path: &std::path::Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    // Not by the standard library, which opens again for as long as it is interrupted.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(uninterrupted(|| rustix::fs::open(path, flags, Mode::empty()))?);
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Reads from `offset` into the spare capacity, once; how many bytes came, 0 at the end of the file.
pub(crate) fn append_at(file: &File, bytes: &mut Vec<u8>, offset: u64) -> std::io::Result<usize> {
    uninterrupted(|| rustix::io::pread(file, rustix::buffer::spare_capacity(bytes), offset))
}

/// Reads from `offset` into `into`, once; how many bytes came, 0 at the end of the file.
pub(crate) fn read_at(file: &File, into: &mut [u8], offset: u64) -> std::io::Result<usize> {
    uninterrupted(|| rustix::io::pread(file, &mut *into, offset))
}

/// How often a small file is read of which the next version came meanwhile.
const READINGS: u32 = 4;

/// All bytes of a regular file that is known to be small, all of one version.
///
/// # Errors
/// Those of the operating system; also when the file is interrupted for ever, where the standard library reads on;
/// and [`Changed`](crate::ErrorKind::Changed) when somebody writes to it again and again.
pub fn read_small(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    unchanged(path, all_bytes)
}

/// What is read of a file, once nobody writes to it meanwhile.
fn unchanged<T>(
    path: &std::path::Path,
    mut read: impl FnMut(&File) -> std::io::Result<T>,
) -> std::io::Result<T> {
    for _ in 0..READINGS {
        let file = open_regular(path)?;
        let before = Identity::of(&file)?;
        let found = read(&file)?;
        if before.same_content(&Identity::asked_anew(&file)?) {
            return Ok(found);
        }
    }
    Err(std::io::Error::other(crate::reach::written_to()))
}

fn all_bytes(file: &File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        bytes.try_reserve(4096).map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let at = bytes.len() as u64;
        if append_at(file, &mut bytes, at)? == 0 {
            return Ok(bytes);
        }
    }
}

/// Has the kernel read a range of a map now, so that the common faults come back as errors, not as signals.
#[cfg(target_os = "linux")]
pub(crate) fn populate(map: &memmap2::Mmap, offset: usize, len: usize) -> std::io::Result<()> {
    match map.advise_range(memmap2::Advice::PopulateRead, offset, len) {
        // Kernels before 5.14 do not know the advice; then the pages come when they are touched.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Elsewhere the pages come when they are touched.
#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_map: &memmap2::Mmap, _offset: usize, _len: usize) -> std::io::Result<()> {
    Ok(())
}

/// Asks for huge pages. A kernel without them gives small ones: slower, not wrong.
pub(crate) fn prefer_huge_pages(map: &memmap2::MmapMut) {
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    #[cfg(not(target_os = "linux"))]
    let _ = map;
}

/// Half of the smallest of the machine's memory, the control group's limit and `RLIMIT_AS`, in bytes; as of the last
/// second.
pub fn default_memory_limit() -> u64 {
    static LIMIT: Lately<u64> = Lately::good_for(Duration::from_secs(1));
    LIMIT.get(half_of_memory)
}

fn half_of_memory() -> u64 {
    let smallest = [physical_memory(), control_group_limit(), address_space_limit()]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(8 << 30);
    smallest / 2
}

#[cfg(target_os = "linux")]
fn physical_memory() -> Option<u64> {
    let info = rustix::system::sysinfo();
    let unit = u64::from(info.mem_unit.max(1));
    Some(info.totalram.saturating_mul(unit))
}

#[cfg(not(target_os = "linux"))]
fn physical_memory() -> Option<u64> {
    None
}

/// The limit of this process's control group: version 2, then version 1.
fn control_group_limit() -> Option<u64> {
    let number = |path: String| -> Option<u64> { std::fs::read_to_string(path).ok()?.trim().parse().ok() };
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut limits = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if controllers.is_empty() {
            // Every ancestor's limit binds as well.
            let mut group = group.trim_end_matches('/');
            loop {
                limits.extend(number(format!("/sys/fs/cgroup{group}/memory.max")));
                match group.rfind('/') {
                    Some(at) => group = group.get(..at).unwrap_or(""),
                    None => break,
                }
            }
        } else if controllers.split(',').any(|c| c == "memory") {
            limits.extend(number(format!("/sys/fs/cgroup/memory{group}/memory.limit_in_bytes")));
            limits.extend(number("/sys/fs/cgroup/memory/memory.limit_in_bytes".into()));
        }
    }
    limits.into_iter().min()
}

fn address_space_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

/// Whether a path leads through links without end.
pub(crate) fn is_link_loop(error: &std::io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
}

/// Whether a call failed because this process, or the machine, has too many files open.
pub(crate) fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    errno == Some(Errno::MFILE) || errno == Some(Errno::NFILE)
}

/// The kernel's list of this process's mounts, kept open to learn of changes.
#[derive(Debug, Default)]
pub(crate) struct MountList {
    file: Option<File>,
}

impl MountList {
    /// The list, when it has not been read or has changed since; else two system calls less than a microsecond long.
    #[cfg(target_os = "linux")]
    pub(crate) fn if_changed(&mut self) -> Option<String> {
        use std::io::{Read, Seek};
        let file = match &mut self.file {
            Some(file) => {
                let mut polled = [rustix::event::PollFd::new(&*file, rustix::event::PollFlags::PRI)];
                let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
                if !matches!(rustix::event::poll(&mut polled, Some(&at_once)), Ok(1..)) {
                    return None;
                }
                file.rewind().ok()?;
                file
            }
            None => self.file.insert(File::open("/proc/self/mountinfo").ok()?),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Elsewhere there is no such list, and all mounts count as local.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn if_changed(&mut self) -> Option<String> {
        let _ = &self.file;
        None
    }
}

/// Tells the kernel that a file is read here and there, so that it reads ahead nothing that nobody asked for.
pub(crate) fn expect_random_reads(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Random);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// How many descriptors the files that are kept may have of those that this process may have.
pub fn descriptors_for_files() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
    // A process needs some for itself, and reads that reopen a file need one each.
    if limit < 256 { limit / 4 } else { limit / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_of_one_version_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small");
        let beside = folder.path().join("beside");
        type Write = fn(&std::path::Path, &std::path::Path, &str);
        let in_place: Write = |path, _, text| std::fs::write(path, text).unwrap();
        let by_rename: Write = |path, beside, text| {
            std::fs::write(beside, text).unwrap();
            std::fs::rename(beside, path).unwrap();
        };
        // How often it is written to while it is read, and how many readings it then takes.
        for (write, times, expected) in [
            (in_place, 0, Ok(1)),
            (in_place, 1, Ok(2)),
            (in_place, READINGS - 1, Ok(READINGS)),
            (in_place, READINGS, Err(crate::ErrorKind::Changed)),
            // The old version is whole, and stays.
            (by_rename, READINGS, Ok(1)),
        ] {
            std::fs::write(&path, "old").unwrap();
            let mut readings = 0;
            let outcome = unchanged(&path, |file| {
                // The first half of one version, the second of the next, were it not looked at.
                let mut bytes = vec![0; 2];
                read_at(file, &mut bytes, 0)?;
                readings += 1;
                if readings <= times {
                    write(&path, &beside, &format!("new {readings} {}", "x".repeat(readings as usize)));
                }
                Ok(())
            });
            let outcome = outcome.map(|()| readings);
            assert_eq!(outcome.map_err(|e| crate::Error::from_io(&path, e).kind()), expected, "{times}");
        }
        std::fs::write(&path, "y".repeat(10_000)).unwrap();
        assert_eq!(read_small(&path).unwrap(), vec![b'y'; 10_000]);
    }

    #[test]
    fn a_call_that_is_interrupted_is_made_again_but_not_for_ever() {
        for (interruptions, expected) in [(0, Ok(1)), (3, Ok(4)), (u32::MAX, Err(INTERRUPTIONS + 1))] {
            let mut calls = 0;
            let outcome = uninterrupted(|| {
                calls += 1;
                if calls > interruptions { Ok(()) } else { Err(rustix::io::Errno::INTR) }
            });
            assert_eq!(outcome.map(|()| calls).map_err(|_| calls), expected);
        }
    }
}
