//! Cuts a byte stream into frames. Tag and length are checked before anything is kept, so a peer cannot make the
//! gateway hold more than the limit of a tag. The relay's hot path takes a [`Run`] of whole rows as one slice.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::CodecError;
use crate::protocol::postgres::message::{Frame, backend::tag};

/// Limits per tag, in bytes of the body. Beyond a limit the message is refused, never passed on.
pub mod limit {
    /// Statement text: Query and Parse.
    pub const STATEMENT_BYTES: usize = 1 << 20;
    /// Bind and FunctionCall, which carry values.
    pub const BIND_BYTES: usize = 16 << 20;
    /// One CopyData from a client.
    pub const COPY_DATA_BYTES: usize = 64 << 20;
    /// Passwords and SASL answers, as in the server (`PG_MAX_AUTH_TOKEN_LENGTH`).
    pub const PASSWORD_BYTES: usize = 65_535;
    /// Every other frontend message.
    pub const FRONTEND_BYTES: usize = 64 << 10;
    /// A backend message that is held whole; bigger DataRow and CopyData come in chunks.
    pub const BACKEND_BYTES: usize = 16 << 20;
    /// What no server sends or takes (`MaxAllocSize`): beyond it the stream is taken for broken.
    pub const MESSAGE_BYTES: usize = (1 << 30) - 1;
}

/// How far the buffer grows ahead of the bytes that arrived.
const RESERVE_AHEAD_BYTES: usize = 256 << 10;
const HEADER_BYTES: usize = 5;

/// Who sends the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Frontend,
    /// The server.
    Backend,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Frontend => "client",
            Self::Backend => "server",
        })
    }
}

/// What comes off the front of a stream.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// A whole message.
    Frame(Frame),
    /// A part of a DataRow or CopyData too big to hold. It may only be passed on where nothing has to be masked.
    Chunk {
        /// Its tag.
        tag: u8,
        /// The length of the whole body.
        total: usize,
        /// Bytes as they arrived: the header too, in the first chunk.
        bytes: Bytes,
        /// Whether this is the first.
        first: bool,
        /// Whether this is the last.
        last: bool,
    },
    /// A message beyond the limit of its tag. Its body is dropped as it arrives; it must be answered with an error.
    Oversize {
        /// Its tag.
        tag: u8,
        /// The length of its body.
        length: usize,
    },
}

impl fmt::Debug for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(frame) => frame.fmt(formatter),
            Self::Chunk { tag, total, bytes, .. } => {
                write!(formatter, "Chunk({}, {} of {total} bytes)", char::from(*tag), bytes.len())
            }
            Self::Oversize { tag, length } => write!(formatter, "Oversize({}, {length} bytes)", char::from(*tag)),
        }
    }
}

/// Consecutive whole DataRow or CopyData messages, as the bytes they arrived in.
#[derive(Clone, PartialEq, Eq)]
pub struct Run {
    /// The messages with their headers.
    pub bytes: Bytes,
    /// How many there are.
    pub messages: u64,
}

impl fmt::Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Run({} messages, {} bytes)", self.messages, self.bytes.len())
    }
}

/// The state between two reads of one direction.
#[derive(Debug)]
pub struct FrameDecoder {
    side: Side,
    within: Within,
}

#[derive(Debug, Clone, Copy)]
enum Within {
    Start,
    Streaming { tag: u8, total: usize, left: usize },
    Dropping { left: usize },
}

impl FrameDecoder {
    /// A decoder for what a client sends after startup.
    pub fn frontend() -> Self {
        Self { side: Side::Frontend, within: Within::Start }
    }

    /// A decoder for what a server sends.
    pub fn backend() -> Self {
        Self { side: Side::Backend, within: Within::Start }
    }

    /// Whether a part of a message was given out and the rest has not come yet.
    pub fn is_inside(&self) -> bool {
        !matches!(self.within, Within::Start)
    }

    /// Takes the next piece off `buffer`; `Ok(None)` when more bytes are needed. An error means that the stream cannot
    /// be followed any longer: the connection must close.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, CodecError> {
        match self.within {
            Within::Start => {}
            Within::Streaming { tag, total, left } => return Ok(self.continue_chunk(tag, total, left, buffer)),
            Within::Dropping { left } => {
                if !self.drop_body(left, buffer) {
                    return Ok(None);
                }
            }
        }
        let Some(header) = Header::read(buffer, self.side)? else { return Ok(None) };
        if header.body > limit_of(self.side, header.tag) {
            return Ok(Some(self.start_big(&header, buffer)));
        }
        let whole = HEADER_BYTES + header.body;
        if buffer.len() < whole {
            buffer.reserve((whole - buffer.len()).min(RESERVE_AHEAD_BYTES));
            return Ok(None);
        }
        let mut message = buffer.split_to(whole);
        message.advance(HEADER_BYTES);
        Ok(Some(Piece::Frame(Frame { tag: header.tag, body: message.freeze() })))
    }

    /// Takes whole DataRow messages (or CopyData, not mixed) off the front as one slice; `None` when the next message
    /// is another or not whole, which [`FrameDecoder::next`] then deals with. The bodies are not read.
    pub fn run(&mut self, buffer: &mut BytesMut) -> Option<Run> {
        if self.side != Side::Backend || !matches!(self.within, Within::Start) {
            return None;
        }
        let (bytes, messages) = scan_run(buffer);
        (messages > 0).then(|| Run { bytes: buffer.split_to(bytes).freeze(), messages })
    }

    fn start_big(&mut self, header: &Header, buffer: &mut BytesMut) -> Piece {
        let Header { tag, body } = *header;
        if self.side == Side::Backend && is_row(tag) {
            let bytes = buffer.split_to(buffer.len().min(HEADER_BYTES + body)).freeze();
            let left = HEADER_BYTES + body - bytes.len();
            self.within = if left == 0 { Within::Start } else { Within::Streaming { tag, total: body, left } };
            return Piece::Chunk { tag, total: body, bytes, first: true, last: left == 0 };
        }
        buffer.advance(HEADER_BYTES);
        self.drop_body(body, buffer);
        Piece::Oversize { tag, length: body }
    }

    fn continue_chunk(&mut self, tag: u8, total: usize, left: usize, buffer: &mut BytesMut) -> Option<Piece> {
        if buffer.is_empty() {
            return None;
        }
        let bytes = buffer.split_to(buffer.len().min(left)).freeze();
        let left = left - bytes.len();
        self.within = if left == 0 { Within::Start } else { Within::Streaming { tag, total, left } };
        Some(Piece::Chunk { tag, total, bytes, first: false, last: left == 0 })
    }

    /// Drops what has arrived of a body; true when it has all been dropped.
    fn drop_body(&mut self, left: usize, buffer: &mut BytesMut) -> bool {
        let arrived = buffer.len().min(left);
        buffer.advance(arrived);
        let left = left - arrived;
        self.within = if left == 0 { Within::Start } else { Within::Dropping { left } };
        left == 0
    }
}

/// How many bytes at the front of `buffer` are whole DataRow messages (or CopyData, whichever comes first), and how
/// many messages that is.
pub fn scan_run(buffer: &[u8]) -> (usize, u64) {
    let Some(kind) = buffer.first().copied().filter(|tag| is_row(*tag)) else { return (0, 0) };
    let (mut rest, mut messages) = (buffer, 0_u64);
    while let Some(([found, length @ ..], _)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let body = (u32::from_be_bytes(*length) as usize).wrapping_sub(4);
        if *found != kind || body > limit::BACKEND_BYTES {
            break;
        }
        let Some((_, after)) = rest.split_at_checked(HEADER_BYTES + body) else { break };
        rest = after;
        messages += 1;
    }
    (buffer.len() - rest.len(), messages)
}

struct Header {
    tag: u8,
    body: usize,
}

impl Header {
    fn read(buffer: &[u8], side: Side) -> Result<Option<Self>, CodecError> {
        let Some(&tag) = buffer.first() else { return Ok(None) };
        if !is_known(side, tag) {
            return Err(CodecError::UnknownTag { tag, side });
        }
        let Some([_, length @ ..]) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let announced = u32::from_be_bytes(*length);
        let body = usize::try_from(announced).ok().and_then(|length| length.checked_sub(4));
        match body.filter(|body| *body <= limit::MESSAGE_BYTES) {
            Some(body) => Ok(Some(Self { tag, body })),
            None => Err(CodecError::Length { tag, length: announced }),
        }
    }
}

const fn is_row(tag: u8) -> bool {
    matches!(tag, tag::DATA_ROW | tag::COPY_DATA)
}

const fn is_known(side: Side, tag: u8) -> bool {
    match side {
        Side::Frontend => {
            matches!(
                tag,
                b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S' | b'F' | b'd' | b'c' | b'f' | b'p' | b'X'
            )
        }
        Side::Backend => matches!(
            tag,
            b'R' | b'K'
                | b'S'
                | b'Z'
                | b'T'
                | b'D'
                | b'C'
                | b'E'
                | b'N'
                | b'A'
                | b'n'
                | b's'
                | b't'
                | b'1'
                | b'2'
                | b'3'
                | b'I'
                | b'G'
                | b'H'
                | b'W'
                | b'd'
                | b'c'
                | b'v'
                | b'V'
        ),
    }
}

const fn limit_of(side: Side, tag: u8) -> usize {
    match (side, tag) {
        (Side::Frontend, b'Q' | b'P') => limit::STATEMENT_BYTES,
        (Side::Frontend, b'B' | b'F') => limit::BIND_BYTES,
        (Side::Frontend, b'd') => limit::COPY_DATA_BYTES,
        (Side::Frontend, b'p') => limit::PASSWORD_BYTES,
        (Side::Frontend, _) => limit::FRONTEND_BYTES,
        (Side::Backend, _) => limit::BACKEND_BYTES,
    }
}
