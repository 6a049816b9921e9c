//! `hoop mcp`: an MCP connection as a command that speaks over standard input and output.
//!
//! Finds the way to the connection: the run's own tunnel, or one that this process opens. What crosses it is `bridge`'s
//! business, what may cross it the gateway's.

mod bridge;
mod exchange;
mod message;

use std::sync::Arc;

use hoop_gateway_core::model::{ConnectionKind, ConnectionName};
use hoop_tunnel::{
    listener::{Bound, LocalListener, Port},
    peer::{self, Descent, PeerCheck},
};

use crate::{
    arguments::McpArguments,
    connect::{self, Asked, Door, Guard, Interrupts, Live, Tunnel, Way},
    context::Context,
    failure::{ExitStatus, Failure},
    login::{FreshLogin, Login, Renewal},
};
use bridge::Bridge;
use exchange::Server;

/// Carries messages until standard input ends.
pub(crate) async fn run(arguments: McpArguments, context: &Context) -> Result<ExitStatus, Failure> {
    if !arguments.path.starts_with('/') {
        return Err(Failure::usage("the path begins with a slash"));
    }
    // Of a run's surroundings, which hold no login, this is what leads on.
    if let Ok(url) = std::env::var(connect::url_variable(arguments.name.as_str())) {
        let server = Server::new(&format!("{}{}", url.trim_end_matches('/'), arguments.path))?;
        return Box::pin(Bridge::new(server).carry()).await;
    }
    let mut interrupts = Interrupts::new()?;
    let (tunnel, port) = tokio::select! {
        opened = Box::pin(open(&arguments.name, context)) => opened?,
        () = interrupts.next() => return Err(Failure::interrupted()),
    };
    let server = Server::new(&format!("http://127.0.0.1:{port}{}", arguments.path))?;
    let running = tunnel.start();
    let outcome = tokio::select! {
        outcome = Box::pin(Bridge::new(server).carry()) => outcome,
        () = interrupts.next() => Err(Failure::interrupted()),
    };
    running.close().await;
    outcome
}

/// A tunnel that only this user's processes enter, of which this one does.
async fn open(name: &ConnectionName, context: &Context) -> Result<(Tunnel, u16), Failure> {
    let connection = connect::find(context, name).await?;
    if connection.kind != ConnectionKind::Mcp {
        let what = format!("{name} is a connection of kind {}, not mcp", connection.kind.as_str());
        return Err(Failure::usage(what).next("`hoop connect` opens it"));
    }
    let mut interrupts = Interrupts::new()?;
    connect::obtain_access(&Asked::default(), &connection, context, interrupts.next()).await?;
    if peer::available().await == PeerCheck::Password {
        // FAIL-CLOSED: nothing would keep other users of this machine out.
        let failure = Failure::failed(format!("{name} cannot be guarded here"));
        return Err(failure.because("this system does not tell whose a local connection is"));
    }
    let gateway = context.gateway()?;
    let login: Arc<dyn Renewal> = Arc::new(FreshLogin::new(Login::load(context, &gateway).await?));
    let link = connect::link(context, &gateway, Arc::clone(&login)).await?;
    let listener = LocalListener::tcp(Port::Exactly(0)).await;
    let listener = listener.map_err(|error| Failure::failed("the tunnel cannot listen").caused_by(&error))?;
    let Bound::Tcp { port, .. } = listener.bound() else { return Err(Failure::internal("a port was asked for")) };
    let way = Way { connection: name.to_string(), guard: Guard::Descent(Descent::NoRun), password: None };
    Ok((Tunnel::new(link, vec![Door { listener, way }], login, Live::silent(&context.output)), port))
}
