//! On which file systems locks of files hold.

use std::path::Path;

use crate::LockError;

/// The name of the file system that `path` is on, or its nearest folder that exists, if file locks are known to
/// hold there.
///
/// # Errors
/// [`LockError::Unsupported`] on any other, [`LockError::Io`] where the operating system does not say.
///
/// ```
/// assert!(hypostyle_lock::local_file_system(std::path::Path::new("/proc")).is_err());
/// ```
#[cfg(target_os = "linux")]
pub fn local_file_system(path: &Path) -> Result<&'static str, LockError> {
    /// By the magic numbers of statfs(2).
    const LOCAL: [(u64, &str); 6] = [
        (0xEF53, "ext4"),
        (0x5846_5342, "xfs"),
        (0x9123_683E, "btrfs"),
        (0x2FC1_2FC1, "zfs"),
        (0x0102_1994, "tmpfs"),
        (0x794C_7630, "overlay"),
    ];
    const OTHERS: [(u64, &str); 5] = [
        (0x6969, "NFS"),
        (0x6573_5546, "FUSE"),
        (0xFF53_4D42, "CIFS"),
        (0xFE53_4D42, "SMB"),
        (0x00C3_6400, "Ceph"),
    ];
    let is_missing = |e: rustix::io::Errno| matches!(e, rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR);
    let folders = path.ancestors().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
    let found = folders.map(rustix::fs::statfs).find(|found| !found.as_ref().is_err_and(|e| is_missing(*e)));
    let magic = match found {
        // 32 bits, of either sign and in either width by architecture.
        Some(Ok(found)) => found.f_type as u64 & 0xFFFF_FFFF,
        Some(Err(error)) => return Err(LockError::io(path, &error.into())),
        None => return Err(LockError::io(path, &std::io::ErrorKind::NotFound.into())),
    };
    let name_in =
        |list: &[(u64, &'static str)]| list.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name);
    name_in(&LOCAL).ok_or_else(|| LockError::Unsupported {
        path: path.to_owned(),
        file_system: name_in(&OTHERS).map_or_else(|| format!("a file system {magic:#x}"), str::to_owned),
    })
}

/// Elsewhere nothing is known of the file system, and it is taken for a local one.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn local_file_system(_path: &Path) -> Result<&'static str, LockError> {
    Ok("unknown")
}
