//! The versions that a reader asks for, as of a snapshot.

use super::super::View;
use super::entry::{ModelReport, ModelVersion, VersionEntry};
use crate::{Error, Result};

/// A version that was found.
#[derive(Clone, Debug)]
pub(crate) struct FoundModel {
    pub(crate) name: String,
    pub(crate) entry: VersionEntry,
    /// The aliases that lead to it.
    pub(crate) aliases: Vec<String>,
}

impl FoundModel {
    /// The pack's place below the root.
    pub(crate) fn below(&self) -> String {
        super::super::layout::Layout::pack_below(&self.entry.file)
    }

    /// An error about it, which names it.
    pub(crate) fn about(&self, error: Error) -> Error {
        let text = format!("model `{}`, version {}: {}", self.name, self.entry.version, error.message());
        let mut named = Error::new(error.kind(), text);
        if let Some(path) = error.file_path() {
            named = named.path(path);
        }
        if let Some(hint) = error.hint_text() {
            named = named.hint(hint);
        }
        named.source(error)
    }
}

impl View<'_> {
    /// The version of a model that is meant. `hints` says whether, should there be no such model, the names of all
    /// are looked through for one that is like it.
    pub(crate) fn model(&self, name: &str, version: &ModelVersion, hints: bool) -> Result<FoundModel> {
        super::super::layout::check_model_name(name)?;
        let Some(model) = self.snapshot.model(name)? else {
            let error = Error::not_found(format!("the store has no model `{name}`"));
            let names = if hints { self.snapshot.models()? } else { Default::default() };
            return Err(match hypostyle_io::did_you_mean(name, names.keys().map(String::as_str)) {
                Some(hint) => error.hint(hint),
                None => error.hint("`hypostyle model ls` lists those that there are"),
            });
        };
        let entry = model.find(name, version)?.clone();
        let aliases = model.aliases().into_iter().filter(|(_, to)| *to == entry.version);
        Ok(FoundModel { name: name.to_owned(), aliases: aliases.map(|(alias, _)| alias).collect(), entry })
    }

    /// All models that have a version.
    pub(crate) fn models(&self) -> Result<Vec<ModelReport>> {
        let models = self.snapshot.models()?.into_iter();
        Ok(models
            .filter_map(|(name, model)| {
                Some(ModelReport {
                    latest: model.versions.last()?.version,
                    versions: model.versions.iter().map(|version| version.version).collect(),
                    aliases: model.aliases(),
                    bytes: model.versions.iter().fold(0, |sum, version| sum.saturating_add(version.bytes)),
                    name,
                })
            })
            .collect())
    }

    /// All versions of a model, the oldest first.
    pub(crate) fn versions(&self, name: &str) -> Result<Vec<FoundModel>> {
        let latest = self.model(name, &ModelVersion::Latest, true)?;
        let Some(model) = self.snapshot.model(name)? else { return Ok(vec![latest]) };
        let aliases = model.aliases();
        let found = |entry: VersionEntry| {
            let leads = aliases.iter().filter(|(_, to)| **to == entry.version);
            FoundModel { name: name.to_owned(), aliases: leads.map(|(a, _)| a.clone()).collect(), entry }
        };
        Ok(model.versions.into_iter().map(found).collect())
    }
}
