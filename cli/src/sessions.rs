//! `hoop sessions`.

use crate::{
    arguments::SessionsArguments,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Placeholder until its owner lands.
pub(crate) async fn run(arguments: SessionsArguments, _context: &Context) -> Result<ExitStatus, Failure> {
    Err(Failure::unsupported(format!("not built yet: {arguments:?}")))
}
