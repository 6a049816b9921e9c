//! What the stories stand on: child processes with deadlines, a private PostgreSQL, a gateway, people and tunnels.
//!
//! Knows the product only from outside: its command line, its output, its HTTP pages.

mod authority;
mod cluster;
mod gateway;
mod http;
mod person;
mod process;
mod psql;
mod python;
mod screen;
mod script;
mod site;
mod sshd;
mod tls;
mod tmux;
mod tunnel;
mod wire;

pub(crate) use authority::Authority;
pub(crate) use cluster::{APP_PASSWORD, APP_ROLE, Cluster, Database, free_port};
pub(crate) use gateway::Gateway;
pub(crate) use http::Browser;
pub(crate) use person::Person;
pub(crate) use process::{Outcome, Program, Stream};
pub(crate) use psql::Psql;
pub(crate) use python::{checker, crewai_python, python, python_command, python_with, start_python};
pub(crate) use screen::Screen;
pub(crate) use script::{Case, Played, Stage as Script, cases, play, play_on};
pub(crate) use site::{Site, site_policies};
pub(crate) use sshd::{Sshd, sha256};
pub(crate) use tls::{Tls, tls_over};
pub(crate) use tmux::Tmux;
pub(crate) use tunnel::Tunnel;
pub(crate) use wire::{End, Reply, Wire, cells, frame, query};

use std::time::Duration;

/// Waits until something holds; it is asked each time.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "in vain: {what}");
    }
}

/// How long a story waits for one thing before it fails. Generous, because two cores may be busy with other stories.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The binary under test.
pub(crate) const HOOP: &str = env!("CARGO_BIN_EXE_hoop");
