//! What travels: a command, a shell, or one request for a file.
//!
//! A [`SshRequest`] is what is decided, recorded and forwarded.

use std::fmt;

use bytes::Bytes;

use super::forward::ForwardTarget;
use crate::model::flow::Digestible;

/// A terminal that a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// What it is called: `xterm-256color`.
    pub name: String,
    /// Columns and rows.
    pub size: TerminalSize,
    /// Its modes, as the client sent them: opcode and value. SPEC: RFC 4254, 8.
    pub modes: Vec<(u8, u32)>,
}

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// Width in pixels, 0 where it is not said.
    pub pixel_width: u32,
    /// Height in pixels, 0 where it is not said.
    pub pixel_height: u32,
}

/// What a channel is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The terminal, where one was asked for.
    pub terminal: Option<Terminal>,
    /// Variables that the site lets through.
    pub environment: Vec<(String, String)>,
}

/// One thing that a client asks of a machine.
#[derive(Clone)]
pub enum SshRequest {
    /// A command line, for the account's shell.
    Exec {
        /// Its bytes.
        command: Bytes,
        /// What it runs in.
        within: Surroundings,
    },
    /// An interactive shell.
    Shell {
        /// What it runs in.
        within: Surroundings,
    },
    /// The beginning of SFTP; each file is asked for by itself then.
    Files {
        /// What it runs in.
        within: Surroundings,
    },
    /// One packet of SFTP.
    File(FileRequest),
    /// A way through the machine.
    Forward {
        /// Where it leads.
        to: ForwardTarget,
        /// Which known protocol goes over it: asked besides, once its first bytes are seen.
        carries: Option<&'static str>,
    },
    /// A line of a shell, as its screen shows it.
    Line {
        /// Its text; empty where the screen does not show it.
        line: Bytes,
        /// The key that runs it.
        enter: Bytes,
    },
}

impl fmt::Debug for SshRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Exec { .. } => "Exec",
            Self::Shell { .. } => "Shell",
            Self::Files { .. } => "Files",
            Self::File(_) => "File",
            Self::Forward { .. } => "Forward",
            Self::Line { .. } => "Line",
        })
    }
}

impl Digestible for SshRequest {
    fn parts(&self, sink: &mut dyn FnMut(&[u8])) {
        let within = match self {
            Self::Exec { command, within } => {
                sink(b"exec");
                sink(command);
                within
            }
            Self::Shell { within } => {
                sink(b"shell");
                within
            }
            Self::Files { within } => {
                sink(b"sftp");
                within
            }
            Self::File(request) => {
                sink(b"file");
                sink(request.packet.get(9..).unwrap_or_default());
                return;
            }
            Self::Forward { to, carries } => {
                sink(b"forward");
                sink(to.to_string().as_bytes());
                sink(carries.unwrap_or_default().as_bytes());
                return;
            }
            Self::Line { line, .. } => {
                sink(b"line");
                sink(line);
                return;
            }
        };
        sink(if within.terminal.is_some() { b"terminal" } else { b"no terminal" });
        for (name, value) in &within.environment {
            sink(name.as_bytes());
            sink(value.as_bytes());
        }
    }
}

/// A path as a client wrote it: bytes, as file systems have them.
pub type RawPath = Bytes;
/// What a server calls an open file: any bytes.
pub type Handle = Bytes;

/// A packet of SFTP that was read whole.
#[derive(Debug, Clone)]
pub struct FileRequest {
    /// The number that the answer carries.
    pub id: u32,
    /// What it asks.
    pub asks: FileAsks,
    /// The very bytes, with their length before them.
    pub packet: Bytes,
}

/// What SETSTAT changes; both, where a packet says both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// The size: a file is cut.
    pub size: bool,
    /// Owner, mode or times; or nothing, which is asked like them.
    pub rights: bool,
}

/// What a packet of SFTP asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAsks {
    /// Opens a file.
    Open {
        /// Which.
        path: RawPath,
        /// Its content may be read.
        reads: bool,
        /// Its content may be changed.
        writes: bool,
        /// It is made so that whoever runs it does so as its owner or group.
        lends: bool,
    },
    /// Lists a folder.
    OpenFolder(RawPath),
    /// Facts of a path, or where it leads: STAT, LSTAT, READLINK, `statvfs`.
    Look(RawPath),
    /// The canonical form of a path.
    RealPath(RawPath),
    /// Changes owner, mode, size or times.
    SetAttributes {
        /// Of which path.
        path: RawPath,
        /// What of it.
        changes: Changes,
    },
    /// The same, of an open file.
    SetHandleAttributes {
        /// Which.
        handle: Handle,
        /// What of it.
        changes: Changes,
    },
    /// Removes a file.
    Remove(RawPath),
    /// Removes a folder.
    RemoveFolder(RawPath),
    /// Makes a folder.
    MakeFolder(RawPath),
    /// Renames.
    Rename(RawPath, RawPath),
    /// Makes a link: the path it leads to, and where it is.
    Link(RawPath, RawPath),
    /// Content from an open file.
    Read {
        /// Which.
        handle: Handle,
        /// From where.
        offset: u64,
        /// How much at most.
        length: u32,
    },
    /// Content for an open file.
    Write {
        /// Which.
        handle: Handle,
        /// To where.
        offset: u64,
        /// What.
        content: Bytes,
    },
    /// Anything else about an open file that changes nothing: CLOSE, FSTAT, READDIR, `fsync`, `fstatvfs`.
    Continue(Handle),
    /// The end of an open file.
    Close(Handle),
    /// The limits of the server; nothing is touched.
    Limits,
    /// What is not known; refused.
    Other,
}
