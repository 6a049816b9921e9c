//! The Python that holds the drivers of `tests/fixtures/python`. `tests/run` installs them and says where they are.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Outcome, Program, Tunnel};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/python");

/// Runs a script of the fixtures against a tunnel.
pub(crate) fn python(script: &str, tunnel: &Tunnel) -> Outcome {
    let port = tunnel.port.to_string();
    python_with(script, &[("STORY_HOST", "127.0.0.1"), ("STORY_PORT", &port), ("STORY_DATABASE", &tunnel.database)])
}

/// Runs a script of the fixtures with these facts in its environment.
pub(crate) fn python_with(script: &str, facts: &[(&str, &str)]) -> Outcome {
    Program::run(&mut python_command(script, facts), "")
}

/// Starts a script of the fixtures with these facts in its environment.
pub(crate) fn start_python(script: &str, facts: &[(&str, &str)]) -> Program {
    Program::start(&mut python_command(script, facts))
}

/// A script of the fixtures, or an option of the interpreter, with these facts in its environment.
pub(crate) fn python_command(script: &str, facts: &[(&str, &str)]) -> Command {
    let mut command = Command::new(interpreter());
    command
        .env_clear()
        .envs(["LC_ALL", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE"].into_iter().zip(["C.UTF-8", "1", "1"]))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(facts.iter().copied())
        .current_dir(FIXTURES)
        .arg(script);
    command
}

/// `HOOP_TESTS_PYTHON` names it; otherwise it is where `tests/run --only packages` puts it.
fn interpreter() -> PathBuf {
    let usual = || Path::new(FIXTURES).join("../../../.cache/python/bin/python");
    let path = std::env::var_os("HOOP_TESTS_PYTHON").map_or_else(usual, PathBuf::from);
    assert!(
        path.exists(),
        "the Python drivers are not installed at {}: run `tests/run --only packages`, or name an interpreter that has \
         tests/fixtures/python/requirements.txt in HOOP_TESTS_PYTHON",
        path.display()
    );
    path
}

/// The Python that has a CrewAI, and with it MCP's own library. `HOOP_TESTS_CREWAI` names it; otherwise it is where
/// `tests/run --only packages` puts it.
pub(crate) fn crewai_python() -> PathBuf {
    let usual = || Path::new(FIXTURES).join("../../../.cache/crewai/bin/python");
    let path = std::env::var_os("HOOP_TESTS_CREWAI").map_or_else(usual, PathBuf::from);
    assert!(
        path.exists(),
        "CrewAI is not installed at {}: run `tests/run --only packages`, or name an interpreter that has \
         tests/fixtures/crewai/requirements.txt in HOOP_TESTS_CREWAI",
        path.display()
    );
    path
}

/// A program that checks the project's own descriptions. `HOOP_TESTS_CHECKERS` names the folder that holds them; otherwise
/// they are where `tests/run --only packages` puts them.
pub(crate) fn checker(name: &str) -> PathBuf {
    let usual = || Path::new(FIXTURES).join("../../../.cache/checkers/bin");
    let folder = std::env::var_os("HOOP_TESTS_CHECKERS").map_or_else(usual, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{name} is not installed in {}: run `tests/run --only packages`, or name the folder of programs that has \
         tests/fixtures/checkers/requirements.txt in HOOP_TESTS_CHECKERS",
        folder.display()
    );
    path
}
