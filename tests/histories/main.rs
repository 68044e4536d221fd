//! Histories: processes that write, read, are killed, stopped and robbed of their locks, while gc and compaction run;
//! and what must hold of all they did.
//!
//! Each writer adds a row to some tables in one transaction: the row's key is the number of rows before, its value a
//! number that no other transaction has. So a table's rows are its history. `HYPOSTYLE_HISTORIES` says how many
//! histories there are (30), `HYPOSTYLE_SEED` which is the first.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod checked;
mod clock;
#[cfg(feature = "etcd")]
mod network;
#[cfg(feature = "etcd")]
mod over_etcd;
#[cfg(feature = "etcd")]
#[expect(dead_code, clippy::expect_used, reason = "it is that of the locks' tests, which do more with it")]
#[path = "../../lock/tests/locks/server.rs"]
mod server;
mod worker;
#[cfg(feature = "etcd")]
mod world;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hypostyle::{Coordination, Store, WriteOptions, init};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use rustix::process::{Pid, Signal, kill_process};

pub(crate) const TABLES: [&str; 4] = ["a", "b", "c", "d"];

const WRITERS: usize = 3;
const READERS: usize = 2;

/// What a worker is told, in its environment.
const TOLD: &str = "HYPOSTYLE_HISTORY_WORKER";

#[test]
fn every_history_is_one_line_of_snapshots_in_which_nothing_is_lost_or_done_twice() {
    // In every third the clocks jump as well.
    histories(30, |seed, root| {
        let clocks = seed.is_multiple_of(3).then(clock::Clocks::new).flatten();
        history(seed, root, &Coordination::Local, LASTS, clocks, &mut |_| {})
    });
}

/// How long the processes of a history are let do what they do.
const LASTS: Duration = Duration::from_millis(700);

/// Runs as many histories as are asked for, `otherwise` without a word.
fn histories(otherwise: u64, history: impl Fn(u64, &Path) -> checked::Figures + std::panic::RefUnwindSafe) {
    let number =
        |name: &str, otherwise: u64| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let first = number("HYPOSTYLE_SEED", 1);
    let (mut commits, mut reads, mut unanswered, mut ahead) = (0, 0, 0, 0);
    for seed in first..first + number("HYPOSTYLE_HISTORIES", otherwise) {
        // A process that is killed leaves what it wrote to the kernel: a disk would only make it slower.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let outcome = std::panic::catch_unwind(|| history(seed, folder.path()));
        match outcome {
            Ok(figures) => {
                commits += figures.commits;
                reads += figures.reads;
                unanswered += figures.unanswered;
                ahead += figures.ahead;
            }
            Err(_) => panic!("history {seed} fails; its folder is {}", folder.keep().display()),
        }
    }
    println!(
        "{commits} commits, {unanswered} attempts without an answer, {reads} reads; {ahead} commits lie in the future"
    );
    assert!(commits > 0 && reads > 0);
}

/// The work of one process of a history; a test of its own only for want of another entry.
#[test]
fn worker() {
    if let Ok(told) = std::env::var(TOLD) {
        worker::work(&told);
    }
}

/// One history. `happens` is called from time to time with a number, to do what is done to the coordinator.
fn history(
    seed: u64,
    root: &Path,
    coordination: &Coordination,
    lasts: Duration,
    mut clocks: Option<clock::Clocks>,
    happens: &mut dyn FnMut(u64),
) -> checked::Figures {
    let name = init(root, coordination).unwrap().store;
    let store = Store::open(root).unwrap();
    for table in TABLES {
        store.write(table, &worker::row(0, 0.0), &WriteOptions::default().key(["k"])).unwrap();
    }
    let (logs, known) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // What this process itself knows of a store in etcd. Its machine has read the store before etcd goes away: one that
    // has not is told so, which is another test's matter.
    let uid = rustix::process::getuid().as_raw();
    let own = format!("/var/tmp/hypostyle-{uid}/{name}.json");
    let _ = std::fs::copy(&own, known.path().join(format!("{name}.json")));
    let mut random = Pcg64Mcg::new(u128::from(seed));
    let mut below = |n: u64| random.next_u64() % n;
    let mut started = 0;
    let mut start = |role: &str, salt: u64, clocks: &mut Option<clock::Clocks>| -> Child {
        started += 1;
        let told = format!("{role} {started} {salt} {} {}", root.display(), logs.path().display());
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "worker", "--nocapture"]).env(TOLD, told);
        // The least that etcd takes; and what the last history knew is nobody's business.
        command.env("HYPOSTYLE_ETCD_LEASE", "2").env("HYPOSTYLE_ETCD_STATE", known.path());
        if let Some(clocks) = clocks {
            clocks.give(&mut command);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut writers: Vec<Child> = (0..WRITERS).map(|_| start("write", below(1 << 40), &mut clocks)).collect();
    let mut others: Vec<Child> = (0..READERS).map(|_| start("read", below(1 << 40), &mut clocks)).collect();
    others.push(start("upkeep", below(1 << 40), &mut clocks));
    let end = Instant::now() + lasts;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5 + below(40)));
        let at = below(WRITERS as u64) as usize;
        if let Some(clocks) = &clocks {
            clocks.jump(below(1 << 40), below(14_400).cast_signed() - 7_200);
        }
        match below(6) {
            0 => {
                writers[at].kill().unwrap();
                writers[at].wait().unwrap();
                writers[at] = start("write", below(1 << 40), &mut clocks);
            }
            1 => {
                signal(&writers[at], Signal::STOP);
                // With etcd now and then for longer than a lease.
                let long = lasts > LASTS && below(4) == 0;
                std::thread::sleep(Duration::from_millis(if long { 2600 } else { 20 + below(100) }));
                signal(&writers[at], Signal::CONT);
            }
            chance => happens(chance),
        }
    }
    for child in writers.iter_mut().chain(&mut others) {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let figures = checked::check(root, logs.path());
    let _ = std::fs::remove_file(own);
    figures
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // It may have ended by itself, which its log then explains.
    let _ = kill_process(pid, signal);
}

/// Copies a folder.
#[cfg(feature = "etcd")]
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
