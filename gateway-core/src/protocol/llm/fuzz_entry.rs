//! What the fuzzers feed of models' APIs: bodies of prompts and of answers, and streams of events cut anywhere.

use super::{
    super::json::{Json, Tally},
    KEPT_MEMBERS, inspect,
    message::Endpoint,
    reframe::{StreamedAnswer, plain},
};
use crate::mask::Detectors;

const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::Chat,
    Endpoint::Responses,
    Endpoint::Completions,
    Endpoint::Embeddings,
    Endpoint::Messages,
    Endpoint::CountTokens,
];

/// Any body: what is masked is JSON still, and no prompt or answer of it panics.
///
/// # Panics
///
/// When a masked body cannot be parsed again.
pub fn bodies(input: &[u8]) {
    let Ok(mut json) = Json::parse(input) else { return };
    for endpoint in ENDPOINTS {
        if let Ok(prompt) = inspect::prompt(endpoint, &json) {
            assert!(prompt.transcript(1_000).len() < 1_100, "a transcript is bounded");
        }
    }
    let detectors = Detectors::builtin();
    for endpoint in ENDPOINTS {
        assert!(plain(endpoint, input, &detectors).is_ok_and(|(_, body)| Json::parse(body.as_bytes()).is_ok()));
    }
    json.mask(&detectors, KEPT_MEMBERS, &mut Tally::default());
    assert!(Json::parse(json.write().as_bytes()).is_ok(), "what goes out is JSON");
}

/// Any stream: however it is cut, the same answer comes of it, or none.
///
/// # Panics
///
/// When a cut makes a difference.
pub fn streams(input: &[u8]) {
    for endpoint in [Endpoint::Chat, Endpoint::Responses, Endpoint::Messages] {
        let whole = answer(endpoint, &[input]);
        let (first, second) = input.split_at(input.len() / 2);
        assert_eq!(answer(endpoint, &[first, second]), whole, "a cut makes a difference");
    }
}

fn answer(endpoint: Endpoint, chunks: &[&[u8]]) -> Option<super::message::Answer> {
    let (mut stream, mut out, detectors) = (StreamedAnswer::new(endpoint, false), Vec::new(), Detectors::builtin());
    for chunk in chunks {
        stream.chunk(chunk, &detectors, &mut out).ok()?;
    }
    Some(stream.end(&detectors, &mut out))
}
