//! A Unix socket that only its own user can reach: mode 0600, in a directory of mode 0700 that belongs to us.
//!
//! INVARIANT: the directory is private before the socket exists, so there is no moment in which another user could connect.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::ListenError;

#[derive(Debug)]
pub(super) struct PrivateSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl PrivateSocket {
    pub(super) async fn bind(path: PathBuf) -> Result<Self, ListenError> {
        if UnixStream::connect(&path).await.is_ok() {
            return Err(ListenError::Alive(path));
        }
        match Self::bind_dead(&path) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(error) => Err(ListenError::Socket(path, error)),
        }
    }

    fn bind_dead(path: &Path) -> io::Result<UnixListener> {
        let directory =
            path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no directory"))?;
        make_private(directory)?;
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for PrivateSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the tunnel's socket could not be removed");
        }
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = fs::symlink_metadata(directory)?;
    let ours = found.uid() == nix::unistd::geteuid().as_raw();
    if !found.is_dir() || !ours || found.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "its directory is open to others; make it yours with mode 0700",
        ));
    }
    Ok(())
}
