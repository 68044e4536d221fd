//! One snapshot: which entries it has. Immutable, so whatever is read of it is remembered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use super::checkpoint::{self, Loaded};
use super::commit::Newest;
use super::layout::Layout;
use super::manifest::{Block, Checkpoint, Entry, Manifest, TableEntry, names};
use super::models::ModelEntry;
use crate::{Error, ErrorKind, Result};

/// Manifests that are kept in memory; each is some kilobytes.
const MOST: usize = 256;

/// Entries of checkpoints that are kept in memory.
const MOST_ENTRIES: usize = 1 << 14;

/// Blocks of checkpoints and lists that are kept in memory, of 32 KiB or a little more.
const MOST_BLOCKS: usize = 512;

/// What was read of manifests and checkpoints.
#[derive(Debug, Default)]
pub(super) struct Kept {
    manifests: Mutex<HashMap<u64, (Arc<Manifest>, u32)>>,
    /// The newest, as a commit point gave it: its file may have another name than its number's.
    newest: Mutex<Option<(Arc<Manifest>, u32)>>,
    /// By the checkpoint's file and the entry's name.
    entries: Mutex<HashMap<(String, String), Found>>,
    /// By the file and the block's place in it.
    blocks: Mutex<HashMap<(String, u64), Arc<Loaded>>>,
}

/// What a list says of an entry, if it has it: `None` within says that it was taken away.
type Found = Option<Option<Entry>>;

impl Kept {
    /// A snapshot's manifest and its checksum.
    pub(super) fn manifest(&self, layout: &Layout, number: u64) -> Result<(Arc<Manifest>, u32)> {
        let poisoned = |_| Error::internal("the lock of the manifests is poisoned");
        if let Some((manifest, checksum)) = self.manifests.lock().map_err(poisoned)?.get(&number) {
            return Ok((Arc::clone(manifest), *checksum));
        }
        let newest =
            self.newest.lock().map_err(|_| Error::internal("the lock of the newest is poisoned"))?.clone();
        if let Some(newest) = newest.filter(|(manifest, _)| manifest.number == number) {
            return Ok(newest);
        }
        let path = layout.snapshot(number);
        let (manifest, checksum) = Manifest::read(&path, number).map_err(|e| match e.kind() {
            ErrorKind::NotFound => missing(number).path(&path),
            _ => e,
        })?;
        let manifest = Arc::new(manifest);
        self.keep(&manifest, checksum)?;
        Ok((manifest, checksum))
    }

    /// Remembers a manifest that was read elsewhere.
    fn keep(&self, manifest: &Arc<Manifest>, checksum: u32) -> Result<()> {
        let mut kept =
            self.manifests.lock().map_err(|_| Error::internal("the lock of the manifests is poisoned"))?;
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(manifest.number, (Arc::clone(manifest), checksum));
        Ok(())
    }
}

fn missing(number: u64) -> Error {
    Error::not_found(format!("the manifest of snapshot {number} is missing"))
        .hint("`hypostyle gc` may have removed it; else `hypostyle repair` says what can be done")
}

/// A snapshot that can be asked.
#[derive(Clone, Debug)]
pub(super) struct Snapshot<'s> {
    layout: &'s Layout,
    kept: &'s Kept,
    pub(super) manifest: Arc<Manifest>,
    pub(super) checksum: u32,
}

impl<'s> Snapshot<'s> {
    pub(super) fn read(layout: &'s Layout, kept: &'s Kept, number: u64) -> Result<Self> {
        let (manifest, checksum) = kept.manifest(layout, number)?;
        Ok(Self { layout, kept, manifest, checksum })
    }

    /// The newest one, as the commit point found it.
    pub(super) fn newest(layout: &'s Layout, kept: &'s Kept, newest: &Newest) -> Result<Self> {
        match &newest.manifest {
            None => Self::read(layout, kept, newest.number),
            Some((manifest, checksum)) => {
                kept.keep(manifest, *checksum)?;
                let poisoned = |_| Error::internal("the lock of the newest is poisoned");
                *kept.newest.lock().map_err(poisoned)? = Some((Arc::clone(manifest), *checksum));
                Ok(Self { layout, kept, manifest: Arc::clone(manifest), checksum: *checksum })
            }
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.manifest.number
    }

    /// The entry of that name.
    pub(super) fn entry(&self, name: &str) -> Result<Option<Entry>> {
        // What changed after a list was made stands in no list.
        if let Some(changed) = self.manifest.recent.get(name) {
            return self.changed_in(*changed, name);
        }
        for list in self.manifest.lists.iter().rev().chain(&self.manifest.checkpoint) {
            if let Some(found) = self.listed(list, name)? {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What a list or a checkpoint says of an entry.
    fn listed(&self, list: &Checkpoint, name: &str) -> Result<Found> {
        let Some(block) = list.block_of(name) else { return Ok(None) };
        let place = (list.file.clone(), name.to_owned());
        let poisoned = |_| Error::internal("the lock of the entries is poisoned");
        if let Some(found) = self.kept.entries.lock().map_err(poisoned)?.get(&place) {
            return Ok(found.clone());
        }
        let found = self.block(list, block)?.find(name, &self.layout.checkpoint(&list.file)?)?;
        let mut entries =
            self.kept.entries.lock().map_err(|_| Error::internal("the lock of the entries is poisoned"))?;
        if entries.len() >= MOST_ENTRIES {
            entries.clear();
        }
        entries.insert(place, found.clone());
        Ok(found)
    }

    fn block(&self, list: &Checkpoint, block: &Block) -> Result<Arc<Loaded>> {
        let place = (list.file.clone(), block.at);
        let poisoned = || Error::internal("the lock of the blocks is poisoned");
        if let Some(loaded) = self.kept.blocks.lock().map_err(|_| poisoned())?.get(&place) {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(checkpoint::read(&self.layout.checkpoint(&list.file)?, block)?);
        let mut blocks = self.kept.blocks.lock().map_err(|_| poisoned())?;
        if blocks.len() >= MOST_BLOCKS {
            blocks.clear();
        }
        blocks.insert(place, Arc::clone(&loaded));
        Ok(loaded)
    }

    /// What its commit changed.
    pub(super) fn changes(&self) -> Result<BTreeMap<String, Option<Entry>>> {
        let mut changes = self.manifest.changes.clone();
        for list in self.manifest.lists.iter().filter(|list| list.number == self.number()) {
            changes.extend(self.all_of(list, "")?);
        }
        Ok(changes)
    }

    fn all_of(&self, list: &Checkpoint, prefix: &str) -> Result<Vec<(String, Option<Entry>)>> {
        let path = self.layout.checkpoint(&list.file)?;
        let mut all = Vec::new();
        for block in list.blocks_of(prefix) {
            all.extend(self.block(list, block)?.all(&path, |name| name.starts_with(prefix))?);
        }
        Ok(all)
    }

    fn changed_in(&self, number: u64, name: &str) -> Result<Option<Entry>> {
        let manifest = if number == self.number() {
            Arc::clone(&self.manifest)
        } else {
            // A manifest that another one builds upon is no matter of choice: without it the store is damaged.
            self.kept.manifest(self.layout, number).map(|(manifest, _)| manifest).map_err(|e| {
                match e.kind() {
                    ErrorKind::NotFound => Error::corrupt(e.message())
                        .path(self.layout.snapshot(number))
                        .hint("`hypostyle repair` says what can be done"),
                    _ => e,
                }
            })?
        };
        manifest.changes.get(name).cloned().ok_or_else(|| {
            Error::corrupt(format!("the manifest of snapshot {number} does not say what became of `{name}`"))
                .path(self.layout.snapshot(number))
        })
    }

    /// The table of that name.
    pub(super) fn table(&self, name: &str) -> Result<Option<TableEntry>> {
        match self.entry(&names::table(name)).map_err(|e| e.table(name))? {
            Some(Entry::Table(table)) => Ok(Some(table)),
            None => Ok(None),
            Some(_) => {
                Err(Error::corrupt("the manifest has something else under the table's name").table(name))
            }
        }
    }

    /// The model of that name.
    pub(super) fn model(&self, name: &str) -> Result<Option<ModelEntry>> {
        match self.entry(&names::model(name))? {
            Some(Entry::Model(model)) => Ok(Some(model)),
            None => Ok(None),
            Some(_) => Err(Error::corrupt(format!(
                "the manifest has something else under the name of model `{name}`"
            ))),
        }
    }

    /// All models by name, those without versions included.
    pub(super) fn models(&self) -> Result<BTreeMap<String, ModelEntry>> {
        let entries = self.entries(names::MODEL)?.into_iter();
        let model = |(name, entry): (String, Entry)| match entry {
            Entry::Model(model) => Some((name.strip_prefix(names::MODEL)?.to_owned(), model)),
            _ => None,
        };
        Ok(entries.filter_map(model).collect())
    }

    /// The lowest fence that may still write the table.
    pub(super) fn floor(&self, name: &str) -> Result<u64> {
        match self.entry(&names::floor(name))? {
            Some(Entry::Floor(floor)) => Ok(floor),
            _ => Ok(0),
        }
    }

    /// The snapshot that a tag names.
    pub(super) fn tag(&self, name: &str) -> Result<Option<u64>> {
        match self.entry(&names::tag(name))? {
            Some(Entry::Tag(number)) => Ok(Some(number)),
            _ => Ok(None),
        }
    }

    /// All entries whose names begin so.
    pub(super) fn entries(&self, prefix: &str) -> Result<BTreeMap<String, Entry>> {
        let mut entries: BTreeMap<String, Option<Entry>> = BTreeMap::new();
        // In the order in which they were made: the later one counts.
        for list in self.manifest.checkpoint.iter().chain(&self.manifest.lists) {
            entries.extend(self.all_of(list, prefix)?);
        }
        for (name, number) in self.manifest.recent.iter().filter(|(name, _)| name.starts_with(prefix)) {
            entries.insert(name.clone(), self.changed_in(*number, name)?);
        }
        Ok(entries.into_iter().filter_map(|(name, entry)| Some((name, entry?))).collect())
    }

    /// All tables by name.
    pub(super) fn tables(&self) -> Result<BTreeMap<String, TableEntry>> {
        let entries = self.entries(names::TABLE)?.into_iter();
        let table = |(name, entry): (String, Entry)| match entry {
            Entry::Table(table) => Some((name.strip_prefix(names::TABLE)?.to_owned(), table)),
            _ => None,
        };
        Ok(entries.filter_map(table).collect())
    }

    /// All tags and the snapshots they name.
    pub(super) fn tags(&self) -> Result<BTreeMap<String, u64>> {
        let entries = self.entries(names::TAG)?.into_iter();
        let tag = |(name, entry): (String, Entry)| match entry {
            Entry::Tag(number) => Some((name.strip_prefix(names::TAG)?.to_owned(), number)),
            _ => None,
        };
        Ok(entries.filter_map(tag).collect())
    }
}
