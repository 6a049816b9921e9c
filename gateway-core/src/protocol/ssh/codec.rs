//! Packets of SFTP: framed, bounded, and read whole or refused.
//!
//! SPEC: draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL section 4. Pure.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::message::{Changes, FileAsks, FileRequest};

/// The longest packet, as OpenSSH's own server has it.
pub const MOST_PACKET_BYTES: usize = 256 * 1024;
/// The longest path.
pub const MOST_PATH_BYTES: usize = 4096;
/// SPEC: section 9.1; handles are short.
const MOST_HANDLE_BYTES: usize = 256;

const INIT: u8 = 1;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RMDIR: u8 = 15;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const READLINK: u8 = 19;
const SYMLINK: u8 = 20;
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const EXTENDED: u8 = 200;

const SIZE: u32 = 1;
const UIDGID: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED_ATTRIBUTES: u32 = 0x8000_0000;

const FOR_READING: u32 = 1;
const FOR_CHANGING: u32 = 2 | 4 | 8 | 16;
const EVERY_FLAG: u32 = 0x3f;

/// SPEC: POSIX, sys/stat.h: set-user-ID and set-group-ID on execution.
const LENDING_MODES: u32 = 0o6000;

/// `SSH_FX_PERMISSION_DENIED`.
pub const PERMISSION_DENIED: u32 = 3;
/// `SSH_FX_FAILURE`.
pub const FAILURE: u32 = 4;
/// `SSH_FX_OP_UNSUPPORTED`.
pub const UNSUPPORTED: u32 = 8;

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileCodecError {
    /// It is longer than any packet.
    #[error("an SFTP packet is longer than {MOST_PACKET_BYTES} bytes")]
    TooLong,
    /// Its parts do not add up.
    #[error("an SFTP packet is not what its type says")]
    Malformed,
}

/// Takes the next whole packet, with its length before it; `None` where more bytes are needed.
pub fn next_packet(buffer: &mut BytesMut) -> Result<Option<Bytes>, FileCodecError> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_wide| FileCodecError::TooLong)?;
    if length > MOST_PACKET_BYTES {
        return Err(FileCodecError::TooLong);
    }
    if length == 0 {
        return Err(FileCodecError::Malformed);
    }
    if buffer.len() < length + 4 {
        return Ok(None);
    }
    Ok(Some(buffer.split_to(length + 4).freeze()))
}

/// The version that a client begins with; `None` where the packet is something else.
pub fn begins(packet: &Bytes) -> Option<u32> {
    let mut rest = packet.clone();
    let _length = u32(&mut rest).ok()?;
    (u8(&mut rest).ok()? == INIT).then(|| u32(&mut rest).ok()).flatten()
}

/// What a client says first, of version 3 and nothing else.
pub fn init() -> Bytes {
    Bytes::from_static(&[0, 0, 0, 5, INIT, 0, 0, 0, 3])
}

/// Reads a packet of a client. All of its bytes are accounted for.
pub fn request(packet: Bytes) -> Result<FileRequest, FileCodecError> {
    let mut rest = packet.clone();
    let _length = u32(&mut rest)?;
    let kind = u8(&mut rest)?;
    let id = u32(&mut rest)?;
    let asks = match kind {
        OPEN => {
            let path = path(&mut rest)?;
            let flags = u32(&mut rest)?;
            let lends = attributes(&mut rest)?.mode.is_some_and(|mode| mode & LENDING_MODES != 0);
            if flags & !EVERY_FLAG != 0 {
                return Err(FileCodecError::Malformed);
            }
            FileAsks::Open { path, reads: flags & FOR_READING != 0, writes: flags & FOR_CHANGING != 0, lends }
        }
        CLOSE => FileAsks::Close(handle(&mut rest)?),
        READ => {
            let (handle, offset) = (handle(&mut rest)?, u64(&mut rest)?);
            FileAsks::Read { handle, offset, length: u32(&mut rest)? }
        }
        WRITE => {
            let (handle, offset) = (handle(&mut rest)?, u64(&mut rest)?);
            FileAsks::Write { handle, offset, content: text(&mut rest, MOST_PACKET_BYTES)? }
        }
        LSTAT | STAT | READLINK => FileAsks::Look(path(&mut rest)?),
        FSTAT | READDIR => FileAsks::Continue(handle(&mut rest)?),
        SETSTAT => {
            let path = path(&mut rest)?;
            FileAsks::SetAttributes { path, changes: attributes(&mut rest)?.changes() }
        }
        FSETSTAT => {
            let handle = handle(&mut rest)?;
            FileAsks::SetHandleAttributes { handle, changes: attributes(&mut rest)?.changes() }
        }
        OPENDIR => FileAsks::OpenFolder(path(&mut rest)?),
        REMOVE => FileAsks::Remove(path(&mut rest)?),
        MKDIR => {
            let path = path(&mut rest)?;
            let _attributes = attributes(&mut rest)?;
            FileAsks::MakeFolder(path)
        }
        RMDIR => FileAsks::RemoveFolder(path(&mut rest)?),
        REALPATH => FileAsks::RealPath(path(&mut rest)?),
        RENAME => FileAsks::Rename(path(&mut rest)?, path(&mut rest)?),
        SYMLINK => FileAsks::Link(path(&mut rest)?, path(&mut rest)?),
        EXTENDED => extended(&mut rest)?,
        _ => {
            rest.clear();
            FileAsks::Other
        }
    };
    if rest.is_empty() { Ok(FileRequest { id, asks, packet }) } else { Err(FileCodecError::Malformed) }
}

/// SPEC: OpenSSH's PROTOCOL, section 4. What is not named here is answered with "unsupported", as a server would.
fn extended(rest: &mut Bytes) -> Result<FileAsks, FileCodecError> {
    let name = text(rest, 128)?;
    Ok(match &*name {
        b"posix-rename@openssh.com" => FileAsks::Rename(path(rest)?, path(rest)?),
        b"hardlink@openssh.com" => FileAsks::Link(path(rest)?, path(rest)?),
        b"statvfs@openssh.com" => FileAsks::Look(path(rest)?),
        b"expand-path@openssh.com" => FileAsks::RealPath(path(rest)?),
        b"fstatvfs@openssh.com" | b"fsync@openssh.com" => FileAsks::Continue(handle(rest)?),
        b"limits@openssh.com" => FileAsks::Limits,
        b"lsetstat@openssh.com" => {
            let path = path(rest)?;
            FileAsks::SetAttributes { path, changes: attributes(rest)?.changes() }
        }
        _ => {
            rest.clear();
            FileAsks::Other
        }
    })
}

/// What a server answered, as far as the gateway follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAnswer {
    /// VERSION.
    Version,
    /// STATUS, with its code.
    Status(u32, u32),
    /// HANDLE.
    Handle(u32, Bytes),
    /// DATA.
    Data(u32, Bytes),
    /// NAME, with the names.
    Names(u32, Vec<Bytes>),
    /// ATTRS, `EXTENDED_REPLY`.
    Other(u32),
}

/// Reads a packet of a server, which goes on as it is.
pub fn answer(packet: &Bytes) -> Result<FileAnswer, FileCodecError> {
    let mut rest = packet.clone();
    let _length = u32(&mut rest)?;
    let kind = u8(&mut rest)?;
    if kind == VERSION {
        return Ok(FileAnswer::Version);
    }
    let id = u32(&mut rest)?;
    Ok(match kind {
        STATUS => FileAnswer::Status(id, u32(&mut rest)?),
        HANDLE => FileAnswer::Handle(id, handle(&mut rest)?),
        DATA => FileAnswer::Data(id, text(&mut rest, MOST_PACKET_BYTES)?),
        NAME => FileAnswer::Names(id, names(&mut rest)?),
        _ => FileAnswer::Other(id),
    })
}

/// SPEC: section 7: each name comes with a line as `ls -l` writes it, and attributes.
fn names(rest: &mut Bytes) -> Result<Vec<Bytes>, FileCodecError> {
    let mut names = Vec::new();
    for _ in 0..u32(rest)? {
        names.push(text(rest, MOST_PACKET_BYTES)?);
        names.push(text(rest, MOST_PACKET_BYTES)?);
        let _attributes = attributes(rest)?;
    }
    Ok(names)
}

/// A STATUS of the gateway's own.
pub fn status(id: u32, code: u32, message: &str) -> Bytes {
    let message: String = message.chars().take(2048).collect();
    let mut out = BytesMut::with_capacity(32 + message.len());
    // Type, id, code, the message with its length, an empty language tag.
    out.put_u32(u32::try_from(1 + 4 + 4 + 4 + message.len() + 4).unwrap_or(u32::MAX));
    out.put_u8(STATUS);
    out.put_u32(id);
    out.put_u32(code);
    out.put_u32(u32::try_from(message.len()).unwrap_or(0));
    out.put_slice(message.as_bytes());
    out.put_u32(0);
    out.freeze()
}

fn u8(rest: &mut Bytes) -> Result<u8, FileCodecError> {
    rest.try_get_u8().map_err(|_short| FileCodecError::Malformed)
}

fn u32(rest: &mut Bytes) -> Result<u32, FileCodecError> {
    rest.try_get_u32().map_err(|_short| FileCodecError::Malformed)
}

fn u64(rest: &mut Bytes) -> Result<u64, FileCodecError> {
    rest.try_get_u64().map_err(|_short| FileCodecError::Malformed)
}

fn text(rest: &mut Bytes, most: usize) -> Result<Bytes, FileCodecError> {
    let length = usize::try_from(u32(rest)?).map_err(|_wide| FileCodecError::TooLong)?;
    if length > most || length > rest.len() {
        return Err(FileCodecError::Malformed);
    }
    Ok(rest.split_to(length))
}

fn path(rest: &mut Bytes) -> Result<Bytes, FileCodecError> {
    let path = text(rest, MOST_PATH_BYTES)?;
    // A server would stop reading at it, and so see another path.
    if path.contains(&0) { Err(FileCodecError::Malformed) } else { Ok(path) }
}

fn handle(rest: &mut Bytes) -> Result<Bytes, FileCodecError> {
    text(rest, MOST_HANDLE_BYTES)
}

/// What of ATTRS is looked at.
struct Attributes {
    flags: u32,
    mode: Option<u32>,
}

impl Attributes {
    fn changes(&self) -> Changes {
        Changes { size: self.flags & SIZE != 0, rights: self.flags != SIZE }
    }
}

/// Reads attributes whole.
fn attributes(rest: &mut Bytes) -> Result<Attributes, FileCodecError> {
    let flags = u32(rest)?;
    if flags & !(SIZE | UIDGID | PERMISSIONS | TIMES | EXTENDED_ATTRIBUTES) != 0 {
        return Err(FileCodecError::Malformed);
    }
    if flags & SIZE != 0 {
        u64(rest)?;
    }
    if flags & UIDGID != 0 {
        u64(rest)?;
    }
    let mode = if flags & PERMISSIONS != 0 { Some(u32(rest)?) } else { None };
    if flags & TIMES != 0 {
        u64(rest)?;
    }
    if flags & EXTENDED_ATTRIBUTES != 0 {
        for _ in 0..u32(rest)?.saturating_mul(2) {
            text(rest, MOST_PATH_BYTES)?;
        }
    }
    Ok(Attributes { flags, mode })
}

#[cfg(test)]
mod tests;
