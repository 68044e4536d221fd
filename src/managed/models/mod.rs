//! Models: blobs with names and versions, in the same snapshots as tables.
//!
//! A model is one entry of the manifest, `model/NAME`: its versions, and its aliases. The bytes of a version, and its
//! *card* (metadata, features, what it was trained on), stand in a *pack*, an immutable file that is written as data
//! files are and may hold many versions: a commit of ten thousand small models syncs a few files and not ten thousand.

mod change;
mod entry;
mod find;
mod folder;
mod pack;

pub(crate) use change::ModelChanges;
pub(super) use change::committed;
pub(super) use entry::{ModelEntry, VersionEntry};
pub use entry::{ModelInfo, ModelKind, ModelReport, ModelVersion};
pub(crate) use find::FoundModel;
pub(crate) use folder::unpack;
pub(crate) use pack::{Card, MOST_CARD};
pub use pack::{ModelData, NewModel, PutOptions};
