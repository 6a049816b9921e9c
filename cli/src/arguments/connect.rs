//! Arguments of `ls`, `connect`, `token` and `classify`.

use std::time::Duration;

use clap::{Args, builder::FalseyValueParser};
use hoop_gateway_core::model::ConnectionName;

use super::lasting::lasting;

/// List the connections you may use.
#[derive(Debug, Args)]
#[command(
    long_about = "List the connections you may use, what is masked for you there and what waits for approval.",
    after_help = "Examples:\n  hoop ls\n  hoop ls --output jsonl"
)]
pub(crate) struct LsArguments {
    /// Also list connections that you may not use
    #[arg(long, env = "HOOP_LS_ALL", value_parser = FalseyValueParser::new())]
    pub(crate) all: bool,
}

/// Open a local tunnel to a connection.
#[derive(Debug, Args)]
#[command(
    long_about = "Open a local tunnel to a connection and keep it open until Ctrl-C.\n\n\
                  Listens on 127.0.0.1, at the protocol's usual port or the next free one, and prints a ready command. \
                  Only processes of your own operating-system user are let in. \
                  With `--`, starts the native client through the tunnel and leaves with its exit status.",
    after_help = "Examples:\n  hoop connect pg-prod\n  hoop connect pg-prod --port 6543\n  \
                  hoop connect pg-prod --request 'incident 4711' --for 1h\n  \
                  hoop connect pg-prod -- -c 'select count(*) from orders'\n  hoop connect bastion -- uptime"
)]
pub(crate) struct ConnectArguments {
    /// The connection, as `hoop ls` names it
    #[arg(value_name = "NAME")]
    pub(crate) name: ConnectionName,
    /// The local port; without it the protocol's usual one, else the next free one
    #[arg(long, env = "HOOP_CONNECT_PORT", value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Listen on a Unix socket in a private folder instead of a port
    #[arg(long, env = "HOOP_CONNECT_SOCKET", value_parser = FalseyValueParser::new(), conflicts_with = "port")]
    pub(crate) socket: bool,
    /// Also ask local clients for a random password, made for this tunnel
    #[arg(long, env = "HOOP_CONNECT_PASSWORD", value_parser = FalseyValueParser::new())]
    pub(crate) password: bool,
    /// Speak on standard input and output instead of a port, as `ProxyCommand` of ssh wants it
    #[arg(
        long,
        env = "HOOP_CONNECT_STDIO",
        value_parser = FalseyValueParser::new(),
        conflicts_with_all = ["port", "socket", "password", "client"]
    )]
    pub(crate) stdio: bool,
    /// Why you need access, where connecting needs an approval; reviewers see it
    #[arg(long, env = "HOOP_CONNECT_REQUEST", value_name = "REASON")]
    pub(crate) request: Option<String>,
    /// For how long, such as 30m or 1h; without it an hour, or what the policy allows
    #[arg(long = "for", env = "HOOP_CONNECT_FOR", value_name = "TIME", value_parser = lasting)]
    pub(crate) lasting: Option<Duration>,
    /// Start the native client with these arguments
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) client: Option<Vec<std::ffi::OsString>>,
}

/// Get a password for a native client: one connection, one use.
#[derive(Debug, Args)]
#[command(
    long_about = "Get a password with which a native client reaches a connection without a tunnel.\n\n\
                  It works once, for this connection and this user, within 15 minutes, and needs TLS or SSH. \
                  The password goes to standard output, a ready command to standard error. \
                  A session that it opened ends with your login, which nobody renews there.",
    after_help = "Examples:\n  hoop token pg-prod\n  \
                  PGPASSWORD=$(hoop token pg-prod) psql \"host=gateway.example.com user=alice dbname=pg-prod sslmode=verify-full\"\n  \
                  hoop token pg-prod --output json"
)]
pub(crate) struct TokenArguments {
    /// The connection, as `hoop ls` names it
    #[arg(value_name = "NAME")]
    pub(crate) name: ConnectionName,
}

/// Get a client certificate for a native client: one connection, for an hour or as long as the gateway says.
#[derive(Debug, Args)]
#[command(
    long_about = "Get a client certificate with which a native client reaches a connection without a tunnel.\n\n\
                  It opens this connection as this user, as often as you like until it ends; a logout or a restart of the \
                  gateway ends it sooner. Its key is made here and never leaves this machine. \
                  To standard output goes, for PostgreSQL, the connection string, and for SSH the options of ssh, which name \
                  a configuration that scp, sftp, rsync and git take too.",
    after_help = "Examples:\n  psql \"$(hoop cert pg-prod)\"\n  ssh $(hoop cert bastion)\n  \
                  hoop cert pg-prod --out ./certificates\n  \
                  hoop cert bastion --public-key ~/.ssh/id_ed25519.pub\n  hoop cert pg-prod --output json"
)]
pub(crate) struct CertArguments {
    /// The connection, as `hoop ls` names it
    #[arg(value_name = "NAME")]
    pub(crate) name: ConnectionName,
    /// The folder for NAME.crt and NAME.key, or `id_NAME` and `id_NAME-cert.pub`, all 0600; without it, hoop's own, which a
    /// logout clears
    #[arg(long, env = "HOOP_CERT_OUT", value_name = "FOLDER")]
    pub(crate) out: Option<std::path::PathBuf>,
    /// Of SSH: certify this public key instead of making one
    #[arg(long, env = "HOOP_CERT_PUBLIC_KEY", value_name = "FILE")]
    pub(crate) public_key: Option<std::path::PathBuf>,
}

/// Propose tags for the columns of a connection.
#[derive(Debug, Args)]
#[command(
    long_about = "Propose tags for the columns of a connection, from a sample of its tables and from their names.\n\n\
                  The gateway samples with its own login, for at most a minute, and answers with counts: no value leaves \
                  it, and none is kept. Needs a policy that permits `administer`. \
                  Prints a diff to masking.toml; columns that carry a tag already are left out.",
    after_help = "Examples:\n  hoop classify pg-prod\n  hoop classify pg-prod --output json"
)]
pub(crate) struct ClassifyArguments {
    /// The connection, as `hoop ls` names it
    #[arg(value_name = "NAME")]
    pub(crate) name: ConnectionName,
}
