//! Arguments of `apply`, `diff`, `rollback` and `site`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Put a site in force.
#[derive(Debug, Args)]
#[command(
    long_about = "Put a site in force: the gateway reads it whole, runs its policy cases, writes down who and why, then \
                  changes at once. Live sessions are decided anew; those of connections that change or go are ended. \
                  Needs a policy that permits `administer`.",
    after_help = "Examples:\n  hoop apply site/ --message 'let finance read invoices'\n  \
                  hoop apply site/ --base 7            only if version 7 is still in force"
)]
pub(crate) struct ApplyArguments {
    /// The site's folder
    #[arg(value_name = "SITE")]
    pub(crate) site: PathBuf,
    #[command(flatten)]
    pub(crate) why: WhyArguments,
}

/// Say what a site would change.
#[derive(Debug, Args)]
#[command(
    long_about = "Say what a site would change at the gateway, whose sessions would end, and what stands in its way. Changes \
                  nothing. The status is 1 where something stands in its way.",
    after_help = "Examples:\n  hoop diff site/\n  hoop diff site/ --output json"
)]
pub(crate) struct DiffArguments {
    /// The site's folder
    #[arg(value_name = "SITE")]
    pub(crate) site: PathBuf,
}

/// Put an earlier version of the site in force again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop rollback\n  hoop rollback 4 --message 'reports broke'")]
pub(crate) struct RollbackArguments {
    /// The version; without it, the one before that in force
    #[arg(value_name = "VERSION")]
    pub(crate) version: Option<u64>,
    #[command(flatten)]
    pub(crate) why: WhyArguments,
}

/// Why, and on top of what.
#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// Why, for the record
    #[arg(long, short, env = "HOOP_MESSAGE", value_name = "WHY")]
    pub(crate) message: Option<String>,
    /// Only if this version is in force; without it, the one that is when the command begins
    #[arg(long, env = "HOOP_BASE", value_name = "VERSION")]
    pub(crate) base: Option<u64>,
}

/// Look at the versions of the site.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop site ls\n  hoop site show 4\n  hoop site show 4 --to folder/")]
pub(crate) struct SiteArguments {
    #[command(subcommand)]
    pub(crate) command: SiteCommand,
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// List the versions, newest first: the first is in force
    Ls,
    /// Print the files of a version
    Show(ShowSite),
}

/// A version.
#[derive(Debug, Args)]
pub(crate) struct ShowSite {
    /// The version
    #[arg(value_name = "VERSION")]
    pub(crate) version: u64,
    /// Write the files into this folder instead; it must not hold any of them
    #[arg(long, env = "HOOP_TO", value_name = "FOLDER")]
    pub(crate) to: Option<PathBuf>,
}
