//! The models of a store: what is read of them. They are stored through transactions.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_buffer::Buffer;
use bytes::Bytes;
use hypostyle::{Error, JoinOptions, ModelData, ModelVersion, NewModel, PutOptions, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::errors::OrRaise;
use crate::ffi::Memory;
use crate::options::Options;
use crate::store::{Store, json};
use crate::wait::wait;

/// How soon a signal is seen.
const TICK: Duration = Duration::from_millis(20);

/// What is read of a mapped file in a moment, and so by the thread that asks.
const AT_HAND: u64 = 16 << 20;

/// What is given to be stored: bytes, which are shared and not copied, or a path.
#[derive(FromPyObject)]
pub(crate) enum Data {
    Bytes(PyBackedBytes),
    Path(PathBuf),
}

/// A name, its data, and as JSON the metadata; features, and the snapshot that it was trained on.
pub(crate) type Given = (String, Data, Option<String>, Vec<String>, Option<u64>);

pub(crate) fn new_model((name, data, metadata, features, trained_on): Given) -> Result<NewModel> {
    let data = match data {
        Data::Bytes(bytes) => ModelData::Bytes(Bytes::from_owner(bytes)),
        Data::Path(path) => ModelData::Path(path),
    };
    let mut options = PutOptions::default();
    if let Some(text) = metadata {
        options.metadata = serde_json::from_str(&text)
            .map_err(|e| Error::invalid(format!("the metadata is no JSON object: {e}")))?;
    }
    (options.features, options.trained_on) = (features, trained_on);
    Ok(NewModel { name, data, options })
}

/// Versions come as text: a number, an alias, or `latest`. Most of what is told comes as JSON.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Models {
    store: Arc<hypostyle::Store>,
}

#[pymethods]
impl Models {
    #[new]
    fn new(store: &Store) -> Self {
        Self { store: store.get() }
    }

    /// The number of the snapshot that is meant, which is then read without being looked for.
    fn snapshot(&self, py: Python<'_>, options: &Options) -> PyResult<u64> {
        self.look(py, options, |store, options| store.at_with(options).map(|at| at.snapshot()))
    }

    fn get(&self, py: Python<'_>, name: String, version: &str, options: &Options) -> PyResult<Memory> {
        let version: ModelVersion = version.parse().or_raise(py)?;
        let at_hand = || self.store.models_with(&options.get()).get_at_hand(&name, &version, AT_HAND);
        if let Some(bytes) = py.detach(at_hand).or_raise(py)? {
            return Ok(Memory::new(Buffer::from(bytes)));
        }
        self.look(py, options, move |store, options| store.models_with(options).get_version(&name, &version))
            .map(|bytes| Memory::new(Buffer::from(bytes)))
    }

    fn info(&self, py: Python<'_>, name: String, version: &str, options: &Options) -> PyResult<String> {
        let version: ModelVersion = version.parse().or_raise(py)?;
        self.look(py, options, move |store, options| json(&store.models_with(options).info(&name, &version)?))
    }

    fn versions(&self, py: Python<'_>, name: String, options: &Options) -> PyResult<String> {
        self.look(py, options, move |store, options| json(&store.models_with(options).versions(&name)?))
    }

    fn list(&self, py: Python<'_>, options: &Options) -> PyResult<String> {
        self.look(py, options, |store, options| json(&store.models_with(options).list()?))
    }

    fn save(
        &self,
        py: Python<'_>,
        name: String,
        version: &str,
        path: PathBuf,
        options: &Options,
    ) -> PyResult<String> {
        let version: ModelVersion = version.parse().or_raise(py)?;
        self.look(py, options, move |store, options| {
            json(&store.models_with(options).save(&name, &version, &path)?)
        })
    }

    fn get_many(
        &self,
        py: Python<'_>,
        names: Vec<String>,
        version: &str,
        options: &Options,
    ) -> PyResult<Blobs> {
        let version: ModelVersion = version.parse().or_raise(py)?;
        self.look(py, options, move |store, options| {
            let wanted = names.into_iter().map(|name| (name, version.clone()));
            store.models_with(options).get_versions(wanted)
        })
        .map(|blobs| Blobs { snapshot: blobs.snapshot(), blobs: Mutex::new(blobs) })
    }
}

impl Models {
    fn look<T: Send + 'static>(
        &self,
        py: Python<'_>,
        options: &Options,
        look: impl FnOnce(&hypostyle::Store, &JoinOptions) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let store = Arc::clone(&self.store);
        wait(py, Some(&self.store), options.get(), None, move |options| look(&store, options))
    }
}

/// Models as they come.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Blobs {
    blobs: Mutex<hypostyle::Blobs>,
    snapshot: u64,
}

#[pymethods]
impl Blobs {
    #[getter]
    fn snapshot(&self) -> u64 {
        self.snapshot
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// The next one. After an error the others can still be asked for.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<(String, Memory)>> {
        let step = || {
            let mut blobs = self.blobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            blobs.wait_for(TICK)
        };
        loop {
            match py.detach(step) {
                None => py.check_signals()?,
                Some(None) => return Ok(None),
                Some(Some((name, blob))) => {
                    return blob.or_raise(py).map(|bytes| Some((name, Memory::new(Buffer::from(bytes)))));
                }
            }
        }
    }
}
