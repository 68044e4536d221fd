//! Malice, generated: every field of footers and page headers forged, every truncation, every flipped bit of small
//! files. None of it may end the process, hang it, take it over a second, or over 64 MiB and 16 times the file.
//!
//! The files are read in a child of the test, so that a death is seen and told, and its memory can be measured.
//! `./test` takes a sample, spread evenly; with `HYPOSTYLE_LONG` set, which `./test --long` does, it is all of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]
#![cfg(target_os = "linux")]

mod files;
mod mutate;
mod thrift;

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use hypostyle::{ErrorKind, How, JoinOptions, JoinSpec, Store, TableSpec};

use files::File;
use mutate::{Each, Region};

/// What is asked of a file's reading: the join's own limit is less, so that what it does not count has room.
const MEMORY: u64 = 64 << 20;
const LIMIT: u64 = 32 << 20;
const LONGEST: Duration = Duration::from_secs(1);

/// A child that does not go on to the next file for so long hangs.
const HANGS: Duration = Duration::from_secs(60);

/// Files of one kind of malice that a short run reads.
const SAMPLE: usize = 2_000;

type Mutator = fn(&File, Each<'_>);

const KINDS: [(&str, Mutator, bool); 6] = [
    ("truncations", mutate::truncations, false),
    ("flips", mutate::flips, false),
    ("flips under checksums", mutate::flips, true),
    ("footer fields", mutate::footer_fields, false),
    ("page fields", mutate::page_fields, false),
    ("structures", mutate::structures, false),
];

#[test]
fn a_truncation_anywhere_is_noticed() {
    in_a_child("truncations");
}

#[test]
fn a_flipped_bit_anywhere_kills_nobody() {
    in_a_child("flips");
}

#[test]
fn under_page_checksums_no_flipped_bit_in_a_page_goes_unnoticed() {
    in_a_child("flips under checksums");
}

#[test]
fn a_footer_with_any_field_forged_kills_nobody() {
    in_a_child("footer fields");
}

#[test]
fn a_page_header_with_any_field_forged_kills_nobody() {
    in_a_child("page fields");
}

#[test]
fn deep_and_wide_thrift_and_schemas_kill_nobody() {
    in_a_child("structures");
}

/// Not a test of its own: what the others run in a process that may die.
#[test]
fn child() {
    let Ok(kind) = std::env::var("HYPOSTYLE_MALICE") else { return };
    let folder = std::env::var("HYPOSTYLE_MALICE_FOLDER").unwrap();
    let (_, mutate, checksums) = KINDS.into_iter().find(|(name, ..)| *name == kind).unwrap();
    // A reservation that only an absurd number explains ends the process instead of succeeding on paper.
    let most = rustix::process::Rlimit { current: Some(3 << 30), maximum: Some(3 << 30) };
    rustix::process::setrlimit(rustix::process::Resource::As, most).unwrap();
    // The `parquet` crate's panics are caught; what they say is not of interest.
    std::panic::set_hook(Box::new(|_| {}));
    Reading::new(Path::new(&folder)).run(mutate, checksums);
}

fn in_a_child(kind: &str) {
    let folder = tempfile::Builder::new().prefix("malice").tempdir_in(memory_folder()).unwrap();
    let case = folder.path().join("case.txt");
    let out = std::fs::File::create(folder.path().join("out.txt")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env("HYPOSTYLE_MALICE", kind)
        .env("HYPOSTYLE_MALICE_FOLDER", folder.path())
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .spawn()
        .unwrap();
    let (mut last, mut since) = (String::new(), Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let now = std::fs::read_to_string(&case).unwrap_or_default();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if since.elapsed() > HANGS {
            child.kill().unwrap();
            child.wait().unwrap();
            kept(folder.path(), kind);
            panic!("{kind}: it hangs: {last}");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let text = std::fs::read_to_string(folder.path().join("out.txt")).unwrap();
    if !status.success() {
        kept(folder.path(), kind);
        panic!("{kind}: {status}, at: {}\n{text}", std::fs::read_to_string(&case).unwrap_or_default());
    }
    // Past the capture of output, which a test that passes would vanish in.
    let told: String = text.lines().filter(|l| l.starts_with("malice")).map(|l| format!("{l}\n")).collect();
    assert!(!told.is_empty(), "{text}");
    std::io::stderr().write_all(told.as_bytes()).unwrap();
}

/// Where files are in memory, if there is such a place.
fn memory_folder() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Keeps the file that a child died of.
fn kept(folder: &Path, kind: &str) {
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/malice");
    std::fs::create_dir_all(&to).unwrap();
    let to = to.join(format!("{}.parquet", kind.replace(' ', "-")));
    if std::fs::copy(folder.join("forged.parquet"), &to).is_ok() {
        std::io::stderr().write_all(format!("kept: {}\n", to.display()).as_bytes()).unwrap();
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Error,
    SameFrame,
    OtherFrame,
}

struct Reading<'a> {
    folder: &'a Path,
    /// How many files were read.
    read: u64,
    failures: Vec<String>,
    slowest: Duration,
}

impl<'a> Reading<'a> {
    fn new(folder: &'a Path) -> Self {
        Self { folder, read: 0, failures: Vec::new(), slowest: Duration::ZERO }
    }

    fn run(mut self, mutate: Mutator, checksums: bool) {
        let kind = std::env::var("HYPOSTYLE_MALICE").unwrap();
        let mut files = files::sound();
        for file in files.iter_mut().filter(|_| checksums) {
            file.bytes = files::with_checksums(&file.bytes);
        }
        let mut all = 0usize;
        files.iter().for_each(|file| mutate(file, &mut |_, _, _| all += 1));
        let every = if is_long() { 1 } else { all.div_ceil(SAMPLE) };
        let mut counts: BTreeMap<(Region, Outcome), u64> = BTreeMap::new();
        let mut at = 0usize;
        let mut largest = 0;
        for file in &files {
            let path = self.folder.join("sound.parquet");
            std::fs::write(&path, &file.bytes).unwrap();
            let sound = join(&path, file.key).unwrap_or_else(|e| panic!("{}: {e}", file.name));
            let base = peak();
            mutate(file, &mut |what, region, bytes| {
                at += 1;
                // By a hash: a step would meet the same bit, or the same kind of field, over and over.
                if every > 1 && !(at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24).is_multiple_of(every) {
                    return;
                }
                self.read += 1;
                let bytes = bytes();
                let what = format!("{}: {}", file.name, what());
                let outcome = self.outcome(file, &sound, &bytes, &what);
                if (kind == "truncations" || checksums && region == Region::PageBody)
                    && outcome != Outcome::Error
                {
                    self.failures.push(format!("{what}: it is not noticed, {outcome:?}"));
                }
                *counts.entry((region, outcome)).or_default() += 1;
                let grown = peak().saturating_sub(base);
                largest = largest.max(grown);
                if grown > MEMORY + 16 * bytes.len() as u64 {
                    self.failures.push(format!("{what}: {grown} bytes for a file of {}", bytes.len()));
                }
                assert!(self.failures.len() < 20, "{}", self.failures.join("\n"));
            });
        }
        let counts: Vec<String> =
            counts.iter().map(|((region, outcome), n)| format!("{region:?} {outcome:?} {n}")).collect();
        let mut text =
            format!("\nmalice, {kind}: {} of {all} files, at most {} MiB, ", self.read, largest >> 20);
        text += &format!("at most {} ms: {}\n", self.slowest.as_millis(), counts.join(", "));
        std::io::stdout().write_all(text.as_bytes()).unwrap();
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
    }

    fn outcome(&mut self, file: &File, sound: &RecordBatch, bytes: &[u8], what: &str) -> Outcome {
        let path = self.folder.join("forged.parquet");
        std::fs::write(self.folder.join("case.txt"), what).unwrap();
        let mut forged = std::fs::File::create(&path).unwrap();
        forged.write_all(bytes).unwrap();
        // Of a file that was written a moment ago, what looks wrong is looked at twice.
        forged.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
        drop(forged);
        let mut took = Duration::MAX;
        let mut outcome = Outcome::Error;
        // The machine may be busy: only what takes long twice takes long.
        for _ in 0..2 {
            let (began, worked) = (Instant::now(), work());
            outcome = self.once(file, sound, &path, what);
            let passed = began.elapsed();
            // Time that others had does not count, as far as the kernel tells.
            took = took.min(if passed < LONGEST { passed } else { passed.min(work() - worked) });
            if took < LONGEST {
                break;
            }
        }
        self.slowest = self.slowest.max(took);
        if took >= LONGEST {
            self.failures.push(format!("{what}: it takes {took:?}"));
        }
        outcome
    }

    fn once(&mut self, file: &File, sound: &RecordBatch, path: &Path, what: &str) -> Outcome {
        let found = catch_unwind(AssertUnwindSafe(|| {
            (join(path, file.key), beside(path, self.folder, file.key, self.read))
        }));
        let Ok((whole, beside)) = found else {
            self.failures.push(format!("{what}: a panic"));
            return Outcome::Error;
        };
        for error in [whole.as_ref().err(), beside.as_ref().err()].into_iter().flatten() {
            let known = [
                ErrorKind::Corrupt,
                ErrorKind::Unsupported,
                ErrorKind::InvalidRequest,
                ErrorKind::NotFound,
                ErrorKind::LimitExceeded,
            ];
            if !known.contains(&error.kind()) || error.to_string().contains('\n') {
                self.failures.push(format!("{what}: {error:?}"));
            }
        }
        match whole {
            Ok(frame) if frame == *sound => Outcome::SameFrame,
            Ok(_) => Outcome::OtherFrame,
            Err(_) => Outcome::Error,
        }
    }
}

fn options() -> JoinOptions {
    let mut options = JoinOptions::default();
    options.memory_limit = Some(LIMIT);
    options.threads = Some(1);
    options
}

/// All columns of a file, all rows.
fn join(path: &Path, key: &str) -> hypostyle::Result<RecordBatch> {
    let table = TableSpec::new(path.to_str().unwrap()).name("t").all_columns();
    let spec = JoinSpec::new([key]).how(How::Left).table(table);
    Ok(Store::unrooted("").join_with(&spec, &options())?.batch().clone())
}

/// Whether all files are read, and not a sample of them.
fn is_long() -> bool {
    std::env::var("HYPOSTYLE_LONG").is_ok_and(|long| !long.is_empty())
}

/// The rows of the sound file filled from the forged one, by keys that are stored alike, or were; and the last of
/// them, from few of its rows. Of a sample half of the files are read in the one way and half in the other.
fn beside(path: &Path, folder: &Path, key: &str, number: u64) -> hypostyle::Result<usize> {
    let sound = folder.join("sound.parquet");
    let store = Store::unrooted("");
    let mut rows = 0;
    let ways: &[Option<u64>] = match number % 2 {
        _ if is_long() => &[None, Some(3)],
        0 => &[None],
        _ => &[Some(3)],
    };
    for &last in ways {
        let forged = TableSpec::new(path.to_str().unwrap()).name("forged").all_columns();
        let mut spec = JoinSpec::new([key])
            .how(How::Inner)
            .table(TableSpec::new(sound.to_str().unwrap()).name("sound").columns([key]))
            .table(forged);
        if let Some(last) = last {
            spec = spec.last(last);
        }
        rows += store.join_with(&spec, &options())?.num_rows();
    }
    Ok(rows)
}

/// The processor time that this process has taken, in hundredths of a second.
fn work() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    // In user mode and in the kernel's.
    let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}

/// The most memory that this process had.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
