//! What a server says: lists of tools filtered, every text masked, its own requests held back.
//!
//! Each message is whole before it goes on, so no value can be split over two. Pure but for the book of definitions.

use std::sync::Arc;

use super::{
    super::{
        json::{Json, JsonError, Tally},
        sse::{SseError, SseEvent, SsePiece, SseReader},
    },
    codec::{CodecError, message},
    message::MessageKind,
    refuse,
    tools::{Standing, ToolBook, ToolBookError, ToolDefinition},
};
use crate::mask::Detectors;

/// Members whose plain words are never masked.
const KEPT_MEMBERS: &[&str] = &["jsonrpc", "type", "method", "role", "protocolVersion"];

/// Why what a server says cannot be shown. Holds nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// It is no JSON.
    #[error("what the server says cannot be read: {0}")]
    Json(#[from] JsonError),
    /// It is no message.
    #[error("what the server says cannot be read: {0}")]
    Message(#[from] CodecError),
    /// It is no stream of events.
    #[error("what the server says cannot be read: {0}")]
    Events(#[from] SseError),
    /// Definitions of tools cannot be kept.
    #[error("{0}")]
    Book(#[from] ToolBookError),
    /// It holds an image or a sound, which cannot be searched.
    #[error("what the server says holds an image, a sound or a file, which cannot be searched for values")]
    Opaque,
}

/// What became of the server's messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// Masked values.
    pub masked: Tally,
    /// Tools that were hidden because no policy permits their call.
    pub hidden: Vec<String>,
    /// Tools that were hidden because their definition changed.
    pub changed: Vec<String>,
    /// Methods that the server asked of the client and that went no further.
    pub held_back: Vec<String>,
    /// What the server is told of them: an error for each.
    pub declined: Vec<Json>,
    /// The texts of results, for the record.
    pub said: String,
}

/// How much of the results is kept for the record.
const MOST_SAID: usize = 64 * 1024;

/// What it takes to judge what a server says.
#[derive(Clone)]
pub struct Judge {
    /// What is masked.
    pub detectors: Arc<Detectors>,
    /// Whether a tool may be called, now or after an approval.
    pub may_call: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Whether a server may ask this of the client.
    pub may_ask: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Definitions as they were pinned.
    pub book: Arc<dyn ToolBook>,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Judge").field("book", &self.book).finish_non_exhaustive()
    }
}

impl Judge {
    /// Judges a whole body.
    pub fn body(&self, body: &[u8], heard: &mut Heard) -> Result<Vec<u8>, ServerError> {
        let kept = match Json::parse(body)? {
            Json::List(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for item in items {
                    kept.extend(self.one(item, heard)?);
                }
                Some(Json::List(kept))
            }
            one @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Object(_)) => {
                self.one(one, heard)?
            }
        };
        Ok(kept.map(|json| json.write().into_bytes()).unwrap_or_default())
    }

    /// Judges one message; `None` where it goes no further.
    fn one(&self, json: Json, heard: &mut Heard) -> Result<Option<Json>, ServerError> {
        let message = message(json)?;
        if let MessageKind::Request { method, id } = &message.kind
            && method != "ping"
            && !(self.may_ask)(method)
        {
            heard.held_back.push(method.clone());
            // Bounded by the messages of a body, and taken after each.
            heard.declined.push(refuse::declined(id));
            return Ok(None);
        }
        let mut json = message.json;
        if let Some(result) = json.get_mut("result") {
            self.tools(result, heard)?;
            if !self.detectors.is_empty() && holds_blob(result) {
                return Err(ServerError::Opaque);
            }
        }
        json.mask(&self.detectors, KEPT_MEMBERS, &mut heard.masked);
        if let Some(content) = json.get("result").and_then(|result| result.get("content")) {
            content.each_text(&mut |text| {
                if heard.said.len() + text.len() < MOST_SAID && text.len() > 4 {
                    heard.said.push_str(text);
                    heard.said.push('\n');
                }
            });
        }
        Ok(Some(json))
    }

    /// Leaves only the tools that may be called and whose definition is the pinned one.
    fn tools(&self, result: &mut Json, heard: &mut Heard) -> Result<(), ServerError> {
        let Some(Json::List(tools)) = result.get_mut("tools") else { return Ok(()) };
        let definitions: Vec<Option<ToolDefinition>> = tools.iter().map(ToolDefinition::of).collect();
        let known: Vec<ToolDefinition> = definitions.iter().flatten().cloned().collect();
        let mut standings = self.book.listed(&known)?.into_iter();
        let mut kept = Vec::with_capacity(tools.len());
        for (tool, definition) in std::mem::take(tools).into_iter().zip(definitions) {
            // FAIL-CLOSED: what has no name, or is too long to be kept, is not shown.
            let Some(definition) = definition else { continue };
            match standings.next() {
                Some(Standing::Known) if (self.may_call)(&definition.name) => kept.push(tool),
                Some(Standing::Known) => heard.hidden.push(definition.name),
                Some(Standing::Changed | Standing::Unseen) | None => heard.changed.push(definition.name),
            }
        }
        *tools = kept;
        Ok(())
    }
}

/// Whether a result holds base 64 of something that is no text.
fn holds_blob(json: &Json) -> bool {
    let is_media = matches!(json.text_of("type"), Some("image" | "audio")) && json.text_of("data").is_some();
    is_media
        || json.text_of("blob").is_some()
        || json.items().iter().any(holds_blob)
        || json.members().iter().any(|(_, value)| holds_blob(value))
}

/// A stream of events.
#[derive(Debug, Default)]
pub struct ServerEvents {
    events: SseReader,
}

impl ServerEvents {
    /// Takes bytes and appends what may go on.
    pub fn chunk(
        &mut self,
        bytes: &[u8],
        judge: &Judge,
        heard: &mut Heard,
        out: &mut Vec<u8>,
    ) -> Result<(), ServerError> {
        let mut found = Vec::new();
        self.events.push(bytes, &mut found)?;
        for piece in found {
            match piece {
                SsePiece::Alive => out.extend_from_slice(b": alive\n\n"),
                // An event without data primes a client to come back; it says nothing.
                SsePiece::Event(event) if event.data.is_empty() => event.write(out),
                SsePiece::Event(event) => {
                    let data = judge.body(event.data.as_bytes(), heard)?;
                    if !data.is_empty() {
                        let data = String::from_utf8_lossy(&data).into_owned();
                        SseEvent { data, ..event }.write(out);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
