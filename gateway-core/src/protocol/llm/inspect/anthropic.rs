//! Prompts of Anthropic's shape.

use super::{
    super::{
        super::json::Json,
        message::{Prompt, Turn},
        refuse::unsupported,
    },
    parts::{content, plain},
};
use crate::model::Refusal;

/// `POST /v1/messages` and `/v1/messages/count_tokens`
pub(super) fn messages(body: &Json) -> Result<Prompt, Refusal> {
    let Some(Json::List(messages)) = body.get("messages") else {
        return Err(unsupported("this request has no list of messages", "Set `messages`."));
    };
    let mut turns = Vec::with_capacity(messages.len() + 1);
    let system = content(body.get("system"))?;
    if !system.is_empty() {
        turns.push(Turn { role: "system".to_owned(), parts: system });
    }
    for message in messages {
        let role = plain(message.text_of("role").unwrap_or_default());
        turns.push(Turn { role, parts: content(message.get("content"))? });
    }
    let (mut tools, mut hosted_tools) = (Vec::new(), Vec::new());
    for tool in body.get("tools").map(Json::items).unwrap_or_default() {
        match tool.text_of("type") {
            None | Some("custom") => tools.extend(tool.text_of("name").map(str::to_owned)),
            Some(kind) => hosted_tools.push(plain(kind)),
        }
    }
    for server in body.get("mcp_servers").map(Json::items).unwrap_or_default() {
        hosted_tools.push(format!("mcp_server_{}", plain(server.text_of("name").unwrap_or_default())));
    }
    if body.get("container").is_some_and(|container| !container.is_null()) {
        hosted_tools.push("container".to_owned());
    }
    Ok(Prompt { turns, tools, hosted_tools, ..Prompt::default() })
}
