//! Packs: files with versions of models in them.
//!
//! ```text
//! hypostyle models 1\n        then zeros up to byte 64
//! {"name":"node-17",…}   \n   the card of a version: JSON, with spaces before its end so that what follows is aligned
//! …                           its bytes, beginning at a multiple of 64, then zeros up to the next one
//! {"name":"node-18",…}   \n   the next card
//! ```
//!
//! Where a version begins, how long it is, and its checksum stand in the manifest alone; a card says the rest, and
//! whose bytes follow it, should a manifest be lost.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hypostyle_io::Run;
use serde::{Deserialize, Serialize};

use super::super::files::{Files, Syncing};
use super::super::layout::Layout;
use super::super::unique::{moment, now, unique, who};
use super::entry::{ModelInfo, ModelKind, VersionEntry};
use super::folder;
use crate::{Error, Result};

const MAGIC: &[u8] = b"hypostyle models 1\n";

/// What bytes begin at a multiple of: models that are mapped can be computed with where they lie.
const ALIGNED: u64 = 64;

/// A pack with so many bytes takes no more versions: while it is synced the next one is written.
const FULL: u64 = 64 << 20;

/// What is written at once of something large, between looks at whether it is still wanted.
const PIECE: usize = 4 << 20;

/// Versions that are smaller are written together, up to so many bytes.
const TOGETHER: usize = 1 << 20;

/// A card is no place for data.
pub(crate) const MOST_CARD: usize = 16 << 20;

/// Packs that are synced at once; more wait for the first of them.
const MOST_SYNCING: usize = 16;

/// What is stored as a model.
#[non_exhaustive]
pub enum ModelData {
    /// These bytes.
    Bytes(Bytes),
    /// A file, or a folder with all that is in it, as a tar archive.
    Path(PathBuf),
    /// What is read, to its end.
    Reader(Box<dyn Read + Send>),
}

impl std::fmt::Debug for ModelData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "ModelData({} bytes)", bytes.len()),
            Self::Path(path) => write!(f, "ModelData({})", path.display()),
            Self::Reader(_) => f.write_str("ModelData(a reader)"),
        }
    }
}

impl<T: Into<Bytes>> From<T> for ModelData {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// What is stored with a version.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PutOptions {
    /// A JSON object, of whatever people want to know of it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// The features that it was trained on, as `table:column`: [`Store::frame_for`](crate::Store::frame_for) joins them.
    pub features: Vec<String>,
    /// The snapshot that it was trained on.
    pub trained_on: Option<u64>,
}

/// A version that is to be stored.
#[derive(Debug)]
pub struct NewModel {
    /// The model's name.
    pub name: String,
    /// Its bytes.
    pub data: ModelData,
    /// What is stored with it.
    pub options: PutOptions,
}

impl NewModel {
    /// A version without metadata.
    pub fn new(name: impl Into<String>, data: impl Into<ModelData>) -> Self {
        Self { name: name.into(), data: data.into(), options: PutOptions::default() }
    }
}

/// What stands before a version's bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) kind: ModelKind,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) metadata: serde_json::Map<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) features: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trained_on: Option<u64>,
    pub(crate) time: u64,
    pub(crate) who: String,
}

impl Card {
    fn of(name: &str, version: u64, data: &ModelData, options: &PutOptions) -> Result<Self> {
        if !options.features.is_empty() {
            crate::JoinSpec::from_features(&options.features)?;
        }
        let kind = match data {
            ModelData::Path(path) if path.is_dir() => ModelKind::Folder,
            _ => ModelKind::Bytes,
        };
        let PutOptions { metadata, features, trained_on } = options.clone();
        Ok(Self {
            name: name.to_owned(),
            version,
            kind,
            metadata,
            features,
            trained_on,
            time: now(),
            who: who(),
        })
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes =
            serde_json::to_vec(self).map_err(|e| Error::internal("a card is no JSON").source(e))?;
        if bytes.len() > MOST_CARD {
            return Err(Error::limit(format!(
                "the metadata and features take {} bytes, and at most {MOST_CARD} are allowed",
                bytes.len()
            ))
            .hint("put what is large into the model itself"));
        }
        // What is written and cannot be read again would be taken for damage.
        if !self.metadata.is_empty()
            && let Err(e) = serde_json::from_slice::<Self>(&bytes)
        {
            return Err(Error::invalid(format!("the metadata could not be read again: {e}"))
                .hint("nest it less deeply"));
        }
        let whole = (bytes.len() as u64 + 1).next_multiple_of(ALIGNED);
        bytes.resize(usize::try_from(whole).unwrap_or(0) - 1, b' ');
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the bytes that stand before a version's.
    pub(crate) fn decode(bytes: &[u8], checksum: u32, name: &str, version: u64) -> Result<Self> {
        hypostyle_io::check_bytes(bytes, checksum)?;
        let card: Self = serde_json::from_slice(bytes)
            .map_err(|e| Error::corrupt(format!("its card cannot be read: {e}")).source(e))?;
        if card.name != name || card.version != version {
            return Err(Error::corrupt(format!(
                "its card is that of model `{}`, version {}",
                card.name, card.version
            )));
        }
        Ok(card)
    }

    pub(crate) fn info(self, entry: &VersionEntry, aliases: Vec<String>) -> ModelInfo {
        ModelInfo {
            name: self.name,
            version: entry.version,
            aliases,
            bytes: entry.bytes,
            checksum: entry.checksum,
            kind: self.kind,
            metadata: self.metadata.into(),
            features: self.features,
            trained_on: self.trained_on,
            since: entry.since,
            time: moment(self.time),
            who: self.who,
        }
    }
}

/// Packs that nobody sees yet; taken away again if they come to nothing.
#[derive(Debug)]
pub(super) struct Packs {
    layout: Layout,
    files: Files,
    fence: u64,
    open: Option<Pack>,
    syncing: VecDeque<Syncing>,
    written: Vec<PathBuf>,
    is_settled: bool,
    /// Why a version was not written whole: then nothing of all this is to be committed.
    failed: Option<String>,
}

#[derive(Debug)]
struct Pack {
    name: String,
    path: PathBuf,
    file: File,
    at: u64,
    /// What is to be written next: small versions are written many at a time.
    buffer: Vec<u8>,
}

impl Pack {
    fn put(&mut self, files: &Files, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() > TOGETHER {
            self.flush(files)?;
        }
        if bytes.len() > TOGETHER {
            files.append(&self.path, &mut self.file, bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self, files: &Files) -> Result<()> {
        if !self.buffer.is_empty() {
            files.append(&self.path, &mut self.file, &self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// The bytes of a version on their way to a pack: counted, and their checksum.
struct Sink<'a> {
    files: &'a Files,
    pack: &'a mut Pack,
    run: &'a Run,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Sink<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(PIECE) {
            self.run.check()?;
            self.hasher.update(piece);
            self.pack.put(self.files, piece)?;
            self.bytes += piece.len() as u64;
        }
        Ok(())
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes).map_err(io::Error::other).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packs {
    pub(super) fn new(layout: &Layout, files: &Files, fence: u64) -> Self {
        Self {
            layout: layout.clone(),
            files: files.clone(),
            fence,
            open: None,
            syncing: VecDeque::new(),
            written: Vec::new(),
            is_settled: true,
            failed: None,
        }
    }

    /// Writes a version.
    pub(super) fn add(
        &mut self,
        name: &str,
        version: u64,
        data: ModelData,
        options: &PutOptions,
        run: &Run,
    ) -> Result<VersionEntry> {
        run.check()?;
        let card = Card::of(name, version, &data, options)?;
        // What cannot be stored is refused before anything is written.
        let listed = match &data {
            ModelData::Path(path) => folder::look(path)?,
            _ => None,
        };
        let card = card.encode()?;
        self.is_settled = false;
        let written = self.write(version, &card, data, listed, run);
        if let Err(error) = &written {
            self.failed.get_or_insert_with(|| format!("model `{name}`: {error}"));
        }
        written
    }

    fn write(
        &mut self,
        version: u64,
        card: &[u8],
        data: ModelData,
        listed: Option<Vec<PathBuf>>,
        run: &Run,
    ) -> Result<VersionEntry> {
        // What is large is not kept by something small that stands beside it.
        if size_of(&data, listed.as_deref()) >= FULL {
            self.close()?;
        }
        let files = self.files.clone();
        let pack = self.pack()?;
        pack.put(&files, card)?;
        let (file, at) = (pack.name.clone(), pack.at);
        let mut sink = Sink { files: &files, pack, run, hasher: crc32fast::Hasher::new(), bytes: 0 };
        match (data, listed) {
            (ModelData::Bytes(bytes), _) => sink.take(&bytes)?,
            (ModelData::Reader(mut reader), _) => copy(&mut reader, &mut sink)?,
            (ModelData::Path(path), None) => {
                let mut file = File::open(&path).map_err(|e| Error::from_io(&path, e))?;
                copy(&mut file, &mut sink).map_err(|e| e.path(&path))?;
            }
            (ModelData::Path(path), Some(listed)) => folder::write(&path, &listed, &mut sink)?,
        }
        let (bytes, checksum) = (sink.bytes, sink.hasher.finalize());
        let gap = usize::try_from(pack.at.next_multiple_of(ALIGNED) - pack.at).unwrap_or(0);
        pack.put(&files, [0; ALIGNED as usize].get(..gap).unwrap_or_default())?;
        if pack.at >= FULL {
            self.close()?;
        }
        let length = u32::try_from(card.len()).map_err(|_| Error::limit("the card is too long"))?;
        let card = (length, crc32fast::hash(card));
        Ok(VersionEntry { version, file, at, bytes, checksum, card, since: 0 })
    }

    /// The pack that is being written.
    fn pack(&mut self) -> Result<&mut Pack> {
        if self.open.is_none() {
            let folder = self.layout.models();
            if self.files.make_folder(&folder)? {
                self.files.sync_folder(&self.layout.meta())?;
            }
            let name = Layout::pack_name(self.fence, &unique());
            let path = self.layout.pack(&name)?;
            self.written.push(path.clone());
            let file = self.files.begin(&path)?;
            let mut buffer = MAGIC.to_vec();
            buffer.resize(ALIGNED as usize, 0);
            self.open = Some(Pack { name, path, file, at: ALIGNED, buffer });
        }
        self.open.as_mut().ok_or_else(|| Error::internal("no pack is open"))
    }

    fn close(&mut self) -> Result<()> {
        if let Some(mut pack) = self.open.take() {
            pack.flush(&self.files)?;
            // Whoever stores more than the disk takes is not to have a thread for each pack of it.
            if self.syncing.len() >= MOST_SYNCING
                && let Some(first) = self.syncing.pop_front()
            {
                first.wait()?;
            }
            self.syncing.push_back(self.files.begin_sync(&pack.path, pack.file)?);
        }
        Ok(())
    }

    /// Makes all that was written durable, names included.
    pub(super) fn settle(&mut self) -> Result<()> {
        if let Some(why) = &self.failed {
            return Err(Error::invalid(format!("nothing is committed, since a write failed before: {why}"))
                .hint("begin again"));
        }
        if self.is_settled {
            return Ok(());
        }
        self.close()?;
        // All are waited for, whatever the first says.
        let synced: Vec<Result<()>> = self.syncing.drain(..).map(Syncing::wait).collect();
        synced.into_iter().collect::<Result<()>>()?;
        self.files.sync_folder(&self.layout.models())?;
        self.is_settled = true;
        Ok(())
    }

    /// Leaves the files to the manifest that names them.
    pub(super) fn keep(&mut self) {
        self.written.clear();
    }
}

impl Drop for Packs {
    fn drop(&mut self) {
        super::super::write::discard(&self.files, &self.written);
    }
}

/// How many bytes it has, as far as that is known before they are read.
fn size_of(data: &ModelData, listed: Option<&[PathBuf]>) -> u64 {
    let of_file = |path: &Path| path.symlink_metadata().map_or(0, |metadata| metadata.len());
    match data {
        ModelData::Bytes(bytes) => bytes.len() as u64,
        ModelData::Reader(_) => 0,
        ModelData::Path(path) => match listed {
            None => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Some(listed) => {
                listed.iter().map(|below| of_file(&path.join(below))).fold(0, u64::saturating_add)
            }
        },
    }
}

fn copy(from: &mut dyn Read, sink: &mut Sink<'_>) -> Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let many = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(many) => many,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::from_io(&PathBuf::from("the model's data"), e)),
        };
        sink.take(buffer.get(..many).unwrap_or_default())?;
    }
}
