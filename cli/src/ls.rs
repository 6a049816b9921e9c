//! `hoop ls`.

use crate::{
    arguments::LsArguments,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Placeholder until its owner lands.
pub(crate) async fn run(arguments: LsArguments, _context: &Context) -> Result<ExitStatus, Failure> {
    Err(Failure::unsupported(format!("not built yet: {arguments:?}")))
}
