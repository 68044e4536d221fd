//! The names of files in a managed store. Nobody else makes them up.
//!
//! ```text
//! ROOT/
//!   wind/17-4f0c….parquet       data: the fence of its writer, and a name that nobody else has
//!   _hypostyle/
//!     store.json                 what kind of store this is; whoever links it here has made the store
//!     snapshots/00…042.manifest  one a commit; whoever links number N+1 has committed
//!     snapshots/00…042-….manifest  with etcd, the same under the name that is committed; the number's name follows
//!     checkpoints/00…040-….list  all entries as of a snapshot, or what one changed, for manifests to build upon
//!     models/17-4f0c….pack       versions of models, one behind the other: `models/pack.rs` has the form
//!     staging/                   manifests that are being written
//!     head                       a number near the newest snapshot's: a hint, never trusted
//!     locks/                     of the lock crate
//! ```

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The folder of all that is not data. Its underscore hides it from those who look for Parquet files.
const META: &str = "_hypostyle";

/// The longest name of a table: with the ending of its lock file it must fit a file name.
const LONGEST_NAME: usize = 200;

/// Where everything lies.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn of(root: &Path) -> Self {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn meta(&self) -> PathBuf {
        self.root.join(META)
    }

    pub(super) fn marker(&self) -> PathBuf {
        self.meta().join("store.json")
    }

    pub(super) fn snapshots(&self) -> PathBuf {
        self.meta().join("snapshots")
    }

    pub(super) fn snapshot(&self, number: u64) -> PathBuf {
        self.snapshots().join(format!("{number:020}.manifest"))
    }

    /// The number that a name in [`Self::snapshots`] stands for.
    pub(super) fn snapshot_number(name: &std::ffi::OsStr) -> Option<u64> {
        name.to_str()?.strip_suffix(".manifest").filter(|digits| digits.len() == 20)?.parse().ok()
    }

    /// A manifest's name before its number is known to be its own: nobody else has it.
    #[cfg(feature = "etcd")]
    pub(super) fn proposed_name(number: u64, unique: &str) -> String {
        format!("{number:020}-{unique}.manifest")
    }

    /// The number of a manifest that has a name as a commit point of many machines makes them.
    pub(super) fn proposed_number(name: &str) -> Option<u64> {
        let (number, unique) = name.strip_suffix(".manifest")?.split_once('-')?;
        let is_unique = unique.len() == 32 && unique.bytes().all(|b| b.is_ascii_hexdigit());
        number.parse().ok().filter(|_| is_unique && number.len() == 20)
    }

    pub(super) fn checkpoints(&self) -> PathBuf {
        self.meta().join("checkpoints")
    }

    pub(super) fn checkpoint_name(number: u64, unique: &str) -> String {
        format!("{number:020}-{unique}.list")
    }

    /// A checkpoint by its name, which comes from a manifest.
    pub(super) fn checkpoint(&self, name: &str) -> Result<PathBuf> {
        if name.contains('/') || name.contains('\0') || name.starts_with('.') {
            return Err(Error::corrupt(format!("`{name}` is no name of a checkpoint")));
        }
        Ok(self.checkpoints().join(name))
    }

    pub(super) fn models(&self) -> PathBuf {
        self.meta().join("models")
    }

    /// Where a file of models lies below the root.
    pub(super) fn pack_below(name: &str) -> String {
        format!("{META}/models/{name}")
    }

    pub(super) fn pack_name(fence: u64, unique: &str) -> String {
        format!("{fence}-{unique}.pack")
    }

    /// A file of models by its name, which comes from a manifest.
    pub(super) fn pack(&self, name: &str) -> Result<PathBuf> {
        match Self::pack_fence(name) {
            Some(_) => Ok(self.models().join(name)),
            None => {
                Err(Error::corrupt(format!("the manifest names a file of models {name:?}, which cannot be")))
            }
        }
    }

    /// The fence of the writer of a file that has a name as [`Self::pack_name`] makes them.
    pub(super) fn pack_fence(name: &str) -> Option<u64> {
        fence_of(name.strip_suffix(".pack")?)
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.meta().join("staging")
    }

    pub(super) fn head(&self) -> PathBuf {
        self.meta().join("head")
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.meta().join("locks")
    }

    pub(super) fn table(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A new data file's name, below the root.
    pub(super) fn data_name(table: &str, fence: u64, unique: &str) -> String {
        format!("{table}/{fence}-{unique}.parquet")
    }

    /// A data file by its name, which comes from a manifest: in the folder of its table and nowhere else.
    pub(super) fn data(&self, table: &str, name: &str) -> Result<PathBuf> {
        let file = name.strip_prefix(table).and_then(|rest| rest.strip_prefix('/'));
        match file {
            Some(file) if !file.contains(['/', '\0']) && file.ends_with(".parquet") => {
                Ok(self.root.join(name))
            }
            _ => {
                Err(Error::corrupt(format!("the manifest names a file {name:?}, which cannot be"))
                    .table(table))
            }
        }
    }

    /// The fence of the writer of a file that has a name as [`Self::data_name`] makes them.
    pub(super) fn data_fence(name: &str) -> Option<u64> {
        fence_of(name.strip_suffix(".parquet")?)
    }

    /// The snapshot of a checkpoint that has a name as [`Self::checkpoint_name`] makes them.
    pub(super) fn checkpoint_number(name: &str) -> Option<u64> {
        name.strip_suffix(".list")?.split_once('-')?.0.parse().ok()
    }
}

fn fence_of(stem: &str) -> Option<u64> {
    let (fence, unique) = stem.split_once('-')?;
    let is_unique = unique.len() == 32 && unique.bytes().all(|b| b.is_ascii_hexdigit());
    fence.parse().ok().filter(|_| is_unique)
}

/// Refuses what cannot be a model's name: part of a path, of a flag, or of a manifest's line.
pub(super) fn check_model_name(name: &str) -> Result<()> {
    let is_sound = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.contains("..");
    check_length(name, "model")?;
    match is_sound {
        true => Ok(()),
        false => Err(Error::invalid(format!("`{}` is no model name", crate::output::shortened(name, 80)))
            .hint(
                "a name has letters, digits, `_`, `-` and single dots, and begins with a letter or a digit",
            )),
    }
}

/// Refuses what cannot be an alias: it could be taken for a version.
pub(super) fn check_alias(name: &str) -> Result<()> {
    if name == "latest" {
        return Err(Error::invalid("`latest` is no alias: it is always the newest version"));
    }
    check_word(name, "alias")
}

/// Refuses what cannot be a table's name, in a store that writes.
pub(super) fn check_table_name(name: &str) -> Result<()> {
    check_word(name, "table")
}

/// Refuses what cannot be a tag: it could be taken for a number or a time, or is no file name.
pub(super) fn check_tag(name: &str) -> Result<()> {
    check_word(name, "tag")
}

fn check_length(name: &str, what: &str) -> Result<()> {
    if name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{}` is no {what} name: it has {} bytes, and at most {LONGEST_NAME} are allowed",
        crate::output::shortened(name, 80),
        name.len()
    )))
}

fn check_word(name: &str, what: &str) -> Result<()> {
    check_length(name, what)?;
    let shown = crate::output::shortened(name, 80);
    if !crate::spec::is_identifier(name) || name.starts_with('_') {
        return Err(Error::invalid(format!("`{shown}` is no {what} name"))
            .hint("a name has letters, digits and `_`, and begins with a letter"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_table_is_refused() {
        let long = "x".repeat(300);
        for (name, fits) in [
            ("wind", true),
            ("Wind_80m", true),
            ("", false),
            ("a/b", false),
            ("..", false),
            (".", false),
            ("a\0b", false),
            ("_wind", false),
            ("_hypostyle", false),
            ("8m", false),
            ("a b", false),
            (long.as_str(), false),
        ] {
            assert_eq!(check_table_name(name).is_ok(), fits, "{name:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_model_or_an_alias_is_refused() {
        let long = "x".repeat(300);
        for (name, model, alias) in [
            ("node_17", true, true),
            ("node-17", true, false),
            ("17.b", true, false),
            ("production", true, true),
            ("latest", true, false),
            ("3", true, false),
            ("", false, false),
            ("a/b", false, false),
            ("..", false, false),
            ("a..b", false, false),
            (".a", false, false),
            ("-a", false, false),
            ("a\0b", false, false),
            ("a b", false, false),
            ("a\"b", false, false),
            ("é", false, false),
            (long.as_str(), false, false),
        ] {
            assert_eq!(check_model_name(name).is_ok(), model, "{name:?}");
            assert_eq!(check_alias(name).is_ok(), alias, "{name:?}");
        }
    }

    #[test]
    fn a_manifest_cannot_name_files_elsewhere() {
        let layout = Layout::of(Path::new("root"));
        let fits = Layout::data_name("wind", 7, &"0f".repeat(16));
        assert!(layout.data("wind", &fits).is_ok());
        assert_eq!(Layout::data_fence(fits.strip_prefix("wind/").unwrap()), Some(7));
        for name in ["wind.parquet", "sun/1-a.parquet", "wind/../x.parquet", "/etc/passwd", "wind/a", ""] {
            assert!(layout.data("wind", name).is_err(), "{name}");
        }
        assert_eq!(Layout::data_fence("mine.parquet"), None);
        assert_eq!(Layout::snapshot_number(layout.snapshot(12).file_name().unwrap()), Some(12));
        assert!(layout.checkpoint("../x").is_err());
        assert!(layout.pack(&Layout::pack_name(7, &"0f".repeat(16))).is_ok());
        for name in ["7-../../x.pack", "../7-0f.pack", "a.pack", ""] {
            assert!(layout.pack(name).is_err(), "{name}");
        }
    }
}
