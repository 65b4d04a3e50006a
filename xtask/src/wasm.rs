//! The core for the browser: built by cargo and bound by the crate `wasm-bindgen-cli-support`, so that no tool has to
//! be installed.

use std::fs;

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::{paths, process, requirements};

/// The most bytes that a browser may have to fetch for the module, after Brotli.
pub const MOST_BYTES: u64 = 400_000;

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

/// Fails where the module in `web/build`, compressed as it is sent, has more bytes than [`MOST_BYTES`].
pub fn check_size() -> Result<()> {
    let folder = paths::root().join("web/build/_app/immutable/assets");
    let mut bytes = 0;
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".wasm.br") {
            bytes += entry.metadata()?.len();
        }
    }
    ensure!(
        bytes > 0,
        "{} holds no compressed WebAssembly",
        folder.display()
    );
    println!("WebAssembly, as sent: {bytes} bytes, at most {MOST_BYTES}");
    ensure!(
        bytes <= MOST_BYTES,
        "the core for the browser has {bytes} bytes after Brotli; at most {MOST_BYTES} are allowed (bench/README.md)"
    );
    Ok(())
}
