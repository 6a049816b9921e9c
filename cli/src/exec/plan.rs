//! What the keepers of a run are told, and what they tell: plain values that cross the socket between them.
//!
//! Environment and arguments are bytes, as the system has them. Knows nothing of how any of it is done.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// The command of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    /// What is run, and its arguments.
    pub(super) command: Vec<Text>,
    /// Its whole environment; in a jail, without what only the ports are known for.
    pub(super) environment: Vec<(Text, Text)>,
    /// The folder it starts in.
    pub(super) folder: PathBuf,
}

/// What a jail is made of. Paths are absolute and exist.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct JailPlan {
    /// How many listeners are wanted.
    pub(super) listeners: usize,
    /// What may be read and run.
    pub(super) read: Vec<PathBuf>,
    /// What may be written.
    pub(super) write: Vec<PathBuf>,
    /// Links that lead to what may be read: where they are, and what they say.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// The person's home: empty inside.
    pub(super) home: PathBuf,
    /// Sockets that listened in the folders above when the run began: covered.
    pub(super) sockets: Vec<PathBuf>,
}

impl JailPlan {
    /// The same, which shows a folder of the run's own besides.
    pub(super) fn showing(mut self, folder: Option<&std::path::Path>) -> Self {
        self.read.extend(folder.map(std::path::Path::to_path_buf));
        self
    }
}

/// What a keeper is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Order {
    /// First of all in a jail: make it and its listeners.
    Jail(JailPlan),
    /// Start the command. Its standard input comes beside it.
    Start(Plan),
    /// Pass this signal on.
    Signal(i32),
}

/// What a keeper tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Word {
    /// The jail's listeners, which come beside it, in pairs of IPv4 and IPv6.
    Listening(Vec<u16>),
    /// The command runs.
    Started,
    /// The command ended.
    Ended(Ending),
    /// It could not be done.
    Failed(Trouble),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ending {
    /// With a status.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

/// Why a keeper could not go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trouble {
    /// What could not be done.
    pub(super) what: String,
    /// Why.
    pub(super) why: String,
    /// What to do about it.
    pub(super) next: Option<String>,
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self { what: what.into(), why: why.to_string(), next: None }
    }

    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// Text of the system: bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Text(Vec<u8>);

impl From<OsString> for Text {
    fn from(text: OsString) -> Self {
        Self(text.into_vec())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl Text {
    pub(super) fn as_os(&self) -> &std::ffi::OsStr {
        std::ffi::OsStr::from_bytes(&self.0)
    }
}

impl Ending {
    /// The status and the signal, of which there is one.
    pub(super) const fn parts(self) -> (Option<i32>, Option<i32>) {
        match self {
            Self::Status(status) => (Some(status), None),
            Self::Signal(signal) => (None, Some(signal)),
        }
    }
}
