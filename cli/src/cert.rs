//! `hoop cert`: a client certificate for a native client, short, for one connection. Its key never leaves this machine.
//!
//! Of PostgreSQL here, of SSH in `ssh`.

mod ssh;

use std::{
    fs,
    path::{Path, PathBuf},
};

use hoop_gateway_core::{
    api::types::{CertificateRequest, ConnectionCertificate},
    model::ConnectionName,
};
use rcgen::{CertificateParams, KeyPair};
use serde::Serialize;

use crate::{
    api_client::Api,
    arguments::CertArguments,
    connect,
    context::{Context, Directories, GatewayUrl},
    failure::{ExitStatus, Failure},
    private_file::{create_private_folder, replace_private_file},
    token,
};

/// What a program that reads our output is told.
#[derive(Serialize)]
struct Printed {
    id: String,
    certificate: PathBuf,
    key: PathBuf,
    expires_at: i64,
    login_expires_at: i64,
    conninfo: String,
}

/// Asks for one of the kind that the connection needs, and prints how to use it.
pub(crate) async fn run(arguments: CertArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let CertArguments { name, out, public_key } = arguments;
    let gateway = context.gateway()?;
    let folder = out.unwrap_or_else(|| kept(&context.directories, &gateway));
    if let Some(keys) = connect::find(context, &name).await?.ssh {
        return ssh::run(&name, &folder, public_key.as_deref(), &keys, context).await;
    }
    if public_key.is_some() {
        let failure = Failure::usage("`--public-key` is for connections of kind ssh");
        return Err(failure.next("leave it out: a key is made for the certificate, and stays here"));
    }
    postgres(&name, &folder, context).await
}

/// Makes a key, asks the gateway for a certificate, and prints how to use both.
async fn postgres(name: &ConnectionName, folder: &Path, context: &Context) -> Result<ExitStatus, Failure> {
    let unmade = |error: rcgen::Error| Failure::internal("no key could be made").caused_by(&error);
    let key = KeyPair::generate().map_err(unmade)?;
    let request = CertificateParams::new(Vec::new()).and_then(|one| one.serialize_request(&key)).map_err(unmade)?;
    let request = CertificateRequest { request: request.pem().map_err(unmade)? };
    let path = format!("/api/v1/connections/{name}/certificate");
    let given: ConnectionCertificate = Api::new(context).await?.post(&path, &request).await?;
    create_private_folder(folder)?;
    let (certificate, key_path) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    replace_private_file(&key_path, key.serialize_pem().as_bytes())?;
    replace_private_file(&certificate, given.certificate.as_bytes())?;
    let conninfo = token::fields(&[
        ("host", &given.host),
        ("port", &given.port.to_string()),
        ("user", &given.user),
        ("dbname", given.database.as_str()),
        ("sslmode", "verify-full"),
        ("sslrootcert", &token::authority(context)?),
        ("sslcert", &certificate.display().to_string()),
        ("sslkey", &key_path.display().to_string()),
    ]);
    let printed = Printed {
        id: given.id,
        certificate,
        key: key_path,
        expires_at: given.expires_at,
        login_expires_at: given.login_expires_at,
        conninfo,
    };
    context.output.value("cert", &printed, |printed| printed.conninfo.clone())?;
    let left = given.expires_at.saturating_sub(time::OffsetDateTime::now_utc().unix_timestamp()).max(0);
    context.output.say(&format!(
        "This certificate opens {name} for {} minutes, as often as you like, and nothing else:\n  psql \"$(hoop cert {name})\"\n\
         Its key is in {}, which only you can read.",
        left.saturating_add(59) / 60,
        printed.key.display()
    ));
    Ok(ExitStatus::SUCCESS)
}

/// Forgets the certificates that were kept for this gateway; the gateway takes them no more either.
pub(crate) fn forget(directories: &Directories, gateway: &GatewayUrl) -> Result<(), Failure> {
    let folder = kept(directories, gateway);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::failed(format!("{} could not be removed", folder.display())).caused_by(&error))
        }
        _ => Ok(()),
    }
}

fn kept(directories: &Directories, gateway: &GatewayUrl) -> PathBuf {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
    let name = gateway.authority().replace(|character| !plain(character), "_");
    directories.state().join("certificates").join(name)
}
