//! The typed units of the protocol: frames, and what a frontend sends. What a backend sends is in [`backend`].
//!
//! Plain values over shared bytes. Parsing and encoding live in [`super::codec`]. `Debug` shows sizes, never statement
//! text, parameters or passwords, so that no log can hold them by accident.

pub mod backend;

use std::fmt;

use bytes::Bytes;

/// A whole message: its tag and its body, without the length word.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The first byte, which says the type.
    pub tag: u8,
    /// Everything after the length.
    pub body: Bytes,
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Frame({}, {} bytes)", char::from(self.tag).escape_default(), self.body.len())
    }
}

/// UTF-8 text without NUL, shared with the frame it came from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// Takes bytes that are UTF-8 and hold no NUL; returns `None` for any other.
    pub fn new(bytes: Bytes) -> Option<Self> {
        (!bytes.contains(&0) && std::str::from_utf8(&bytes).is_ok()).then_some(Self(bytes))
    }

    /// Copies text; returns `None` when it holds a NUL.
    pub fn copied(text: &str) -> Option<Self> {
        Self::new(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // INVARIANT: checked in `new`; the empty string is what a broken proof would show.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes, without a terminator.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it; the unnamed statement and portal are empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Text({} bytes)", self.0.len())
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// As the type's output function writes it.
    #[default]
    Text,
    /// As the type's send function writes it.
    Binary,
}

impl Format {
    /// The format of column `index` under PostgreSQL's rule: no code means text, one code means all.
    /// Returns `None` when there are several codes and none for this column.
    pub fn of_column(codes: &[Self], index: usize) -> Option<Self> {
        match codes {
            [] => Some(Self::Text),
            [all] => Some(*all),
            each => each.get(index).copied(),
        }
    }
}

/// What a frontend sends after startup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frontend {
    /// `Q`: run text that may hold several statements.
    Query(Query),
    /// `P`: make a prepared statement.
    Parse(Parse),
    /// `B`: give parameters to a prepared statement.
    Bind(Bind),
    /// `D`: describe a statement or portal.
    Describe(Target),
    /// `E`: run a portal.
    Execute(Execute),
    /// `C`: close a statement or portal.
    Close(Target),
    /// `H`: send what is pending.
    Flush,
    /// `S`: end of an extended-protocol batch.
    Sync,
    /// `F`: the fast path, which names a function by oid.
    FunctionCall(FunctionCall),
    /// `d`: a piece of COPY input.
    CopyData(Bytes),
    /// `c`: the end of COPY input.
    CopyDone,
    /// `f`: COPY input failed.
    CopyFail(Text),
    /// `p`: a password or SASL answer, only wanted during the handshake.
    Password(Secret),
    /// `X`: goodbye.
    Terminate,
}

/// A simple query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The statements.
    pub text: Text,
}

/// The making of a prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parse {
    /// Its name; empty for the unnamed one.
    pub name: Text,
    /// One statement.
    pub text: Text,
    /// Parameter types the client fixes; 0 leaves one open.
    pub parameter_types: Vec<u32>,
}

/// Parameters for a prepared statement.
#[derive(Clone, PartialEq, Eq)]
pub struct Bind {
    /// The portal it makes; empty for the unnamed one.
    pub portal: Text,
    /// The statement.
    pub statement: Text,
    /// Formats of the parameters: none, one for all, or one each.
    pub parameter_formats: Vec<Format>,
    /// The parameters; `None` is NULL.
    pub parameters: Vec<Option<Bytes>>,
    /// Formats wanted for the result: none, one for all, or one each.
    pub result_formats: Vec<Format>,
    /// Pseudonyms in the places of parameters, from 0: what the record keeps of these. Never sent.
    pub shown: Vec<(usize, Bytes)>,
}

impl fmt::Debug for Bind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bind")
            .field("portal", &self.portal)
            .field("statement", &self.statement)
            .field("parameters", &self.parameters.len())
            .finish_non_exhaustive()
    }
}

/// A call of a function by its oid, outside of SQL.
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionCall {
    /// The function.
    pub function: u32,
    /// Formats of the arguments: none, one for all, or one each.
    pub argument_formats: Vec<Format>,
    /// The arguments; `None` is NULL.
    pub arguments: Vec<Option<Bytes>>,
    /// The format wanted for the result.
    pub result_format: Format,
}

impl fmt::Debug for FunctionCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FunctionCall")
            .field("function", &self.function)
            .field("arguments", &self.arguments.len())
            .finish_non_exhaustive()
    }
}

/// What Describe and Close name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A prepared statement.
    Statement(Text),
    /// A portal.
    Portal(Text),
}

/// The running of a portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execute {
    /// The portal.
    pub portal: Text,
    /// How many rows at most; 0 for all.
    pub max_rows: i32,
}

/// Bytes that authenticate somebody; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Bytes);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// What a client sends first, before any tagged message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Startup {
    /// Asks for TLS; answered with one byte.
    Ssl,
    /// Asks for GSSAPI encryption; answered with one byte.
    Gss,
    /// Asks to cancel what another connection runs.
    Cancel {
        /// The process id from BackendKeyData.
        process_id: u32,
        /// The key from BackendKeyData.
        key: CancelKey,
    },
    /// Opens a session.
    Start(Start),
}

/// The opening of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The minor version asked for; the major version is 3.
    pub minor: u16,
    /// `user`, `database`, `options` and settings, in order, each once.
    pub parameters: Vec<(Text, Text)>,
    /// Names of protocol options (`_pq_.…`), which are answered as not known.
    pub protocol_options: Vec<Text>,
}

/// The newest minor version of protocol 3 that is spoken towards clients.
pub const NEWEST_MINOR: u16 = 2;

impl Start {
    /// The minor version that the conversation goes on with.
    pub fn spoken_minor(&self) -> u16 {
        self.minor.min(NEWEST_MINOR)
    }

    /// Whether the client must be told that it does not get all it asked for.
    pub fn needs_negotiation(&self) -> bool {
        self.minor > NEWEST_MINOR || !self.protocol_options.is_empty()
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value.as_str())
    }
}

/// The secret half of a cancel request: four bytes in protocol 3.0, up to 256 since 3.2.
#[derive(Clone, PartialEq, Eq)]
pub struct CancelKey(Bytes);

impl CancelKey {
    /// The shortest key, and the only length in protocol 3.0.
    pub const LEAST_BYTES: usize = 4;
    /// The longest key.
    pub const MOST_BYTES: usize = 256;

    /// Takes a key of a length that the protocol knows.
    pub fn new(bytes: Bytes) -> Option<Self> {
        (Self::LEAST_BYTES..=Self::MOST_BYTES).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CancelKey(…)")
    }
}
