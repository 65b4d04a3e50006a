//! The planner: prompt, parser, outline.
