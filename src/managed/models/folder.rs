//! Folders as models: one tar archive, its entries in the order of their names and without what differs from one
//! machine to another, so that the same folder gives the same bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::{Error, ErrorKind, Result};

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
        let is_file = path.symlink_metadata().map_err(|e| Error::from_io(&path, e))?.is_file();
        match is_file {
            true => write_file(&mut archive, &path, below)?,
            false => archive.append_path_with_name(&path, below).map_err(|e| from_archive(&path, e))?,
        }
    }
    archive.into_inner().map(drop).map_err(|e| from_archive(folder, e))
}

/// Writes a file: as many bytes as its header says, or what follows in the archive would be taken for its end. Its
/// holes are written as zeros, since which it has is a matter of the file system.
fn write_file<W: Write>(archive: &mut tar::Builder<W>, path: &Path, below: &Path) -> Result<()> {
    let from_io = |e| Error::from_io(path, e);
    let mut file = File::open(path).map_err(from_io)?;
    let before = file.metadata().map_err(from_io)?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata_in_mode(&before, tar::HeaderMode::Deterministic);
    let mut bytes = (&mut file).take(before.len());
    archive.append_data(&mut header, below, &mut bytes).map_err(|e| from_archive(path, e))?;
    let is_short = bytes.limit() > 0;
    let is_long = file.read(&mut [0]).map_err(from_io)? > 0;
    let after = file.metadata().map_err(from_io)?;
    if is_short || is_long || after.modified().ok() != before.modified().ok() {
        return Err(Error::new(ErrorKind::Changed, "the file changed while it was read")
            .path(path)
            .hint("store the folder when nobody writes to it"));
    }
    Ok(())
}

/// An error of ours may be wrapped in the archive's.
fn own(error: &io::Error) -> Option<&Error> {
    let mut inner = error.get_ref().map(|e| e as &(dyn std::error::Error + 'static));
    while let Some(cause) = inner {
        if let Some(own) = cause.downcast_ref::<Error>() {
            return Some(own);
        }
        inner = cause.source();
    }
    None
}

fn from_archive(path: &Path, error: io::Error) -> Error {
    let Some(own) = own(&error) else { return Error::from_io(path, error) };
    let copy = Error::new(own.kind(), own.message()).path(own.file_path().unwrap_or(path));
    own.hint_text().map(str::to_owned).into_iter().fold(copy, Error::hint)
}

/// Unpacks an archive into a new folder, and nothing outside of it; nor does anything in it lead out.
pub(crate) fn unpack(from: impl Read, folder: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(from);
    archive.set_preserve_mtime(false);
    let unpacked = archive.unpack(folder);
    if let Err(error) = unpacked.as_ref()
        && own(error).is_some()
    {
        return unpacked.map_err(|e| from_archive(folder, e));
    }
    // Zeros that end the archive, and the checksum that is looked at behind them: if that does not fit, it is what is
    // wrong, whatever the archive seemed to say.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|e| from_archive(folder, e))?;
    unpacked.map_err(|e| from_archive(folder, e))?;
    match look(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::corrupt(format!("its archive cannot be a model's: {}", error.message()))),
    }
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

    /// A file that grew made an archive whose next header was taken from the middle of its bytes, and the store said
    /// that all was well.
    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused_and_never_half_stored() {
        /// What is written first changes the file that is being read.
        struct Meddles<'a>(&'a dyn Fn(), Vec<u8>);
        impl Write for Meddles<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.1.is_empty() {
                    self.0();
                }
                self.1.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let resize = |bytes: u64| File::options().write(true).open(&path).unwrap().set_len(bytes).unwrap();
        for (changed, is_fine) in [(100_000, true), (100_001, false), (99_999, false), (0, false)] {
            std::fs::write(&path, vec![7; 100_000]).unwrap();
            let listed = look(folder.path()).unwrap().unwrap();
            let change = || {
                if changed != 100_000 {
                    resize(changed);
                }
            };
            let outcome = write(folder.path(), &listed, &mut Meddles(&change, Vec::new()));
            assert_eq!(outcome.is_ok(), is_fine, "{changed} {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::Changed);
                assert!(error.to_string().contains("changed while it was read"), "{error}");
            }
        }
    }

    /// Two machines may keep the same file with holes and without.
    #[test]
    fn holes_make_no_difference() {
        let folder = tempfile::tempdir().unwrap();
        let [dense, holes] = ["dense", "holes"].map(|name| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            folder
        });
        std::fs::write(dense.join("a"), vec![0; 1 << 20]).unwrap();
        File::create(holes.join("a")).unwrap().set_len(1 << 20).unwrap();
        let archive = |folder: &Path| {
            let mut bytes = Vec::new();
            write(folder, &look(folder).unwrap().unwrap(), &mut bytes).unwrap();
            bytes
        };
        assert!(archive(&dense) == archive(&holes));
    }

    /// What a forged archive could say; ours never does.
    #[test]
    fn an_archive_that_leads_out_is_not_unpacked() {
        use tar::EntryType as Type;
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let out = outside.path().to_str().unwrap();
        let secret = format!("{out}/secret");
        for (entries, is_fine) in [
            (vec![("a", Type::Regular, "")], true),
            (vec![("a", Type::Regular, ""), ("l", Type::Symlink, "a")], true),
            (vec![("../evil", Type::Regular, "")], true),
            (vec![(&*format!("{out}/evil"), Type::Regular, "")], true),
            (vec![("l", Type::Symlink, &*secret)], false),
            (vec![("l", Type::Symlink, "../secret")], false),
            (vec![("l", Type::Symlink, out), ("l/evil", Type::Regular, "")], false),
            (vec![("l", Type::Link, &*secret)], false),
            (vec![("l", Type::Link, "../secret")], false),
        ] {
            let mut archive = tar::Builder::new(Vec::new());
            for (name, kind, link) in &entries {
                let mut header = tar::Header::new_gnu();
                // As `set_path` would not.
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
                header.set_entry_type(*kind);
                header.set_mode(0o6777);
                header.set_size(0);
                header.set_cksum();
                archive.append(&header, io::empty()).unwrap();
            }
            let to = outside.path().join("to");
            let outcome = unpack(archive.into_inner().unwrap().as_slice(), &to);
            assert_eq!(outcome.is_ok(), is_fine, "{entries:?} {outcome:?}");
            assert!(!outside.path().join("evil").exists(), "{entries:?}");
            assert_eq!(
                std::fs::metadata(&secret).map(|s| std::os::unix::fs::MetadataExt::nlink(&s)).unwrap(),
                1
            );
            if let Ok(made) = std::fs::metadata(to.join("a")) {
                let mode = std::os::unix::fs::PermissionsExt::mode(&made.permissions());
                assert_eq!(mode & 0o7000, 0, "no file that runs as another user");
            }
            let _ = std::fs::remove_dir_all(&to);
        }
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
