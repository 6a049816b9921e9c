//! The API described for programs: `GET /api/v1/openapi.json`, in version 3.1 of that standard.
//!
//! One table says every route; a test compares it with the router, another with the committed document. What an answer
//! holds is said as far as clients may rely on it: they ignore what they do not know.

use axum::Json;
use serde_json::{Map, Value, json};

/// What is sent to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Nothing,
    /// JSON of this schema, by the name of its component.
    Json(&'static str),
    /// The same, or nothing.
    Maybe(&'static str),
    /// A form, as OAuth has it. Its refusals are OAuth's too: `error` in JSON, with status 400.
    Form,
}

/// What a route answers with where it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Object,
    List,
    Null,
    Events,
    Lines,
    Pem,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Anybody.
    Openly,
    /// Whoever shows a bearer; what they may see is decided by policy.
    ByBearer,
    /// The same, where a policy permits `administer`.
    ByAdministrator,
}

struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    asked: Asked,
    query: &'static [(&'static str, &'static str)],
    body: Body,
    answer: Answer,
}

const fn route(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    asked: Asked,
    body: Body,
    answer: Answer,
) -> Route {
    Route { method, path, summary, asked, query: &[], body, answer }
}

impl Route {
    const fn with(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }
}

const SESSIONS: &[(&str, &str)] = &[
    ("who", "string"),
    ("connection", "string"),
    ("text", "string"),
    ("decision", "decided"),
    ("since_millis", "integer"),
    ("until_millis", "integer"),
    ("limit", "natural"),
];

use Answer::{Events, Lines, List, Null, Object, Pem};
use Asked::{ByAdministrator, ByBearer, Openly};
use Body::{Form, Json as Sent, Maybe, Nothing};

const ROUTES: &[Route] = &[
    route("get", "/gateway", "What this gateway is, and how to log in", Openly, Nothing, Object),
    route("get", "/openapi.json", "This document", Openly, Nothing, Object),
    route("post", "/token", "Exchange an issuer's token for the gateway's own", Openly, Sent("TokenRequest"), Object),
    route("post", "/device", "Begin a login in a browser (RFC 8628)", Openly, Form, Object),
    route("post", "/device/token", "Ask whether it was approved", Openly, Form, Object),
    route("post", "/issuer/{endpoint}", "What a confidential client asks its issuer", Openly, Form, Object),
    route("get", "/health", "Whether it works", Openly, Nothing, Object),
    route("get", "/health/detail", "Whether it works, part by part", ByAdministrator, Nothing, Object),
    route("get", "/whoami", "Who the bearer stands for", ByBearer, Nothing, Object),
    route("get", "/audit/key", "The public key that recordings are verified with", ByBearer, Nothing, Pem),
    route("get", "/connections", "Connections that the caller may use", ByBearer, Nothing, List)
        .with(&[("as_agent", "string")]),
    route("get", "/connections/configured", "Every connection of the site", ByAdministrator, Nothing, List),
    route("post", "/connections/{name}/test", "Prove that it can be used", ByAdministrator, Nothing, Object),
    route("get", "/secrets", "Secrets in the gateway's store, without values", ByAdministrator, Nothing, List),
    route("post", "/secrets/{name}", "Keep a secret", ByAdministrator, Sent("SetSecret"), Object),
    route("post", "/secrets/{name}/remove", "Forget a secret", ByAdministrator, Nothing, Null),
    route("post", "/connections/{name}/token", "A password for a native client", ByBearer, Nothing, Object),
    route(
        "post",
        "/connections/{name}/certificate",
        "A certificate for a native client",
        ByBearer,
        Sent("CertificateRequest"),
        Object,
    ),
    route(
        "post",
        "/connections/{name}/ssh-certificate",
        "A certificate for a native client of SSH",
        ByBearer,
        Sent("SshCertificateRequest"),
        Object,
    ),
    route("post", "/logout", "End what the caller's login opened", ByBearer, Nothing, Null),
    route("post", "/connections/{name}/classify", "Propose tags for columns", ByAdministrator, Nothing, Object),
    route(
        "post",
        "/connections/{name}/check",
        "What would become of a statement",
        ByBearer,
        Sent("CheckRequest"),
        Object,
    ),
    route("get", "/approvals", "Requests that the caller may see", ByBearer, Nothing, List).with(&[("all", "boolean")]),
    route("get", "/approvals/{id}", "One request", ByBearer, Nothing, Object),
    route("post", "/approvals/{id}/approve", "Approve it", ByBearer, Maybe("ReviewRequest"), Object),
    route("post", "/approvals/{id}/deny", "Deny it", ByBearer, Maybe("ReviewRequest"), Object),
    route("post", "/approvals/{id}/withdraw", "Take one's own back", ByBearer, Nothing, Object),
    route("get", "/access", "What is open to the caller for a time", ByBearer, Nothing, List),
    route("post", "/connections/{name}/access", "Ask for access", ByBearer, Sent("AccessRequest"), Object),
    route("get", "/reviewers", "Who reviews what", ByBearer, Nothing, List),
    route("get", "/notifications", "What was not told yet", ByAdministrator, Nothing, Object),
    route("post", "/notifications/{id}/retry", "Try it again", ByAdministrator, Nothing, Null),
    route("post", "/notifications/{id}/drop", "Forget it", ByAdministrator, Nothing, Null),
    route("get", "/connections/{name}/tools", "Definitions of tools", ByAdministrator, Nothing, List),
    route(
        "post",
        "/connections/{name}/tools/{tool}/accept",
        "Put a changed definition in force",
        ByAdministrator,
        Sent("AcceptTool"),
        Null,
    ),
    route("get", "/events", "What happens, as it happens", ByBearer, Nothing, Events),
    route("get", "/runs", "Runs that the caller may see", ByBearer, Nothing, List).with(&[("limit", "natural")]),
    route("post", "/runs", "Begin a run", ByBearer, Sent("NewRun"), Object),
    route("get", "/runs/{id}", "One run", ByBearer, Nothing, Object),
    route("post", "/runs/{id}/token", "Renew its token", ByBearer, Nothing, Object),
    route("post", "/runs/{id}/end", "End it", ByBearer, Sent("RunEnding"), Null),
    route("get", "/runs/{id}/timeline", "What happened in it, in order", ByBearer, Nothing, Lines),
    route("get", "/sessions", "Sessions that the caller may see", ByBearer, Nothing, List).with(SESSIONS),
    route("get", "/sessions/{id}", "One session", ByBearer, Nothing, Object),
    route("get", "/sessions/{id}/recording", "Its recording", ByBearer, Nothing, Lines),
    route("get", "/sessions/{id}/events", "Its events, as they happen", ByBearer, Nothing, Events)
        .with(&[("from", "natural")]),
    route("post", "/sessions/{id}/kill", "End it", ByBearer, Maybe("KillRequest"), Null),
    route("get", "/site", "Which version of the site is in force", ByAdministrator, Nothing, Object),
    route("get", "/site/versions", "The versions of the site", ByAdministrator, Nothing, List),
    route("get", "/site/versions/{version}", "One version with its files", ByAdministrator, Nothing, Object),
    route("post", "/site/diff", "What a site would change", ByAdministrator, Sent("CompareSite"), Object),
    route("post", "/site/apply", "Put a site in force", ByAdministrator, Sent("ApplySite"), Object),
    route("post", "/site/rollback", "Put an earlier version in force", ByAdministrator, Sent("RollBackSite"), Object),
];

pub(super) async fn openapi() -> Json<Value> {
    Json(document())
}

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_owned(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hoop gateway",
            "version": "1",
            "license": { "name": "MIT" },
            "description": "Every call is decided by the site's policies, as operations are. Errors are RFC 9457 problems.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut responses = Map::new();
    let (media, schema) = answer(route.answer);
    let content = json!({ media: { "schema": schema } });
    responses.insert("200".to_owned(), json!({ "description": "It worked.", "content": content }));
    if route.path == "/health" {
        let content = json!({ "application/json": { "schema": { "type": "object" } } });
        responses.insert("503".to_owned(), json!({ "description": "Something does not work.", "content": content }));
    }
    if route.body == Form {
        let content = json!({ "application/json": { "schema": { "type": "object" } } });
        responses.insert("400".to_owned(), json!({ "description": "Refused, as OAuth says it.", "content": content }));
    }
    let problem = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    responses.insert("default".to_owned(), json!({ "description": "A problem.", "content": problem }));
    let mut said = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters(route),
        "responses": responses,
        "security": if route.asked == Openly { json!([]) } else { json!([{ "bearer": [] }]) },
    });
    let body = match route.body {
        Nothing | Form => None,
        Sent(name) => Some((name, true)),
        Maybe(name) => Some((name, false)),
    };
    if let (Some(said), Some((name, required))) = (said.as_object_mut(), body) {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        let content = json!({ "application/json": { "schema": schema } });
        said.insert("requestBody".to_owned(), json!({ "required": required, "content": content }));
    }
    if let (Some(said), Form) = (said.as_object_mut(), route.body) {
        let content = json!({ "application/x-www-form-urlencoded": { "schema": { "type": "object" } } });
        said.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
    }
    if let (Some(said), ByAdministrator) = (said.as_object_mut(), route.asked) {
        said.insert("description".to_owned(), json!("Needs a policy that permits `administer`."));
    }
    said
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [route.method].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn parameters(route: &Route) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path =
        names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = route.query.iter().map(|(name, kind)| {
        let schema = match *kind {
            "decided" => json!({ "type": "string", "enum": ["refused", "held", "masked"] }),
            "integer" => json!({ "type": "integer", "format": "int64" }),
            "natural" => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            other => json!({ "type": other }),
        };
        json!({ "name": name, "in": "query", "required": false, "schema": schema })
    });
    in_path.chain(in_query).collect()
}

fn answer(answer: Answer) -> (&'static str, Value) {
    match answer {
        Object => ("application/json", json!({ "type": "object" })),
        List => ("application/json", json!({ "type": "array", "items": { "type": "object" } })),
        Null => ("application/json", json!({ "type": "null" })),
        Events => ("text/event-stream", json!({ "type": "string" })),
        Lines => ("application/x-ndjson", json!({ "type": "string" })),
        Pem => ("application/x-pem-file", json!({ "type": "string" })),
    }
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    let maybe_number = json!({ "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX });
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let shape = json!({
        "type": ["object", "null"],
        "properties": { "for_seconds": number, "max_rows": maybe_number },
        "required": ["for_seconds"],
        "additionalProperties": false,
    });
    let problem = json!({
        "type": "object",
        "description": "RFC 9457: what happened, why, what to do next, and the rule where one refused.",
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" }, "detail": maybe, "hint": maybe, "rule": maybe,
            "max_age_seconds": number, "acr": text, "problems": { "type": "array", "items": { "type": "object" } },
        },
        "required": ["title", "status"],
    });
    let run = json!({
        "connections": { "type": "array", "items": text }, "labels": texts, "command": maybe, "agent": maybe,
        "jailed": { "type": "boolean" },
    });
    let ending = json!({ "type": ["integer", "null"], "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX });
    json!({
        "Problem": problem,
        "TokenRequest": {
            "type": "object", "properties": { "token": text, "access_token": maybe }, "required": ["token"],
        },
        "CheckRequest": strict(json!({ "text": text, "estimate": { "type": "boolean" } }), &["text"]),
        "ReviewRequest": strict(json!({ "reason": maybe, "shape": shape }), &[]),
        "AccessRequest":
            strict(json!({ "reason": maybe, "for_seconds": maybe_number, "as_agent": maybe }), &[]),
        "AcceptTool": strict(json!({ "digest": text }), &["digest"]),
        "NewRun": strict(run, &["connections"]),
        "RunEnding": strict(json!({ "status": ending, "signal": ending }), &[]),
        "KillRequest": strict(json!({ "reason": maybe }), &[]),
        "SetSecret": strict(json!({ "value": text, "rotate": { "type": "boolean" } }), &["value"]),
        "CertificateRequest": strict(json!({ "request": text }), &["request"]),
        "SshCertificateRequest": strict(json!({ "public_key": text }), &["public_key"]),
        "CompareSite": strict(json!({ "files": texts }), &["files"]),
        "ApplySite": strict(json!({ "base": number, "message": maybe, "files": texts }), &["base", "files"]),
        "RollBackSite": strict(json!({ "base": number, "version": maybe_number, "message": maybe }), &["base"]),
    })
}

/// An object that takes no other members.
#[expect(clippy::needless_pass_by_value, reason = "it is written as a literal where it is called")]
fn strict(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the router has, read from its source: it cannot be asked.
    fn routed() -> BTreeSet<(String, String)> {
        let source = include_str!("../api.rs");
        let mut found = BTreeSet::new();
        for part in source.split(".route(\"").skip(1) {
            let (path, rest) = part.split_once('"').unwrap();
            let line = rest.split('\n').next().unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                if line.contains(&format!("{method}(")) {
                    found.insert((method.to_owned(), path.to_owned()));
                }
            }
        }
        found
    }

    #[test]
    fn the_document_has_the_routes_that_the_router_has() {
        let said: BTreeSet<_> = ROUTES.iter().map(|one| (one.method.to_owned(), one.path.to_owned())).collect();
        assert_eq!(said.len(), ROUTES.len(), "no route stands twice");
        assert_eq!(said, routed());
    }

    #[test]
    fn the_document_is_openapi_and_the_committed_one() {
        let document = document();
        serde_json::from_value::<utoipa::openapi::OpenApi>(document.clone()).unwrap();
        let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        if committed != text {
            std::fs::write(path, text).unwrap();
            panic!("docs/openapi.json was stale and is written anew; look at the change and run again");
        }
    }

    /// What a type takes, as its own refusal of another key says.
    fn taken<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
        let refusal = serde_json::from_value::<T>(json!({ "no such key": 0 })).err().unwrap().to_string();
        let (_, known) = refusal.split_once("expected").unwrap();
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// A body that is described otherwise than it is read is a lie to every program that reads the description.
    #[test]
    fn a_body_is_described_with_the_keys_that_it_is_read_with() {
        use super::super::types;
        let schemas = schemas();
        let read = [
            ("CheckRequest", taken::<types::CheckRequest>()),
            ("ReviewRequest", taken::<types::ReviewRequest>()),
            ("AccessRequest", taken::<types::AccessRequest>()),
            ("AcceptTool", taken::<types::AcceptTool>()),
            ("NewRun", taken::<types::NewRun>()),
            ("RunEnding", taken::<types::RunEnding>()),
            ("KillRequest", taken::<types::KillRequest>()),
            ("SetSecret", taken::<types::SetSecret>()),
            ("CertificateRequest", taken::<types::CertificateRequest>()),
            ("SshCertificateRequest", taken::<types::SshCertificateRequest>()),
            ("CompareSite", taken::<types::CompareSite>()),
            ("ApplySite", taken::<types::ApplySite>()),
            ("RollBackSite", taken::<types::RollBackSite>()),
        ];
        // What an error holds, and what takes keys that it does not know.
        let others = ["Problem", "TokenRequest"];
        assert_eq!(schemas.as_object().unwrap().len(), read.len() + others.len(), "every body is compared");
        for (name, keys) in read {
            let said: BTreeSet<_> = schemas[name]["properties"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(said, keys, "{name}");
        }
        let queries = [
            ("/connections", taken::<types::ConnectionsOf>()),
            ("/approvals", taken::<super::super::approvals::ListQuery>()),
            ("/runs", taken::<super::super::run_views::RunQuery>()),
            ("/sessions", taken::<super::super::search::ListQuery>()),
            ("/sessions/{id}/events", taken::<super::super::watch_session::FollowQuery>()),
        ];
        let asked = ROUTES.iter().filter(|route| !route.query.is_empty()).count();
        assert_eq!(asked, queries.len(), "every query is compared");
        for (path, keys) in queries {
            let route = ROUTES.iter().find(|route| route.path == path && route.method == "get").unwrap();
            let said: BTreeSet<_> = route.query.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(said, keys, "{path}");
        }
    }

    #[test]
    fn every_schema_that_is_named_is_there() {
        let schemas = schemas();
        for route in ROUTES {
            if let Sent(name) | Maybe(name) = route.body {
                assert!(schemas.get(name).is_some(), "{name}");
            }
        }
    }
}
