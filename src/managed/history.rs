//! What was committed, what differs between two snapshots, and names for them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::commit::{Wish, commit};
use super::layout::check_tag;
use super::manifest::{Entry, Manifest, TableEntry, names};
use super::models::ModelEntry;
use super::snapshot::Snapshot;
use super::{AsOf, Managed, as_of, unique};
use crate::{Error, Result};

/// A snapshot and its commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// Its number.
    pub number: u64,
    /// When, in UTC.
    pub time: String,
    /// The same in nanoseconds since 1970.
    pub time_ns: u64,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// The commit's id.
    pub commit: String,
    /// The tables that it changed.
    pub tables: Vec<String>,
    /// The models that it changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The tags that it has now.
    pub tags: Vec<String>,
}

/// What became of one table between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableChange {
    /// Its rows before; `None` if it was not there.
    pub rows_before: Option<u64>,
    /// Its rows after; `None` if it is no longer there.
    pub rows_after: Option<u64>,
    /// Files that came.
    pub files_added: Vec<String>,
    /// Files that went.
    pub files_removed: Vec<String>,
    /// Columns that came.
    pub columns_added: Vec<String>,
}

/// What differs between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the one.
    pub from: u64,
    /// The number of the other.
    pub to: u64,
    /// The tables that differ.
    pub tables: BTreeMap<String, TableChange>,
    /// The models that differ.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ModelChange>,
}

/// What became of one model between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelChange {
    /// Versions that came.
    pub versions_added: Vec<u64>,
    /// Versions that went.
    pub versions_removed: Vec<u64>,
    /// Aliases that came, went or moved.
    pub aliases: Vec<String>,
}

impl Managed {
    /// The newest `most` snapshots that are kept, the newest first; of one table alone, if it is named.
    pub(crate) fn log(&self, table: Option<&str>, most: usize) -> Result<Vec<SnapshotReport>> {
        let newest = self.newest_to_read(std::time::Duration::ZERO)?.0;
        let mut tags: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (tag, number) in newest.tags()? {
            tags.entry(number).or_default().push(tag);
        }
        let horizon = newest.manifest.horizon;
        let older = tags.keys().copied().filter(|number| *number < horizon).rev().collect::<Vec<_>>();
        let mut reports = Vec::new();
        for number in (horizon..=newest.number()).rev().chain(older) {
            if reports.len() >= most {
                break;
            }
            let snapshot = Snapshot::read(&self.layout, &self.kept, number)?;
            let changes = snapshot.changes()?;
            let tables = changed(&changes, names::TABLE);
            if table.is_none_or(|table| tables.iter().any(|name| name == table)) {
                let tags = tags.get(&number).cloned().unwrap_or_default();
                let models = changed(&changes, names::MODEL);
                reports.push(report(&snapshot.manifest, tables, models, tags));
            }
        }
        Ok(reports)
    }

    /// What a table, or each of them, became from one snapshot to another.
    pub(crate) fn diff(&self, from: &AsOf, to: &AsOf) -> Result<Difference> {
        let newest = self.newest_to_read(std::time::Duration::ZERO)?.0;
        let (from, to) = (as_of::resolve(self, &newest, from)?, as_of::resolve(self, &newest, to)?);
        let (before, after) = (from.tables()?, to.tables()?);
        let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let change = |name: &String| {
            let (before, after) = (before.get(name), after.get(name));
            (before != after).then(|| (name.clone(), difference(before, after)))
        };
        let tables = all.into_iter().filter_map(change).collect();
        let models = models_between(&from.models()?, &to.models()?);
        Ok(Difference { from: from.number(), to: to.number(), tables, models })
    }

    /// Names a snapshot, the newest if none is given; it is then kept. `replace` moves a tag.
    pub(crate) fn tag(&self, tag: &str, as_of: Option<&AsOf>, replace: bool) -> Result<u64> {
        check_tag(tag)?;
        let mut tagged = 0;
        commit(self.ground()?, &Wish::new(format!("tag {tag}")), |head| {
            tagged = match as_of {
                Some(as_of) => as_of::resolve(self, head, as_of)?.number(),
                None => head.number(),
            };
            match head.tag(tag)? {
                Some(number) if number != tagged && !replace => Err(Error::new(
                    crate::ErrorKind::Conflict,
                    format!("the tag `{tag}` names snapshot {number}"),
                )
                .hint("choose another name, or say that it is to be moved: --force")),
                _ => Ok([(names::tag(tag), Some(Entry::Tag(tagged)))].into()),
            }
        })?;
        Ok(tagged)
    }

    /// Takes a tag away; its snapshot is then kept no longer than others.
    pub(crate) fn untag(&self, tag: &str) -> Result<()> {
        check_tag(tag)?;
        commit(self.ground()?, &Wish::new(format!("untag {tag}")), |head| match head.tag(tag)? {
            Some(_) => Ok([(names::tag(tag), None)].into()),
            None => Err(Error::not_found(format!("there is no tag `{tag}`"))),
        })
        .map(drop)
    }

    /// The tags and the snapshots they name.
    pub(crate) fn tags(&self) -> Result<BTreeMap<String, u64>> {
        self.newest_to_read(std::time::Duration::ZERO)?.0.tags()
    }

    /// The snapshot of a commit, by its id: among those after `after`.
    pub(crate) fn find_commit(&self, commit: &str, after: u64) -> Result<Option<u64>> {
        let newest = self.newest()?;
        for number in ((after + 1).max(newest.manifest.horizon)..=newest.number()).rev() {
            if self.kept.manifest(&self.layout, number)?.0.commit == commit {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

fn changed(changes: &BTreeMap<String, Option<Entry>>, prefix: &str) -> Vec<String> {
    changes.keys().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect()
}

fn report(
    manifest: &Manifest,
    tables: Vec<String>,
    models: Vec<String>,
    tags: Vec<String>,
) -> SnapshotReport {
    SnapshotReport {
        number: manifest.number,
        time: unique::moment(manifest.time),
        time_ns: manifest.time,
        who: manifest.who.clone(),
        what: manifest.what.clone(),
        commit: manifest.commit.clone(),
        tables,
        models,
        tags,
    }
}

fn models_between(
    before: &BTreeMap<String, ModelEntry>,
    after: &BTreeMap<String, ModelEntry>,
) -> BTreeMap<String, ModelChange> {
    let none = ModelEntry::default();
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| {
        let (before, after) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        let numbers = |model: &ModelEntry| model.versions.iter().map(|v| v.version).collect::<BTreeSet<_>>();
        let (old, new) = (numbers(before), numbers(after));
        let aliases: BTreeSet<&String> = before.aliases.keys().chain(after.aliases.keys()).collect();
        let moved =
            aliases.into_iter().filter(|alias| before.aliases.get(*alias) != after.aliases.get(*alias));
        let change = ModelChange {
            versions_added: new.difference(&old).copied().collect(),
            versions_removed: old.difference(&new).copied().collect(),
            aliases: moved.cloned().collect(),
        };
        (before.changed != after.changed).then(|| (name.clone(), change))
    };
    all.into_iter().filter_map(change).collect()
}

fn difference(before: Option<&TableEntry>, after: Option<&TableEntry>) -> TableChange {
    let files = |table: Option<&TableEntry>| -> BTreeSet<String> {
        table.into_iter().flat_map(|t| &t.files).map(|file| file.name.clone()).collect()
    };
    let columns = |table: Option<&TableEntry>| -> BTreeSet<String> {
        table.into_iter().flat_map(|t| &t.columns).map(|column| column.name.clone()).collect()
    };
    let (old, new) = (files(before), files(after));
    TableChange {
        rows_before: before.map(TableEntry::rows),
        rows_after: after.map(TableEntry::rows),
        files_added: new.difference(&old).cloned().collect(),
        files_removed: old.difference(&new).cloned().collect(),
        columns_added: columns(after).difference(&columns(before)).cloned().collect(),
    }
}
