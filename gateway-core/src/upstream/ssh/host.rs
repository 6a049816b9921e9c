//! The machine at the other end: whether it is who the site says, and that it opens nothing by itself.
//!
//! Knows no credential and no session.

use std::sync::{Arc, Mutex, PoisonError};

use russh::{
    Channel, ChannelOpenFailure,
    client::{self, ChannelOpenHandle, Msg, Session},
    keys::{HashAlg, PublicKeyOrCertificate, ssh_key::certificate::CertType},
};

use crate::config::HostTrust;

/// Believes one host, and refuses whatever it wants to open: the defaults of the library would take it.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) trust: HostTrust,
    pub(super) now_seconds: u64,
    /// What was shown and not believed.
    pub(super) shown: Arc<Mutex<Option<String>>>,
}

impl Host {
    fn believes(&self, shown: &PublicKeyOrCertificate) -> bool {
        match (shown, &self.trust) {
            (PublicKeyOrCertificate::PublicKey { key, .. }, HostTrust::Keys(keys)) => {
                keys.iter().any(|pinned| pinned.key_data() == key.key_data())
            }
            (PublicKeyOrCertificate::Certificate(certificate), HostTrust::Authority(authority)) => {
                let fingerprint = authority.fingerprint(HashAlg::Sha256);
                certificate.cert_type() == CertType::Host
                    && certificate.validate_at(self.now_seconds, [&fingerprint]).is_ok()
                    && certificate.valid_principals().contains(&self.name)
                    && certificate.critical_options().is_empty()
            }
            (PublicKeyOrCertificate::PublicKey { .. }, HostTrust::Authority(_))
            | (PublicKeyOrCertificate::Certificate(_), HostTrust::Keys(_)) => false,
        }
    }
}

impl client::Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let believed = self.believes(shown);
        if !believed {
            let text = match shown {
                PublicKeyOrCertificate::PublicKey { key, .. } => {
                    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
                }
                PublicKeyOrCertificate::Certificate(certificate) => {
                    let signer = certificate.signature_key().fingerprint(HashAlg::Sha256);
                    format!("a certificate signed by {signer}")
                }
            };
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
        Ok(believed)
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        turned_away(reply).await
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _address: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        turned_away(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        turned_away(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        turned_away(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        turned_away(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        turned_away(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        turned_away(reply).await
    }
}

async fn turned_away(reply: ChannelOpenHandle) -> Result<(), russh::Error> {
    reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}
