//! Folders as models: one tar archive, its entries in the order of their names and without what differs from one
//! machine to another, so that the same folder gives the same bytes.

use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// What a folder has, in order; `None` for a file. What cannot be stored is refused.
pub(super) fn look(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::from_io(path, e))?;
    if metadata.is_file() {
        return Ok(None);
    }
    if !metadata.is_dir() {
        return Err(Error::invalid("it is neither a file nor a folder, so it cannot be a model").path(path));
    }
    let root = path.canonicalize().map_err(|e| Error::from_io(path, e))?;
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(path).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|e| {
            let at = e.path().unwrap_or(path).to_owned();
            Error::from_io(&at, e.into())
        })?;
        let kind = entry.file_type();
        if kind.is_symlink() {
            stays_inside(entry.path(), path, &root)?;
        } else if !kind.is_dir() && !kind.is_file() {
            return Err(Error::invalid("it is neither a file nor a folder, so it cannot be part of a model")
                .path(entry.path()));
        }
        let below = entry.path().strip_prefix(path).unwrap_or(entry.path());
        found.push(below.to_owned());
    }
    Ok(Some(found))
}

/// Refuses a link that leads out of the folder: elsewhere it would lead to something else, or nothing.
fn stays_inside(link: &Path, folder: &Path, root: &Path) -> Result<()> {
    let target = std::fs::read_link(link).map_err(|e| Error::from_io(link, e))?;
    let out = || {
        Error::invalid(format!("the link leads out of the folder, to {}", target.display()))
            .path(link)
            .hint("put what it leads to into the folder, or leave the link out")
    };
    if target.is_absolute() {
        return Err(out());
    }
    // By its words, as where it is unpacked, and by where it leads here.
    let mut depth = link.strip_prefix(folder).map_or(0, |below| below.components().count() as i64 - 1);
    for part in target.components() {
        depth += match part {
            Component::ParentDir => -1,
            Component::CurDir => 0,
            _ => 1,
        };
        if depth < 0 {
            return Err(out());
        }
    }
    match link.canonicalize() {
        Ok(there) if !there.starts_with(root) => Err(out()),
        Ok(_) => Ok(()),
        Err(e) => Err(Error::from_io(link, e)),
    }
}

/// Writes a folder's archive.
pub(super) fn write(folder: &Path, listed: &[PathBuf], to: &mut dyn Write) -> Result<()> {
    let mut archive = tar::Builder::new(to);
    archive.mode(tar::HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    for below in listed {
        let path = folder.join(below);
        archive.append_path_with_name(&path, below).map_err(|e| from_archive(&path, e))?;
    }
    archive.into_inner().map(drop).map_err(|e| from_archive(folder, e))
}

/// An error of ours may be wrapped in the archive's.
fn from_archive(path: &Path, error: std::io::Error) -> Error {
    let mut inner = error.get_ref().map(|e| e as &(dyn std::error::Error + 'static));
    while let Some(cause) = inner {
        if let Some(own) = cause.downcast_ref::<Error>() {
            let copy = Error::new(own.kind(), own.message()).path(own.file_path().unwrap_or(path));
            return own.hint_text().map(str::to_owned).into_iter().fold(copy, Error::hint);
        }
        inner = cause.source();
    }
    Error::from_io(path, error)
}

/// Unpacks an archive into a new folder, and nothing outside of it.
pub(crate) fn unpack(from: impl Read, folder: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(from);
    archive.set_preserve_mtime(false);
    archive.unpack(folder).map_err(|e| from_archive(folder, e))?;
    // Zeros that end the archive, and the checksum that is looked at behind them.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(|e| from_archive(folder, e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_comes_back_as_it_was_and_gives_the_same_bytes_again() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("m");
        std::fs::create_dir_all(from.join("b/c")).unwrap();
        std::fs::write(from.join("a.txt"), "a").unwrap();
        std::fs::write(from.join("b/c/empty"), "").unwrap();
        symlink("../a.txt", from.join("b/link")).unwrap();
        let pack = || {
            let mut bytes = Vec::new();
            write(&from, &look(&from).unwrap().unwrap(), &mut bytes).unwrap();
            bytes
        };
        let bytes = pack();
        assert_eq!(bytes, pack());
        let to = folder.path().join("to");
        unpack(bytes.as_slice(), &to).unwrap();
        assert_eq!(std::fs::read_to_string(to.join("b/link")).unwrap(), "a");
        assert_eq!(look(&to).unwrap(), look(&from).unwrap());
        assert_eq!(look(&from.join("a.txt")).unwrap(), None);
    }

    #[test]
    fn a_link_that_leads_out_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        let from = folder.path().join("m");
        std::fs::create_dir_all(from.join("b")).unwrap();
        std::fs::write(from.join("a"), "a").unwrap();
        symlink("..", from.join("b/up")).unwrap();
        for (target, is_fine) in [
            ("a", true),
            ("b/../a", true),
            ("../secret", false),
            ("../m/a", false),
            ("/etc/passwd", false),
            ("b/up/../secret", false),
            ("nothing", false),
        ] {
            symlink(target, from.join("link")).unwrap();
            let outcome = look(&from);
            assert_eq!(outcome.is_ok(), is_fine, "{target} {outcome:?}");
            std::fs::remove_file(from.join("link")).unwrap();
        }
        assert!(look(Path::new("/dev/null")).is_err());
    }
}
