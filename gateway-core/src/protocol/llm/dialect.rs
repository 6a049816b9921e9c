//! The dialect of models' APIs: from a request to a prompt that is decided, recorded and masked; from an answer to what
//! the client may see, what the record keeps, and what it cost.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    super::{
        http::{
            dialect::{
                Answer as Said, BodyEnd, Dialect, Ended, Inspection, ModelAnswer, Note, ResponseReader, Sight, Used,
            },
            message::{HttpRequest, RequestHead, ResponseHead, is_json, media_type},
            refuse::{self as problem, PROBLEM_JSON, Rejection},
        },
        json::{Json, Tally, mask_arguments},
        sse::SseEvent,
    },
    KEPT_MEMBERS, baggage, codec,
    inspect::{self, operation},
    message::{Answer, Endpoint, Prompt},
    price::Prices,
    reframe::{AnswerError, StreamedAnswer, plain},
    refuse::{error_member, unsupported},
};
use crate::{
    mask::Detectors,
    model::{Refusal, RefusalKind, SessionId},
};

/// The longest answer that comes whole.
const MOST_ANSWER_BYTES: usize = 32 << 20;
/// How much of a prompt's new messages a note keeps.
const NOTE_BYTES: usize = 64 * 1024;

/// The dialect of one connection.
#[derive(Debug)]
pub struct LlmDialect {
    host: String,
    prices: Arc<Prices>,
}

impl LlmDialect {
    /// For an upstream of this name, with these prices.
    pub fn new(host: impl Into<String>, prices: Prices) -> Self {
        Self { host: host.into(), prices: Arc::new(prices) }
    }

    fn understood(
        &self,
        endpoint: Endpoint,
        head: &RequestHead,
        body: &Bytes,
        sight: &Sight,
    ) -> Result<Inspection, Rejection> {
        if endpoint == Endpoint::Models {
            let prompt =
                Prompt { model: codec::named_model(&head.path).unwrap_or_default().to_owned(), ..Prompt::default() };
            let operation = operation::operation(endpoint, &prompt, &self.host, &head.path, head.method.as_str());
            return Ok(Inspection {
                operations: vec![operation],
                body: empty(body)?,
                seals: Vec::new(),
                notes: Vec::new(),
                proposals: Vec::new(),
            });
        }
        if !is_json(&media_type(&head.headers)) {
            return Err(Rejection::malformed(
                "the body of a prompt is JSON here",
                "Set Content-Type: application/json.",
            ));
        }
        let mut json = parse(body)?;
        let prompt = inspect::prompt(endpoint, &json)?;
        if prompt.attachments() > 0 && !sight.is_clear() {
            return Err(
                opaque("this prompt holds an image, a sound or a file, which cannot be searched for values").into()
            );
        }
        let operation = operation::operation(endpoint, &prompt, &self.host, &head.path, head.method.as_str());
        let mut masked = Tally::default();
        json.mask(&sight.detectors, KEPT_MEMBERS, &mut masked);
        ask_for_usage(endpoint, &prompt, &mut json);
        let mut note = prompt_note(endpoint, &prompt, &masked);
        for (word, name) in baggage::names(&head.headers, &sight.detectors) {
            note.facts.insert(word, name);
        }
        let body = Some(Bytes::from(json.write()));
        Ok(Inspection {
            operations: vec![operation],
            body,
            seals: Vec::new(),
            notes: vec![note],
            proposals: Vec::new(),
        })
    }

    /// What is not understood goes on only where a policy permits `llm_other`, and masked even then.
    fn unknown(&self, head: &RequestHead, body: &Bytes, sight: &Sight) -> Result<Inspection, Rejection> {
        let operations = vec![operation::unknown(head.method.as_str(), &self.host, &head.path)];
        let notes = Vec::new();
        if body.is_empty() || sight.is_clear() {
            return Ok(Inspection { operations, body: None, seals: Vec::new(), notes, proposals: Vec::new() });
        }
        if !is_json(&media_type(&head.headers)) {
            return Err(opaque("this body is no JSON, so it cannot be searched for values").into());
        }
        let mut json = parse(body)?;
        json.mask(&sight.detectors, &[], &mut Tally::default());
        Ok(Inspection {
            operations,
            body: Some(Bytes::from(json.write())),
            seals: Vec::new(),
            notes,
            proposals: Vec::new(),
        })
    }
}

impl Dialect for LlmDialect {
    fn inspect(&self, head: &RequestHead, body: &Bytes, sight: &Sight) -> Result<Inspection, Rejection> {
        nothing_in_headers(head, &sight.detectors)?;
        match codec::endpoint(head.method.as_str(), &head.path, head.query.as_deref()) {
            Some(endpoint) => self.understood(endpoint, head, body, sight),
            None => self.unknown(head, body, sight),
        }
    }

    fn reader(
        &self,
        asked: &HttpRequest,
        head: &mut ResponseHead,
        sight: &Sight,
    ) -> Result<Box<dyn ResponseReader>, Refusal> {
        let endpoint = codec::endpoint(asked.head.method.as_str(), &asked.head.path, asked.head.query.as_deref());
        let json = Json::parse(&asked.body).unwrap_or(Json::Null);
        let media = head.media_type();
        let succeeded = head.status.is_success();
        let body = match endpoint {
            Some(endpoint) if succeeded && media == "text/event-stream" => {
                Body::Events(Some(Box::new(StreamedAnswer::new(endpoint, hides_usage(&json)))))
            }
            Some(_) if succeeded && is_json(&media) => Body::Whole(Vec::new()),
            _ if is_json(&media) => Body::Json(Vec::new()),
            _ if media.starts_with("text/") || sight.is_clear() || media.is_empty() => Body::Text(Vec::new()),
            _ => return Err(opaque("the answer is neither JSON nor text, so it cannot be searched for values")),
        };
        Ok(Box::new(Reader {
            endpoint,
            body,
            detectors: Arc::clone(&sight.detectors),
            prices: Arc::clone(&self.prices),
            model: json.text_of("model").unwrap_or_default().to_owned(),
            names: baggage::names(&asked.head.headers, &sight.detectors),
            asked_bytes: asked.body.len(),
            given_bytes: 0,
        }))
    }

    fn refusal(
        &self,
        asked: Option<(&RequestHead, &Bytes)>,
        rejection: &Rejection,
        approval: Option<&str>,
        session: &SessionId,
    ) -> Said {
        let endpoint =
            asked.and_then(|(head, _)| codec::endpoint(head.method.as_str(), &head.path, head.query.as_deref()));
        let facts = problem::problem(rejection, approval, session);
        let mut body = Json::parse(facts.as_bytes()).unwrap_or(Json::Object(Vec::new()));
        body.set("error", error_member(endpoint, &rejection.refusal));
        if endpoint.is_some_and(Endpoint::is_anthropic) {
            body.set("type", Json::text("error"));
        }
        Said { status: rejection.status, media_type: PROBLEM_JSON, body: Bytes::from(body.write()) }
    }
}

fn parse(body: &Bytes) -> Result<Json, Rejection> {
    Json::parse(body).map_err(|error| Rejection::malformed(error.to_string(), "Send one JSON object, every name once."))
}

fn empty(body: &Bytes) -> Result<Option<Bytes>, Rejection> {
    if body.is_empty() {
        return Ok(None);
    }
    Err(Rejection::malformed("this request has a body that means nothing here", "Send it without one."))
}

fn opaque(message: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Unmaskable,
        rule: None,
        message: message.to_owned(),
        hint: Some("Send text, or ask for `reveal` of every class on this connection.".to_owned()),
    }
}

/// What a client says of itself in a header must hold nothing that is masked.
fn nothing_in_headers(head: &RequestHead, detectors: &Detectors) -> Result<(), Rejection> {
    for (name, value) in &head.headers {
        if detectors.class_of(value.as_bytes()).is_some() {
            let message = format!("the header {name} holds a value that is masked here");
            return Err(opaque(&message).into());
        }
    }
    Ok(())
}

/// Streams of chats and completions count tokens only where they are asked to. What the gateway asks for stands first,
/// what a client asks for itself does not, so that they are told apart when the answer comes.
fn ask_for_usage(endpoint: Endpoint, prompt: &Prompt, json: &mut Json) {
    if !(prompt.stream && matches!(endpoint, Endpoint::Chat | Endpoint::Completions)) {
        return;
    }
    let Json::Object(members) = json else { return };
    let asked = members.iter().position(|(name, _)| name == "stream_options").map(|place| members.remove(place));
    match asked {
        Some((name, options)) if options.get("include_usage").is_some_and(Json::is_true) => {
            members.push((name, options));
        }
        Some((name, mut options @ Json::Object(_))) => {
            options.set("include_usage", Json::Bool(true));
            members.insert(0, (name, options));
        }
        _ => {
            let options = Json::Object(vec![("include_usage".to_owned(), Json::Bool(true))]);
            members.insert(0, ("stream_options".to_owned(), options));
        }
    }
}

fn hides_usage(json: &Json) -> bool {
    json.members().first().is_some_and(|(name, _)| name == "stream_options")
}

/// What the record says of a prompt: its new messages, and facts. The operation's text has all of it.
fn prompt_note(endpoint: Endpoint, prompt: &Prompt, masked: &Tally) -> Note {
    let after = prompt.turns.iter().rposition(|turn| turn.role == "assistant").map_or(0, |last| last + 1);
    let new = Prompt { turns: prompt.turns.get(after..).unwrap_or_default().to_vec(), ..Prompt::default() };
    let roles: Vec<&str> = prompt.turns.iter().map(|turn| turn.role.as_str()).collect();
    let mut facts = BTreeMap::from([
        ("endpoint", endpoint.as_str().to_owned()),
        ("model", prompt.model.clone()),
        ("messages", prompt.turns.len().to_string()),
        ("roles", Json::List(roles.into_iter().map(Json::text).collect()).write()),
        ("tools", Json::List(prompt.tools.iter().map(Json::text).collect()).write()),
        ("stream", prompt.stream.to_string()),
    ]);
    facts.extend(prompt.max_tokens.map(|most| ("max_tokens", most.to_string())));
    if !masked.is_empty() {
        facts.insert("masked", serde_json::to_string(&masked.by_name()).unwrap_or_default());
    }
    Note { kind: "prompt", text: new.transcript(NOTE_BYTES), seals: Vec::new(), facts }
}

/// How an answer is read.
enum Body {
    /// A stream of events; taken when it ends.
    Events(Option<Box<StreamedAnswer>>),
    /// An answer that comes whole.
    Whole(Vec<u8>),
    /// JSON that is no answer: an error.
    Json(Vec<u8>),
    /// Text that is no answer: a page of a proxy.
    Text(Vec<u8>),
}

struct Reader {
    endpoint: Option<Endpoint>,
    body: Body,
    detectors: Arc<Detectors>,
    prices: Arc<Prices>,
    model: String,
    names: BTreeMap<&'static str, String>,
    asked_bytes: usize,
    given_bytes: usize,
}

impl ResponseReader for Reader {
    fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        self.given_bytes = self.given_bytes.saturating_add(bytes.len());
        match &mut self.body {
            Body::Events(stream) => {
                let Some(stream) = stream else { return Ok(()) };
                let mut given = Vec::new();
                let result = stream.chunk(bytes, &self.detectors, &mut given);
                out.extend_from_slice(&given);
                result.map_err(|error| unreadable(&error))
            }
            Body::Whole(held) | Body::Json(held) | Body::Text(held) => {
                if held.len() + bytes.len() > MOST_ANSWER_BYTES {
                    return Err(unsupported("the answer is longer than what is searched for values", "Ask for less."));
                }
                held.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn used(&self) -> Used {
        let Body::Events(Some(stream)) = &self.body else { return Used::default() };
        let (input, output) = stream.used();
        let spend = self.prices.of(&self.model).map_or(0, |price| price.spend(input, output));
        Used { tokens: input.saturating_add(output), spend_microdollars: spend }
    }

    fn last_words(&self, refusal: &Refusal) -> Option<Bytes> {
        let (endpoint, Body::Events(Some(_))) = (self.endpoint, &self.body) else { return None };
        let is_anthropic = endpoint.is_some_and(Endpoint::is_anthropic);
        let mut members = vec![("error".to_owned(), error_member(endpoint, refusal))];
        let named = is_anthropic || endpoint == Some(Endpoint::Responses);
        if named {
            members.insert(0, ("type".to_owned(), Json::text("error")));
        }
        let event =
            SseEvent { event: named.then(|| "error".to_owned()), id: None, data: Json::Object(members).write() };
        let mut words = Vec::new();
        event.write(&mut words);
        Some(Bytes::from(words))
    }

    fn end(self: Box<Self>, end: BodyEnd, out: &mut BytesMut) -> Result<Ended, Refusal> {
        let Self { endpoint, body, detectors, prices, model, names, asked_bytes, given_bytes } = *self;
        let is_cut = end == BodyEnd::Cut;
        // Of a stream, what frames its texts is no answer.
        let given_bytes = match &body {
            Body::Events(Some(stream)) => stream.said_bytes(),
            Body::Events(None) | Body::Whole(_) | Body::Json(_) | Body::Text(_) => given_bytes,
        };
        let mut masked = Tally::default();
        let answer = match (body, endpoint) {
            (Body::Events(Some(stream)), _) if is_cut => Some(stream.cut()),
            (Body::Events(Some(stream)), _) => {
                let mut given = Vec::new();
                let answer = stream.end(&detectors, &mut given);
                out.extend_from_slice(&given);
                Some(answer)
            }
            (Body::Events(None), _) => None,
            (Body::Whole(_) | Body::Json(_) | Body::Text(_), _) if is_cut => None,
            (Body::Whole(held), Some(endpoint)) => {
                let (answer, body) = plain(endpoint, &held, &detectors).map_err(|error| unreadable(&error))?;
                out.extend_from_slice(body.as_bytes());
                Some(answer)
            }
            (Body::Whole(held) | Body::Json(held), _) if !held.is_empty() => {
                let mut json = Json::parse(&held).map_err(|error| unreadable(&error.into()))?;
                json.mask(&detectors, KEPT_MEMBERS, &mut masked);
                out.extend_from_slice(json.write().as_bytes());
                None
            }
            (Body::Whole(held) | Body::Json(held) | Body::Text(held), _) => {
                match String::from_utf8(held) {
                    Ok(mut text) => {
                        mask_arguments(&mut text, &detectors, &mut masked);
                        out.extend_from_slice(text.as_bytes());
                    }
                    Err(bytes) if detectors.is_empty() => out.extend_from_slice(bytes.as_bytes()),
                    Err(_) => return Err(opaque("the answer is no text, so it cannot be searched for values")),
                }
                None
            }
        };
        let Some(answer) = answer else {
            return Ok(Ended { masked: masked.by_name(), ..Ended::default() });
        };
        let usage = Usage::of(&answer, asked_bytes, given_bytes);
        let names = names.into_iter().map(|(word, name)| (word.to_owned(), name)).collect();
        let ended = ended(answer, &model, &usage, &prices);
        Ok(Ended { answer: ended.answer.map(|answer| ModelAnswer { names, ..answer }), ..ended })
    }
}

/// Tokens of a prompt and its answer.
struct Usage {
    input: u64,
    output: u64,
    is_estimated: bool,
}

impl Usage {
    /// As the provider counted; a fourth of the bytes where it did not.
    fn of(answer: &Answer, asked: usize, given: usize) -> Self {
        let estimate = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
        Self {
            input: answer.input_tokens.unwrap_or_else(|| estimate(asked)),
            output: answer.output_tokens.unwrap_or_else(|| match answer.input_tokens {
                Some(_) if answer.text.is_empty() && answer.calls.is_empty() => 0,
                _ => estimate(given),
            }),
            is_estimated: answer.input_tokens.is_none(),
        }
    }
}

fn ended(answer: Answer, asked_model: &str, usage: &Usage, prices: &Prices) -> Ended {
    let model = answer.model.clone().filter(|name| codec::is_model(name)).unwrap_or_else(|| asked_model.to_owned());
    let mut text = answer.text.clone();
    for call in &answer.calls {
        if !text.is_empty() {
            text.push('\n');
        }
        text.extend(["calls ", &call.name, " ", &call.arguments]);
    }
    let names: Vec<Json> = answer.calls.iter().map(|call| Json::text(&call.name)).collect();
    let spend =
        prices.of(&model).or_else(|| prices.of(asked_model)).map(|price| price.spend(usage.input, usage.output));
    let mut facts = BTreeMap::from([
        ("model", model.clone()),
        ("calls", Json::List(names).write()),
        ("input_tokens", usage.input.to_string()),
        ("output_tokens", usage.output.to_string()),
    ]);
    if usage.is_estimated {
        facts.insert("tokens_estimated", "true".to_owned());
    }
    facts.extend(spend.map(|spend| ("spend_microdollars", spend.to_string())));
    facts.extend(answer.finish.clone().map(|finish| ("finish", finish.chars().take(40).collect())));
    let masked = answer.masked.by_name();
    let note = Note { kind: "answer", text, seals: Vec::new(), facts };
    let arguments = answer.calls.into_iter().map(|call| call.arguments).collect();
    let spend_microdollars = spend.unwrap_or(0);
    let tokens = usage.input.saturating_add(usage.output);
    let names = BTreeMap::new();
    let answer = ModelAnswer { model, names, text: answer.text, arguments, tokens, spend_microdollars };
    Ended { masked, notes: vec![note], answer: Some(answer), ..Ended::default() }
}

fn unreadable(error: &AnswerError) -> Refusal {
    let kind = match error {
        AnswerError::Json(_) | AnswerError::Events(_) => RefusalKind::Unsupported,
        AnswerError::Overlong(_) | AnswerError::TooMuch | AnswerError::Opaque => RefusalKind::Unmaskable,
    };
    Refusal { kind, rule: None, message: error.to_string(), hint: None }
}

#[cfg(test)]
mod tests;
