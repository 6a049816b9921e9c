//! `hoop exec` where it is not built: its keepers and jails are made of what only Linux has.
//!
//! Refused as a whole, never half enforced. Everything else of `hoop` works there.

use crate::{
    arguments::ExecArguments,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// The processes of a run, of which there are none here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {}

impl Stage {
    /// This process is none of them.
    pub(crate) fn of_this_process() -> Option<Self> {
        None
    }

    /// Does its work.
    pub(crate) fn run(self) -> ExitStatus {
        match self {}
    }
}

/// Says why not.
pub(crate) async fn run(arguments: ExecArguments, _context: &Context) -> Result<ExitStatus, Failure> {
    let what = if arguments.jail { "there is no jail on this system" } else { "there are no runs on this system" };
    Err(Failure::failed(what)
        .because("what keeps a command, and ends all that it started, is built of parts of the Linux kernel")
        .next("use it on Linux, or open a tunnel with `hoop connect` and start the command beside it"))
}
