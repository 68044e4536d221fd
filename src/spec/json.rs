//! JSON text to a spec, by the quicker parser: for programs that make specs, a spec after a spec.

use hypostyle_io::did_you_mean;

use super::JoinSpec;
use crate::{Error, Result};

/// 500 tables of 200 columns each need some 3 MB.
const MAX_BYTES: usize = 16 << 20;

pub(super) fn parse(text: &str) -> Result<JoinSpec> {
    if text.len() > MAX_BYTES {
        return Err(Error::limit(format!("the spec is larger than {MAX_BYTES} bytes")));
    }
    serde_json::from_str(text).map_err(|error| translate(&error))
}

/// The parser says what is wrong as text alone; what the YAML parser says too is put in the same words.
fn translate(error: &serde_json::Error) -> Error {
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = whole.strip_suffix(&place).unwrap_or(&whole);
    let quoted = |rest: &str| rest.split('`').nth(1).unwrap_or_default().to_owned();
    let (text, hint) = if let Some(rest) = text.strip_prefix("unknown field ") {
        (format!("unknown key `{}`", quoted(rest)), nearest(rest))
    } else if let Some(rest) = text.strip_prefix("unknown variant ") {
        (format!("unknown value `{}`", quoted(rest)), nearest(rest))
    } else if let Some(rest) = text.strip_prefix("missing field ") {
        let field = quoted(rest);
        let hint = (field == "columns").then(|| "for all columns write `\"columns\": \"*\"`".to_owned());
        (format!("the key `{field}` is missing"), hint)
    } else if let Some(rest) = text.strip_prefix("duplicate field ") {
        (format!("the key `{}` stands twice", quoted(rest)), Some("keep one of the two".to_owned()))
    } else {
        (text.to_owned(), None)
    };
    let error = Error::invalid(format!("line {}, column {}: {text}", error.line(), error.column()));
    hint.into_iter().fold(error, Error::hint)
}

/// From `wrong`, expected one of `a`, `b`: the name that was meant.
fn nearest(rest: &str) -> Option<String> {
    let names: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let (wrong, known) = names.split_first()?;
    did_you_mean(wrong, known.iter().copied())
}
