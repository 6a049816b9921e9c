//! Backend messages that the gateway itself writes to a client, and the pieces that all encoders share.

use bytes::{BufMut, BytesMut};

use crate::protocol::postgres::message::{
    CancelKey, Format, Text,
    backend::{CommandTag, ErrorFields, Field, TransactionStatus, tag},
};

/// Writes a tag, a length and what `body` writes.
pub fn write_frame(tag: u8, out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let start = out.len();
    out.put_u32(0);
    body(out);
    // INVARIANT: what is written comes from frames below 1 GiB; a saturated length would be refused by any peer.
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes a message without a body, such as ParseComplete.
pub fn empty_frame(tag: u8, out: &mut BytesMut) {
    out.put_u8(tag);
    out.put_u32(4);
}

/// Writes AuthenticationOk.
pub fn authentication_ok(out: &mut BytesMut) {
    write_frame(tag::AUTHENTICATION, out, |out| out.put_u32(0));
}

/// Writes AuthenticationCleartextPassword.
pub fn authentication_cleartext(out: &mut BytesMut) {
    write_frame(tag::AUTHENTICATION, out, |out| out.put_u32(3));
}

/// Writes BackendKeyData.
pub fn backend_key(process_id: u32, key: &CancelKey, out: &mut BytesMut) {
    write_frame(tag::BACKEND_KEY, out, |out| {
        out.put_u32(process_id);
        out.put_slice(key.as_bytes());
    });
}

/// Writes ParameterStatus.
pub fn parameter_status(name: &Text, value: &Text, out: &mut BytesMut) {
    write_frame(tag::PARAMETER_STATUS, out, |out| {
        put_text(name.as_bytes(), out);
        put_text(value.as_bytes(), out);
    });
}

/// Writes ReadyForQuery.
pub fn ready_for_query(status: TransactionStatus, out: &mut BytesMut) {
    write_frame(tag::READY, out, |out| out.put_u8(status.as_byte()));
}

/// Writes NegotiateProtocolVersion: the conversation goes on with this minor version of protocol 3, and none of these
/// options is known. SPEC: the server sends the whole version, and libpq reads it so.
pub fn negotiate_protocol_version(minor: u16, unknown_options: &[Text], out: &mut BytesMut) {
    write_frame(tag::NEGOTIATE, out, |out| {
        out.put_u16(3);
        out.put_u16(minor);
        out.put_u32(u32::try_from(unknown_options.len()).unwrap_or(u32::MAX));
        for option in unknown_options {
            put_text(option.as_bytes(), out);
        }
    });
}

/// Writes RowDescription.
pub fn row_description(fields: &[Field], out: &mut BytesMut) {
    write_frame(tag::ROW_DESCRIPTION, out, |out| {
        put_count(fields.len(), out);
        for field in fields {
            put_text(field.name.as_bytes(), out);
            out.put_u32(field.table_oid);
            out.put_i16(field.column);
            out.put_u32(field.type_oid);
            out.put_i16(field.size);
            out.put_i32(field.modifier);
            put_format(field.format, out);
        }
    });
}

/// Writes DataRow.
pub fn data_row<'cell>(cells: impl ExactSizeIterator<Item = Option<&'cell [u8]>>, out: &mut BytesMut) {
    write_frame(tag::DATA_ROW, out, |out| {
        put_count(cells.len(), out);
        for cell in cells {
            put_nullable(cell, out);
        }
    });
}

/// Writes CommandComplete.
pub fn command_complete(command: &CommandTag, out: &mut BytesMut) {
    write_frame(tag::COMMAND_COMPLETE, out, |out| put_text(command.0.as_bytes(), out));
}

/// Writes ErrorResponse. A NUL inside a field would end it early, so it is left out.
pub fn error_fields(fields: &ErrorFields, out: &mut BytesMut) {
    write_frame(tag::ERROR, out, |out| put_fields(fields, out));
}

/// Writes NoticeResponse, like [`error_fields`].
pub fn notice_fields(fields: &ErrorFields, out: &mut BytesMut) {
    write_frame(tag::NOTICE, out, |out| put_fields(fields, out));
}

fn put_fields(fields: &ErrorFields, out: &mut BytesMut) {
    for (code, text) in fields.0.iter().filter(|(code, _)| *code != 0) {
        out.put_u8(*code);
        text.split('\0').for_each(|part| out.put_slice(part.as_bytes()));
        out.put_u8(0);
    }
    out.put_u8(0);
}

/// Text and its terminator. Callers pass text without NUL.
pub(super) fn put_text(text: &[u8], out: &mut BytesMut) {
    out.put_slice(text);
    out.put_u8(0);
}

pub(super) fn put_count(count: usize, out: &mut BytesMut) {
    // INVARIANT: counts come from parsed messages; a saturated count would be refused by any peer.
    out.put_u16(u16::try_from(count).unwrap_or(u16::MAX));
}

fn put_format(format: Format, out: &mut BytesMut) {
    out.put_u16(match format {
        Format::Text => 0,
        Format::Binary => 1,
    });
}

pub(super) fn put_formats(formats: &[Format], out: &mut BytesMut) {
    put_count(formats.len(), out);
    for format in formats {
        put_format(*format, out);
    }
}

pub(super) fn put_nullable(value: Option<&[u8]>, out: &mut BytesMut) {
    match value {
        None => out.put_i32(-1),
        Some(value) => {
            out.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
            out.put_slice(value);
        }
    }
}
