//! Tests of the dialect: what leaves, what is asked, what comes back, what it costs, and how a refusal reads.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};

use super::*;
use crate::{
    model::{RuleId, Verb},
    protocol::http::{dialect::MaskedPlace, message::Carriage},
};

fn sight(detectors: Detectors) -> Sight {
    let places: Arc<[MaskedPlace]> = Arc::from([]);
    let sensitive = Arc::new(Detectors::builtin());
    let tagged = Arc::clone(&places);
    Sight {
        detectors: Arc::new(detectors),
        sensitive,
        places,
        tagged,
        permits: Arc::new(|_operation| true),
        who: Arc::from("ada"),
    }
}

fn head(path: &str, headers: &[(&'static str, &str)]) -> RequestHead {
    let mut map = HeaderMap::new();
    map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    map.extend(
        headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())),
    );
    RequestHead {
        method: Method::POST,
        path: path.to_owned(),
        query: None,
        headers: map,
        upgrades: false,
        carriage: Carriage::default(),
    }
}

fn dialect() -> LlmDialect {
    let price = "1 / 2".parse().unwrap();
    LlmDialect::new("api.example.com", Prices::new([("m*".to_owned(), price)].into()))
}

fn ask(path: &str, body: &str, detectors: Detectors) -> Result<Inspection, Rejection> {
    dialect().inspect(&head(path, &[]), &Bytes::from(body.to_owned()), &sight(detectors))
}

fn answer(path: &str, body: Bytes, media: &'static str, said: &str, end: BodyEnd) -> (String, Result<Ended, Refusal>) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    let mut response = ResponseHead { status: StatusCode::OK, headers };
    let asked = HttpRequest { head: head(path, &[]), body };
    let mut reader = dialect().reader(&asked, &mut response, &sight(Detectors::builtin())).ok().unwrap();
    let mut out = BytesMut::new();
    let ended = match reader.chunk(said.as_bytes(), &mut out) {
        Ok(()) => reader.end(end, &mut out),
        Err(refusal) => Err(refusal),
    };
    (String::from_utf8(out.to_vec()).unwrap(), ended)
}

const CHAT: &str = r#"{"model":"m1","stream":true,"messages":[{"role":"user","content":"I am ada@example.com"},
    {"role":"assistant","content":"Hello"},{"role":"user","content":"Count."}]}"#;

#[test]
fn a_prompt_leaves_masked_and_is_noted_with_what_is_new() {
    let asked = ask("/v1/chat/completions", CHAT, Detectors::builtin()).unwrap();
    let body = String::from_utf8(asked.body.unwrap().to_vec()).unwrap();
    assert!(!body.contains("ada@") && body.contains("\"include_usage\":true"), "{body}");
    let [operation] = asked.operations.as_slice() else { panic!("one operation") };
    let access = operation.accesses.first().unwrap();
    assert_eq!((access.verb, access.object.as_ref().unwrap().name.as_str()), (Verb::LlmComplete, "m1"));
    assert!(operation.text.starts_with("chat m1\nuser: I am ada@example.com"), "sealed by who records: {operation:?}");
    let note = &asked.notes[0];
    assert_eq!((note.kind, note.text.as_str()), ("prompt", "user: Count."));
    assert_eq!(note.facts["masked"], r#"{"email":1}"#);
}

#[test]
fn what_nothing_is_masked_of_leaves_as_it_is() {
    let asked = ask("/v1/chat/completions", CHAT, Detectors::none()).unwrap();
    assert!(String::from_utf8(asked.body.unwrap().to_vec()).unwrap().contains("ada@example.com"));
}

#[test]
fn pictures_and_headers_carry_nothing_out() {
    let picture =
        r#"{"model":"m1","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}]}"#;
    let rejection = ask("/v1/chat/completions", picture, Detectors::builtin()).unwrap_err();
    assert_eq!(rejection.refusal.kind, RefusalKind::Unmaskable);
    assert!(ask("/v1/chat/completions", picture, Detectors::none()).is_ok());
    let head = head("/v1/chat/completions", &[("baggage", "task=ada@example.com")]);
    let rejection = dialect().inspect(&head, &Bytes::from(CHAT), &sight(Detectors::builtin())).unwrap_err();
    assert!(!rejection.refusal.message.contains("ada@"), "{rejection:?}");
}

#[test]
fn an_unknown_endpoint_is_asked_for_as_such_and_masked_even_then() {
    let asked = ask("/v1/assistants", r#"{"instructions":"ada@example.com"}"#, Detectors::builtin()).unwrap();
    assert_eq!(asked.operations[0].accesses.first().unwrap().verb, Verb::LlmOther);
    assert!(!String::from_utf8(asked.body.unwrap().to_vec()).unwrap().contains("ada@"));
    let mut form = head("/v1/files", &[]);
    form.headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data"));
    assert!(dialect().inspect(&form, &Bytes::from("x"), &sight(Detectors::builtin())).is_err());
}

#[test]
fn a_streamed_answer_is_masked_counted_and_paid_for() {
    let body = ask("/v1/chat/completions", CHAT, Detectors::builtin()).unwrap().body.unwrap();
    let said = "data: {\"model\":\"m1-2026\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ask ada@example.com\"}}]}\n\n\
                data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n\
                data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n\
                data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":500}}\n\ndata: [DONE]\n\n";
    let (out, ended) = answer("/v1/chat/completions", body, "text/event-stream", said, BodyEnd::Whole);
    let ended = ended.unwrap();
    assert!(!out.contains("ada@") && !out.contains("usage") && out.ends_with("[DONE]\n\n"), "{out}");
    let note = &ended.notes[0];
    assert_eq!(
        (note.kind, note.facts["input_tokens"].as_str(), note.facts["finish"].as_str()),
        ("answer", "1000", "tool_calls")
    );
    assert_eq!(note.facts["spend_microdollars"], "2000");
    let answer = ended.answer.unwrap();
    assert_eq!((answer.tokens, answer.spend_microdollars, answer.arguments.len()), (1500, 2000, 1));
    assert_eq!(ended.masked["email"], 1);
}

#[test]
fn what_is_kept_back_of_a_stream_that_was_cut_is_not_shown() {
    let body = ask("/v1/chat/completions", CHAT, Detectors::builtin()).unwrap().body.unwrap();
    let said = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ask ada@exam\"}}]}\n\n";
    let (out, ended) = answer("/v1/chat/completions", body, "text/event-stream", said, BodyEnd::Cut);
    assert!(!out.contains("ada@"), "{out}");
    assert!(ended.is_ok());
}

#[test]
fn tokens_that_nobody_counted_are_estimated() {
    let body = Bytes::from(r#"{"model":"m1","messages":[]}"#);
    let said = r#"{"choices":[{"message":{"content":"Hello there"}}]}"#;
    let (_, ended) = answer("/v1/chat/completions", body, "application/json", said, BodyEnd::Whole);
    let ended = ended.unwrap();
    assert_eq!(ended.notes[0].facts["tokens_estimated"], "true");
    assert!(ended.answer.unwrap().tokens >= 10);
}

#[test]
fn an_answer_that_cannot_be_read_is_not_shown() {
    for (media, said) in [
        ("application/json", "ada@example.com"),
        ("text/event-stream", "data: ada@example.com\n\n"),
        ("text/html", "<p>ada@example.com</p>"),
    ] {
        let body = Bytes::from(r#"{"model":"m1","messages":[]}"#);
        let (out, _) = answer("/v1/chat/completions", body, media, said, BodyEnd::Whole);
        assert!(!out.contains("ada@"), "{media}: {out}");
    }
    let asked = HttpRequest { head: head("/v1/chat/completions", &[]), body: Bytes::new() };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("audio/mpeg"));
    let mut response = ResponseHead { status: StatusCode::OK, headers };
    assert!(dialect().reader(&asked, &mut response, &sight(Detectors::builtin())).is_err());
}

#[test]
fn a_refusal_is_an_error_of_the_api_with_the_facts_of_a_problem() {
    let refusal = Refusal {
        kind: RefusalKind::Policy,
        rule: Some(RuleId(Arc::from("small-models-only"))),
        message: "only small models are asked here".to_owned(),
        hint: Some("Ask m1.".to_owned()),
    };
    let session = SessionId::new(1, [7; 10]);
    for (path, member) in [("/v1/chat/completions", "hoop_refused"), ("/v1/messages", "permission_error")] {
        let (head, body) = (head(path, &[]), Bytes::from(CHAT));
        let said = dialect().refusal(Some((&head, &body)), &Rejection::from(refusal.clone()), None, &session);
        let text = String::from_utf8(said.body.to_vec()).unwrap();
        let json = Json::parse(text.as_bytes()).unwrap();
        let error = json.get("error").unwrap();
        assert_eq!(error.text_of("type"), Some(member));
        assert_eq!(error.text_of("message"), Some("only small models are asked here. Ask m1."));
        assert_eq!(json.text_of("rule"), Some("small-models-only"));
        assert_eq!(said.status, StatusCode::FORBIDDEN);
    }
}
