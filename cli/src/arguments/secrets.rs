//! Arguments of `secrets` and `connections`.

use clap::{Args, Subcommand};

/// Keep secrets of upstreams in the gateway's own store.
#[derive(Debug, Args)]
#[command(
    long_about = "Keep secrets of upstreams in the gateway's own store, sealed under its master key. A site refers to one as \
                  `store:NAME`. Values come from standard input or are asked for without echo, and are never shown again. \
                  Needs a policy that permits `administer`.",
    after_help = "Examples:\n  hoop secrets set pg/prod < password.txt\n  hoop secrets rotate pg/prod\n  hoop secrets ls"
)]
pub(crate) struct SecretsArguments {
    #[command(subcommand)]
    pub(crate) command: SecretsCommand,
}

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Set a secret, new or not; the value comes from standard input
    Set(OneSecret),
    /// Replace a secret that is there; the next session uses the new value
    Rotate(OneSecret),
    /// List the names of secrets, and who set them when
    Ls,
    /// Take a secret away
    Rm(OneSecret),
}

/// A secret
#[derive(Debug, Args)]
pub(crate) struct OneSecret {
    /// The secret's name: what `store:` is followed by
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// See where connections lead, and prove that they work.
#[derive(Debug, Args)]
#[command(
    long_about = "See where the connections of the site lead, and prove that one works: that the server is reached, that TLS \
                  is as the site says, that the credential is good, and that its role may not do more than sessions need. \
                  Needs a policy that permits `administer`.",
    after_help = "Examples:\n  hoop connections ls\n  hoop connections test pg-prod"
)]
pub(crate) struct ConnectionsArguments {
    #[command(subcommand)]
    pub(crate) command: ConnectionsCommand,
}

/// What to do with connections.
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionsCommand {
    /// List every connection of the site, with its upstream and its kind of credential
    Ls,
    /// Prove reachability, TLS, credential and privileges; status 1 where one of them fails
    Test(OneConnection),
}

/// A connection
#[derive(Debug, Args)]
pub(crate) struct OneConnection {
    /// The connection
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
