//! Backend messages → typed values. The relay calls it for the messages it acts on; rows it reads in place.

use super::{CodecError, Side, reader::Reader};
use crate::protocol::postgres::message::{
    CancelKey, Format, Frame, Secret,
    backend::{
        Authentication, Backend, CommandTag, CopyDirection, CopyResponse, ErrorFields, Field, TransactionStatus, tag,
    },
};

/// The smallest description of one column: an empty name and its fixed fields.
const LEAST_FIELD_BYTES: usize = 19;

/// More error fields, mechanisms or options than any server sends.
const MAX_FIELDS: usize = 64;

/// Parses a whole backend message. An error means that this body is malformed, so the upstream cannot be trusted.
pub fn parse_backend(frame: &Frame) -> Result<Backend, CodecError> {
    let mut reader = Reader::new(frame.tag, frame.body.clone());
    let message = match frame.tag {
        tag::AUTHENTICATION => return parse_authentication(reader).map(Backend::Authentication),
        tag::BACKEND_KEY => {
            let process_id = reader.u32()?;
            let invalid = reader.invalid("length of a cancel key");
            return Ok(Backend::BackendKey { process_id, key: CancelKey::new(reader.remainder()).ok_or(invalid)? });
        }
        tag::PARAMETER_STATUS => Backend::ParameterStatus { name: reader.text()?, value: reader.text()? },
        tag::READY => {
            let status = TransactionStatus::from_byte(reader.u8()?);
            Backend::Ready(status.ok_or_else(|| reader.invalid("transaction status"))?)
        }
        tag::ROW_DESCRIPTION => Backend::RowDescription(reader.counted(LEAST_FIELD_BYTES, parse_field)?),
        tag::DATA_ROW => return Ok(Backend::DataRow(reader.remainder())),
        tag::COMMAND_COMPLETE => Backend::CommandComplete(CommandTag(reader.text()?)),
        tag::ERROR => Backend::Error(read_error_fields(&mut reader)?),
        tag::NOTICE => Backend::Notice(read_error_fields(&mut reader)?),
        tag::NOTIFICATION => {
            Backend::Notification { process_id: reader.u32()?, channel: reader.text()?, payload: reader.text()? }
        }
        tag::NO_DATA => Backend::NoData,
        tag::PORTAL_SUSPENDED => Backend::PortalSuspended,
        tag::PARAMETER_DESCRIPTION => Backend::ParameterDescription(reader.counted(4, Reader::u32)?),
        tag::PARSE_COMPLETE => Backend::ParseComplete,
        tag::BIND_COMPLETE => Backend::BindComplete,
        tag::CLOSE_COMPLETE => Backend::CloseComplete,
        tag::EMPTY_QUERY => Backend::EmptyQuery,
        tag::COPY_IN => Backend::Copy(parse_copy(CopyDirection::In, &mut reader)?),
        tag::COPY_OUT => Backend::Copy(parse_copy(CopyDirection::Out, &mut reader)?),
        tag::COPY_BOTH => Backend::Copy(parse_copy(CopyDirection::Both, &mut reader)?),
        tag::COPY_DATA => return Ok(Backend::CopyData(reader.remainder())),
        tag::COPY_DONE => Backend::CopyDone,
        tag::NEGOTIATE => parse_negotiate(&mut reader)?,
        tag::FUNCTION_RESULT => return Ok(Backend::FunctionResult(reader.remainder())),
        tag => return Err(CodecError::UnknownTag { tag, side: Side::Backend }),
    };
    reader.end(message)
}

/// Parses the body of RowDescription.
pub fn parse_row_description(frame: &Frame) -> Result<Vec<Field>, CodecError> {
    let mut reader = Reader::new(frame.tag, frame.body.clone());
    let fields = reader.counted(LEAST_FIELD_BYTES, parse_field)?;
    reader.end(fields)
}

/// Parses the body of ErrorResponse or NoticeResponse.
pub fn parse_error_fields(frame: &Frame) -> Result<ErrorFields, CodecError> {
    let mut reader = Reader::new(frame.tag, frame.body.clone());
    let fields = read_error_fields(&mut reader)?;
    reader.end(fields)
}

fn parse_field(reader: &mut Reader) -> Result<Field, CodecError> {
    Ok(Field {
        name: reader.text()?,
        table_oid: reader.u32()?,
        column: reader.i16()?,
        type_oid: reader.u32()?,
        size: reader.i16()?,
        modifier: reader.i32()?,
        format: reader.format()?,
    })
}

fn read_error_fields(reader: &mut Reader) -> Result<ErrorFields, CodecError> {
    reader.until_terminator(MAX_FIELDS, |reader| Ok((reader.u8()?, reader.lossy_text()?))).map(ErrorFields)
}

fn parse_authentication(mut reader: Reader) -> Result<Authentication, CodecError> {
    let step = match reader.u32()? {
        0 => Authentication::Ok,
        3 => Authentication::Cleartext,
        5 => Authentication::Md5(reader.array()?),
        10 => Authentication::Sasl(reader.until_terminator(MAX_FIELDS, Reader::text)?),
        11 => return Ok(Authentication::SaslContinue(Secret(reader.remainder()))),
        12 => return Ok(Authentication::SaslFinal(Secret(reader.remainder()))),
        other => return Ok(Authentication::Other(other)),
    };
    reader.end(step)
}

fn parse_copy(direction: CopyDirection, reader: &mut Reader) -> Result<CopyResponse, CodecError> {
    let format = match reader.u8()? {
        0 => Format::Text,
        1 => Format::Binary,
        _ => return Err(reader.invalid("copy format")),
    };
    Ok(CopyResponse { direction, format, columns: reader.formats()? })
}

fn parse_negotiate(reader: &mut Reader) -> Result<Backend, CodecError> {
    let [_, _, high, low] = reader.u32()?.to_be_bytes();
    let minor = u16::from_be_bytes([high, low]);
    let count = usize::try_from(reader.u32()?).ok().filter(|count| *count <= MAX_FIELDS);
    let count = count.ok_or_else(|| reader.invalid("number of options"))?;
    let unknown_options = (0..count).map(|_| reader.text()).collect::<Result<_, _>>()?;
    Ok(Backend::Negotiate { minor, unknown_options })
}
