//! The native client inside a tunnel: `psql` with the tunnel in its environment, signals passed on, its status ours.

use std::{ffi::OsString, io::IsTerminal as _};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal as listen},
};

use super::address::Opened;
use crate::failure::{ExitStatus, Failure};

/// The native client of the connection.
pub(super) fn client(opened: &Opened, password: Option<&SecretString>, arguments: Vec<OsString>) -> Command {
    match &opened.known {
        Some(known) => known.client(opened.port, arguments),
        None => command(opened, password, arguments),
    }
}

/// `psql ARGS`, told by its environment where to go. What would lead it elsewhere is taken away.
fn command(opened: &Opened, password: Option<&SecretString>, arguments: Vec<OsString>) -> Command {
    let mut command = Command::new(CLIENT);
    command.args(arguments);
    for elsewhere in ELSEWHERE {
        command.env_remove(elsewhere);
    }
    command.env("PGHOST", &opened.host).env("PGPORT", opened.port.to_string());
    command.env("PGUSER", &opened.user).env("PGDATABASE", &opened.database);
    // The way to us does not leave this machine; what leaves it is the link, with TLS of its own.
    command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
    if let Some(password) = password {
        command.env("PGPASSWORD", password.expose_secret());
    }
    command
}

/// Runs it to its end and leaves with its status. Signals that reach only us are passed on.
pub(super) async fn run(mut command: Command) -> Result<ExitStatus, Failure> {
    let mut child = command.kill_on_drop(true).spawn().map_err(|error| {
        Failure::failed("the native client could not be started")
            .caused_by(&error)
            .next("install psql, or ssh; or leave `--` out and use what `hoop connect` prints")
    })?;
    let deaf = |error: std::io::Error| Failure::internal("signals are not heard").caused_by(&error);
    let mut interrupt = listen(SignalKind::interrupt()).map_err(deaf)?;
    let mut quit = listen(SignalKind::quit()).map_err(deaf)?;
    let mut terminate = listen(SignalKind::terminate()).map_err(deaf)?;
    let mut hangup = listen(SignalKind::hangup()).map_err(deaf)?;
    // Ctrl-C on a terminal reaches the client as well as us; a second one would be too many.
    let shared_terminal = std::io::stdin().is_terminal();
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| Failure::internal("the client was lost").caused_by(&error))?;
                return Ok(ExitStatus::of_child(status));
            }
            _ = interrupt.recv() => if !shared_terminal { pass_on(&child, Signal::SIGINT) },
            _ = quit.recv() => if !shared_terminal { pass_on(&child, Signal::SIGQUIT) },
            _ = terminate.recv() => pass_on(&child, Signal::SIGTERM),
            _ = hangup.recv() => pass_on(&child, Signal::SIGHUP),
        }
    }
}

fn pass_on(child: &Child, what: Signal) {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
    if let Err(error) = signal::kill(Pid::from_raw(pid), what) {
        tracing::debug!(%error, "the client is gone already");
    }
}

const CLIENT: &str = "psql";
const ELSEWHERE: [&str; 8] = [
    "PGHOSTADDR",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGPASSWORD",
    "PGREQUIREAUTH",
    "PGCHANNELBINDING",
    "PGTARGETSESSIONATTRS",
    "PGREQUIRESSL",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn leaves_with_the_clients_status() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 7"]);
        let status = run(command).await.unwrap();
        assert_eq!(status, ExitStatus::of_child(std::os::unix::process::ExitStatusExt::from_raw(7 << 8)));
    }

    #[tokio::test]
    async fn a_client_that_is_not_there_is_a_failure_with_a_way_on() {
        let failure = run(Command::new("/nowhere/psql")).await.unwrap_err();
        assert!(failure.next_step().is_some());
    }
}
