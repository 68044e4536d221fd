//! What a transaction does to models.

use std::collections::BTreeMap;

use super::super::Managed;
use super::super::commit::{Changes, conflict};
use super::super::layout::check_model_name;
use super::super::locks::{Grant, ModelLocks};
use super::super::manifest::{Entry, names};
use super::super::snapshot::Snapshot;
use super::super::transaction::{Transaction, TransactionOptions};
use super::entry::{ModelEntry, ModelVersion};
use super::pack::{NewModel, Packs};
use crate::{Error, ErrorKind, Result};

/// How often a transaction may ask for models that it did not name when it began.
const MOST_LATE: usize = 32;

/// What was done stands in the manifest, which all who open the store read: so many changes are told one by one.
const MOST_TOLD: usize = 8;

/// The models that a transaction changes.
#[derive(Debug, Default)]
pub(crate) struct ModelChanges {
    /// What was locked when it began.
    locks: ModelLocks,
    /// What was locked later, and the snapshot that was the newest then.
    late: Vec<(ModelLocks, Grant, u64)>,
    /// Models that must not have changed, and when they had.
    guarded: BTreeMap<String, Option<u64>>,
    pending: BTreeMap<String, ModelEntry>,
    /// Versions that came.
    new: BTreeMap<String, u64>,
    packs: Option<Packs>,
    /// Why of some that were put together not all were: then nothing is to be committed.
    torn: Option<String>,
    /// What was done, for people.
    done: Done,
}

#[derive(Debug, Default)]
struct Done {
    puts: usize,
    first: String,
    others: Vec<String>,
}

/// The versions that a transaction made.
pub(in super::super) fn committed(changes: &ModelChanges) -> BTreeMap<String, u64> {
    changes.new.clone()
}

impl ModelChanges {
    pub(in super::super) fn begin(options: &TransactionOptions) -> Result<Self> {
        options.models.iter().try_for_each(|name| check_model_name(name))?;
        Ok(Self { locks: ModelLocks::of(&options.models, options.all_models), ..Self::default() })
    }

    pub(in super::super) fn locks(&self) -> &ModelLocks {
        &self.locks
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Makes what was written durable.
    pub(in super::super) fn settle(&mut self) -> Result<()> {
        if let Some(why) = &self.torn {
            return Err(Error::invalid(format!(
                "nothing is committed, since not all models were put that were to be put together: {why}"
            ))
            .hint("begin again"));
        }
        self.packs.as_mut().map_or(Ok(()), Packs::settle)
    }

    /// Leaves the files to the manifest that names them.
    pub(in super::super) fn keep(&mut self) {
        if let Some(packs) = &mut self.packs {
            packs.keep();
        }
    }

    /// A commit was made that gives back what it compares, and all locks of this were part of it.
    pub(in super::super) fn were_given_back(&mut self) {
        self.late.iter_mut().for_each(|(_, grant, _)| grant.was_given_back());
    }

    /// What was done.
    pub(in super::super) fn summary(&self) -> Option<String> {
        let puts = match self.done.puts {
            0 => None,
            1 => Some(format!("put model {}", self.done.first)),
            many => Some(format!("put {many} models")),
        };
        let others = self.done.others.iter().take(MOST_TOLD).cloned();
        let more = self.done.others.len().saturating_sub(MOST_TOLD);
        let more = (more > 0).then(|| format!("and {more} more changes of models"));
        let parts: Vec<String> = puts.into_iter().chain(others).chain(more).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The changes, for a head upon which they can be made.
    pub(in super::super) fn upon(
        &self,
        managed: &Managed,
        head: &Snapshot<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        for (_, grant, _) in &self.late {
            grant.check(managed, head)?;
        }
        for (name, changed) in &self.guarded {
            let now = head.model(name)?.map(|model| model.changed);
            if now != *changed {
                let by = Snapshot::read(&managed.layout, &managed.kept, now.unwrap_or(head.number()))?;
                let error = conflict(name, &by.manifest);
                return Err(Error::new(error.kind(), format!("model `{name}`: {}", error.message()))
                    .hint("read the model again, and write what is to be changed now"));
            }
        }
        let number = head.number() + 1;
        for (name, entry) in &self.pending {
            let mut entry = ModelEntry { changed: number, ..entry.clone() };
            entry.versions.iter_mut().filter(|v| v.since == 0).for_each(|version| version.since = number);
            changes.insert(names::model(name), Some(Entry::Model(entry)));
        }
        Ok(())
    }
}

impl Transaction {
    /// Stores a version of a model, which others see when the transaction is committed; its number.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) for a name that cannot be a model's, a folder with links out of
    /// it, features that are no `table:column`; those of reading what is given and of storage.
    pub fn put_model(&mut self, model: NewModel) -> Result<u64> {
        let NewModel { name, data, options } = model;
        let (mut entry, fence) = self.model(&name)?;
        let version = entry.next(&name)?;
        let managed = &self.managed;
        let packs = &mut self.models.packs;
        let packs =
            packs.get_or_insert_with(|| Packs::new(&managed.layout, &managed.files, self.grant.fence()));
        let written = packs.add(&name, version, data, &options, &self.run)?;
        (entry.last, entry.fence) = (version, fence);
        entry.versions.push(written);
        self.models.done.puts += 1;
        if self.models.done.first.is_empty() {
            self.models.done.first.clone_from(&name);
        }
        self.models.new.insert(name.clone(), version);
        self.models.pending.insert(name, entry);
        Ok(version)
    }

    /// Stores many; their numbers. Models that were not named when the transaction began are all waited for at once.
    ///
    /// # Errors
    /// Those of [`Self::put_model`]; if some were stored by then, the transaction can no longer be committed.
    pub fn put_models(&mut self, models: Vec<NewModel>) -> Result<Vec<u64>> {
        let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
        names.iter().try_for_each(|name| check_model_name(name))?;
        self.lock_models(&names)?;
        let before = self.models.done.puts;
        let put: Result<_> = models.into_iter().map(|model| self.put_model(model)).collect();
        if let Err(error) = &put
            && self.models.done.puts > before
        {
            self.models.torn.get_or_insert_with(|| error.to_string());
        }
        put
    }

    /// Lets an alias of a model lead to a version or to another alias; without one, takes it away.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for a model, version or alias that is not there;
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) for an alias that would lead to itself, and
    /// [`Conflict`](ErrorKind::Conflict) for one that another leads to.
    pub fn alias_model(&mut self, name: &str, alias: &str, to: Option<&ModelVersion>) -> Result<()> {
        let (mut entry, fence) = self.known_model(name)?;
        entry.set_alias(name, alias, to)?;
        entry.fence = fence;
        self.models.pending.insert(name.to_owned(), entry);
        self.models.done.others.push(match to {
            Some(to) => format!("alias {alias} of model {name} to {to}"),
            None => format!("remove alias {alias} of model {name}"),
        });
        Ok(())
    }

    /// Takes a version of a model away, or all; the numbers. Older snapshots have them still.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for what is not there; [`Conflict`](ErrorKind::Conflict) for a version that an
    /// alias leads to, or that a snapshot has which has a tag.
    pub fn remove_model(&mut self, name: &str, version: Option<u64>) -> Result<Vec<u64>> {
        let (mut entry, fence) = self.known_model(name)?;
        let removed = entry.remove(name, version)?;
        let newest = self.managed.newest()?;
        for (tag, number) in newest.tags()? {
            let tagged = Snapshot::read(&self.managed.layout, &self.managed.kept, number)?.model(name)?;
            let versions = tagged.map(|model| model.versions).unwrap_or_default();
            if let Some(held) = versions.iter().find(|held| removed.contains(&held.version)) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "version {} of model `{name}` is held by the tag `{tag}` of snapshot {number}",
                        held.version
                    ),
                )
                .hint("take the tag away first: `hypostyle tag --delete`"));
            }
        }
        entry.fence = fence;
        self.models.pending.insert(name.to_owned(), entry);
        self.models.done.others.push(match version {
            Some(number) => format!("remove version {number} of model {name}"),
            None => format!("remove model {name}"),
        });
        Ok(removed)
    }

    /// A model that must be there.
    fn known_model(&mut self, name: &str) -> Result<(ModelEntry, u64)> {
        let (entry, fence) = self.model(name)?;
        if entry.versions.is_empty() {
            return Err(Error::not_found(format!("the store has no model `{name}`"))
                .hint("`hypostyle model ls` lists those that there are"));
        }
        Ok((entry, fence))
    }

    /// A model as this transaction has it, and the fence under which it is written.
    fn model(&mut self, name: &str) -> Result<(ModelEntry, u64)> {
        check_model_name(name)?;
        self.lock_models(std::slice::from_ref(&name.to_owned()))?;
        let late = self.models.late.iter().find(|(locks, ..)| locks.has(name));
        let (base, fence) =
            late.map_or((self.base, self.grant.fence()), |(_, grant, base)| (*base, grant.fence()));
        if let Some(entry) = self.models.pending.get(name) {
            return Ok((entry.clone(), fence));
        }
        let entry = Snapshot::read(&self.managed.layout, &self.managed.kept, base)?.model(name)?;
        self.models.guarded.insert(name.to_owned(), entry.as_ref().map(|entry| entry.changed));
        Ok((entry.unwrap_or_default(), fence))
    }

    /// Waits for models that the transaction did not name when it began.
    fn lock_models(&mut self, names: &[String]) -> Result<()> {
        let models = &self.models;
        let has = |name: &String| models.locks.has(name) || models.late.iter().any(|(l, ..)| l.has(name));
        let mut wanted: Vec<String> = names.iter().filter(|name| !has(name)).cloned().collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let locks = ModelLocks::of(&wanted, false);
        let holds_some = models.locks != ModelLocks::None || !models.late.is_empty();
        // Who holds some would wait for itself.
        if locks == ModelLocks::All && holds_some || models.late.len() >= MOST_LATE {
            return Err(Error::invalid(format!(
                "the transaction was not begun for these {} models, and holds others already",
                wanted.len()
            ))
            .hint("name them when it begins, or all"));
        }
        let wait = self.wait;
        let (grant, newest) = Grant::take(&self.managed, &[], &[], &locks, wait)?;
        self.run.check()?;
        let base = if self.is_pinned { self.base } else { newest.number() };
        self.wish.proofs.extend(grant.proofs());
        self.models.late.push((locks, grant, base));
        Ok(())
    }
}
