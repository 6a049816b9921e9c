//! Files that are this user's and nobody else's: written whole with mode 0600, read only if surely still so.

use std::{
    fs::{self, File, Metadata},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::fcntl::OFlag;

use crate::failure::Failure;

/// Makes a folder, and those above it, that only its owner may enter.
pub(crate) fn create_private_folder(folder: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::failed(format!("{} could not be created", folder.display())).caused_by(&error))
}

/// Writes a file that only its owner may read, complete or not at all: beside it first, synced, then renamed.
pub(crate) fn replace_private_file(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        remove_stale(&beside)?;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        drop(fs::remove_file(&beside));
        Failure::failed(format!("{} could not be written", path.display())).caused_by(&error)
    })
}

/// Removes a file; its absence is fine.
pub(crate) fn remove_file(path: &Path) -> Result<(), Failure> {
    remove_stale(path)
        .map_err(|error| Failure::failed(format!("{} could not be removed", path.display())).caused_by(&error))
}

fn remove_stale(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Who else may read a file of ours. Nobody else may ever write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Only its owner: it holds a secret.
    OwnerOnly,
    /// Anybody: it only has to be ours, such as a certificate.
    Anybody,
}

/// Reads a file of ours; `None` where there is none. Refuses links, other owners, loose permissions and oversize.
pub(crate) fn read(path: &Path, readers: Readers) -> Result<Option<String>, Failure> {
    let Some(file) = open(path)? else { return Ok(None) };
    let metadata = file.metadata().map_err(|error| unreadable(path).caused_by(&error))?;
    check(path, &metadata, readers)?;
    let mut text = String::new();
    (&file).take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| unreadable(path).caused_by(&error))?;
    Ok(Some(text))
}

const MAX_FILE_BYTES: u64 = 256 * 1024;

fn open(path: &Path) -> Result<Option<File>, Failure> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path).caused_by(&error)),
    }
}

fn check(path: &Path, file: &Metadata, readers: Readers) -> Result<(), Failure> {
    let myself = nix::unistd::geteuid().as_raw();
    if !file.is_file() {
        return Err(unreadable(path).because("it is not a plain file"));
    }
    if file.uid() != myself {
        return Err(unreadable(path).because(format!("it belongs to user {}, not to you ({myself})", file.uid())));
    }
    let (forbidden, wanted) = match readers {
        Readers::OwnerOnly => (0o077, "0600"),
        Readers::Anybody => (0o022, "0644"),
    };
    if file.mode() & forbidden != 0 {
        let mode = file.mode() & 0o7777;
        return Err(unreadable(path).because(format!("others can use it: its mode is {mode:04o}, not {wanted}")));
    }
    if file.len() > MAX_FILE_BYTES {
        return Err(unreadable(path).because("it is far larger than it should be"));
    }
    let folder = path.parent().map(fs::metadata).transpose().map_err(|error| unreadable(path).caused_by(&error))?;
    match folder {
        Some(folder) if folder.uid() == myself && folder.mode() & 0o022 == 0 => Ok(()),
        _ => Err(unreadable(path).because("its folder belongs to, or can be changed by, somebody else")),
    }
}

fn unreadable(path: &Path) -> Failure {
    Failure::failed(format!("{} is not used", path.display())).next("find out who changed it, and remove it")
}
