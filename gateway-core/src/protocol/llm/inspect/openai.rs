//! Prompts of OpenAI-compatible APIs.

use super::{
    super::{
        super::json::Json,
        message::{Call, Part, Prompt, Turn},
        refuse::unsupported,
    },
    parts::{content, part, plain},
};
use crate::model::Refusal;

/// `POST /v1/chat/completions`
pub(super) fn chat(body: &Json) -> Result<Prompt, Refusal> {
    let Some(Json::List(messages)) = body.get("messages") else {
        return Err(unsupported("this request has no list of messages", "Set `messages`."));
    };
    let turns = messages.iter().map(message).collect::<Result<_, _>>()?;
    let (tools, hosted_tools) = tools(body);
    let legacy = body.get("functions").map(Json::items).unwrap_or_default();
    let tools = tools.into_iter().chain(legacy.iter().filter_map(name)).collect();
    Ok(Prompt { turns, tools, hosted_tools: with_search(body, hosted_tools), ..Prompt::default() })
}

fn message(message: &Json) -> Result<Turn, Refusal> {
    let role = plain(message.text_of("role").unwrap_or_default());
    let mut parts = content(message.get("content"))?;
    parts.extend(message.text_of("refusal").map(|text| Part::Text(text.to_owned())));
    parts.extend(
        ["reasoning_content", "reasoning"]
            .iter()
            .filter_map(|name| message.text_of(name).map(|text| Part::Text(text.to_owned()))),
    );
    let calls = message.get("tool_calls").map(Json::items).unwrap_or_default();
    let function = |call: &Json| call.get("function").or_else(|| call.get("custom")).map(called);
    parts.extend(calls.iter().filter_map(function).map(Part::Call));
    parts.extend(message.get("function_call").filter(|call| !call.is_null()).map(called).map(Part::Call));
    Ok(Turn { role, parts })
}

fn called(function: &Json) -> Call {
    let arguments = function.text_of("arguments").or_else(|| function.text_of("input")).unwrap_or_default();
    Call { name: function.text_of("name").unwrap_or_default().to_owned(), arguments: arguments.to_owned() }
}

fn name(function: &Json) -> Option<String> {
    function.text_of("name").map(str::to_owned)
}

/// Functions that the client runs, and tools that the provider would run itself.
fn tools(body: &Json) -> (Vec<String>, Vec<String>) {
    let (mut own, mut hosted) = (Vec::new(), Vec::new());
    for tool in body.get("tools").map(Json::items).unwrap_or_default() {
        match tool.text_of("type").unwrap_or("function") {
            kind @ ("function" | "custom") => own.extend(name(tool.get(kind).unwrap_or(tool))),
            kind => hosted.push(plain(kind)),
        }
    }
    (own, hosted)
}

fn with_search(body: &Json, mut hosted: Vec<String>) -> Vec<String> {
    if body.get("web_search_options").is_some_and(|options| !options.is_null()) {
        hosted.push("web_search".to_owned());
    }
    hosted
}

/// `POST /v1/responses`
pub(super) fn responses(body: &Json) -> Result<Prompt, Refusal> {
    let mut turns: Vec<Turn> =
        body.text_of("instructions").map(|text| Turn::says("system", text)).into_iter().collect();
    match body.get("input") {
        None | Some(Json::Null) => {}
        Some(Json::Text(text)) => turns.push(Turn::says("user", text)),
        Some(Json::List(items)) => {
            for item in items {
                turns.push(response_item(item)?);
            }
        }
        Some(Json::Bool(_) | Json::Number(_) | Json::Object(_)) => {
            return Err(unsupported("`input` is neither a text nor a list", "Send what the API documents."));
        }
    }
    if body.get("background").is_some_and(Json::is_true) {
        return Err(unsupported(
            "an answer that is fetched later is not seen by the gateway",
            "Leave `background` out.",
        ));
    }
    let (tools, mut hosted_tools) = tools(body);
    if body.get("prompt").is_some_and(|prompt| !prompt.is_null()) {
        hosted_tools.push("stored_prompt".to_owned());
    }
    Ok(Prompt { turns, tools, hosted_tools, ..Prompt::default() })
}

fn response_item(item: &Json) -> Result<Turn, Refusal> {
    let turn = |role: &str, parts| Ok(Turn { role: role.to_owned(), parts });
    match item.text_of("type").unwrap_or("message") {
        "message" => {
            let parts = content(item.get("content"))?;
            Ok(Turn { role: plain(item.text_of("role").unwrap_or_default()), parts })
        }
        "function_call" | "custom_tool_call" => turn("assistant", vec![Part::Call(called(item))]),
        "function_call_output" | "custom_tool_call_output" => turn("tool", content(item.get("output"))?),
        "reasoning" => {
            let mut parts = Vec::new();
            for one in item.get("summary").map(Json::items).unwrap_or_default() {
                part(one, &mut parts)?;
            }
            turn("assistant", parts)
        }
        kind => Err(unsupported(
            format!("an item of the prompt is of the kind `{}`, which is not understood", plain(kind)),
            "Send messages, calls of functions and their outputs.",
        )),
    }
}

/// `POST /v1/completions`
pub(super) fn completions(body: &Json) -> Result<Prompt, Refusal> {
    let mut turns = texts(body.get("prompt"), "prompt")?;
    turns.extend(body.text_of("suffix").map(|text| Turn::says("suffix", text)));
    Ok(Prompt { turns, ..Prompt::default() })
}

/// `POST /v1/embeddings`
pub(super) fn embeddings(body: &Json) -> Result<Prompt, Refusal> {
    Ok(Prompt { turns: texts(body.get("input"), "input")?, ..Prompt::default() })
}

/// One text or several. Lists of token numbers say something that nobody here can read.
fn texts(from: Option<&Json>, member: &str) -> Result<Vec<Turn>, Refusal> {
    match from {
        Some(Json::Text(text)) => Ok(vec![Turn::says("user", text)]),
        Some(Json::List(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Json::as_text).collect();
            let texts = texts.ok_or_else(|| {
                unsupported(format!("`{member}` holds numbers of tokens, which cannot be searched"), "Send text.")
            })?;
            Ok(texts.into_iter().map(|text| Turn::says("user", text)).collect())
        }
        None | Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_)) => {
            Err(unsupported(format!("`{member}` is neither a text nor a list of texts"), "Send text."))
        }
    }
}
