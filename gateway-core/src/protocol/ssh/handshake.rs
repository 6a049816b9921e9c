//! How the gateway speaks SSH: algorithms, windows, limits. The transport itself is russh's.

use std::{borrow::Cow, sync::Arc, time::Duration};

use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, client, keys::PrivateKey, server};

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

/// Whether the local end of a tunnel asks for its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalGuard {
    /// The tunnel knows whose process it is.
    Peer,
    /// The client shows the tunnel's password.
    Password,
}

/// As a server, towards clients.
pub fn serving(host_key: PrivateKey, guard: LocalGuard) -> Arc<server::Config> {
    let methods: &[MethodKind] = match guard {
        LocalGuard::Peer => &[MethodKind::None, MethodKind::PublicKey],
        LocalGuard::Password => &[MethodKind::Password],
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
