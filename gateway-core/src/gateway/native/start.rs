//! From a socket to a start-up message inside TLS: `SSLRequest`, direct TLS, `GSSENCRequest` and cancel requests.
//!
//! Nothing that opens a session is taken in plaintext, and no byte that came before TLS is believed inside it.

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use super::super::certificate::NATIVE_PROTOCOL;
use crate::{
    protocol::postgres::{
        codec::parse_startup,
        message::{CancelKey, Start, Startup},
        refuse::Report,
    },
    session::ClientStream,
};

/// The first byte of a TLS record that holds a handshake. No start-up packet begins so: it would be too long.
const TLS_HANDSHAKE: u8 = 0x16;
/// Requests for encryption before one is granted: GSSAPI, then TLS.
const MOST_REQUESTS: usize = 2;

/// A client that said what it wants, inside TLS.
pub(super) struct Started {
    pub(super) client: ClientStream,
    pub(super) buffer: BytesMut,
    pub(super) start: Start,
    /// The certificate whose key it proved, which the authority of native clients signed.
    pub(super) certificate: Option<Vec<u8>>,
}

/// Brings a client to its start-up message; `None` when it left, was sent away, or only wanted to cancel.
pub(super) async fn start(mut tcp: TcpStream, tls: &TlsAcceptor, cancel: impl Fn(u32, &CancelKey)) -> Option<Started> {
    let mut first = [0];
    let direct = tcp.peek(&mut first).await.ok()? == 1 && first == [TLS_HANDSHAKE];
    if !direct {
        ask_for_tls(&mut tcp, &cancel).await?;
    }
    let stream = tls.accept(tcp).await.inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed")).ok()?;
    // SPEC: PostgreSQL 17: direct TLS names its protocol, so that no other protocol's client can be sent here.
    if direct && stream.get_ref().1.alpn_protocol() != Some(NATIVE_PROTOCOL) {
        tracing::debug!("direct TLS without the application protocol postgresql");
        return None;
    }
    let proved = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = proved.map(|certificate| certificate.as_ref().to_vec());
    let (mut client, mut buffer) = (ClientStream::Native(Box::new(stream)), BytesMut::with_capacity(512));
    loop {
        match parse_startup(&mut buffer) {
            Ok(Some(Startup::Start(start))) => return Some(Started { client, buffer, start, certificate }),
            Ok(Some(Startup::Cancel { process_id, key })) => {
                cancel(process_id, &key);
                bye(&mut client).await;
                return None;
            }
            Ok(Some(Startup::Ssl | Startup::Gss)) => {
                let message = fatal("08P01", "the connection is encrypted already", "Ask for TLS once.");
                refuse(&mut client, &message).await;
                return None;
            }
            Ok(None) => {
                if client.read_buf(&mut buffer).await.ok()? == 0 {
                    return None;
                }
            }
            Err(error) => {
                refuse(
                    &mut client,
                    &fatal(error.sqlstate(), &error.to_string(), "Connect with PostgreSQL's protocol 3."),
                )
                .await;
                return None;
            }
        }
    }
}

/// Answers packets in plaintext until the client asks for TLS.
async fn ask_for_tls(tcp: &mut TcpStream, cancel: &impl Fn(u32, &CancelKey)) -> Option<()> {
    let mut buffer = BytesMut::with_capacity(64);
    let mut requests = 0;
    let refusal = loop {
        match parse_startup(&mut buffer) {
            Ok(Some(Startup::Ssl | Startup::Gss)) if !buffer.is_empty() => {
                let hint = "Somebody may be in between; do not go on over this network.";
                break fatal("08P01", "bytes came in plaintext before the encryption that was asked for", hint);
            }
            Ok(Some(Startup::Ssl)) => {
                tcp.write_all(b"S").await.ok()?;
                return Some(());
            }
            Ok(Some(Startup::Gss)) if requests < MOST_REQUESTS => {
                requests += 1;
                tcp.write_all(b"N").await.ok()?;
            }
            Ok(Some(Startup::Gss)) => return None,
            Ok(Some(Startup::Cancel { process_id, key })) => {
                cancel(process_id, &key);
                return None;
            }
            Ok(Some(Startup::Start(_))) => {
                let hint =
                    "Add sslmode=verify-full to the connection string, or PGSSLMODE=verify-full to the environment.";
                break fatal("28000", "this gateway takes no connection without TLS", hint);
            }
            Ok(None) => {
                if tcp.read_buf(&mut buffer).await.ok()? == 0 {
                    return None;
                }
            }
            Err(error) => break fatal(error.sqlstate(), &error.to_string(), "Connect with PostgreSQL's protocol 3."),
        }
    };
    if tcp.write_all(&refusal).await.is_ok() && tcp.shutdown().await.is_err() {
        tracing::trace!("the client left first");
    }
    None
}

/// The last word to a client that is not let in.
pub(super) fn fatal(sqlstate: &'static str, message: &str, hint: &str) -> BytesMut {
    let mut out = BytesMut::new();
    Report::fatal(sqlstate, message).hint(hint).write(&mut out);
    out
}

/// Says it and closes.
pub(super) async fn refuse(client: &mut ClientStream, message: &[u8]) {
    if client.say(message).await.is_ok() {
        bye(client).await;
    }
}

async fn bye(client: &mut ClientStream) {
    if client.shutdown().await.is_err() {
        tracing::trace!("the client left first");
    }
}
