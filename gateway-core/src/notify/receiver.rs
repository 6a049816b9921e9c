//! One receiver and one attempt: an HTTP POST, signed where it is a webhook, or a mail.
//!
//! An attempt is bounded in time, follows no redirection, and reads no more of an answer than its status. What failed is
//! said in words that hold no address, no secret and nothing that the other side said.

use std::{fmt, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::Webhook;
use url::Url;

use super::payload::{self, Links};
use crate::store::Delivery;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest key of a webhook (Standard Webhooks: 24 to 64 bytes).
const MIN_KEY_BYTES: usize = 24;
/// The longest that a receiver may ask us to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Why a receiver cannot be made from the settings. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiverError {
    /// The key is not what the scheme wants.
    #[error("the secret is no webhook key; make one with `printf 'whsec_%s' \"$(openssl rand -base64 32)\"`")]
    Key,
    /// The secret that should be an address is none.
    #[error("the secret holds no https URL (http is for this machine only)")]
    Address,
    /// A client could not be made.
    #[error("{0}")]
    Client(String),
}

/// Something that takes notices.
pub struct Receiver(Kind);

enum Kind {
    Webhook { url: Url, signer: Webhook, client: reqwest::Client },
    Chat { url: SecretString, client: reqwest::Client },
    Mail { transport: AsyncSmtpTransport<Tokio1Executor>, from: Mailbox },
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Kind::Webhook { .. } => "Receiver(webhook)",
            Kind::Chat { .. } => "Receiver(chat)",
            Kind::Mail { .. } => "Receiver(mail)",
        })
    }
}

/// Why an attempt did not succeed, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undelivered {
    pub(super) why: String,
    /// The receiver is gone for good: trying again is useless.
    pub(super) is_final: bool,
    /// How long it asked us to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Undelivered {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_final: false, retry_after: None }
    }
}

impl Receiver {
    /// A webhook whose messages are signed with this key: `whsec_` and base64.
    pub fn webhook(url: Url, key: &SecretString) -> Result<Self, ReceiverError> {
        let plain = key.expose_secret().trim();
        let encoded = plain.strip_prefix("whsec_").unwrap_or(plain);
        let length = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).map(|key| key.len());
        if length.map_or(true, |length| length < MIN_KEY_BYTES) {
            return Err(ReceiverError::Key);
        }
        let signer = Webhook::new(plain).map_err(|_unusable| ReceiverError::Key)?;
        Ok(Self(Kind::Webhook { url, signer, client: client()? }))
    }

    /// A Slack-compatible incoming webhook. Its address is its secret.
    pub fn chat(address: &SecretString) -> Result<Self, ReceiverError> {
        let url = Url::parse(address.expose_secret().trim()).map_err(|_unread| ReceiverError::Address)?;
        if !is_safe(&url) {
            return Err(ReceiverError::Address);
        }
        Ok(Self(Kind::Chat { url: SecretString::from(url.to_string()), client: client()? }))
    }

    /// A mail server.
    pub fn mail(transport: AsyncSmtpTransport<Tokio1Executor>, from: Mailbox) -> Self {
        Self(Kind::Mail { transport, from })
    }

    /// Whether it can only be on this machine.
    pub fn is_local(&self) -> bool {
        match &self.0 {
            Kind::Webhook { url, .. } => is_loopback(url),
            Kind::Chat { url, .. } => Url::parse(url.expose_secret()).is_ok_and(|url| is_loopback(&url)),
            // The settings say where it is, and are looked at there.
            Kind::Mail { .. } => true,
        }
    }

    /// Tries once. Cancel-safe in that a cancelled attempt is an attempt that may have succeeded.
    pub(super) async fn deliver(&self, delivery: &Delivery, links: &Links, now: i64) -> Result<(), Undelivered> {
        match &self.0 {
            Kind::Webhook { url, signer, client } => {
                let body = payload::webhook(&delivery.notice, links).to_string();
                let signature = signer
                    .sign(&delivery.id, now, body.as_bytes())
                    .map_err(|_unsigned| Undelivered::because("it could not be signed"))?;
                let request = client
                    .post(url.clone())
                    .header("webhook-id", &delivery.id)
                    .header("webhook-timestamp", now.to_string())
                    .header("webhook-signature", signature);
                post(request, body).await
            }
            Kind::Chat { url, client } => {
                post(client.post(url.expose_secret()), payload::chat(&delivery.notice, links).to_string()).await
            }
            Kind::Mail { transport, from } => {
                let mail = message(delivery, links, from)?;
                let sending = tokio::time::timeout(TIMEOUT.saturating_mul(2), transport.send(mail));
                match sending.await {
                    Err(_elapsed) => Err(Undelivered::because("the mail server did not answer in time")),
                    Ok(sent) => sent.map(drop).map_err(|error| refused_mail(&error)),
                }
            }
        }
    }
}

async fn post(request: reqwest::RequestBuilder, body: String) -> Result<(), Undelivered> {
    let answer = request.header(header::CONTENT_TYPE, "application/json").body(body).send().await;
    // Only the status is read: what a receiver says is nobody's here.
    let answer = answer.map_err(|error| unreached(&error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let why = match status {
        StatusCode::GONE => "it answered 410 Gone: it wants no more of these".to_owned(),
        redirect if redirect.is_redirection() => {
            format!("it answered {}, and redirections are not followed", redirect.as_u16())
        }
        other => format!("it answered with status {}", other.as_u16()),
    };
    let asked = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = asked.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    Err(Undelivered { why, is_final: status == StatusCode::GONE, retry_after })
}

fn unreached(error: &reqwest::Error) -> Undelivered {
    Undelivered::because(if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "it could not be reached"
    } else {
        "the exchange with it broke off"
    })
}

fn refused_mail(error: &lettre::transport::smtp::Error) -> Undelivered {
    let code = error.status().map(|code| format!(" with code {code}")).unwrap_or_default();
    Undelivered::because(if error.is_permanent() {
        format!("the mail server refused it{code}")
    } else if error.is_transient() {
        format!("the mail server put it off{code}")
    } else if error.is_tls() {
        "there is no TLS with the mail server that can be trusted".to_owned()
    } else if error.is_timeout() {
        "the mail server did not answer in time".to_owned()
    } else {
        "the mail server could not be reached".to_owned()
    })
}

fn message(delivery: &Delivery, links: &Links, from: &Mailbox) -> Result<Message, Undelivered> {
    let unusable = |what: &str| Undelivered { is_final: true, ..Undelivered::because(what) };
    let to = delivery.recipient.as_deref().and_then(|to| to.parse().ok());
    let to: Mailbox = to.ok_or_else(|| unusable("there is no usable address to send it to"))?;
    let (subject, text) = payload::mail(&delivery.notice, links);
    let id = format!("<{}@{}>", delivery.id, from.email.domain());
    let mail = Message::builder().from(from.clone()).to(to).subject(subject).message_id(Some(id));
    mail.header(ContentType::TEXT_PLAIN).body(text).map_err(|_unwritten| unusable("the mail could not be written"))
}

fn client() -> Result<reqwest::Client, ReceiverError> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("hoop/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ReceiverError::Client(error.to_string()))
}

/// https, or http on this machine; without a login in it.
pub(crate) fn is_safe(url: &Url) -> bool {
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    scheme && url.username().is_empty() && url.password().is_none()
}

/// Whether it can only be this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn an_unusable_secret_is_refused_and_never_shown() {
        let url = || Url::parse("https://x.test/hook").unwrap();
        for key in ["hunter2", "whsec_", "whsec_aHVudGVyMg==", "whsec_###hunter2###"] {
            let error = Receiver::webhook(url(), &secret(key)).unwrap_err();
            assert_eq!(error, ReceiverError::Key);
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(Receiver::webhook(url(), &secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")).is_ok());
        for address in ["http://hooks.test/services/hunter2", "hunter2", "https://u:hunter2@x.test/", "file:///hunter2"]
        {
            let error = Receiver::chat(&secret(address)).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let chat = Receiver::chat(&secret("https://hooks.test/services/hunter2")).unwrap();
        assert!(!format!("{chat:?}").contains("hunter2"));
    }

    #[test]
    fn only_this_machine_is_reached_in_the_clear() {
        let safe = |text: &str| is_safe(&Url::parse(text).unwrap());
        assert!(
            safe("https://x.test/")
                && safe("http://127.0.0.1:9/")
                && safe("http://[::1]/")
                && safe("http://localhost/")
        );
        assert!(!safe("http://127.0.0.1.x.test/") && !safe("http://169.254.169.254/") && !safe("ftp://127.0.0.1/"));
    }
}
