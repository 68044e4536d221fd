//! The models of a managed store: stored, listed, and read as its tables are.

mod at;
mod many;
mod read;

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use hypostyle_engine::Frame;

use super::{JoinOptions, Store};
use crate::managed::{
    AsOf, ModelData, ModelInfo, ModelKind, ModelReport, ModelVersion, NewModel, PutOptions, Transaction,
    TransactionOptions, View,
};
use crate::spec::{JoinSpec, RowsSpec};
use crate::{Error, Result};

pub use at::AtSnapshot;
pub use many::Blobs;
pub(super) use read::OpenPacks;
use read::Reader;

/// The models of a store: named, versioned, immutable blobs in the same snapshots as its tables.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use hypostyle::{Coordination, ModelVersion, NewModel, Store, init};
///
/// init(folder.path(), &Coordination::Local)?;
/// let store = Store::open(folder.path())?;
/// let models = store.models();
/// assert_eq!(models.put("node-17", &b"weights"[..])?, 1);
/// assert_eq!(models.put("node-17", &b"better weights"[..])?, 2);
/// models.alias("node-17", "production", Some(&ModelVersion::Number(1)))?;
///
/// assert_eq!(&models.get("node-17")?[..], b"better weights");
/// assert_eq!(&models.get_version("node-17", &"production".parse()?)?[..], b"weights");
///
/// models.put_many((0..100).map(|n| NewModel::new(format!("node-{n}"), vec![n])).collect())?;
/// for (name, blob) in models.get_many(["node-7", "node-8"])? {
///     println!("{name}: {} bytes", blob?.len());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Models<'s> {
    store: &'s Store,
    options: JoinOptions,
}

impl Store {
    /// Its models.
    pub fn models(&self) -> Models<'_> {
        self.models_with(&JoinOptions::default())
    }

    /// Its models, read in the way that `options` says, as joins are: of which snapshot, until when, within how much
    /// memory, from which mount.
    pub fn models_with(&self, options: &JoinOptions) -> Models<'_> {
        Models { store: self, options: options.clone() }
    }

    /// The frame of a model: the features that it was stored with, for the rows that are wanted, of the snapshot that
    /// the model was found in. Columns of one table stand together.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if it was stored without features; those of
    /// [`Models::info`] and [`Store::join`].
    pub fn frame_for(
        &self,
        name: &str,
        version: &ModelVersion,
        rows: &RowsSpec,
        options: &JoinOptions,
    ) -> Result<Frame> {
        // One deadline for all that it takes.
        let begun = Instant::now();
        let timeout = || options.timeout.map(|whole| whole.saturating_sub(begun.elapsed()));
        let left = || JoinOptions { timeout: timeout(), ..options.clone() };
        let at = self.at_with(options)?;
        let pinned = pinned(&left(), at.snapshot());
        let info = self.models_with(&pinned).info(name, version)?;
        let spec = spec_of(&info, rows)?;
        at.join_with(&spec, &left())
    }
}

/// The join of the features that a model was stored with.
fn spec_of(info: &ModelInfo, rows: &RowsSpec) -> Result<JoinSpec> {
    if info.features.is_empty() {
        return Err(Error::invalid(format!(
            "model `{}`, version {}, was stored without features",
            info.name, info.version
        ))
        .hint("store it with the features that it is trained on, or join them by name"));
    }
    let mut spec = JoinSpec::from_features(&info.features)?;
    spec.rows = rows.clone();
    Ok(spec)
}

impl Models<'_> {
    /// Stores a version of a model, durably when this returns; its number.
    ///
    /// # Errors
    /// Those of [`Transaction::put_model`] and [`Transaction::commit`].
    pub fn put(&self, name: &str, data: impl Into<ModelData>) -> Result<u64> {
        self.put_with(name, data, &PutOptions::default())
    }

    /// The same, with metadata and features.
    ///
    /// # Errors
    /// Those of [`Self::put`].
    pub fn put_with(&self, name: &str, data: impl Into<ModelData>, options: &PutOptions) -> Result<u64> {
        let model = NewModel { name: name.to_owned(), data: data.into(), options: options.clone() };
        self.change(&[name.to_owned()], |transaction| transaction.put_model(model))
    }

    /// Stores many in one commit; their versions, in the same order.
    ///
    /// # Errors
    /// Those of [`Self::put`].
    pub fn put_many(&self, models: Vec<NewModel>) -> Result<Vec<u64>> {
        if models.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
        self.change(&names, |transaction| transaction.put_models(models))
    }

    /// Lets an alias lead to a version or to another alias; without one, takes it away. It is moved at once for all
    /// who read.
    ///
    /// # Errors
    /// Those of [`Transaction::alias_model`] and [`Transaction::commit`].
    pub fn alias(&self, name: &str, alias: &str, to: Option<&ModelVersion>) -> Result<()> {
        self.change(&[name.to_owned()], |transaction| transaction.alias_model(name, alias, to))
    }

    /// Takes a version away, or all; the numbers. Older snapshots have them still, until gc removes these.
    ///
    /// # Errors
    /// Those of [`Transaction::remove_model`] and [`Transaction::commit`].
    pub fn remove(&self, name: &str, version: Option<u64>) -> Result<Vec<u64>> {
        self.change(&[name.to_owned()], |transaction| transaction.remove_model(name, version))
    }

    fn change<T>(&self, names: &[String], work: impl FnOnce(&mut Transaction) -> Result<T>) -> Result<T> {
        if self.options.as_of.is_some() {
            return Err(Error::invalid("a snapshot is not changed").hint("change the store's own models"));
        }
        let mut options = TransactionOptions { models: names.to_vec(), ..TransactionOptions::default() };
        options.run = Some(self.options.run());
        let mut transaction = self.store.transaction_with(Vec::<String>::new(), &options)?;
        let done = work(&mut transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// The bytes of the newest version; of a folder, those of a tar archive.
    ///
    /// # Errors
    /// Those of [`Self::get_version`].
    pub fn get(&self, name: &str) -> Result<Bytes> {
        self.get_version(name, &ModelVersion::Latest)
    }

    /// The bytes of a version: of a local store without a copy.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such model, version or alias, or no longer;
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are not those that were stored, and
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) for more than the memory limit allows: [`Self::save`] takes those to a file.
    pub fn get_version(&self, name: &str, version: &ModelVersion) -> Result<Bytes> {
        self.on_found(name, version, Reader::whole)
    }

    /// The same, if the bytes are at hand and are at most so many: in a store that is mapped, where nothing is waited
    /// for. So a caller that must look up now and then need not, for this one.
    ///
    /// # Errors
    /// Those of [`Self::get_version`].
    pub fn get_at_hand(&self, name: &str, version: &ModelVersion, most: u64) -> Result<Option<Bytes>> {
        // To ask what this process may hold takes longer than to read a small model.
        let usual = self.store.packs.get().usual_limit();
        let memory_limit = self.options.memory_limit.or(Some(usual));
        let at_once =
            Self { store: self.store, options: JoinOptions { memory_limit, ..self.options.clone() } };
        let reader = at_once.reader()?;
        if !reader.is_mapped() || self.store.roots.are_several() {
            return Ok(None);
        }
        reader.found(name, version, |reader, found| {
            (found.entry.bytes <= most).then(|| reader.whole(found)).transpose()
        })
    }

    /// What was stored with a version.
    ///
    /// # Errors
    /// Those of [`Self::get_version`].
    pub fn info(&self, name: &str, version: &ModelVersion) -> Result<ModelInfo> {
        self.on_found(name, version, |reader, found| {
            reader.card(found).map(|card| card.info(&found.entry, found.aliases.clone()))
        })
    }

    /// What was stored with each version of a model, the oldest first.
    ///
    /// # Errors
    /// Those of [`Self::info`].
    pub fn versions(&self, name: &str) -> Result<Vec<ModelInfo>> {
        let reader = self.reader()?;
        let name = name.to_owned();
        let (_, found) = reader.resolve(move |view| view.versions(&name))?;
        let info = |found: &crate::managed::FoundModel| {
            reader.card(found).map(|card| card.info(&found.entry, found.aliases.clone()))
        };
        found.iter().map(info).collect()
    }

    /// All models, by name.
    ///
    /// # Errors
    /// Those of reading manifests.
    pub fn list(&self) -> Result<Vec<ModelReport>> {
        let (_, models) = self.reader()?.resolve(all_of)?;
        Ok(models)
    }

    /// Writes a version's bytes, piece by piece; what was stored with it. If the bytes turn out to be damaged, they
    /// were written before that shows.
    ///
    /// # Errors
    /// Those of [`Self::get_version`], but for the memory limit, and of `to`.
    pub fn write_to(&self, name: &str, version: &ModelVersion, to: &mut dyn Write) -> Result<ModelInfo> {
        self.on_found(name, version, |reader, found| {
            let info = reader.card(found)?.info(&found.entry, found.aliases.clone());
            let failed = |e| Error::from_io(Path::new("the output"), e);
            reader.pieces(found, |piece| to.write_all(piece).map_err(failed))?;
            Ok(info)
        })
    }

    /// Puts a version to a path, as the file or the folder that it was: whole, or not at all. A file that is there is
    /// replaced, a folder is not.
    ///
    /// # Errors
    /// Those of [`Self::get_version`], but for the memory limit, and of writing.
    pub fn save(&self, name: &str, version: &ModelVersion, path: &Path) -> Result<ModelInfo> {
        let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let from_io = |e| Error::from_io(path, e);
        self.on_found(name, version, |reader, found| {
            let info = reader.card(found)?.info(&found.entry, found.aliases.clone());
            let prefix = ".hypostyle-model-";
            match info.kind {
                ModelKind::Folder => {
                    if path.symlink_metadata().is_ok() {
                        let taken = Error::invalid("something is there already, and the model is a folder");
                        return Err(taken.path(path).hint("choose another path"));
                    }
                    let folder =
                        tempfile::Builder::new().prefix(prefix).tempdir_in(beside).map_err(from_io)?;
                    let unpacked = folder.path().join("m");
                    crate::managed::unpack(reader.stream(found), &unpacked).map_err(|e| found.about(e))?;
                    std::fs::rename(&unpacked, path).map_err(from_io)?;
                }
                ModelKind::Bytes => {
                    let mut file = crate::output::OutputFile::create(path)?;
                    reader.pieces(found, |piece| file.write_all(piece).map_err(from_io))?;
                    file.commit()?;
                }
            }
            Ok(info)
        })
    }

    /// The newest versions of many models: read ahead side by side, and given as they come. One that cannot be read
    /// is an error of its own, and the others follow.
    ///
    /// # Errors
    /// Those of looking up the snapshot; what is wrong with one model comes when its turn comes.
    pub fn get_many<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Result<Blobs> {
        self.get_versions(names.into_iter().map(|name| (name, ModelVersion::Latest)))
    }

    /// The same for versions.
    ///
    /// # Errors
    /// Those of [`Self::get_many`].
    pub fn get_versions<S: Into<String>>(
        &self,
        wanted: impl IntoIterator<Item = (S, ModelVersion)>,
    ) -> Result<Blobs> {
        let wanted = wanted.into_iter().map(|(name, version)| (name.into(), version)).collect();
        Blobs::begin(self.reader()?, wanted, self.options.threads)
    }

    fn reader(&self) -> Result<Reader> {
        let run = self.options.run();
        if let Some(names) = self.store.roots.names() {
            run.name_roots(names);
        }
        let managed = self.store.managed_within(&run)?.map_or_else(|| self.store.must_be_managed(), Ok)?;
        Ok(Reader::new(self.store.roots.clone(), self.store.packs.get(), managed, &self.options, run))
    }

    fn on_found<T>(
        &self,
        name: &str,
        version: &ModelVersion,
        work: impl FnMut(&Reader, &crate::managed::FoundModel) -> Result<T>,
    ) -> Result<T> {
        self.reader()?.found(name, version, work)
    }
}

fn all_of(view: &View<'_>) -> Result<Vec<ModelReport>> {
    view.models()
}

/// A snapshot that is read again and again is looked up once.
pub(super) fn pinned(options: &JoinOptions, number: u64) -> JoinOptions {
    let as_of = Some(AsOf::Snapshot(number));
    JoinOptions { as_of, staleness: std::time::Duration::MAX, ..options.clone() }
}

#[cfg(test)]
mod tests;
