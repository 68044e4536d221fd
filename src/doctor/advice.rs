//! From what was found to what is safe, and to the settings.

use std::path::Path;

use hypostyle_io::IoMode;

use super::medium::{Medium, not_local};
use super::reading::MANY;
use super::report::{Answer, DoctorReport, Probe, Reading, Settings};

/// What each way of publishing depends on.
const LOCAL: [&str; 6] = ["write", "link", "exclusive", "read_after_write", "sync", "flock"];
const ETCD: [&str; 4] = ["write", "link", "read_after_write", "sync"];

pub(super) fn report(
    path: &Path,
    medium: &Medium,
    probes: Vec<Probe>,
    reading: Option<Reading>,
) -> DoctorReport {
    let mount = medium.mount.as_ref();
    let mut why_not = Vec::new();
    let is =
        |name: &str| probes.iter().find(|probe| probe.name == name).map_or(Answer::Unknown, |p| p.answer);

    let mut safe_reading = vec!["pread"];
    if is("mmap") == Answer::No {
        why_not.push("mmap: the mount refuses it".to_owned());
    } else if medium.may_map() {
        safe_reading.push("mmap");
    } else {
        why_not.push(
            "mmap: a mount that fails, or a file that is cut short, ends the process that touches the map"
                .to_owned(),
        );
    }

    let mut safe_publishing = Vec::new();
    for (way, needs) in [("local", &LOCAL[..]), ("etcd", &ETCD[..])] {
        let lacks: Vec<&str> = needs.iter().copied().filter(|name| is(name) == Answer::No).collect();
        let unknown = needs.iter().any(|name| is(name) == Answer::Unknown);
        if !lacks.is_empty() {
            why_not.push(format!("{way}: the mount fails at {}", lacks.join(", ")));
        } else if unknown {
            why_not.push(format!("{way}: what it depends on could not be probed"));
        } else if way == "local" && medium.local().is_none() {
            let why = not_local(path).map_or_else(String::new, |error| format!(" ({})", error.message()));
            why_not.push(format!("local: others may write here, and locks of files do not tell them{why}"));
        } else {
            safe_publishing.push(way);
        }
    }

    let in_flight = reading.as_ref().and_then(|reading| reading.in_flight);
    let depth = |seen: f64| if seen > 0.7 * MANY as f64 { MANY } else { (seen.round() as usize).max(1) };
    let settings = Settings {
        io: IoMode::Auto,
        io_depth: in_flight.filter(|_| medium.is_remote()).map(depth),
        timeout: medium.is_remote(),
        coordination: safe_publishing.first().copied(),
    };
    DoctorReport {
        path: path.to_owned(),
        mount: mount.map(|mount| mount.point.clone()),
        file_system: medium.kind().to_owned(),
        is_remote: medium.is_remote(),
        read_only: mount.is_some_and(|mount| mount.read_only),
        max_read: mount.and_then(|mount| mount.max_read),
        max_background: mount.and_then(|mount| max_background(&mount.device)),
        probes,
        reading,
        safe_reading,
        safe_publishing,
        why_not,
        settings,
    }
}

/// What the kernel keeps of a FUSE connection, for who may look.
fn max_background(device: &str) -> Option<u64> {
    let (_, minor) = device.split_once(':')?;
    let text = std::fs::read_to_string(format!("/sys/fs/fuse/connections/{minor}/max_background")).ok()?;
    text.trim().parse().ok()
}
