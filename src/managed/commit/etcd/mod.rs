//! The commit point of many machines: a transaction in etcd.
//!
//! Manifests have names of their own in the folder of the snapshots, and nothing in that folder decides. The
//! transaction compares the revision of the head that the manifest was built upon, and the tickets of the locks that
//! are held, and puts the next head. Sent again because no answer came, it fails if it was done, and finds its own
//! commit's id in the head; so it is never done twice. In the same step it deletes the tickets: who commits holds
//! nothing any more. The tickets were put, and the head read, in one transaction as well. So a commit takes two round
//! trips, however many tables it writes.
//!
//! Once committed, a manifest also gets the name of its number: by its writer, or, if that one was killed, by the
//! next, before it proposes. So every snapshot but the newest has its number's name, also after a power cut, since
//! the folder is synced before each transaction.

mod head;
mod known;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hypostyle_lock::etcd::etcd_client::{
    Compare, CompareOp, KeyValue, ResponseHeader, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use hypostyle_lock::etcd::{EtcdLocks, EtcdSettings};
use hypostyle_lock::{Held, LockError, LockSet, Proof};

use self::head::Head;
use self::known::{Known, Place};
use super::super::files::Files;
use super::super::layout::Layout;
use super::super::locks::from_lock;
use super::super::manifest::Manifest;
use super::super::unique::now;
use super::{CommitPoint, Newest, Turn, UNKNOWN, Wish};
use crate::{Error, ErrorKind, Result};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(1);

/// For how long a call without an answer is made again, by those who write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Once etcd did not answer, one reader in this time asks it again; the others go on with what is known.
const AGAIN: Duration = Duration::from_secs(3);

/// How old what is written down may be before it is written down again, though nothing changed.
const OLD: Duration = Duration::from_secs(10);

/// A folder, and etcd's word on what is the newest in it.
#[derive(Debug)]
pub(crate) struct Etcd {
    layout: Layout,
    files: Files,
    locks: EtcdLocks,
    /// The key of the head.
    key: String,
    place: Place,
    seen: Mutex<Seen>,
}

/// What this process has seen.
#[derive(Debug, Default)]
struct Seen {
    known: Option<Known>,
    /// The revision in which the head was put.
    put: i64,
    manifest: Option<(Arc<Manifest>, u32)>,
    /// The newest snapshot whose number's name was seen to be its manifest's.
    settled: Option<u64>,
    /// When what is known was written down.
    written: Option<Instant>,
    /// Etcd did not answer; it is not asked again before.
    gone_until: Option<Instant>,
}

/// An answer about the head.
struct Answer {
    revision: i64,
    put: i64,
    head: Head,
}

/// Where etcd is and how long things take, for the store of that name.
fn settings(coordination: &str, store: &str) -> Result<EtcdSettings> {
    let settings = EtcdSettings::new(coordination).map_err(from_lock)?;
    let mut settings = settings.prefix(prefix(store)).call_timeout(CALL).patience(PATIENCE);
    if let Ok(text) = std::env::var("HYPOSTYLE_ETCD_LEASE") {
        let seconds = text.parse().ok().filter(|seconds| (2..=3600).contains(seconds)).ok_or_else(|| {
            Error::invalid(format!("HYPOSTYLE_ETCD_LEASE is `{text}`")).hint("2 to 3600 seconds")
        })?;
        settings = settings.lease(Duration::from_secs(seconds));
    }
    Ok(settings)
}

fn prefix(store: &str) -> String {
    format!("/hypostyle/{store}")
}

impl Etcd {
    /// The point of a store that is coordinated by the cluster of that id, without a word to it yet.
    pub(in super::super) fn open(
        coordination: &str,
        store: &str,
        cluster: &str,
        layout: Layout,
        files: Files,
    ) -> Result<Self> {
        let settings = settings(coordination, store)?.expect_cluster(cluster);
        let locks = EtcdLocks::expecting(settings).map_err(from_lock)?;
        let place = Place::of(store);
        let known = place.read(cluster);
        let seen = Mutex::new(Seen { known, ..Seen::default() });
        Ok(Self { layout, files, locks, key: format!("{}/head", prefix(store)), place, seen })
    }

    /// Makes the first snapshot of a new store; the id of the cluster that it is in.
    pub(in super::super) fn begin(
        coordination: &str,
        layout: &Layout,
        files: &Files,
        first: &Manifest,
    ) -> Result<String> {
        let store = first.commit.as_str();
        let locks = EtcdLocks::connect(settings(coordination, store)?).map_err(from_lock)?;
        let encoded = first.encode()?;
        let head = Head::of(first, &encoded);
        files.create(&head.path(layout), &encoded)?;
        files.sync_folder(&layout.snapshots())?;
        // Nobody knows this store's name yet, so it does no harm to put it twice.
        let put = TxnOp::put(format!("{}/head", prefix(store)), head.encode()?, None);
        locks.ask(Txn::new().and_then([put])).map_err(from_lock)?;
        Ok(locks.cluster_id().to_owned())
    }

    pub(in super::super) fn locks(&self) -> EtcdLocks {
        self.locks.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transaction that reads the head: one round trip.
    fn question(&self) -> Txn {
        Txn::new()
            .and_then([TxnOp::get(self.locks.identity_key(), None), TxnOp::get(self.key.as_str(), None)])
    }

    /// What etcd says of the head, if it is the etcd on record, and has not forgotten what it had said at revision
    /// `before`.
    fn answer(&self, answer: &TxnResponse, before: i64) -> Result<Answer> {
        let revision = answer.header().map_or(0, ResponseHeader::revision);
        let kvs = kvs(answer);
        self.compare_identity(&kvs)?;
        if revision < before {
            let error = LockError::OtherCluster {
                expected: format!("one that has come to revision {before}"),
                found: format!("one at revision {revision}"),
            };
            return Err(from_lock(error));
        }
        let head = kvs.iter().find(|kv| kv.key() == self.key.as_bytes()).ok_or_else(|| {
            Error::corrupt("etcd knows nothing of the newest snapshot: its data was wiped, or removed")
                .path(self.layout.root())
                .hint("`hypostyle repair` says what can be done")
        })?;
        Ok(Answer { revision, put: head.mod_revision(), head: Head::decode(head.value())? })
    }

    fn compare_identity(&self, kvs: &[KeyValue]) -> Result<()> {
        let key = self.locks.identity_key();
        let found = kvs.iter().find(|kv| kv.key() == key.as_bytes());
        let found = found.map(|kv| String::from_utf8_lossy(kv.value()).into_owned());
        match found.as_deref() == Some(self.locks.identity()) {
            true => Ok(()),
            false => Err(from_lock(self.locks.other_cluster(found))),
        }
    }

    /// Remembers an answer, here and on this machine, and gives back the newest snapshot that is known now.
    fn note(&self, answer: Answer) -> Result<Newest> {
        let Answer { revision, put, head } = answer;
        let kept =
            self.seen().manifest.clone().filter(|(manifest, checksum)| {
                manifest.number == head.snapshot && *checksum == head.checksum
            });
        let manifest = match kept {
            Some(kept) => kept,
            None => head.read(&self.layout)?,
        };
        self.remember(revision, put, head, manifest.clone());
        Ok(Newest { number: manifest.0.number, manifest: Some(manifest), as_of: None })
    }

    fn remember(&self, revision: i64, put: i64, head: Head, manifest: (Arc<Manifest>, u32)) {
        let known = {
            let mut seen = self.seen();
            seen.gone_until = None;
            let is_new = seen.known.as_ref().is_none_or(|known| known.head != head);
            if seen.known.as_ref().is_some_and(|known| known.head.snapshot > head.snapshot) {
                return;
            }
            let at = seen.known.as_ref().map_or(0, |known| known.at).max(now());
            let before = seen.known.as_ref().map_or(0, |known| known.revision);
            let cluster = self.locks.cluster_id().to_owned();
            let known = Known { cluster, revision: revision.max(before), head, at };
            seen.known = Some(known.clone());
            (seen.put, seen.manifest) = (put, Some(manifest));
            if !is_new && seen.written.is_some_and(|written| written.elapsed() < OLD) {
                return;
            }
            seen.written = Some(Instant::now());
            known
        };
        self.place.write(&known);
    }

    /// The revision that etcd is known to have come to.
    fn before(&self) -> i64 {
        self.seen().known.as_ref().map_or(0, |known| known.revision)
    }

    /// Asks each member once, and none when etcd did not answer just now.
    fn ask_once(&self) -> Result<Answer> {
        let gone = |why: &str| {
            from_lock(LockError::Unavailable {
                endpoints: self.locks.settings().endpoints().join(","),
                why: why.to_owned(),
            })
        };
        let before = {
            let mut seen = self.seen();
            match seen.gone_until {
                Some(until) if Instant::now() < until => return Err(gone("it did not just now")),
                // Others need not wait for what this one asks.
                Some(_) => seen.gone_until = Some(Instant::now() + AGAIN),
                None => {}
            }
            seen.known.as_ref().map_or(0, |known| known.revision)
        };
        let mut last = gone("it has no members");
        for _ in self.locks.settings().endpoints() {
            let question = self.question();
            match self.locks.send(|client| async move { client.kv_client().txn(question).await }) {
                Ok(answer) => return self.answer(&answer, before),
                Err(error @ LockError::Unavailable { .. }) => last = from_lock(error),
                Err(error) => return Err(from_lock(error)),
            }
        }
        self.seen().gone_until = Some(Instant::now() + AGAIN);
        Err(last)
    }

    /// Makes sure that the newest snapshot has its number's name, and that no later one has: whoever finds that has
    /// asked an etcd that was set back. `false` if a later one was committed meanwhile.
    fn settle(&self, head: &Head) -> Result<bool> {
        let name = self.layout.snapshot(head.snapshot);
        if self.seen().settled != Some(head.snapshot) {
            self.files.link(&head.path(&self.layout), &name).or_else(|e| match e.kind() {
                // Its own name was removed, since it has its number's.
                ErrorKind::NotFound if name.exists() => Ok(false),
                _ => Err(e),
            })?;
            let (_, checksum) = Manifest::read(&name, head.snapshot)?;
            if checksum != head.checksum {
                return Err(set_back(head.snapshot).path(&name));
            }
            self.seen().settled = Some(head.snapshot);
        }
        let next = self.layout.snapshot(head.snapshot + 1);
        if !next.try_exists().map_err(|e| Error::from_io(&next, e))? {
            return Ok(true);
        }
        match self.newest(0)?.number > head.snapshot {
            true => Ok(false),
            false => Err(set_back(head.snapshot).path(&next)),
        }
    }

    /// Sends the transaction until there is an answer. It may be sent many times: if it was done, the head is not
    /// what it compares any more, and has our commit's id.
    fn transact(&self, put: i64, head: &Head, proofs: &[Proof]) -> Result<Option<i64>> {
        let held = proofs
            .iter()
            .map(|p| Compare::create_revision(p.key.clone(), CompareOp::Equal, p.create_revision));
        let same = Compare::value(self.locks.identity_key(), CompareOp::Equal, self.locks.identity());
        let upon = Compare::mod_revision(self.key.as_str(), CompareOp::Equal, put);
        let look = [TxnOp::get(self.locks.identity_key(), None), TxnOp::get(self.key.as_str(), None)];
        let tickets = proofs.iter().map(|p| TxnOp::get(p.key.clone(), None));
        let put_head = TxnOp::put(self.key.as_str(), head.encode()?, None);
        let gone = proofs.iter().map(|p| TxnOp::delete(p.key.clone(), None));
        let txn = Txn::new()
            .when(held.chain([same, upon]).collect::<Vec<_>>())
            .and_then(std::iter::once(put_head).chain(gone).collect::<Vec<_>>())
            .or_else(look.into_iter().chain(tickets).collect::<Vec<_>>());
        let until = Instant::now() + PATIENCE;
        let mut is_first = true;
        let answer = loop {
            let sent = txn.clone();
            match self.locks.send(|client| async move { client.kv_client().txn(sent).await }) {
                Ok(answer) => break answer,
                Err(error @ LockError::Unavailable { .. }) if Instant::now() >= until => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        format!("{UNKNOWN}: commit {} was sent, and {error}", head.commit),
                    ));
                }
                Err(LockError::Unavailable { .. }) => std::thread::sleep(Duration::from_millis(100)),
                // Refused before it was ever sent, or after it may have been done.
                Err(error) if is_first => return Err(from_lock(error)),
                Err(error) => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        format!("{UNKNOWN}: commit {} was sent, then {error}", head.commit),
                    ));
                }
            }
            is_first = false;
        };
        if answer.succeeded() {
            return Ok(Some(answer.header().map_or(0, ResponseHeader::revision)));
        }
        // From here on it is certain: what made it fail makes every copy of it fail that is still on its way.
        let found = self.answer(&answer, 0)?;
        if found.head.commit == head.commit && found.head.snapshot == head.snapshot {
            return Ok(Some(found.put));
        }
        if !is_first && found.head.snapshot > head.snapshot {
            // Another commit came upon what is now number N, which may be ours.
            let path = self.layout.snapshot(head.snapshot);
            let there = Manifest::read(&path, head.snapshot).map_err(|e| {
                Error::new(
                    ErrorKind::Unavailable,
                    format!("{UNKNOWN}: commit {} was sent, and later {}", head.commit, e.message()),
                )
                .source(e)
            })?;
            if there.0.commit == head.commit {
                return Ok(Some(put));
            }
        }
        if found.put != put {
            return Ok(None);
        }
        let kvs = kvs(&answer);
        let is_held =
            |p: &Proof| kvs.iter().any(|kv| kv.key() == p.key && kv.create_revision() == p.create_revision);
        match proofs.iter().all(is_held) {
            // It became so after the comparison: not within one transaction.
            true => Err(Error::internal("etcd refused a commit for no reason")),
            false => {
                let why = "its ticket is gone: the lock was broken, or its lease ended";
                Err(from_lock(LockError::Lost(why.to_owned())))
            }
        }
    }
}

impl CommitPoint for Etcd {
    fn newest(&self, _known: u64) -> Result<Newest> {
        let before = self.before();
        let answer = self.locks.ask(self.question()).map_err(from_lock)?;
        self.note(self.answer(&answer, before)?)
    }

    fn newest_to_read(&self, _known: u64) -> Result<Newest> {
        let error = match self.ask_once() {
            Ok(answer) => return self.note(answer),
            Err(error) if error.kind() == ErrorKind::Unavailable => error,
            Err(error) => return Err(error),
        };
        let (ours, kept) = {
            let seen = self.seen();
            (seen.known.clone(), seen.manifest.clone())
        };
        let theirs = self.place.read(self.locks.cluster_id());
        let known = ours.into_iter().chain(theirs).max_by_key(|known| (known.head.snapshot, known.at));
        let Some(known) = known else {
            return Err(Error::new(error.kind(), error.message())
                .hint("nothing is known on this machine of the newest snapshot; try again")
                .source(error));
        };
        let fits = |(manifest, checksum): &(Arc<Manifest>, u32)| {
            manifest.number == known.head.snapshot && *checksum == known.head.checksum
        };
        let manifest = match kept.filter(fits) {
            Some(kept) => kept,
            None => known.head.read(&self.layout)?,
        };
        tracing::info!(%error, snapshot = manifest.0.number, "read as of the last snapshot that is known");
        Ok(Newest { number: manifest.0.number, manifest: Some(manifest), as_of: Some(known.at) })
    }

    fn newest_at_hand(&self, known: u64) -> Result<Newest> {
        let at_hand = {
            let seen = self.seen();
            seen.manifest.clone().filter(|_| seen.put > 0)
        };
        match at_hand {
            Some(manifest) if manifest.0.number >= known => {
                Ok(Newest { number: manifest.0.number, manifest: Some(manifest), as_of: None })
            }
            _ => self.newest(known),
        }
    }

    fn lock(&self, set: &LockSet, wait: Duration) -> Option<Result<(Box<dyn Held>, Newest)>> {
        let both = || {
            let before = self.before();
            let (held, answer) =
                self.locks.acquire_and_read(set, wait, &[self.key.as_str()]).map_err(from_lock)?;
            let newest = self.note(self.answer(&answer, before)?)?;
            Ok((held, newest))
        };
        Some(both())
    }

    fn propose(&self, manifest: &Manifest, wish: &Wish, _turn: Turn) -> Result<bool> {
        let (before, put) = {
            let seen = self.seen();
            (seen.known.as_ref().map(|known| known.head.clone()), seen.put)
        };
        let upon = before
            .filter(|head| head.snapshot + 1 == manifest.number && manifest.parent == Some(head.checksum));
        let Some(upon) = upon else { return Ok(false) };
        if !self.settle(&upon)? {
            return Ok(false);
        }
        let encoded = manifest.encode()?;
        let head = Head::of(manifest, &encoded);
        let path = head.path(&self.layout);
        let written = self.files.create(&path, &encoded);
        let written = written.and_then(|()| self.files.sync_folder(&self.layout.snapshots()));
        // All that the manifest names was being made durable meanwhile.
        let durable = written.and_then(|()| wish.syncs.wait());
        let done = durable.and_then(|()| self.transact(put, &head, &wish.proofs));
        let revision = match done {
            Ok(Some(revision)) => revision,
            Err(error) if error.message().starts_with(UNKNOWN) => return Err(error),
            refused => {
                // It is no part of the store; gc would remove it as well.
                let _ = self.files.remove(&path);
                return refused.map(|_| false);
            }
        };
        // For those who look for it by its number; whoever comes next does it, if this fails.
        let name = self.layout.snapshot(manifest.number);
        match self.files.link(&path, &name) {
            Ok(is_new) => self.seen().settled = is_new.then_some(manifest.number),
            Err(error) => tracing::debug!(%error, "a snapshot has no name by its number yet"),
        }
        let checksum = head.checksum;
        self.remember(revision, revision, head, (Arc::new(manifest.clone()), checksum));
        Ok(true)
    }

    fn compares_proofs(&self) -> bool {
        true
    }

    fn faults(&self) -> Vec<(String, String)> {
        let error = match self.newest(0) {
            Ok(newest) => match newest.manifest {
                Some((_, checksum)) => {
                    let head = self.seen().known.as_ref().map(|known| known.head.clone());
                    let settled =
                        head.filter(|head| head.checksum == checksum).map(|head| self.settle(&head));
                    match settled {
                        Some(Err(error)) => error,
                        _ => return Vec::new(),
                    }
                }
                None => return Vec::new(),
            },
            Err(error) => error,
        };
        let action = match error.kind() {
            ErrorKind::Unavailable => {
                "nothing: etcd must answer first; reads go on at the last snapshot known here"
            }
            _ => {
                "nothing: restore etcd from a copy of its own data that is as new as the store; or make a new store \
                 elsewhere with `hypostyle init`, and write the tables into it from the Parquet files of this one, \
                 which are not touched"
            }
        };
        vec![(error.message().to_owned(), action.to_owned())]
    }
}

fn set_back(snapshot: u64) -> Error {
    Error::corrupt(format!(
        "etcd says that snapshot {snapshot} is the newest, and the store has come further: etcd was set back to an \
         older state"
    ))
    .hint("`hypostyle repair` says what can be done")
}

/// All that a transaction read.
fn kvs(answer: &TxnResponse) -> Vec<KeyValue> {
    let of = |response| match response {
        TxnOpResponse::Get(mut get) => get.take_kvs(),
        _ => Vec::new(),
    };
    answer.op_responses().into_iter().flat_map(of).collect()
}
