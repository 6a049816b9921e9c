//! The messages that carry a SASL exchange: what a server offers and answers, and a client's first response.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    CodecError,
    encode::{put_text, write_frame},
    reader::Reader,
};
use crate::protocol::postgres::message::{Text, backend::tag};

/// Writes AuthenticationSASL with the mechanisms on offer, the best first.
pub fn authentication_sasl(mechanisms: &[&str], out: &mut BytesMut) {
    write_frame(tag::AUTHENTICATION, out, |out| {
        out.put_u32(10);
        for mechanism in mechanisms {
            put_text(mechanism.as_bytes(), out);
        }
        out.put_u8(0);
    });
}

/// Writes AuthenticationSASLContinue.
pub fn authentication_sasl_continue(message: &str, out: &mut BytesMut) {
    write_frame(tag::AUTHENTICATION, out, |out| {
        out.put_u32(11);
        out.put_slice(message.as_bytes());
    });
}

/// Writes AuthenticationSASLFinal.
pub fn authentication_sasl_final(message: &str, out: &mut BytesMut) {
    write_frame(tag::AUTHENTICATION, out, |out| {
        out.put_u32(12);
        out.put_slice(message.as_bytes());
    });
}

/// Parses the body of SASLInitialResponse: the mechanism, and the first message where there is one.
pub fn parse_sasl_initial(body: &Bytes) -> Result<(Text, Option<Bytes>), CodecError> {
    let mut reader = Reader::new(b'p', body.clone());
    let mechanism = reader.text()?;
    let message = reader.nullable()?;
    reader.end((mechanism, message))
}
