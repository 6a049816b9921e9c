//! Arguments of `init`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Write a commented site to start from.
#[derive(Debug, Args)]
#[command(
    long_about = "Write a commented site to start from: connections, policies, masking, and cases that the policies hold to. \
                  Never overwrites a file.",
    after_help = "Examples:\n  hoop init site/\n  hoop init site/ --starter payments\n  \
                  hoop policy check site/ && hoop policy test site/"
)]
pub(crate) struct InitArguments {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
    /// What it is for
    #[arg(long, env = "HOOP_STARTER", value_enum, default_value_t = StarterName::Engineering, value_name = "TRADE")]
    pub(crate) starter: StarterName,
}

/// What a site is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StarterName {
    /// Cards, accounts and refunds
    Payments,
    /// Patients' records
    Health,
    /// An application's production and staging
    Engineering,
}
