//! Arguments of `tools`.

use clap::{Args, Subcommand};

/// Review what the tools of MCP servers say they do.
#[derive(Debug, Args)]
#[command(
    long_about = "Review what the tools of MCP servers say they do. The first definition of a tool is pinned; one that differs \
                  later is hidden and cannot be called until it is accepted. Needs a policy that permits `administer`.",
    after_help = "Examples:\n  hoop tools ls tickets\n  hoop tools show tickets create_ticket\n  \
                  hoop tools accept tickets create_ticket 3f29…"
)]
pub(crate) struct ToolsArguments {
    #[command(subcommand)]
    pub(crate) command: ToolsCommand,
}

/// What to do with definitions.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolsCommand {
    /// List the tools of a connection, and which of them changed
    Ls(ToolsOf),
    /// Show the definition in force, and the one that waits for a review
    Show(OneTool),
    /// Put the changed definition in force
    Accept(AcceptedTool),
}

/// A connection
#[derive(Debug, Args)]
pub(crate) struct ToolsOf {
    /// The connection
    #[arg(value_name = "NAME")]
    pub(crate) connection: String,
}

/// A tool
#[derive(Debug, Args)]
pub(crate) struct OneTool {
    /// The connection
    #[arg(value_name = "NAME")]
    pub(crate) connection: String,
    /// The tool
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
}

/// A definition that was read
#[derive(Debug, Args)]
pub(crate) struct AcceptedTool {
    #[command(flatten)]
    pub(crate) of: OneTool,
    /// The digest of the definition that you read, as `show` prints it
    #[arg(value_name = "DIGEST")]
    pub(crate) digest: String,
}
