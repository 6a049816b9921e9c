//! From a session of a machine into another connection of the site: the same person, the same proof of who they are, and
//! every decision of that connection; its session names the one it came through, and does not outlive its right.
//!
//! Knows no channel. `ssh/passage` carries the bytes.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::BytesMut;
use hoop_tunnel::acceptor::LinkIdentity;
use tokio::sync::watch;

use super::{
    client::ClientStream,
    environment::{Environment, Served},
    open::Arrival,
    registry::{End, Registry},
    tunnelled,
};
use crate::{
    model::{ConnectionKind, ConnectionName, Presence, Principal, Refusal, RefusalKind, RunId, SessionId, Verdict},
    policy::Source,
};

/// So many sessions may come through one another: a machine, a machine behind it, what is behind that.
const MOST_DEEP: u8 = 3;

/// What a session hands on to those that come through it.
#[derive(Debug)]
pub(super) struct Onward {
    identity: watch::Receiver<LinkIdentity<Presence>>,
    proved_at: Instant,
    client_address: Option<SocketAddr>,
    depth: u8,
}

/// The session that another one came through.
#[derive(Debug)]
pub struct Through {
    /// Which one.
    pub(super) session: SessionId,
    /// Turns to a reason when it may not go on.
    pub(super) end: watch::Receiver<Option<End>>,
    /// Where the session that comes says which it is.
    inner: Arc<OnceLock<SessionId>>,
    depth: u8,
}

impl Through {
    /// A session that came this way says which it is.
    pub(super) fn is(&self, id: &SessionId) {
        // There is one for each way.
        drop(self.inner.set(id.clone()));
    }
}

/// The outer session's hold of the one that came through it.
#[derive(Debug)]
pub(super) struct Hold {
    registry: Registry,
    inner: Arc<OnceLock<SessionId>>,
    end: watch::Sender<Option<End>>,
}

impl Hold {
    /// The session that came through, once there is one.
    pub(super) fn session(&self) -> Option<&SessionId> {
        self.inner.get()
    }

    /// Ends it (law 9): what it runs does not go on.
    pub(super) fn end(&self, why: &str) {
        let end = End::Outer { why: why.to_owned() };
        // First, so that one that is entered behind the look below finds it.
        self.end.send_replace(Some(end.clone()));
        if let Some(inner) = self.inner.get() {
            self.registry.end(inner, end);
        }
    }
}

/// Who goes on, from which session.
pub(super) struct Traveller<'outer> {
    pub(super) environment: &'outer Arc<Environment>,
    pub(super) session: &'outer SessionId,
    pub(super) principal: &'outer Principal,
    pub(super) run: Option<&'outer RunId>,
    pub(super) source: Source,
    pub(super) onward: &'outer Onward,
}

impl Onward {
    pub(super) fn of(arrival: &Arrival) -> Self {
        Self {
            identity: arrival.identity.clone(),
            proved_at: arrival.proved_at,
            client_address: arrival.client_address,
            depth: arrival.through.as_ref().map_or(0, |through| through.depth),
        }
    }
}

impl Traveller<'_> {
    /// The connect decision on that connection, now.
    pub(super) fn arrive(&self, name: &ConnectionName) -> Result<(Arrival, Hold), Refusal> {
        let Self { environment, onward, .. } = self;
        let turned = |message: String, hint: &str| {
            let hint = Some(hint.to_owned());
            Refusal { kind: RefusalKind::Unsupported, rule: None, message, hint }
        };
        let again = "Connect again, or open it itself: `hoop connect`.";
        if onward.depth + 1 >= MOST_DEEP {
            return Err(turned(format!("`{name}` is behind too many machines"), again));
        }
        let served: Arc<Served> = match environment.connections.get(name.as_str()) {
            Some(served) if served.retired().borrow().is_none() => Arc::clone(served),
            Some(_) | None => return Err(turned(format!("`{name}` changed since this session began"), again)),
        };
        let reaches = match &*onward.identity.borrow() {
            LinkIdentity::Valid { principal: presence, .. } => {
                presence.is_of(self.principal, self.run) && presence.reaches(name.as_str())
            }
            LinkIdentity::Expired => false,
        };
        if !reaches {
            return Err(turned(format!("this run was not started for `{name}`"), "Name it too: `hoop exec -c`."));
        }
        let (end, told) = watch::channel(None);
        let inner = Arc::<OnceLock<SessionId>>::default();
        let hold = Hold { registry: environment.registry.clone(), inner: Arc::clone(&inner), end };
        let through = Through { session: self.session.clone(), end: told, inner, depth: onward.depth + 1 };
        let policies = served.policies.borrow().clone();
        let mut arrival = Arrival {
            environment: Arc::clone(environment),
            served,
            policies,
            principal: self.principal.clone(),
            run: self.run.cloned(),
            identity: onward.identity.clone(),
            proved_at: onward.proved_at,
            source: self.source,
            window: None,
            client_address: onward.client_address,
            through: Some(through),
        };
        if arrival.served.facts.kind == ConnectionKind::Postgres {
            // What needs an approval waits for it once the client has said what it wants: then it can be told.
            let at = arrival.circumstances();
            if let Verdict::Refuse(refusal) = arrival.policies.connect(self.principal, &arrival.served.facts, &at) {
                return Err(refusal);
            }
        } else {
            tunnelled::admitted_now(&mut arrival)?;
        }
        Ok((arrival, hold))
    }
}

/// Serves a client as that connection serves any. Boxed by its type: a machine may be behind a machine.
pub(super) fn serve(arrival: Arrival, client: ClientStream) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match arrival.served.facts.kind {
            ConnectionKind::Http | ConnectionKind::Llm | ConnectionKind::Mcp => {
                super::http::serve(arrival, client).await;
            }
            ConnectionKind::Ssh => super::ssh::serve(arrival, client, None).await,
            ConnectionKind::Postgres => {
                tunnelled::postgres(arrival, client, BytesMut::with_capacity(1024), None).await;
            }
        }
    })
}
