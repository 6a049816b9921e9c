//! What the fuzzers feed: paths, queries and answers. Each states what must hold for any bytes.

use std::sync::Arc;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    codec::{
        canonical_path, canonical_query,
        framing::{Framing, REFUSED},
        pairs,
    },
    dialect::{BodyEnd, Sight},
    message::ResponseHead,
    reframe,
    route::{Routes, Template},
};
use crate::mask::Detectors;

/// A canonical path is its own canonical form, holds nothing that is read in two ways, and is of one template at most.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn target(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(path) = canonical_path(&text) {
        assert_eq!(canonical_path(&path).ok(), Some(path.clone()), "a canonical path is canonical");
        let words: Vec<&str> = path.split('/').collect();
        assert!(path.starts_with('/') && !words.contains(&"..") && !words.contains(&"."));
        assert!(path.is_ascii() && !path.contains(['\\', ';', '?', '#', '{', ' ', '\0']));
        let templates = ["/", "/users/{id}", "/users/me", "/files/*"].into_iter();
        let routes = Routes::new(templates.filter_map(|text| Template::parse(text).ok()).collect());
        let matched = routes.of(&path);
        assert!(matched.template == path || matched.template.contains(['{', '*']));
    }
    if let Ok(query) = canonical_query(&text) {
        assert!(pairs(&query).is_some(), "what is taken can be decoded");
    }
    if let Ok(template) = Template::parse(&text) {
        assert_eq!(template.as_str(), text);
    }
}

/// Whatever the pieces are, a client's stream is the same requests; what goes on is read as just these by whoever reads it
/// again; and nothing follows a request that was refused. The first byte says how long the pieces are.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn framing(input: &[u8]) {
    let Some((piece, bytes)) = input.split_first() else { return };
    let whole = messages(bytes, bytes.len());
    assert_eq!(whole, messages(bytes, usize::from(*piece)), "the pieces change nothing");
    let sent = whole.concat();
    assert_eq!(whole, messages(&sent, sent.len()), "what goes on is read alike again");
    let refused = |message: &Vec<u8>| memchr::memmem::find(message, REFUSED.as_bytes()).is_some();
    if let Some(place) = whole.iter().position(refused).filter(|place| place + 1 < whole.len()) {
        // A client may write the name itself, in its body or as a header: that is one of its own requests.
        let own = memchr::memmem::find(bytes, REFUSED.as_bytes()).is_some();
        assert!(own, "something follows the refused request {place}");
    }
}

/// Every request by itself, as it goes on, up to what is wrong.
fn messages(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let (mut framing, mut messages, mut out) = (Framing::default(), Vec::new(), Vec::new());
    for part in bytes.chunks(piece.max(1)) {
        let mut rest = part;
        while !rest.is_empty() {
            let Ok(taken) = framing.take(rest, &mut out) else { return messages };
            rest = rest.get(taken.bytes..).unwrap_or_default();
            if framing.is_between() && !out.is_empty() {
                messages.push(std::mem::take(&mut out));
            }
        }
    }
    if !out.is_empty() {
        messages.push(out);
    }
    messages
}

/// Whatever the chunks of an answer are, the same is shown.
///
/// # Panics
///
/// Where a split changes what is shown.
pub fn answer(input: &[u8]) {
    let Some(([form, cut], body)) = input.split_first_chunk::<2>() else { return };
    let media_type = match form % 3 {
        0 => "application/json",
        1 => "text/plain",
        _ => "text/event-stream",
    };
    let cut = usize::from(*cut).min(body.len());
    let (first, rest) = body.split_at(cut);
    assert_eq!(shown(media_type, &[body]), shown(media_type, &[first, rest]), "a split changes nothing");
}

fn shown(media_type: &'static str, chunks: &[&[u8]]) -> Option<Vec<u8>> {
    let detectors = Arc::new(Detectors::builtin());
    let sight = Sight {
        detectors: Arc::clone(&detectors),
        sensitive: detectors,
        places: Arc::new([]),
        tagged: Arc::new([]),
        permits: Arc::new(|_| true),
        who: Arc::from("anybody"),
    };
    let mut head = ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() };
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let mut reader = reframe::reader(&mut head, &sight).ok()?;
    let mut out = BytesMut::new();
    for chunk in chunks {
        reader.chunk(chunk, &mut out).ok()?;
    }
    reader.end(BodyEnd::Whole, &mut out).ok()?;
    Some(out.to_vec())
}
