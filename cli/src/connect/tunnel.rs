//! A running tunnel: accepts local connections at its doors, checks who they are, opens a stream for each, copies.
//!
//! One door for `connect`, one for each connection of `exec`. Everything it spawns is tracked and ends with it: stop accepting, drain, deadline, close.

use std::{sync::Arc, time::Duration};

use hoop_tunnel::{
    client::{LinkClient, LinkState, OpenError, StreamRequest},
    forward::{Counters, ForwardError, forward},
    listener::{LocalListener, LocalStream},
    peer::{Descent, PeerError},
};
use secrecy::SecretString;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::live::{Live, REDRAW};
use crate::{failure::FailureKind, login::Renewal};

/// Whom a door lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Our own user's processes of this descent.
    Descent(Descent),
    /// Whoever is in the network namespace that it was made in: nobody else can reach it.
    Namespace,
    /// Whoever has the password, which the gateway asks for.
    Password,
}

impl Guard {
    fn check(self, local: &LocalStream) -> Result<(), PeerError> {
        match self {
            Self::Descent(descent) => local.check_descent(descent),
            Self::Namespace | Self::Password => Ok(()),
        }
    }
}

/// Where one connection is entered.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) listener: LocalListener,
    pub(crate) way: Way,
}

/// What is behind a door, and who may pass. Sessions keep it; the listener ends with accepting, so that nobody waits at it.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) connection: String,
    pub(crate) guard: Guard,
    pub(crate) password: Option<SecretString>,
}

/// An open tunnel that does not accept yet.
#[derive(Debug)]
pub(crate) struct Tunnel {
    shared: Arc<Shared>,
    doors: Vec<Door>,
}

/// One that does.
#[derive(Debug)]
pub(crate) struct Running {
    shared: Arc<Shared>,
    /// Ends accepting.
    closing: CancellationToken,
    /// Ends everything else.
    cut: CancellationToken,
    attendants: TaskTracker,
}

#[derive(Debug)]
struct Shared {
    client: LinkClient,
    login: Arc<dyn Renewal>,
    live: Live,
    counters: Counters,
    sessions: TaskTracker,
}

impl Tunnel {
    pub(crate) fn new(client: LinkClient, doors: Vec<Door>, login: Arc<dyn Renewal>, live: Live) -> Self {
        let (counters, sessions) = (Counters::default(), TaskTracker::new());
        Self { shared: Arc::new(Shared { client, login, live, counters, sessions }), doors }
    }

    pub(crate) fn live(&self) -> &Live {
        &self.shared.live
    }

    /// Accepts from now on.
    pub(crate) fn start(self) -> Running {
        let (closing, cut, attendants) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let shared = self.shared;
        for door in self.doors {
            let accepting = accept(Arc::clone(&shared), door, cut.clone());
            attendants.spawn(closing.clone().run_until_cancelled_owned(accepting));
        }
        attendants.spawn(cut.clone().run_until_cancelled_owned(attend(Arc::clone(&shared))));
        attendants.spawn(cut.clone().run_until_cancelled_owned(stay_logged_in(Arc::clone(&shared))));
        Running { shared, closing, cut, attendants }
    }
}

impl Running {
    pub(crate) fn live(&self) -> &Live {
        &self.shared.live
    }

    /// Sessions that are open.
    pub(crate) fn sessions(&self) -> usize {
        self.shared.sessions.len()
    }

    /// Lets nobody in any more; who is in stays.
    pub(crate) fn stop_accepting(&self) {
        self.closing.cancel();
    }

    /// Waits until every session has ended, at most `deadline`; says whether they have.
    pub(crate) async fn drained(&self, deadline: Duration) -> bool {
        self.shared.sessions.close();
        timeout(deadline, self.shared.sessions.wait()).await.is_ok()
    }

    /// Cuts what is left and ends the links.
    pub(crate) async fn close(self) {
        self.closing.cancel();
        self.cut.cancel();
        self.attendants.close();
        self.attendants.wait().await;
        self.shared.sessions.close();
        self.shared.sessions.wait().await;
        self.shared.live.stop();
        if let Ok(shared) = Arc::try_unwrap(self.shared).map_err(drop) {
            shared.client.close(FAREWELL).await;
        }
    }
}

async fn accept(shared: Arc<Shared>, door: Door, cut: CancellationToken) {
    let Door { listener, way } = door;
    let way = Arc::new(way);
    loop {
        match listener.accept().await {
            Ok(local) => {
                let session = Arc::clone(&shared).session(Arc::clone(&way), local);
                shared.sessions.spawn(cut.clone().run_until_cancelled_owned(session));
            }
            Err(error) => {
                // Out of file descriptors, most often: others must end first.
                shared.live.warn(&format!("a local connection could not be accepted: {error}"));
                sleep(BREATH).await;
            }
        }
    }
}

impl Shared {
    async fn session(self: Arc<Self>, way: Arc<Way>, mut local: LocalStream) {
        let client = local.client();
        if let Err(error) = way.guard.check(&local) {
            self.live.warn(&format!("refused {client}: {error}"));
            return local.abort();
        }
        let request = StreamRequest {
            connection: way.connection.clone(),
            client_address: Some(client.clone()),
            local_password: way.password.clone(),
        };
        let remote = match self.client.open(&request).await {
            Ok(remote) => remote,
            Err(error) => {
                self.not_opened(&client, &error).await;
                return local.abort();
            }
        };
        match forward(&mut local, remote, &self.counters).await {
            Ok(()) => tracing::debug!(client, "a session ended"),
            Err(ForwardError::Local(error)) => {
                tracing::debug!(client, %error, "a local client broke off");
                local.abort();
            }
            Err(ForwardError::Remote(error)) => {
                self.live.warn(&format!("the session of {client} was cut: {error}"));
                local.abort();
            }
        }
    }

    async fn not_opened(&self, client: &str, error: &OpenError) {
        self.live.warn(&format!("the session of {client} was not opened: {error}"));
        if let OpenError::Unauthenticated(_) = error {
            self.log_in_again().await;
        }
    }

    /// The gateway does not take a token that should last (it may have new keys): the next one may do.
    async fn log_in_again(&self) {
        if let Err(failure) = self.login.replace().await {
            tracing::info!(what = failure.what(), "the login could not be renewed");
        }
    }
}

/// Keeps the live line true, and says changes of state.
async fn attend(shared: Arc<Shared>) {
    let mut states = shared.client.state();
    let mut redraw = interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = redraw.tick() => {}
            changed = states.changed() => {
                if changed.is_err() {
                    return;
                }
                let state = states.borrow_and_update().clone();
                shared.live.state(&state);
                if let LinkState::Unauthenticated(_) = state {
                    shared.log_in_again().await;
                }
            }
        }
        let state = states.borrow().clone();
        shared.live.update(&state, shared.sessions.len(), &shared.counters);
    }
}

/// Renews the token ahead of its end. A login that is over is said once, and looked for again: a new one may come from another shell.
async fn stay_logged_in(shared: Arc<Shared>) {
    let mut said = false;
    loop {
        let failure = shared.login.keep().await;
        if failure.kind() == FailureKind::NotLoggedIn && !std::mem::replace(&mut said, true) {
            shared.live.warn(&format!("{}; sessions end with the token, run `hoop login`", failure.what()));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// How long the last frames of a link may take.
const FAREWELL: Duration = Duration::from_secs(1);
const BREATH: Duration = Duration::from_millis(100);
const LOOK_AGAIN: Duration = Duration::from_secs(15);
