//! `hoop approvals`.

use crate::{
    arguments::ApprovalsArguments,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Placeholder until its owner lands.
pub(crate) async fn run(arguments: ApprovalsArguments, _context: &Context) -> Result<ExitStatus, Failure> {
    Err(Failure::unsupported(format!("not built yet: {arguments:?}")))
}
