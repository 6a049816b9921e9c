//! Arguments of `mcp`.

use clap::Args;
use hoop_gateway_core::model::ConnectionName;

/// Speak MCP over standard input and output, for a connection of kind mcp.
#[derive(Debug, Args)]
#[command(
    long_about = "Speak MCP over standard input and output, and streamable HTTP to a connection of kind mcp.\n\n\
                  For clients that start their servers as commands. What they ask is decided, recorded and masked as over \
                  HTTP. Inside of `hoop exec` it uses the run's tunnel and needs no login; elsewhere it opens one with \
                  yours. Ends with its standard input.",
    after_help = "Examples:\n  hoop mcp tickets\n  hoop exec -c tickets -- python crew.py\n\n\
                  In a client's configuration:\n  { \"command\": \"hoop\", \"args\": [\"mcp\", \"tickets\"] }"
)]
pub(crate) struct McpArguments {
    /// The connection, as `hoop ls` names it
    #[arg(value_name = "NAME")]
    pub(crate) name: ConnectionName,
    /// Where the server speaks MCP
    #[arg(long, env = "HOOP_MCP_PATH", value_name = "PATH", default_value = "/mcp")]
    pub(crate) path: String,
}
