//! What the record keeps of an answer: masked for everybody, up to a cap. Knows no client.

use bytes::BytesMut;

use crate::protocol::http::dialect::{BodyEnd, ResponseReader};

/// What the record keeps of an answer.
pub(super) struct Kept {
    reader: Option<Box<dyn ResponseReader>>,
    text: BytesMut,
    cap: usize,
    truncated: bool,
}

impl Kept {
    /// Keeps what this reader shows, up to `cap` bytes.
    pub(super) fn new(reader: Option<Box<dyn ResponseReader>>, cap: usize) -> Self {
        Self { reader, text: BytesMut::new(), cap, truncated: false }
    }

    /// Keeps nothing.
    pub(super) fn nothing() -> Self {
        Self::new(None, 0)
    }

    /// Takes a piece of the body.
    pub(super) fn chunk(&mut self, bytes: &[u8]) {
        let Some(reader) = &mut self.reader else { return };
        if reader.chunk(bytes, &mut self.text).is_err() || self.text.len() > self.cap {
            self.text.truncate(self.cap);
            self.truncated = true;
            self.reader = None;
        }
    }

    /// The lines of the answer, as a result of one column.
    pub(super) fn lines(mut self, end: BodyEnd) -> Option<(String, bool)> {
        if let Some(reader) = self.reader.take() {
            let ended = reader.end(end, &mut self.text);
            self.truncated |= ended.is_err() || self.text.len() > self.cap;
            self.text.truncate(self.cap);
        }
        if self.text.is_empty() {
            return None;
        }
        let mut lines = String::from("{\"columns\":[\"body\"]}\n");
        for line in String::from_utf8_lossy(&self.text).lines() {
            lines.push_str(&serde_json::json!([line]).to_string());
            lines.push('\n');
        }
        Some((lines, self.truncated))
    }
}
