//! Small files that a power failure must not take back: keys, and who is logged out. Mode 0600.
//!
//! A file is on the disk only when its folder is too: a name that was made or changed is an entry of the folder, which is
//! written when the system likes unless it is asked. Knows nothing of what is kept.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Makes a file that must not be there yet.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    fill(file, content)?;
    settle(path)
}

/// Makes a file, or puts another in its place: whole, or not at all.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    fill(file, content)?;
    fs::rename(&beside, path)?;
    settle(path)
}

fn fill(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// The folder, which has the name, and the one around it, where the folder itself may be new.
fn settle(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let around = folder.parent().filter(|around| !around.as_os_str().is_empty());
    // A relative path without a folder is in the current one.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()?;
    // One that this user may not read was there before.
    around.and_then(|around| File::open(around).ok()).map_or(Ok(()), |around| around.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_made_once_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, b"first").unwrap();
        assert_eq!(create(&path, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        replace(&path, b"third").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(replace(&folder.path().join("gone/key"), b"x").is_err());
    }
}
