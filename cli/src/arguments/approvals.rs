//! Arguments of `approvals`.

use std::time::Duration;

use clap::{Args, Subcommand, builder::FalseyValueParser};
use hoop_gateway_core::model::ApprovalId;

use super::lasting::lasting;

/// Decide on operations that wait for approval.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop approvals ls\n  hoop approvals show apr_01hzy3…\n  \
                  hoop approvals approve apr_01hzy3… --reason 'agreed in the incident call'\n  \
                  hoop approvals approve apr_01hzy3… --shape-for 1h --max-rows 10\n  \
                  hoop approvals deny apr_01hzy3… --reason 'use the archive job'\n  hoop approvals watch\n  \
                  hoop approvals reviewers")]
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
    /// List who has how much to decide
    Reviewers,
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
    /// Let pass whatever differs in constants only, for this principal and so long, where the policy allows it
    #[arg(long, env = "HOOP_APPROVALS_SHAPE_FOR", value_name = "TIME", value_parser = lasting)]
    pub(crate) shape_for: Option<Duration>,
    /// At most so many rows each, by the planner's estimate; without it as many as this statement's
    #[arg(long, env = "HOOP_APPROVALS_MAX_ROWS", value_name = "ROWS", requires = "shape_for")]
    pub(crate) max_rows: Option<u64>,
}

/// Deny a request; says why
#[derive(Debug, Args)]
pub(crate) struct DenyArguments {
    /// The request
    #[arg(value_name = "ID")]
    pub(crate) id: ApprovalId,
    /// Why; recorded, and shown to who asked. Asked for where a person types
    #[arg(long, env = "HOOP_APPROVALS_REASON", value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
