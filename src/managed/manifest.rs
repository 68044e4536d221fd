//! What a snapshot's file says: what its commit changed, and where the rest stands.
//!
//! ```text
//! hypostyle manifest 1 9ae3f01c 1234     the checksum (CRC-32) and the length of what follows
//! {"number":42,"time":…,"changes":{…}}   JSON, on one line
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use hypostyle_engine::KeyPoint;
use serde::{Deserialize, Serialize};

use super::models::ModelEntry;
use crate::{Error, Result};

/// More than this is no manifest.
const MOST_BYTES: u64 = 1 << 30;

const MAGIC: &str = "hypostyle manifest 1 ";

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) number: u64,
    /// Nanoseconds since 1970. Of two snapshots the later has the greater time.
    pub(super) time: u64,
    /// What its writer calls this commit, to find it again when no answer came.
    pub(super) commit: String,
    pub(super) who: String,
    /// What was done, for people.
    pub(super) what: String,
    /// The checksum of the manifest before.
    pub(super) parent: Option<u32>,
    /// Snapshots before this one are gone, but for those that have a tag.
    pub(super) horizon: u64,
    /// All entries as of an earlier snapshot.
    pub(super) checkpoint: Option<Checkpoint>,
    /// Entries that changed since the checkpoint, and in which snapshot they did last.
    pub(super) recent: BTreeMap<String, u64>,
    /// What this commit changed; `None` takes an entry away. Empty if that is too much to stand here: then the last of
    /// the lists has it.
    pub(super) changes: BTreeMap<String, Option<Entry>>,
    /// What commits changed since the checkpoint that changed much: each a list by itself, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lists: Vec<Checkpoint>,
}

/// A list of all entries, in blocks that are read one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    pub(super) number: u64,
    pub(super) file: String,
    pub(super) blocks: Vec<Block>,
    /// The last name in it, if it has but what one commit changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<String>,
}

/// Some neighbouring entries of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    pub(super) first: String,
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) checksum: u32,
}

/// What a store knows under one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Table(TableEntry),
    /// A name for a snapshot.
    Tag(u64),
    /// Fences below this one are refused for the table of that name.
    Floor(u64),
    Model(ModelEntry),
}

/// A table as of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    /// The snapshot that changed it last.
    pub(super) changed: u64,
    pub(super) key: Vec<String>,
    pub(super) columns: Vec<ColumnEntry>,
    pub(super) files: Vec<FileEntry>,
    /// The fence of its last writer.
    pub(super) fence: u64,
}

/// A column and its Arrow type, in Arrow's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnEntry {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) data_type: String,
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    /// Below the root.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// CRC-32 of the whole file.
    pub(super) checksum: u32,
    /// CRC-32 of the footer with its length and magic.
    pub(super) footer: u32,
    pub(super) rows: u64,
    /// The least and the greatest first key; none without rows.
    #[serde(with = "range")]
    pub(super) keys: Option<(KeyPoint, KeyPoint)>,
    /// Whether its rows ascend by the whole key.
    pub(super) sorted: bool,
    /// CRC-32 of its columns' names and types.
    pub(super) schema: u32,
    pub(super) fence: u64,
}

impl Manifest {
    /// The bytes of its file.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let body =
            serde_json::to_vec(self).map_err(|e| Error::internal("a manifest is no JSON").source(e))?;
        let mut bytes = format!("{MAGIC}{:08x} {}\n", crc32fast::hash(&body), body.len()).into_bytes();
        bytes.extend_from_slice(&body);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the bytes of a file that should be snapshot `number`.
    pub(super) fn decode(bytes: &[u8], number: u64) -> Result<Self> {
        let wrong = |what: String| Error::corrupt(format!("the manifest of snapshot {number} {what}"));
        let end = bytes.iter().position(|b| *b == b'\n');
        let (head, rest) = bytes.split_at_checked(end.unwrap_or(0)).unwrap_or_default();
        let head = std::str::from_utf8(head).ok().and_then(|head| head.strip_prefix(MAGIC));
        let numbers = head.and_then(|head| head.split_once(' '));
        let numbers = numbers
            .and_then(|(crc, len)| Some((u32::from_str_radix(crc, 16).ok()?, len.parse::<usize>().ok()?)));
        let Some((checksum, length)) = numbers else {
            return Err(wrong("does not begin as one".to_owned()));
        };
        let body =
            rest.get(1..).and_then(|rest| rest.strip_suffix(b"\n")).filter(|body| body.len() == length);
        let Some(body) = body else {
            let there = rest.len().saturating_sub(2);
            return Err(wrong(format!("is truncated: it should have {length} bytes, and has {there}")));
        };
        if crc32fast::hash(body) != checksum {
            return Err(wrong("was changed: its checksum does not fit".to_owned()));
        }
        let manifest: Self =
            serde_json::from_slice(body).map_err(|e| wrong(format!("cannot be read: {e}")).source(e))?;
        if manifest.number != number {
            return Err(wrong(format!("is that of snapshot {}", manifest.number)));
        }
        Ok(manifest)
    }

    /// Reads a file that should be snapshot `number`, and its checksum, by which its child names it.
    pub(super) fn read(path: &Path, number: u64) -> Result<(Self, u32)> {
        let from_io = |e| Error::from_io(path, e);
        let size = std::fs::metadata(path).map_err(from_io)?.len();
        if size > MOST_BYTES {
            return Err(Error::corrupt("it is too large for a manifest").path(path));
        }
        let bytes = hypostyle_io::read_small(path).map_err(from_io)?;
        Ok((Self::decode(&bytes, number).map_err(|e| e.path(path))?, crc32fast::hash(&bytes)))
    }
}

impl TableEntry {
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// Under which key the entries stand; a kind's entries are neighbours.
pub(super) mod names {
    pub(in super::super) const TABLE: &str = "table/";
    pub(in super::super) const TAG: &str = "tag/";
    pub(in super::super) const MODEL: &str = "model/";

    pub(in super::super) fn table(name: &str) -> String {
        format!("{TABLE}{name}")
    }

    pub(in super::super) fn tag(name: &str) -> String {
        format!("{TAG}{name}")
    }

    pub(in super::super) fn model(name: &str) -> String {
        format!("{MODEL}{name}")
    }

    pub(in super::super) fn floor(name: &str) -> String {
        format!("floor/{name}")
    }
}

/// A pair of key points as a pair of texts.
mod range {
    use hypostyle_engine::KeyPoint;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Range = Option<(KeyPoint, KeyPoint)>;

    pub(super) fn serialize<S: Serializer>(range: &Range, serializer: S) -> Result<S::Ok, S::Error> {
        range.as_ref().map(|(first, last)| (first.to_string(), last.to_string())).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Range, D::Error> {
        let texts = Option::<(String, String)>::deserialize(deserializer)?;
        let point = |text: String| text.parse().map_err(|_| D::Error::custom("a key range makes no sense"));
        texts.map(|(first, last)| Ok((point(first)?, point(last)?))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn manifest() -> Manifest {
        let file = FileEntry {
            name: "wind/3-ab.parquet".to_owned(),
            bytes: 10,
            checksum: 1,
            footer: 2,
            rows: 3,
            keys: Some(("-5".parse().unwrap(), "170000000000000000000000000000000000001".parse().unwrap())),
            sorted: true,
            schema: 9,
            fence: 3,
        };
        let empty = FileEntry { keys: None, rows: 0, ..file.clone() };
        let table = TableEntry {
            changed: 7,
            key: vec!["ts".to_owned()],
            columns: vec![ColumnEntry { name: "ts".to_owned(), data_type: "Int64".to_owned() }],
            files: vec![file, empty],
            fence: 3,
        };
        let changes = [
            (names::table("wind"), Some(Entry::Table(table))),
            (names::tag("a"), None),
            (names::floor("wind"), Some(Entry::Floor(u64::MAX))),
        ];
        Manifest {
            number: 7,
            time: u64::MAX,
            commit: "c".to_owned(),
            who: "w\n\"".to_owned(),
            what: "write".to_owned(),
            parent: Some(5),
            horizon: 0,
            checkpoint: None,
            recent: BTreeMap::from([("table/wind".to_owned(), 7)]),
            changes: changes.into(),
            lists: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_survives_its_bytes() {
        let manifest = manifest();
        assert_eq!(Manifest::decode(&manifest.encode().unwrap(), 7).unwrap(), manifest);
    }

    #[test]
    fn every_truncation_and_every_changed_byte_is_found() {
        let bytes = manifest().encode().unwrap();
        for length in 0..bytes.len() {
            let error = Manifest::decode(&bytes[..length], 7).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}");
            assert!(error.to_string().contains("snapshot 7"), "{error}");
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 0x10;
            assert!(Manifest::decode(&bent, 7).is_err(), "{at}");
        }
        assert!(Manifest::decode(&bytes, 8).unwrap_err().to_string().contains("that of snapshot 7"));
        assert!(Manifest::decode(&[&bytes[..], b"x"].concat(), 7).is_err());
    }
}
