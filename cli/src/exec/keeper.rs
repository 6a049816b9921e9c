//! The processes between `hoop exec` and its command: one that keeps it, or two that make a jail and keep what is in it.
//!
//! Each is this binary run again with one thread, told what to do over its standard input. They end with `hoop exec`, and
//! everything that the command started ends with them. Called by `main` before anything else.

pub(super) mod rest;
mod supervise;

use std::{
    io::{self, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Command, Stdio},
};

use rustix::process::{
    DumpableBehavior, Signal, getpid, set_child_subreaper, set_dumpable_behavior, set_parent_process_death_signal,
};

use super::{
    frame, jail,
    plan::{Order, Plan, Trouble, Word},
};
use crate::failure::{ExitStatus, FailureKind};

/// Which of these processes this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Keeps a command that is not jailed.
    Keeper,
    /// Becomes that command: the last step before it.
    Command,
    /// Makes the namespaces of a jail, and waits.
    Jailer,
    /// Is the first process of a jail: closes it, and keeps the command.
    Inside,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Keeper, Self::Command, Self::Jailer, Self::Inside];

    /// The word that this binary is started with.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Keeper => "__keeper",
            Self::Command => "__command",
            Self::Jailer => "__jailer",
            Self::Inside => "__inside",
        }
    }

    /// What this process was started as, where it is one of these.
    pub(crate) fn of_this_process() -> Option<Self> {
        let word = std::env::args_os().nth(1)?;
        Self::ALL.into_iter().find(|stage| word == stage.word())
    }

    /// Does its work.
    pub(crate) fn run(self) -> ExitStatus {
        let outcome = match self {
            Self::Keeper => keep(),
            Self::Command => return become_command(),
            Self::Jailer => jail::build(),
            Self::Inside => jail::enter(),
        };
        // Whoever started us hears what went wrong over the socket; a status says enough to anybody else.
        outcome.map_or_else(|_said| FailureKind::Failed.exit_status(), |()| ExitStatus::SUCCESS)
    }
}

/// The way to this very binary, whatever has become of its path.
pub(super) const SELF: &str = "/proc/self/exe";

/// The socket that we were given as standard input.
pub(super) fn control() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Tells what went wrong, and gives up.
pub(super) fn give_up(control: &UnixStream, trouble: Trouble) -> io::Error {
    let what = trouble.what.clone();
    // Nobody may be there any more.
    drop(frame::send(control, &Word::Failed(trouble), &[]));
    io::Error::other(what)
}

/// Waits to be told the command; its standard input comes with it.
pub(super) fn await_start(control: &UnixStream) -> io::Result<(Plan, OwnedFd)> {
    match frame::receive(control)? {
        Some((Order::Start(plan), descriptors)) => {
            let stdin = descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
            Ok((plan, stdin))
        }
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The command as planned, not started.
pub(super) fn command(plan: &Plan, program: &std::ffi::OsStr, stdin: OwnedFd) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(plan.environment.iter().map(|(name, value)| (name.as_os(), value.as_os())));
    command.current_dir(&plan.folder).stdin(Stdio::from(stdin));
    command
}

fn keep() -> io::Result<()> {
    let control = control()?;
    let prepared =
        set_child_subreaper(Some(getpid())).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    prepared.map_err(|error| give_up(&control, Trouble::new("the command's keeper could not be set up", error)))?;
    let (plan, stdin) = await_start(&control)?;
    let mut command = command(&plan, SELF.as_ref(), stdin);
    command.arg0(hoop_tunnel::peer::RUN_MARK).arg(Stage::Command.word());
    command.args(plan.command.iter().map(super::plan::Text::as_os));
    let child =
        command.spawn().map_err(|error| give_up(&control, Trouble::new("the command could not be started", error)))?;
    let ended = supervise::until_the_end(&control, &child);
    rest::end_all();
    ended
}

/// Ends with its keeper, whatever ends that; then becomes the command.
fn become_command() -> ExitStatus {
    let mut arguments = std::env::args_os().skip(2);
    let Some(program) = arguments.next() else { return FailureKind::Usage.exit_status() };
    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return FailureKind::Internal.exit_status();
    }
    let error = Command::new(&program).args(arguments).exec();
    not_started(&program, &error, "check the command behind `--`")
}

/// Says that a program could not be started, and gives the status that shells leave with then.
pub(super) fn not_started(program: &std::ffi::OsStr, error: &io::Error, next: &str) -> ExitStatus {
    let name = crate::output::printable_line(&program.to_string_lossy());
    let said = format!("error: `{name}` could not be started\n  why: {error}\n  next: {next}\n");
    drop(io::stderr().lock().write_all(said.as_bytes()));
    ExitStatus::of_missing_command(error.kind() == io::ErrorKind::NotFound)
}

/// Waits for the end of a command that was started inside a jail.
pub(super) fn supervise_inside(control: &UnixStream, child: &std::process::Child) -> io::Result<()> {
    supervise::until_the_end(control, child)
}
