//! From a path, a folder, a glob or a table's name to files. The one place that knows where tables lie.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::FileType;
use std::path::{Component, Path, PathBuf};

use crate::spec::is_identifier;
use crate::{Error, Result};

/// Where relative paths begin, and whether paths may lead out of there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) base: PathBuf,
    pub(super) rooted: bool,
}

const ENDINGS: [&str; 3] = ["parquet", "parq", "pq"];

impl Place {
    /// The files that a path stands for, in the order of their names.
    pub(super) fn files(&self, text: &str) -> Result<Vec<PathBuf>> {
        let path = self.inside(text)?;
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => in_folder(&path),
            Ok(_) => Ok(vec![path]),
            Err(e) if is_absent(&e) && text.contains(['*', '?', '[']) => self.matching(text),
            Err(e) if is_absent(&e) => Err(absent(&path)),
            Err(e) => Err(Error::from_io(&path, e)),
        }
    }

    /// The files of a table that is known by its name alone: `<base>/<name>.parquet` or `<base>/<name>/`.
    pub(super) fn named(&self, name: &str) -> Result<Vec<PathBuf>> {
        let file = self.inside(&format!("{name}.parquet"))?;
        let folder = self.inside(name)?;
        let is_file = stands_at(&file)?.is_some_and(|m| m.is_file());
        let is_folder = stands_at(&folder)?.is_some_and(|m| m.is_dir());
        match (is_file, is_folder) {
            (true, false) => Ok(vec![file]),
            (false, true) => in_folder(&folder),
            (true, true) => Err(Error::invalid("there are a file and a folder of the table's name")
                .path(file)
                .hint("say which with `path:`")),
            (false, false) => {
                let error = Error::not_found("there is no such file or folder").path(file);
                let tables = self.tables().unwrap_or_default();
                Err(match hypostyle_io::did_you_mean(name, tables.iter().map(String::as_str)) {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
        }
    }

    /// The names of the tables that [`Place::named`] finds, sorted.
    pub(super) fn tables(&self) -> Result<Vec<String>> {
        let base = if self.base.as_os_str().is_empty() { Path::new(".") } else { &self.base };
        let entries = std::fs::read_dir(base).map_err(|e| Error::from_io(base, e))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| Error::from_io(base, e))?;
            // A name that is not UTF-8 is no table's.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = name.strip_suffix(".parquet").unwrap_or(&name);
            if is_identifier(name) && !names.iter().any(|known| known == name) && self.has(name) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether [`Place::named`] finds a table, without looking through a folder further than to its first file.
    fn has(&self, name: &str) -> bool {
        let folder = self.base.join(name);
        match (self.base.join(format!("{name}.parquet")).is_file(), folder.is_dir()) {
            (true, false) => true,
            (false, true) => {
                below(&folder).flatten().any(|e| e.file_type().is_file() && is_parquet(e.path()))
            }
            _ => false,
        }
    }

    /// The files that a glob stands for; of a folder that matches, the files below it. Each file counts once, and
    /// names that begin with `_` or `.` only where the pattern spells that out.
    fn matching(&self, text: &str) -> Result<Vec<PathBuf>> {
        let wrong = |what: String| Error::invalid(what).path(text);
        // The base is a folder's name, not a pattern, whatever characters it has.
        let base = self.base.to_str().filter(|_| Path::new(text).is_relative()).unwrap_or_default();
        let text = if text.ends_with("**") { format!("{text}/*") } else { text.to_owned() };
        let pattern = Path::new(&glob::Pattern::escape(base)).join(&text);
        let pattern = pattern.to_str().ok_or_else(|| wrong("a glob must be UTF-8".to_owned()))?;
        // Names with a leading dot are left out below: the crate's own option for that panics at a name that is
        // not UTF-8 in a folder that it looks through.
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        let found =
            glob::glob_with(pattern, options).map_err(|e| wrong(format!("it is no glob: {}", e.msg)))?;
        // A pattern that names an ending of its own knows what it wants.
        let any_ending = Path::new(&text).extension().is_some_and(|e| !e.to_string_lossy().contains('*'));
        let spelled = Path::new(&text).components().any(|c| is_hidden(c.as_os_str()));
        let mut files = Vec::new();
        let mut kinds = Kinds::default();
        for entry in found {
            let path = entry.map_err(|e| {
                let path = e.path().to_owned();
                Error::from_io(&path, e.into())
            })?;
            let below = path.strip_prefix(base).unwrap_or(&path);
            if !spelled && below.components().any(|c| is_hidden(c.as_os_str())) {
                continue;
            }
            if kinds.is_folder(&path)? {
                files.extend(in_folder(&path).or_else(|e| match e.kind() {
                    crate::ErrorKind::NotFound => Ok(Vec::new()),
                    _ => Err(e),
                })?);
            } else if any_ending || is_parquet(&path) {
                files.push(path);
            }
        }
        files.sort();
        files.dedup();
        if files.is_empty() {
            // The search takes a folder that does not answer for one that is not there.
            stands_at(if self.base.as_os_str().is_empty() { Path::new(".") } else { &self.base })?;
            return Err(Error::not_found("no Parquet file matches")
                .path(text)
                .hint("names that begin with `_` or `.` are skipped; `**` goes through folders"));
        }
        Ok(files)
    }

    fn inside(&self, text: &str) -> Result<PathBuf> {
        let path = Path::new(text);
        if text.is_empty() || text.contains('\0') {
            return Err(Error::invalid(format!("{text:?} is no path")));
        }
        let leaves = path.components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir));
        if self.rooted && leaves {
            return Err(Error::invalid(format!("the path leads out of the root {}", self.base.display()))
                .path(path)
                .hint("name a path below the root, without `..`"));
        }
        Ok(self.base.join(path))
    }
}

/// The name of a table that has none: the file's stem, the folder's name, or that of the folder that is searched.
pub(crate) fn name_of(text: &str) -> String {
    let has_pattern = |part: &Path| part.to_string_lossy().contains(['*', '?', '[']);
    let mut path = Path::new(text);
    while has_pattern(path) && path.file_name().is_some_and(|name| has_pattern(Path::new(name))) {
        match path.parent() {
            Some(parent) => path = parent,
            None => break,
        }
    }
    let is_file = path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)));
    let name = if is_file { path.file_stem() } else { path.file_name() };
    name.map_or_else(|| text.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// What the entries of the folder are that was looked into last: a list of them says it of all at once, where to ask
/// for each in turn would be a wait for each on a mount that answers late.
#[derive(Default)]
struct Kinds {
    folder: Option<PathBuf>,
    listed: HashMap<OsString, FileType>,
}

impl Kinds {
    fn is_folder(&mut self, path: &Path) -> Result<bool> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(stands_at(path)?.is_some_and(|m| m.is_dir()));
        };
        if self.folder.as_deref() != Some(folder) {
            self.folder = Some(folder.to_owned());
            // What cannot be listed is asked for one by one.
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let entries = std::fs::read_dir(here).into_iter().flatten().flatten();
            let kinds = entries.filter_map(|entry| Some((entry.file_name(), entry.file_type().ok()?)));
            self.listed = kinds.collect();
        }
        match self.listed.get(name) {
            Some(kind) if !kind.is_symlink() => Ok(kind.is_dir()),
            _ => Ok(stands_at(path)?.is_some_and(|m| m.is_dir())),
        }
    }
}

/// What stands at a path; `None` if nothing does, which is something else than not to learn of it.
fn stands_at(path: &Path) -> Result<Option<std::fs::Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(Error::from_io(path, e)),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// All Parquet files below a folder; names that begin with `_` or `.` are other programs' business.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in below(folder) {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(folder).to_owned();
            let text = e.to_string();
            Error::from_io(&path, e.into_io_error().unwrap_or_else(|| std::io::Error::other(text)))
        })?;
        if entry.file_type().is_file() && is_parquet(entry.path()) {
            files.push(entry.into_path());
        }
    }
    if files.is_empty() {
        return Err(Error::not_found("the folder has no Parquet file")
            .path(folder)
            .hint("files end in .parquet; names that begin with `_` or `.` are skipped"));
    }
    Ok(files)
}

/// What lies below a folder and is not hidden, by name.
fn below(folder: &Path) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> {
    let hidden = |entry: &walkdir::DirEntry| entry.depth() > 0 && is_hidden(entry.file_name());
    let walk = walkdir::WalkDir::new(folder).follow_links(true).sort_by_file_name();
    walk.into_iter().filter_entry(move |e| !hidden(e))
}

/// Other programs' marks and unfinished files: `_SUCCESS`, `_temporary`, `.crc`. `.` and `..` are no names.
fn is_hidden(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(['_', '.']) && name != "." && name != ".."
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Says that there is nothing, and what there is instead.
fn absent(path: &Path) -> Error {
    let error = Error::not_found("there is no such file or folder").path(path);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return error };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(folder) else { return error };
    let names: Vec<String> = entries
        .flatten()
        .take(1000)
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| is_parquet(Path::new(n)))
        .collect();
    match hypostyle_io::did_you_mean(&name.to_string_lossy(), names.iter().map(String::as_str)) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_table_is_called_after_its_file_or_folder() {
        for (path, name) in [
            ("wind.parquet", "wind"),
            ("a/b/wind.v2.parquet", "wind.v2"),
            ("a/wind/", "wind"),
            ("sun/*.parquet", "sun"),
            ("sun/2024-*/part-?.parquet", "sun"),
            ("data.bin", "data.bin"),
        ] {
            assert_eq!(name_of(path), name, "{path}");
        }
    }

    #[test]
    fn folders_are_searched_hidden_names_skipped_and_the_root_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "t/b.parquet",
            "t/a.parquet",
            "t/x/c.PARQUET",
            "t/_tmp/d.parquet",
            "t/.e.parquet",
            "t/_f.parquet",
            "t/g.txt",
            "u.parquet",
            "u/a.parquet",
            "empty/readme",
        ] {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::fs::write(root.join(name), "").unwrap();
        }
        let place = Place { base: root.to_owned(), rooted: true };
        let names = |files: Result<Vec<PathBuf>>| -> Result<Vec<String>, ErrorKind> {
            let files = files.map_err(|e| e.kind())?;
            Ok(files.iter().map(|f| f.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect())
        };
        let found = |files: &[&str]| Ok(files.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(place.files("t")), found(&["t/a.parquet", "t/b.parquet", "t/x/c.PARQUET"]));
        assert_eq!(names(place.files("t/*.parquet")), found(&["t/a.parquet", "t/b.parquet"]));
        // A folder that matches was read beside the files in it, so that rows came twice.
        assert_eq!(names(place.files("t/**")), names(place.files("t")));
        assert_eq!(names(place.files("t/**/*")), names(place.files("t")));
        assert_eq!(names(place.files("t/_*.parquet")), found(&["t/_f.parquet"]));
        assert_eq!(names(place.files("t/*.txt")), found(&["t/g.txt"]));
        assert_eq!(names(place.named("t")), names(place.files("t")));
        assert_eq!(names(place.named("u")), Err(ErrorKind::InvalidRequest));
        assert_eq!(names(place.named("v")), Err(ErrorKind::NotFound));
        assert_eq!(names(place.files("empty")), Err(ErrorKind::NotFound));
        assert_eq!(names(place.files("t/nothing-*")), Err(ErrorKind::NotFound));
        assert_eq!(names(place.files("../t")), Err(ErrorKind::InvalidRequest));
        assert_eq!(names(place.files("t/../u.parquet")), Err(ErrorKind::InvalidRequest));
        assert_eq!(names(place.files("/etc/hosts")), Err(ErrorKind::InvalidRequest));
        assert_eq!(names(place.files("")), Err(ErrorKind::InvalidRequest));
        let not_utf8: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"t/n\xff.parquet");
        std::fs::write(root.join(not_utf8), "").unwrap();
        assert_eq!(names(place.files("t/a*")), found(&["t/a.parquet"]));
        std::fs::remove_file(root.join(not_utf8)).unwrap();
        let odd = root.join("r[1]");
        std::fs::create_dir(&odd).unwrap();
        std::fs::write(odd.join("a.parquet"), "").unwrap();
        assert_eq!(Place { base: odd, rooted: true }.files("*.parquet").unwrap().len(), 1);
        let anywhere = Place { rooted: false, ..place };
        assert!(anywhere.files("t/../u.parquet").is_ok());
        let hint = anywhere.files("w.parquet").unwrap_err();
        assert_eq!(hint.hint_text(), Some("did you mean `u.parquet`?"));
    }
}
