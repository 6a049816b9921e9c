//! Where one request of HTTP/1.1 ends and the next begins, read so strictly that no server behind can read it otherwise.
//!
//! Stands before hyper, which mends what it can: a length beside a chunked body, folded lines, bare line feeds. Here they
//! are refused, while the bytes are still those of the client. Pure: bytes in, the same bytes out, one message at a time.
//!
//! SPEC: RFC 9112, sections 2.2, 5.2, 6.1 to 6.3 and 7.1; RFC 9113, 3.4.

use std::fmt;

/// The header that a request carries after its framing was refused: whoever writes it, such a request goes no further.
pub const REFUSED: &str = "hoop-refused";

/// The longest head.
const MOST_HEAD_BYTES: usize = 96 * 1024;
/// The longest line of a chunk's size, with its extensions.
const MOST_SIZE_BYTES: usize = 256;
/// The longest trailers.
const MOST_TRAILER_BYTES: usize = 8 * 1024;
/// SPEC: RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Why bytes are no request, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Both lengths.
    #[error("the length of the body is said twice")]
    LengthTwice,
    /// A length that is none.
    #[error("Content-Length is no number")]
    Length,
    /// A coding besides `chunked`.
    #[error("this transfer coding is not taken")]
    Coding,
    /// A line that goes on in the next one.
    #[error("a header is folded over several lines")]
    Folded,
    /// A line that ends otherwise than with CR LF, or a control character.
    #[error("a line does not end with CR LF, or holds a control character")]
    Line,
    /// No name, a space around it, or no colon.
    #[error("a header has no plain name")]
    Name,
    /// The first line.
    #[error("the first line is no request of HTTP/1.1")]
    RequestLine,
    /// The head.
    #[error("the head of the request is too long")]
    TooLong,
    /// A chunk.
    #[error("the body is not framed as HTTP frames one")]
    Chunk,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Length(u64),
    Chunked,
}

enum State {
    /// Nothing of a stream was read: it may be HTTP/2.
    Start,
    /// Between two requests, or inside of a head.
    Head,
    Length(u64),
    Size(Vec<u8>),
    Chunk(u64),
    ChunkEnd(Vec<u8>),
    Trailers(Vec<u8>),
    /// What is no HTTP/1.1 any more: HTTP/2, a WebSocket.
    Opaque,
    /// Refused: nothing that follows is read.
    Over,
}

/// Reads the stream of one client.
pub struct Framing {
    state: State,
    head: Vec<u8>,
}

impl fmt::Debug for Framing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Framing").field("head", &self.head.len()).finish_non_exhaustive()
    }
}

impl Default for Framing {
    fn default() -> Self {
        Self { state: State::Start, head: Vec::new() }
    }
}

/// What became of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many were read.
    pub bytes: usize,
    /// Whether a head was completed among them: an exchange has begun.
    pub began: bool,
}

impl Framing {
    /// Whether the next byte belongs to another request.
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Head | State::Start) && self.head.is_empty()
    }

    /// Whether it waits for a head, or for the rest of one.
    pub fn awaits_head(&self) -> bool {
        matches!(self.state, State::Start | State::Head)
    }

    /// From here on this is no HTTP/1.1.
    pub fn switch(&mut self) {
        self.state = State::Opaque;
    }

    /// Reads up to the end of the current request at most, and appends what goes on. A refused head goes on as a request
    /// that is refused; a broken body ends the stream.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Taken, FramingError> {
        let mut taken = 0;
        let mut began = false;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let step = match &mut self.state {
                State::Start | State::Head => {
                    let (read, complete) = self.head(rest, out);
                    began |= complete;
                    read
                }
                State::Opaque => pass(rest, rest.len(), out),
                State::Over => rest.len(),
                State::Length(left) | State::Chunk(left) => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left = left.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
                    pass(rest, most, out)
                }
                State::Size(line) | State::ChunkEnd(line) | State::Trailers(line) => {
                    let read = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |place| place + 1);
                    line.extend_from_slice(rest.get(..read).unwrap_or_default());
                    if line.len() > MOST_TRAILER_BYTES {
                        return Err(FramingError::Chunk);
                    }
                    read
                }
            };
            taken += step;
            self.advance(out)?;
            if self.is_between() {
                break;
            }
        }
        Ok(Taken { bytes: taken, began })
    }

    /// Moves on where a part is complete.
    fn advance(&mut self, out: &mut Vec<u8>) -> Result<(), FramingError> {
        let next = match &self.state {
            State::Length(0) => State::Head,
            State::Chunk(0) => State::ChunkEnd(Vec::new()),
            State::Size(line) if line.ends_with(b"\n") => {
                out.extend_from_slice(line);
                match chunk_size(line)? {
                    0 => State::Trailers(Vec::new()),
                    size => State::Chunk(size),
                }
            }
            State::Size(line) if line.len() > MOST_SIZE_BYTES => return Err(FramingError::Chunk),
            State::ChunkEnd(line) if line.as_slice() == b"\r\n" => {
                out.extend_from_slice(line);
                State::Size(Vec::new())
            }
            State::ChunkEnd(line) if line.len() > 1 || line.as_slice() == b"\n" => return Err(FramingError::Chunk),
            State::Trailers(lines) if lines.as_slice() == b"\r\n" || lines.ends_with(b"\r\n\r\n") => {
                trailers(lines)?;
                out.extend_from_slice(lines);
                State::Head
            }
            State::Start
            | State::Head
            | State::Length(_)
            | State::Size(_)
            | State::Chunk(_)
            | State::ChunkEnd(_)
            | State::Trailers(_)
            | State::Opaque
            | State::Over => return Ok(()),
        };
        self.state = next;
        Ok(())
    }

    /// Reads on in a head; gives how much was read, and whether the head is complete.
    fn head(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        for (place, byte) in bytes.iter().enumerate() {
            self.head.push(*byte);
            if matches!(self.state, State::Start) {
                if self.head.as_slice() == PREFACE {
                    self.state = State::Opaque;
                    out.append(&mut self.head);
                    return (place + 1, false);
                }
                if PREFACE.starts_with(&self.head) {
                    continue;
                }
                self.state = State::Head;
            }
            // SPEC: RFC 9112, 2.2: an empty line before a request is passed over.
            if self.head.as_slice() == b"\r\n" {
                self.head.clear();
                continue;
            }
            let result = if self.head.ends_with(b"\r\n\r\n") {
                read_head(&self.head)
            } else if let Some(error) = self.broken(*byte) {
                Err(error)
            } else {
                continue;
            };
            match result {
                Ok(body) => {
                    out.append(&mut self.head);
                    self.state = match body {
                        Body::Length(length) => State::Length(length),
                        Body::Chunked => State::Size(Vec::new()),
                    };
                }
                Err(error) => {
                    out.extend_from_slice(refused(&self.head, error).as_bytes());
                    self.head.clear();
                    self.state = State::Over;
                }
            }
            return (place + 1, true);
        }
        (bytes.len(), false)
    }

    /// What can be told of a head before it is whole, so that nobody waits for its end.
    fn broken(&self, last: u8) -> Option<FramingError> {
        let before = self.head.len().checked_sub(2).and_then(|place| self.head.get(place));
        if self.head.len() > MOST_HEAD_BYTES {
            return Some(FramingError::TooLong);
        }
        let is_bare_feed = last == b'\n' && before != Some(&b'\r');
        let is_bare_return = last != b'\n' && before == Some(&b'\r');
        (is_bare_feed || is_bare_return || last == 0).then_some(FramingError::Line)
    }
}

fn pass(bytes: &[u8], most: usize, out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(bytes.get(..most).unwrap_or_default());
    most
}

/// The size that a chunk's line says.
fn chunk_size(line: &[u8]) -> Result<u64, FramingError> {
    let line = line.strip_suffix(b"\r\n").ok_or(FramingError::Chunk)?;
    let mut parts = line.splitn(2, |byte| *byte == b';');
    let digits = parts.next().unwrap_or_default();
    // SPEC: RFC 9112, 7.1.1: an extension that is not known is ignored; it must not hide the end of a line.
    let plain = |byte: &u8| matches!(byte, b'\t' | 0x20..=0x7e);
    let fits = (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    if !fits || !parts.next().unwrap_or_default().iter().all(plain) {
        return Err(FramingError::Chunk);
    }
    let digits = std::str::from_utf8(digits).map_err(|_not_text| FramingError::Chunk)?;
    u64::from_str_radix(digits, 16).map_err(|_too_large| FramingError::Chunk)
}

/// Trailers frame nothing, so they must be plain fields.
fn trailers(lines: &[u8]) -> Result<(), FramingError> {
    let text = std::str::from_utf8(lines).map_err(|_not_text| FramingError::Chunk)?;
    let fields = text.trim_end_matches("\r\n").split("\r\n").filter(|line| !line.is_empty());
    for line in fields {
        field(line.as_bytes())?;
    }
    Ok(())
}

/// A field, as its name and value.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), FramingError> {
    if line.first().is_some_and(|first| matches!(first, b' ' | b'\t')) {
        return Err(FramingError::Folded);
    }
    if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(FramingError::Line);
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(FramingError::Name)?;
    let (name, value) = line.split_at(colon);
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(is_token) {
        return Err(FramingError::Name);
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// What a whole head says of what follows it.
fn read_head(head: &[u8]) -> Result<Body, FramingError> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_old = request_line(lines.next().unwrap_or_default())?;
    let (mut length, mut is_chunked) = (None, false);
    for line in lines {
        let (name, value) = field(line)?;
        // Names are compared as a server does that takes `_` for `-`.
        let name = String::from_utf8_lossy(name).to_ascii_lowercase().replace('_', "-");
        match name.as_str() {
            "content-length" if length.is_some() || is_chunked => return Err(FramingError::LengthTwice),
            "content-length" => length = Some(number(value)?),
            "transfer-encoding" if length.is_some() => return Err(FramingError::LengthTwice),
            "transfer-encoding" if is_chunked || is_old || !value.eq_ignore_ascii_case(b"chunked") => {
                return Err(FramingError::Coding);
            }
            "transfer-encoding" => is_chunked = true,
            _ => {}
        }
    }
    Ok(if is_chunked { Body::Chunked } else { Body::Length(length.unwrap_or(0)) })
}

/// Checks the first line; says whether it is one of HTTP/1.0.
fn request_line(line: &[u8]) -> Result<bool, FramingError> {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let plain = |word: Option<&[u8]>| word.is_some_and(|word| !word.is_empty() && word.iter().all(|byte| *byte > b' '));
    let is_old = match version {
        Some(b"HTTP/1.1") => false,
        Some(b"HTTP/1.0") => true,
        _ => return Err(FramingError::RequestLine),
    };
    let fits = plain(method) && plain(target) && words.next().is_none();
    if fits { Ok(is_old) } else { Err(FramingError::RequestLine) }
}

fn number(value: &[u8]) -> Result<u64, FramingError> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.filter(|text| text.len() <= 18).and_then(|text| text.parse().ok()).ok_or(FramingError::Length)
}

/// The request that stands for a refused one, so that it is refused, recorded and answered as any other is.
fn refused(head: &[u8], error: FramingError) -> String {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').map(|word| std::str::from_utf8(word).unwrap_or_default());
    let method = words.next().filter(|word| {
        (1..=16).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase()) && *word != "CONNECT"
    });
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~?=&%".contains(&byte);
    let target = words.next().filter(|word| word.starts_with('/') && word.len() <= 1024 && word.bytes().all(plain));
    let (method, target) = (method.unwrap_or("GET"), target.unwrap_or("/"));
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{REFUSED}: {error}\r\n\r\n")
}

#[cfg(test)]
mod tests;
