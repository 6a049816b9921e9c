//! Arguments of `approvals`.

use clap::{Args, Subcommand, builder::FalseyValueParser};
use hoop_gateway_core::model::ApprovalId;

/// Decide on operations that wait for approval.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop approvals ls\n  hoop approvals show apr_01hzy3…\n  \
                  hoop approvals approve apr_01hzy3… --reason 'agreed in the incident call'\n  \
                  hoop approvals deny apr_01hzy3… --reason 'use the archive job'\n  hoop approvals watch")]
pub(crate) struct ApprovalsArguments {
    #[command(subcommand)]
    pub(crate) command: ApprovalsCommand,
}

/// What to do with requests for approval.
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List requests that wait
    Ls(ListApprovals),
    /// Show one request: the whole statement, who asks, why it is held
    Show {
        /// The request
        #[arg(value_name = "ID")]
        id: ApprovalId,
    },
    /// Approve a request
    Approve(DecideArguments),
    /// Deny a request; says why
    Deny(DenyArguments),
    /// Follow requests as they come and are decided, until Ctrl-C
    Watch,
}

/// Which requests to list.
#[derive(Debug, Args)]
pub(crate) struct ListApprovals {
    /// Also list requests that are decided or lapsed
    #[arg(long, env = "HOOP_APPROVALS_ALL", value_parser = FalseyValueParser::new())]
    pub(crate) all: bool,
}

/// An approval.
#[derive(Debug, Args)]
pub(crate) struct DecideArguments {
    /// The request
    #[arg(value_name = "ID")]
    pub(crate) id: ApprovalId,
    /// Why; recorded, and shown to who asked
    #[arg(long, env = "HOOP_APPROVALS_REASON", value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// A denial: who asked deserves a reason.
#[derive(Debug, Args)]
pub(crate) struct DenyArguments {
    /// The request
    #[arg(value_name = "ID")]
    pub(crate) id: ApprovalId,
    /// Why; recorded, and shown to who asked
    #[arg(long, env = "HOOP_APPROVALS_REASON", value_name = "TEXT")]
    pub(crate) reason: String,
}
