//! Which paths lie on a mount that can hang: FUSE, and the file systems of networks.
//!
//! Nothing here asks such a mount anything, not even for a name. The kernel's list of mounts is read from
//! `/proc/self/mountinfo`, and again only when the kernel says that it changed, which it is asked once a millisecond
//! at most; a path is followed through it name by name, links included, and no further than to the first mount that
//! is not local.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::lately::Lately;
use crate::platform::MountList;
use crate::process::ByProcess;

/// The kernel follows as many links before it gives up.
const MOST_LINKS: usize = 40;

/// Types of file systems that others answer for: a daemon, or a machine across a network.
const REMOTE: [&str; 22] = [
    "9p",
    "acfs",
    "afs",
    "autofs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse",
    "fuseblk",
    "glusterfs",
    "gpfs",
    "lustre",
    "mfs",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
    "virtiofs",
];

/// A mount that can hang.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mount {
    /// The kernel's number, which it gives to another mount when this one is gone.
    pub(crate) id: u64,
    /// Which reading of the list it is from: in another one it may be another mount.
    pub(crate) reading: u64,
    /// Where it is mounted.
    pub(crate) point: PathBuf,
}

/// A mount, as the kernel's list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MountReport {
    /// Where it is mounted.
    pub point: PathBuf,
    /// The type of its file system, such as `ext4` or `fuse.alluxio`.
    pub kind: String,
    /// Its device, as in `254:0`.
    pub device: String,
    /// Whether nothing can be written there, whoever asks.
    pub read_only: bool,
    /// The most bytes of one request, where the list says so: that of FUSE is left out if it was not limited.
    pub max_read: Option<u64>,
    /// Whether others answer for it, so that it can hang: FUSE, or a network's.
    pub is_remote: bool,
}

/// The mounts of this process at one time.
#[derive(Debug, Default)]
struct Mounts {
    /// By where they are mounted: `None` for a local one.
    by_point: HashMap<PathBuf, Option<Arc<Mount>>>,
    any_remote: bool,
    /// How often the list was read.
    reading: u64,
}

#[derive(Debug, Default)]
struct Known(Mutex<(MountList, Arc<Mounts>)>);

static KNOWN: ByProcess<Known> = ByProcess::new();

/// The mounts of now, or of a moment ago: a join asks for each of its files, and each time twice.
fn now() -> Arc<Mounts> {
    static SEEN: Lately<Arc<Mounts>> = Lately::good_for(Duration::from_millis(1));
    SEEN.get(look)
}

fn look() -> Arc<Mounts> {
    let known = KNOWN.get();
    // What is under the lock is whole at every moment.
    let mut known = known.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (list, mounts) = &mut *known;
    if let Some(text) = list.if_changed() {
        *mounts = Arc::new(Mounts::parse(&text, mounts.reading + 1));
    }
    Arc::clone(mounts)
}

/// Whether any mount can hang at all.
pub fn any_remote() -> bool {
    now().any_remote
}

/// The mount that a path leads to or into, if it can hang. The path need not exist.
pub(crate) fn of(path: &Path) -> Option<Arc<Mount>> {
    let mounts = now();
    if !mounts.any_remote { None } else { mounts.locate(path, |at| std::fs::read_link(at).ok()) }
}

/// Whether a path leads to or into a mount that can hang: FUSE, or a network's. Nothing is asked of the mount.
pub fn is_remote(path: &Path) -> bool {
    of(path).is_some()
}

/// What the kernel's list says of the mount that a path lies on. Nothing is asked of the mount.
pub fn mount_of(path: &Path) -> Option<MountReport> {
    let list = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let point = Mounts::parse(&list, 0).place(path, |at| std::fs::read_link(at).ok())?;
    // Of several mounts at one point the last is the one that is seen.
    list.lines().rev().filter_map(report).find(|report| report.point == point)
}

/// A line of the list, for people.
fn report(line: &str) -> Option<MountReport> {
    let (place, source) = line.split_once(" - ")?;
    let mut fields = place.split(' ').skip(2);
    let (device, point, options) = (fields.next()?, fields.nth(1)?, fields.next()?);
    let mut fields = source.split(' ');
    let (kind, more) = (fields.next()?, fields.nth(1).unwrap_or_default());
    let max_read = more.split(',').find_map(|option| option.strip_prefix("max_read=")?.parse().ok());
    Some(MountReport {
        point: unescaped(point),
        kind: kind.to_owned(),
        device: device.to_owned(),
        read_only: options.split(',').chain(more.split(',')).any(|option| option == "ro"),
        max_read,
        is_remote: is_kind_remote(kind),
    })
}

fn is_kind_remote(kind: &str) -> bool {
    REMOTE.contains(&kind.split('.').next().unwrap_or(kind))
}

impl Mounts {
    /// Lines as in `36 35 98:0 /root /mnt/point rw,noatime shared:1 - fuse.alluxio source rw`, by
    /// <https://docs.kernel.org/filesystems/proc.html>. Of several mounts at one point the last is the one that is seen.
    fn parse(text: &str, reading: u64) -> Self {
        let mut mounts = Self { reading, ..Self::default() };
        for line in text.lines() {
            let Some((place, kind)) = line.split_once(" - ") else { continue };
            let mut fields = place.split(' ');
            let (Some(id), Some(point)) = (fields.next(), fields.nth(3)) else { continue };
            let (Ok(id), Some(kind)) = (id.parse(), kind.split(' ').next()) else { continue };
            let point = unescaped(point);
            let remote = is_kind_remote(kind).then(|| Arc::new(Mount { id, point: point.clone(), reading }));
            mounts.by_point.insert(point, remote);
        }
        mounts.any_remote = mounts.by_point.values().any(Option::is_some);
        mounts
    }

    fn locate(&self, path: &Path, read_link: impl Fn(&Path) -> Option<PathBuf>) -> Option<Arc<Mount>> {
        self.by_point.get(&self.place(path, read_link)?)?.clone()
    }

    /// Where the mount is mounted that a path leads to, or the first on the way that can hang.
    fn place(&self, path: &Path, read_link: impl Fn(&Path) -> Option<PathBuf>) -> Option<PathBuf> {
        let path = std::path::absolute(path).ok()?;
        let parts = |path: &Path| path.components().rev().map(|c| c.as_os_str().to_owned()).collect();
        let mut left: Vec<OsString> = parts(&path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = left.pop() {
            match Path::new(&name).components().next() {
                Some(Component::RootDir) => at = PathBuf::from("/"),
                Some(Component::ParentDir) => drop(at.pop()),
                Some(Component::Normal(name)) => at.push(name),
                _ => continue,
            }
            match self.by_point.get(&at) {
                Some(Some(_)) => return Some(at),
                Some(None) => continue,
                None => {}
            }
            // Its folder is on a local file system: this cannot hang.
            if let Some(target) = read_link(&at) {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                at.pop();
                left.extend::<Vec<OsString>>(parts(&target));
            }
        }
        at.ancestors().find(|folder| self.by_point.contains_key(*folder)).map(Path::to_owned)
    }
}

/// Blanks, tabs, line ends and backslashes stand in the list as three octal digits behind a backslash.
fn unescaped(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *first == b'\\').and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or(&[]);
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt/feat\\040ures rw,nosuid - fuse.alluxio alluxio rw
31 22 0:41 / /data rw - xfs /dev/vdb rw
32 31 0:42 / /data/far rw - nfs4 server:/export rw
33 32 254:9 / /data/far/near rw - ext4 /dev/vdc rw
34 22 0:43 / /mnt/over rw - fuse.one one rw
35 34 0:44 / /mnt/over rw - tmpfs tmpfs rw
nonsense
36 22 0:45";

    #[test]
    fn a_path_is_followed_to_the_first_mount_that_can_hang() {
        let mounts = Mounts::parse(LIST, 1);
        let links =
            [("/link", "/mnt/feat ures/t"), ("/data/up", "../mnt"), ("/loop", "loop"), ("/near", "data")];
        let read_link =
            |at: &Path| links.iter().find(|(from, _)| Path::new(from) == at).map(|(_, to)| PathBuf::from(to));
        for (path, expected) in [
            ("/", None),
            ("/data/wind.parquet", None),
            ("/mnt/feat ures", Some(30)),
            ("/mnt/feat ures/wind/a.parquet", Some(30)),
            ("/mnt/feat", None),
            ("/data/far/x", Some(32)),
            // Behind a mount that can hang all is out of reach.
            ("/data/far/near/x", Some(32)),
            ("/data/../data/far", Some(32)),
            ("/mnt/over/x", None),
            ("/link", Some(30)),
            ("/link/wind.parquet", Some(30)),
            ("/data/up/feat ures/x", Some(30)),
            ("/near/far", Some(32)),
            ("/loop/x", None),
        ] {
            let found = mounts.locate(Path::new(path), read_link).map(|m| m.id);
            assert_eq!(found, expected, "{path}");
        }
        assert!(mounts.any_remote && !Mounts::parse("22 1 254:0 / / rw - ext4 x rw", 1).any_remote);
    }

    #[test]
    fn a_line_of_the_list_tells_what_the_mount_is() {
        let of = |line: &str| report(line).unwrap();
        let fuse = of("30 22 0:40 / /mnt/feat\\040ures ro,nosuid - fuse.alluxio alluxio rw,max_read=131072");
        assert_eq!((fuse.point.as_path(), fuse.kind.as_str()), (Path::new("/mnt/feat ures"), "fuse.alluxio"));
        assert_eq!((fuse.read_only, fuse.max_read, fuse.is_remote), (true, Some(131_072), true));
        let disk = of("31 22 254:1 / /data rw shared:1 - xfs /dev/vdb rw,attr2");
        assert_eq!((disk.read_only, disk.max_read, disk.is_remote), (false, None, false));
        assert_eq!(disk.device, "254:1");
        assert_eq!(report("36 22 0:45"), None);
    }

    #[test]
    fn the_list_of_this_machine_can_be_read() {
        let proc = mount_of(Path::new("/proc/self")).unwrap();
        assert_eq!((proc.kind.as_str(), proc.is_remote), ("proc", false));
        assert!(!now().by_point.is_empty() || cfg!(not(target_os = "linux")));
        assert!(!is_remote(Path::new("/proc/self/mountinfo")));
    }
}
