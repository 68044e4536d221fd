//! What is tried by writing: names, locks, what others see, what lasts.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind as Os, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FlockOperation, StatxFlags, flock, statx};

use super::Stage;
use super::other::Other;
use super::report::{Answer, Probe, median_and_p99};
use super::scratch::Scratch;

/// What is tried, in this order: a word for programs, and what it is for people.
const WHAT: [(&str, &str); 10] = [
    ("write", "write a new file, sync and close it"),
    ("rewrite", "write into a file that is there"),
    ("rename", "rename a file onto a name that is taken"),
    ("link", "give a file a second name, and none that is taken"),
    ("exclusive", "make a file that only one of two processes gets (O_EXCL)"),
    ("read_after_write", "see through a second handle, and in another process, what was written"),
    ("attributes", "tell a file's size as it is now"),
    ("sync", "sync a file and its folder"),
    ("parallel_sync", "sync eight files at once"),
    ("flock", "refuse a file lock that another process holds"),
];

/// How often two processes want the same name.
const RACES: usize = 12;

/// How often is written and synced to tell how long that takes.
const SYNCS: usize = 5;

/// Files that are synced at once, and how often each.
const STREAMS: usize = 8;
const STREAM_SYNCS: usize = 12;

/// A stat that takes less than this, in milliseconds, asked nobody.
const ASKED_NOBODY: f64 = 0.05;

/// What one attempt gave: whether it is done as it should be, and what was seen.
type Tried = io::Result<(bool, String)>;

pub(super) fn probe(scratch: &Scratch, stage: &Stage, probes: &mut Vec<Probe>) {
    let folder = scratch.path();
    let mut other = Other::start(folder);
    let mut own = |name: &str| -> Option<Probe> {
        let (name, what) = WHAT.into_iter().find(|(known, _)| *known == name)?;
        stage.begin(what);
        let begun = Instant::now();
        let tried = match name {
            "write" => write(folder),
            "rewrite" => rewrite(folder),
            "rename" => rename(folder),
            "link" => link(folder),
            "exclusive" => with(&mut other, |other| exclusive(folder, other)),
            "read_after_write" => read_after_write(folder, other.as_mut().ok()),
            "attributes" => return Some(attributes(folder, name, what)),
            "sync" => return Some(sync(folder, name, what)),
            "parallel_sync" => return Some(parallel_sync(folder, name, what)),
            _ => with(&mut other, |other| locked(folder, other)),
        };
        Some(of(name, what, tried).took(since(begun)))
    };
    probes.extend(WHAT.iter().filter_map(|(name, _)| own(name)));
}

/// Nothing of it can be tried where nothing can be written, but for how long attributes are kept of `file`.
pub(super) fn not_probed(error: &io::Error, file: Option<&Path>, stage: &Stage, probes: &mut Vec<Probe>) {
    let why = format!("not probed: no folder can be made here ({error})");
    let of_it = |(name, what): (&'static str, &'static str)| {
        let kept = (name == "attributes").then(|| {
            stage.begin(what);
            believed(file?).ok()?
        });
        match kept.flatten() {
            Some(for_long) => Probe::new(name, what, Answer::Unknown, late(&for_long)),
            None => Probe::new(name, what, Answer::Unknown, why.clone()),
        }
    };
    probes.extend(WHAT.into_iter().map(of_it));
}

fn late(for_long: &str) -> String {
    format!("what others change may be seen late: attributes are kept for {for_long}")
}

fn of(name: &'static str, what: &'static str, tried: Tried) -> Probe {
    match tried {
        Ok((true, detail)) => Probe::new(name, what, Answer::Yes, detail),
        Ok((false, detail)) => Probe::new(name, what, Answer::No, detail),
        Err(error) if error.kind() == Os::Other => {
            Probe::new(name, what, Answer::Unknown, format!("not probed: {error}"))
        }
        Err(error) => Probe::new(name, what, Answer::No, error.to_string()),
    }
}

fn with(other: &mut io::Result<Other>, work: impl FnOnce(&mut Other) -> Tried) -> Tried {
    match other {
        Ok(other) => work(other),
        Err(error) => Err(io::Error::other(format!("no second process: {error}"))),
    }
}

fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write(folder: &Path) -> Tried {
    let path = folder.join("new");
    put(&path, b"new")?;
    let back = std::fs::read(path)?;
    Ok((
        back == b"new",
        if back == b"new" { String::new() } else { format!("{} bytes came back", back.len()) },
    ))
}

fn rewrite(folder: &Path) -> Tried {
    let path = folder.join("rewritten");
    put(&path, b"before")?;
    let mut file = OpenOptions::new().write(true).open(&path)?;
    file.write_all(b"b")?;
    file.seek(SeekFrom::Start(3))?;
    file.write_all(b"ide")?;
    file.sync_all()?;
    drop(file);
    let back = std::fs::read(path)?;
    Ok((back == b"befide", String::new()))
}

fn rename(folder: &Path) -> Tried {
    let (from, to) = (folder.join("renamed"), folder.join("taken"));
    put(&from, b"new")?;
    put(&to, b"old")?;
    let old = File::open(&to)?;
    std::fs::rename(&from, &to)?;
    let mut kept = Vec::new();
    // Who has the old file open still reads the old one, unless its bytes were copied over.
    (&old).read_to_end(&mut kept)?;
    let is_new = std::fs::read(&to)? == b"new" && !from.exists();
    let detail = match (is_new, kept == b"old") {
        (true, true) => "",
        (true, false) => "its bytes are copied over: who has the old file open reads a mixture",
        (false, _) => "the name does not lead to the new file",
    };
    Ok((is_new && kept == b"old", detail.to_owned()))
}

fn link(folder: &Path) -> Tried {
    let (from, to, taken) = (folder.join("linked"), folder.join("second"), folder.join("third"));
    put(&from, b"linked")?;
    put(&taken, b"taken")?;
    std::fs::hard_link(&from, &to)?;
    if std::fs::read(&to)? != b"linked" {
        return Ok((false, "the second name leads elsewhere".to_owned()));
    }
    match std::fs::hard_link(&from, &taken) {
        Err(error) if error.kind() == Os::AlreadyExists => Ok((true, String::new())),
        Err(error) => Ok((false, format!("a name that is taken is refused as: {error}"))),
        Ok(()) => Ok((false, "a name that is taken is given to another file".to_owned())),
    }
}

fn exclusive(folder: &Path, other: &mut Other) -> Tried {
    let mut ours = 0;
    for race in 0..RACES {
        let name = format!("race-{race}");
        other.tell("make", &name)?;
        // A shell takes a moment to begin; now this, now that process is to be the first.
        std::thread::sleep(Duration::from_micros(race as u64 * 150));
        let won = match OpenOptions::new().write(true).create_new(true).open(folder.join(&name)) {
            Ok(_) => true,
            Err(error) if error.kind() == Os::AlreadyExists => false,
            Err(error) => {
                other.answer()?;
                return Err(error);
            }
        };
        let others = other.answer()? == "won";
        if won == others {
            let both = if won { "both of two processes" } else { "neither of two processes" };
            return Ok((false, format!("{both} made the file, in attempt {}", race + 1)));
        }
        ours += usize::from(won);
    }
    Ok((true, format!("{RACES} races, {ours} to {}", RACES - ours)))
}

fn read_after_write(folder: &Path, other: Option<&mut Other>) -> Tried {
    let path = folder.join("seen");
    let mut first = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let second = File::open(&path)?;
    let mut seen = Vec::new();
    for piece in [b"one ", b"two "] {
        first.write_all(piece)?;
        let whole = &b"one two "[..seen.len() + piece.len()];
        seen = vec![0; 16];
        let count = rustix::io::pread(&second, seen.as_mut_slice(), 0)?;
        seen.truncate(count);
        if seen != whole {
            first.sync_all()?;
            let after = std::fs::read(&path)? == whole;
            let when = if after { "only after a sync" } else { "not even after a sync" };
            return Ok((after, format!("seen {when}, by who opens the file then")));
        }
    }
    let Some(other) = other else { return Ok((true, "not tried in another process".to_owned())) };
    match other.ask("count", "seen")?.as_str() {
        "8" => Ok((true, String::new())),
        count => Ok((false, format!("another process sees {count} bytes of 8"))),
    }
}

/// Whether a size is told as it is, and for how long the kernel believes what it was told.
fn attributes(folder: &Path, name: &'static str, what: &'static str) -> Probe {
    let tried = || -> io::Result<(bool, String, f64)> {
        let path = folder.join("growing");
        put(&path, b"1")?;
        let before = std::fs::metadata(&path)?.len();
        OpenOptions::new().append(true).open(&path)?.write_all(b"2345")?;
        let after = std::fs::metadata(&path)?.len();
        let kept = believed(&path)?;
        let detail = match (before, after) {
            (1, 5) => kept.map_or_else(String::new, |for_long| late(&for_long)),
            _ => format!("a file of 1 and then 5 bytes is said to have {before} and then {after}"),
        };
        Ok(((before, after) == (1, 5), detail, stat_ms(&path, true)?))
    };
    match tried() {
        Ok((is_right, detail, ms)) => of(name, what, Ok((is_right, detail))).took(ms),
        Err(error) => of(name, what, Err(error)),
    }
}

/// The time of one stat, in milliseconds; `anew` if the kernel may not answer by itself.
fn stat_ms(path: &Path, anew: bool) -> io::Result<f64> {
    let flags = if anew { AtFlags::STATX_FORCE_SYNC } else { AtFlags::empty() };
    let begun = Instant::now();
    statx(rustix::fs::CWD, path, flags, StatxFlags::BASIC_STATS)?;
    Ok(since(begun))
}

/// For how long the kernel answers by itself what it was told of a file, if it can be told apart.
fn believed(path: &Path) -> io::Result<Option<String>> {
    let asked = (0..3).map(|_| stat_ms(path, true)).collect::<io::Result<Vec<_>>>()?;
    let asked = median_and_p99(asked).0;
    if asked < ASKED_NOBODY || stat_ms(path, false)? > asked / 4.0 {
        return Ok(None);
    }
    // From the last answer on.
    stat_ms(path, true)?;
    let told = Instant::now();
    let mut kept = 0;
    for wait in [20, 100, 400, 1_200, 2_200] {
        std::thread::sleep(Duration::from_millis(wait).saturating_sub(told.elapsed()));
        if stat_ms(path, false)? > asked / 4.0 {
            return Ok(Some(format!("{kept} to {wait} ms")));
        }
        kept = wait;
    }
    Ok(Some(format!("more than {kept} ms")))
}

fn sync(folder: &Path, name: &'static str, what: &'static str) -> Probe {
    let tried = || -> io::Result<(f64, f64)> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for at in 0..SYNCS {
            let mut file =
                OpenOptions::new().write(true).create_new(true).open(folder.join(format!("synced-{at}")))?;
            file.write_all(&[7; 4096])?;
            let begun = Instant::now();
            file.sync_all()?;
            files.push(since(begun));
            let begun = Instant::now();
            File::open(folder)?.sync_all()?;
            folders.push(since(begun));
        }
        Ok((median_and_p99(files).0, median_and_p99(folders).0))
    };
    match tried() {
        Ok((file, of_folder)) => {
            let detail = format!("a file of 4 KiB {file:.2} ms, its folder {of_folder:.2} ms");
            of(name, what, Ok((true, detail))).took(file)
        }
        Err(error) => of(name, what, Err(error)),
    }
}

/// How much more can be synced by several at once: that bounds how many commits several writers make.
fn parallel_sync(folder: &Path, name: &'static str, what: &'static str) -> Probe {
    let stream = |stream: usize, streams: usize| -> io::Result<()> {
        let file = File::create_new(folder.join(format!("stream-{streams}-{stream}")))?;
        for _ in 0..STREAM_SYNCS {
            (&file).write_all(&[7; 4096])?;
            file.sync_all()?;
        }
        Ok(())
    };
    let rate = |streams: usize| -> io::Result<f64> {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..streams).map(|at| scope.spawn(move || stream(at, streams))).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Os::BrokenPipe.into())))
        })?;
        Ok((streams * STREAM_SYNCS) as f64 / begun.elapsed().as_secs_f64())
    };
    match rate(1).and_then(|one| Ok((one, rate(STREAMS)?))) {
        Ok((one, many)) => {
            let detail = format!("{many:.0} a second, {:.1} times as many as by one", many / one);
            of(name, what, Ok((true, detail))).took(1e3 * STREAMS as f64 / many)
        }
        Err(error) => of(name, what, Err(error)),
    }
}

fn locked(folder: &Path, other: &mut Other) -> Tried {
    let path = folder.join("locked");
    let file = File::create_new(&path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let while_held = other.ask("lock", "locked")?;
    if while_held == "missing" {
        return Err(io::Error::other("the command `flock` is missing"));
    }
    flock(&file, FlockOperation::Unlock)?;
    let afterwards = other.ask("lock", "locked")?;
    Ok(match (while_held.as_str(), afterwards.as_str()) {
        ("held", "free") => {
            (true, "between processes of this machine; no probe tells whether others see it".to_owned())
        }
        ("free", _) => (false, "another process is granted a lock that is held".to_owned()),
        _ => (false, format!("another process finds it {while_held}, and {afterwards} when it is free")),
    })
}
