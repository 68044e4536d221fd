//! On which file systems a commit by `link()` and file locks hold.

use std::path::Path;

use crate::{Error, Result};

/// Local file systems whose `link`, `fsync` and locks are known to hold, by the magic number of `statfs(2)`.
const LOCAL: [(i64, &str); 6] = [
    (0xEF53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683E, "btrfs"),
    (0x2FC1_2FC1, "zfs"),
    (0x0102_1994, "tmpfs"),
    (0x794C_7630, "overlay"),
];

/// The name of the file system that `path` lies on, if it is a listed local one.
#[cfg(target_os = "linux")]
pub(super) fn local(path: &Path) -> Result<Option<&'static str>> {
    let found = rustix::fs::statfs(path).map_err(|e| Error::from_io(path, e.into()))?;
    #[expect(clippy::useless_conversion, reason = "the type differs from one architecture to another")]
    let magic = i64::from(found.f_type) & 0xFFFF_FFFF;
    Ok(LOCAL.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name))
}

/// Elsewhere nothing is known of the file system, and it is taken for a local one.
#[cfg(not(target_os = "linux"))]
pub(super) fn local(_path: &Path) -> Result<Option<&'static str>> {
    Ok(Some("unknown"))
}

/// Refuses local coordination where it does not hold.
pub(super) fn check(path: &Path) -> Result<()> {
    match local(path)? {
        Some(_) => Ok(()),
        None => Err(Error::new(crate::ErrorKind::Unsupported, "local coordination does not hold on this file system")
            .path(path)
            .hint("put the root on ext4, xfs, btrfs, zfs, tmpfs or overlay, or coordinate with --coordination etcd://…")),
    }
}
