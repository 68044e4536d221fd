//! Where a frame goes, and in which format.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use hypostyle::{Error, Format, OutputFile, Result, write_batch};

use super::cleanup::OnInterrupt;
use super::stdout;
use super::trace::Trace;

/// Where the frame and the figures go.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where the answer goes")]
pub(super) struct Output {
    /// The file to write; without it a terminal gets a preview, and a pipe an Arrow IPC stream
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format, where the file's suffix (.arrow .arrows .parquet .csv .ndjson) does not tell it
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    format: Option<Format>,
    /// Print on stderr what was read, how each table was aligned, and the time of each stage
    #[arg(long)]
    pub(super) stats: bool,
    /// Write the time of every piece of work to FILE, as a Chrome trace for Perfetto
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// Where a frame goes.
pub(super) enum Destination {
    /// A file, opened before the work begins so that a wrong path shows at once.
    File { path: PathBuf, format: Format, file: OutputFile, cleanup: Option<OnInterrupt> },
    /// Standard output, in full.
    Stdout(Format),
    /// A table of its first and last rows, for people.
    Preview,
}

impl Output {
    /// Checks and opens the destination; `json` says that stdout is taken.
    pub(super) fn open(&self, json: bool) -> Result<Destination> {
        let Some(path) = &self.output else {
            return if json {
                Err(Error::invalid("--json prints the figures on stdout, so the frame needs a file")
                    .hint("add -o FILE"))
            } else {
                self.on_stdout(std::io::stdout().is_terminal())
            };
        };
        let format = self.format.map_or_else(|| Format::from_path(path), Ok)?;
        let file = OutputFile::create(path)?;
        let cleanup = file.temporary_path().map(OnInterrupt::remove);
        Ok(Destination::File { path: path.clone(), format, file, cleanup })
    }

    /// Opens the trace's file, which cannot be the frame's.
    pub(super) fn open_trace(&self) -> Result<Option<Trace>> {
        let Some(path) = &self.trace else { return Ok(None) };
        if self.output.as_ref() == Some(path) {
            return Err(Error::invalid("the trace and the frame would be one file").path(path));
        }
        Trace::open(path).map(Some)
    }

    fn on_stdout(&self, is_terminal: bool) -> Result<Destination> {
        match self.format {
            None if is_terminal => Ok(Destination::Preview),
            Some(format) if is_terminal && !format.is_text() => {
                Err(Error::invalid(format!("{format} is no text for a terminal"))
                    .hint("add -o FILE, or pipe it into a program"))
            }
            format => Ok(Destination::Stdout(format.unwrap_or(Format::Stream))),
        }
    }
}

impl Destination {
    /// The file and its format, if it is one.
    pub(super) fn file(&self) -> Option<(&Path, Format)> {
        match self {
            Self::File { path, format, .. } => Some((path, *format)),
            _ => None,
        }
    }

    /// Writes the frame; a preview is the caller's.
    pub(super) fn write(self, batch: &arrow_array::RecordBatch) -> Result<()> {
        match self {
            Self::File { path, format, mut file, cleanup } => {
                write_batch(batch, format, &mut file).map_err(|e| e.path(path))?;
                file.commit()?;
                drop(cleanup);
                Ok(())
            }
            Self::Stdout(format) => write_batch(batch, format, &mut stdout::raw()?),
            Self::Preview => Ok(()),
        }
    }
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|word| word.parse::<Format>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_text_and_a_pipe_gets_frames() {
        let check = |format: Option<Format>, is_terminal, expected: Option<Option<Format>>| {
            let output = Output { output: None, format, stats: false, trace: None };
            let got = match output.on_stdout(is_terminal) {
                Ok(Destination::Preview) => Some(None),
                Ok(Destination::Stdout(format)) => Some(Some(format)),
                Ok(Destination::File { .. }) | Err(_) => None,
            };
            assert_eq!(got, expected, "{format:?} {is_terminal}");
        };
        check(None, true, Some(None));
        check(None, false, Some(Some(Format::Stream)));
        check(Some(Format::Csv), true, Some(Some(Format::Csv)));
        check(Some(Format::Parquet), true, None);
        check(Some(Format::Parquet), false, Some(Some(Format::Parquet)));
    }
}
