//! What a message asks for. Every method has a rule of its own; one without is `mcp_other`, which no default permits.

use super::{
    super::json::Json,
    codec::{Batch, is_name},
    message::{Message, MessageKind},
    refuse::unsupported,
};
use crate::model::{Refusal, Verb};

/// How many arguments of a call a policy may ask for.
const MOST_ARGUMENTS: usize = 256;

/// What a client may offer a server to ask of it.
const OFFERS: [&str; 4] = ["sampling", "elicitation", "roots", "experimental"];

/// What is asked: the verb, the object where there is one, and the attributes that a policy may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The verb.
    pub verb: Verb,
    /// The tool, resource, prompt or method.
    pub object: Option<String>,
    /// As people read it.
    pub text: String,
    /// What a policy may ask for.
    pub attributes: Vec<(String, String)>,
}

/// The verb of a method that a client may use.
pub fn verb(method: &str) -> Verb {
    match method {
        "initialize"
        | "ping"
        | "logging/setLevel"
        | "notifications/initialized"
        | "notifications/cancelled"
        | "notifications/progress"
        | "notifications/roots/list_changed" => Verb::McpSession,
        "tools/list" | "resources/list" | "resources/templates/list" | "prompts/list" => Verb::McpList,
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" | "prompts/get" | "completion/complete" => {
            Verb::McpRead
        }
        "tools/call" => Verb::McpCall,
        _ => Verb::McpOther,
    }
}

/// What a message asks for. `answers`: whether the client may answer what a server asked.
pub fn asked(message: &Message) -> Result<Asked, Refusal> {
    let text = |method: &str, object: &str| format!("{method} {object}").trim_end().to_owned();
    match &message.kind {
        MessageKind::Response { .. } => Ok(Asked {
            verb: Verb::McpOther,
            object: Some("response".to_owned()),
            text: "answer to the server".to_owned(),
            attributes: vec![("method".to_owned(), "response".to_owned())],
        }),
        MessageKind::Request { method, .. } | MessageKind::Notification { method } => {
            let verb = verb(method);
            let mut attributes = vec![("method".to_owned(), method.clone())];
            let object = object(verb, method, message)?;
            let shown = if verb == Verb::McpCall {
                let arguments = message.params().and_then(|params| params.get("arguments"));
                let places = arguments.map(|arguments| arguments.leaves(MOST_ARGUMENTS + 1)).unwrap_or_default();
                if places.len() > MOST_ARGUMENTS {
                    // FAIL-CLOSED: what a policy does not see it cannot forbid.
                    let message =
                        format!("this call has more than {MOST_ARGUMENTS} arguments, more than are inspected");
                    return Err(unsupported(message, "Send less in one call."));
                }
                attributes.extend(object.clone().map(|tool| ("tool".to_owned(), tool)));
                attributes.extend(places.into_iter().map(|(place, text)| (format!("arguments.{place}"), text)));
                let arguments = arguments.map(Json::write).unwrap_or_default();
                format!("{} {arguments}", text(method, object.as_deref().unwrap_or_default()))
            } else {
                let params = message.params().filter(|_| method != "initialize").map(Json::write);
                text(method, &params.unwrap_or_default())
            };
            Ok(Asked { verb, object, text: shown, attributes })
        }
    }
}

fn object(verb: Verb, method: &str, message: &Message) -> Result<Option<String>, Refusal> {
    if verb == Verb::McpCall {
        let is_call = matches!(message.kind, MessageKind::Request { .. });
        let tool = message.tool().filter(|name| is_call && is_name(name));
        let missing = || unsupported("this call names no tool in plain letters", "Name a tool that is listed.");
        return tool.map(|tool| Some(tool.to_owned())).ok_or_else(missing);
    }
    Ok((verb == Verb::McpOther).then(|| method.to_owned()))
}

/// Takes out of `initialize` what the client offers to do for the server, except what is permitted.
pub fn without_offers(batch: &mut Batch, permitted: impl Fn(&str) -> bool) {
    for message in &mut batch.messages {
        if message.method() != Some("initialize") {
            continue;
        }
        let capabilities = message.json.get_mut("params").and_then(|params| params.get_mut("capabilities"));
        if let Some(Json::Object(offers)) = capabilities {
            offers.retain(|(name, _)| !OFFERS.contains(&name.as_str()) || permitted(name));
        }
    }
}

/// The arguments of a call, in their canonical spelling: what provenance compares.
pub fn arguments(message: &Message) -> Option<String> {
    if message.method() != Some("tools/call") {
        return None;
    }
    message.params()?.get("arguments").map(Json::canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Asked, Refusal> {
        let batch = Batch::parse(text.as_bytes());
        asked(&batch.map_err(|error| unsupported(error.to_string(), ""))?.messages[0])
    }

    #[test]
    fn every_method_has_a_rule() {
        for (method, expected) in [
            ("initialize", Verb::McpSession),
            ("tools/list", Verb::McpList),
            ("resources/read", Verb::McpRead),
            ("sampling/createMessage", Verb::McpOther),
            ("tools/call/x", Verb::McpOther),
            ("Tools/Call", Verb::McpOther),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
            assert_eq!(read(&text).unwrap().verb, expected, "{method}");
        }
    }

    #[test]
    fn a_call_has_its_arguments_as_attributes() {
        let asked = read(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_user",
               "arguments":{"id":7,"why":{"text":"x"}}}}"#,
        )
        .unwrap();
        assert_eq!((asked.verb, asked.object.as_deref()), (Verb::McpCall, Some("delete_user")));
        assert_eq!(asked.text, r#"tools/call delete_user {"id":7,"why":{"text":"x"}}"#);
        assert!(asked.attributes.contains(&("arguments.why.text".to_owned(), "x".to_owned())));
    }

    #[test]
    fn arguments_behind_many_others_are_not_out_of_sight() {
        let call = |count: usize| {
            let many: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            read(&format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"pay","arguments":{{"a":[{}],"to":"eve"}}}}}}"#,
                many.join(",")
            ))
        };
        let seen = ("arguments.to".to_owned(), "eve".to_owned());
        assert!(call(MOST_ARGUMENTS - 1).unwrap().attributes.contains(&seen));
        assert!(call(MOST_ARGUMENTS).is_err());
    }

    #[test]
    fn a_call_without_a_plain_name_is_refused() {
        for name in [r#""a b""#, "7", r#""""#, r#"["x"]"#] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name}}}}}"#);
            assert!(read(&text).is_err(), "{name}");
        }
        assert!(read(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#).is_err(), "no answer wanted");
    }

    #[test]
    fn a_client_offers_a_server_nothing_that_is_not_permitted() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":
            {"sampling":{},"elicitation":{},"roots":{"listChanged":true},"other":{}}}}"#;
        let mut batch = Batch::parse(text.as_bytes()).unwrap();
        without_offers(&mut batch, |name| name == "roots");
        let out = batch.write();
        assert!(!out.contains("sampling") && !out.contains("elicitation"), "{out}");
        assert!(out.contains("roots") && out.contains("other"), "{out}");
    }
}
