//! `hoop connect`: a local port that leads to one connection, until Ctrl-C or until the native client ends.
//!
//! Puts the parts together: login, link, local listener, what is printed. The bytes are `hoop_tunnel`'s business.

mod access;
mod address;
mod child;
mod link;
mod live;
mod place;
pub(crate) mod ssh;
mod stdio;
mod tunnel;

pub(crate) use self::{
    access::{Asked, obtain as obtain_access},
    address::{encoded as percent_encoded, url_variable},
    link::{connect as link, jitter, random},
    live::Live,
    tunnel::{Door, Guard, Tunnel, Way},
};

use std::{sync::Arc, time::Duration};

use hoop_gateway_core::{
    api::types::{ConnectionItem, MayConnect},
    model::ConnectionName,
};
use hoop_tunnel::peer::{self, Descent, PeerCheck};
use secrecy::SecretString;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    api_client::Api,
    arguments::ConnectArguments,
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    login::{FreshLogin, Login},
};
use address::{Access, Opened};

/// Opens the tunnel and keeps it; with `--`, for as long as the client runs.
pub(crate) async fn run(arguments: ConnectArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut interrupts = Interrupts::new()?;
    if arguments.stdio {
        return Box::pin(stdio::run(&arguments.name, context, &mut interrupts)).await;
    }
    let connection = tokio::select! {
        found = find(context, &arguments.name) => found?,
        () = interrupts.next() => return Err(Failure::interrupted()),
    };
    let asked = Asked { reason: arguments.request.clone(), lasting: arguments.lasting, as_agent: None };
    Box::pin(access::obtain(&asked, &connection, context, interrupts.next())).await?;
    tokio::select! {
        opened = Box::pin(open(&arguments, connection, context)) => {
            let ready = opened?;
            match arguments.client {
                Some(client) => Box::pin(with_client(ready, client)).await,
                None => Box::pin(until_interrupted(ready, context, &mut interrupts)).await,
            }
        }
        () = interrupts.next() => Err(Failure::interrupted()),
    }
}

/// A tunnel that is open, and how a client gets in.
struct Ready {
    tunnel: Tunnel,
    opened: Opened,
    password: Option<SecretString>,
}

async fn open(arguments: &ConnectArguments, connection: ConnectionItem, context: &Context) -> Result<Ready, Failure> {
    if connection.kind.is_http() && arguments.client.is_some() {
        let kind = connection.kind.as_str();
        let failure = Failure::failed(format!("`--` starts psql, and this is a {kind} connection"));
        return Err(failure.next(format!("run `hoop exec -c {} -- COMMAND`, or use the URL", arguments.name)));
    }
    let gateway = context.gateway()?;
    let login = Login::load(context, &gateway).await?;
    let user = login.stored().principal.name.to_string();
    let login = Arc::new(FreshLogin::new(login));
    let client = link::connect(context, &gateway, Arc::<FreshLogin>::clone(&login)).await?;
    let listener = place::listen(arguments, connection.kind, context).await?;
    let check = peer::available().await;
    if connection.kind.is_http() && (arguments.password || check == PeerCheck::Password) {
        // FAIL-CLOSED: nothing would keep other users of this machine out.
        let failure = Failure::failed("a password on the local end is not built for connections over HTTP");
        return Err(failure.next("leave `--password` out; this system has to tell whose a local connection is"));
    }
    let password = (arguments.password || check == PeerCheck::Password).then(random_password).transpose()?;
    let access = Access { user, database: connection.database, password: password.clone() };
    let mut opened = Opened::new(&arguments.name, connection.kind, listener.bound(), &access, check);
    if let Some(keys) = &connection.ssh {
        let known = ssh::KnownHost::remember(context, &gateway, keys)?;
        opened.command = known.command(opened.port);
        opened.known = Some(known);
    }
    let live = Live::start(&context.output, &opened, arguments.client.is_none());
    let guard = match check {
        PeerCheck::SameUser => Guard::Descent(Descent::NoRun),
        PeerCheck::Password => Guard::Password,
    };
    let door =
        Door { listener, way: Way { connection: arguments.name.to_string(), guard, password: password.clone() } };
    let tunnel = Tunnel::new(client, vec![door], login, live);
    Ok(Ready { tunnel, opened, password })
}

/// A connection that the caller may use.
pub(crate) async fn find(context: &Context, name: &ConnectionName) -> Result<ConnectionItem, Failure> {
    let connections: Vec<ConnectionItem> = Api::new(context).await?.get("/api/v1/connections").await?;
    let found = connections.into_iter().find(|connection| connection.name == *name);
    found.filter(|connection| connection.may_connect != MayConnect::No).ok_or_else(|| {
        Failure::new(FailureKind::Refused, format!("there is no connection `{name}` that you may use"))
            .next("`hoop ls` lists those you may use")
    })
}

async fn until_interrupted(
    ready: Ready,
    context: &Context,
    interrupts: &mut Interrupts,
) -> Result<ExitStatus, Failure> {
    context.output.value("tunnel", &ready.opened, Opened::text)?;
    ready.tunnel.live().note(&ready.opened.greeting());
    let tunnel = ready.tunnel.start();
    interrupts.next().await;
    tunnel.stop_accepting();
    let open = tunnel.sessions();
    if open > 0 {
        let (sessions, seconds) = (live::plural(open, "session"), DRAIN.as_secs());
        tunnel.live().note(&format!("Closing: {sessions} may finish within {seconds} s; Ctrl-C again cuts."));
    }
    let drained = tokio::select! {
        drained = tunnel.drained(DRAIN) => drained,
        () = interrupts.next() => false,
    };
    tunnel.close().await;
    if drained { Ok(ExitStatus::SUCCESS) } else { Err(Failure::interrupted().because("open sessions were cut")) }
}

async fn with_client(ready: Ready, arguments: Vec<std::ffi::OsString>) -> Result<ExitStatus, Failure> {
    let command = child::client(&ready.opened, ready.password.as_ref(), arguments);
    ready.tunnel.live().note(&ready.opened.greeting());
    let tunnel = ready.tunnel.start();
    let status = child::run(command).await;
    tunnel.stop_accepting();
    tunnel.drained(AFTER_CLIENT).await;
    tunnel.close().await;
    status
}

/// How long open sessions may take to finish after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the last bytes may take after the client ended.
const AFTER_CLIENT: Duration = Duration::from_secs(1);

/// Ctrl-C and its like, from the first moment on: none is lost between two waits.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupts {
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::internal("signals are not heard").caused_by(&error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// 128 random bits, in letters and digits that no shell or URL minds.
pub(crate) fn random_password() -> Result<SecretString, Failure> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    Ok(URL_SAFE_NO_PAD.encode(random::<16>()?).into())
}
