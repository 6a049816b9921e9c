//! The dialect of the Model Context Protocol: an operation for each message of a body, a judge for what comes back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    super::{
        http::{
            dialect::{Answer, BodyEnd, Dialect, Ended, Inspection, Note, ResponseReader, Sight},
            message::{Carriage, HttpRequest, RequestHead, ResponseHead, is_json, media_type},
            refuse::{self as problem, PROBLEM_JSON, Rejection},
            route::Routes,
        },
        json::{Json, Tally, mask_arguments},
    },
    codec::Batch,
    inspect::{self, Asked},
    message::MessageKind,
    reframe::{Heard, Judge, ServerError, ServerEvents},
    refuse::{self, unsupported},
    sessions::ServerSessions,
    tools::{Standing, ToolBook},
};
use crate::{
    mask::Detectors,
    model::{Access, ObjectName, Operation, Refusal, RefusalKind, RequestFacts, SessionId, Verb},
};

/// The header that names a session of the server.
const SESSION: &str = "mcp-session-id";
/// The longest answer that comes whole.
const MOST_ANSWER_BYTES: usize = 32 << 20;

/// Where servers speak MCP, if the site does not say: nothing else of the same host is one.
const USUAL_PLACES: [&str; 3] = ["/", "/mcp", "/mcp/"];

/// What a server may ask of a client, by the name of what the client would offer.
const OFFERS: [(&str, &str); 3] =
    [("sampling", "sampling/createMessage"), ("elicitation", "elicitation/create"), ("roots", "roots/list")];

/// The dialect of one connection.
#[derive(Debug)]
pub struct McpDialect {
    host: String,
    book: Arc<dyn ToolBook>,
    sessions: Arc<ServerSessions>,
    places: Routes,
}

impl McpDialect {
    /// For an upstream of this name, with these definitions of its tools.
    pub fn new(host: impl Into<String>, book: Arc<dyn ToolBook>) -> Self {
        Self { host: host.into(), book, sessions: Arc::default(), places: Routes::default() }
    }

    /// The same, of a server that speaks MCP there.
    #[must_use]
    pub fn speaking_at(self, places: Routes) -> Self {
        Self { places, ..self }
    }

    /// Whether MCP is spoken there. Anything else of the upstream is no business of this connection.
    fn check_place(&self, head: &RequestHead) -> Result<(), Rejection> {
        let is_usual = self.places.is_empty() && USUAL_PLACES.contains(&head.path.as_str());
        if is_usual || self.places.knows(&head.path) {
            return Ok(());
        }
        let hint = "Ask at /mcp; where the server speaks MCP elsewhere, `routes` of the connection names the path.";
        Err(Rejection::unreadable(StatusCode::NOT_FOUND, "no MCP is spoken at this path of the connection", hint))
    }

    fn posted(&self, head: &RequestHead, body: &Bytes, sight: &Sight) -> Result<Inspection, Rejection> {
        if !is_json(&media_type(&head.headers)) {
            return Err(Rejection::malformed("a message is JSON", "Set Content-Type: application/json."));
        }
        let read = Batch::parse(body);
        let mut batch = read.map_err(|error| Rejection::malformed(error.to_string(), "Send JSON-RPC 2.0."))?;
        let mut operations = Vec::with_capacity(batch.messages.len());
        let mut proposals = Vec::new();
        let count = u32::try_from(batch.messages.len()).unwrap_or(u32::MAX);
        for message in &batch.messages {
            if is_pong(&message.json) {
                operations.push(self.operation(head, "answer to ping", Verb::McpSession, None, Vec::new(), count));
                continue;
            }
            let Asked { verb, object, text, attributes } = inspect::asked(message)?;
            if let (Verb::McpCall, Some(tool)) = (verb, &object) {
                self.check_definition(tool)?;
            }
            proposals.extend(inspect::arguments(message));
            operations.push(self.operation(head, &text, verb, object, attributes, count));
        }
        // Whoever reviews one message sees all that go with it.
        let whole = operations.iter().map(|one| one.text.as_ref()).collect::<Vec<_>>().join("\n");
        let whole: Arc<str> = Arc::from(whole);
        for operation in &mut operations {
            operation.text = Arc::clone(&whole);
        }
        let permitted = |offer: &str| {
            let method = OFFERS.iter().find(|(name, _)| *name == offer).map(|(_, method)| *method);
            method.is_some_and(|method| self.may_ask(head, method, sight))
        };
        inspect::without_offers(&mut batch, permitted);
        let body = Some(Bytes::from(batch.write()));
        Ok(Inspection { operations, body, seals: Vec::new(), notes: Vec::new(), proposals })
    }

    fn check_definition(&self, tool: &str) -> Result<(), Rejection> {
        let standing = self.book.standing(tool).map_err(|error| unsupported(error.to_string(), "Try again later."))?;
        let refused = |message: String, hint: &str| {
            let kind = RefusalKind::Policy;
            Err(Refusal { kind, rule: None, message, hint: Some(hint.to_owned()) }.into())
        };
        match standing {
            Standing::Known => Ok(()),
            Standing::Changed => refused(
                format!("the definition of the tool `{tool}` changed since it was pinned"),
                "An administrator reviews it with `hoop tools`.",
            ),
            Standing::Unseen => {
                refused(format!("no definition of the tool `{tool}` was ever seen"), "List the tools first.")
            }
        }
    }

    fn operation(
        &self,
        head: &RequestHead,
        text: &str,
        verb: Verb,
        object: Option<String>,
        attributes: Vec<(String, String)>,
        statements: u32,
    ) -> Operation {
        let object = object.map(|name| ObjectName { schema: "tool".to_owned(), name });
        let (risk, reason) = crate::sql::risk::of_verb(verb);
        let facts = RequestFacts {
            method: head.method.as_str().to_owned(),
            host: self.host.clone(),
            path: head.path.clone(),
            template: head.path.clone(),
            attributes: attributes.into_iter().collect(),
        };
        Operation {
            text: Arc::from(text),
            kind: Arc::from(verb.as_str()),
            effect: verb.effect(),
            accesses: BTreeSet::from([Access { verb, object }]),
            has_where: true,
            names_rows: false,
            risk,
            risk_reasons: vec![reason],
            statements,
            estimated_rows: None,
            estimated_percent: None,
            export: false,
            filters_on: BTreeSet::new(),
            facts: BTreeSet::new(),
            advice: None,
            request: Some(Arc::new(facts)),
        }
    }

    /// Whether a policy lets a server ask this of the client.
    fn may_ask(&self, head: &RequestHead, method: &str, sight: &Sight) -> bool {
        let attributes = vec![("method".to_owned(), method.to_owned())];
        (sight.permits)(&self.operation(head, method, Verb::McpOther, Some(method.to_owned()), attributes, 1))
    }

    fn again(&self) -> Self {
        let (book, sessions) = (Arc::clone(&self.book), Arc::clone(&self.sessions));
        Self { host: self.host.clone(), book, sessions, places: self.places.clone() }
    }

    /// A session of the server is whose it was given to.
    fn check_session(&self, head: &RequestHead, sight: &Sight) -> Result<(), Rejection> {
        let mut ids = head.headers.get_all(SESSION).iter();
        let (id, more) = (ids.next(), ids.next());
        let is_own = id.is_none_or(|id| self.sessions.is_of(id.as_bytes(), &sight.who));
        if more.is_none() && is_own {
            return Ok(());
        }
        // SPEC: MCP, transports: a client that is told so begins a session anew.
        let why = "this session of the server is not known, or is somebody else's";
        Err(Rejection::unreadable(StatusCode::NOT_FOUND, why, "Initialize again."))
    }

    fn judge(&self, head: &RequestHead, sight: &Sight) -> Judge {
        let mut head = head.clone();
        head.headers.clear();
        let (this, asked) = (self.again(), head.clone());
        let permits = Arc::clone(&sight.permits);
        let may_call = move |tool: &str| {
            let attributes = [("method", "tools/call"), ("tool", tool)];
            let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            permits(&this.operation(&asked, tool, Verb::McpCall, Some(tool.to_owned()), attributes, 1))
        };
        let (this, sight_of_server) = (self.again(), sight.clone());
        let may_ask = move |method: &str| this.may_ask(&head, method, &sight_of_server);
        Judge {
            detectors: Arc::clone(&sight.detectors),
            may_call: Arc::new(may_call),
            may_ask: Arc::new(may_ask),
            book: Arc::clone(&self.book),
        }
    }
}

impl Dialect for McpDialect {
    fn inspect(&self, head: &RequestHead, body: &Bytes, sight: &Sight) -> Result<Inspection, Rejection> {
        if head.query.is_some() {
            return Err(Rejection::malformed("a query means nothing here", "Send it without one."));
        }
        self.check_place(head)?;
        self.check_session(head, sight)?;
        if head.method == Method::POST {
            return self.posted(head, body, sight);
        }
        if !body.is_empty() {
            return Err(Rejection::malformed("only POST has a body here", "Send it without one."));
        }
        let (text, verb) = match head.method {
            Method::GET => ("listen to the server", Verb::McpSession),
            Method::DELETE => ("end the session", Verb::McpSession),
            _ => ("an unknown method", Verb::McpOther),
        };
        let operations = vec![self.operation(head, text, verb, None, Vec::new(), 1)];
        Ok(Inspection { operations, body: None, seals: Vec::new(), notes: Vec::new(), proposals: Vec::new() })
    }

    fn reader(
        &self,
        asked: &HttpRequest,
        head: &mut ResponseHead,
        sight: &Sight,
    ) -> Result<Box<dyn ResponseReader>, Refusal> {
        for id in head.headers.get_all(SESSION) {
            // FAIL-CLOSED: two people in one session of a server are told apart by nobody.
            if !self.sessions.opened(id.as_bytes(), &sight.who) {
                return Err(unsupported("the server gave a session that is somebody else's", "Initialize again."));
            }
        }
        let media = head.media_type();
        let body = match media.as_str() {
            "text/event-stream" => Body::Events(ServerEvents::default()),
            _ if is_json(&media) && head.status.is_success() => Body::Messages(Vec::new()),
            _ => Body::Other(Vec::new()),
        };
        let judge = self.judge(&asked.head, sight);
        Ok(Box::new(Reader { body, judge, heard: Heard::default(), answers_to: answers_to(&asked.head) }))
    }

    fn refusal(
        &self,
        asked: Option<(&RequestHead, &Bytes)>,
        rejection: &Rejection,
        approval: Option<&str>,
        session: &SessionId,
    ) -> Answer {
        let posted = asked.filter(|(head, _)| head.method == Method::POST);
        let batch = posted.and_then(|(_, body)| Batch::parse(body).ok());
        let answers: Vec<Json> = batch
            .iter()
            .flat_map(|batch| &batch.messages)
            .filter_map(|message| match &message.kind {
                MessageKind::Request { id, .. } => Some(refuse::answer(id, &rejection.refusal, session.as_str())),
                MessageKind::Notification { .. } | MessageKind::Response { .. } => None,
            })
            .collect();
        let session_ended = rejection.status == StatusCode::NOT_FOUND;
        let is_list = batch.is_some_and(|batch| batch.is_list);
        let body = match answers.as_slice() {
            // Only by its status does a client hear that its session is lost.
            answers if answers.is_empty() || session_ended => {
                let body = Bytes::from(problem::problem(rejection, approval, session));
                return Answer { status: rejection.status, media_type: PROBLEM_JSON, body };
            }
            [one] if !is_list => one.write(),
            _ => Json::List(answers).write(),
        };
        // The request was answered: what failed is what it asked for. Clients take any other status for a lost server.
        Answer { status: StatusCode::OK, media_type: "application/json", body: Bytes::from(body) }
    }
}

/// Whether a message answers a ping: it says nothing.
fn is_pong(json: &Json) -> bool {
    json.get("method").is_none() && matches!(json.get("result"), Some(Json::Object(members)) if members.is_empty())
}

enum Body {
    Events(ServerEvents),
    Messages(Vec<u8>),
    Other(Vec<u8>),
}

struct Reader {
    body: Body,
    judge: Judge,
    heard: Heard,
    /// The head of what answers the server.
    answers_to: RequestHead,
}

/// The head of a message in the same session of the server.
fn answers_to(asked: &RequestHead) -> RequestHead {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    for name in [SESSION, "mcp-protocol-version"] {
        if let Some(value) = asked.headers.get(name) {
            headers.insert(name, value.clone());
        }
    }
    RequestHead { method: Method::POST, headers, carriage: Carriage::default(), ..asked.clone() }
}

fn declined(heard: &mut Heard, answers_to: &RequestHead) -> Vec<HttpRequest> {
    let said = std::mem::take(&mut heard.declined).into_iter();
    said.map(|json| HttpRequest { head: answers_to.clone(), body: Bytes::from(json.write()) }).collect()
}

impl ResponseReader for Reader {
    fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        match &mut self.body {
            Body::Events(events) => {
                let mut given = Vec::new();
                let result = events.chunk(bytes, &self.judge, &mut self.heard, &mut given);
                out.extend_from_slice(&given);
                result.map_err(|error| unreadable(&error))
            }
            Body::Messages(held) | Body::Other(held) => {
                if held.len() + bytes.len() > MOST_ANSWER_BYTES {
                    return Err(unsupported("the answer is longer than what is searched for values", "Ask for less."));
                }
                held.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn replies(&mut self) -> Vec<HttpRequest> {
        declined(&mut self.heard, &self.answers_to)
    }

    fn end(self: Box<Self>, end: BodyEnd, out: &mut BytesMut) -> Result<Ended, Refusal> {
        let Self { body, judge, mut heard, answers_to } = *self;
        match body {
            Body::Messages(_) | Body::Other(_) if end == BodyEnd::Cut => {}
            Body::Events(_) => {}
            Body::Messages(held) if held.is_empty() => {}
            Body::Messages(held) => {
                out.extend_from_slice(&judge.body(&held, &mut heard).map_err(|error| unreadable(&error))?);
            }
            Body::Other(held) => out.extend_from_slice(&other(held, &judge.detectors, &mut heard.masked)?),
        }
        let replies = declined(&mut heard, &answers_to);
        Ok(Ended { replies, ..ended(heard) })
    }
}

/// A page that is no message: masked as text.
fn other(held: Vec<u8>, detectors: &Detectors, masked: &mut Tally) -> Result<Vec<u8>, Refusal> {
    match String::from_utf8(held) {
        Ok(mut text) => {
            mask_arguments(&mut text, detectors, masked);
            Ok(text.into_bytes())
        }
        Err(bytes) if detectors.is_empty() => Ok(bytes.into_bytes()),
        Err(_) => Err(unreadable(&ServerError::Opaque)),
    }
}

fn ended(heard: Heard) -> Ended {
    let mut facts = BTreeMap::new();
    let list = |names: &[String]| Json::List(names.iter().map(Json::text).collect()).write();
    for (name, tools) in [("hidden", &heard.hidden), ("changed", &heard.changed), ("held_back", &heard.held_back)] {
        if !tools.is_empty() {
            facts.insert(name, list(tools));
        }
    }
    let is_quiet = facts.is_empty() && heard.said.is_empty();
    let note = Note { kind: "tool_result", text: heard.said, seals: Vec::new(), facts };
    let notes = if is_quiet { Vec::new() } else { vec![note] };
    Ended { masked: heard.masked.by_name(), notes, ..Ended::default() }
}

fn unreadable(error: &ServerError) -> Refusal {
    let kind = match error {
        ServerError::Opaque => RefusalKind::Unmaskable,
        ServerError::Json(_) | ServerError::Message(_) | ServerError::Events(_) | ServerError::Book(_) => {
            RefusalKind::Unsupported
        }
    };
    Refusal { kind, rule: None, message: error.to_string(), hint: None }
}

#[cfg(test)]
mod tests;
