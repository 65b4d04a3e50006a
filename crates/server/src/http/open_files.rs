//! The process's bound of open files, of which every connection is one.

/// Files that are kept for the database, keys, and connections to providers.
const RESERVED: usize = 128;

/// Raises the soft bound to the hard one, as Go's and Java's runtimes do: systemd's soft default of 1,024 is for
/// programs that use `select`. Returns how many connections there is room for.
pub fn raise() -> usize {
    room(raised())
}

fn room(files: usize) -> usize {
    files.saturating_sub(RESERVED).max(files / 2).max(1)
}

#[cfg(unix)]
fn raised() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let bound = getrlimit(Resource::Nofile);
    let hard = Rlimit {
        current: bound.maximum,
        maximum: bound.maximum,
    };
    let current = match setrlimit(Resource::Nofile, hard) {
        Ok(()) => bound.maximum,
        Err(error) => {
            tracing::warn!(error = %error, "The bound of open files could not be raised: {error}");
            bound.current
        }
    };
    current.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    })
}

#[cfg(not(unix))]
fn raised() -> usize {
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_connections_leaves_files_for_the_rest() {
        assert_eq!(room(1024), 896);
        assert_eq!(room(64), 32);
        assert_eq!(room(usize::MAX), usize::MAX - RESERVED);
    }

    #[cfg(unix)]
    #[test]
    fn soft_bound_becomes_the_hard_one() {
        use rustix::process::{Resource, getrlimit};
        raise();
        let bound = getrlimit(Resource::Nofile);
        assert_eq!(bound.current, bound.maximum);
    }
}
