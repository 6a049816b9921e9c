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

/// Whatever a machine wants to open is turned away, whatever it says of it.
macro_rules! turns_away {
    ($($kind:ident($($said:ty),*);)*) => {$(
        async fn $kind(
            &mut self,
            _channel: Channel<Msg>,
            $(_: $said,)*
            reply: ChannelOpenHandle,
            _session: &mut Session,
        ) -> Result<(), Self::Error> {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            Ok(())
        }
    )*};
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

    turns_away! {
        server_channel_open_session();
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32);
        server_channel_open_forwarded_streamlocal(&str);
        server_channel_open_agent_forward();
        server_channel_open_direct_tcpip(&str, u32, &str, u32);
        server_channel_open_direct_streamlocal(&str);
        server_channel_open_x11(&str, u32);
    }
}
