//! The packets before the first tagged message: requests for encryption, cancel requests and the startup message.
//!
//! Unauthenticated bytes: the limit is the server's own, a key may come once, and nothing may follow the terminator.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, BytesMut};

use super::{CodecError, encode::put_text, reader::Reader};
use crate::protocol::postgres::message::{CancelKey, Start, Startup, Text};

/// The longest startup packet after its length word, as in the server (`MAX_STARTUP_PACKET_LENGTH`).
pub const MAX_STARTUP_BYTES: usize = 10_000;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const VERSION_3_0: u32 = 3 << 16;

/// Takes one startup packet off the front of `buffer`; `Ok(None)` until it is whole. Bytes after it stay, for the caller
/// to refuse where encryption was asked for. Every error closes the connection.
pub fn parse_startup(buffer: &mut BytesMut) -> Result<Option<Startup>, CodecError> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let announced = u32::from_be_bytes(*length);
    let length = usize::try_from(announced).unwrap_or(usize::MAX);
    let body_length = length.saturating_sub(4);
    if !(4..=MAX_STARTUP_BYTES).contains(&body_length) {
        return Err(CodecError::Length { tag: 0, length: announced });
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut packet = buffer.split_to(length);
    packet.advance(4);
    let mut reader = Reader::new(0, packet.freeze());
    match reader.u32()? {
        SSL => reader.end(Startup::Ssl).map(Some),
        GSS => reader.end(Startup::Gss).map(Some),
        CANCEL => {
            let process_id = reader.u32()?;
            let key = reader.remainder();
            let invalid = CodecError::Invalid { tag: 0, field: "length of a cancel key" };
            let key = CancelKey::new(key).ok_or(invalid)?;
            Ok(Some(Startup::Cancel { process_id, key }))
        }
        version => parse_start(version, reader).map(|start| Some(Startup::Start(start))),
    }
}

fn parse_start(version: u32, mut reader: Reader) -> Result<Start, CodecError> {
    let [high, low, minor_high, minor_low] = version.to_be_bytes();
    let (major, minor) = (u16::from_be_bytes([high, low]), u16::from_be_bytes([minor_high, minor_low]));
    if major != 3 {
        return Err(CodecError::Version { major, minor });
    }
    let mut start = Start { minor, parameters: Vec::new(), protocol_options: Vec::new() };
    let mut seen = BTreeSet::new();
    while !reader.peeks(0) {
        let (name, value) = (reader.text()?, reader.text()?);
        if !seen.insert(name.clone()) {
            return Err(reader.invalid("parameter, which comes twice"));
        }
        if name.as_str().starts_with("_pq_.") {
            start.protocol_options.push(name);
        } else {
            start.parameters.push((name, value));
        }
    }
    reader.u8()?;
    reader.end(start)
}

/// Writes a startup message of version 3.0 for an upstream.
pub fn encode_startup(parameters: &[(Text, Text)], out: &mut BytesMut) {
    let length = 4
        + 4
        + 1
        + parameters.iter().map(|(name, value)| name.as_bytes().len() + value.as_bytes().len() + 2).sum::<usize>();
    out.reserve(length);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_u32(VERSION_3_0);
    for (name, value) in parameters {
        put_text(name.as_bytes(), out);
        put_text(value.as_bytes(), out);
    }
    out.put_u8(0);
}

/// Writes a request for TLS.
pub fn encode_ssl_request(out: &mut BytesMut) {
    out.put_u32(8);
    out.put_u32(SSL);
}

/// Writes a cancel request for an upstream.
pub fn encode_cancel(process_id: u32, key: &CancelKey, out: &mut BytesMut) {
    // INVARIANT: a key has at most 256 bytes.
    out.put_u32(12 + u32::try_from(key.as_bytes().len()).unwrap_or(u32::MAX - 12));
    out.put_u32(CANCEL);
    out.put_u32(process_id);
    out.put_slice(key.as_bytes());
}
