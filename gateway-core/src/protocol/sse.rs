//! Server-sent events: bytes ↔ events. Comments and unknown fields are dropped, since they are no part of an event.
//!
//! Every length is bounded. What goes on is written anew from what was parsed. Pure; used by `llm` and `mcp`.
//! The format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

/// The longest event.
pub const MOST_EVENT_BYTES: usize = 4 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its type, where one is named.
    pub event: Option<String>,
    /// Its id, where one is set.
    pub id: Option<String>,
    /// Its lines of data, joined by line feeds.
    pub data: String,
}

impl SseEvent {
    /// Appends the event as it is written.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut line = |name: &str, value: &str| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        };
        if let Some(event) = &self.event {
            line("event", event);
        }
        if let Some(id) = &self.id {
            line("id", id);
        }
        // A lone carriage return would end the line for the reader.
        self.data.split(['\n', '\r']).for_each(|data| line("data", data));
        out.push(b'\n');
    }
}

/// Why a stream of events cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event or a line is longer than the bound.
    #[error("an event of the stream is longer than {MOST_EVENT_BYTES} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("an event of the stream is not UTF-8")]
    NotText,
}

/// What a stream holds: events, and signs of life without meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SsePiece {
    /// An event with data.
    Event(SseEvent),
    /// A comment: the stream is alive.
    Alive,
}

/// Reads a stream as it comes.
#[derive(Debug, Default)]
pub struct SseReader {
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    after_return: bool,
    begun: bool,
    held: usize,
}

impl SseReader {
    /// Takes bytes and gives what is complete.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<SsePiece>) -> Result<(), SseError> {
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.line(&line, out)?;
                }
                _ => {
                    self.after_return = false;
                    self.held += 1;
                    if self.held > MOST_EVENT_BYTES {
                        return Err(SseError::TooLong);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    /// Whether the stream ended inside of an event, which then never happened.
    pub fn is_inside(&self) -> bool {
        !self.line.is_empty() || self.has_data
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<SsePiece>) -> Result<(), SseError> {
        let line = std::str::from_utf8(line).map_err(|_invalid| SseError::NotText)?;
        let line = if self.begun { line } else { line.strip_prefix('\u{feff}').unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            self.held = 0;
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                out.push(SsePiece::Event(event));
            }
            return Ok(());
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => out.push(SsePiece::Alive),
            "event" => self.event.event = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<SsePiece> {
        let (mut reader, mut out) = (SseReader::default(), Vec::new());
        for chunk in chunks {
            reader.push(chunk, &mut out).unwrap();
        }
        out
    }

    const STREAM: &[u8] =
        "\u{feff}: hello\r\n\r\nevent: a\rdata: {\"x\":\rdata:1}\r\rid: 7\ndata: żółw\n\nretry: 5\nother: x\n\ndata\n\n".as_bytes();

    #[test]
    fn all_line_ends_and_fields_are_read() {
        let pieces = read(&[STREAM]);
        let event = |event: Option<&str>, id: Option<&str>, data: &str| {
            SsePiece::Event(SseEvent { event: event.map(Into::into), id: id.map(Into::into), data: data.into() })
        };
        assert_eq!(
            pieces,
            [
                SsePiece::Alive,
                event(Some("a"), None, "{\"x\":\n1}"),
                event(None, Some("7"), "żółw"),
                event(None, None, "")
            ]
        );
    }

    #[test]
    fn a_split_at_every_byte_gives_the_same_events() {
        let whole = read(&[STREAM]);
        for cut in 0..=STREAM.len() {
            assert_eq!(read(&[&STREAM[..cut], &STREAM[cut..]]), whole, "split at {cut}");
        }
    }

    #[test]
    fn an_endless_line_and_foreign_bytes_stop_the_stream() {
        let (mut reader, mut out) = (SseReader::default(), Vec::new());
        let mut result = Ok(());
        for _ in 0..5 {
            result = result.and_then(|()| reader.push(&vec![b'x'; 1 << 20], &mut out));
        }
        assert_eq!(result, Err(SseError::TooLong));
        assert_eq!(SseReader::default().push(b"data: \xff\n", &mut out), Err(SseError::NotText));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(event in prop::option::of("[a-z_.]{1,12}"), data in "[^\r]{0,80}") {
            let written = SseEvent { event, id: None, data };
            let mut out = Vec::new();
            written.write(&mut out);
            prop_assert_eq!(read(&[&out]), vec![SsePiece::Event(written)]);
        }
    }
}
