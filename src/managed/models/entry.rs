//! What a manifest says of a model, and which of its versions is meant.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::layout::check_alias;
use crate::{Error, ErrorKind, Result};

/// A model as of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelEntry {
    /// The snapshot that changed it last.
    pub(crate) changed: u64,
    /// The fence of its last writer.
    pub(crate) fence: u64,
    /// The number that was given last. It is given once, whatever becomes of its version.
    pub(crate) last: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) aliases: BTreeMap<String, Target>,
    /// In the order of their numbers.
    pub(crate) versions: Vec<VersionEntry>,
}

/// What an alias leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Target {
    Version(u64),
    Alias(String),
}

/// Where a version's bytes stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionEntry {
    pub(crate) version: u64,
    /// The pack.
    pub(crate) file: String,
    /// Where the bytes begin.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    /// CRC-32 of the bytes.
    pub(crate) checksum: u32,
    /// The length of the card, which stands just before the bytes, and its CRC-32.
    pub(crate) card: (u32, u32),
    /// The snapshot that it came with.
    pub(crate) since: u64,
}

/// Which version of a model.
///
/// ```
/// use hypostyle::ModelVersion;
///
/// assert_eq!("3".parse::<ModelVersion>()?, ModelVersion::Number(3));
/// assert_eq!("latest".parse::<ModelVersion>()?, ModelVersion::Latest);
/// assert_eq!("production".parse::<ModelVersion>()?, ModelVersion::Alias("production".to_owned()));
/// # Ok::<(), hypostyle::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelVersion {
    /// The newest that there is.
    #[default]
    Latest,
    /// The one of that number.
    Number(u64),
    /// The one that an alias leads to.
    Alias(String),
}

impl FromStr for ModelVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        match text.parse() {
            // A sign is none of a number's here.
            Ok(number) if !text.starts_with('+') => Ok(Self::Number(number)),
            _ => check_alias(text).map(|()| Self::Alias(text.to_owned())).map_err(|_| {
                let shown = crate::output::shortened(text, 80);
                Error::invalid(format!("`{shown}` is no version")).hint("a number, `latest`, or an alias")
            }),
        }
    }
}

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Alias(alias) => f.write_str(alias),
        }
    }
}

/// What a version's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelKind {
    /// They are as they were given.
    #[default]
    Bytes,
    /// A folder, as a tar archive.
    Folder,
}

/// A model, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// Its newest version.
    pub latest: u64,
    /// All its versions.
    pub versions: Vec<u64>,
    /// Its aliases and the versions they lead to.
    pub aliases: BTreeMap<String, u64>,
    /// The bytes of all versions.
    pub bytes: u64,
}

/// A version of a model, and what was stored with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: u64,
    /// The aliases that lead to it.
    pub aliases: Vec<String>,
    /// Its bytes.
    pub bytes: u64,
    /// Their CRC-32.
    pub checksum: u32,
    /// What they are.
    pub kind: ModelKind,
    /// What was given as metadata: a JSON object.
    pub metadata: serde_json::Value,
    /// The features that it was trained on, as `table:column`.
    pub features: Vec<String>,
    /// The snapshot that it was trained on.
    pub trained_on: Option<u64>,
    /// The snapshot that it came with.
    pub since: u64,
    /// When it was written, in UTC.
    pub time: String,
    /// Who wrote it.
    pub who: String,
}

impl ModelEntry {
    fn has(&self, number: u64) -> bool {
        self.numbered(number).is_some()
    }

    fn numbered(&self, number: u64) -> Option<&VersionEntry> {
        let at = self.versions.binary_search_by_key(&number, |version| version.version).ok();
        at.and_then(|at| self.versions.get(at))
    }

    /// The number of the version that comes next.
    pub(crate) fn next(&self, name: &str) -> Result<u64> {
        let next = self.last.checked_add(1);
        next.ok_or_else(|| Error::corrupt(format!("the manifest has no number left for model `{name}`")))
    }

    /// The version that is meant.
    pub(crate) fn find(&self, name: &str, wanted: &ModelVersion) -> Result<&VersionEntry> {
        let number = match wanted {
            ModelVersion::Latest => {
                return self.versions.last().ok_or_else(|| {
                    Error::not_found(format!("model `{name}` has no version any more: all were removed"))
                });
            }
            ModelVersion::Number(number) => *number,
            ModelVersion::Alias(alias) => self.follow(name, alias)?,
        };
        self.numbered(number).ok_or_else(|| self.lacks(name, number))
    }

    fn lacks(&self, name: &str, number: u64) -> Error {
        let was_there = number > 0 && number <= self.last;
        let gone = if was_there { " any more: it was removed" } else { "" };
        let error = Error::not_found(format!("model `{name}` has no version {number}{gone}"));
        match (self.versions.first(), self.versions.last()) {
            (Some(first), Some(last)) if self.versions.len() > 1 => error.hint(format!(
                "it has {} versions, {} to {}",
                self.versions.len(),
                first.version,
                last.version
            )),
            (Some(only), _) => error.hint(format!("it has version {}", only.version)),
            _ => error.hint("it has none"),
        }
    }

    /// The number that an alias leads to.
    fn follow(&self, name: &str, alias: &str) -> Result<u64> {
        let mut at = alias;
        // A way longer than there are aliases goes in a circle.
        for _ in 0..=self.aliases.len() {
            match self.aliases.get(at) {
                Some(Target::Version(number)) => return Ok(*number),
                Some(Target::Alias(next)) => at = next,
                None => return Err(self.no_alias(name, at)),
            }
        }
        Err(circle(name, alias))
    }

    fn no_alias(&self, name: &str, alias: &str) -> Error {
        let error = Error::not_found(format!("model `{name}` has no alias `{alias}`"));
        match hypostyle_io::did_you_mean(alias, self.aliases.keys().map(String::as_str)) {
            Some(hint) => error.hint(hint),
            None => error.hint(format!("`hypostyle model alias {name} {alias} VERSION` makes one")),
        }
    }

    /// The aliases and the versions they lead to.
    pub(crate) fn aliases(&self) -> BTreeMap<String, u64> {
        let led = |alias: &String| Some((alias.clone(), self.follow("", alias).ok()?));
        self.aliases.keys().filter_map(led).collect()
    }

    /// Lets an alias lead somewhere, or takes it away.
    pub(crate) fn set_alias(&mut self, name: &str, alias: &str, to: Option<&ModelVersion>) -> Result<()> {
        check_alias(alias)?;
        let Some(to) = to else {
            if self.aliases.remove(alias).is_none() {
                self.follow(name, alias)?;
            }
            let dangling = self.aliases.iter().find(|(_, to)| **to == Target::Alias(alias.to_owned()));
            return match dangling {
                None => Ok(()),
                Some((other, _)) => Err(Error::new(
                    ErrorKind::Conflict,
                    format!("the alias `{other}` of model `{name}` leads to `{alias}`"),
                )
                .hint(format!("move or take away `{other}` first"))),
            };
        };
        let target = match to {
            ModelVersion::Alias(other) if other == alias => return Err(circle(name, alias)),
            ModelVersion::Alias(other) => Target::Alias(other.clone()),
            _ => Target::Version(self.find(name, to)?.version),
        };
        // The alias as it is to be is nothing that could have been meant by a wrong name for what it leads to.
        self.aliases.remove(alias);
        if let Target::Alias(other) = &target
            && !self.aliases.contains_key(other)
        {
            return Err(self.no_alias(name, other));
        }
        self.aliases.insert(alias.to_owned(), target);
        let number = self.follow(name, alias)?;
        if self.has(number) { Ok(()) } else { Err(self.lacks(name, number)) }
    }

    /// Takes a version away, or all.
    pub(crate) fn remove(&mut self, name: &str, version: Option<u64>) -> Result<Vec<u64>> {
        let removed: Vec<u64> = match version {
            Some(number) if !self.has(number) => return Err(self.lacks(name, number)),
            Some(number) => vec![number],
            None => self.versions.iter().map(|version| version.version).collect(),
        };
        if let Some((alias, number)) = self.aliases().into_iter().find(|(_, to)| removed.contains(to)) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("version {number} of model `{name}` is held by the alias `{alias}`"),
            )
            .hint("move the alias, or take it away, first"));
        }
        self.versions.retain(|version| !removed.contains(&version.version));
        Ok(removed)
    }
}

fn circle(name: &str, alias: &str) -> Error {
    Error::invalid(format!("the alias `{alias}` of model `{name}` would lead back to itself"))
        .hint("let it lead to a version")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(versions: &[u64], aliases: &[(&str, &str)]) -> ModelEntry {
        let version = |number: &u64| VersionEntry {
            version: *number,
            file: String::new(),
            at: 0,
            bytes: 1,
            checksum: 0,
            card: (0, 0),
            since: 1,
        };
        let target = |text: &str| match text.parse() {
            Ok(number) => Target::Version(number),
            Err(_) => Target::Alias(text.to_owned()),
        };
        ModelEntry {
            last: versions.last().copied().unwrap_or(0),
            versions: versions.iter().map(version).collect(),
            aliases: aliases.iter().map(|(alias, to)| ((*alias).to_owned(), target(to))).collect(),
            ..ModelEntry::default()
        }
    }

    #[test]
    fn a_version_is_found_by_number_alias_and_as_the_latest() {
        let model = model(&[1, 3, 4], &[("prod", "3"), ("live", "prod"), ("a", "b"), ("b", "a")]);
        for (wanted, expected) in [
            ("latest", Ok(4)),
            ("1", Ok(1)),
            ("2", Err("model `m` has no version 2 any more: it was removed")),
            ("9", Err("model `m` has no version 9")),
            ("0", Err("model `m` has no version 0")),
            ("prod", Ok(3)),
            ("live", Ok(3)),
            ("prd", Err("model `m` has no alias `prd`")),
            ("a", Err("the alias `a` of model `m` would lead back to itself")),
        ] {
            let found = model.find("m", &wanted.parse().unwrap()).map(|version| version.version);
            assert_eq!(found.as_ref().map_err(Error::message), expected.as_ref().map_err(|e| *e), "{wanted}");
        }
        for wrong in ["", "a b", "-1", "+1", "1.5", "../x"] {
            assert_eq!(
                wrong.parse::<ModelVersion>().unwrap_err().kind(),
                ErrorKind::InvalidRequest,
                "{wrong}"
            );
        }
        let mut text = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<ModelEntry>(&text).unwrap(), model);
        text = text.replace("\"last\"", "\"lst\"");
        assert!(serde_json::from_str::<ModelEntry>(&text).is_err());
    }

    #[test]
    fn an_alias_leads_to_something_and_never_in_a_circle() {
        for (alias, to, expected) in [
            ("new", Some("1"), None),
            ("prod", Some("1"), None),
            ("prod", Some("latest"), None),
            ("new", Some("live"), None),
            ("new", Some("2"), Some((ErrorKind::NotFound, "no version 2"))),
            ("new", Some("nothing"), Some((ErrorKind::NotFound, "no alias `nothing`"))),
            ("new", Some("new"), Some((ErrorKind::InvalidRequest, "lead back to itself"))),
            ("prod", Some("live"), Some((ErrorKind::InvalidRequest, "lead back to itself"))),
            ("prod", Some("prod"), Some((ErrorKind::InvalidRequest, "lead back to itself"))),
            ("latest", Some("1"), Some((ErrorKind::InvalidRequest, "always the newest"))),
            ("7", Some("1"), Some((ErrorKind::InvalidRequest, "no alias name"))),
            ("live", None, None),
            ("prod", None, Some((ErrorKind::Conflict, "`live` of model `m` leads to `prod`"))),
            ("nothing", None, Some((ErrorKind::NotFound, "no alias `nothing`"))),
        ] {
            let mut model = model(&[1, 3], &[("prod", "3"), ("live", "prod")]);
            let to = to.map(|to| to.parse().unwrap());
            let outcome = model.set_alias("m", alias, to.as_ref());
            match expected {
                None => outcome.unwrap(),
                Some((kind, words)) => {
                    let error = outcome.unwrap_err();
                    assert_eq!(error.kind(), kind, "{alias} {error}");
                    assert!(error.to_string().contains(words), "{error}");
                }
            }
        }
    }

    /// The hint named the alias that was about to be made.
    #[test]
    fn what_is_like_the_wrong_target_of_an_alias_is_looked_for_among_those_that_there_are() {
        for (alias, to, hint) in [
            ("prud", "prd", "did you mean `prod`?"),
            ("prod", "prods", "`hypostyle model alias m prods VERSION` makes one"),
            ("new", "nwe", "there are `prod`"),
        ] {
            let mut model = model(&[1, 3], &[("prod", "3")]);
            let error = model.set_alias("m", alias, Some(&to.parse().unwrap())).unwrap_err();
            assert_eq!(error.hint_text(), Some(hint), "{alias} {to}");
        }
    }

    #[test]
    fn what_an_alias_holds_is_not_removed_and_no_number_comes_again() {
        let mut model = model(&[1, 3, 4], &[("prod", "3"), ("live", "prod")]);
        assert_eq!(model.remove("m", Some(3)).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(model.remove("m", None).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(model.remove("m", Some(2)).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(model.remove("m", Some(4)).unwrap(), [4]);
        assert_eq!((model.last, model.find("m", &ModelVersion::Latest).unwrap().version), (4, 3));
        assert_eq!(model.next("m").unwrap(), 5);
        // As a manifest that was forged could say.
        model.last = u64::MAX;
        assert_eq!(model.next("m").unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
