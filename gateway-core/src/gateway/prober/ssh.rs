//! `hoop connections test` of a machine: who it is, whether it lets the gateway in, and what the account may do there.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Told;
use crate::{
    config::LoginShell,
    model::Principal,
    record::{GatewayEvent, OwnPurpose},
    session::{Environment, Served},
    shell::Reader,
    upstream::{LinkPurpose, LoginOrder, ReaderOrder, SshAccount, SshError, SshOutlet, SshProbe},
};

const CHECK: &str = "privileges";
const SHELL: &str = "login shell";

/// Goes on until something fails.
pub(super) async fn tried(environment: &Environment, who: &Principal, served: &Arc<Served>, told: &mut Told) {
    let (Some(settings), Some(side)) = (&served.connection.ssh, served.ssh_side()) else {
        return told.failed("connection", "this kind is not built".to_owned(), "see docs/ssh.md");
    };
    let cut = CancellationToken::new();
    let _ends = cut.clone().drop_guard();
    let outlet = SshOutlet::new(served.target.clone(), settings.clone(), Arc::clone(&side.login), cut);
    let event = || GatewayEvent::Probed { who: who.clone(), connection: served.facts.name.clone() };
    let unrecorded = |error: &dyn std::error::Error, told: &mut Told| {
        told.failed("record", super::chain(error), "the gateway cannot record; see its log");
    };
    let key_id = format!("test by {}", who.name);
    let order = LoginOrder { key_id, purpose: LinkPurpose::Session };
    let order = match environment.recorder.own(&event(), OwnPurpose::Probe, order).await {
        Ok(order) => order,
        Err(error) => return unrecorded(&error, told),
    };
    let upstream = &served.connection.upstream;
    let link = match outlet.log_in(order).await {
        Ok(link) => link,
        Err(error) => {
            failed(&error, upstream, told);
            return told.skipped(&[CHECK, SHELL]);
        }
    };
    told.good("reach", format!("{upstream} answers"));
    told.good("host key", "it is the host of connections.toml".to_owned());
    told.good("credential", format!("logged in as {}", served.connection.credential.username()));
    for (to, name) in &settings.ways {
        told.good("way", format!("{to} is served by the connection {name}"));
    }
    let order = match environment.recorder.own(&event(), OwnPurpose::Probe, SshProbe).await {
        Ok(order) => order,
        Err(error) => return unrecorded(&error, told),
    };
    match SshAccount::read(&link, order).await {
        Ok(Some(account)) => privileges(served, &account, told),
        Ok(None) => told.warning(CHECK, "the account runs no commands".to_owned(), "does it have a login shell?"),
        Err(error) => told.failed(CHECK, super::chain(&error), "look at the machine's log"),
    }
    if settings.shell == LoginShell::Posix {
        return told.good(SHELL, "the site vouches for it".to_owned());
    }
    match environment.recorder.own(&event(), OwnPurpose::Probe, ReaderOrder).await {
        Ok(order) => shell(outlet.ask_reader(&link, order).await, told),
        Err(error) => unrecorded(&error, told),
    }
}

/// Whether command lines mean there what they are taken for.
fn shell(reader: Result<Reader, SshError>, told: &mut Told) {
    match reader {
        Ok(Reader::Known) => told.good(SHELL, "it reads command lines as sh does".to_owned()),
        Ok(Reader::Other) => {
            let next = "give the account sh, dash, bash or zsh: `chsh -s /bin/sh`; or use SFTP and shells only";
            told.warning(SHELL, "it reads command lines otherwise than sh: each asks ssh_unknown".to_owned(), next);
        }
        Err(error) => told.failed(SHELL, super::chain(&error), "look at the machine's log"),
    }
}

fn failed(error: &SshError, upstream: &impl std::fmt::Display, told: &mut Told) {
    let text = super::chain(error);
    match error {
        SshError::Dial(_) | SshError::Slow => {
            told.failed("reach", text, "check upstream in connections.toml, and that sshd is up");
            told.skipped(&["host key", "credential"]);
        }
        SshError::HostKey { .. } => {
            told.good("reach", format!("{upstream} answers"));
            told.failed("host key", text, "compare it with the machine's own: ssh-keygen -lf /etc/ssh/ssh_host_*.pub");
            told.skipped(&["credential"]);
        }
        SshError::Denied(_) | SshError::Credential(_) | SshError::Secret(_) => {
            told.good("reach", format!("{upstream} answers"));
            told.good("host key", "it is the host of connections.toml".to_owned());
            let next = "put the gateway's key into authorized_keys, or `hoop ssh ca` into TrustedUserCAKeys";
            told.failed("credential", text, next);
        }
        SshError::Broken(_) => {
            told.failed("reach", text, "look at the machine's log");
            told.skipped(&["host key", "credential"]);
        }
    }
}

/// What no policy can bound once a command runs that is not inspected.
fn privileges(served: &Served, account: &SshAccount, told: &mut Told) {
    const PLAIN: &str = "log in as an account that may only do what sessions need";
    let name = served.connection.credential.username();
    let before = told.0.len();
    if account.is_root {
        told.warning(CHECK, format!("{name} is root: whoever runs a program may do everything"), PLAIN);
    }
    if let Some(what) = account.sudo {
        told.warning(
            CHECK,
            format!("{name} may run {what} by sudo without a password"),
            "take NOPASSWD away in sudoers",
        );
    }
    let powers: Vec<&str> =
        account.powers.iter().map(String::as_str).filter(|group| !(account.is_root && *group == "root")).collect();
    if !powers.is_empty() {
        told.warning(CHECK, format!("{name} is in {}", powers.join(", ")), PLAIN);
    }
    if told.0.len() == before {
        told.good(CHECK, format!("{name} is a plain account, without passwordless sudo"));
    }
}
