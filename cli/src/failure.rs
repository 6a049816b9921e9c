//! How a command ends: an exit status, or a failure that says what happened, why, and what to do next.
//!
//! Printed once, by `main` through `Output`. The numbers are a contract with scripts.

use std::{error::Error, process::ExitCode};

use hoop_gateway_core::model::StepUp;

/// The status that the process leaves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExitStatus(u8);

impl ExitStatus {
    /// Done.
    pub(crate) const SUCCESS: Self = Self(0);

    /// A command that could not be started, as shells say it: 127 where it is not there, 126 where it cannot be run.
    pub(crate) const fn of_missing_command(absent: bool) -> Self {
        Self(if absent { 127 } else { 126 })
    }

    /// Passes on the status of a command of which a keeper told the status or the signal.
    pub(crate) fn of_ending(status: Option<i32>, signal: Option<i32>) -> Self {
        let code = status.or_else(|| signal.map(|number| 128 + number)).unwrap_or(1);
        Self(u8::try_from(code & 0xff).unwrap_or(1))
    }

    /// Passes on the status of a wrapped command; a signal becomes 128 plus its number, as in a shell.
    pub(crate) fn of_child(status: std::process::ExitStatus) -> Self {
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        Self::of_ending(status.code(), signal)
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.0)
    }
}

/// Why a command failed, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// It was tried and did not work.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// A policy or a reviewer refused.
    Refused,
    /// There is no valid login.
    NotLoggedIn,
    /// The gateway or an upstream could not be reached.
    Unreachable,
    /// An approval is pending, or nobody decided in time.
    Pending,
    /// Our own fault.
    Internal,
    /// Interrupted by the person.
    Interrupted,
    /// Whoever read our output went away: a success without words.
    BrokenPipe,
}

impl FailureKind {
    /// The status of the contract.
    pub(crate) const fn exit_status(self) -> ExitStatus {
        ExitStatus(match self {
            Self::BrokenPipe => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NotLoggedIn => 4,
            Self::Unreachable => 5,
            Self::Pending => 8,
            Self::Internal => 70,
            Self::Interrupted => 130,
        })
    }
}

/// A failed command: what happened, why, what to do next. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    kind: FailureKind,
    what: String,
    why: Vec<String>,
    next: Option<String>,
    /// The login that a policy wants before it counts.
    step_up: Option<Box<StepUp>>,
}

impl Failure {
    /// A failure of `kind`; `what` is one sentence in lower case without a full stop.
    pub(crate) fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), why: Vec::new(), next: None, step_up: None }
    }

    /// It was tried and did not work.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(FailureKind::Failed, what)
    }

    /// The arguments make no sense.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, what)
    }

    /// Our own fault.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::new(FailureKind::Internal, what)
    }

    /// The gateway or an upstream could not be reached.
    pub(crate) fn unreachable(what: impl Into<String>) -> Self {
        Self::new(FailureKind::Unreachable, what)
    }

    /// There is no valid login at `gateway`.
    pub(crate) fn not_logged_in(what: impl Into<String>) -> Self {
        Self::new(FailureKind::NotLoggedIn, what).next("run `hoop login`")
    }

    /// Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self::new(FailureKind::Interrupted, "interrupted")
    }

    /// Adds one reason.
    #[must_use]
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds an error and its sources as reasons, without repeating one that contains the next.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &dyn Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if !self.why.last().is_some_and(|last| last.contains(&text)) {
                self.why.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Says what to do next; the last word counts.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Says that a login of this kind would help.
    #[must_use]
    pub(crate) fn wanting(mut self, demand: StepUp) -> Self {
        self.step_up = Some(Box::new(demand));
        self
    }

    /// The login that would help, if one would.
    pub(crate) fn step_up(&self) -> Option<&StepUp> {
        self.step_up.as_deref()
    }

    /// Its kind.
    pub(crate) const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// What happened.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Why, outermost reason first.
    pub(crate) fn why(&self) -> &[String] {
        &self.why
    }

    /// What to do next.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl From<std::io::Error> for Failure {
    /// Only for writing to standard output or error; anything else names its file first.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(FailureKind::BrokenPipe, "nobody reads the output any more");
        }
        Self::failed("the output could not be written").caused_by(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_the_documented_ones() {
        let kinds = [
            (FailureKind::Failed, 1),
            (FailureKind::Usage, 2),
            (FailureKind::Refused, 3),
            (FailureKind::NotLoggedIn, 4),
            (FailureKind::Unreachable, 5),
            (FailureKind::Pending, 8),
            (FailureKind::Internal, 70),
            (FailureKind::Interrupted, 130),
            (FailureKind::BrokenPipe, 0),
        ];
        for (kind, status) in kinds {
            assert_eq!(kind.exit_status(), ExitStatus(status));
        }
    }

    #[test]
    fn passes_on_a_childs_status_and_signal() {
        use std::os::unix::process::ExitStatusExt as _;
        let exited = std::process::ExitStatus::from_raw(3 << 8);
        let killed = std::process::ExitStatus::from_raw(15);
        assert_eq!(ExitStatus::of_child(exited), ExitStatus(3));
        assert_eq!(ExitStatus::of_child(killed), ExitStatus(143));
    }

    #[test]
    fn a_broken_pipe_is_a_success() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(failure.kind().exit_status(), ExitStatus::SUCCESS);
    }
}
