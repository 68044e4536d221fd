//! Processes that lock, read, write and commit, while they are killed, stopped and broken. What they acknowledged is
//! checked afterwards: nothing is lost, nothing stale was taken.
//!
//! The store is a counter for each name. A writer reads it when it is granted, and commits that number plus one. If
//! two ever held the same name, or a stale one was taken, a number comes twice or a fence goes back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hypostyle_lock::{Condemned, Fence, Held, Mode};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use rustix::process::Signal;

use crate::child::Other;
use crate::world::{World, open, set};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn below(random: &mut Pcg64Mcg, end: u64) -> u64 {
    random.next_u64() % end
}

/// Where commits go, as a store has it for each backend.
enum Store {
    /// Files with numbers; whoever links the next has committed.
    Links(PathBuf),
    #[cfg(feature = "etcd")]
    Etcd(hypostyle_lock::etcd::EtcdLocks, String),
}

/// A name's number, the fence of its last commit, and the floor below which fences are refused.
type Head = BTreeMap<String, [u64; 3]>;

impl Store {
    fn open(address: &str, folder: &Path) -> Self {
        let words: Vec<_> = address.split(' ').collect();
        match words[..] {
            #[cfg(feature = "etcd")]
            ["etcd", endpoints, prefix] => {
                Self::Etcd(crate::world::etcd(endpoints, prefix), prefix.to_owned())
            }
            _ => Self::Links(folder.join("store")),
        }
    }

    fn head(dir: &Path) -> (u64, Head) {
        fs::create_dir_all(dir).unwrap();
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let numbers = names.filter_map(|name| name.to_str().and_then(|name| name.parse::<u64>().ok()));
        let number = numbers.max().unwrap_or(0);
        let bytes = fs::read(dir.join(number.to_string())).unwrap_or_else(|_| b"{}".to_vec());
        (number, serde_json::from_slice(&bytes).unwrap())
    }

    fn link(dir: &Path, number: u64, head: &Head) -> bool {
        let new = dir.join(format!("new-{}-{number}", std::process::id()));
        fs::write(&new, serde_json::to_vec(head).unwrap()).unwrap();
        let linked = fs::hard_link(&new, dir.join(number.to_string())).is_ok();
        fs::remove_file(&new).unwrap();
        linked
    }

    fn read(&self, name: &str) -> u64 {
        match self {
            Self::Links(dir) => Self::head(dir).1.get(name).map_or(0, |entry| entry[0]),
            #[cfg(feature = "etcd")]
            Self::Etcd(locks, prefix) => {
                let key = format!("{prefix}/number/{name}");
                loop {
                    let key = key.clone();
                    if let Ok(answer) =
                        locks.send(|client| async move { client.kv_client().get(key, None).await })
                    {
                        let value = answer.kvs().first().map(|kv| kv.value_str().unwrap().parse().unwrap());
                        return value.unwrap_or(0);
                    }
                }
            }
        }
    }

    /// The number of the last commit.
    fn number(&self) -> u64 {
        match self {
            Self::Links(dir) => Self::head(dir).0,
            #[cfg(feature = "etcd")]
            Self::Etcd(locks, prefix) => loop {
                let key = prefix.clone();
                if let Ok(answer) =
                    locks.send(|client| async move { client.kv_client().get(key, None).await })
                {
                    return answer.header().map_or(0, |header| header.revision().cast_unsigned());
                }
            },
        }
    }

    /// The number under which it was taken, 0 if it was refused; if no answer came, `None`.
    fn commit(&self, held: &dyn Held, new: &[(&str, u64)], pause: Duration) -> Option<u64> {
        match self {
            Self::Links(dir) => loop {
                let (number, mut head) = Self::head(dir);
                if held.check().is_err() {
                    return Some(0);
                }
                // Whatever happens here must not matter.
                std::thread::sleep(pause);
                for (name, value) in new {
                    let entry = head.entry((*name).to_owned()).or_default();
                    if entry[2] > held.fence().0 {
                        return Some(0);
                    }
                    *entry = [*value, held.fence().0, entry[2]];
                }
                if Self::link(dir, number + 1, &head) {
                    return Some(number + 1);
                }
            },
            #[cfg(feature = "etcd")]
            Self::Etcd(locks, prefix) => {
                use hypostyle_lock::etcd::etcd_client::{Compare, CompareOp, Txn, TxnOp};

                std::thread::sleep(pause);
                let proofs = held.proofs().iter();
                let proofs = proofs
                    .map(|p| Compare::create_revision(p.key.clone(), CompareOp::Equal, p.create_revision));
                let puts = new.iter().map(|(name, value)| {
                    TxnOp::put(format!("{prefix}/number/{name}"), value.to_string(), None)
                });
                let txn = Txn::new().when(proofs.collect::<Vec<_>>()).and_then(puts.collect::<Vec<_>>());
                locks.send(|client| async move { client.kv_client().txn(txn).await }).ok().map(|answer| {
                    match answer.succeeded() {
                        true => answer.header().map_or(0, |header| header.revision().cast_unsigned()),
                        false => 0,
                    }
                })
            }
        }
    }

    /// What comes between the two halves of a break.
    fn raise(&self, condemned: &Condemned) {
        match self {
            Self::Links(dir) => loop {
                let (number, mut head) = Self::head(dir);
                for name in condemned.ticket.set.exclusive() {
                    let entry = head.entry(name.to_owned()).or_default();
                    entry[2] = entry[2].max(condemned.floor.0);
                }
                if Self::link(dir, number + 1, &head) {
                    return;
                }
            },
            #[cfg(feature = "etcd")]
            Self::Etcd(..) => {}
        }
    }
}

/// What a writer's process does: `SEED MILLISECONDS FOLDER|ADDRESS`.
pub fn race(role: &str) {
    let (words, address) = role.split_once('|').unwrap();
    let words: Vec<_> = words.split(' ').collect();
    let mut random = Pcg64Mcg::seed_from_u64(words[0].parse().unwrap());
    let end = Instant::now() + Duration::from_millis(words[1].parse().unwrap());
    let folder = Path::new(words[2]);
    let (locks, store) = (open(address, "racer"), Store::open(address, folder));
    let mut log = File::options().append(true).create(true).open(folder.join("log")).unwrap();
    while Instant::now() < end {
        let pick = |random: &mut Pcg64Mcg| NAMES[usize::try_from(below(random, 4)).unwrap()];
        let mut names: BTreeMap<&str, Mode> = BTreeMap::new();
        for _ in 0..=below(&mut random, 2) {
            names.insert(pick(&mut random), Mode::Exclusive);
        }
        let shared = pick(&mut random);
        names.entry(shared).or_insert(Mode::Shared);
        let text = names.iter().map(|(name, mode)| match mode {
            Mode::Exclusive => name.to_uppercase(),
            Mode::Shared => (*name).to_owned(),
        });
        let asked = set(&text.collect::<Vec<_>>().join(" "));
        let Ok(held) = locks.acquire(&asked, Duration::from_millis(400)) else { continue };
        let guarded = store.read(shared);
        let new: Vec<_> = held.set().exclusive().map(|name| (name, store.read(name) + 1)).collect();
        let pause = Duration::from_micros(below(&mut random, 6000));
        let unchanged = store.read(shared) == guarded;
        match store.commit(&*held, &new, pause) {
            Some(0) => log.write_all(b"S\n").unwrap(),
            Some(number) => {
                let mut line = String::new();
                for (name, value) in &new {
                    line.push_str(&format!("C {name} {value} {} {unchanged} {number}\n", held.fence()));
                }
                log.write_all(line.as_bytes()).unwrap();
            }
            None => log.write_all(b"U\n").unwrap(),
        }
    }
}

/// One history: four writers for `length`, one of which is killed, stopped or broken every few milliseconds.
fn history(world: &World, seed: u64, length: Duration) {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let end = Instant::now() + length;
    let start = |random: &mut Pcg64Mcg| {
        let left = end.saturating_duration_since(Instant::now()).as_millis();
        Other::start(&format!(
            "race {} {left} {}|{}",
            random.next_u64(),
            folder.path().display(),
            world.address
        ))
    };
    let mut others: Vec<(Other, Option<Instant>)> = (0..4).map(|_| (start(&mut random), None)).collect();
    let (locks, store) = (world.open("breaker"), Store::open(&world.address, folder.path()));
    // Which fences were broken, and after which commit.
    let mut broken: Vec<(Fence, u64)> = Vec::new();
    let (mut breaks, mut kills, mut stops) = (0, 0, 0);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5 + below(&mut random, 30)));
        let which = usize::try_from(below(&mut random, 4)).unwrap();
        let (other, stopped) = &mut others[which];
        match below(&mut random, 8) {
            0 => {
                other.signal(Signal::KILL);
                others[which] = (start(&mut random), None);
                kills += 1;
            }
            1 | 2 if stopped.is_none() => {
                other.signal(Signal::STOP);
                *stopped = Some(Instant::now() + below(&mut random, 2) as u32 * world.lease.mul_f32(1.3));
                stops += 1;
            }
            3 | 4 => {
                let list = locks.list().unwrap_or_default();
                if let Some(ticket) = list.get(usize::try_from(below(&mut random, 4)).unwrap())
                    && let Ok(condemned) = locks.condemn(&ticket.id)
                {
                    store.raise(&condemned);
                    // Before others are let in, nothing more may come from the one that is broken.
                    broken.extend(ticket.fence().map(|fence| (fence, store.number())));
                    locks.free(&condemned).unwrap();
                    breaks += 1;
                }
            }
            _ => {}
        }
        for (other, stopped) in &mut others {
            if stopped.is_some_and(|until| Instant::now() >= until) && below(&mut random, 3) == 0 {
                other.signal(Signal::CONT);
                *stopped = None;
            }
        }
    }
    for (other, _) in &mut others {
        other.signal(Signal::CONT);
        other.wait();
    }
    let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let mut commits: BTreeMap<&str, BTreeMap<u64, Fence>> = BTreeMap::new();
    let (mut refused, mut unknown) = (0, 0);
    for line in log.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["C", name, value, fence, unchanged, number] => {
                let (fence, number) = (Fence(fence.parse().unwrap()), number.parse::<u64>().unwrap());
                let gone = broken.iter().find(|(broken, _)| *broken == fence).map_or(u64::MAX, |(_, at)| *at);
                assert!(number <= gone, "seed {seed}: {line:?}, and its lock was broken at {gone}");
                let twice = commits.entry(name).or_default().insert(value.parse().unwrap(), fence);
                assert_eq!(twice, None, "seed {seed}: number {value} of {name} was committed twice");
                assert_eq!(unchanged, "true", "seed {seed}: what was held shared changed before {line:?}");
            }
            ["S"] => refused += 1,
            ["U"] => unknown += 1,
            _ => panic!("{line:?}"),
        }
    }
    let mut total = 0;
    for (name, commits) in &commits {
        let fences: Vec<_> = commits.values().collect();
        assert!(fences.is_sorted(), "seed {seed}: a stale fence was taken for {name}: {commits:?}");
        let last = commits.last_key_value().map_or(0, |(value, _)| *value);
        let stands = store.read(name);
        assert!(stands >= last, "seed {seed}: {name} stands at {stands}, and {last} was acknowledged");
        let silent = stands - u64::try_from(commits.len()).unwrap();
        assert!(silent <= kills + unknown, "seed {seed}: {silent} commits of {name} are nobody's");
        total += commits.len();
    }
    println!(
        "seed {seed}: {total} commits, {refused} refused, {unknown} unknown, {kills} kills, {stops} stops, {breaks} breaks"
    );
    assert!(total > 10, "seed {seed}: nothing was tested");
}

fn count(default: u64) -> u64 {
    std::env::var("HYPOSTYLE_LOCK_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn local_histories_have_no_stale_commit_and_lose_none() {
    for seed in 0..count(4) {
        history(&World::local(), seed, Duration::from_millis(1500));
    }
}

#[cfg(feature = "etcd")]
#[test]
fn etcd_histories_have_no_stale_commit_and_lose_none() {
    for seed in 0..count(3) {
        history(&World::etcd(&crate::server::shared()), 1000 + seed, Duration::from_millis(5000));
    }
}
