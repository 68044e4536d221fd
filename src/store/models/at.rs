//! Frames and models of one moment.

use hypostyle_engine::Frame;

use super::{Models, pinned, spec_of};
use crate::managed::{AsOf, ModelVersion};
use crate::spec::{JoinSpec, RowsSpec};
use crate::store::{JoinOptions, Store};
use crate::{Error, Result};

/// A store as of one snapshot: all its frames and models are of one moment. It is looked up once, when it is made.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{Float64Array, Int64Array, RecordBatch};
/// # let folder = tempfile::tempdir()?;
/// # let keys = Arc::new(Int64Array::from(vec![1, 2]));
/// # let batch = RecordBatch::try_from_iter([("ts", keys as _), ("x", Arc::new(Float64Array::from(vec![0.5, 1.5])) as _)])?;
/// use hypostyle::{Coordination, JoinSpec, Store, TableSpec, WriteOptions, init};
///
/// init(folder.path(), &Coordination::Local)?;
/// let store = Store::open(folder.path())?;
/// store.write("wind", &batch, &WriteOptions::default().key(["ts"]))?;
/// store.models().put("node-17", &b"weights"[..])?;
///
/// let now = store.at(None)?;
/// store.models().put("node-17", &b"newer"[..])?;
/// assert_eq!(&now.models().get("node-17")?[..], b"weights");
/// let frame = now.join(&JoinSpec::default().table(TableSpec::named("wind").columns(["x"])))?;
/// assert_eq!(frame.snapshot(), Some(now.snapshot()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AtSnapshot<'s> {
    store: &'s Store,
    number: u64,
    options: JoinOptions,
}

impl Store {
    /// The store as of a snapshot, the newest if none is named.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such snapshot, or no longer.
    pub fn at(&self, as_of: Option<&AsOf>) -> Result<AtSnapshot<'_>> {
        self.at_with(&JoinOptions { as_of: as_of.cloned(), ..JoinOptions::default() })
    }

    /// The same; its models are read in the way that `options` says, which also name the snapshot.
    ///
    /// # Errors
    /// Those of [`Self::at`].
    pub fn at_with(&self, options: &JoinOptions) -> Result<AtSnapshot<'_>> {
        let (number, ()) = self.models_with(options).reader()?.resolve(|_| Ok(()))?;
        Ok(AtSnapshot { store: self, number, options: pinned(options, number) })
    }
}

impl<'s> AtSnapshot<'s> {
    /// The snapshot's number.
    pub fn snapshot(&self) -> u64 {
        self.number
    }

    /// Joins as [`Store::join`] does.
    ///
    /// # Errors
    /// Those of [`Store::join`].
    pub fn join(&self, spec: &JoinSpec) -> Result<Frame> {
        self.join_with(spec, &JoinOptions::default())
    }

    /// Joins as [`Store::join_with`] does.
    ///
    /// # Errors
    /// Those of [`Store::join`], and that of a spec that names another snapshot.
    pub fn join_with(&self, spec: &JoinSpec, options: &JoinOptions) -> Result<Frame> {
        if spec.as_of.is_some() {
            return Err(Error::invalid(format!(
                "the spec names a snapshot, and the store is looked at as of snapshot {}",
                self.number
            ))
            .hint("leave `as_of` out of one of them"));
        }
        self.store.join_with(spec, &pinned(options, self.number))
    }

    /// The models.
    pub fn models(&self) -> Models<'s> {
        self.store.models_with(&self.options)
    }

    /// The frame of a model, as [`Store::frame_for`] makes it.
    ///
    /// # Errors
    /// Those of [`Store::frame_for`].
    pub fn frame_for(&self, name: &str, version: &ModelVersion, rows: &RowsSpec) -> Result<Frame> {
        let spec = spec_of(&self.models().info(name, version)?, rows)?;
        self.join(&spec)
    }
}
