//! Frontend messages, both ways. `encode_frontend(parse_frontend(x))` gives x again, byte for byte.
//!
//! What is forwarded to an upstream is either this encoding or the very frame that was parsed.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    CodecError, Side,
    encode::{put_count, put_formats, put_nullable, put_text, write_frame},
    reader::Reader,
};
use crate::protocol::postgres::message::{
    Bind, Execute, Format, Frame, Frontend, FunctionCall, Parse, Query, Secret, Target, Text,
};

/// Parses a whole frontend message. An error means that this body is malformed; the stream goes on.
pub fn parse_frontend(frame: &Frame) -> Result<Frontend, CodecError> {
    let mut reader = Reader::new(frame.tag, frame.body.clone());
    let message = match frame.tag {
        b'Q' => Frontend::Query(Query { text: reader.text()? }),
        b'P' => Frontend::Parse(Parse {
            name: reader.text()?,
            text: reader.text()?,
            parameter_types: reader.counted(4, Reader::u32)?,
        }),
        b'B' => Frontend::Bind(parse_bind(&mut reader)?),
        b'D' => Frontend::Describe(parse_target(&mut reader)?),
        b'E' => Frontend::Execute(Execute { portal: reader.text()?, max_rows: reader.i32()? }),
        b'C' => Frontend::Close(parse_target(&mut reader)?),
        b'H' => Frontend::Flush,
        b'S' => Frontend::Sync,
        b'F' => Frontend::FunctionCall(parse_call(&mut reader)?),
        b'd' => return Ok(Frontend::CopyData(reader.remainder())),
        b'c' => Frontend::CopyDone,
        b'f' => Frontend::CopyFail(reader.text()?),
        b'p' => return Ok(Frontend::Password(Secret(reader.remainder()))),
        b'X' => Frontend::Terminate,
        tag => return Err(CodecError::UnknownTag { tag, side: Side::Frontend }),
    };
    reader.end(message)
}

fn parse_bind(reader: &mut Reader) -> Result<Bind, CodecError> {
    let bind = Bind {
        portal: reader.text()?,
        statement: reader.text()?,
        parameter_formats: reader.formats()?,
        parameters: reader.counted(4, Reader::nullable)?,
        result_formats: reader.formats()?,
        shown: Vec::new(),
    };
    let formats = bind.parameter_formats.len();
    if formats > 1 && formats != bind.parameters.len() {
        return Err(reader.invalid("number of parameter formats"));
    }
    Ok(bind)
}

fn parse_call(reader: &mut Reader) -> Result<FunctionCall, CodecError> {
    let call = FunctionCall {
        function: reader.u32()?,
        argument_formats: reader.formats()?,
        arguments: reader.counted(4, Reader::nullable)?,
        result_format: reader.format()?,
    };
    let formats = call.argument_formats.len();
    if formats > 1 && formats != call.arguments.len() {
        return Err(reader.invalid("number of argument formats"));
    }
    Ok(call)
}

fn parse_target(reader: &mut Reader) -> Result<Target, CodecError> {
    let kind = reader.u8()?;
    let name = reader.text()?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        _ => Err(reader.invalid("kind of name")),
    }
}

/// Writes a frontend message.
pub fn encode_frontend(message: &Frontend, out: &mut BytesMut) {
    match message {
        Frontend::Query(query) => write_frame(b'Q', out, |out| put_text(query.text.as_bytes(), out)),
        Frontend::Parse(parse) => write_frame(b'P', out, |out| put_parse(parse, out)),
        Frontend::Bind(bind) => write_frame(b'B', out, |out| put_bind(bind, out)),
        Frontend::Describe(target) => write_frame(b'D', out, |out| put_target(target, out)),
        Frontend::Execute(execute) => write_frame(b'E', out, |out| {
            put_text(execute.portal.as_bytes(), out);
            out.put_i32(execute.max_rows);
        }),
        Frontend::Close(target) => write_frame(b'C', out, |out| put_target(target, out)),
        Frontend::Flush => put_raw(b'H', &Bytes::new(), out),
        Frontend::Sync => put_raw(b'S', &Bytes::new(), out),
        Frontend::FunctionCall(call) => write_frame(b'F', out, |out| put_call(call, out)),
        Frontend::CopyData(body) => put_raw(b'd', body, out),
        Frontend::CopyDone => put_raw(b'c', &Bytes::new(), out),
        Frontend::CopyFail(reason) => write_frame(b'f', out, |out| put_text(reason.as_bytes(), out)),
        Frontend::Password(secret) => put_raw(b'p', &secret.0, out),
        Frontend::Terminate => put_raw(b'X', &Bytes::new(), out),
    }
}

fn put_raw(tag: u8, body: &Bytes, out: &mut BytesMut) {
    write_frame(tag, out, |out| out.put_slice(body));
}

fn put_parse(parse: &Parse, out: &mut BytesMut) {
    put_text(parse.name.as_bytes(), out);
    put_text(parse.text.as_bytes(), out);
    put_count(parse.parameter_types.len(), out);
    for oid in &parse.parameter_types {
        out.put_u32(*oid);
    }
}

fn put_bind(bind: &Bind, out: &mut BytesMut) {
    put_text(bind.portal.as_bytes(), out);
    put_text(bind.statement.as_bytes(), out);
    put_formats(&bind.parameter_formats, out);
    put_count(bind.parameters.len(), out);
    for parameter in &bind.parameters {
        put_nullable(parameter.as_deref(), out);
    }
    put_formats(&bind.result_formats, out);
}

fn put_call(call: &FunctionCall, out: &mut BytesMut) {
    out.put_u32(call.function);
    put_formats(&call.argument_formats, out);
    put_count(call.arguments.len(), out);
    for argument in &call.arguments {
        put_nullable(argument.as_deref(), out);
    }
    out.put_u16(u16::from(call.result_format == Format::Binary));
}

fn put_target(target: &Target, out: &mut BytesMut) {
    let (kind, name): (u8, &Text) = match target {
        Target::Statement(name) => (b'S', name),
        Target::Portal(name) => (b'P', name),
    };
    out.put_u8(kind);
    put_text(name.as_bytes(), out);
}
