//! Whatever the chunks: no value gets through, nothing else changes, and JSON stays JSON.

use proptest::prelude::*;

use super::*;
use crate::mask::MaskFunction;
use crate::protocol::http::dialect::MaskedPlace;

fn sight(places: &[(&[&str], MaskFunction)]) -> Sight {
    let detectors = Arc::new(Detectors::builtin());
    let place = |(path, function): &(&[&str], MaskFunction)| MaskedPlace {
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        class: Arc::from("pii"),
        function: *function,
    };
    Sight {
        detectors: Arc::clone(&detectors),
        sensitive: detectors,
        places: places.iter().map(place).collect(),
        tagged: Arc::new([]),
        permits: Arc::new(|_| true),
        who: Arc::from("ada"),
    }
}

fn masked_as(media_type: &str, sight: &Sight, chunks: &[&[u8]]) -> String {
    let mut head = ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() };
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::try_from(media_type).unwrap());
    let mut reader = reader(&mut head, sight).unwrap();
    let mut out = BytesMut::new();
    for chunk in chunks {
        reader.chunk(chunk, &mut out).unwrap();
    }
    reader.end(BodyEnd::Whole, &mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

const DOCUMENT: &str = r#"{"user":{"email":"jane@example.com","note":"card 4111 1111 1111 1111 \u00e4","n":4111111111111111},
 "list":["x",1,null,"J\u0061ne\u0040example.com"],"ok":true,"jane@example.com":1}"#;

#[test]
fn json_is_masked_and_stays_json() {
    let masked = masked_as("application/json", &sight(&[]), &[DOCUMENT.as_bytes()]);
    let read: serde_json::Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(read["user"]["email"], "j****@*****.com");
    assert_eq!(read["user"]["n"], "************1111");
    assert_eq!(read["list"][3], "J****@*****.com");
    assert!(!masked.contains("jane@"), "{masked}");
    assert!(masked.contains(r#"["x",1,null,"#), "{masked}");
}

#[test]
fn a_tagged_place_is_masked_whole_with_all_that_is_in_it() {
    let sight = sight(&[(&["user"], MaskFunction::Redact), (&["list"], MaskFunction::Null)]);
    let masked = masked_as("application/json", &sight, &[DOCUMENT.as_bytes()]);
    let read: serde_json::Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(read["user"]["email"], "[redacted]");
    assert_eq!(read["user"]["n"], "[redacted]");
    assert_eq!(read["list"], serde_json::json!([null, null, null, null]));
    assert_eq!(read["ok"], true);
}

#[test]
fn a_long_string_is_masked_in_pieces() {
    let filler = "abc \\\" ".repeat(40_000);
    let body = format!(r#"{{"a":"{filler}jane@example.com {filler}","b":"x@example.com"}}"#);
    for size in [1_000, 65_536, 1_000_000] {
        let chunks: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
        let masked = masked_as("application/json", &sight(&[]), &chunks);
        let read: serde_json::Value = serde_json::from_str(&masked).unwrap();
        let text = read["a"].as_str().unwrap();
        assert!(text.contains("j****@*****.com") && !text.contains("jane@"));
        assert_eq!(text.len(), 2 * 40_000 * 6 + "j****@*****.com ".len());
    }
    let hidden = masked_as("application/json", &sight(&[(&["a"], MaskFunction::Redact)]), &[body.as_bytes()]);
    assert_eq!(hidden, r#"{"a":"[redacted]","b":"*****@*****.com"}"#);
}

#[test]
fn events_go_on_one_by_one() {
    let mut masker = EventMasker::new(&sight(&[]));
    let mut out = BytesMut::new();
    masker.chunk(b": alive\n", &mut out).unwrap();
    assert_eq!(&out[..], b": alive\n");
    masker.chunk(b"event: x\r\ndata: {\"m\":\"jane@exa", &mut out).unwrap();
    assert_eq!(&out[..], b": alive\n");
    masker.chunk(b"mple.com\"}\r\n\r\ndata: left", &mut out).unwrap();
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(text, ": alive\nevent: x\ndata: {\"m\":\"j****@*****.com\"}\n\n");
}

#[test]
fn what_is_cut_off_is_not_shown() {
    for media_type in ["application/json", "text/plain", "text/event-stream"] {
        let mut head = ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() };
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        let mut reader = reader(&mut head, &sight(&[])).unwrap();
        let mut out = BytesMut::new();
        reader.chunk(b"{\"a\":\"jane@example.co", &mut out).unwrap();
        reader.end(BodyEnd::Cut, &mut out).unwrap();
        assert!(!String::from_utf8_lossy(&out).contains("jane"), "{media_type}");
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let refused = |pairs: &[(&str, &str)], status: u16| {
        let mut head = ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new() };
        for (name, value) in pairs {
            head.headers.insert(http::HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        reader(&mut head, &sight(&[])).is_err()
    };
    assert!(refused(&[("content-encoding", "gzip")], 200));
    assert!(refused(&[("content-type", "text/plain; charset=utf-16")], 200));
    assert!(refused(&[("content-type", "application/zip")], 200));
    assert!(refused(&[("content-type", "multipart/byteranges")], 200));
    assert!(refused(&[], 206));
    assert!(!refused(&[("content-type", "text/html; charset=\"UTF-8\"")], 200));
}

#[test]
fn headers_are_masked_too() {
    let mut map = HeaderMap::new();
    map.insert("x-user", HeaderValue::from_static("jane@example.com"));
    map.insert("location", HeaderValue::from_static("/u?mail=jane%40example.com"));
    map.insert("x-plain", HeaderValue::from_static("plain"));
    let mut tally = Tally::new();
    headers(&mut map, &Detectors::builtin(), &mut tally);
    assert_eq!(map["x-user"], "j****@*****.com");
    assert_eq!(map["x-plain"], "plain");
    assert!(!map["location"].to_str().unwrap().contains("jane"));
    assert_eq!(tally["email"], 2);
}

proptest! {
    #[test]
    fn no_split_changes_what_is_shown(
        words in prop::collection::vec(
            prop_oneof![
                Just("jane@example.com".to_owned()),
                Just("4111 1111 1111 1111".to_owned()),
                Just("\n".to_owned()),
                "[a-z\\\\\" ]{0,12}",
            ],
            0..20,
        ),
        cuts in prop::collection::vec(0_usize..400, 0..8),
        media in prop::sample::select(vec!["application/json", "text/plain", "text/event-stream"]),
    ) {
        let body = match media {
            "application/json" => serde_json::json!({ "b": words.join(", "), "a": words }).to_string(),
            "text/event-stream" => words.iter().fold(String::new(), |text, word| {
                text + "data: " + &word.replace('\n', " ") + "\n\n"
            }),
            _ => words.join(", "),
        };
        let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        places.extend([0, body.len()]);
        places.sort_unstable();
        let chunks: Vec<&[u8]> = places.windows(2).map(|pair| &body.as_bytes()[pair[0]..pair[1]]).collect();
        let split = masked_as(media, &sight(&[]), &chunks);
        let whole = masked_as(media, &sight(&[]), &[body.as_bytes()]);
        prop_assert_eq!(&split, &whole);
        prop_assert!(!split.contains("jane@example.com"), "{}", split);
        prop_assert!(!split.contains("4111 1111 1111 1111"), "{}", split);
        if media == "application/json" {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&split).is_ok(), "{}", split);
        }
    }
}
