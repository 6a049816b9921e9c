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
    Ls(ListApprovals),
    /// Show one request: the whole statement, who asks, why it is held
    Show {
        /// The request
        #[arg(value_name = "ID")]
        id: ApprovalId,
    },
    Approve(DecideArguments),
    Deny(DenyArguments),
    /// Follow requests as they come and are decided, until Ctrl-C
    Watch,
}

/// List requests that wait
#[derive(Debug, Args)]
pub(crate) struct ListApprovals {
    /// Also list requests that are decided or lapsed
    #[arg(long, env = "HOOP_APPROVALS_ALL", value_parser = FalseyValueParser::new())]
    pub(crate) all: bool,
}

/// Approve a request
#[derive(Debug, Args)]
pub(crate) struct DecideArguments {
    /// The request
    #[arg(value_name = "ID")]
    pub(crate) id: ApprovalId,
    /// Why; recorded, and shown to who asked
    #[arg(long, env = "HOOP_APPROVALS_REASON", value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// Deny a request; says why
#[derive(Debug, Args)]
pub(crate) struct DenyArguments {
    /// The request
    #[arg(value_name = "ID")]
    pub(crate) id: ApprovalId,
    /// Why; recorded, and shown to who asked
    #[arg(long, env = "HOOP_APPROVALS_REASON", value_name = "TEXT")]
    pub(crate) reason: String,
}
