//! The way in through the tunnel: the connect decision before the stream is opened, the start-up packets on a link that
//! is TLS already, and the local password where the laptop cannot look its user up.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use bytes::BytesMut;
use hoop_tunnel::acceptor::{Incoming, RejectStatus};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;

use super::{
    access::{Admission, admission},
    client::ClientStream,
    environment::Environment,
    open::{Arrival, START_TIMEOUT, finish, say},
};
use crate::{
    model::{ConnectionKind, Presence, Refusal, RefusalKind, Verdict},
    policy::Source,
    protocol::postgres::{
        codec::{self, FrameDecoder, Piece, parse_startup},
        message::{Frame, Start, Startup},
        refuse::Report,
    },
};

/// Serves one stream that a principal opened for a connection. Returns when the session is over and on record.
pub async fn serve(environment: Arc<Environment>, incoming: Incoming<Presence>) {
    let Presence { principal, .. } = &incoming.principal;
    if !incoming.principal.reaches(&incoming.connection) {
        let message = format!("this run was not started for `{}`", printable(&incoming.connection));
        return incoming.reject(RejectStatus::Refused, &message);
    }
    let Some(served) = environment.connections.get(&incoming.connection).cloned() else {
        let message = format!("there is no connection `{}`; `hoop ls` lists yours", printable(&incoming.connection));
        return incoming.reject(RejectStatus::NotFound, &message);
    };
    let policies = served.policies.borrow().clone();
    let run = incoming.principal.run().cloned();
    let circumstances = environment.circumstances(Source::Tunnel, run.as_ref());
    // What needs an approval waits for it once the client has said what it wants: then it can be told.
    if let Verdict::Refuse(refusal) = policies.connect(principal, &served.facts, &circumstances) {
        return incoming.reject(RejectStatus::Refused, &refused(&refusal));
    }
    let arrival = Arrival {
        environment,
        served,
        policies,
        principal: principal.clone(),
        run,
        identity: incoming.identity.clone(),
        proved_at: incoming.asked_at,
        source: Source::Tunnel,
        window: None,
        client_address: incoming.client_address.as_deref().and_then(|address| address.parse().ok()),
        through: None,
    };
    match arrival.served.facts.kind {
        ConnectionKind::Http | ConnectionKind::Llm | ConnectionKind::Mcp | ConnectionKind::Ssh => {
            return admitted_first(arrival, incoming).await;
        }
        ConnectionKind::Postgres => {}
    }
    let local_password = incoming.local_password.clone();
    let Ok(stream) = incoming.accept() else { return };
    postgres(arrival, ClientStream::Link(stream), BytesMut::with_capacity(1024), local_password).await;
}

/// Serves a client of PostgreSQL from its first packet on.
pub(super) async fn postgres(
    arrival: Arrival,
    mut client: ClientStream,
    mut buffer: BytesMut,
    local_password: Option<SecretString>,
) {
    let started = tokio::time::timeout(START_TIMEOUT, startup(&arrival, &mut client, &mut buffer)).await;
    let Ok(Some(start)) = started else { return finish(client).await };
    if !password_fits(local_password.as_ref(), &mut client, &mut buffer).await {
        let mut out = BytesMut::new();
        let report = Report::fatal("28P01", "the password of this tunnel does not match");
        report.hint("Use the password in the URL that `hoop connect` printed.").write(&mut out);
        return say(client, &out).await;
    }
    arrival.open(client, buffer, start).await;
}

/// HTTP and SSH have no word for waiting before a request: who needs an approval to connect asks for it with
/// `hoop connect`.
pub(super) fn admitted_now(arrival: &mut Arrival) -> Result<(), Refusal> {
    let open = arrival.environment.desk.leases().borrow().clone();
    let now = arrival.environment.clock.unix_millis();
    let at = arrival.circumstances();
    match admission(&arrival.policies, &open, &arrival.principal, &arrival.served.facts, &at, now) {
        Admission::Open(window) => {
            arrival.window = window;
            Ok(())
        }
        Admission::Refused(refusal) => Err(refusal),
        Admission::Needs(_) => {
            let name = &arrival.served.connection.name;
            let message =
                format!("connecting needs an approval; ask with `hoop connect {name} --request 'why' --for 1h`");
            Err(Refusal { kind: RefusalKind::Policy, rule: None, message, hint: None })
        }
    }
}

async fn admitted_first(mut arrival: Arrival, incoming: Incoming<Presence>) {
    if let Err(refusal) = admitted_now(&mut arrival) {
        return incoming.reject(RejectStatus::Refused, &refused(&refusal));
    }
    let local_password = incoming.local_password.clone();
    if arrival.served.facts.kind == ConnectionKind::Ssh {
        let Ok(stream) = incoming.accept() else { return };
        return super::ssh::serve(arrival, ClientStream::Link(stream), local_password).await;
    }
    if local_password.is_some() {
        return incoming.reject(RejectStatus::Refused, "a password on the local end is not built for this kind");
    }
    let Ok(stream) = incoming.accept() else { return };
    super::http::serve(arrival, ClientStream::Link(stream)).await;
}

fn refused(refusal: &Refusal) -> String {
    match &refusal.rule {
        Some(rule) => format!("{} (rule {rule})", refusal.message),
        None => refusal.message.clone(),
    }
}

fn printable(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(128).collect()
}

/// Reads start-up packets until one opens a session. A cancel request is passed on and ends the stream.
async fn startup(arrival: &Arrival, client: &mut ClientStream, buffer: &mut BytesMut) -> Option<Start> {
    loop {
        match parse_startup(buffer) {
            // The link is TLS already: the local socket needs none, and libpq goes on without.
            Ok(Some(Startup::Ssl | Startup::Gss)) => {
                if !buffer.is_empty() {
                    return None;
                }
                client.say(b"N").await.ok()?;
            }
            Ok(Some(Startup::Cancel { process_id, key })) => {
                let connection = &arrival.served.connection.name;
                arrival.environment.registry.cancel(&arrival.principal, connection, process_id, &key);
                return None;
            }
            Ok(Some(Startup::Start(start))) => return Some(start),
            Ok(None) => {
                if client.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
            Err(error) => {
                let mut out = BytesMut::new();
                Report::fatal(error.sqlstate(), &error.to_string()).write(&mut out);
                client.say(&out).await.ok()?;
                return None;
            }
        }
    }
}

/// Where the laptop cannot tell whose socket it is, the client shows the tunnel's own password.
async fn password_fits(expected: Option<&SecretString>, client: &mut ClientStream, buffer: &mut BytesMut) -> bool {
    let Some(expected) = expected else { return true };
    let mut out = BytesMut::new();
    codec::authentication_cleartext(&mut out);
    if client.say(&out).await.is_err() {
        return false;
    }
    let mut decoder = FrameDecoder::frontend();
    loop {
        match decoder.next(buffer) {
            Ok(Some(Piece::Frame(Frame { tag: b'p', body }))) => {
                let given = body.strip_suffix(b"\0").unwrap_or(&body);
                let expected = expected.expose_secret().as_bytes();
                return constant_time::verify_slices_are_equal(given, expected).is_ok();
            }
            Ok(Some(_)) | Err(_) => return false,
            Ok(None) => match tokio::time::timeout(START_TIMEOUT, client.read_buf(buffer)).await {
                Ok(Ok(read)) if read > 0 => {}
                _ => return false,
            },
        }
    }
}
