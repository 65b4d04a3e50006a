//! The room that is left on the disk of a directory.

use std::path::Path;

/// Bytes below which a disk counts as full: what a write-ahead log and a checkpoint may take.
const FULL: u64 = 32 << 20;

/// Bytes below which an operator is told, where less than a twentieth of the disk is left as well.
const NEARLY_FULL: u64 = 1 << 30;

/// Inodes below which a disk counts as full. Some file systems count none.
const FEW_INODES: u64 = 16;

/// The room on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// The size of the disk, in bytes.
    pub total_bytes: u64,
    /// Files that may still be made, and files that the disk has room for; 0 of 0 where it counts none.
    pub inodes: (u64, u64),
}

impl DiskSpace {
    /// Whether writes fail, or are about to.
    pub fn is_full(&self) -> bool {
        self.free_bytes < FULL.min(self.total_bytes / 20)
            || self.inodes.1 > 0 && self.inodes.0 < FEW_INODES
    }

    /// Whether an operator should make room.
    pub fn is_nearly_full(&self) -> bool {
        self.free_bytes < NEARLY_FULL && self.free_bytes < self.total_bytes / 20
    }
}

/// Returns the room on the disk of this directory; none where the system does not tell.
#[cfg(unix)]
pub fn of(directory: &Path) -> Option<DiskSpace> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(DiskSpace {
        free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        inodes: (disk.f_favail, disk.f_files),
    })
}

/// Returns none: other systems are not asked.
#[cfg(not(unix))]
pub fn of(_: &Path) -> Option<DiskSpace> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_bytes_and_inodes() {
        let disk = |free_bytes, total_bytes, inodes| DiskSpace {
            free_bytes,
            total_bytes,
            inodes,
        };
        let (gib, many) = (1_u64 << 30, (1_000, 1_000));
        assert!(!disk(100 * gib, 200 * gib, many).is_nearly_full());
        assert!(disk(gib / 2, 200 * gib, many).is_nearly_full());
        assert!(!disk(gib / 2, 200 * gib, many).is_full());
        assert!(disk(1 << 20, 200 * gib, many).is_full());
        assert!(disk(100 * gib, 200 * gib, (3, 1_000)).is_full());
        assert!(!disk(100 * gib, 200 * gib, (0, 0)).is_full());
        assert!(!disk(3 << 20, 4 << 20, many).is_full(), "a small disk");
    }

    #[cfg(unix)]
    #[test]
    fn room_is_told_of_a_directory() {
        let disk = of(Path::new("/")).unwrap();
        assert!(disk.total_bytes >= disk.free_bytes && disk.total_bytes > 0);
    }
}
