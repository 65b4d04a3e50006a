//! The core for the browser: built by cargo, bound by the crate `wasm-bindgen-cli-support`, so that nobody installs a tool.

use crate::{build, need, sh};
use anyhow::Result;
use wasm_bindgen_cli_support::Bindgen;

/// Writes `web/src/lib/core/wasm`: the module, its JavaScript face and its types.
pub fn generate() -> Result<()> {
    need::wasm_target()?;
    sh::run(&mut sh::cargo(&[
        "build",
        "--quiet",
        "--package",
        "mana-core-wasm",
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        "wasm",
    ]))?;
    let target = build::target();
    Bindgen::new()
        .input_path(target.join("wasm32-unknown-unknown/wasm/mana_core_wasm.wasm"))
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(sh::root().join("web/src/lib/core/wasm"))
}
