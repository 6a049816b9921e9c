//! Arguments of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Check policies offline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop policy check site/\n  hoop policy schema > hoop.cedarschema")]
pub(crate) struct PolicyArguments {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    Check(PolicyCheck),
    Schema(PolicySchema),
}

/// Check a site's files as the gateway would, and print every mistake with its place and fix
#[derive(Debug, Args)]
pub(crate) struct PolicyCheck {
    /// The site's folder
    #[arg(value_name = "SITE", default_value = ".")]
    pub(crate) site: PathBuf,
}

/// Print the Cedar schema that policies are checked against
#[derive(Debug, Args)]
pub(crate) struct PolicySchema {}
