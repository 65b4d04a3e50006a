//! Modules, tools and policy.
