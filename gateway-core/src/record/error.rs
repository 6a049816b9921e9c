//! What can go wrong with the recording. Every one of these refuses: what is not recorded does not pass.

use std::{io, path::PathBuf, sync::Arc};

/// Why something could not be recorded, opened or read. Holds no recorded content.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// A write or sync failed once; this recorder is over, and the gateway refuses until it is restarted.
    #[error(
        "the recorder has failed and records nothing more: {0}; free space or replace the disk, then restart the gateway"
    )]
    Failed(Arc<str>),
    /// Another process has the log.
    #[error("another gateway holds the recordings in {}; stop it, or give this one its own data_dir", .0.display())]
    Locked(PathBuf),
    /// The log is not what this gateway wrote.
    #[error("the recordings are damaged at {}:{offset}: {what}; keep the folder, run `hoop audit verify`, restore from a copy", .file.display())]
    Tampered {
        /// The segment.
        file: PathBuf,
        /// The byte in it.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A file cannot be used.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
    /// A key file is not a key, or others may read it.
    #[error("the key {} cannot be used: {why}", .path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// One record would be larger than a record may be.
    #[error("a record of {length} bytes is larger than {limit} bytes")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The disk does not keep up.
    #[error("more than {limit} bytes wait for the disk; refused until it catches up")]
    Backlog {
        /// The limit.
        limit: usize,
    },
    /// The system gave no randomness.
    #[error("the system gives no random bytes")]
    Randomness,
    /// No such session in the recordings.
    #[error("no recording of session {0}")]
    NoSession(String),
}

impl RecordError {
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { action, path: path.into(), source: Arc::new(source) }
    }
}
