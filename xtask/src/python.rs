//! Python programs in virtual environments below `target/`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{paths, process, requirements};

/// Makes `target/NAME` a virtual environment with the packages that `wanted` lists in the format of a requirements
/// file, and returns its Python. An environment that has them already is left as it is.
pub fn environment(name: &str, wanted: &str) -> Result<PathBuf> {
    let environment = paths::target().join(name);
    let python = environment.join("bin/python");
    let installed = environment.join("requirements.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    requirements::python()?;
    let path = |path: &Path| path.display().to_string();
    process::run(&mut process::command(
        "python3",
        &["-m", "venv", "--clear", &path(&environment)],
    ))?;
    let unfinished = environment.join("wanted.txt");
    std::fs::write(&unfinished, wanted)?;
    process::run(&mut process::command(
        &path(&python),
        &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            &path(&unfinished),
        ],
    ))?;
    std::fs::rename(unfinished, installed)?;
    Ok(python)
}
