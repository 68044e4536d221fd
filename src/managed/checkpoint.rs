//! Entries of a snapshot in one file, of which a reader takes only the blocks that it needs: all of them in a
//! checkpoint, those that one commit changed in a list.
//!
//! A block is lines of JSON, `["table/wind",{…}]`, in the order of the names; `null` for what was taken away. Which
//! name each block begins with, and its checksum, stand in the manifests that build upon the file: so that an entry
//! is found with one read.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::manifest::{Block, Checkpoint, Entry};
use crate::{Error, Result};

/// The bytes from which on a block is full.
const FULL: usize = 32 << 10;

/// The bytes of a checkpoint's file, and how manifests speak of it.
pub(super) fn encode<E: serde::Serialize>(
    number: u64,
    file: String,
    entries: &BTreeMap<String, E>,
) -> Result<(Vec<u8>, Checkpoint)> {
    let mut bytes = Vec::new();
    let mut blocks = Vec::new();
    let mut begin: Option<(&String, usize)> = None;
    for (at, (name, entry)) in entries.iter().enumerate() {
        let (first, start) = *begin.get_or_insert((name, bytes.len()));
        serde_json::to_writer(&mut bytes, &(name, entry))
            .map_err(|e| Error::internal("an entry is no JSON").source(e))?;
        bytes.push(b'\n');
        if bytes.len() - start >= FULL || at + 1 == entries.len() {
            let block = bytes.get(start..).unwrap_or_default();
            blocks.push(Block {
                first: first.clone(),
                at: start as u64,
                bytes: block.len() as u64,
                checksum: crc32fast::hash(block),
            });
            begin = None;
        }
    }
    Ok((bytes, Checkpoint { number, file, blocks, last: None }))
}

/// The same for what one commit changed.
pub(super) fn encode_list(
    number: u64,
    file: String,
    changes: &BTreeMap<String, Option<Entry>>,
) -> Result<(Vec<u8>, Checkpoint)> {
    let (bytes, mut list) = encode(number, file, changes)?;
    list.last = changes.keys().next_back().cloned();
    Ok((bytes, list))
}

impl Checkpoint {
    /// The block that an entry of that name would stand in.
    pub(super) fn block_of(&self, name: &str) -> Option<&Block> {
        if self.last.as_deref().is_some_and(|last| last < name) {
            return None;
        }
        let after = self.blocks.partition_point(|block| block.first.as_str() <= name);
        after.checked_sub(1).and_then(|at| self.blocks.get(at))
    }

    /// The blocks in which entries may stand whose names begin so.
    pub(super) fn blocks_of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Block> {
        let before = self.blocks.partition_point(|block| block.first.as_str() < prefix).saturating_sub(1);
        let blocks = self.blocks.get(before..).unwrap_or_default().iter();
        blocks.take_while(move |block| block.first.as_str() < prefix || block.first.starts_with(prefix))
    }
}

/// A block as it was read.
#[derive(Debug)]
pub(super) struct Loaded {
    bytes: Vec<u8>,
    /// Where each line's name and the line itself stand, in the order of the names.
    lines: Vec<(Range<usize>, Range<usize>)>,
}

impl Loaded {
    fn name(&self, at: &Range<usize>) -> &[u8] {
        self.bytes.get(at.clone()).unwrap_or_default()
    }

    fn entry(&self, line: &Range<usize>, path: &Path) -> Result<(String, Option<Entry>)> {
        let line = self.bytes.get(line.clone()).unwrap_or_default();
        serde_json::from_slice(line).map_err(|e| corrupt("has an odd entry", path).source(e))
    }

    /// The entry of that name, if the block has one; within, `None` for what was taken away.
    pub(super) fn find(&self, name: &str, path: &Path) -> Result<Option<Option<Entry>>> {
        let found = self.lines.binary_search_by(|(at, _)| self.name(at).cmp(name.as_bytes()));
        let Some((_, line)) = found.ok().and_then(|at| self.lines.get(at)) else { return Ok(None) };
        self.entry(line, path).map(|(_, entry)| Some(entry))
    }

    /// The entries whose names `wanted` wants.
    pub(super) fn all(
        &self,
        path: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Option<Entry>)>> {
        let is_wanted = |name: &Range<usize>| std::str::from_utf8(self.name(name)).is_ok_and(&wanted);
        self.lines
            .iter()
            .filter(|(name, _)| is_wanted(name))
            .map(|(_, line)| self.entry(line, path))
            .collect()
    }
}

fn corrupt(what: &str, path: &Path) -> Error {
    Error::corrupt(format!("the list of tables and models {what}")).path(path)
}

/// Reads a block.
pub(super) fn read(path: &Path, block: &Block) -> Result<Loaded> {
    let from_io = |e| Error::from_io(path, e);
    let corrupt = |what: &str| corrupt(what, path);
    let file = File::open(path).map_err(from_io)?;
    let size = file.metadata().map_err(from_io)?.len();
    let end = block.at.checked_add(block.bytes).filter(|end| *end <= size);
    end.ok_or_else(|| corrupt("is truncated"))?;
    let length = usize::try_from(block.bytes).map_err(|_| corrupt("is too large"))?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, block.at).map_err(from_io)?;
    if crc32fast::hash(&bytes) != block.checksum {
        return Err(corrupt("was changed: its checksum does not fit"));
    }
    let mut lines = Vec::new();
    let mut start = 0;
    for line in bytes.split(|b| *b == b'\n') {
        let end = start + line.len();
        if !line.is_empty() {
            // A name has no character that JSON escapes: it is found without reading the entry.
            let name = line.strip_prefix(b"[\"").and_then(|rest| rest.iter().position(|b| *b == b'"'));
            let name = name.ok_or_else(|| corrupt("has an odd line"))?;
            lines.push((start + 2..start + 2 + name, start..end));
        }
        start = end + 1;
    }
    Ok(Loaded { bytes, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_found_in_its_block_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let entries: BTreeMap<String, Entry> =
            (0..10_000).map(|n| (format!("tag/t{n:05}"), Entry::Tag(n))).collect();
        let (bytes, checkpoint) = encode(9, "c".to_owned(), &entries).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        assert!(checkpoint.blocks.len() > 3);
        for (name, entry) in entries.iter().step_by(97) {
            let block = checkpoint.block_of(name).unwrap();
            let loaded = read(&path, block).unwrap();
            assert_eq!(loaded.find(name, &path).unwrap(), Some(Some(entry.clone())));
            assert_eq!(loaded.all(&path, |n| n == name).unwrap(), [(name.clone(), Some(entry.clone()))]);
        }
        assert!(checkpoint.block_of("a").is_none());
        let block = checkpoint.block_of("zzz").unwrap();
        assert_eq!(read(&path, block).unwrap().find("zzz", &path).unwrap(), None);
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read(&path, block).unwrap_err().to_string().contains("truncated"));
        let mut bent = bytes;
        *bent.last_mut().unwrap() = b' ';
        std::fs::write(&path, &bent).unwrap();
        assert!(read(&path, block).unwrap_err().to_string().contains("changed"));
        assert!(encode(0, "e".to_owned(), &BTreeMap::<String, Entry>::new()).unwrap().1.blocks.is_empty());
    }
    #[test]
    fn a_list_has_what_one_commit_changed_and_what_it_took_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let changes: BTreeMap<String, Option<Entry>> =
            (0..5_000).map(|n| (format!("tag/t{n:05}"), (n % 2 == 0).then_some(Entry::Tag(n)))).collect();
        let (bytes, list) = encode_list(9, "c".to_owned(), &changes).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        for (name, change) in changes.iter().step_by(31) {
            let loaded = read(&path, list.block_of(name).unwrap()).unwrap();
            assert_eq!(loaded.find(name, &path).unwrap(), Some(change.clone()));
        }
        for beyond in ["tag/t05000", "tag/u", "z"] {
            assert!(list.block_of(beyond).is_none(), "{beyond}");
        }
        let of = |prefix: &str| -> usize {
            let blocks = list.blocks_of(prefix).collect::<Vec<_>>();
            let wanted = |n: &str| n.starts_with(prefix);
            blocks.into_iter().map(|b| read(&path, b).unwrap().all(&path, wanted).unwrap().len()).sum()
        };
        for (prefix, count) in
            [("", 5_000), ("tag/", 5_000), ("tag/t00", 1_000), ("tag/t04999", 1), ("a", 0), ("u", 0)]
        {
            assert_eq!(of(prefix), count, "{prefix}");
        }
        assert!(list.blocks_of("tag/t00").count() < list.blocks.len());
    }
}
