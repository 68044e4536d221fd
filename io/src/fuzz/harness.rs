//! Runs targets: what is kept, what is changed, and what counts as a crash. The root package's targets use it too.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Changed inputs for each seed where no time is given.
const CHANGES: usize = 60;

/// No input of these sizes takes longer, or something does not end.
const LONGEST: Duration = Duration::from_secs(10);

/// Targets that run beside one another stay below this together.
const MOST_MEMORY: u64 = 768 << 20;

/// A target's name, which is also its folder's, its seeds, and what it does.
pub(crate) type Target = (&'static str, fn() -> Vec<Vec<u8>>, fn(&[u8]));

pub(crate) fn fuzz(&(name, seeds, target): &Target) {
    let mut inputs = seeds();
    let folder = workspace().join("fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    inputs.extend(files.iter().map(|file| std::fs::read(file).unwrap()));
    for input in &inputs {
        run(name, target, input);
    }
    let mut random = Random(0);
    match std::env::var("HYPOSTYLE_FUZZ_SECONDS") {
        Ok(seconds) => {
            random.0 = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
            let end = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
            let mut tried = 0u64;
            while Instant::now() < end {
                let at = random.below(inputs.len());
                run(name, target, &random.changed(&inputs, at));
                tried += 1;
            }
            std::io::Write::write_all(&mut std::io::stderr(), format!("{name}: {tried} inputs\n").as_bytes())
                .unwrap();
        }
        Err(_) => {
            for at in 0..inputs.len() {
                (0..CHANGES).for_each(|_| run(name, target, &random.changed(&inputs, at)));
            }
        }
    }
}

/// Runs one input; one that fails is kept under `target/fuzz`.
fn run(name: &str, target: fn(&[u8]), input: &[u8]) {
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        target(input);
        assert!(started.elapsed() < LONGEST, "it took {:?}", started.elapsed());
        assert!(peak() < MOST_MEMORY, "it took {} bytes", peak());
    }));
    if let Err(panic) = outcome {
        let folder = workspace().join("target/fuzz");
        std::fs::create_dir_all(&folder).unwrap();
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let path = folder.join(format!("{name}-{:016x}", hasher.finish()));
        std::fs::write(&path, input).unwrap();
        std::io::Write::write_all(&mut std::io::stderr(), format!("kept: {}\n", path.display()).as_bytes())
            .unwrap();
        resume_unwind(panic);
    }
}

/// The most memory that this process had; where that is not known, none.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

fn workspace() -> PathBuf {
    let has_corpus = |folder: &&Path| folder.join("fuzz/corpus").is_dir();
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(has_corpus).unwrap().to_owned()
}

/// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of the inputs, with one to four changes.
    fn changed(&mut self, inputs: &[Vec<u8>], at: usize) -> Vec<u8> {
        const TELLING: [u8; 10] = [0, 1, 2, 3, 0x15, 0x1c, 0x7f, 0x80, 0xfe, 0xff];
        let mut bytes = inputs[at].clone();
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            match self.below(8) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, self.next() as u8),
                2 if !bytes.is_empty() => drop(bytes.remove(place)),
                3 => {
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len());
                    let part = &other[from..(from + self.below(64)).min(other.len())];
                    let end = (place + part.len()).min(bytes.len());
                    bytes.splice(place..end, part.iter().copied());
                }
                _ if bytes.is_empty() => {}
                4 => bytes[place] = TELLING[self.below(TELLING.len())],
                5 => bytes[place] ^= 1 << self.below(8),
                6 => bytes[place] = bytes[place].wrapping_add(self.below(5) as u8).wrapping_sub(2),
                _ => bytes[place] = self.next() as u8,
            }
        }
        bytes
    }
}
