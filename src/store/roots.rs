//! The roots of a store: the same tables, once or several times, on disks or mounts that may not answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hypostyle_io::{Asked, Place as Places, Run, any_remote, is_remote};

use super::key;
use super::resolve::Place;
use crate::managed::Managed;
use crate::{Error, ErrorKind, Result};

/// What is looked for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// A path, a folder or a glob.
    Path(String),
    /// A table, by its name.
    Table(String),
    /// Files that a snapshot lists, under the first root.
    Files(Vec<PathBuf>),
}

/// One root or several.
#[derive(Clone, Debug)]
pub(super) struct Roots(Arc<Vec<Root>>);

#[derive(Debug)]
struct Root {
    place: Place,
    /// Whether it was seen on a mount that can hang. Once that is gone, its empty folder says nothing of the tables.
    was_remote: AtomicBool,
}

/// Files being looked for. Begin all of a join's before waiting for the first.
#[derive(Debug)]
pub(super) struct Finding {
    roots: Roots,
    wanted: Wanted,
    asked: Option<Asked<Vec<PathBuf>>>,
}

impl Roots {
    pub(super) fn new(places: Vec<Place>) -> Self {
        let root = |place: Place| Root { was_remote: AtomicBool::new(false), place };
        Self(Arc::new(places.into_iter().map(root).collect()))
    }

    /// Where paths begin, under the first root.
    pub(super) fn base(&self) -> &Path {
        self.0.first().map_or(Path::new(""), |root| root.place.base.as_path())
    }

    /// Whether there is another root beside the first.
    pub(super) fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The names of the roots, where there are several.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        let name = |root: &Root| root.place.base.display().to_string();
        (self.0.len() > 1).then(|| self.0.iter().map(name).collect())
    }

    /// The same path under all roots but the first `skip`.
    fn all(&self, below: &str, skip: usize) -> Places {
        let ways = self.0.iter().enumerate().skip(skip).map(|(at, root)| {
            let base = &root.place.base;
            // Nothing, not even a separator, is added to the base itself.
            (at, if below.is_empty() { base.clone() } else { base.join(below) })
        });
        Places::several(ways)
    }

    pub(super) fn ask<T: Send + 'static>(
        &self,
        below: &str,
        skip: usize,
        run: &Run,
        work: impl Fn(&Place) -> Result<T> + Send + Sync + 'static,
    ) -> Asked<T> {
        let roots = self.clone();
        Asked::of(&self.all(below, skip), run, move |at, _| {
            let root = roots.0.get(at).ok_or_else(|| Error::internal("a root that is not there"))?;
            root.sound(work(&root.place))
        })
    }

    /// Begins to look for files. Those on local disks are looked for by whoever waits for them.
    pub(super) fn find(&self, wanted: Wanted, run: &Run) -> Finding {
        let here = !any_remote() || self.0.first().is_some_and(|root| root.is_here(&wanted));
        let asked = (!here).then(|| self.ask_for(&wanted, 0, run));
        Finding { roots: self.clone(), wanted, asked }
    }

    fn ask_for(&self, wanted: &Wanted, skip: usize, run: &Run) -> Asked<Vec<PathBuf>> {
        let for_all = wanted.clone();
        self.ask(&wanted.text(), skip, run, move |place| for_all.under(place))
    }

    /// The key that the root names for all of its tables, being asked for.
    pub(super) fn key(&self, run: &Run) -> Result<Vec<String>> {
        self.anywhere("", run, key::of_root)
    }

    /// The first root.
    pub(super) fn first(&self) -> Result<&Place> {
        let first = self.0.first().map(|root| &root.place);
        first.ok_or_else(|| Error::internal("a store without a root"))
    }

    /// Whether looking into the first root may take long, or for ever.
    pub(super) fn may_hang(&self) -> bool {
        self.0.first().is_some_and(Root::sees_remote)
    }

    /// The managed store in the first root, if there is one.
    pub(super) fn managed(&self, run: &Run) -> Result<Option<Managed>> {
        self.anywhere("", run, |place| Managed::at(&place.base))
    }

    /// The names of all tables.
    pub(super) fn tables(&self, run: &Run) -> Result<Vec<String>> {
        self.anywhere("", run, Place::tables)
    }

    /// Work in a root, here if that cannot hang.
    pub(super) fn anywhere<T: Send + 'static>(
        &self,
        below: &str,
        run: &Run,
        work: impl Fn(&Place) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        let first = self.0.first().ok_or_else(|| Error::internal("a store without a root"))?;
        if first.sees_remote() || any_remote() && self.0.len() > 1 {
            return self.ask(below, 0, run, work).wait().map(|(_, value)| value);
        }
        match first.sound(work(&first.place)) {
            Err(e) if goes_on(&e) && self.0.len() > 1 => {
                self.ask(below, 1, run, work).wait().map(|(_, value)| value)
            }
            outcome => outcome,
        }
    }

    /// Whether the roots are folders, as far as they answer within a run.
    pub(super) fn check(&self, run: &Run) -> Result<()> {
        let mut answered = false;
        let mut silent = None;
        for (at, root) in self.0.iter().enumerate() {
            let outcome = if root.sees_remote() {
                let path = root.place.base.clone();
                let place = Places::several([(at, path)]);
                Asked::of(&place, run, |_, path| is_folder(path)).wait().map(drop)
            } else {
                is_folder(&root.place.base)
            };
            match outcome {
                Ok(()) => answered = true,
                // A mount that does not answer now may do so later.
                Err(e) if goes_on(&e) => silent = Some(e),
                Err(e) => return Err(e),
            }
        }
        match silent {
            Some(error) if !answered && !self.0.iter().any(Root::sees_remote) => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_folder(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::from_io(path, e))?;
    if metadata.is_dir() { Ok(()) } else { Err(Error::not_found("the root is not a folder").path(path)) }
}

/// Whether storage did not answer, so that another root may.
pub(super) fn goes_on(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

impl Wanted {
    /// Where it is looked for first.
    fn text(&self) -> String {
        match self {
            Self::Path(text) => text.clone(),
            Self::Table(name) => format!("{name}.parquet"),
            Self::Files(_) => String::new(),
        }
    }

    fn under(&self, place: &Place) -> Result<Vec<PathBuf>> {
        match self {
            Self::Path(text) => place.files(text),
            Self::Table(name) => place.named(name),
            Self::Files(paths) => Ok(paths.clone()),
        }
    }
}

impl Root {
    fn sees_remote(&self) -> bool {
        let is_remote = is_remote(&self.place.base);
        if is_remote {
            self.was_remote.store(true, Ordering::Relaxed);
        }
        is_remote
    }

    /// Whether looking for it cannot hang: all of it is on local disks, and no folder is gone through, in which a
    /// link may lead elsewhere.
    fn is_here(&self, wanted: &Wanted) -> bool {
        let base = &self.place.base;
        self.sees_remote();
        match wanted {
            Wanted::Path(text) => {
                let path = base.join(text);
                !is_remote(&path) && std::fs::metadata(&path).is_ok_and(|m| !m.is_dir())
            }
            Wanted::Table(name) => {
                let (file, folder) = (base.join(format!("{name}.parquet")), base.join(name));
                !is_remote(&file) && !is_remote(&folder) && !folder.is_dir()
            }
            // They are known, and not looked for.
            Wanted::Files(_) => true,
        }
    }

    /// What was found; that nothing was is no answer when the mount is gone.
    fn sound<T>(&self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && self.was_remote.load(Ordering::Relaxed)
                    && !is_remote(&self.place.base) =>
            {
                Err(Error::new(ErrorKind::Unavailable, "the mount of the root is gone")
                    .path(&self.place.base))
            }
            outcome => outcome,
        }
    }
}

impl Finding {
    /// The files, in order, each with where else it lies.
    pub(super) fn wait(self, run: &Run) -> Result<Vec<Places>> {
        let Self { roots, wanted, asked } = self;
        let found = match asked {
            Some(asked) => asked.wait(),
            None => {
                let first = roots.0.first().ok_or_else(|| Error::internal("a store without a root"))?;
                match first.sound(wanted.under(&first.place)) {
                    Err(e) if goes_on(&e) && roots.0.len() > 1 => roots.ask_for(&wanted, 1, run).wait(),
                    outcome => outcome.map(|files| (0, files)),
                }
            }
        };
        let (at, files) = found?;
        Ok(files.into_iter().map(|path| roots.everywhere(at, path)).collect())
    }
}

impl Roots {
    /// Where a file lies that was found under a root: there, and under the others.
    pub(super) fn everywhere(&self, at: usize, path: PathBuf) -> Places {
        let below =
            self.0.get(at).and_then(|root| path.strip_prefix(&root.place.base).ok().map(Path::to_owned));
        let others = below.into_iter().flat_map(|below| {
            let others = self.0.iter().enumerate().filter(|(other, _)| *other != at);
            others.map(|(other, root)| (other, root.place.base.join(&below))).collect::<Vec<_>>()
        });
        let others: Vec<_> = others.collect();
        Places::several(std::iter::once((at, path)).chain(others))
    }
}
