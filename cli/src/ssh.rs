//! `hoop ssh-config` and `hoop ssh ca`: what ssh and sshd are told.

use hoop_gateway_core::api::types::{ConnectionItem, SshPublicKeys};
use serde::Serialize;

use crate::{
    api_client::Api,
    arguments::{SshArguments, SshCommand, SshConfigArguments},
    connect::ssh::KnownHost,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// What a program that reads our output is told.
#[derive(Serialize)]
struct Printed {
    configuration: String,
}

/// A block for `~/.ssh/config`: `ssh bastion.hoop` leads through the gateway.
pub(crate) async fn configuration(_arguments: SshConfigArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let keys = keys(context).await?;
    let known = KnownHost::remember(context, &context.gateway()?, &keys)?;
    let program = std::env::current_exe().map_or_else(|_unknown| "hoop".to_owned(), |path| path.display().to_string());
    let mut lines = vec!["Host *.hoop".to_owned(), format!("  ProxyCommand '{program}' connect --stdio %n")];
    lines.extend(known.options().into_iter().map(|(name, value)| format!("  {name} {value}")));
    lines.extend(["  ForwardAgent no".to_owned(), "  ForwardX11 no".to_owned()]);
    let printed = Printed { configuration: lines.join("\n") };
    context.output.value("ssh_config", &printed, |printed| printed.configuration.clone())?;
    context.output.say("Add it to ~/.ssh/config, or save it and `Include` it; then `ssh NAME.hoop`.");
    Ok(ExitStatus::SUCCESS)
}

/// `hoop ssh …`.
pub(crate) async fn run(arguments: SshArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        SshCommand::Ca => {
            let keys = keys(context).await?;
            context.output.value("ssh_ca", &keys, |keys| keys.user_ca.clone())?;
            context.output.say(
                "Save it on the machine as /etc/ssh/hoop_user_ca.pub, and add to sshd_config:\n  \
                 TrustedUserCAKeys /etc/ssh/hoop_user_ca.pub",
            );
            Ok(ExitStatus::SUCCESS)
        }
    }
}

async fn keys(context: &Context) -> Result<SshPublicKeys, Failure> {
    let connections: Vec<ConnectionItem> = Api::new(context).await?.get("/api/v1/connections").await?;
    connections.into_iter().find_map(|connection| connection.ssh).ok_or_else(|| {
        Failure::failed("there is no connection of kind ssh that you may use")
            .next("`hoop ls` lists those you may use; an operator adds one to connections.toml")
    })
}
