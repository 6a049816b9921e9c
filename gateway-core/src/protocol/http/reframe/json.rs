//! JSON of any length in pieces: strings, names and numbers are masked when they are complete, and written as JSON again.
//!
//! No grammar is enforced: what is no JSON is read as text between its signs. One string longer than a bound is masked
//! as it streams. What is kept is one token.

use std::sync::Arc;

use bytes::BytesMut;

use super::{Tally, text::TextMasker, unmaskable, veiled};
use crate::{
    mask::{Detectors, Mask, mask_value},
    model::Refusal,
    protocol::http::dialect::{MaskedPlace, Sight},
};

/// The longest string that is masked whole; a longer one is masked in pieces.
const STRING_BYTES: usize = 64 * 1024;
/// The most that may stand between two signs without being a string.
const RUN_BYTES: usize = 16 * 1024;
const MOST_DEPTH: usize = 512;

/// What is open around the place that is read.
#[derive(Debug)]
enum Level {
    List,
    Object { name: Option<String>, names_next: bool },
}

#[derive(Debug)]
enum State {
    /// Between strings.
    Outside,
    /// Inside of one; whether the next byte is escaped.
    Inside { escaped: bool },
    /// Inside of one that is hidden already.
    Skipping { escaped: bool },
}

/// Masks JSON as it comes.
#[derive(Debug)]
pub struct JsonMasker {
    detectors: Arc<Detectors>,
    places: Arc<[MaskedPlace]>,
    state: State,
    levels: Vec<Level>,
    /// The string so far, without its quotes, as it stands in the body; or what stands between strings.
    token: Vec<u8>,
    long: Option<TextMasker>,
    tally: Tally,
}

impl JsonMasker {
    /// A masker at the start of a document, or of several.
    pub fn new(sight: &Sight) -> Self {
        Self {
            detectors: Arc::clone(&sight.detectors),
            places: Arc::clone(&sight.places),
            state: State::Outside,
            levels: Vec::new(),
            token: Vec::new(),
            long: None,
            tally: Tally::new(),
        }
    }

    /// Takes a piece; writes what is complete.
    pub fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        for byte in bytes {
            match self.state {
                State::Outside => self.outside(*byte, out)?,
                State::Inside { escaped } => self.inside(*byte, escaped, out)?,
                State::Skipping { escaped } => {
                    self.state = match byte {
                        b'"' if !escaped => State::Outside,
                        b'\\' => State::Skipping { escaped: !escaped },
                        _ => State::Skipping { escaped: false },
                    };
                }
            }
        }
        if matches!(self.state, State::Outside) && self.token.iter().all(u8::is_ascii_whitespace) {
            out.extend_from_slice(&std::mem::take(&mut self.token));
        }
        Ok(())
    }

    /// The document has ended; what is only half there is not written.
    pub fn end(mut self, whole: bool, out: &mut BytesMut) -> Result<Tally, Refusal> {
        if whole {
            match self.state {
                State::Outside => self.run(out),
                // A string without an end is no JSON: as text it is masked all the same.
                State::Inside { .. } => {
                    out.extend_from_slice(b"\"");
                    let mut rest = TextMasker::new(Arc::clone(&self.detectors));
                    let decoded = decode(&self.token).0;
                    rest.chunk(&decoded, out)?;
                    add(&mut self.tally, rest.end(true, out));
                }
                State::Skipping { .. } => {}
            }
        }
        if let Some(long) = self.long.take() {
            add(&mut self.tally, long.end(false, out));
        }
        Ok(self.tally)
    }

    fn outside(&mut self, byte: u8, out: &mut BytesMut) -> Result<(), Refusal> {
        if !matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"') {
            self.token.push(byte);
            if self.token.len() > RUN_BYTES {
                return Err(unmaskable("it says that it is JSON, and is not"));
            }
            return Ok(());
        }
        self.run(out);
        match byte {
            b'"' => {
                self.state = State::Inside { escaped: false };
                return Ok(());
            }
            b'{' => self.levels.push(Level::Object { name: None, names_next: true }),
            b'[' => self.levels.push(Level::List),
            b'}' | b']' => drop(self.levels.pop()),
            sign => {
                if let Some(Level::Object { names_next, .. }) = self.levels.last_mut() {
                    *names_next = sign == b',';
                }
            }
        }
        if self.levels.len() > MOST_DEPTH {
            return Err(unmaskable("it is nested too deep"));
        }
        out.extend_from_slice(&[byte]);
        Ok(())
    }

    fn inside(&mut self, byte: u8, escaped: bool, out: &mut BytesMut) -> Result<(), Refusal> {
        if byte == b'"' && !escaped {
            self.state = State::Outside;
            return self.string(out);
        }
        self.token.push(byte);
        self.state = State::Inside { escaped: byte == b'\\' && !escaped };
        if self.token.len() < STRING_BYTES {
            return Ok(());
        }
        if self.long.is_none() && self.place().is_some() {
            self.count("place");
            out.extend_from_slice(b"\"[redacted]\"");
            self.token.clear();
            self.state = State::Skipping { escaped: byte == b'\\' && !escaped };
            return Ok(());
        }
        self.piece(out)
    }

    /// Masks a long string so far.
    fn piece(&mut self, out: &mut BytesMut) -> Result<(), Refusal> {
        if self.long.is_none() {
            out.extend_from_slice(b"\"");
        }
        let long = self.long.get_or_insert_with(|| TextMasker::new(Arc::clone(&self.detectors)));
        let (decoded, taken) = decode(&self.token);
        self.token.drain(..taken);
        let mut masked = BytesMut::new();
        long.chunk(&decoded, &mut masked)?;
        put_escaped(&masked, out);
        Ok(())
    }

    /// A string is complete.
    fn string(&mut self, out: &mut BytesMut) -> Result<(), Refusal> {
        if self.long.is_some() {
            self.piece(out)?;
            if let Some(long) = self.long.take() {
                let mut masked = BytesMut::new();
                add(&mut self.tally, long.end(true, &mut masked));
                put_escaped(&masked, out);
            }
            self.token.clear();
            out.extend_from_slice(b"\"");
            return Ok(());
        }
        let raw = std::mem::take(&mut self.token);
        let (decoded, _) = decode(&raw);
        let is_name = matches!(self.levels.last(), Some(Level::Object { names_next: true, .. }));
        if is_name && let Some(Level::Object { name, .. }) = self.levels.last_mut() {
            *name = Some(String::from_utf8_lossy(&decoded).into_owned());
        }
        let place = if is_name { None } else { self.place() };
        if let Some(place) = place {
            self.hide(&place, &decoded, out);
            return Ok(());
        }
        let mut masked = BytesMut::new();
        if self.masked(&decoded, &mut masked) {
            out.extend_from_slice(b"\"");
            put_escaped(&masked, out);
            out.extend_from_slice(b"\"");
        } else {
            out.extend_from_slice(b"\"");
            out.extend_from_slice(&raw);
            out.extend_from_slice(b"\"");
        }
        Ok(())
    }

    /// What stood between two signs: a number, a word, spaces.
    fn run(&mut self, out: &mut BytesMut) {
        let run = std::mem::take(&mut self.token);
        let core = run.trim_ascii();
        if core.is_empty() {
            out.extend_from_slice(&run);
            return;
        }
        if let Some(place) = self.place().filter(|_| core != b"null") {
            return self.hide(&place, core, out);
        }
        let mut masked = BytesMut::new();
        if self.masked(core, &mut masked) {
            out.extend_from_slice(b"\"");
            put_escaped(&masked, out);
            out.extend_from_slice(b"\"");
        } else {
            out.extend_from_slice(&run);
        }
    }

    /// Masks what the detectors find; false where there is nothing.
    fn masked(&mut self, value: &[u8], out: &mut BytesMut) -> bool {
        let found = veiled::find(&self.detectors, value);
        let mut copied = 0;
        for one in &found {
            out.extend_from_slice(value.get(copied..one.hit.range.start).unwrap_or_default());
            one.put(&self.detectors, value, out);
            copied = one.hit.range.end;
            self.count(one.class().as_str());
        }
        out.extend_from_slice(value.get(copied..).unwrap_or_default());
        !found.is_empty()
    }

    fn hide(&mut self, place: &MaskedPlace, value: &[u8], out: &mut BytesMut) {
        let mask = Mask { function: place.function, class: &place.class, keys: self.detectors.keys() };
        let mut masked = BytesMut::new();
        if mask_value(mask, value, &mut masked) {
            out.extend_from_slice(b"\"");
            put_escaped(&masked, out);
            out.extend_from_slice(b"\"");
        } else {
            out.extend_from_slice(b"null");
        }
        let class = Arc::clone(&place.class);
        self.count(&class);
    }

    /// The tagged place that is being read, where it is one or lies in one.
    fn place(&self) -> Option<MaskedPlace> {
        if self.places.is_empty() {
            return None;
        }
        let names: Vec<&str> = self
            .levels
            .iter()
            .filter_map(|level| match level {
                Level::Object { name: Some(name), .. } => Some(name.as_str()),
                Level::Object { name: None, .. } | Level::List => None,
            })
            .collect();
        self.places.iter().find(|place| place.holds(&names)).cloned()
    }

    fn count(&mut self, class: &str) {
        *self.tally.entry(class.to_owned()).or_default() += 1;
    }
}

fn add(tally: &mut Tally, more: Tally) {
    for (class, count) in more {
        *tally.entry(class).or_default() += count;
    }
}

/// Writes text as the inside of a string.
fn put_escaped(text: &[u8], out: &mut BytesMut) {
    let text = String::from_utf8_lossy(text);
    // INVARIANT: a text is always written, with a quote at each end.
    let written = serde_json::to_string(&text).unwrap_or_default();
    out.extend_from_slice(written.get(1..written.len().saturating_sub(1)).unwrap_or_default().as_bytes());
}

/// Undoes the escapes of a string as far as they are complete; says how many bytes that were.
fn decode(raw: &[u8]) -> (Vec<u8>, usize) {
    let mut plain = Vec::with_capacity(raw.len());
    let mut place = 0;
    while let Some(byte) = raw.get(place) {
        if *byte != b'\\' {
            plain.push(*byte);
            place += 1;
            continue;
        }
        let Some(kind) = raw.get(place + 1) else { break };
        let simple = match kind {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let Some(taken) = decode_unicode(raw.get(place..).unwrap_or_default(), &mut plain) else { break };
                place += taken;
                continue;
            }
            other => *other,
        };
        plain.push(simple);
        place += 2;
    }
    (plain, place)
}

/// Undoes `\uXXXX`, of a pair both; `None` where it is not complete.
fn decode_unicode(raw: &[u8], plain: &mut Vec<u8>) -> Option<usize> {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(raw.get(at..at + 4)?).ok()?;
        Some(u16::from_str_radix(digits, 16).ok())
    };
    let first = unit(2)?;
    let is_high = first.is_some_and(|unit| (0xD800..0xDC00).contains(&unit));
    let second = if is_high && raw.len() < 12 {
        // It may be half of a pair.
        if raw.get(6).is_none_or(|byte| *byte == b'\\') && raw.get(7).is_none_or(|byte| *byte == b'u') {
            return None;
        }
        None
    } else if is_high && raw.get(6..8) == Some(b"\\u") {
        unit(8).flatten()
    } else {
        None
    };
    let units = [first, second].into_iter().flatten();
    let mut buffer = [0; 4];
    for letter in char::decode_utf16(units) {
        let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
        plain.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
    }
    Some(if second.is_some() { 12 } else { 6 })
}
