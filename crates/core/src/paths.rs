//! First parts of the server's paths. Modules can't take them as their route, and the server's router, the web app's
//! routes, its service worker and its dev proxy are checked against this list (`crates/server/src/router.rs`).

/// First parts of paths that belong to programs: the routes of the server. An unknown path below them is an error, and
/// no page.
pub const PROGRAM_PATHS: [&str; 12] = [
    "ai", "app", "auth", "health", "internal", "llm", "metrics", "modules", "ready", "sync", "v1",
    "ws",
];

/// First parts of paths that programs ask other servers of their kind for. Nothing is there, and no page: a page would
/// tell a program that its request was answered.
pub const ABSENT_PATHS: [&str; 2] = ["api", "mcp"];

/// First parts of paths of the web app's own pages. Pages of modules, such as `todo`, are the modules' routes.
pub const PAGE_PATHS: [&str; 8] = [
    "companion",
    "factor",
    "join",
    "login",
    "more",
    "reset",
    "settings",
    "setup",
];

/// First parts of paths of the web app's files.
pub const FILE_PATHS: [&str; 3] = ["_app", "fonts", "icons"];

/// Whether a first part of a path belongs to Mana, so that no module can have it.
pub fn is_reserved(first_part: &str) -> bool {
    [&PROGRAM_PATHS[..], &ABSENT_PATHS, &PAGE_PATHS, &FILE_PATHS]
        .iter()
        .any(|paths| paths.contains(&first_part))
}
