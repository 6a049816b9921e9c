//! Where a tunnel listens: the protocol's usual port or the next free one, the port asked for, or a private Unix socket.

use hoop_gateway_core::model::ConnectionKind;
use hoop_tunnel::listener::{ListenError, LocalListener, Port};

use crate::{arguments::ConnectArguments, context::Context, failure::Failure, private_file::create_private_folder};

/// `PostgreSQL`'s.
pub(super) const USUAL_PORT: u16 = 5432;

/// What many use where 22 is the machine's own.
const USUAL_SSH_PORT: u16 = 2222;

/// What many expect an API of their own machine at.
const USUAL_HTTP_PORT: u16 = 8080;

pub(super) async fn listen(
    arguments: &ConnectArguments,
    kind: ConnectionKind,
    context: &Context,
) -> Result<LocalListener, Failure> {
    if arguments.socket && kind == ConnectionKind::Ssh {
        return Err(Failure::failed("an ssh connection is opened on a port").next("leave `--socket` out"));
    }
    if arguments.socket {
        return socket(arguments, kind, context).await;
    }
    let usual = match kind {
        ConnectionKind::Postgres => USUAL_PORT,
        ConnectionKind::Ssh => USUAL_SSH_PORT,
        ConnectionKind::Http | ConnectionKind::Llm | ConnectionKind::Mcp => USUAL_HTTP_PORT,
    };
    let wanted = arguments.port.map_or(Port::From(usual), Port::Exactly);
    LocalListener::tcp(wanted).await.map_err(|error| failure(&error))
}

/// A socket, named as `PostgreSQL`'s clients look for it where they do; a tunnel that lives already keeps its own.
async fn socket(
    arguments: &ConnectArguments,
    kind: ConnectionKind,
    context: &Context,
) -> Result<LocalListener, Failure> {
    let folder = context.directories.state().join("sockets");
    create_private_folder(&folder)?;
    let folder = folder.join(arguments.name.as_str());
    let (name, usual) = if kind.is_http() { ("http", USUAL_HTTP_PORT) } else { (".s.PGSQL", USUAL_PORT) };
    for number in usual..usual + MOST_SOCKETS {
        match LocalListener::unix(folder.join(format!("{name}.{number}"))).await {
            Err(ListenError::Alive(_)) => {}
            bound => return bound.map_err(|error| failure(&error)),
        }
    }
    Err(Failure::failed(format!("{MOST_SOCKETS} tunnels to `{}` have sockets already", arguments.name)))
}

fn failure(error: &ListenError) -> Failure {
    let failure = Failure::failed("the tunnel cannot listen").caused_by(error);
    match error {
        ListenError::Taken(_) => failure.next("choose another `--port`, or none for the next free one"),
        ListenError::Port(..) => failure.next("choose a `--port` above 1023, or none"),
        ListenError::Socket(..) => {
            failure.next("use a port instead, or set HOOP_STATE_HOME to a short path of your own")
        }
        ListenError::Alive(_) => failure,
    }
}

const MOST_SOCKETS: u16 = 100;
