//! One message of JSON-RPC.

use super::super::json::Json;

/// A message, as it was parsed; `json` is the whole of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it is.
    pub kind: MessageKind,
    /// All of it.
    pub json: Json,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageKind {
    /// Asks for something, and wants an answer.
    Request {
        /// What the answer will name.
        id: Json,
        /// What is asked.
        method: String,
    },
    /// Says something.
    Notification {
        /// What.
        method: String,
    },
    /// Answers a request of the other side.
    Response {
        /// Which.
        id: Json,
    },
}

impl Message {
    /// The method, where it has one.
    pub fn method(&self) -> Option<&str> {
        match &self.kind {
            MessageKind::Request { method, .. } | MessageKind::Notification { method } => Some(method),
            MessageKind::Response { .. } => None,
        }
    }

    /// What the method is given.
    pub fn params(&self) -> Option<&Json> {
        self.json.get("params")
    }

    /// The tool that a call names.
    pub fn tool(&self) -> Option<&str> {
        self.params()?.text_of("name")
    }
}
