//! The real psql, without a start-up file, stopping at the first error unless told otherwise.

use std::process::Command;

use super::{Outcome, Program};

/// A way to run psql somewhere.
#[derive(Clone)]
pub(crate) struct Psql {
    host: String,
    port: u16,
    user: String,
    database: String,
    arguments: Vec<String>,
}

impl Psql {
    pub(crate) fn new(host: &str, port: u16, user: &str, database: &str) -> Self {
        Self { host: host.into(), port, user: user.into(), database: database.into(), arguments: Vec::new() }
    }

    /// Adds arguments, such as `-v ON_ERROR_STOP=0`.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Goes on after errors.
    pub(crate) fn going_on(self) -> Self {
        self.with(&["-v", "ON_ERROR_STOP=0"])
    }

    /// Runs a script from standard input: rows unaligned, errors with SQLSTATE and details.
    pub(crate) fn run(&self, script: &str) -> Outcome {
        Program::run(&mut self.command(), script)
    }

    /// Starts it; lines can be written and waited for.
    pub(crate) fn start(&self) -> Program {
        Program::start(&mut self.command())
    }

    /// The bare command.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("psql");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PGCONNECT_TIMEOUT", "30")
            .env("PGSSLMODE", "prefer")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", "/nonexistent")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"])
            .args(["-h", &self.host, "-p", &self.port.to_string(), "-U", &self.user, "-d", &self.database])
            .args(&self.arguments);
        command
    }
}
