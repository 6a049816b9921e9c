//! Where a run's tunnels listen: ports of this machine or of the jail, or sockets in a folder of the run's own.

use std::path::Path;

use hoop_gateway_core::{api::types::ConnectionItem, model::ConnectionKind};
use hoop_tunnel::listener::{Bound, LocalListener, Port};
use tempfile::TempDir;

use super::environment::HOST;
use crate::{context::Context, failure::Failure, private_file::create_private_folder};

/// The number in the name of a socket that `PostgreSQL`'s clients look for.
const NUMBER: u16 = 5432;

/// A private folder for the sockets of one run; gone with it.
pub(super) fn folder(context: &Context) -> Result<TempDir, Failure> {
    let parent = context.directories.state().join("sockets");
    create_private_folder(&parent)?;
    let failed = |error: std::io::Error| Failure::failed("there is no folder for the run's sockets").caused_by(&error);
    // A jail shows places by their real paths.
    let parent = std::fs::canonicalize(parent).map_err(failed)?;
    let made = tempfile::Builder::new().prefix("run-").tempdir_in(parent);
    made.map_err(failed)
}

/// A listener for each connection: for databases in the folder, where there is one; else on a port, of those that a jail
/// made where there is a jail.
pub(super) async fn listen(
    connections: &[ConnectionItem],
    folder: Option<&Path>,
    inside: Option<Vec<LocalListener>>,
) -> Result<Vec<LocalListener>, Failure> {
    let mut listeners = Vec::new();
    let mut inside = inside.map(Vec::into_iter);
    for connection in connections {
        let folder = folder.filter(|_| connection.kind == ConnectionKind::Postgres);
        // One for each connection: what a socket stands for is closed.
        let port = match inside.as_mut().map(Iterator::next) {
            Some(None) => return Err(Failure::internal("there are fewer listeners than connections")),
            Some(made) => made,
            None => None,
        };
        listeners.push(match port.filter(|_| folder.is_none()) {
            Some(port) => port,
            None => one(connection, folder).await?,
        });
    }
    Ok(listeners)
}

async fn one(connection: &ConnectionItem, folder: Option<&Path>) -> Result<LocalListener, Failure> {
    let listener = match folder {
        Some(folder) => {
            LocalListener::unix(folder.join(connection.name.as_str()).join(format!(".s.PGSQL.{NUMBER}"))).await
        }
        None => LocalListener::tcp(Port::Exactly(0)).await,
    };
    listener.map_err(|error| {
        let failure = Failure::failed("a tunnel cannot listen").caused_by(&error);
        if folder.is_some() {
            return failure.next("use ports instead, or set HOOP_STATE_HOME to a short path of your own");
        }
        failure
    })
}

/// The address or folder, and the port, as clients are told them.
pub(super) fn place(bound: Bound) -> (String, u16) {
    match bound {
        Bound::Tcp { port, .. } => (HOST.to_owned(), port),
        Bound::Unix(path) => (path.parent().map_or_else(String::new, |folder| folder.display().to_string()), NUMBER),
    }
}
