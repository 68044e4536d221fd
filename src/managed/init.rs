//! A folder becomes a managed store.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::commit::{CommitPoint, Local, Turn, Wish};
use super::files::Files;
use super::layout::Layout;
use super::locks::Place;
use super::manifest::Manifest;
use super::unique::{now, unique, who};
use crate::doctor::Medium;
use crate::{Error, Result};

/// Who decides which commit is next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coordination {
    /// The file system, for processes of one machine.
    #[default]
    Local,
    /// The members of an etcd cluster, as `etcd://host:port,…`, for processes of many machines. Needs the cargo
    /// feature `etcd`.
    Etcd(String),
}

/// What a build says that was made without etcd.
#[cfg(not(feature = "etcd"))]
fn without_etcd() -> Error {
    Error::unsupported(
        "this build of hypostyle cannot coordinate through etcd: it was built without the feature `etcd`",
    )
    .hint("build it with `--features etcd`, or use --coordination local for the processes of one machine")
}

impl FromStr for Coordination {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "local" => Ok(Self::Local),
            #[cfg(feature = "etcd")]
            _ if text.starts_with("etcd://") => {
                let settings = hypostyle_lock::etcd::EtcdSettings::new(text);
                let settings = settings.map_err(super::locks::from_lock)?;
                Ok(Self::Etcd(format!("etcd://{}", settings.endpoints().join(","))))
            }
            #[cfg(not(feature = "etcd"))]
            _ if text.starts_with("etcd://") => Err(without_etcd()),
            other => {
                Err(Error::invalid(format!("`{other}` is no coordination")).hint("local, or etcd://H:P,H:P"))
            }
        }
    }
}

/// What became of a folder.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Initialized {
    /// The root, as it was given.
    pub root: std::path::PathBuf,
    /// The store's own name, which no other has.
    pub store: String,
    /// The file system it lies on.
    pub file_system: String,
}

/// What `store.json` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    format: u32,
    pub(super) store: String,
    coordination: String,
    /// The id of the cluster that coordinates it: another one, or one that was wiped, is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
}

impl Marker {
    pub(super) fn is_local(&self) -> bool {
        self.coordination == "local"
    }
}

/// What decides about commits and grants locks in the store that a marker is of.
pub(super) fn open(marker: &Marker, layout: &Layout, files: &Files) -> Result<(Box<dyn CommitPoint>, Place)> {
    if marker.is_local() {
        return Ok((Box::new(Local::new(layout.clone(), files.clone())), Place::local(layout)?));
    }
    #[cfg(feature = "etcd")]
    {
        let cluster = marker.cluster.as_deref().unwrap_or_default();
        let (layout, files) = (layout.clone(), files.clone());
        let point = super::commit::Etcd::open(&marker.coordination, &marker.store, cluster, layout, files)?;
        let locks = Place::by(point.locks());
        Ok((Box::new(point), locks))
    }
    #[cfg(not(feature = "etcd"))]
    Err(without_etcd().path(layout.marker()))
}

/// Makes a folder a managed store. Files that lie there stay where they are, and belong to no table.
///
/// # Errors
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if it is one already, or lies inside another or around one;
/// [`Unsupported`](crate::ErrorKind::Unsupported) on a file system where local coordination does not hold.
pub fn init(root: impl AsRef<Path>, coordination: &Coordination) -> Result<Initialized> {
    #[cfg(not(feature = "etcd"))]
    if let Coordination::Etcd(_) = coordination {
        return Err(without_etcd());
    }
    with(root.as_ref(), coordination, &Files::default())
}

pub(super) fn with(root: &Path, coordination: &Coordination, files: &Files) -> Result<Initialized> {
    let layout = Layout::of(root);
    let root = layout.root();
    let metadata = std::fs::metadata(root).map_err(|e| Error::from_io(root, e))?;
    if !metadata.is_dir() {
        return Err(Error::invalid("the root is not a folder").path(root));
    }
    if read_marker(&layout)?.is_some() {
        return Err(already(&layout));
    }
    alone(root)?;
    let medium = Medium::at(root);
    let is_local = *coordination == Coordination::Local;
    if is_local && medium.local().is_none() {
        hypostyle_lock::local_file_system(root).map_err(super::locks::from_lock)?;
    }
    medium.check(root, is_local)?;
    let file_system = medium.kind().to_owned();
    files.make_folder(&layout.meta())?;
    files.sync_folder(root)?;
    for folder in [layout.snapshots(), layout.checkpoints(), layout.staging(), layout.locks()] {
        files.make_folder(&folder)?;
    }
    files.sync_folder(&layout.meta())?;
    let store = unique();
    let first = Manifest {
        number: 0,
        time: now(),
        commit: store.clone(),
        who: who(),
        what: "init".to_owned(),
        parent: None,
        horizon: 0,
        checkpoint: None,
        recent: Default::default(),
        changes: Default::default(),
        lists: Vec::new(),
    };
    // Another `init` at the same time may have made it, just as well.
    let (coordination, cluster) = begin(coordination, &layout, files, &first)?;
    let marker = Marker { format: 1, store: store.clone(), coordination, cluster };
    let text =
        serde_json::to_string_pretty(&marker).map_err(|e| Error::internal("no JSON").source(e))? + "\n";
    let staged = layout.staging().join(format!("{store}.json"));
    let linked = files.create(&staged, text.as_bytes()).and_then(|()| files.link(&staged, &layout.marker()));
    let _ = files.remove(&staged);
    if !linked? {
        return Err(already(&layout));
    }
    files.sync_folder(&layout.meta())?;
    Ok(Initialized { root: root.to_owned(), store, file_system })
}

/// Makes the first snapshot; what the marker says of who decided that.
fn begin(
    coordination: &Coordination,
    layout: &Layout,
    files: &Files,
    first: &Manifest,
) -> Result<(String, Option<String>)> {
    match coordination {
        Coordination::Local => {
            // Another `init` at the same time may have made it, just as well.
            Local::new(layout.clone(), files.clone()).propose(first, &Wish::new("init"), Turn::default())?;
            Ok(("local".to_owned(), None))
        }
        #[cfg(feature = "etcd")]
        Coordination::Etcd(members) => {
            let cluster = super::commit::Etcd::begin(members, layout, files, first)?;
            Ok((members.clone(), Some(cluster)))
        }
        #[cfg(not(feature = "etcd"))]
        Coordination::Etcd(_) => Err(without_etcd()),
    }
}

fn already(layout: &Layout) -> Error {
    Error::invalid("the root is a managed store already").path(layout.root())
}

/// A store inside another would have its files taken for tables, or be taken away by gc.
fn alone(root: &Path) -> Result<()> {
    let from_io = |e| Error::from_io(root, e);
    let root = root.canonicalize().map_err(from_io)?;
    let is_store = |folder: &Path| Layout::of(folder).marker().exists();
    if let Some(outer) = root.ancestors().skip(1).find(|folder| is_store(folder)) {
        return Err(Error::invalid("the root would lie inside another managed store")
            .path(&root)
            .hint(format!("the other one is {}", outer.display())));
    }
    let below = walkdir::WalkDir::new(&root).min_depth(1).max_depth(DEEPEST).follow_links(false);
    let inner =
        below.into_iter().flatten().find(|entry| entry.file_type().is_dir() && is_store(entry.path()));
    match inner {
        Some(inner) => Err(Error::invalid("the root would have another managed store inside")
            .path(&root)
            .hint(format!("the other one is {}", inner.path().display()))),
        None => Ok(()),
    }
}

/// How far below a new root is looked for other stores.
const DEEPEST: usize = 4;

/// What kind of store a folder is; `None` for a folder of files.
pub(super) fn read_marker(layout: &Layout) -> Result<Option<Marker>> {
    let path = layout.marker();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::from_io(&path, e)),
    };
    let wrong =
        |what: String| Error::corrupt(what).path(&path).hint("`hypostyle repair` says what can be done");
    let marker: Marker = serde_json::from_slice(&text)
        .map_err(|e| wrong(format!("it does not say what store this is: {e}")))?;
    if marker.format != 1 {
        return Err(Error::unsupported(format!("the store has format {}, and 1 is known", marker.format))
            .path(&path)
            .hint("a newer hypostyle made it"));
    }
    if !marker.is_local() {
        marker.coordination.parse::<Coordination>().map_err(|e| e.path(&path))?;
    }
    Ok(Some(marker))
}
