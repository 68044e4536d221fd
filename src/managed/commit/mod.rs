//! From what somebody wants changed to the next snapshot: upon the newest one, as often as somebody else was first.

mod local;

use std::collections::BTreeMap;
use std::fmt;

use super::checkpoint;
use super::files::Files;
use super::layout::Layout;
use super::manifest::{Checkpoint, Entry, Manifest};
use super::snapshot::{Kept, Snapshot};
use super::unique::{now, unique, who};
use crate::{Error, ErrorKind, Result};

pub(super) use local::Local;

/// How far a manifest's checkpoint may lie back.
pub(super) const FURTHEST: u64 = 64;

/// Where it is decided which manifest is the next snapshot.
pub(super) trait CommitPoint: Send + Sync + fmt::Debug {
    /// The newest snapshot, not before `known`.
    fn newest(&self, known: u64) -> Result<u64>;

    /// Makes a manifest the next snapshot, durably; `false` if another one is.
    ///
    /// An error says that it is not, unless its kind is [`ErrorKind::Unavailable`] and its message begins with
    /// [`UNKNOWN`].
    fn propose(&self, manifest: &Manifest) -> Result<bool>;
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
}

impl Wish {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { commit: unique(), who: who(), what: what.into(), horizon: None }
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
    let mut known = 0;
    loop {
        known = ground.point.newest(known)?;
        let head = Snapshot::read(ground.layout, ground.kept, known)?;
        let changes = changes(&head)?;
        let next = next(ground, &head, wish, changes, &mut checkpoint)?;
        match ground.point.propose(&next) {
            Ok(true) => return Ok(next),
            // Somebody else's commit is the next snapshot, so the store goes on.
            Ok(false) => {}
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
    if far(before.checkpoint.as_ref()) {
        if checkpoint.as_ref().is_none_or(|made| far(Some(made)) || made.number > head.number()) {
            *checkpoint = Some(write_checkpoint(ground, head)?);
        }
        builds_upon = checkpoint.clone();
        // What changed between the new checkpoint and the head, which moved on since it was written.
        let made = builds_upon.as_ref().map_or(0, |c| c.number);
        recent = before.recent.clone();
        recent.retain(|_, changed| *changed > made);
    } else {
        builds_upon = before.checkpoint.clone();
        recent = before.recent.clone();
    }
    recent.extend(changes.keys().map(|name| (name.clone(), number)));
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
    })
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
