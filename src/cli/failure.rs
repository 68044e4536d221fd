//! How the command fails: one line, a hint, an exit code; nothing else, whatever happened.

use std::error::Error as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::error::{ContextKind, ContextValue};
use hypostyle::{Error, ErrorKind};
use serde::Serialize;

use super::stdout;

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done; also when the reader of the output closed it
  2  the request is wrong: a flag, the spec, a missing table or column, keys that don't fit
  3  the data is corrupt, or of an unsupported kind
  4  storage is unavailable, changed under the read, or timed out: try again
  5  a limit was reached
  6  another writer was first
  1  a bug";

/// Why the command ends with something else than success.
pub(super) enum Failure {
    /// A typed error.
    Error(Error),
    /// clap has said what there is to say, such as the help for a command without arguments.
    Said(u8),
    /// The panic hook has told people; programs are told here.
    Panic,
}

/// The payload of a failure under `--json`.
#[derive(Serialize)]
struct Report<'a> {
    kind: ErrorKind,
    message: &'a str,
    table: Option<&'a str>,
    path: Option<String>,
    column: Option<&'a str>,
    hint: Option<&'a str>,
    retryable: bool,
}

impl Failure {
    /// Reports it on stderr, and as JSON on stdout if asked; the exit code tells its kind.
    pub(super) fn report(self, json: bool) -> u8 {
        let error = match self {
            // What `head` expects: it has what it wanted.
            Self::Error(error) if is_closed_pipe(&error) => return 0,
            Self::Said(code) => return code,
            Self::Error(error) => {
                say(&error.to_string(), error.hint_text());
                error
            }
            Self::Panic => Error::internal(PANIC),
        };
        if json {
            // There is nobody left to tell if this fails.
            let _ = stdout::print_json(&Report {
                kind: error.kind(),
                message: error.message(),
                table: error.table_name(),
                path: error.file_path().map(|p| p.to_string_lossy().into_owned()),
                column: error.column_name(),
                hint: error.hint_text(),
                retryable: error.is_retryable(),
            });
        }
        exit_code(error.kind())
    }
}

fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::NotFound => 2,
        ErrorKind::Corrupt | ErrorKind::Unsupported => 3,
        ErrorKind::Unavailable | ErrorKind::Changed | ErrorKind::Timeout => 4,
        ErrorKind::LimitExceeded => 5,
        ErrorKind::Conflict => 6,
        // As if the interrupt had ended the process itself.
        ErrorKind::Cancelled => 130,
        _ => 1,
    }
}

fn is_closed_pipe(error: &Error) -> bool {
    let source = error.source().and_then(|e| e.downcast_ref::<io::Error>());
    source.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// `error: …` and `help: …`, each on one line.
fn say(message: &str, hint: Option<&str>) {
    let mut text = format!("error: {}\n", one_line(message));
    if let Some(hint) = hint {
        text += &format!("help: {}\n", one_line(hint));
    }
    let _ = io::stderr().write_all(text.as_bytes());
}

fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}

/// What clap found: help and version are success, and all else is an error in this command's form.
pub(super) fn usage(error: &clap::Error) -> Result<(), Failure> {
    use clap::error::ErrorKind as Clap;
    match error.kind() {
        Clap::DisplayHelp | Clap::DisplayVersion => {
            stdout::print(&error.render().to_string()).map_err(Failure::Error)
        }
        Clap::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Err(Failure::Said(2))
        }
        _ => Err(Failure::Error(wrong_usage(error))),
    }
}

fn wrong_usage(error: &clap::Error) -> Error {
    let rendered = error.render().to_string();
    // The first paragraph says what is wrong; its list of arguments stands on lines of its own.
    let paragraph = rendered.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    let usage = Error::invalid(words.join(" "));
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(|kind| first(error.get(kind)?));
    match suggestion {
        Some(word) => usage.hint(format!("did you mean `{word}`?")),
        None => usage.hint("see `hypostyle --help`, or --help after the verb"),
    }
}

fn first(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(word) => Some(word.clone()),
        ContextValue::Strings(words) => words.first().cloned(),
        _ => None,
    }
}

const PANIC: &str = "internal error: this is a bug in hypostyle";

/// One line for a panic, in place of a trace, and once for all threads.
pub(super) fn catch_panics() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    std::panic::set_hook(Box::new(|panic| {
        if hypostyle_io::panic_is_caught() {
            // It becomes an error, which is reported as one.
            return;
        }
        if TOLD.swap(true, Ordering::Relaxed) {
            return;
        }
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
        say(
            &format!("{PANIC}: {what}{}", place.unwrap_or_default()),
            Some("please report it, with the command that led to it"),
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_exit_code() {
        for (kind, code) in [
            (ErrorKind::InvalidRequest, 2),
            (ErrorKind::NotFound, 2),
            (ErrorKind::Corrupt, 3),
            (ErrorKind::Unsupported, 3),
            (ErrorKind::Unavailable, 4),
            (ErrorKind::Changed, 4),
            (ErrorKind::Timeout, 4),
            (ErrorKind::LimitExceeded, 5),
            (ErrorKind::Conflict, 6),
            (ErrorKind::Internal, 1),
            (ErrorKind::Cancelled, 130),
        ] {
            assert_eq!(exit_code(kind), code, "{kind:?}");
        }
    }

    #[test]
    fn a_message_stays_on_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
    }
}
