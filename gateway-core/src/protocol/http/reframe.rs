//! Answers as they stream: what the detectors find and what the site tags by its place is masked, whatever the chunks
//! are. What is kept back is bounded; what cannot be read while something is masked is refused.
//!
//! Pure. A dialect picks its reader here or brings one of its own.

mod events;
mod json;
mod text;
mod veiled;

use std::{collections::BTreeMap, sync::Arc};

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, StatusCode, header};

pub use self::{events::EventMasker, json::JsonMasker, text::TextMasker};
use super::{
    dialect::{BodyEnd, Ended, ResponseReader, Sight},
    message::{ResponseHead, is_json},
};
use crate::{
    mask::Detectors,
    model::{Refusal, RefusalKind},
};

/// Masked values by class.
pub type Tally = BTreeMap<String, u64>;

/// The refusal of an answer that cannot be masked.
pub fn unmaskable(why: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Unmaskable,
        rule: None,
        message: format!("the answer cannot be masked: {why}"),
        hint: Some("Ask for plain text or JSON, without compression.".to_owned()),
    }
}

/// Types whose bytes are packed, so that nothing can be found in them.
const PACKED: [&str; 15] = [
    "application/zip",
    "application/gzip",
    "application/x-gzip",
    "application/x-tar",
    "application/x-bzip2",
    "application/x-7z-compressed",
    "application/zstd",
    "application/pdf",
    "application/grpc",
    "application/x-protobuf",
    "application/protobuf",
    "application/msgpack",
    "application/x-msgpack",
    "application/cbor",
    "application/vnd.apache.parquet",
];

/// The refusal of a stream over which a server may spread a value, where the site lets none through.
pub fn spread() -> Refusal {
    Refusal {
        kind: RefusalKind::Unmaskable,
        rule: None,
        message: "this connection streams nothing to whom something is masked: a value could be spread over several \
                  events or messages"
            .to_owned(),
        hint: Some("Ask for an answer that comes whole.".to_owned()),
    }
}

/// Whether answers of this type are several documents, one after the other.
pub fn is_stream(media_type: &str) -> bool {
    media_type == "text/event-stream" || LINES.contains(&media_type)
}

/// Types of which each line is a document of JSON.
const LINES: [&str; 4] =
    ["application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/json-seq"];

/// Leaves out what is reckoned from the body: it would tell whether a guess at what is hidden is right.
pub fn strip_sums(headers: &mut HeaderMap) {
    const SUMS: [&str; 10] =
        ["digest", "checksum", "md5", "sha1", "sha-1", "sha256", "sha512", "crc32", "crc64", "goog-hash"];
    let tells = |name: &&header::HeaderName| {
        matches!(name.as_str(), "etag" | "accept-ranges") || SUMS.iter().any(|sum| name.as_str().contains(sum))
    };
    let sums: Vec<_> = headers.keys().filter(tells).cloned().collect();
    for name in sums {
        headers.remove(name);
    }
}

/// How the text of a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Json,
    Text,
    /// A picture, a sound, a font: no text.
    Bytes,
    /// What its first byte says.
    Unsaid,
}

/// Who masks an answer to plain requests. Refuses what cannot be read while something is masked.
pub fn reader(head: &mut ResponseHead, sight: &Sight) -> Result<Box<dyn ResponseReader>, Refusal> {
    if sight.is_clear() {
        return Ok(Box::new(Clear));
    }
    let encoded = head.headers.get_all(header::CONTENT_ENCODING).iter();
    if encoded.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(unmaskable("the upstream compressed it, though it was asked not to"));
    }
    if head.status == StatusCode::PARTIAL_CONTENT {
        return Err(unmaskable("it is a part, and a value could be cut in two by its borders"));
    }
    let media_type = head.media_type();
    if PACKED.contains(&media_type.as_str()) || media_type.starts_with("multipart/") {
        return Err(unmaskable("nothing can be found in what is packed"));
    }
    if let Some(charset) = charset(&head.headers)
        && !["utf-8", "utf8", "us-ascii", "iso-8859-1", "latin1", "windows-1252"].contains(&charset.as_str())
    {
        return Err(unmaskable("its character set is not read here"));
    }
    let form = match media_type.as_str() {
        "text/event-stream" => Form::Events,
        json if is_json(json) || LINES.contains(&json) => Form::Json,
        "" | "text/plain" | "application/octet-stream" => Form::Unsaid,
        other if ["image/", "audio/", "video/", "font/"].iter().any(|kind| other.starts_with(kind)) => Form::Bytes,
        _ => Form::Text,
    };
    if form == Form::Text && !sight.places.is_empty() {
        return Err(unmaskable(&format!("it is {media_type} (status {}), {ONLY_JSON}", head.status.as_u16())));
    }
    Ok(Box::new(Masked { form, masker: None, sight: sight.clone() }))
}

/// FAIL-CLOSED: the same value stands in every other form of the same document, at a place that nobody here knows.
const ONLY_JSON: &str = "and what is masked by its place is known in JSON only";

fn charset(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
    let parameter =
        value.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("charset="))?.to_owned();
    Some(parameter.trim_matches('"').to_owned())
}

/// A message that is known whole, masked; with what was masked in it.
pub fn message(text: &str, sight: &Sight) -> Result<(String, Tally), Refusal> {
    let mut out = BytesMut::new();
    let tally = if text.trim_start().starts_with(['{', '[', '"']) {
        let mut json = JsonMasker::new(sight);
        json.chunk(text.as_bytes(), &mut out)?;
        json.end(true, &mut out)?
    } else {
        let mut plain = TextMasker::new(Arc::clone(&sight.detectors));
        plain.chunk(text.as_bytes(), &mut out)?;
        plain.end(true, &mut out)
    };
    Ok((String::from_utf8_lossy(&out).into_owned(), tally))
}

/// The reader of an answer without a body.
pub fn nothing() -> Box<dyn ResponseReader> {
    Box::new(Clear)
}

/// Masks what the detectors find in every value of a header.
pub fn headers(headers: &mut HeaderMap, detectors: &Detectors, tally: &mut Tally) {
    if detectors.is_empty() {
        return;
    }
    for value in headers.values_mut() {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let plain = super::codec::decoded(&text);
        let found = detectors.class_of(text.as_bytes());
        let hidden =
            plain.as_ref().filter(|plain| **plain != text).and_then(|plain| detectors.class_of(plain.as_bytes()));
        let Some(class) = found.or(hidden) else { continue };
        *tally.entry(class.as_str().to_owned()).or_default() += 1;
        let masked = match (found, detectors.mask_text(&text)) {
            (Some(_), Some(masked)) => HeaderValue::try_from(masked).ok(),
            _ => None,
        };
        *value = masked.unwrap_or_else(|| HeaderValue::from_static("[redacted]"));
    }
}

/// Shows everything.
struct Clear;

impl ResponseReader for Clear {
    fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        out.extend_from_slice(bytes);
        Ok(())
    }

    fn end(self: Box<Self>, _end: BodyEnd, _out: &mut BytesMut) -> Result<Ended, Refusal> {
        Ok(Ended::default())
    }
}

enum Masker {
    Events(EventMasker),
    Json(Box<JsonMasker>),
    Text(TextMasker),
}

/// Picks its masker by the first byte that says something.
struct Masked {
    form: Form,
    masker: Option<Masker>,
    sight: Sight,
}

impl Masked {
    fn pick(&self, bytes: &[u8]) -> Result<Option<Masker>, Refusal> {
        let text = || Masker::Text(TextMasker::new(Arc::clone(&self.sight.detectors)));
        let json = || Masker::Json(Box::new(JsonMasker::new(&self.sight)));
        if self.form == Form::Events {
            return Ok(Some(Masker::Events(EventMasker::new(&self.sight))));
        }
        if self.form == Form::Bytes {
            return Ok(Some(text()));
        }
        if bytes.starts_with(b"\xFE\xFF") || bytes.starts_with(b"\xFF\xFE") {
            return Err(unmaskable("its character set is not read here"));
        }
        // What some servers write before JSON: a mark of UTF-8, signs against its use as a script.
        let is_blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0x1e | 0xEF | 0xBB | 0xBF);
        let Some(first) = bytes.iter().copied().find(|byte| !is_blank(byte)) else { return Ok(None) };
        let has_places = !self.sight.places.is_empty();
        match self.form {
            Form::Json if b"{[\"-0123456789tfn)w/".contains(&first) => Ok(Some(json())),
            Form::Unsaid if first == b'{' || (first == b'[' && has_places) => Ok(Some(json())),
            Form::Json | Form::Unsaid if has_places => Err(unmaskable(&format!("it is no JSON, {ONLY_JSON}"))),
            Form::Events | Form::Json | Form::Text | Form::Bytes | Form::Unsaid => Ok(Some(text())),
        }
    }

    /// Text of two or four bytes a letter hides every value from whoever looks for bytes.
    fn check(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let is_text = matches!(self.form, Form::Events | Form::Json | Form::Text);
        if is_text && memchr::memchr(0, bytes).is_some() {
            return Err(unmaskable("it holds bytes that no text of UTF-8 holds"));
        }
        Ok(())
    }
}

impl ResponseReader for Masked {
    fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        self.check(bytes)?;
        if self.masker.is_none() {
            self.masker = self.pick(bytes)?;
        }
        match &mut self.masker {
            Some(Masker::Events(events)) => events.chunk(bytes, out),
            Some(Masker::Json(json)) => json.chunk(bytes, out),
            Some(Masker::Text(text)) => text.chunk(bytes, out),
            // Nothing but spaces so far.
            None => {
                out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn end(self: Box<Self>, end: BodyEnd, out: &mut BytesMut) -> Result<Ended, Refusal> {
        let whole = end == BodyEnd::Whole;
        let masked = match self.masker {
            Some(Masker::Events(events)) => events.end(whole, out)?,
            Some(Masker::Json(json)) => json.end(whole, out)?,
            Some(Masker::Text(text)) => text.end(whole, out),
            None => Tally::new(),
        };
        Ok(Ended { masked, ..Ended::default() })
    }
}

#[cfg(test)]
mod tests;
