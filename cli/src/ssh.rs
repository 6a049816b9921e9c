//! `hoop ssh-config` and `hoop ssh ca`: what ssh and sshd are told.

use hoop_gateway_core::api::types::{ConnectionItem, SshPublicKeys};
use serde::Serialize;

use crate::{
    api_client::Api,
    arguments::{SshArguments, SshCommand, SshConfigArguments},
    connect::ssh::{KnownHost, known_hosts_line},
    context::Context,
    failure::{ExitStatus, Failure},
};

/// What a program that reads our output is told.
#[derive(Serialize)]
struct Printed {
    configuration: String,
    /// The gateway's host key at each of its native listeners.
    known_hosts: Vec<String>,
}

/// A block for `~/.ssh/config`: `ssh bastion.hoop` leads through the gateway.
pub(crate) async fn configuration(_arguments: SshConfigArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let connections = connections(context).await?;
    let keys = keys(&connections)?;
    let known = KnownHost::remember(context, &context.gateway()?, &keys)?;
    let program = std::env::current_exe().map_or_else(|_unknown| "hoop".to_owned(), |path| path.display().to_string());
    let mut lines = vec!["Host *.hoop".to_owned(), format!("  ProxyCommand '{program}' connect --stdio %n")];
    lines.extend(known.options().into_iter().map(|(name, value)| format!("  {name} {value}")));
    lines.extend(["  ForwardAgent no".to_owned(), "  ForwardX11 no".to_owned()]);
    let native = connections.iter().filter(|connection| connection.ssh.is_some());
    let native = native.filter_map(|connection| connection.native.as_ref());
    let mut known_hosts: Vec<_> = native.map(|at| known_hosts_line(&at.host, at.port, &keys.host_key)).collect();
    known_hosts.sort();
    known_hosts.dedup();
    lines.extend(known_hosts.iter().map(|line| format!("# For a known_hosts, where ssh comes without hoop: {line}")));
    let printed = Printed { configuration: lines.join("\n"), known_hosts };
    context.output.value("ssh_config", &printed, |printed| printed.configuration.clone())?;
    context.output.say("Add it to ~/.ssh/config, or save it and `Include` it; then `ssh NAME.hoop`.");
    Ok(ExitStatus::SUCCESS)
}

/// `hoop ssh …`.
pub(crate) async fn run(arguments: SshArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        SshCommand::Ca => {
            let connections = connections(context).await?;
            let keys = keys(&connections)?;
            context.output.value("ssh_ca", &keys, |keys| keys.user_ca.clone())?;
            context.output.say(
                "Save it on the machine as /etc/ssh/hoop_user_ca.pub, and add to sshd_config:\n  \
                 TrustedUserCAKeys /etc/ssh/hoop_user_ca.pub",
            );
            Ok(ExitStatus::SUCCESS)
        }
    }
}

async fn connections(context: &Context) -> Result<Vec<ConnectionItem>, Failure> {
    Api::new(context).await?.get("/api/v1/connections").await
}

fn keys(connections: &[ConnectionItem]) -> Result<SshPublicKeys, Failure> {
    connections.iter().find_map(|connection| connection.ssh.clone()).ok_or_else(|| {
        Failure::failed("there is no connection of kind ssh that you may use")
            .next("`hoop ls` lists those you may use; an operator adds one to connections.toml")
    })
}
