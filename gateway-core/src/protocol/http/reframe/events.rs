//! Server-sent events: each is masked when it is complete, since its reader takes it whole too.
//!
//! SPEC: WHATWG HTML, 9.2.6. Lines end with LF, CR or both; they are written with LF.

use std::sync::Arc;

use bytes::BytesMut;

use super::{JsonMasker, Tally, TextMasker, unmaskable};
use crate::{model::Refusal, protocol::http::dialect::Sight};

/// The longest event.
const MOST_BYTES: usize = 1 << 20;

/// Masks events as they come.
#[derive(Debug)]
pub struct EventMasker {
    sight: Sight,
    line: Vec<u8>,
    after_return: bool,
    fields: Vec<Vec<u8>>,
    data: Vec<Vec<u8>>,
    kept: usize,
    tally: Tally,
}

impl EventMasker {
    /// A masker at the start of a stream.
    pub fn new(sight: &Sight) -> Self {
        Self {
            sight: sight.clone(),
            line: Vec::new(),
            after_return: false,
            fields: Vec::new(),
            data: Vec::new(),
            kept: 0,
            tally: Tally::new(),
        }
    }

    /// Takes a piece; writes the events that are complete.
    pub fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.line(out)?,
                other => {
                    self.line.push(*other);
                    self.kept += 1;
                    if self.kept > MOST_BYTES {
                        return Err(unmaskable("an event in it is too long"));
                    }
                }
            }
        }
        Ok(())
    }

    /// The stream has ended; an event that is only half there is not written.
    pub fn end(mut self, whole: bool, out: &mut BytesMut) -> Result<Tally, Refusal> {
        if whole && !(self.line.is_empty() && self.fields.is_empty() && self.data.is_empty()) {
            if !self.line.is_empty() {
                self.line(out)?;
            }
            self.event(out)?;
        }
        Ok(self.tally)
    }

    fn line(&mut self, out: &mut BytesMut) -> Result<(), Refusal> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.event(out)?;
            out.extend_from_slice(b"\n");
            return Ok(());
        }
        match line.strip_prefix(b"data:") {
            Some(data) => self.data.push(data.strip_prefix(b" ").unwrap_or(data).to_vec()),
            None if line.starts_with(b":") => {
                // A comment keeps the stream alive: it is not kept back.
                self.text(&line, out)?;
                out.extend_from_slice(b"\n");
            }
            None => self.fields.push(line),
        }
        Ok(())
    }

    fn event(&mut self, out: &mut BytesMut) -> Result<(), Refusal> {
        self.kept = 0;
        for field in std::mem::take(&mut self.fields) {
            self.text(&field, out)?;
            out.extend_from_slice(b"\n");
        }
        let data = std::mem::take(&mut self.data);
        if data.is_empty() {
            return Ok(());
        }
        let data = data.join(&b'\n');
        let mut masked = BytesMut::new();
        if matches!(data.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) {
            let mut json = JsonMasker::new(&self.sight);
            json.chunk(&data, &mut masked)?;
            let tally = json.end(true, &mut masked)?;
            self.add(tally);
        } else {
            self.text(&data, &mut masked)?;
        }
        for line in masked.as_ref().split(|byte: &u8| *byte == b'\n') {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line);
            out.extend_from_slice(b"\n");
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        let mut masker = TextMasker::new(Arc::clone(&self.sight.detectors));
        masker.chunk(text, out)?;
        let tally = masker.end(true, out);
        self.add(tally);
        Ok(())
    }

    fn add(&mut self, more: Tally) {
        for (class, count) in more {
            *self.tally.entry(class).or_default() += count;
        }
    }
}
