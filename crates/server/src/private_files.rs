//! Files and directories that only the user who runs Mana can read.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a directory (0700) and its parents, if they aren't there.
#[cfg(unix)]
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Makes a directory and its parents, if they aren't there.
#[cfg(not(unix))]
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Returns options that make a file with mode 0600.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Returns the mode of a file that is there and that more people may use than `mode` lets.
#[cfg(unix)]
pub fn wider_than(path: &Path, mode: u32) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (found & !mode != 0).then_some(found)
}

/// Returns none: other systems have no modes.
#[cfg(not(unix))]
pub fn wider_than(_: &Path, _: u32) -> Option<u32> {
    None
}
