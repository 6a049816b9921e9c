//! Tests of prompts in both shapes: what is understood, what is refused, and what a policy is asked.

use super::*;
use crate::{mask::Detectors, protocol::json::Tally};

fn read(endpoint: Endpoint, body: &str) -> Result<Prompt, Refusal> {
    prompt(endpoint, &Json::parse(body.as_bytes()).map_err(|error| unsupported(error.to_string(), ""))?)
}

#[test]
fn a_chat_with_tools_is_read_whole() {
    let prompt = read(
        Endpoint::Chat,
        r#"{"model":"gpt-4o-mini","stream":true,"max_tokens":50,"messages":[
            {"role":"system","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"Look."},{"type":"image_url","image_url":{"url":"data:x"}}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
              "function":{"name":"run_sql","arguments":"{\"query\":\"SELECT 1\"}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"[[1]]"}],
            "tools":[{"type":"function","function":{"name":"run_sql","parameters":{}}}]}"#,
    )
    .unwrap();
    assert_eq!((prompt.model.as_str(), prompt.stream, prompt.max_tokens), ("gpt-4o-mini", true, Some(50)));
    assert_eq!((prompt.tools.as_slice(), prompt.attachments()), (&["run_sql".to_owned()][..], 1));
    let shown = prompt.transcript(10_000);
    assert!(shown.starts_with("system: Be brief.\nuser: Look.\n  [image_url of "), "{shown}");
    assert!(shown.ends_with("assistant: calls run_sql {\"query\":\"SELECT 1\"}\ntool: [[1]]"), "{shown}");
    assert!(prompt.transcript(60).starts_with("… "), "{}", prompt.transcript(60));
}

#[test]
fn anthropics_shape_is_read_whole() {
    let prompt = read(
        Endpoint::Messages,
        r#"{"model":"claude-x","max_tokens":9,"system":[{"type":"text","text":"Be brief."}],"messages":[
            {"role":"user","content":"Count."},
            {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"run_sql","input":{"query":"SELECT 1"}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"1"}]}]}],
            "tools":[{"name":"run_sql","input_schema":{}},{"type":"web_search_20250305","name":"web_search"}]}"#,
    )
    .unwrap();
    let expected = "system: Be brief.\nuser: Count.\nassistant: calls run_sql {\"query\":\"SELECT 1\"}\nuser: 1";
    assert_eq!(prompt.transcript(10_000), expected);
    assert_eq!((prompt.tools.len(), prompt.hosted_tools.as_slice()), (1, &["web_search_20250305".to_owned()][..]));
}

#[test]
fn responses_embeddings_and_completions_are_read() {
    let prompt = read(
        Endpoint::Responses,
        r#"{"model":"m","instructions":"Be brief.","input":[{"role":"user","content":"Hi"},
            {"type":"function_call","name":"f","arguments":"{}","call_id":"c"},
            {"type":"function_call_output","call_id":"c","output":"done"}],"tools":[{"type":"function","name":"f"}]}"#,
    )
    .unwrap();
    assert_eq!(prompt.transcript(999), "system: Be brief.\nuser: Hi\nassistant: calls f {}\ntool: done");
    assert_eq!(prompt.tools, ["f"]);
    assert_eq!(read(Endpoint::Embeddings, r#"{"model":"m","input":["a","b"]}"#).unwrap().turns.len(), 2);
    assert_eq!(read(Endpoint::Completions, r#"{"model":"m","prompt":"a"}"#).unwrap().turns.len(), 1);
}

#[test]
fn what_is_not_understood_is_refused() {
    for (endpoint, body) in [
        (Endpoint::Chat, r#"{"model":"m","messages":[{"role":"user","content":[{"type":"hologram","x":"y"}]}]}"#),
        (Endpoint::Chat, r#"{"model":"m","messages":[{"role":"user","content":7}]}"#),
        (Endpoint::Chat, r#"{"model":"m"}"#),
        (Endpoint::Chat, r#"{"messages":[]}"#),
        (Endpoint::Chat, r#"{"model":"a b","messages":[]}"#),
        (Endpoint::Chat, r#"{"model":["m"],"messages":[]}"#),
        (Endpoint::Chat, r"[]"),
        (Endpoint::Embeddings, r#"{"model":"m","input":[[1,2,3]]}"#),
        (Endpoint::Embeddings, r#"{"model":"m","input":[1,2,3]}"#),
        (Endpoint::Completions, r#"{"model":"m","prompt":[1,2]}"#),
        (Endpoint::Responses, r#"{"model":"m","input":[{"type":"item_reference","id":"x"}]}"#),
        (Endpoint::Responses, r#"{"model":"m","input":"x","background":true}"#),
        (Endpoint::Messages, r#"{"model":"m","messages":[{"role":"user","content":[{"type":"server_tool_use"}]}]}"#),
    ] {
        assert!(read(endpoint, body).is_err(), "{body}");
    }
}

#[test]
fn every_text_of_a_prompt_is_masked_before_it_leaves() {
    let body = r#"{"model":"gpt-4o-mini","messages":[
        {"role":"system","content":"The key is sk-ant-REDACTED"},
        {"role":"user","content":[{"type":"text","text":"mail ada@example.com"}],"name":"grace@example.com"},
        {"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"run_sql",
          "arguments":"{\"query\":\"SELECT 'alan\\u0040example.com'\"}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"{\"rows\": [[4111111111111111, \"123-45-6789\"]]}"}],
        "tools":[{"type":"function","function":{"name":"run_sql","description":"as tim@example.com",
          "parameters":{"properties":{"kay@example.com":{"type":"string"}}}}}],
        "metadata":{"who":"joan@example.com","type":"4012888888881881","role":"AKIAIOSFODNN7EXAMPLE"}}"#;
    let body = body.replace("REDACTED", "api03-abcdefghijklmnopqrstuvwxyzABCDEF0123456789");
    let mut json = Json::parse(body.as_bytes()).unwrap();
    json.mask(&Detectors::builtin(), crate::protocol::llm::KEPT_MEMBERS, &mut Tally::default());
    let out = json.write();
    for secret in
        ["example.com", "abcdefghijklmnopqrstuvwxyz", "4111111111111111", "123-45-6789", "4012888888881881", "AKIA"]
    {
        assert!(!out.contains(secret), "{secret} in {out}");
    }
    assert!(out.contains("gpt-4o-mini") && out.contains("run_sql") && out.contains("\"role\":\"tool\""), "{out}");
    assert!(prompt(Endpoint::Chat, &json).is_ok(), "what goes out is a prompt still");
}
