//! Arguments of `gateway` and `demo`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum, builder::FalseyValueParser};

/// Run the gateway.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop gateway run /etc/hoop/site\n  \
                        hoop gateway run --dev --upstream 127.0.0.1:5432/shop --username app --secret env:PGPASSWORD")]
pub(crate) struct GatewayArguments {
    #[command(subcommand)]
    pub(crate) command: GatewayCommand,
}

/// What to do with the gateway.
#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    Run(GatewayRun),
}

/// Run it in the foreground until SIGTERM or Ctrl-C; flags override the site's files
#[derive(Debug, Args)]
#[command(
    long_about = "Run the gateway in the foreground, on a site: a folder with gateway.toml, connections.toml, masking.toml, \
                  agents.toml and policies/.\n\n\
                  `--dev` runs it on this machine only: loopback addresses, an embedded store, a generated certificate that \
                  your own CLI trusts, and a built-in identity provider with alice, bob, carol and the agent crew."
)]
pub(crate) struct GatewayRun {
    /// The site's folder
    #[arg(value_name = "SITE", required_unless_present = "dev")]
    pub(crate) site: Option<PathBuf>,
    /// Development: this machine only, built-in users
    #[arg(long, env = "HOOP_GATEWAY_DEV", value_parser = FalseyValueParser::new())]
    pub(crate) dev: bool,
    /// The address to listen on
    #[arg(long, env = "HOOP_GATEWAY_LISTEN", value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the gateway keeps its store, keys and recordings
    #[arg(long, env = "HOOP_GATEWAY_DATA_DIR", value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A PostgreSQL to offer as the connection `pg-dev`, without a site
    #[arg(long, env = "HOOP_GATEWAY_UPSTREAM", value_name = "HOST:PORT/DATABASE", requires = "dev")]
    pub(crate) upstream: Option<String>,
    /// The role to log in with at that PostgreSQL
    #[arg(long, env = "HOOP_GATEWAY_USERNAME", value_name = "ROLE", requires = "upstream")]
    pub(crate) username: Option<String>,
    /// Where that role's password is, as `env:NAME` or `file:PATH`; never the password itself
    #[arg(long, env = "HOOP_GATEWAY_SECRET", value_name = "REFERENCE", requires = "upstream")]
    pub(crate) secret: Option<String>,
    /// Write the address here once the gateway accepts connections
    #[arg(long, env = "HOOP_GATEWAY_READY_FILE", value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// When a recorded operation may go on
    #[arg(long, env = "HOOP_GATEWAY_DURABILITY", value_enum, value_name = "MODE")]
    pub(crate) durability: Option<RecordingDurability>,
}

/// When a recorded operation may go on to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordingDurability {
    /// Once it is on the disk: not even a power failure loses it
    Strict,
    /// Once the kernel has it: a killed gateway loses nothing, a power failure at most 50 ms
    Relaxed,
}

/// Show everything on this machine, against a real PostgreSQL.
#[derive(Debug, Args)]
#[command(
    long_about = "Starts a private PostgreSQL with sample customers, a gateway, a login and a tunnel, and walks through a masked \
                  SELECT, a refused DROP, a held DELETE that a second user approves, the replay and the verification. \
                  Afterwards the world stays up to play with, until Ctrl-C. It cleans up after itself.",
    after_help = "Examples:\n  hoop demo\n  hoop demo --yes     unattended, ends by itself"
)]
pub(crate) struct DemoArguments {
    /// Ask nothing and end after the tour
    #[arg(long, short = 'y', env = "HOOP_DEMO_YES", value_parser = FalseyValueParser::new())]
    pub(crate) yes: bool,
}
