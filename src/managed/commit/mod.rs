//! From what somebody wants changed to the next snapshot: upon the newest one, as often as somebody else was first.

#[cfg(feature = "etcd")]
mod etcd;
mod local;
mod turn;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hypostyle_lock::{Held, LockSet, Proof};

use super::checkpoint;
use super::files::{Files, Syncs};
use super::layout::Layout;
use super::manifest::{Checkpoint, Entry, Manifest};
use super::snapshot::{Kept, Snapshot};
use super::unique::{now, unique, who};
use crate::{Error, ErrorKind, Result};

#[cfg(feature = "etcd")]
pub(super) use etcd::Etcd;
pub(super) use local::Local;
pub(super) use turn::Turn;

/// How far a manifest's checkpoint may lie back.
pub(super) const FURTHEST: u64 = 64;

/// Changes from so many on stand in a list of their own: whoever opens the store reads the newest manifest.
const MANY: usize = 128;

/// Lists that a manifest names at most, before a new checkpoint takes them in: an entry is looked for in each.
const MOST_LISTS: usize = 4;

/// Where it is decided which manifest is the next snapshot.
pub(super) trait CommitPoint: Send + Sync + fmt::Debug {
    /// The newest snapshot, not before `known`.
    fn newest(&self, known: u64) -> Result<Newest>;

    /// The same for those who only read: where nobody can be asked, the last one known on this machine.
    fn newest_to_read(&self, known: u64) -> Result<Newest> {
        self.newest(known)
    }

    /// A snapshot to begin a commit with that is refused by itself if it is not the newest any more: at least as
    /// new as the last that was looked for.
    fn newest_at_hand(&self, known: u64) -> Result<Newest> {
        self.newest(known)
    }

    /// Takes locks, at most after `wait`, and finds the newest snapshot as of the grant, where the point does both in
    /// one step.
    fn lock(&self, _set: &LockSet, _wait: Duration) -> Option<Result<(Box<dyn Held>, Newest)>> {
        None
    }

    /// Makes a manifest the next snapshot, durably, once all that `wish` needs is durable, and while all that it names
    /// in its proofs is held; `false` if another manifest is the next one. Where the point
    /// [compares](Self::compares_proofs) these, they are given back with it.
    ///
    /// An error says that it is not, unless its kind is [`ErrorKind::Unavailable`] and its message begins with
    /// [`UNKNOWN`].
    fn propose(&self, manifest: &Manifest, wish: &Wish, turn: Turn) -> Result<bool>;

    /// Waits until others who commit just now have done so, if that saves work, and until what `syncs` has is durable,
    /// if that cannot be waited for later without keeping others from their turn.
    fn turn(&self, _syncs: &Syncs) -> Result<Turn> {
        Ok(Turn::default())
    }

    /// Whether the point itself compares what is held, so that nobody need ask before, and gives it back in the same
    /// step if it makes the commit.
    fn compares_proofs(&self) -> bool {
        false
    }

    /// What is wrong with the point itself, and what could be done: for `repair`.
    fn faults(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// The newest snapshot, as a commit point found it.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    pub(super) number: u64,
    /// Its manifest and checksum, where the point has read them: it may not stand under its number yet.
    pub(super) manifest: Option<(Arc<Manifest>, u32)>,
    /// If nobody could be asked: when it was known to be the newest, in nanoseconds since 1970.
    pub(super) as_of: Option<u64>,
}

impl From<u64> for Newest {
    fn from(number: u64) -> Self {
        Self { number, manifest: None, as_of: None }
    }
}

/// How the message of an error begins that leaves open whether the commit was made.
pub(super) const UNKNOWN: &str = "outcome unknown";

/// What a commit changes.
pub(super) type Changes = BTreeMap<String, Option<Entry>>;

/// A commit that somebody wants.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) commit: String,
    pub(super) who: String,
    pub(super) what: String,
    /// Moves the oldest snapshot that is kept.
    pub(super) horizon: Option<u64>,
    /// What must be held when it is committed.
    pub(super) proofs: Vec<Proof>,
    /// What must be durable before it counts.
    pub(super) syncs: Syncs,
}

impl Wish {
    pub(super) fn new(what: impl Into<String>) -> Self {
        let (what, proofs, syncs) = (what.into(), Vec::new(), Syncs::default());
        Self { commit: unique(), who: who(), what, horizon: None, proofs, syncs }
    }
}

/// A store's folder and its commit point, as a commit needs them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'s> {
    pub(super) layout: &'s Layout,
    pub(super) files: &'s Files,
    pub(super) kept: &'s Kept,
    pub(super) point: &'s dyn CommitPoint,
}

/// Commits what `changes` says upon the newest snapshot, and is asked again if another commit was first.
///
/// An answer that did not come is looked for by the commit's id, so nothing is ever committed twice.
pub(super) fn commit(
    ground: Ground<'_>,
    wish: &Wish,
    mut changes: impl FnMut(&Snapshot<'_>) -> Result<Changes>,
) -> Result<Manifest> {
    let mut checkpoint: Option<Checkpoint> = None;
    let mut turn = ground.point.turn(&wish.syncs)?;
    // What is held has not changed since it was looked at; so its holder needs no other look to begin with.
    let mut newest = match wish.proofs.is_empty() {
        true => ground.point.newest(0)?,
        false => ground.point.newest_at_hand(0)?,
    };
    loop {
        let head = Snapshot::newest(ground.layout, ground.kept, &newest)?;
        let changes = changes(&head)?;
        let next = next(ground, &head, wish, changes, &mut checkpoint)?;
        match ground.point.propose(&next, wish, std::mem::take(&mut turn)) {
            Ok(true) => return Ok(next),
            // Somebody else's commit is the next snapshot, so the store goes on.
            Ok(false) => {
                turn = ground.point.turn(&wish.syncs)?;
                newest = ground.point.newest(newest.number)?;
            }
            Err(error) if error.message().starts_with(UNKNOWN) => {
                // The name stands, whether or not it would outlast a power cut just now.
                return Err(error.hint(format!(
                    "`hypostyle log` shows whether commit {} stands; do not repeat it before",
                    wish.commit
                )));
            }
            Err(error) => return Err(error),
        }
    }
}

/// The manifest that would follow `head`.
fn next(
    ground: Ground<'_>,
    head: &Snapshot<'_>,
    wish: &Wish,
    changes: Changes,
    checkpoint: &mut Option<Checkpoint>,
) -> Result<Manifest> {
    let number = head.number() + 1;
    let before = &head.manifest;
    let far = |checkpoint: Option<&Checkpoint>| number - checkpoint.map_or(0, |c| c.number) >= FURTHEST;
    let mut recent;
    let builds_upon;
    let mut lists = before.lists.clone();
    let is_full = changes.len() >= MANY && lists.len() >= MOST_LISTS;
    if is_full || far(before.checkpoint.as_ref()) {
        if checkpoint.as_ref().is_none_or(|made| far(Some(made)) || made.number > head.number()) {
            *checkpoint = Some(write_checkpoint(ground, head)?);
        }
        builds_upon = checkpoint.clone();
        // What changed between the new checkpoint and the head, which moved on since it was written.
        let made = builds_upon.as_ref().map_or(0, |c| c.number);
        recent = before.recent.clone();
        recent.retain(|_, changed| *changed > made);
        lists.retain(|list| list.number > made);
    } else {
        builds_upon = before.checkpoint.clone();
        recent = before.recent.clone();
    }
    let changes = if changes.len() >= MANY {
        recent.retain(|name, _| !changes.contains_key(name));
        lists.push(write_list(ground, number, &changes)?);
        Changes::new()
    } else {
        recent.extend(changes.keys().map(|name| (name.clone(), number)));
        changes
    };
    Ok(Manifest {
        number,
        time: now().max(before.time.saturating_add(1)),
        commit: wish.commit.clone(),
        who: wish.who.clone(),
        what: wish.what.clone(),
        parent: Some(head.checksum),
        horizon: wish.horizon.unwrap_or(0).max(before.horizon),
        checkpoint: builds_upon,
        recent,
        changes,
        lists,
    })
}

/// What a commit changes, where that is much. Should the commit come to nothing, gc takes it away.
fn write_list(ground: Ground<'_>, number: u64, changes: &Changes) -> Result<Checkpoint> {
    let name = Layout::checkpoint_name(number, &unique());
    let path = ground.layout.checkpoint(&name)?;
    let (bytes, list) = checkpoint::encode_list(number, name, changes)?;
    ground.files.create(&path, &bytes)?;
    ground.files.sync_folder(&ground.layout.checkpoints())?;
    Ok(list)
}

fn write_checkpoint(ground: Ground<'_>, head: &Snapshot<'_>) -> Result<Checkpoint> {
    let name = Layout::checkpoint_name(head.number(), &unique());
    let path = ground.layout.checkpoint(&name)?;
    let (bytes, checkpoint) = checkpoint::encode(head.number(), name, &head.entries("")?)?;
    ground.files.create(&path, &bytes)?;
    ground.files.sync_folder(&ground.layout.checkpoints())?;
    Ok(checkpoint)
}

/// Who changed a table since it was looked at, for the one who wanted to change it too.
pub(super) fn conflict(table: &str, by: &Manifest) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!(
            "another commit was first: snapshot {} by {} at {} ({})",
            by.number,
            by.who,
            super::unique::moment(by.time),
            by.what
        ),
    )
    .table(table)
    .hint("read the table again, and write what is to be changed now")
}
