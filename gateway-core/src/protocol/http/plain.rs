//! The dialect of kind `http`: a request is one operation, its verb the method, its object the path's template.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use http::Method;

use super::{
    attributes::attributes,
    aws,
    codec::decoded,
    dialect::{Answer, Dialect, Inspection, ResponseReader, Sight},
    message::{HttpRequest, RequestHead, ResponseHead},
    places, reframe,
    refuse::{PROBLEM_JSON, Rejection, problem},
    route::{Matched, Routes},
};
use crate::{
    mask::Detectors,
    model::{Access, ObjectName, Operation, Refusal, RequestFacts, SealSpan, SessionId, Verb},
};

/// HTTP as any API speaks it.
#[derive(Debug)]
pub struct PlainHttp {
    /// The upstream's host, part of every route's name.
    host: String,
    routes: Routes,
    /// The service, where requests are signed for AWS.
    service: Option<String>,
}

impl PlainHttp {
    /// The dialect of a connection to this host, whose paths have these templates. With a service, requests are calls
    /// of AWS, each of which is its service and action.
    pub fn new(host: String, routes: Routes, service: Option<String>) -> Self {
        Self { host, routes, service }
    }
}

/// What a model may have proposed of a request: its body, as JSON in canonical spelling or as it stands; without one,
/// its method and target. A body that no answer proposed is not linked by the line above it.
fn proposals(head: &RequestHead, body: &Bytes) -> Vec<String> {
    if body.is_empty() {
        return vec![format!("{} {}", head.method, head.target())];
    }
    let json = crate::protocol::json::Json::parse(body).map(|json| json.canonical());
    json.or_else(|_no_json| String::from_utf8(body.to_vec())).into_iter().collect()
}

/// The verb of a method.
pub fn verb(head: &RequestHead) -> Verb {
    if head.upgrades {
        return Verb::WebSocket;
    }
    match head.method {
        Method::GET => Verb::HttpGet,
        Method::HEAD => Verb::HttpHead,
        Method::OPTIONS => Verb::HttpOptions,
        Method::POST => Verb::HttpPost,
        Method::PUT => Verb::HttpPut,
        Method::PATCH => Verb::HttpPatch,
        Method::DELETE => Verb::HttpDelete,
        _ => Verb::HttpOther,
    }
}

/// An operation of one verb on one object, as every dialect makes it; `facts` are what policies may ask of the request.
pub fn operation(verb: Verb, object: Option<ObjectName>, text: &Arc<str>, facts: RequestFacts) -> Operation {
    let (risk, reason) = crate::sql::risk::of_verb(verb);
    Operation {
        text: Arc::clone(text),
        kind: Arc::from(verb.as_str()),
        effect: verb.effect(),
        accesses: BTreeSet::from([Access { verb, object }]),
        has_where: true,
        names_rows: true,
        risk,
        risk_reasons: vec![reason],
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

/// What reviewers read and the record keeps of a request: request line, headers, body.
#[derive(Debug)]
pub struct RequestText {
    /// The text.
    pub text: Arc<str>,
    /// What is sealed in it besides what detectors find in the text as it stands: values behind an encoding.
    pub seals: Vec<SealSpan>,
}

/// The most of a body that the text holds; of more, its length and digest.
const MOST_BODY_TEXT: usize = 128 * 1024;

/// Writes a request as text.
pub fn request_text(head: &RequestHead, body: &Bytes, sight: &Sight) -> RequestText {
    let sensitive: &Detectors = &sight.sensitive;
    let mut text = format!("{} ", head.method);
    let mut seals = encoded_values(&head.path, text.len(), &['/'], sensitive);
    text.push_str(&head.path);
    if let Some(query) = &head.query {
        text.push('?');
        seals.extend(encoded_values(query, text.len(), &['&', '='], sensitive));
        text.push_str(query);
    }
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        text.extend(["\n", name.as_str(), ": ", &value]);
    }
    if body.is_empty() && head.carriage.trailers.is_empty() {
        return RequestText { text: text.into(), seals };
    }
    text.push_str("\n\n");
    match std::str::from_utf8(body) {
        Ok(body) if body.len() <= MOST_BODY_TEXT => {
            seals.extend(encoded_values(body, text.len(), &['&', '='], sensitive));
            seals.extend(escaped_values(body, text.len(), sensitive));
            seals.extend(places::tagged(body, text.len(), &sight.tagged));
            text.push_str(body);
        }
        _ => {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
            text.extend(["(", &body.len().to_string(), " bytes, SHA-256 "]);
            for byte in digest.as_ref() {
                text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('?')));
            }
            text.push(')');
        }
    }
    for (name, value) in &head.carriage.trailers {
        text.extend(["\n", name.as_str(), ": ", &String::from_utf8_lossy(value.as_bytes())]);
    }
    RequestText { text: text.into(), seals }
}

/// Values that only decoding shows to be sensitive.
fn encoded_values(raw: &str, offset: usize, separators: &[char], sensitive: &Detectors) -> Vec<SealSpan> {
    let mut seals = Vec::new();
    let mut start = 0;
    for piece in raw.split(separators) {
        let range = start..start + piece.len();
        start = range.end + 1;
        if !piece.contains(['%', '+']) {
            continue;
        }
        if let Some(class) = decoded(piece).and_then(|plain| sensitive.class_of(plain.as_bytes())) {
            let range = offset + range.start..offset + range.end;
            seals.push(SealSpan { range, class: Arc::from(class.as_str()) });
        }
    }
    seals
}

/// Strings of JSON that only undoing their escapes shows to be sensitive.
fn escaped_values(body: &str, offset: usize, sensitive: &Detectors) -> Vec<SealSpan> {
    let mut seals = Vec::new();
    let (mut opened, mut escaped, mut has_escape) = (None, false, false);
    for (place, byte) in body.bytes().enumerate() {
        match (opened, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => (escaped, has_escape) = (true, true),
            (Some(start), b'"') => {
                let literal = body.get(start..=place).filter(|_| has_escape);
                let plain = literal.and_then(|literal| serde_json::from_str::<String>(literal).ok());
                if let Some(class) = plain.and_then(|plain| sensitive.class_of(plain.as_bytes())) {
                    let range = offset + start + 1..offset + place;
                    seals.push(SealSpan { range, class: Arc::from(class.as_str()) });
                }
                opened = None;
            }
            (None, b'"') => (opened, has_escape) = (Some(place), false),
            _ => {}
        }
    }
    seals
}

/// A path as it may stand in records and messages: what a detector finds in a part of it is left out.
fn shown(matched: Matched, sensitive: &Detectors) -> Matched {
    if matched.template.contains('{') || sensitive.is_empty() {
        return matched;
    }
    let part = |part: &str| match decoded(part).and_then(|plain| sensitive.class_of(plain.as_bytes())) {
        Some(class) => format!("{{{}}}", class.as_str()),
        None => part.to_owned(),
    };
    let template = matched.template.split('/').map(part).collect::<Vec<_>>().join("/");
    Matched { template, ..matched }
}

impl Dialect for PlainHttp {
    fn inspect(&self, head: &RequestHead, body: &Bytes, sight: &Sight) -> Result<Inspection, Rejection> {
        let matched = shown(self.routes.of(&head.path), &sight.sensitive);
        let RequestText { text, seals } = request_text(head, body, sight);
        let (name, verb) = match &self.service {
            Some(_) if head.upgrades => (matched.template.clone(), Verb::WebSocket),
            Some(service) => aws::action(service, head, body)?,
            None => (matched.template.clone(), verb(head)),
        };
        let operations = attributes(head, body, &matched.parameters)?
            .into_iter()
            .map(|attributes| {
                let facts = RequestFacts {
                    method: head.method.as_str().to_owned(),
                    host: self.host.clone(),
                    path: head.path.clone(),
                    template: matched.template.clone(),
                    attributes,
                };
                let object = |name: &String| Some(ObjectName { schema: self.host.clone(), name: name.clone() });
                let mut operation = operation(verb, object(&name), &text, facts);
                // Whichever of the two the upstream takes it for, it was permitted.
                let nearly = matched.nearly.as_ref().filter(|_| self.service.is_none());
                operation.accesses.extend(nearly.map(|name| Access { verb, object: object(name) }));
                operation
            })
            .collect();
        let proposals = proposals(head, body);
        Ok(Inspection { operations, body: None, seals, notes: Vec::new(), proposals })
    }

    fn reader(
        &self,
        _asked: &HttpRequest,
        head: &mut ResponseHead,
        sight: &Sight,
    ) -> Result<Box<dyn ResponseReader>, Refusal> {
        reframe::reader(head, sight)
    }

    fn relays_websockets(&self) -> bool {
        true
    }

    fn refusal(
        &self,
        asked: Option<(&RequestHead, &Bytes)>,
        rejection: &Rejection,
        approval: Option<&str>,
        session: &SessionId,
    ) -> Answer {
        if let Some(service) = &self.service {
            return aws::refuse::answer(service, asked.map(|(head, _)| head), rejection, session);
        }
        let body = Bytes::from(problem(rejection, approval, session));
        Answer { status: rejection.status, media_type: PROBLEM_JSON, body }
    }
}
