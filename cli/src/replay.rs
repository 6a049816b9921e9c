//! `hoop replay`.

use crate::{
    arguments::ReplayArguments,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Placeholder until its owner lands.
pub(crate) async fn run(arguments: ReplayArguments, _context: &Context) -> Result<ExitStatus, Failure> {
    Err(Failure::unsupported(format!("not built yet: {arguments:?}")))
}
