//! Arguments of `ssh-config` and `ssh`.

use clap::{Args, Subcommand};

/// Print a block for ssh's configuration.
#[derive(Debug, Args)]
#[command(
    long_about = "Print a block for ssh's configuration: `ssh NAME.hoop` then leads through the gateway, with no port \
                  open on this machine. The gateway's host key is written where the block says.",
    after_help = "Examples:\n  hoop ssh-config >> ~/.ssh/config\n  ssh bastion.hoop uptime"
)]
pub(crate) struct SshConfigArguments {}

/// The gateway's certificates for machines.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop ssh ca > hoop_user_ca.pub", arg_required_else_help = true)]
pub(crate) struct SshArguments {
    #[command(subcommand)]
    pub(crate) command: SshCommand,
}

/// What is wanted of them.
#[derive(Debug, Subcommand)]
pub(crate) enum SshCommand {
    /// Print the authority whose certificates a machine should take
    #[command(
        long_about = "Print the public key of the authority that signs the gateway's certificates, and the line of \
                      sshd_config that makes a machine take them. A certificate is for one account, five minutes, and, \
                      where reviewers approved a command, for that command alone."
    )]
    Ca,
}
