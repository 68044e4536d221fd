//! The verbs of the command, one file each, and what they share.

mod arguments;
mod cleanup;
mod completions;
mod demo;
mod destination;
mod doctor;
mod explain;
mod failure;
mod figures;
mod fixture;
mod history;
mod init;
mod inspect;
mod join;
mod lock;
mod model;
mod preview;
mod progress;
mod root;
mod schema;
mod stats;
mod stdout;
mod supervise;
mod trace;
mod upkeep;
mod write;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use hypostyle::Result;
use tracing_subscriber::filter::LevelFilter;

use failure::Failure;

/// Join many Parquet tables into one Arrow frame.
#[derive(Debug, Parser)]
#[command(name = "hypostyle", version, arg_required_else_help = true)]
#[command(after_help = failure::EXIT_CODES)]
struct Hypostyle {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Common {
    /// Print the payload as JSON, alone on stdout; errors too
    #[arg(long, global = true)]
    json: bool,
    /// Never show a progress bar (else: on a terminal, for work that lasts over a second)
    #[arg(long, global = true)]
    no_progress: bool,
    /// Say on stderr what is being done; twice and thrice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// A descriptor of the parent's, to whom this process, which is its child, tells how far it is
    #[arg(long, global = true, hide = true)]
    report_to: Option<i32>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Join(join::Join),
    Explain(explain::Explain),
    Inspect(inspect::Inspect),
    Init(init::Init),
    Write(write::Write),
    Delete(write::Delete),
    Files(history::Files),
    Log(history::Log),
    Diff(history::Diff),
    Tag(history::Tag),
    Lock(lock::Lock),
    Model(model::Model),
    Compact(upkeep::Compact),
    Gc(upkeep::Gc),
    Repair(upkeep::Repair),
    Doctor(doctor::Doctor),
    Fixture(fixture::Fixture),
    Demo(demo::Demo),
    Schema(schema::Schema),
    Completions(completions::Completions),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    failure::catch_panics();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Before they are parsed: a wrong flag is reported in the form that was asked for.
    let json = arguments.iter().take_while(|a| *a != "--").any(|a| a == "--json");
    let outcome = std::panic::catch_unwind(|| match Hypostyle::try_parse_from(arguments) {
        Ok(command) => supervised(&command).map_err(Failure::Error),
        Err(usage) => failure::usage(&usage).map(|()| 0),
    });
    let code = match outcome.unwrap_or(Err(Failure::Panic)) {
        Ok(code) => code,
        Err(failure) => failure.report(json),
    };
    supervise::ended(code);
    ExitCode::from(code)
}

/// Runs a command, here or in a child; the code that it ends with.
fn supervised(command: &Hypostyle) -> Result<u8> {
    let timeout = match &command.verb {
        Verb::Join(join) => join.timeout(),
        Verb::Explain(explain) => explain.timeout(),
        Verb::Inspect(inspect) => inspect.timeout(),
        Verb::Doctor(doctor) => Some(doctor.timeout()),
        Verb::Model(model) => model.timeout(),
        _ => None,
    };
    if let Some(descriptor) = command.common.report_to {
        supervise::report_to(descriptor, timeout)?;
        return run(command).map(|()| 0);
    }
    match timeout.filter(|_| hypostyle::any_remote()) {
        Some(timeout) => supervise::in_child(timeout),
        None => run(command).map(|()| 0),
    }
}

fn run(command: &Hypostyle) -> Result<()> {
    let common = command.common;
    log(common.verbose);
    match &command.verb {
        Verb::Join(join) => join.run(common),
        Verb::Explain(explain) => explain.run(common),
        Verb::Inspect(inspect) => inspect.run(common),
        Verb::Init(init) => init.run(common),
        Verb::Write(write) => write.run(common),
        Verb::Delete(delete) => delete.run(common),
        Verb::Files(files) => files.run(common),
        Verb::Log(log) => log.run(common),
        Verb::Diff(diff) => diff.run(common),
        Verb::Tag(tag) => tag.run(common),
        Verb::Lock(lock) => lock.run(common),
        Verb::Model(model) => model.run(common),
        Verb::Compact(compact) => compact.run(common),
        Verb::Gc(gc) => gc.run(common),
        Verb::Repair(repair) => repair.run(common),
        Verb::Doctor(doctor) => doctor.run(common),
        Verb::Fixture(fixture) => fixture.run(common),
        Verb::Demo(demo) => demo.run(common),
        Verb::Schema(schema) => schema.run(),
        Verb::Completions(completions) => completions.run(),
    }
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .init();
}
