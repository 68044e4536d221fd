//! `hypostyle compact`, `gc` and `repair`: what a managed store needs now and then.

use std::time::Duration;

use hypostyle::{Error, GcOptions, Result};

use super::root::Root;
use super::{Common, figures, stdout, write};

/// Join the small files of a table to large ones
#[derive(Debug, clap::Args)]
pub(super) struct Compact {
    /// The table
    table: String,
    #[command(flatten)]
    root: Root,
}

impl Compact {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        write::tell(&self.root.open()?.compact(&self.table)?, common)
    }
}

/// Remove files that no snapshot needs any more; without --remove, say which
#[derive(Debug, clap::Args)]
pub(super) struct Gc {
    #[command(flatten)]
    root: Root,
    /// Remove them
    #[arg(long)]
    remove: bool,
    /// How long what nobody needs stays, in hours: longer than the longest read and the longest write
    #[arg(long, value_name = "HOURS", default_value_t = 24.0)]
    grace: f64,
}

impl Gc {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let grace = Duration::try_from_secs_f64(self.grace * 3600.0)
            .map_err(|_| Error::invalid(format!("{} is no number of hours", self.grace)))?;
        let mut options = GcOptions::default();
        options.grace = grace;
        options.remove = self.remove;
        let report = self.root.open()?.gc(&options)?;
        if common.json {
            return stdout::print_json(&report);
        }
        let mut text: String = report.files.iter().map(|file| format!("{file}\n")).collect();
        let done = if report.removed { "removed" } else { "to be removed with --remove" };
        text += &format!(
            "{} files, {}, {done}; snapshots are kept from {} on\n",
            report.files.len(),
            figures::bytes(report.bytes),
            report.horizon
        );
        stdout::print(&text)
    }
}

/// Look for damage in a managed store, and say what can be done about it
#[derive(Debug, clap::Args)]
pub(super) struct Repair {
    #[command(flatten)]
    root: Root,
    /// Do it
    #[arg(long)]
    apply: bool,
}

impl Repair {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let report = self.root.open()?.repair(self.apply)?;
        if common.json {
            return stdout::print_json(&report);
        }
        let mut text = String::new();
        for finding in &report.findings {
            let table = finding.table.as_ref().map(|table| format!("table `{table}`, "));
            let path = finding.path.as_ref().map(|path| format!("{path}: "));
            text += &format!("{}{}{}\n", table.unwrap_or_default(), path.unwrap_or_default(), finding.what);
        }
        let done = if report.applied { "done" } else { "would do with --apply" };
        text.extend(report.actions.iter().map(|action| format!("{done}: {action}\n")));
        if report.findings.is_empty() {
            text += &format!("nothing is wrong; the newest snapshot is {}\n", report.newest);
        }
        stdout::print(&text)
    }
}
