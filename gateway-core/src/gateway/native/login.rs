//! Who a native client is: a certificate of `hoop cert`, SCRAM with a password of `hoop token`, or a JWT in cleartext
//! inside TLS.
//!
//! The client chooses by `-c hoop.auth=jwt` in its `options`, before anything secret is sent; the site says what holds
//! where a client does not. Whatever is wrong looks the same from outside.

use std::{net::SocketAddr, time::Instant};

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;

use super::{Doorkeeper, MAX_JWT_BYTES, Unproved, start::fatal};
use crate::{
    config::{NativeAuthentication, NativeListen},
    identity::{
        Verified,
        scram::{self, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError},
    },
    model::ConnectionName,
    protocol::postgres::{
        codec::{self, FrameDecoder, Piece},
        handshake::wanted_authentication,
        message::{Frame, Start},
    },
    session::{ClientStream, negotiate},
};

/// A client that proved who it is.
#[derive(Debug)]
pub(super) struct Believed {
    pub(super) verified: Verified,
    pub(super) connection: ConnectionName,
}

/// Where a client comes from, and what it showed before it said anything.
pub(super) struct From<'start> {
    pub(super) peer: SocketAddr,
    pub(super) certificate: Option<&'start [u8]>,
}

/// Why a login fails: what the log says, and what the client hears.
enum Failed {
    /// It left.
    Gone,
    /// It broke the protocol.
    Malformed(String),
    /// It proved nothing.
    Unproved(String),
    /// Nobody can be proved now.
    Unavailable(String),
}

/// Asks the client for proof. An error is what to tell it.
pub(super) async fn log_in(
    door: &Doorkeeper,
    connections: &[(ConnectionName, NativeListen)],
    from: &From<'_>,
    client: &mut ClientStream,
    buffer: &mut BytesMut,
    start: &Start,
) -> Result<Believed, BytesMut> {
    let peer = from.peer;
    let user = start.parameter("user").unwrap_or_default();
    if user.is_empty() {
        return Err(fatal(
            "28000",
            "the start-up message names no user",
            "Add user=YOUR-NAME; `hoop whoami` tells it.",
        ));
    }
    if door.crowd.must_wait(peer.ip(), Instant::now()) {
        return Err(fatal("28000", "too many logins from this address failed", "Wait a minute, then try again."));
    }
    let database = start.parameter("database").unwrap_or(user);
    let found = match connections {
        [only] => Some(only),
        several => several.iter().find(|(name, _)| name.as_str() == database),
    };
    let Some((connection, native)) = found else {
        let hint = "Several connections share this address: name one with dbname=, as `hoop ls` lists them.";
        return Err(fatal("3D000", "the database names no connection of this address", hint));
    };
    if let Some(shown) = from.certificate {
        let believed = certificate(door, connection, user, shown);
        if let Err(why) = &believed {
            door.crowd.failed(peer.ip(), Instant::now());
            tracing::info!(%peer, %connection, why, "a native login by certificate failed");
        }
        let verified = believed.map_err(|why| unopened(connection, why))?;
        let mut out = BytesMut::new();
        negotiate(start, &mut out);
        client.say(&out).await.map_err(|_gone| BytesMut::new())?;
        return Ok(Believed { verified, connection: connection.clone() });
    }
    let mechanism = match wanted_authentication(start).as_deref() {
        None => native.authentication,
        Some("token") => NativeAuthentication::Token,
        Some("jwt") => NativeAuthentication::Jwt,
        Some(_) => return Err(fatal("22023", "hoop.auth knows token and jwt", "Write -c hoop.auth=jwt.")),
    };
    let mut talk = Talk { client, buffer, decoder: FrameDecoder::frontend(), out: BytesMut::new() };
    negotiate(start, &mut talk.out);
    let proved = match mechanism {
        NativeAuthentication::Token => token(door, connection, user, &mut talk).await,
        NativeAuthentication::Jwt => jwt(door, user, &mut talk).await,
    };
    let failed = match proved {
        Ok(verified) => return Ok(Believed { verified, connection: connection.clone() }),
        Err(failed) => failed,
    };
    Err(match failed {
        Failed::Gone => BytesMut::new(),
        Failed::Malformed(why) => {
            door.crowd.failed(peer.ip(), Instant::now());
            tracing::info!(%peer, %connection, why, "a native login broke the protocol");
            fatal("08P01", &why, "Connect with a driver that speaks SCRAM-SHA-256, or say -c hoop.auth=jwt.")
        }
        Failed::Unproved(why) => {
            door.crowd.failed(peer.ip(), Instant::now());
            tracing::info!(%peer, %connection, why, "a native login failed");
            let shown: String = user.chars().filter(|character| !character.is_control()).take(64).collect();
            let hint = match mechanism {
                NativeAuthentication::Token => {
                    format!("`hoop token {connection}` gives a password: for one connection, within 15 minutes.")
                }
                NativeAuthentication::Jwt => {
                    "The password is a JWT of your identity provider, and user its principal.".to_owned()
                }
            };
            fatal("28P01", &format!("authentication failed for user \"{shown}\""), &hint)
        }
        Failed::Unavailable(why) => {
            tracing::warn!(%peer, %connection, why, "a native login could not be checked");
            fatal("57P03", "logins cannot be checked now", "Try again; tell the gateway's operator if it stays.")
        }
    })
}

/// A certificate of `hoop cert`: TLS proved its key, and that our authority signed it.
fn certificate(
    door: &Doorkeeper,
    connection: &ConnectionName,
    user: &str,
    shown: &[u8],
) -> Result<Verified, &'static str> {
    let ended = "it has ended: by its time, by a logout, or by a restart of the gateway";
    let holder = door.proofs.certificates.holder(shown).ok_or(ended)?;
    if holder.connection != *connection {
        return Err("it is for another connection");
    }
    if holder.verified.principal.name.as_str() != user {
        return Err("it is another user's");
    }
    tracing::info!(certificate = holder.id, %connection, "a certificate was used");
    Ok(holder.verified)
}

fn unopened(connection: &ConnectionName, why: &str) -> BytesMut {
    fatal(
        "28000",
        &format!("the client certificate does not open this connection: {why}"),
        &format!("`hoop cert {connection}` gives one; without sslcert, a password of `hoop token` does."),
    )
}

/// A password of `hoop token`, by SCRAM. Used up as soon as its proof was accepted.
async fn token(
    door: &Doorkeeper,
    connection: &ConnectionName,
    user: &str,
    talk: &mut Talk<'_>,
) -> Result<Verified, Failed> {
    let binding = door.tls.binding.as_deref();
    let offer: &[&str] = if binding.is_some() { &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256] } else { &[SCRAM_SHA_256] };
    codec::authentication_sasl(offer, &mut talk.out);
    let body = talk.ask(scram::MAX_MESSAGE_BYTES).await?;
    let (mechanism, message) =
        codec::parse_sasl_initial(&body).map_err(|error| Failed::Malformed(error.to_string()))?;
    let message = message.ok_or_else(|| Failed::Malformed("the client's SCRAM message is missing".to_owned()))?;
    let mut nonce = [0_u8; 18];
    rand::fill(&mut nonce)
        .map_err(|_unspecified| Failed::Unavailable("the system gives no random bytes".to_owned()))?;
    let nonce = STANDARD_NO_PAD.encode(nonce);
    let parameters = door.proofs.connection_tokens.parameters(user, connection);
    let challenge = scram::challenge(mechanism.as_str(), &message, binding, &nonce, &parameters).map_err(refused)?;
    codec::authentication_sasl_continue(&challenge.message, &mut talk.out);
    let body = talk.ask(scram::MAX_MESSAGE_BYTES).await?;
    let proof = challenge.proof(&body).map_err(refused)?;
    let redeemed = door.proofs.connection_tokens.redeem(user, connection, &proof);
    let (redeemed, answer) = redeemed.ok_or_else(|| Failed::Unproved("no live password fits".to_owned()))?;
    tracing::info!(token = redeemed.id, %connection, "a password was used");
    codec::authentication_sasl_final(&answer, &mut talk.out);
    talk.send().await?;
    Ok(redeemed.verified)
}

fn refused(error: ScramError) -> Failed {
    match error {
        ScramError::Malformed(_) | ScramError::Downgrade => Failed::Malformed(error.to_string()),
        ScramError::Binding => Failed::Unproved(error.to_string()),
    }
}

/// A bearer of the gateway, or a JWT of the issuer. It never comes here outside TLS.
async fn jwt(door: &Doorkeeper, user: &str, talk: &mut Talk<'_>) -> Result<Verified, Failed> {
    codec::authentication_cleartext(&mut talk.out);
    let body = talk.ask(MAX_JWT_BYTES + 1).await?;
    let malformed = || Failed::Malformed("the password message is malformed".to_owned());
    let text = body.strip_suffix(b"\0").ok_or_else(malformed)?;
    let text = std::str::from_utf8(text).map_err(|_invalid| malformed())?;
    door.proofs.jwt(user, text).await.map_err(|unproved| match unproved {
        Unproved::NotThem(why) => Failed::Unproved(why),
        Unproved::Unknown(why) => Failed::Unavailable(why),
    })
}

/// The conversation of a login.
struct Talk<'login> {
    client: &'login mut ClientStream,
    buffer: &'login mut BytesMut,
    decoder: FrameDecoder,
    out: BytesMut,
}

impl Talk<'_> {
    async fn send(&mut self) -> Result<(), Failed> {
        let out = self.out.split();
        self.client.say(&out).await.map_err(|_gone| Failed::Gone)
    }

    /// Sends what is written, and waits for the one message that may answer it.
    async fn ask(&mut self, most_bytes: usize) -> Result<Bytes, Failed> {
        self.send().await?;
        let mistaken =
            || Failed::Malformed("the client's answer to the login is not what the protocol asks for".to_owned());
        loop {
            match self.decoder.next(self.buffer) {
                Ok(Some(Piece::Frame(Frame { tag: b'p', body }))) if body.len() <= most_bytes => return Ok(body),
                Ok(Some(Piece::Frame(Frame { tag: b'X', .. }))) => return Err(Failed::Gone),
                Ok(Some(_)) | Err(_) => return Err(mistaken()),
                Ok(None) => match self.client.read_buf(self.buffer).await {
                    Ok(read) if read > 0 => {}
                    _ => return Err(Failed::Gone),
                },
            }
        }
    }
}
