//! The names of the module and of the tables that missions are kept in.

/// The app of missions and their runs.
pub const APP: &str = "ai";

/// The table of the page about a person, by its module: every mission reads it as the person's own words.
pub const CONTEXT: (&str, &str) = ("context", "documents");

/// The table of missions.
pub const MISSIONS: &str = "aiMissions";

/// The table of run records.
pub const RUNS: &str = "aiRuns";

/// The table of agents.
pub const AGENTS: &str = "aiAgents";

/// The table of what a person sets for all their missions.
pub const SETTINGS: &str = "aiSettings";
