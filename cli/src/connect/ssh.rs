//! How an SSH client knows the gateway: a `known_hosts` of our own, and the options that make ssh use it.

use std::{ffi::OsString, path::PathBuf};

use hoop_gateway_core::api::types::SshPublicKeys;
use tokio::process::Command;

use crate::{
    context::{Context, GatewayUrl},
    failure::Failure,
    private_file::{create_private_folder, replace_private_file},
};

/// ssh prefers `ChaCha20`, which takes twice as long as AES where processors know it, and is not in every build of it.
const CIPHERS: &str = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr,aes128-ctr";

/// The gateway as ssh knows it.
#[derive(Debug, Clone)]
pub(crate) struct KnownHost {
    alias: String,
    file: PathBuf,
}

impl KnownHost {
    /// Writes what the gateway said over its own TLS: no first use is trusted.
    pub(crate) fn remember(context: &Context, gateway: &GatewayUrl, keys: &SshPublicKeys) -> Result<Self, Failure> {
        let folder = context.directories.state().join("ssh");
        create_private_folder(&folder)?;
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
        let host: String = gateway.host().chars().map(plain).collect();
        let alias = format!("{host}-{}.gateway.hoop", gateway.port());
        let file = folder.join(format!("{alias}.known_hosts"));
        replace_private_file(&file, format!("{alias} {}\n", keys.host_key).as_bytes())?;
        Ok(Self { alias, file })
    }

    /// The options of `ssh` that make it believe this gateway and no other.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HostKeyAlias", self.alias.clone()),
            ("UserKnownHostsFile", quoted(&self.file.display().to_string())),
            ("GlobalKnownHostsFile", "/dev/null".to_owned()),
            ("StrictHostKeyChecking", "yes".to_owned()),
            ("UpdateHostKeys", "no".to_owned()),
            ("Ciphers", CIPHERS.to_owned()),
        ]
    }

    /// A command for a person to paste.
    pub(crate) fn command(&self, port: u16) -> String {
        format!("ssh -p {port} {} localhost", self.pasted())
    }

    /// The same for a native listener of the gateway.
    pub(crate) fn native_command(&self, host: &str, port: u16, user: &str) -> String {
        format!("ssh -p {port} {} -l {} {host}", self.pasted(), quoted(user))
    }

    fn pasted(&self) -> String {
        let options = self.options().into_iter().take(2);
        options.map(|(name, value)| format!("-o '{name}={value}'")).collect::<Vec<_>>().join(" ")
    }

    /// `ssh … localhost ARGS`: options may stand in ARGS too, as ssh reads them.
    pub(super) fn client(&self, port: u16, arguments: Vec<OsString>) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-p", &port.to_string()]);
        for (name, value) in self.options() {
            command.args(["-o", &format!("{name}={value}")]);
        }
        command.arg("127.0.0.1").args(arguments);
        command
    }
}

/// A line for somebody's own `known_hosts`.
pub(crate) fn known_hosts_line(host: &str, port: u16, host_key: &str) -> String {
    if port == 22 { format!("{host} {host_key}") } else { format!("[{host}]:{port} {host_key}") }
}

/// A value as ssh's own option reader takes it, and a shell.
pub(crate) fn quoted(path: &str) -> String {
    if path.contains(' ') { format!("\"{path}\"") } else { path.to_owned() }
}
