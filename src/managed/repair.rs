//! What is wrong with a store, and what can be done about it.

use std::collections::BTreeMap;

use hypostyle_io::{Immutable, IoMode};
use serde::Serialize;

use super::commit::{Wish, commit};
use super::layout::Layout;
use super::manifest::{Entry, Manifest, names};
use super::models::VersionEntry;
use super::snapshot::Snapshot;
use super::{Managed, head};
use crate::{Error, Result};

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The table that suffers, if it is one alone.
    pub table: Option<String>,
    /// The file.
    pub path: Option<String>,
    /// What is wrong with it.
    pub what: String,
}

/// What a look through a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// The newest snapshot by the names that are there.
    pub newest: u64,
    /// What is wrong; nothing, if this is empty.
    pub findings: Vec<Finding>,
    /// What was done, or would be with `--apply`.
    pub actions: Vec<String>,
    /// Whether it was done.
    pub applied: bool,
}

impl Managed {
    /// Looks through all manifests that are kept and all files of the newest snapshot, and says what it would do.
    ///
    /// What can be done without losing anything that can still be read: a table whose newest files are damaged goes
    /// back to its newest version whose files are whole, by a commit of its own; the damaged version stays in the
    /// history. A damaged manifest cannot be made whole again here: only a copy can bring it back.
    pub(crate) fn repair(&self, apply: bool) -> Result<RepairReport> {
        let mut report = RepairReport { applied: apply, ..RepairReport::default() };
        for (what, action) in self.point.faults() {
            let path = Some(self.layout.marker().display().to_string());
            report.findings.push(Finding { table: None, path, what });
            report.actions.push(action);
        }
        // A commit point that has nothing to say is no reason not to look at what is there.
        let (newest, horizon) = if report.findings.is_empty() && !self.is_local {
            let newest = self.newest()?;
            (newest.number(), Some(newest.manifest.horizon))
        } else {
            (head::by_list(&self.layout)?, None)
        };
        // Only now: a newest snapshot whose writer was killed has its number's name since it was looked for.
        let numbers = head::numbers(&self.layout)?;
        report.newest = newest;
        let is_sound = report.findings.is_empty();
        let mut sound: BTreeMap<u64, (Manifest, u32)> = BTreeMap::new();
        for number in &numbers {
            match Manifest::read(&self.layout.snapshot(*number), *number) {
                Ok(manifest) => drop(sound.insert(*number, manifest)),
                Err(error) => report.find(&error),
            }
        }
        let of_newest = || sound.get(&newest).map_or(0, |(manifest, _)| manifest.horizon);
        let horizon = horizon.unwrap_or_else(of_newest);
        for number in horizon..newest {
            if !numbers.contains(&number) {
                report.findings.push(Finding {
                    table: None,
                    path: Some(self.layout.snapshot(number).display().to_string()),
                    what: format!("the manifest of snapshot {number} is missing"),
                });
            }
        }
        for (number, (manifest, _)) in &sound {
            let parent = number.checked_sub(1).and_then(|before| sound.get(&before));
            if let (Some((_, checksum)), Some(said)) = (parent, manifest.parent)
                && *checksum != said
            {
                report.findings.push(Finding {
                    table: None,
                    path: Some(self.layout.snapshot(*number - 1).display().to_string()),
                    what: format!("it is another one than snapshot {number} was built upon"),
                });
            }
        }
        report.findings.extend(stale(&self.layout, sound.values().map(|(manifest, _)| manifest)));
        if self.is_local {
            self.note_head(newest, apply, &mut report)?;
        }
        let apply = apply && is_sound;
        if let Ok(snapshot) = Snapshot::read(&self.layout, &self.kept, newest) {
            self.look_at_tables(&snapshot, apply, &mut report)?;
            self.look_at_models(&snapshot, &mut report);
        } else {
            report.actions.push(format!(
                "nothing: put a copy of the manifest of snapshot {newest} back, or read older snapshots with --as-of"
            ));
        }
        Ok(report)
    }

    fn note_head(&self, newest: u64, apply: bool, report: &mut RepairReport) -> Result<()> {
        let hint = std::fs::read_to_string(self.layout.head()).unwrap_or_default();
        if newest > 0 && hint.trim().parse() != Ok(newest) {
            report.actions.push(format!("write down that snapshot {newest} is the newest"));
            if apply {
                self.files.remove(&self.layout.head())?;
                head::note(&self.layout, &self.files, newest);
            }
        }
        Ok(())
    }

    fn look_at_tables(&self, snapshot: &Snapshot<'_>, apply: bool, report: &mut RepairReport) -> Result<()> {
        let tables = match snapshot.tables() {
            Ok(tables) => tables,
            Err(error) => {
                report.find(&error);
                return Ok(());
            }
        };
        for (name, table) in tables {
            let faults = self.faults(&name, &table)?;
            if faults.is_empty() {
                continue;
            }
            report.findings.extend(faults);
            match self.newest_whole(snapshot, &name, table.changed)? {
                Some((number, whole)) => {
                    report
                        .actions
                        .push(format!("take table `{name}` back to what it was in snapshot {number}"));
                    if apply {
                        let wish = Wish::new(format!("repair {name} as of {number}"));
                        commit(self.ground()?, &wish, |head| {
                            let mut whole = whole.clone();
                            whole.changed = head.number() + 1;
                            // What was refused before stays so.
                            let fence = head.table(&name)?.map_or(0, |table| table.fence);
                            whole.fence = whole.fence.max(fence).max(head.floor(&name)?);
                            Ok([(names::table(&name), Some(Entry::Table(whole)))].into())
                        })?;
                    }
                }
                None => report.actions.push(format!(
                    "nothing for table `{name}`: no version of it is whole; restore its files"
                )),
            }
        }
        Ok(())
    }

    /// What is damaged of a model cannot be brought back here, since each version stands in one place alone.
    fn look_at_models(&self, snapshot: &Snapshot<'_>, report: &mut RepairReport) {
        let models = match snapshot.models() {
            Ok(models) => models,
            Err(error) => return report.find(&error),
        };
        for (name, model) in models {
            for version in &model.versions {
                let Err(error) = self.look_at_version(version) else { continue };
                let what = format!("model `{name}`, version {}", version.version);
                report.findings.push(Finding {
                    table: None,
                    path: error.file_path().map(|path| path.display().to_string()),
                    what: format!("{what}: {}", error.message()),
                });
                report.actions.push(format!("nothing for {what}: restore its file, or remove the version"));
            }
        }
    }

    fn look_at_version(&self, version: &VersionEntry) -> Result<()> {
        let path = self.layout.pack(&version.file)?;
        let file = Immutable::new(&path, IoMode::Pread);
        let (card, checksum) = version.card;
        let card_at = version.at.checked_sub(u64::from(card));
        let card_at =
            card_at.ok_or_else(|| Error::corrupt("its card would lie before its file").path(&path))?;
        for (at, bytes, checksum) in
            [(card_at, u64::from(card), checksum), (version.at, version.bytes, version.checksum)]
        {
            let mut hasher = crc32fast::Hasher::new();
            let mut done = 0;
            while done < bytes {
                let many = (bytes - done).min(4 << 20);
                hasher.update(&file.read(at + done, usize::try_from(many).unwrap_or(0))?);
                done += many;
            }
            if hasher.finalize() != checksum {
                return Err(Error::corrupt("its checksum does not fit").path(&path));
            }
        }
        Ok(())
    }

    /// The files of a table that are missing or have another size or other bytes than the manifest says.
    fn faults(&self, name: &str, table: &super::TableEntry) -> Result<Vec<Finding>> {
        let mut faults = Vec::new();
        for file in &table.files {
            let path = self.layout.data(name, &file.name)?;
            let what = match std::fs::read(&path) {
                Err(e) => format!("the file cannot be read: {e}"),
                Ok(bytes) if bytes.len() as u64 != file.bytes => {
                    format!("the file has {} bytes, and the manifest says {}", bytes.len(), file.bytes)
                }
                Ok(bytes) if crc32fast::hash(&bytes) != file.checksum => {
                    "its checksum does not fit".to_owned()
                }
                Ok(_) => continue,
            };
            faults.push(Finding {
                table: Some(name.to_owned()),
                path: Some(path.display().to_string()),
                what,
            });
        }
        Ok(faults)
    }

    /// The newest version of a table before `changed` whose files are all whole.
    fn newest_whole(
        &self,
        newest: &Snapshot<'_>,
        name: &str,
        mut changed: u64,
    ) -> Result<Option<(u64, super::TableEntry)>> {
        while let Some(before) = changed.checked_sub(1).filter(|before| *before >= newest.manifest.horizon) {
            let Ok(snapshot) = Snapshot::read(&self.layout, &self.kept, before) else { return Ok(None) };
            let Ok(Some(table)) = snapshot.table(name) else { return Ok(None) };
            if self.faults(name, &table)?.is_empty() {
                return Ok(Some((before, table)));
            }
            changed = table.changed;
        }
        Ok(None)
    }

    /// Everything of the newest snapshot read and compared with its checksums.
    #[cfg(test)]
    pub(super) fn verify(&self) -> Result<u64> {
        let newest = self.newest()?;
        for (name, table) in newest.tables()? {
            if let Some(fault) = self.faults(&name, &table)?.into_iter().next() {
                return Err(Error::corrupt(fault.what).table(name));
            }
        }
        for version in newest.models()?.values().flat_map(|model| &model.versions) {
            self.look_at_version(version)?;
        }
        Ok(newest.number())
    }
}

impl RepairReport {
    fn find(&mut self, error: &Error) {
        self.findings.push(Finding {
            table: error.table_name().map(str::to_owned),
            path: error.file_path().map(|path| path.display().to_string()),
            what: error.message().to_owned(),
        });
    }
}

/// Commits under a fence that was refused when they were made; there are none, unless something is wrong with us.
fn stale<'m>(layout: &Layout, manifests: impl Iterator<Item = &'m Manifest>) -> Vec<Finding> {
    let (mut least, mut found) = (BTreeMap::<&str, u64>::new(), Vec::new());
    for manifest in manifests {
        for (name, entry) in &manifest.changes {
            let Some((_, table)) = name.split_once('/') else { continue };
            let fence = match entry {
                Some(Entry::Floor(floor)) => *floor,
                Some(Entry::Table(entry)) => entry.fence,
                _ => continue,
            };
            let least = least.entry(table).or_default();
            if fence < *least && matches!(entry, Some(Entry::Table(_))) {
                found.push(Finding {
                    table: Some(table.to_owned()),
                    path: Some(layout.snapshot(manifest.number).display().to_string()),
                    what: format!("it was written under fence {fence}, and {least} was the least that might"),
                });
            }
            *least = fence.max(*least);
        }
    }
    found
}
