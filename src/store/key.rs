//! The key of a join that names none: the one that the root's `hypostyle.yaml` names, else the one column that all
//! tables share.

use std::collections::HashSet;
use std::path::Path;

use hypostyle_io::{Table, is_key_type};
use serde::Deserialize;

use super::resolve::Place;
use crate::spec::check_names;
use crate::{Error, Result};

/// A file in the root that says what all of its tables have in common.
const FILE: &str = "hypostyle.yaml";

/// It has one line; more than this is something else.
const MAX_BYTES: u64 = 64 << 10;

const HINT: &str =
    "say which column it is: `key:` in the spec, key=…, --key, or `key:` in hypostyle.yaml in the root";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    #[serde(default, with = "crate::spec::names")]
    key: Vec<String>,
}

/// The key that the root names for all of its tables; none without the file, or without one in it.
pub(super) fn of_root(place: &Place) -> Result<Vec<String>> {
    let path = place.base.join(FILE);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() > MAX_BYTES => {
            Err(Error::invalid(format!("it is larger than {MAX_BYTES} bytes")).path(path))
        }
        Ok(_) => read(&path).map_err(|e| e.path(&path)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::from_io(&path, e)),
    }
}

fn read(path: &Path) -> Result<Vec<String>> {
    let wrong =
        |what: String| Error::invalid(what).hint("it says which key the tables share, such as `key: ts`");
    let bytes = hypostyle_io::read_small(path).map_err(|e| Error::from_io(path, e))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let Defaults { key } =
        serde_saphyr::from_str_with_options(&text, options).map_err(|e| wrong(e.to_string()))?;
    check_names(&key)?;
    Ok(key)
}

/// The one column that could be the key: it is in every table and, where there is one, in the spine. Of columns
/// with the same name in all only those count whose types can be keys, unless there is just one anyway.
pub(super) fn shared(tables: &[&Table], spine: Option<&[String]>) -> Result<Vec<String>> {
    let names: Vec<Vec<String>> = tables.iter().map(|t| t.column_names()).collect();
    let sets: Vec<HashSet<&str>> = names.iter().map(|n| n.iter().map(String::as_str).collect()).collect();
    let Some(first) = spine.or_else(|| names.first().map(Vec::as_slice)) else {
        return Err(Error::invalid("the join has no key, and each table names another").hint(HINT));
    };
    let common: Vec<&String> =
        first.iter().filter(|n| sets.iter().all(|set| set.contains(n.as_str()))).collect();
    let could_be_key =
        |name: &str| tables.iter().all(|t| t.column(name).is_ok_and(|c| is_key_type(c.data_type())));
    let fit: Vec<&String> = common.iter().copied().filter(|name| could_be_key(name)).collect();
    match (fit.as_slice(), common.as_slice()) {
        ([one], _) | ([], [one]) => Ok(vec![(*one).clone()]),
        ([], _) => {
            Err(Error::invalid("the join has no key, and there is no column that could be it in all tables")
                .hint(HINT))
        }
        (several, _) => {
            const SHOWN: usize = 8;
            let shown: Vec<String> = several.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            let more = several.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Err(Error::invalid(format!(
                "the join has no key, and several columns could be it: {}{more}",
                shown.join(", ")
            ))
            .hint(HINT))
        }
    }
}
