//! A native client of PostgreSQL: start-up, login and connect decision, in that order.

use std::{net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Arrived, Doorkeeper,
    login::{self, Believed},
    start::{self, Started},
    stay, too_late, tune,
};
use crate::{
    config::NativeListen,
    model::{ConnectionName, Verdict},
    policy::{Circumstances, PolicySet, Source},
    protocol::postgres::{message::Start, refuse::Report},
    session::{Arrival, ClientStream, Environment, Served, Stay},
};

/// One client from its first byte to the end of its session. The steps before the session are boxed: an idle session
/// keeps nothing of them.
pub(super) async fn client(arrived: Arrived, shutdown: CancellationToken) {
    let Arrived { door, connections, tcp, peer } = arrived;
    let Some(place) = door.crowd.enter(peer.ip()) else {
        return tracing::debug!(%peer, "too many native logins at once");
    };
    tune(&tcp);
    let coming = Box::pin(come_in(&door, &connections, tcp, peer));
    let came = tokio::select! {
        () = Box::pin(too_late(peer, &shutdown)) => return,
        came = coming => came,
    };
    drop(place);
    if let Some(guest) = came {
        guest.serve().await;
    }
}

/// A client that was let in.
struct Guest {
    arrival: Arrival,
    client: ClientStream,
    buffer: BytesMut,
    start: Start,
    stay: Stay,
}

impl Guest {
    /// Serves the session. It ends with the login that it came in by, which nobody renews here.
    async fn serve(self) {
        let Self { arrival, client, buffer, start, stay } = self;
        let serving = Box::pin(arrival.open(client, buffer, start));
        tokio::select! {
            () = serving => {}
            never = stay.end() => match never {},
        }
    }
}

async fn come_in(
    door: &Doorkeeper,
    connections: &[(ConnectionName, NativeListen)],
    tcp: TcpStream,
    peer: SocketAddr,
) -> Option<Guest> {
    let proved_at = std::time::Instant::now();
    let names: Vec<ConnectionName> = connections.iter().map(|(name, _)| name.clone()).collect();
    let acceptor = TlsAcceptor::from(Arc::clone(&door.tls.native));
    let cancel = |process_id, key: &_| door.surroundings.borrow().registry.cancel_native(&names, process_id, key);
    let Started { mut client, mut buffer, start, certificate } = start::start(tcp, &acceptor, cancel).await?;
    let from = login::From { peer, certificate: certificate.as_deref() };
    // One site for the decision and the session.
    let outcome = login::log_in(door, connections, &from, &mut client, &mut buffer, &start).await;
    let environment = door.surroundings.borrow().clone();
    let decided = match outcome {
        Ok(believed) => admitted(&environment, believed),
        Err(refusal) => Err(refusal),
    };
    match decided {
        Ok((believed, served, policies)) => {
            let (stay, identity) = stay(&environment, &believed.verified);
            let arrival = Arrival {
                environment,
                served,
                principal: believed.verified.principal,
                identity,
                proved_at,
                policies,
                source: Source::Native,
                client_address: Some(peer),
                run: None,
                window: None,
                through: None,
            };
            Some(Guest { arrival, client, buffer, start, stay })
        }
        Err(refusal) => {
            start::refuse(&mut client, &refusal).await;
            None
        }
    }
}

/// The connect decision, after the client proved who it is.
fn admitted(environment: &Environment, believed: Believed) -> Result<(Believed, Arc<Served>, PolicySet), BytesMut> {
    let refused = |message: &str, rule: Option<String>, hint: Option<&str>| {
        let (mut out, detail) = (BytesMut::new(), rule.map(|rule| format!("Rule {rule}.")));
        let mut report = Report::fatal("42501", message);
        if let Some(detail) = &detail {
            report = report.detail(detail);
        }
        report.hint(hint.unwrap_or("`hoop ls` lists the connections that you may use.")).write(&mut out);
        out
    };
    // What listened at the start may have been taken from native clients since.
    let served = environment.connections.get(believed.connection.as_str());
    let Some(served) = served.filter(|served| served.connection.native.is_some()).cloned() else {
        return Err(refused("there is no such connection", None, None));
    };
    let policies = served.policies.borrow().clone();
    let unix_seconds = environment.clock.unix_seconds();
    let circumstances = Circumstances::at(unix_seconds, Source::Native);
    match policies.connect(&believed.verified.principal, &served.facts, &circumstances) {
        // What needs an approval waits for it when the session is opened: the client is told then.
        Verdict::Permit { .. } | Verdict::NeedsApproval(_) => Ok((believed, served, policies)),
        Verdict::Refuse(refusal) => {
            Err(refused(&refusal.message, refusal.rule.map(|rule| rule.to_string()), refusal.hint.as_deref()))
        }
    }
}
