//! The core for the browser: built by cargo and bound by the crate `wasm-bindgen-cli-support`, so that no tool has to
//! be installed.

use anyhow::Result;
use wasm_bindgen_cli_support::Bindgen;

use crate::{paths, process, requirements};

/// How the core is compiled.
#[derive(Clone, Copy)]
pub enum Profile {
    /// Smallest module, for releases, tests and benches: the workspace's profile `wasm`.
    Small,
    /// Shortest build, for `cargo xtask serve`: the workspace's profile `serve`.
    Fast,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "wasm",
            Self::Fast => "serve",
        }
    }
}

/// Writes `web/src/lib/core/wasm`: the module, its JavaScript face and its types.
pub fn generate(profile: Profile) -> Result<()> {
    requirements::wasm_target()?;
    process::run(&mut process::cargo(&[
        "build",
        "--package",
        "mana-core-wasm",
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        profile.name(),
    ]))?;
    let built = paths::target()
        .join("wasm32-unknown-unknown")
        .join(profile.name())
        .join("mana_core_wasm.wasm");
    Bindgen::new()
        .input_path(built)
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(paths::root().join("web/src/lib/core/wasm"))
}
