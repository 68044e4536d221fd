//! YAML text to a spec, within limits, and the parser's errors in this project's words.

use std::io::Read;
use std::path::Path;

use hypostyle_io::did_you_mean;
use serde_saphyr::{DuplicateKeyPolicy, MessageFormatter, UserMessageFormatter};

use super::JoinSpec;
use super::wire::FromYaml;
use crate::{Error, Result};

/// 500 tables of 200 columns each need some 3 MB.
const MAX_BYTES: u64 = 16 << 20;
const MAX_SCALAR_BYTES: usize = 8 << 20;
const MAX_NODES: usize = 500_000;
/// A spec is four levels deep.
const MAX_DEPTH: usize = 16;

/// The text of a spec file.
pub(super) fn read(path: &Path) -> Result<String> {
    let from_io = |e| Error::from_io(path, e);
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(from_io)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(from_io)?;
    String::from_utf8(text).map_err(|_| {
        Error::invalid("the spec is not UTF-8 text").hint("a spec is a YAML or JSON file, not a table")
    })
}

pub(super) fn parse(text: &str) -> Result<JoinSpec> {
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::limit(format!("the spec is larger than {MAX_BYTES} bytes")));
    }
    if text.trim().is_empty() {
        return Err(Error::invalid("the spec is empty"));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: 2 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: MAX_SCALAR_BYTES,
            // One more than is accepted, so that the error speaks of documents and not of limits.
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 2 * MAX_NODES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<FromYaml>(text, options) {
        Ok(FromYaml(spec)) => Ok(spec),
        Err(error) => Err(translate(&error)),
    }
}

fn translate(error: &serde_saphyr::Error) -> Error {
    use serde_saphyr::Error as Yaml;
    let mut root = error;
    while let Yaml::WithSnippet { error, .. } | Yaml::AliasError { error, .. } = root {
        root = error;
    }
    let place = match root.location().or_else(|| error.location()) {
        Some(at) => format!("line {}, column {}: ", at.line(), at.column()),
        None => String::new(),
    };
    let (text, hint) = match root {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), did_you_mean(field, expected.iter().copied()))
        }
        Yaml::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value `{variant}`"), did_you_mean(variant, expected.iter().copied()))
        }
        Yaml::SerdeMissingField { field, .. } => {
            let hint = (*field == "columns").then(|| "for all columns write `columns: \"*\"`".to_owned());
            (format!("the key `{field}` is missing"), hint)
        }
        Yaml::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            (format!("the key `{key}` stands twice"), Some("keep one of the two".to_owned()))
        }
        Yaml::MultipleDocuments { .. } => ("a second document begins here: a spec is one".to_owned(), None),
        Yaml::Unexpected { expected, .. } => (format!("{} is expected here", in_words(expected)), None),
        Yaml::InvalidScalar { ty, .. } => (format!("{} is expected here", in_words(ty)), None),
        other => {
            let text = UserMessageFormatter.format_message(other).into_owned();
            let hint = text.contains("tabs").then(|| "indent with spaces".to_owned());
            (text, hint)
        }
    };
    let message = format!("{place}{text}");
    let error = match root {
        Yaml::Budget { .. }
        | Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasExpansionLimitExceeded { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. } => Error::limit(message),
        _ => Error::invalid(message),
    };
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The parser's word for a kind of value, in words for people.
fn in_words(kind: &str) -> &str {
    match kind {
        "mapping start" => "a map (`name: value`)",
        "sequence start" => "a list (`- item`, or `[item, item]`)",
        "string scalar" => "text or a number",
        "u64" => "a whole number that is not negative",
        other => other,
    }
}
