//! Standard output, with errors instead of panics.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use hypostyle::{Error, ErrorKind, Result};
use serde::Serialize;

/// Standard output without the line buffer of [`io::stdout`], which would look for newlines in a frame.
pub(super) fn raw() -> Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from).map_err(from_io)
}

/// Prints text as it stands.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(from_io)
}

/// Prints a payload as JSON.
pub(super) fn print_json(payload: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(payload)
        .map_err(|e| Error::internal("the payload does not fit into JSON").source(e))?;
    print(&(text + "\n"))
}

fn from_io(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot write to standard output: {error}")).source(error)
}
