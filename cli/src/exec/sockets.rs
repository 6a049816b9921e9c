//! Where a run's tunnels listen that no jail makes: ports of this machine, or sockets in a folder of the run's own.

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
    let made = tempfile::Builder::new().prefix("run-").tempdir_in(parent);
    made.map_err(|error| Failure::failed("there is no folder for the run's sockets").caused_by(&error))
}

/// A listener for each connection: on a port, or for databases in the folder, where there is one.
pub(super) async fn listen(
    connections: &[ConnectionItem],
    folder: Option<&TempDir>,
) -> Result<Vec<LocalListener>, Failure> {
    let mut listeners = Vec::new();
    for connection in connections {
        let folder = folder.filter(|_| connection.kind == ConnectionKind::Postgres).map(TempDir::path);
        listeners.push(one(connection, folder).await?);
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
