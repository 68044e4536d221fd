//! Power cuts: the calls of a write, at every prefix, with what was not synced lost, torn or reordered.
//!
//! The disk here is worse than most: a name is only there for certain once its folder was synced, bytes once their
//! file was; what was not synced may be there or not, each by itself.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rand_pcg::rand_core::Rng;

use super::super::Managed;
use super::super::files::{Call, Files, Gate};
use super::super::transaction::{Transaction, TransactionOptions};
use super::*;

/// A call that was made, below the root.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    SyncFolder(PathBuf),
    MakeFolder(PathBuf),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Debug)]
pub(super) struct Recorder {
    root: PathBuf,
    steps: Mutex<Vec<Step>>,
}

impl Recorder {
    pub(super) fn at(root: &Path) -> Arc<Self> {
        Arc::new(Self { root: root.to_owned(), steps: Mutex::default() })
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }
}

impl Gate for Recorder {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let below = |path: &Path| path.strip_prefix(&self.root).unwrap().to_owned();
        let step = match call {
            Call::Create(path) => Step::Create(below(path)),
            Call::Write(path, bytes) => Step::Write(below(path), bytes.to_vec()),
            Call::SyncFile(path) => Step::SyncFile(below(path)),
            Call::SyncFolder(path) => Step::SyncFolder(below(path)),
            Call::MakeFolder(path) => Step::MakeFolder(below(path)),
            // Nothing comes of a name that is taken.
            Call::Link(_, to) if to.exists() => return Ok(()),
            Call::Link(from, to) => Step::Link(below(from), below(to)),
            Call::Rename(from, to) => Step::Rename(below(from), below(to)),
            Call::Remove(path) => Step::Remove(below(path)),
        };
        self.steps.lock().unwrap().push(step);
        Ok(())
    }
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Folder,
    File(usize),
}

/// A change of names that was not synced: what each of them leads to afterwards.
type Renaming = Vec<(PathBuf, Option<Node>)>;

/// What the calls have made beside what was there before.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    /// The bytes that a file has, and whether they are synced.
    files: Vec<(Vec<u8>, bool)>,
    /// As the processes see it.
    seen: BTreeMap<PathBuf, Option<Node>>,
    durable: BTreeMap<PathBuf, Option<Node>>,
    pending: Vec<Renaming>,
}

impl Disk {
    pub(super) fn after(steps: &[Step]) -> Self {
        let mut disk = Self::default();
        steps.iter().for_each(|step| disk.apply(step));
        disk
    }

    fn apply(&mut self, step: &Step) {
        let file = |disk: &Self, path: &PathBuf| match disk.seen.get(path) {
            Some(Some(Node::File(file))) => *file,
            other => panic!("{path:?} is {other:?}"),
        };
        match step {
            Step::Create(path) => {
                self.files.push((vec![], false));
                self.rename(vec![(path.clone(), Some(Node::File(self.files.len() - 1)))]);
            }
            Step::MakeFolder(path) => self.rename(vec![(path.clone(), Some(Node::Folder))]),
            // Piece by piece.
            Step::Write(path, bytes) => {
                let at = file(self, path);
                self.files[at].0.extend(bytes);
                self.files[at].1 = false;
            }
            Step::SyncFile(path) => {
                let at = file(self, path);
                self.files[at].1 = true;
            }
            Step::Link(from, to) => {
                let node = Node::File(file(self, from));
                self.rename(vec![(to.clone(), Some(node))]);
            }
            Step::Rename(from, to) => {
                let node = Node::File(file(self, from));
                self.rename(vec![(from.clone(), None), (to.clone(), Some(node))]);
            }
            Step::Remove(path) => self.rename(vec![(path.clone(), None)]),
            Step::SyncFolder(folder) => {
                let is_in =
                    |renaming: &Renaming| renaming.iter().any(|(path, _)| path.parent() == Some(folder));
                let (synced, rest) = std::mem::take(&mut self.pending).into_iter().partition(is_in);
                self.pending = rest;
                self.durable.extend(synced.into_iter().flatten());
            }
        }
    }

    fn rename(&mut self, renaming: Renaming) {
        self.seen.extend(renaming.clone());
        self.pending.push(renaming);
    }

    /// What is there after a power cut that keeps what `keeps` says, laid over `before`.
    pub(super) fn cut(&self, before: &Path, to: &Path, mut keeps: impl FnMut() -> u64) {
        for entry in
            walkdir::WalkDir::new(before).into_iter().map(io::Result::<_>::Ok).map(|e| e.unwrap().unwrap())
        {
            let below = entry.path().strip_prefix(before).unwrap();
            match entry.file_type().is_dir() {
                true => std::fs::create_dir_all(to.join(below)).unwrap(),
                false => std::fs::hard_link(entry.path(), to.join(below)).unwrap(),
            }
        }
        let mut names = self.durable.clone();
        for renaming in &self.pending {
            if keeps() % 2 == 1 {
                names.extend(renaming.iter().cloned());
            }
        }
        for (path, node) in names {
            let path = to.join(path);
            // What lies in a folder that is lost is lost.
            if !path.parent().unwrap().is_dir() {
                continue;
            }
            match node {
                None => drop(std::fs::remove_file(path)),
                Some(Node::Folder) => std::fs::create_dir_all(path).unwrap(),
                Some(Node::File(file)) => {
                    let (bytes, synced) = &self.files[file];
                    let kept = if *synced { bytes.len() } else { bytes.len() * (keeps() % 4) as usize / 3 };
                    let mut torn = bytes[..kept].to_vec();
                    // A file may have its length before it has its bytes.
                    if !*synced && keeps().is_multiple_of(3) {
                        torn.resize(bytes.len(), 0);
                    }
                    let _ = std::fs::remove_file(&path);
                    std::fs::write(path, torn).unwrap();
                }
            }
        }
    }
}

/// Cuts the power after each prefix of the steps, in several ways, and has `check` look at what is left.
fn each_cut(before: &Path, steps: &[Step], check: impl Fn(&Path, bool)) {
    let mut random = rand_pcg::Pcg64Mcg::new(11);
    for length in 0..=steps.len() {
        let disk = Disk::after(&steps[..length]);
        let done = length == steps.len();
        for way in 0..10 {
            let left = tempfile::tempdir().unwrap();
            match way {
                0 => disk.cut(before, left.path(), || 0),
                1 => disk.cut(before, left.path(), || 7),
                _ => disk.cut(before, left.path(), || random.next_u64() >> 7),
            }
            check(left.path(), done);
        }
    }
}

#[test]
fn after_a_power_cut_the_store_has_the_old_or_the_new_snapshot_whole() {
    // The second writes a checkpoint on the way.
    for commits in [1, 63] {
        let world = World::new();
        for n in 0..commits {
            world.write("a", &rows(&[(1, n as f64)]), WriteMode::Replace).unwrap();
        }
        // What was there before is as it was then.
        let before = tempfile::tempdir().unwrap();
        Disk::default().cut(world.folder.path(), before.path(), || 0);
        std::fs::remove_dir_all(before.path().join("_hypostyle/locks")).unwrap();
        let recorder = Recorder::at(world.folder.path());
        let managed = Managed::with(world.folder.path(), Files::through(recorder.clone())).unwrap().unwrap();
        let tables = vec!["a".to_owned(), "new".to_owned()];
        let run = JoinOptions::default().run();
        let mut tx =
            Transaction::begin(Arc::new(managed), tables, &TransactionOptions::default(), run).unwrap();
        tx.write("a", &rows(&[(1, -1.0), (2, -1.0)]), &WriteOptions::new(WriteMode::Upsert)).unwrap();
        tx.write("new", &rows(&[(7, -1.0)]), &WriteOptions::new(WriteMode::Append).key(["k"])).unwrap();
        // The second time more than stand in the manifest itself.
        let models = if commits == 1 { 3 } else { 130 };
        tx.put_models((0..models).map(|n| crate::NewModel::new(format!("m{n}"), vec![n; 100])).collect())
            .unwrap();
        assert_eq!(tx.commit().unwrap().snapshot, commits + 1);
        let steps = recorder.steps();
        assert!(steps.len() > 15, "{steps:?}");
        assert_eq!(steps.iter().filter(|s| matches!(s, Step::Link(..))).count(), 1);
        let seen = std::cell::Cell::new((0, 0));
        each_cut(before.path(), &steps, |root, done| {
            let managed = Managed::at(root).unwrap().unwrap();
            let newest = managed.verify().unwrap();
            let store = Store::open(root).unwrap();
            let left = World { folder: tempfile::tempdir().unwrap(), store };
            let (old, new) = seen.get();
            if newest == commits {
                assert!(!done, "an acknowledged commit is gone");
                assert_eq!(left.read("a").unwrap(), [(1, commits as f64 - 1.0)]);
                assert!(left.read("new").is_err());
                assert!(left.store.models().list().unwrap().is_empty());
                seen.set((old + 1, new));
            } else {
                assert_eq!(newest, commits + 1);
                assert_eq!(left.read("a").unwrap(), [(1, -1.0), (2, -1.0)]);
                assert_eq!(left.read("new").unwrap(), [(7, -1.0)]);
                assert_eq!(left.store.models().list().unwrap().len(), usize::from(models));
                assert_eq!(left.store.models().get("m2").unwrap(), &[2; 100][..]);
                seen.set((old, new + 1));
            }
            // And it goes on from there.
            left.write("a", &rows(&[(3, 3.0)]), WriteMode::Upsert).unwrap();
            assert_eq!(left.store.snapshot(None).unwrap(), newest + 1);
        });
        let (old, new) = seen.get();
        assert!(old > 50 && new > 10, "{old} {new}");
    }
}

#[test]
fn after_a_power_cut_a_folder_is_a_store_or_can_be_made_one() {
    let empty = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::at(folder.path());
    super::super::init::with(folder.path(), &Coordination::Local, &Files::through(recorder.clone())).unwrap();
    each_cut(empty.path(), &recorder.steps(), |root, done| {
        let is_store = Store::open(root).unwrap().is_managed().unwrap();
        assert!(is_store || !done);
        assert_eq!(init(root, &Coordination::Local).is_err(), is_store);
        let store = Store::open(root).unwrap();
        store.write("t", &rows(&[(1, 1.0)]), &WriteOptions::default().key(["k"])).unwrap();
        assert_eq!(store.snapshot(None).unwrap(), 1);
    });
}
