//! All entries of a snapshot in one file, of which a reader takes only the blocks that it needs.
//!
//! A block is lines of JSON, `["table/wind",{…}]`, in the order of the names. Which name each block begins with, and
//! its checksum, stand in the manifests that build upon the checkpoint: so that a table is found with one read.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::manifest::{Block, Checkpoint, Entry};
use crate::{Error, Result};

/// The bytes from which on a block is full.
const FULL: usize = 32 << 10;

/// The bytes of a checkpoint's file, and how manifests speak of it.
pub(super) fn encode(
    number: u64,
    file: String,
    entries: &BTreeMap<String, Entry>,
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
    Ok((bytes, Checkpoint { number, file, blocks }))
}

impl Checkpoint {
    /// The block that an entry of that name would stand in.
    pub(super) fn block_of(&self, name: &str) -> Option<&Block> {
        let after = self.blocks.partition_point(|block| block.first.as_str() <= name);
        after.checked_sub(1).and_then(|at| self.blocks.get(at))
    }
}

/// Reads the entries of a block that `wanted` wants.
pub(super) fn read(
    path: &Path,
    block: &Block,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, Entry)>> {
    let from_io = |e| Error::from_io(path, e);
    let corrupt = |what: &str| Error::corrupt(format!("the list of tables {what}")).path(path);
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
    let mut entries = Vec::new();
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        // A name has no character that JSON escapes: it is found without reading the entry.
        let name = line.strip_prefix(b"[\"").and_then(|rest| rest.split(|b| *b == b'"').next());
        let name =
            name.and_then(|name| std::str::from_utf8(name).ok()).ok_or_else(|| corrupt("has an odd line"))?;
        if wanted(name) {
            let (name, entry) = serde_json::from_slice(line).map_err(|_| corrupt("has an odd entry"))?;
            entries.push((name, entry));
        }
    }
    Ok(entries)
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
            let found = read(&path, block, |n| n == name).unwrap();
            assert_eq!(found, [(name.clone(), entry.clone())]);
        }
        assert!(checkpoint.block_of("a").is_none());
        let block = checkpoint.block_of("zzz").unwrap();
        assert!(read(&path, block, |n| n == "zzz").unwrap().is_empty());
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read(&path, block, |_| true).unwrap_err().to_string().contains("truncated"));
        let mut bent = bytes;
        *bent.last_mut().unwrap() = b' ';
        std::fs::write(&path, &bent).unwrap();
        assert!(read(&path, block, |_| true).unwrap_err().to_string().contains("changed"));
        assert!(encode(0, "e".to_owned(), &BTreeMap::new()).unwrap().1.blocks.is_empty());
    }
}
