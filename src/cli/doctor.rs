//! `hypostyle doctor`.

use std::path::PathBuf;
use std::time::Duration;

use hypostyle::{Answer, DoctorOptions, DoctorReport, ReadFigures, Result, doctor_with};

use super::cleanup::OnInterrupt;
use super::{Common, figures, stdout};

/// Probe the mount that a folder lies on, by doing all that a store does there; say what is safe, and which settings to use
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// The folder; what is made in it is removed again
    path: PathBuf,
    /// End with exit code 4 when the mount does not answer for so long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::arguments::duration)]
    timeout: Duration,
}

impl Doctor {
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn run(&self, common: Common) -> Result<()> {
        let mut options = DoctorOptions::default();
        options.timeout = self.timeout;
        let scratch = format!(".hypostyle-doctor-{}", std::process::id());
        let _unless_interrupted = OnInterrupt::remove(&self.path.join(&scratch));
        options.scratch = Some(scratch);
        let report = doctor_with(&self.path, &options)?;
        if common.json {
            return stdout::print_json(&report);
        }
        stdout::print(&text(&report))
    }
}

fn text(report: &DoctorReport) -> String {
    let mount = report.mount.as_ref().map(|mount| format!(", mounted at {}", mount.display()));
    let mut lines =
        vec![format!("{}: {}{}", report.path.display(), report.file_system, mount.unwrap_or_default())];
    let facts = [
        report.read_only.then(|| "read-only".to_owned()),
        report.is_remote.then(|| "others answer for it, so it can hang".to_owned()),
        report.max_read.map(|bytes| format!("max_read {}", figures::bytes(bytes))),
        report.max_background.map(|requests| format!("max_background {requests}")),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        lines.push(format!("  {}", facts.join(", ")));
    }
    lines.push(String::new());
    // What is not known for the same reason is told once.
    let mut unknown: Vec<(&str, Vec<&str>)> = Vec::new();
    for probe in &report.probes {
        if probe.answer == Answer::Unknown {
            match unknown.iter_mut().find(|(why, _)| *why == probe.detail) {
                Some((_, what)) => what.push(probe.what),
                None => unknown.push((&probe.detail, vec![probe.what])),
            }
            continue;
        }
        let answer = match probe.answer {
            Answer::Yes => "yes",
            Answer::No => "NO",
            _ => "?",
        };
        let ms = probe.ms.map(|ms| format!(" ({})", figures::ms(ms))).unwrap_or_default();
        let detail = if probe.detail.is_empty() { String::new() } else { format!(": {}", probe.detail) };
        lines.push(format!("{answer:<4}{}{ms}{detail}", probe.what));
    }
    lines.extend(unknown.iter().map(|(why, what)| format!("?   {why}\n      {}", what.join("\n      "))));
    if let Some(reading) = &report.reading {
        let each = figures::bytes(reading.bytes_each as u64);
        lines.push(String::new());
        lines.push(format!("reads of {each}   median       p99   MB/s"));
        for (name, figures) in [("one by one", &reading.one), ("32 at once", &reading.many)] {
            lines.push(line(name, figures));
        }
        if let Some(in_flight) = reading.in_flight {
            lines.push(format!("the mount works on {in_flight:.0} requests at once"));
        }
    }
    lines.push(String::new());
    let or_none = |ways: &[&str]| if ways.is_empty() { "none".to_owned() } else { ways.join(", ") };
    lines.push(format!("safe to read with: {}", or_none(&report.safe_reading)));
    lines.push(format!("safe to publish with: {}", or_none(&report.safe_publishing)));
    lines.extend(report.why_not.iter().map(|why| format!("  not {why}")));
    lines.push(format!("settings: {}", settings(report)));
    lines.join("\n") + "\n"
}

fn line(name: &str, figures: &ReadFigures) -> String {
    let ReadFigures { median_ms, p99_ms, mb_per_s, .. } = figures;
    format!("  {name} {:>12} {:>9} {mb_per_s:>6.0}", figures::ms(*median_ms), figures::ms(*p99_ms))
}

fn settings(report: &DoctorReport) -> String {
    let settings = &report.settings;
    let words = [
        Some(format!("--io {}", settings.io)),
        settings.io_depth.map(|depth| format!("--io-depth {depth}")),
        settings.timeout.then(|| "--timeout, since the mount can hang".to_owned()),
        settings.coordination.map(|way| match way {
            "local" => "init --coordination local (or etcd://…, if several machines write)".to_owned(),
            _ => "init --coordination etcd://…".to_owned(),
        }),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
