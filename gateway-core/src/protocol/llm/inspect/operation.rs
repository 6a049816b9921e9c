//! What a policy is asked about a prompt.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::super::message::{Endpoint, Prompt};
use crate::model::{Access, Effect, ObjectName, Operation, RequestFacts, Verb};

/// How many bytes of a prompt an operation's text keeps, the newest messages first.
pub const TRANSCRIPT_BYTES: usize = 256 * 1024;

/// What a request asks for: the endpoint's verb on the model, and `llm_other` on each tool that the provider would run.
pub fn operation(endpoint: Endpoint, prompt: &Prompt, host: &str, path: &str, method: &str) -> Operation {
    let verb = match endpoint {
        Endpoint::Chat | Endpoint::Responses | Endpoint::Completions | Endpoint::Messages | Endpoint::CountTokens => {
            Verb::LlmComplete
        }
        Endpoint::Embeddings => Verb::LlmEmbed,
        Endpoint::Models => Verb::LlmModels,
    };
    let object = |name: &str| ObjectName { schema: "model".to_owned(), name: name.to_owned() };
    let model = Some(prompt.model.as_str()).filter(|name| !name.is_empty()).map(object);
    let mut accesses = BTreeSet::from([Access { verb, object: model }]);
    accesses.extend(prompt.hosted_tools.iter().map(|tool| {
        let name = format!("{}#{tool}", prompt.model);
        Access { verb: Verb::LlmOther, object: Some(object(&name)) }
    }));
    let headline = format!("{} {}", endpoint.as_str(), prompt.model);
    let text = match prompt.turns.as_slice() {
        [] => headline,
        _ => format!("{headline}\n{}", prompt.transcript(TRANSCRIPT_BYTES)),
    };
    asked(&text, verb, accesses, facts(endpoint, prompt, host, path, method))
}

/// Anything else of such an API.
pub fn unknown(method: &str, host: &str, path: &str) -> Operation {
    let accesses = BTreeSet::from([Access { verb: Verb::LlmOther, object: None }]);
    let facts = RequestFacts {
        method: method.to_owned(),
        host: host.to_owned(),
        path: path.to_owned(),
        template: path.to_owned(),
        attributes: BTreeMap::new(),
    };
    asked(&format!("{method} {path}"), Verb::LlmOther, accesses, facts)
}

fn asked(text: &str, verb: Verb, accesses: BTreeSet<Access>, facts: RequestFacts) -> Operation {
    let effect = accesses.iter().map(|access| access.verb.effect()).max().unwrap_or(verb.effect());
    let is_unknown = effect == Effect::Unknown;
    Operation {
        text: Arc::from(text),
        kind: Arc::from(verb.as_str()),
        effect,
        accesses,
        has_where: true,
        names_rows: false,
        risk: if is_unknown { 60 } else { 5 },
        risk_reasons: if is_unknown { vec!["reaches what the gateway does not see"] } else { Vec::new() },
        statements: 1,
        estimated_rows: None,
        estimated_percent: None,
        export: false,
        filters_on: BTreeSet::new(),
        facts: BTreeSet::new(),
        advice: None,
        request: Some(Arc::new(facts)),
    }
}

fn facts(endpoint: Endpoint, prompt: &Prompt, host: &str, path: &str, method: &str) -> RequestFacts {
    let mut attributes = BTreeMap::from([
        ("endpoint".to_owned(), endpoint.as_str().to_owned()),
        ("model".to_owned(), prompt.model.clone()),
        ("messages".to_owned(), prompt.turns.len().to_string()),
        ("bytes".to_owned(), prompt.bytes().to_string()),
        ("attachments".to_owned(), prompt.attachments().to_string()),
        ("stream".to_owned(), prompt.stream.to_string()),
        ("tools".to_owned(), prompt.tools.join(",")),
    ]);
    if let Some(most) = prompt.max_tokens {
        attributes.insert("max_tokens".to_owned(), most.to_string());
    }
    RequestFacts {
        method: method.to_owned(),
        host: host.to_owned(),
        path: path.to_owned(),
        template: path.to_owned(),
        attributes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{json::Json, llm::inspect::prompt};

    #[test]
    fn a_tool_that_the_provider_runs_is_asked_for_by_itself() {
        let prompt = prompt(
            Endpoint::Responses,
            &Json::parse(br#"{"model":"m","input":"x","tools":[{"type":"mcp","server_url":"y"}]}"#).unwrap(),
        );
        let operation = operation(Endpoint::Responses, &prompt.unwrap(), "api", "/v1/responses", "POST");
        let asked: Vec<_> = operation.accesses.iter().map(|access| access.verb).collect();
        assert_eq!(asked, [Verb::LlmComplete, Verb::LlmOther]);
        assert_eq!(operation.effect, Effect::Unknown);
    }
}
