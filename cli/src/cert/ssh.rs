//! A user certificate of OpenSSH, for a key that is made here or given, and a configuration that any of its programs takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hoop_gateway_core::{
    api::types::{ConnectionCertificate, SshCertificateRequest, SshPublicKeys},
    model::ConnectionName,
};
use russh::keys::{
    PrivateKey,
    ssh_key::{
        LineEnding,
        private::{Ed25519Keypair, KeypairData},
    },
};
use serde::Serialize;

use crate::{
    api_client::Api,
    connect::{
        random,
        ssh::{KnownHost, known_hosts_line, quoted},
    },
    context::Context,
    failure::{ExitStatus, Failure},
    private_file::{create_private_folder, replace_private_file},
};

/// What a program that reads our output is told.
#[derive(Serialize)]
struct Printed {
    id: String,
    certificate: PathBuf,
    key: PathBuf,
    /// What `ssh -F` takes; it knows the connection by its name.
    configuration: PathBuf,
    host: String,
    port: u16,
    user: String,
    /// The gateway's host key, for who keeps a `known_hosts` of their own.
    known_hosts: String,
    expires_at: i64,
    login_expires_at: i64,
    options: String,
}

/// Asks the gateway for a certificate, and prints how to use it.
pub(super) async fn run(
    name: &ConnectionName,
    folder: &Path,
    public_key: Option<&Path>,
    keys: &SshPublicKeys,
    context: &Context,
) -> Result<ExitStatus, Failure> {
    let own = folder.join(format!("id_{name}"));
    let (public, made) = if let Some(given) = public_key {
        (read(given)?, None)
    } else {
        let key = fresh()?;
        let unwritable = |error| Failure::internal("no key could be made").caused_by(&error);
        let public = key.public_key().to_openssh().map_err(unwritable)?;
        (public, Some(key.to_openssh(LineEnding::LF).map_err(unwritable)?))
    };
    let path = format!("/api/v1/connections/{name}/ssh-certificate");
    let request = SshCertificateRequest { public_key: public };
    let given: ConnectionCertificate = Api::new(context).await?.post(&path, &request).await?;
    create_private_folder(folder)?;
    if let Some(made) = &made {
        replace_private_file(&own, made.as_bytes())?;
    }
    let key = public_key.map_or_else(|| own.clone(), private_of);
    let certificate = folder.join(format!("id_{name}-cert.pub"));
    replace_private_file(&certificate, format!("{}\n", given.certificate).as_bytes())?;
    let known = KnownHost::remember(context, &context.gateway()?, keys)?;
    let configuration = folder.join(format!("{name}.ssh_config"));
    replace_private_file(&configuration, configured(name, &given, [&key, &certificate], &known).as_bytes())?;
    let printed = Printed {
        id: given.id,
        options: format!("-F {} {name}", quoted(&configuration.display().to_string())),
        certificate,
        key,
        configuration,
        known_hosts: known_hosts_line(&given.host, given.port, &keys.host_key),
        host: given.host,
        port: given.port,
        user: given.user,
        expires_at: given.expires_at,
        login_expires_at: given.login_expires_at,
    };
    context.output.value("cert", &printed, |printed| printed.options.clone())?;
    let left = given.expires_at.saturating_sub(time::OffsetDateTime::now_utc().unix_timestamp()).max(0);
    context.output.say(&format!(
        "This certificate opens {name} for {} minutes, as often as you like, and nothing else:\n  ssh $(hoop cert {name})\n  \
         scp -F {} FILE {name}:\n\
         The gateway's host key is known there; for a known_hosts of your own:\n  {}",
        left.saturating_add(59) / 60,
        quoted(&printed.configuration.display().to_string()),
        printed.known_hosts
    ));
    Ok(ExitStatus::SUCCESS)
}

fn fresh() -> Result<PrivateKey, Failure> {
    let pair = Ed25519Keypair::from_seed(&random::<32>()?);
    PrivateKey::new(KeypairData::from(pair), "hoop")
        .map_err(|error| Failure::internal("no key could be made").caused_by(&error))
}

/// FAIL-CLOSED: somebody's private key is sent nowhere.
fn read(path: &Path) -> Result<String, Failure> {
    let failed = || Failure::failed(format!("{} is no public key", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed().caused_by(&error))?;
    if text.contains("PRIVATE KEY") {
        return Err(failed().because("it is a private key, which stays where it is").next("name the file with .pub"));
    }
    Ok(text.trim().to_owned())
}

/// Where ssh finds the other half of a public key: beside it, or else in its agent.
fn private_of(public: &Path) -> PathBuf {
    let beside = public.with_extension("");
    if public.extension().is_some_and(|ending| ending == "pub") && beside.exists() { beside } else { public.to_owned() }
}

/// What ssh, scp, sftp, rsync and git take with `-F`.
fn configured(
    name: &ConnectionName,
    given: &ConnectionCertificate,
    [key, certificate]: [&Path; 2],
    known: &KnownHost,
) -> String {
    let own = [
        ("HostName", given.host.clone()),
        ("Port", given.port.to_string()),
        ("User", quoted(&given.user)),
        ("IdentityFile", quoted(&key.display().to_string())),
        ("CertificateFile", quoted(&certificate.display().to_string())),
        ("IdentitiesOnly", "yes".to_owned()),
        ("PreferredAuthentications", "publickey".to_owned()),
    ];
    let never = ["ForwardAgent", "ForwardX11"].map(|name| (name, "no".to_owned()));
    let lines = own.into_iter().chain(known.options()).chain(never).map(|(name, value)| format!("  {name} {value}\n"));
    format!("Host {name}\n{}", lines.collect::<String>())
}
