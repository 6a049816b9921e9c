//! How the gateway speaks SSH: algorithms, windows, limits. The transport itself is russh's.

use std::{borrow::Cow, sync::Arc, time::Duration};

use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, client, keys::PrivateKey, server};

use crate::model::ConnectionName;

/// Bulk transfers go faster with more on their way than russh's 2 MiB.
const WINDOW_BYTES: u32 = 8 << 20;
/// SPEC: RFC 4253, 6.1: what every implementation takes.
const PACKET_BYTES: u32 = 32 * 1024;
/// Authenticated ones first: on processors of today AES-GCM takes half of what `ChaCha20` does, at both ends. A client's
/// own order decides towards clients, this one towards machines.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];
/// A window of packets: russh grants the next window as soon as packets have come, so this bounds what waits.
const WAITING_PACKETS: usize = 256;
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVES_LOST: usize = 3;

/// Between person and connection in a user name. No shell, no URL and no `scp` minds it.
const AT: char = '+';

/// The user name that a native client says; with the connection where several share an address.
pub fn user_name(person: &str, connection: Option<&ConnectionName>) -> String {
    connection.map_or_else(|| person.to_owned(), |connection| format!("{person}{AT}{connection}"))
}

/// Who a native client says it is, and which of its address's connections it means: `anna+bastion`, or `anna` where
/// there is one. A person's own name may hold the letter between.
pub fn who_and_where<'user, 'name>(
    user: &'user str,
    connections: impl IntoIterator<Item = &'name ConnectionName>,
) -> Option<(&'user str, &'name ConnectionName)> {
    let mut only = None;
    let mut several = false;
    for name in connections {
        if let Some(person) = user.strip_suffix(name.as_str()).and_then(|rest| rest.strip_suffix(AT)) {
            return Some((person, name));
        }
        several |= only.replace(name).is_some();
    }
    only.filter(|_| !several).map(|name| (user, name))
}

/// How clients come in, and so what they may prove themselves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// Through a tunnel that knows whose process it is.
    Tunnel,
    /// Through a tunnel whose password the client shows.
    TunnelWithPassword,
    /// At a listener of the gateway.
    Native,
}

/// As a server, towards clients.
pub fn serving(host_key: PrivateKey, entrance: Entrance) -> Arc<server::Config> {
    let methods: &[MethodKind] = match entrance {
        Entrance::Tunnel => &[MethodKind::None, MethodKind::PublicKey],
        Entrance::TunnelWithPassword => &[MethodKind::Password],
        Entrance::Native => &[MethodKind::PublicKey, MethodKind::KeyboardInteractive, MethodKind::Password],
    };
    Arc::new(server::Config {
        server_id: id(),
        preferred: Preferred { cipher: Cow::Borrowed(CIPHERS), ..Preferred::default() },
        methods: MethodSet::from(methods),
        auth_rejection_time: Duration::from_millis(500),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES,
        channel_buffer_size: WAITING_PACKETS,
        max_auth_attempts: 6,
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES_LOST,
        nodelay: true,
        ..server::Config::default()
    })
}

/// As a client, towards a machine that shows one of these kinds of keys, or a certificate of them.
pub fn asking(keys: Vec<russh::keys::Algorithm>, certificates: Vec<russh::keys::Algorithm>) -> Arc<client::Config> {
    let preferred = Preferred {
        key: Cow::Owned(keys),
        host_key_certificates: Cow::Owned(certificates),
        cipher: Cow::Borrowed(CIPHERS),
        ..Preferred::default()
    };
    Arc::new(client::Config {
        client_id: id(),
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES,
        channel_buffer_size: WAITING_PACKETS,
        preferred,
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES_LOST,
        nodelay: true,
        ..client::Config::default()
    })
}

/// Without a version: it helps attackers more than anybody else.
fn id() -> SshId {
    SshId::Standard(Cow::Borrowed("SSH-2.0-hoop"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_says_who_and_where() {
        let name = |name: &str| ConnectionName::new(name).unwrap();
        let (bastion, build) = (name("bastion"), name("build+1"));
        let one = [&bastion];
        let both = [&bastion, &build];
        assert_eq!(who_and_where("anna", one), Some(("anna", &bastion)));
        assert_eq!(who_and_where("anna+bastion", one), Some(("anna", &bastion)));
        assert_eq!(who_and_where("anna+ci@example.com", one), Some(("anna+ci@example.com", &bastion)));
        assert_eq!(who_and_where("anna+build+1", both), Some(("anna", &build)));
        assert_eq!(who_and_where("anna+ci@example.com+bastion", both), Some(("anna+ci@example.com", &bastion)));
        assert_eq!(user_name("anna", Some(&bastion)), "anna+bastion");
        assert_eq!(user_name("anna", None), "anna");
        for nowhere in ["anna", "bastion", "", "anna+other", "anna+BASTION", "anna+bastion+"] {
            assert_eq!(who_and_where(nowhere, both), None, "{nowhere}");
        }
    }
}
