//! An answer that streams as events.
//!
//! Every event is written anew: the pieces of texts that it brings are replaced by what may go on of them, and every
//! other text in it is masked as it stands. What is kept of a text goes on before the event that ends it.

use std::collections::BTreeMap;

use super::{
    super::{
        super::{
            json::Json,
            sse::{SseEvent, SsePiece, SseReader},
        },
        KEPT_MEMBERS,
        message::{Answer, Call, Endpoint},
    },
    AnswerError,
    channel::{Channel, ChannelKind},
    deltas::{Ends, Key, Piece, Step, at, ends, pieces},
    plain::{read, usage},
};
use crate::mask::Detectors;

/// How many texts an answer may have at once.
const MOST_CHANNELS: usize = 256;

/// Reads one answer as it streams.
#[derive(Debug)]
pub struct StreamedAnswer {
    endpoint: Endpoint,
    events: SseReader,
    channels: BTreeMap<Key, Channel>,
    /// Keys in the order in which they were first seen.
    order: Vec<Key>,
    answer: Answer,
    /// The answer as its last event repeats it whole, where it does.
    repeated: Option<Answer>,
    /// Whether the gateway asked for the tokens to be counted, and the client did not.
    hides_usage: bool,
    /// Bytes of texts so far.
    said_bytes: usize,
}

impl StreamedAnswer {
    /// `hides_usage`: the event that only counts tokens was asked for by the gateway, and is not the client's.
    pub fn new(endpoint: Endpoint, hides_usage: bool) -> Self {
        Self {
            endpoint,
            events: SseReader::default(),
            channels: BTreeMap::new(),
            order: Vec::new(),
            answer: Answer::default(),
            repeated: None,
            hides_usage,
            said_bytes: 0,
        }
    }

    /// Tokens of the prompt, where they were counted already, and of the answer so far: as counted, or a fourth of its bytes.
    pub fn used(&self) -> (u64, u64) {
        let said = u64::try_from(self.said_bytes / 4).unwrap_or(u64::MAX);
        (self.answer.input_tokens.unwrap_or(0), self.answer.output_tokens.unwrap_or(0).max(said))
    }

    /// Bytes of texts so far.
    pub fn said_bytes(&self) -> usize {
        self.said_bytes
    }

    /// Takes bytes and appends what may go on.
    pub fn chunk(&mut self, bytes: &[u8], detectors: &Detectors, out: &mut Vec<u8>) -> Result<(), AnswerError> {
        let mut found = Vec::new();
        self.events.push(bytes, &mut found)?;
        for piece in found {
            match piece {
                SsePiece::Alive => out.extend_from_slice(b": alive\n\n"),
                SsePiece::Event(event) => self.event(event, detectors, out)?,
            }
        }
        Ok(())
    }

    /// The stream has ended: writes what is kept, and gives the answer.
    pub fn end(mut self, detectors: &Detectors, out: &mut Vec<u8>) -> Answer {
        self.flush(&Ends::Everything, detectors, out);
        self.into_answer()
    }

    /// The stream was cut: what is kept is not shown.
    pub fn cut(mut self) -> Answer {
        self.channels.retain(|_, channel| channel.said().0 == ChannelKind::Text);
        self.into_answer()
    }

    fn event(&mut self, mut event: SseEvent, detectors: &Detectors, out: &mut Vec<u8>) -> Result<(), AnswerError> {
        if event.data.trim() == "[DONE]" {
            self.flush(&Ends::Everything, detectors, out);
            event.write(out);
            return Ok(());
        }
        let mut json = Json::parse(event.data.as_bytes())?;
        if !detectors.is_empty()
            && json.text_of("type").is_some_and(|kind| kind.contains("audio") && kind.ends_with("delta"))
        {
            return Err(AnswerError::Opaque);
        }
        let found = pieces(self.endpoint, &json);
        let mut given = Vec::with_capacity(found.len());
        for piece in &found {
            let text = at(&mut json, &piece.way).and_then(|place| match std::mem::replace(place, Json::text("")) {
                Json::Text(text) => Some(text),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => None,
            });
            given.push(text.unwrap_or_default());
        }
        json.mask(detectors, KEPT_MEMBERS, &mut self.answer.masked);
        self.note(&json);
        let ended = ends(self.endpoint, &json);
        let like = json.clone();
        for (piece, text) in found.into_iter().zip(given) {
            let gone = self.take(&piece, &text, &like, detectors)?;
            if ended == Ends::Nothing {
                if let Some(place) = at(&mut json, &piece.way) {
                    *place = Json::Text(gone);
                }
            } else if !gone.is_empty() {
                // What is kept follows it, and both come before the event that ends the text.
                self.write_like(&piece.key, gone, out);
            }
        }
        self.flush(&ended, detectors, out);
        if self.hides_usage && is_only_usage(&json) {
            return Ok(());
        }
        if self.hides_usage {
            json.remove("usage");
        }
        SseEvent { data: json.write(), ..std::mem::take(&mut event) }.write(out);
        Ok(())
    }

    fn take(&mut self, piece: &Piece, text: &str, like: &Json, detectors: &Detectors) -> Result<String, AnswerError> {
        if !self.channels.contains_key(&piece.key) {
            if self.channels.len() >= MOST_CHANNELS {
                return Err(AnswerError::TooMuch);
            }
            self.order.push(piece.key.clone());
        }
        self.said_bytes = self.said_bytes.saturating_add(text.len());
        let channel = self.channels.entry(piece.key.clone()).or_insert_with(|| Channel::new(piece.kind));
        if let Some(name) = &piece.name {
            channel.name.clone_from(name);
        }
        let gone = channel.push(text, detectors, &mut self.answer.masked)?;
        channel.like = only(like, piece);
        Ok(gone)
    }

    /// Writes what is kept of the texts that end, each in an event like its last one.
    fn flush(&mut self, ends: &Ends, detectors: &Detectors, out: &mut Vec<u8>) {
        let is_ended = |key: &str| match ends {
            Ends::Nothing => false,
            Ends::Those(prefix) => key.starts_with(prefix.as_str()),
            Ends::Everything => true,
        };
        for key in self.order.iter().filter(|key| is_ended(key)) {
            let Some(channel) = self.channels.get_mut(key) else { continue };
            let Some(rest) = channel.finish(detectors, &mut self.answer.masked) else { continue };
            write_like(self.endpoint, channel, rest, out);
        }
    }

    fn write_like(&self, key: &str, text: String, out: &mut Vec<u8>) {
        if let Some(channel) = self.channels.get(key) {
            write_like(self.endpoint, channel, text, out);
        }
    }

    /// What an event says of the answer besides its texts.
    fn note(&mut self, json: &Json) {
        let response = json.get("response").or_else(|| json.get("message")).unwrap_or(json);
        for holder in [json, response] {
            let (input, output) = usage(holder.get("usage"));
            self.answer.input_tokens = input.or(self.answer.input_tokens);
            self.answer.output_tokens = output.or(self.answer.output_tokens);
            if let Some(model) = holder.text_of("model") {
                self.answer.model = Some(model.to_owned());
            }
        }
        let choices = json.get("choices").map(Json::items).unwrap_or_default();
        let finish = choices.iter().find_map(|choice| choice.text_of("finish_reason"));
        let finish = finish.or_else(|| json.get("delta")?.text_of("stop_reason"));
        if let Some(finish) = finish {
            self.answer.finish = Some(finish.to_owned());
        }
        let is_whole =
            matches!(json.text_of("type"), Some("response.completed" | "response.incomplete" | "response.failed"));
        if self.endpoint == Endpoint::Responses && is_whole {
            self.repeated = Some(read(self.endpoint, response));
        }
    }

    fn into_answer(mut self) -> Answer {
        if let Some(repeated) = self.repeated {
            return Answer { masked: self.answer.masked, ..repeated };
        }
        for key in &self.order {
            let Some(channel) = self.channels.get(key) else { continue };
            match channel.said() {
                (ChannelKind::Text, text) => self.answer.say(text),
                (ChannelKind::Arguments, arguments) => {
                    let call = Call { name: channel.name.clone(), arguments: arguments.to_owned() };
                    self.answer.calls.push(call);
                }
            }
        }
        self.answer
    }
}

/// Writes an event like the last one of a text, with this text.
fn write_like(endpoint: Endpoint, channel: &Channel, text: String, out: &mut Vec<u8>) {
    let mut like = channel.like.clone();
    put_rest(endpoint, &mut like, text);
    let has_type = matches!(endpoint, Endpoint::Messages | Endpoint::Responses);
    let event = like.text_of("type").filter(|_| has_type).map(str::to_owned);
    SseEvent { event, id: None, data: like.write() }.write(out);
}

/// An event of nothing but this piece, whose text is empty.
fn only(event: &Json, piece: &Piece) -> Json {
    let mut like = event.clone();
    like.remove("usage");
    let Some(Step::Item(place)) = piece.way.get(1) else { return like };
    if let Some(Json::List(choices)) = like.get_mut("choices") {
        let choice = choices.get(*place).cloned();
        *choices = choice.into_iter().map(|choice| bare_choice(&choice, piece)).collect();
    }
    like
}

/// A choice with nothing in its delta but the place of this piece.
fn bare_choice(choice: &Json, piece: &Piece) -> Json {
    let index = choice.get("index").cloned().unwrap_or(Json::Number(0.into()));
    let mut bare = vec![("index".to_owned(), index)];
    let names: Vec<&str> = piece
        .way
        .iter()
        .skip(2)
        .filter_map(|step| match step {
            Step::Member(name) => Some(*name),
            Step::Named(name) => Some(name.as_str()),
            Step::Item(_) => None,
        })
        .collect();
    let empty = Json::text(PLACE);
    match names.as_slice() {
        ["text"] => bare.push(("text".to_owned(), empty)),
        ["delta", "tool_calls", holder, member] => {
            let call = piece.way.get(4).and_then(|step| match step {
                Step::Item(place) => choice.get("delta")?.get("tool_calls")?.items().get(*place),
                Step::Member(_) | Step::Named(_) => None,
            });
            let number = call.and_then(|call| call.get("index")).cloned().unwrap_or(Json::Number(0.into()));
            let function = Json::Object(vec![((*member).to_owned(), empty)]);
            let call = Json::Object(vec![("index".to_owned(), number), ((*holder).to_owned(), function)]);
            let delta = Json::Object(vec![("tool_calls".to_owned(), Json::List(vec![call]))]);
            bare.push(("delta".to_owned(), delta));
        }
        ["delta", "function_call", member] => {
            let function = Json::Object(vec![((*member).to_owned(), empty)]);
            let delta = Json::Object(vec![("function_call".to_owned(), function)]);
            bare.push(("delta".to_owned(), delta));
        }
        ["delta", member] => {
            bare.push(("delta".to_owned(), Json::Object(vec![((*member).to_owned(), empty)])));
        }
        _ => {}
    }
    bare.push(("finish_reason".to_owned(), Json::Null));
    Json::Object(bare)
}

/// Stands where the rest of a text goes.
const PLACE: &str = "\u{0}hoop";

/// Puts the rest of a text where its pieces stand.
fn put_rest(endpoint: Endpoint, like: &mut Json, rest: String) {
    match endpoint {
        Endpoint::Chat | Endpoint::Completions => replace(like, &rest),
        Endpoint::Responses => like.set("delta", Json::Text(rest)),
        Endpoint::Messages => {
            let index = like.get("index").cloned().unwrap_or(Json::Number(0.into()));
            let holder = like.get("delta").or_else(|| like.get("content_block"));
            let kind = holder.and_then(|holder| holder.text_of("type")).unwrap_or_default();
            let (kind, member) = match kind {
                "tool_use" | "input_json_delta" => ("input_json_delta", "partial_json"),
                "thinking" | "thinking_delta" => ("thinking_delta", "thinking"),
                _ => ("text_delta", "text"),
            };
            let delta = vec![("type".to_owned(), Json::text(kind)), (member.to_owned(), Json::Text(rest))];
            *like = Json::Object(vec![
                ("type".to_owned(), Json::text("content_block_delta")),
                ("index".to_owned(), index),
                ("delta".to_owned(), Json::Object(delta)),
            ]);
        }
        Endpoint::Embeddings | Endpoint::Models | Endpoint::CountTokens => {}
    }
}

fn replace(json: &mut Json, rest: &str) {
    match json {
        Json::Text(text) if text == PLACE => rest.clone_into(text),
        Json::List(items) => items.iter_mut().for_each(|item| replace(item, rest)),
        Json::Object(members) => members.iter_mut().for_each(|(_, value)| replace(value, rest)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => {}
    }
}

/// The last event of a chat that was asked to count tokens: no choice, only `usage`.
fn is_only_usage(json: &Json) -> bool {
    json.get("usage").is_some_and(|usage| !usage.is_null())
        && matches!(json.get("choices"), Some(Json::List(choices)) if choices.is_empty())
}
