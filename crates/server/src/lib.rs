//! The server: configuration, routes, telemetry, upkeep and the web app.
//!
//! The crate knows every other one and decides nothing about data. Time is [`clock`]'s, which follows the database's
//! clock where several servers share one.

mod app;
mod auth;
mod backup;
mod clock;
mod clock_check;
mod config;
mod data_dir;
mod disk_space;
mod error;
mod first_start;
mod gateway;
mod http;
mod key_guesses;
mod limits;
mod links;
mod llm;
mod mail;
mod member_limits;
mod modules;
pub mod openapi;
mod people_changes;
pub mod private_files;
mod readiness;
mod remedies;
mod router;
mod routes;
mod serve;
mod service_key;
mod storage;
mod telemetry;
mod trash;
pub mod upkeep;
mod users;
mod vault;
mod web;

use mana_accounts::random;

pub use config::{Config, ConfigError};
pub use remedies::with_remedy;
pub use serve::{migrate, serve};
pub use telemetry::Telemetry;
