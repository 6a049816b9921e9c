//! The receivers of notifications, from settings and resolved secrets.
//!
//! A secret that cannot be had or used stops the start: a reviewer who is never told is found out too late.

use lettre::{
    AsyncSmtpTransport, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret as _;

use super::GatewayError;
use crate::{
    config::{EMAIL, EmailConfig, MailTls, NotificationsConfig, SecretReference},
    credential::Secrets,
    notify::{Addressee, Addresses, Receiver},
};

/// The receivers by name, and what the plan knows of each.
pub(super) type Receivers = (Vec<(String, Receiver)>, Vec<Addressee>);

/// Makes every receiver of the settings. With `dev`, one that is not on this machine is refused.
pub(super) async fn prepare(
    config: &NotificationsConfig,
    secrets: &Secrets,
    dev: bool,
) -> Result<Receivers, GatewayError> {
    let (mut receivers, mut planned) = (Vec::new(), Vec::new());
    for one in &config.webhooks {
        let made = Receiver::webhook(one.url.clone(), &secret(secrets, &one.name, &one.secret).await?);
        receivers.push((one.name.clone(), made.map_err(|error| wrong(&one.name, &error))?));
        planned.push((one.name.clone(), one.filter.clone(), Addresses::Itself));
    }
    for one in &config.chats {
        let made =
            Receiver::chat(&secret(secrets, &one.name, &one.url).await?).map_err(|error| wrong(&one.name, &error))?;
        if dev && !made.is_local() {
            return Err(wrong(&one.name, &"it is elsewhere, and a development gateway reaches this machine only"));
        }
        receivers.push((one.name.clone(), made));
        planned.push((one.name.clone(), one.filter.clone(), Addresses::Itself));
    }
    if let Some(email) = &config.email {
        let from = Mailbox::new(Some("hoop".to_owned()), email.from.clone());
        receivers.push((EMAIL.to_owned(), Receiver::mail(transport(email, secrets).await?, from)));
        let addresses = Addresses::Mailboxes { always: email.to.clone(), groups: email.groups.clone() };
        planned.push((EMAIL.to_owned(), email.filter.clone(), addresses));
    }
    let addressee = |(name, filter, addresses)| Addressee { name, filter, addresses };
    Ok((receivers, planned.into_iter().map(addressee).collect()))
}

async fn transport(email: &EmailConfig, secrets: &Secrets) -> Result<AsyncSmtpTransport<Tokio1Executor>, GatewayError> {
    let mut builder =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.server.host.clone()).port(email.server.port);
    builder = match email.tls {
        MailTls::Tls => builder.tls(Tls::Wrapper(trust(email)?)),
        MailTls::StartTls => builder.tls(Tls::Required(trust(email)?)),
        MailTls::Disable => builder.tls(Tls::None),
    };
    if let Some((username, reference)) = &email.login {
        let password = secret(secrets, EMAIL, reference).await?;
        builder = builder.credentials(Credentials::new(username.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.timeout(Some(std::time::Duration::from_secs(10))).build())
}

fn trust(email: &EmailConfig) -> Result<TlsParameters, GatewayError> {
    let mut parameters = TlsParameters::builder(email.server.host.clone());
    if let Some(path) = &email.ca_file {
        let pem = std::fs::read(path).map_err(|source| GatewayError::File { path: path.clone(), source })?;
        let authority = Certificate::from_pem(&pem).map_err(|error| wrong(EMAIL, &error))?;
        parameters = parameters.add_root_certificate(authority);
    }
    parameters.build_rustls().map_err(|error| wrong(EMAIL, &error))
}

async fn secret(
    secrets: &Secrets,
    name: &str,
    reference: &SecretReference,
) -> Result<secrecy::SecretString, GatewayError> {
    secrets.value(reference).await.map_err(|source| GatewayError::Setting(format!("receiver `{name}`: {source}")))
}

fn wrong(name: &str, error: &impl std::fmt::Display) -> GatewayError {
    GatewayError::Setting(format!("receiver `{name}`: {error}"))
}
