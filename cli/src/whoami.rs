//! `hoop whoami`.

use crate::{
    arguments::WhoamiArguments,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Placeholder until its owner lands.
pub(crate) async fn run(arguments: WhoamiArguments, _context: &Context) -> Result<ExitStatus, Failure> {
    Err(Failure::unsupported(format!("not built yet: {arguments:?}")))
}
