//! Messages of the Model Context Protocol, as cases write them and recordings show them: `tools/call NAME {"id": 7}`, or
//! `METHOD {"its": "parameters"}`, each on a line of its own.
//!
//! Read by the dialect of the wire. That a tool's definition is the one that was pinned only a gateway knows: it is assumed.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::{
    config::Connection,
    mask::Detectors,
    model::Operation,
    protocol::{
        http::{
            codec,
            dialect::{self, Dialect as _},
        },
        json::Json,
        mcp::{
            dialect::McpDialect,
            tools::{Standing, ToolBook, ToolBookError, ToolDefinition},
        },
    },
};

const WRITE_IT: &str = "write a call as `tools/call NAME {\"argument\": 1}`, another message as `METHOD {parameters}`";

/// Every tool is what it was when it was pinned.
#[derive(Debug)]
struct AsPinned;

impl ToolBook for AsPinned {
    fn listed(&self, tools: &[ToolDefinition]) -> Result<Vec<Standing>, ToolBookError> {
        Ok(vec![Standing::Known; tools.len()])
    }

    fn standing(&self, _name: &str) -> Result<Standing, ToolBookError> {
        Ok(Standing::Known)
    }
}

/// What the messages of a text are, as operations.
pub(super) fn calls(connection: &Connection, text: &str) -> Result<Vec<Operation>, String> {
    let Some(settings) = &connection.http else { return Err("the connection has no HTTP settings".to_owned()) };
    let whole = message(text);
    let messages = match whole {
        Some(message) => vec![message],
        None => text.lines().map(|line| message(line).ok_or(WRITE_IT)).collect::<Result<Vec<_>, _>>()?,
    };
    let body = if let [one] = messages.as_slice() { one.write() } else { Json::List(messages).write() };
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let said = |rejection: crate::protocol::http::refuse::Rejection| rejection.refusal.message;
    let (to, uri) = (&settings.authority, Uri::from_static("/"));
    let head = codec::request_head(&Method::POST, &uri, &headers, to, settings.cookies).map_err(said)?;
    let nothing = Arc::new(Detectors::none());
    let sight = dialect::Sight {
        detectors: Arc::clone(&nothing),
        sensitive: nothing,
        places: Arc::from([]),
        tagged: Arc::from([]),
        permits: Arc::new(|_operation| true),
        who: Arc::from("a policy case"),
    };
    let dialect = McpDialect::new(connection.upstream.host.clone(), Arc::new(AsPinned));
    Ok(dialect.inspect(&head, &Bytes::from(body), &sight).map_err(said)?.operations)
}

/// The JSON-RPC of `METHOD {parameters}`; `None` where it is none.
fn message(text: &str) -> Option<Json> {
    let (method, rest) = first_word(text);
    let params = if method == "tools/call" {
        let (tool, arguments) = first_word(rest);
        if tool.is_empty() {
            return None;
        }
        let arguments = object(arguments)?.map(|arguments| ("arguments".to_owned(), arguments));
        Some(Json::Object([("name".to_owned(), Json::text(tool))].into_iter().chain(arguments).collect()))
    } else {
        object(rest)?
    };
    let known =
        !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte));
    let members = [("jsonrpc".to_owned(), Json::text("2.0")), ("method".to_owned(), Json::text(method))];
    let id = (!method.starts_with("notifications/")).then(|| ("id".to_owned(), Json::text("case")));
    let params = params.map(|params| ("params".to_owned(), params));
    known.then(|| Json::Object(members.into_iter().chain(id).chain(params).collect()))
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// An object, or nothing at all.
#[expect(clippy::option_option, reason = "no object is fine, something else is not")]
fn object(text: &str) -> Option<Option<Json>> {
    if text.is_empty() {
        return Some(None);
    }
    let json = Json::parse(text.as_bytes()).ok()?;
    matches!(json, Json::Object(_)).then_some(Some(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTIONS: &str =
        "[[connection]]\nname = \"tools\"\nkind = \"mcp\"\nupstream = \"https://mcp.example.com\"\n";
    const CASES: &str = r#"
[[case]]
principal = { user = "alice" }
connection = "tools"
operation = "tools/list"
decision = "permit"
rule = "look"

[[case]]
principal = { user = "alice" }
connection = "tools"
operation = """tools/call delete_user {"id": 7}"""
decision = "approval"
rule = "calls-are-held"

[[case]]
principal = { user = "alice" }
connection = "tools"
operation = "sampling/createMessage"
decision = "refuse"

[[case]]
principal = { user = "alice" }
connection = "tools"
operation = """
tools/list
tools/call read {}"""
decision = "approval"
"#;
    const POLICIES: &str = r#"
@id("look") permit(principal, action in [Action::"connect", Action::"session", Action::"read"], resource);
@id("call") permit(principal, action == Action::"mcp_call", resource);
@id("calls-are-held") @approval("dba") forbid(principal, action == Action::"mcp_call", resource);
"#;

    #[test]
    fn cases_of_tools_are_decided_as_calls_are() {
        let gateway = "public_url = \"https://hoop.example.com\"\ndata_dir = \"data\"\n";
        let files = [
            ("gateway.toml", gateway),
            ("connections.toml", CONNECTIONS),
            ("policies/a.cedar", POLICIES),
            ("tests/a.toml", CASES),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect();
        let files = crate::config::SiteFiles::sent(files).unwrap();
        let site = crate::config::Site::of(files, std::path::Path::new("/site")).unwrap();
        let outcomes = super::super::run(&site, 1_800_000_000);
        assert_eq!(outcomes.len(), 4);
        assert_eq!(super::super::failures(&outcomes), []);
    }

    fn written(text: &str) -> Option<String> {
        message(text).map(|json| json.write())
    }

    #[test]
    fn a_message_is_written_as_recordings_show_it() {
        let call = r#"{"jsonrpc":"2.0","method":"tools/call","id":"case","params":{"name":"delete_user","arguments":{"id":7}}}"#;
        assert_eq!(written("tools/call delete_user {\"id\":7}").as_deref(), Some(call));
        assert_eq!(written(" tools/call  delete_user\n{\"id\" : 7} ").as_deref(), Some(call));
        let list = r#"{"jsonrpc":"2.0","method":"tools/list","id":"case"}"#;
        assert_eq!(written("tools/list").as_deref(), Some(list));
        let read = r#"{"jsonrpc":"2.0","method":"resources/read","id":"case","params":{"uri":"a"}}"#;
        assert_eq!(written("resources/read {\"uri\":\"a\"}").as_deref(), Some(read));
        for wrong in ["", "tools/call", "tools/call x y", "tools/list 7", "end the session", "{\"method\":\"ping\"}"] {
            assert_eq!(written(wrong), None, "{wrong}");
        }
    }
}
