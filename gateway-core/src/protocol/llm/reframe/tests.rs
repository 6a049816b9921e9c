//! Tests of answers: whole and streamed, in every shape, split at every byte, masked, with calls put together.

use proptest::prelude::*;

use super::{
    super::{
        super::sse::{SsePiece, SseReader},
        message::{Answer, Endpoint},
    },
    *,
};
use crate::{mask::Detectors, protocol::json::Json};

fn event(name: Option<&str>, data: &str) -> String {
    name.map(|name| format!("event: {name}\n")).unwrap_or_default() + &format!("data: {data}\n\n")
}

fn chat_stream() -> String {
    let chunk = |delta: &str, finish: &str| {
        event(
            None,
            &format!(
                r#"{{"id":"c","model":"gpt-x","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
            ),
        )
    };
    let mut text = String::from(": hello\n\n");
    text += &chunk(r#"{"role":"assistant","content":""}"#, "null");
    for piece in ["Write to ad", "a@exam", "ple.com, card 4111 11", "11 1111 11", "11, or call"] {
        text += &chunk(&format!(r#"{{"content":"{piece}"}}"#), "null");
    }
    text += &chunk(&format!(r#"{{"content":"{}"}}"#, " and so on".repeat(60)), "null");
    text += &chunk(
        r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"run_sql","arguments":""}}]}"#,
        "null",
    );
    for piece in [r#"{\"que"#, r#"ry\": \"SELECT 1 WHERE mail = 'gra"#, r"ce\\u0040example.com'", r#"\"}"#] {
        text += &chunk(&format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{piece}"}}}}]}}"#), "null");
    }
    text += &chunk("{}", "\"tool_calls\"");
    text += &event(None, r#"{"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}"#);
    text + &event(None, "[DONE]")
}

fn messages_stream() -> String {
    let mut text = event(
        Some("message_start"),
        r#"{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":11,"output_tokens":1}}}"#,
    );
    text += &event(
        Some("content_block_start"),
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Write "}}"#,
    );
    for piece in ["to ad", "a@exam", "ple.com now"] {
        let data =
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{piece}"}}}}"#);
        text += &event(Some("content_block_delta"), &data);
    }
    text += &event(Some("content_block_stop"), r#"{"type":"content_block_stop","index":0}"#);
    text += &event(
        Some("content_block_start"),
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"run_sql","input":{}}}"#,
    );
    for piece in [r#"{\"query\": \"DEL"#, r"ETE FROM a WHERE mail = 'ada@ex", r#"ample.com'\"}"#] {
        let data = format!(
            r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"input_json_delta","partial_json":"{piece}"}}}}"#
        );
        text += &event(Some("content_block_delta"), &data);
    }
    text += &event(Some("content_block_stop"), r#"{"type":"content_block_stop","index":1}"#);
    text += &event(
        Some("message_delta"),
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
    );
    text + &event(Some("message_stop"), r#"{"type":"message_stop"}"#)
}

fn responses_stream() -> String {
    let mut text = String::new();
    for piece in ["Write to ad", "a@exam", "ple.com"] {
        let data = format!(
            r#"{{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"{piece}"}}"#
        );
        text += &event(Some("response.output_text.delta"), &data);
    }
    text += &event(
        Some("response.output_text.done"),
        r#"{"type":"response.output_text.done","item_id":"m","output_index":0,"content_index":0,"text":"Write to ada@example.com"}"#,
    );
    for piece in [r#"{\"query\": "#, r#"\"SELECT 7\"}"#] {
        let data = format!(
            r#"{{"type":"response.function_call_arguments.delta","item_id":"f","output_index":1,"delta":"{piece}"}}"#
        );
        text += &event(Some("response.function_call_arguments.delta"), &data);
    }
    text += &event(
        Some("response.function_call_arguments.done"),
        r#"{"type":"response.function_call_arguments.done","item_id":"f","output_index":1,"arguments":"{\"query\": \"SELECT 7\"}"}"#,
    );
    text + &event(
        Some("response.completed"),
        r#"{"type":"response.completed","response":{"model":"gpt-x","status":"completed","output":[
        {"type":"message","content":[{"type":"output_text","text":"Write to ada@example.com"}]},
        {"type":"function_call","name":"run_sql","arguments":"{\"query\": \"SELECT 7\"}"}],
        "usage":{"input_tokens":3,"output_tokens":4}}}"#
            .replace('\n', " ")
            .as_str(),
    )
}

fn streamed(endpoint: Endpoint, text: &str, cuts: &[usize], detectors: &Detectors) -> (String, Answer) {
    let (mut stream, mut out, mut from) = (StreamedAnswer::new(endpoint, false), Vec::new(), 0);
    for cut in cuts.iter().copied().chain([text.len()]) {
        let cut = cut.clamp(from, text.len());
        stream.chunk(&text.as_bytes()[from..cut], detectors, &mut out).unwrap();
        from = cut;
    }
    let answer = stream.end(detectors, &mut out);
    (String::from_utf8(out).unwrap(), answer)
}

/// What a client puts together of a stream: every text at its place.
fn gathered(endpoint: Endpoint, stream: &str) -> (String, String) {
    let (mut reader, mut events) = (SseReader::default(), Vec::new());
    reader.push(stream.as_bytes(), &mut events).unwrap();
    let (mut said, mut arguments) = (String::new(), String::new());
    for piece in events {
        let SsePiece::Event(event) = piece else { continue };
        let Ok(json) = Json::parse(event.data.as_bytes()) else { continue };
        for piece in deltas::pieces(endpoint, &json) {
            let mut json = json.clone();
            let text = deltas::at(&mut json, &piece.way).and_then(|at| at.as_text()).unwrap_or_default();
            match piece.kind {
                channel::ChannelKind::Text => said.push_str(text),
                channel::ChannelKind::Arguments => arguments.push_str(text),
            }
        }
    }
    (said, arguments)
}

fn samples() -> [(Endpoint, String); 3] {
    [
        (Endpoint::Chat, chat_stream()),
        (Endpoint::Messages, messages_stream()),
        (Endpoint::Responses, responses_stream()),
    ]
}

#[test]
fn no_split_of_a_stream_lets_a_value_through_and_the_client_gets_the_answer() {
    let detectors = Detectors::builtin();
    for (endpoint, text) in samples() {
        let (whole, answer) = streamed(endpoint, &text, &[], &detectors);
        let expected = gathered(endpoint, &whole);
        assert!(!whole.contains("ada@") && !whole.contains("grace") && !whole.contains("4111 1111"), "{whole}");
        assert!(expected.0.contains("Write to ***") || expected.0.contains("Write to a****@"), "{expected:?}");
        assert!(Json::parse(expected.1.as_bytes()).is_ok(), "{expected:?}");
        assert_eq!(answer.calls.len(), 1, "{endpoint:?}");
        assert!(answer.text.starts_with("Write to ") && !answer.masked.is_empty(), "{answer:?}");
        for cut in 0..text.len() {
            if !text.is_char_boundary(cut) {
                continue;
            }
            let (out, cut_answer) = streamed(endpoint, &text, &[cut], &detectors);
            assert!(!out.contains("ada@") && !out.contains("grace"), "{endpoint:?} split at {cut}: {out}");
            assert_eq!(gathered(endpoint, &out), expected, "{endpoint:?} split at {cut}");
            assert_eq!(cut_answer, answer, "{endpoint:?} split at {cut}");
        }
    }
}

#[test]
fn what_nothing_is_masked_of_comes_as_it_was_said() {
    for (endpoint, text) in samples() {
        let (out, answer) = streamed(endpoint, &text, &[], &Detectors::none());
        assert_eq!(gathered(endpoint, &out), gathered(endpoint, &text));
        assert!(answer.text.contains("ada@example.com"), "{endpoint:?}");
    }
}

#[test]
fn calls_are_put_together_and_tokens_are_read() {
    let (_, answer) = streamed(Endpoint::Chat, &chat_stream(), &[], &Detectors::none());
    assert_eq!(answer.calls[0].name, "run_sql");
    assert!(answer.calls[0].arguments.contains("SELECT 1"), "{answer:?}");
    assert_eq!((answer.input_tokens, answer.output_tokens), (Some(7), Some(5)));
    assert_eq!((answer.finish.as_deref(), answer.model.as_deref()), (Some("tool_calls"), Some("gpt-x")));
    let (_, answer) = streamed(Endpoint::Messages, &messages_stream(), &[], &Detectors::none());
    assert_eq!(answer.calls[0].name, "run_sql");
    assert_eq!((answer.input_tokens, answer.output_tokens), (Some(11), Some(9)));
    assert_eq!(answer.finish.as_deref(), Some("tool_use"));
    let (_, answer) = streamed(Endpoint::Responses, &responses_stream(), &[], &Detectors::none());
    assert_eq!((answer.calls[0].name.as_str(), answer.input_tokens), ("run_sql", Some(3)));
}

#[test]
fn a_count_of_tokens_that_only_the_gateway_asked_for_is_not_shown() {
    let (mut stream, mut out) = (StreamedAnswer::new(Endpoint::Chat, true), Vec::new());
    stream.chunk(chat_stream().as_bytes(), &Detectors::none(), &mut out).unwrap();
    let answer = stream.end(&Detectors::none(), &mut out);
    assert_eq!(answer.input_tokens, Some(7));
    assert!(!String::from_utf8(out).unwrap().contains("usage"));
}

#[test]
fn a_whole_answer_is_read_and_masked_in_every_shape() {
    let detectors = Detectors::builtin();
    for (endpoint, body) in [
        (
            Endpoint::Chat,
            r#"{"model":"m","choices":[{"message":{"content":"Ask ada@example.com","tool_calls":[{"function":
               {"name":"f","arguments":"{\"q\":\"ada\\u0040example.com\"}"}}]},"finish_reason":"stop"}],
               "usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        ),
        (
            Endpoint::Messages,
            r#"{"model":"m","content":[{"type":"text","text":"Ask ada@example.com"},{"type":"tool_use","name":"f",
               "input":{"q":"ada@example.com"}}],"stop_reason":"stop","usage":{"input_tokens":1,"output_tokens":2}}"#,
        ),
        (
            Endpoint::Responses,
            r#"{"model":"m","status":"stop","output":[{"type":"message","content":[{"type":"output_text",
               "text":"Ask ada@example.com"}]},{"type":"function_call","name":"f","arguments":"{\"q\":\"x\"}"}],
               "usage":{"input_tokens":1,"output_tokens":2}}"#,
        ),
    ] {
        let (answer, out) = plain(endpoint, body.as_bytes(), &detectors).unwrap();
        assert!(!out.contains("ada@") && !out.contains("u0040"), "{out}");
        assert!(answer.text.starts_with("Ask ") && answer.calls.len() == 1, "{answer:?}");
        assert_eq!((answer.input_tokens, answer.output_tokens), (Some(1), Some(2)));
        assert_eq!(answer.finish.as_deref(), Some("stop"));
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_not_passed_on() {
    let detectors = Detectors::builtin();
    for (endpoint, text) in [
        (Endpoint::Chat, "data: not json, ada@example.com\n\n"),
        (Endpoint::Chat, "data: {\"choices\":1,\"choices\":2}\n\n"),
        (Endpoint::Responses, "data: {\"type\":\"response.audio.delta\",\"delta\":\"AAAA\"}\n\n"),
    ] {
        let (mut stream, mut out) = (StreamedAnswer::new(endpoint, false), Vec::new());
        let error = stream.chunk(text.as_bytes(), &detectors, &mut out).unwrap_err();
        assert!(out.is_empty() && !error.to_string().contains("ada@"), "{error}");
    }
}

#[test]
fn embeddings_stay_numbers() {
    let body = r#"{"data":[{"embedding":[0.0123456789012345,-1.5e-12]}],"model":"m","usage":{"prompt_tokens":4}}"#;
    let (answer, out) = plain(Endpoint::Embeddings, body.as_bytes(), &Detectors::builtin()).unwrap();
    assert_eq!(answer.input_tokens, Some(4));
    assert!(out.contains("[0.0123456789012345,-1.5e-12]"), "{out}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_of_any_stream_gives_the_same(which in 0_usize..3, mut cuts in prop::collection::vec(0_usize..6_000, 0..60)) {
        cuts.sort_unstable();
        let (endpoint, text) = samples()[which].clone();
        let detectors = Detectors::builtin();
        let (whole, answer) = streamed(endpoint, &text, &[], &detectors);
        let (out, cut_answer) = streamed(endpoint, &text, &cuts, &detectors);
        prop_assert_eq!(gathered(endpoint, &out), gathered(endpoint, &whole));
        prop_assert_eq!(cut_answer, answer);
    }
}
