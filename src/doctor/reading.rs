//! What is tried by reading, and how fast that is.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hypostyle_io::{IoMode, open_source};
use rustix::fs::{Advice, Mode, OFlags, fadvise};

use super::Stage;
use super::report::{Answer, Probe, ReadFigures, Reading, median_and_p99};

/// The file that is made to be read.
const BYTES: usize = 8 << 20;

/// Reads at once.
pub(super) const MANY: usize = 32;

/// At least so many reads are made by many at once, if there is as much to read.
const READS: usize = 128;

/// Reads one after another: a quarter of all there are, and not more.
const ONE_BY_ONE: usize = 24;

/// The most bytes of one read, and the least.
const EACH: (usize, usize) = (64 << 10, 4 << 10);

/// How long either may take.
const LONGEST: Duration = Duration::from_secs(3);

/// A read that takes less, in milliseconds, tells nothing of how many go at once.
const WORTH_IT: f64 = 0.2;

/// How many files and folders are looked at for something to read.
const LOOKED_AT: usize = 4_096;

const MMAP: (&str, &str) = ("mmap", "map a file into memory");
const DIRECT: (&str, &str) = ("direct_io", "read past the page cache (O_DIRECT)");
const READ: (&str, &str) = ("read", "read pieces of files, one by one and 32 at once");

/// Makes a file to be read.
pub(super) fn make(folder: &Path) -> io::Result<PathBuf> {
    use std::io::Write;
    let path = folder.join("read");
    let mut file = File::create_new(&path)?;
    let piece: Vec<u8> = (0..EACH.0).map(|at| (at * 31 % 251) as u8).collect();
    for _ in 0..BYTES / EACH.0 {
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    Ok(path)
}

/// Files that are there, the largest first.
pub(super) fn find(path: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(path).max_depth(3).into_iter().take(LOOKED_AT).flatten();
    let mut files: Vec<(u64, PathBuf)> = entries
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| Some((entry.metadata().ok()?.len(), entry.into_path())))
        .filter(|(size, _)| *size >= EACH.1 as u64)
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0;
    let mut is_enough = |size: u64| {
        let before: u64 = bytes;
        bytes = before.saturating_add(size);
        before >= BYTES as u64
    };
    files.into_iter().take_while(|(size, _)| !is_enough(*size)).map(|(_, path)| path).collect()
}

pub(super) fn probe(
    files: &[PathBuf],
    is_ours: bool,
    stage: &Stage,
    probes: &mut Vec<Probe>,
) -> Option<Reading> {
    let Some(first) = files.first() else {
        let why = "not probed: there is no file to read, and none can be made";
        probes.extend([MMAP, DIRECT, READ].map(|(name, what)| Probe::new(name, what, Answer::Unknown, why)));
        return None;
    };
    for ((name, what), attempt) in [(MMAP, mapped as fn(&Path) -> io::Result<String>), (DIRECT, direct)] {
        stage.begin(what);
        let begun = Instant::now();
        let probe = match attempt(first) {
            Ok(detail) => Probe::new(name, what, Answer::Yes, detail),
            Err(error) => Probe::new(name, what, Answer::No, error.to_string()),
        };
        probes.push(probe.took(begun.elapsed().as_secs_f64() * 1e3));
    }
    let (name, what) = READ;
    stage.begin(what);
    match measure(files) {
        Ok(reading) => {
            let of = if is_ours { "of a file made for it" } else { "of files that are there" };
            let detail = format!("{} and {} reads {of}", reading.one.reads, reading.many.reads);
            probes.push(Probe::new(name, what, Answer::Yes, detail).took(reading.one.median_ms));
            Some(reading)
        }
        Err(error) => {
            probes.push(Probe::new(name, what, Answer::No, error.to_string()));
            None
        }
    }
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; EACH.1];
    let count = rustix::io::pread(File::open(path)?, bytes.as_mut_slice(), 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn mapped(path: &Path) -> io::Result<String> {
    let wanted = head(path)?;
    let (source, _) = open_source(path, IoMode::Mmap)
        .map_err(|e| io::Error::new(io::ErrorKind::Unsupported, e.message().to_owned()))?;
    // It is populated first, so that what fails comes as an error and not as a signal.
    match source.read(0, wanted.len())? == wanted {
        true => Ok(String::new()),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "the map has other bytes than the file")),
    }
}

fn direct(path: &Path) -> io::Result<String> {
    let wanted = head(path)?;
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty())?;
    let mut space = vec![0_u8; 2 * EACH.1];
    // Memory and place must be aligned to a block.
    let start = space.as_ptr().align_offset(EACH.1);
    let aligned = space.get_mut(start..start + EACH.1).unwrap_or_default();
    let count = rustix::io::pread(&file, &mut *aligned, 0)?;
    match aligned.get(..count) == Some(wanted.as_slice()) {
        true => Ok(String::new()),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "it gives other bytes than the page cache")),
    }
}

/// A piece of an opened file.
type Piece<'f> = (&'f File, u64);

fn measure(files: &[PathBuf]) -> io::Result<Reading> {
    // Opened once: what that takes is no part of a read.
    let files = files.iter().map(File::open).collect::<io::Result<Vec<File>>>()?;
    let sizes =
        files.iter().map(|file| Ok((file, file.metadata()?.len()))).collect::<io::Result<Vec<_>>>()?;
    let total: u64 = sizes.iter().map(|(_, size)| size).sum();
    // So that there are enough of them; whole pages.
    let each = usize::try_from(total).unwrap_or(usize::MAX) / READS;
    let each = (each / EACH.1 * EACH.1).clamp(EACH.1, EACH.0);
    let of_file = |(file, size)| (0..size / each as u64).map(move |at| (file, at * each as u64));
    let pieces = scattered(sizes.into_iter().flat_map(of_file));
    let (one, many) = pieces.split_at((pieces.len() / 4).clamp(1, ONE_BY_ONE).min(pieces.len()));
    let many = if many.is_empty() { one } else { many };
    for file in &files {
        // What is read ahead is not what was asked for.
        let _ = fadvise(file, 0, None, Advice::Random);
    }
    forget(&files);
    let (one, _) = timed(one, each, 1)?;
    forget(&files);
    let (many, took) = timed(many, each, MANY)?;
    let in_flight = (one.median_ms >= WORTH_IT)
        .then(|| (one.median_ms * many.reads as f64 / took).clamp(1.0, MANY as f64));
    Ok(Reading { bytes_each: each, one, many, in_flight })
}

/// So that no piece follows the one before.
fn scattered<'f>(pieces: impl Iterator<Item = Piece<'f>>) -> Vec<Piece<'f>> {
    let mut apart: Vec<_> = pieces.enumerate().collect();
    apart.sort_by_key(|(at, _)| (at.wrapping_mul(0x9E37_79B9) & 0xFFFF, *at));
    apart.into_iter().map(|(_, piece)| piece).collect()
}

/// Has the kernel forget what it has read of them.
fn forget(files: &[File]) {
    for file in files {
        let _ = fadvise(file, 0, None, Advice::DontNeed);
    }
}

/// The figures, and how long it all took in milliseconds.
fn timed(pieces: &[Piece<'_>], each: usize, at_once: usize) -> io::Result<(ReadFigures, f64)> {
    let (next, times) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let begun = Instant::now();
    let work = || -> io::Result<()> {
        let mut space = vec![0; each];
        while let Some((file, at)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            if begun.elapsed() > LONGEST {
                break;
            }
            let read = Instant::now();
            let mut have = 0;
            while let Some(rest) = space.get_mut(have..).filter(|rest| !rest.is_empty()) {
                match rustix::io::pread(file, &mut *rest, at + have as u64)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => have += count,
                }
            }
            let ms = read.elapsed().as_secs_f64() * 1e3;
            times.lock().map_err(|_| io::ErrorKind::Other)?.push(ms);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
    })?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let times = times.into_inner().map_err(|_| io::ErrorKind::Other)?;
    let reads = times.len();
    let (median_ms, p99_ms) = median_and_p99(times);
    Ok((ReadFigures { reads, median_ms, p99_ms, mb_per_s: (reads * each) as f64 / took / 1e3 }, took))
}
