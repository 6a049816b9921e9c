//! The keys of one line: which letters they are, whether they are nothing but letters, and which of them is Enter.
//!
//! Pure. Knows no screen.

/// More than this is not kept: such a line is not understood.
const MOST_TYPED: usize = 64 * 1024;
const PASTE_BEGINS: &[u8] = b"[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

#[derive(Debug, Default)]
pub(super) struct Keys {
    letters: Vec<u8>,
    /// Other keys were pressed: the letters are not the line.
    edited: bool,
    /// An escape sequence that has not ended.
    escape: Option<Vec<u8>>,
    /// The machine reads what is pasted as one text.
    marked: bool,
    pasting: bool,
    /// The end of what the machine wrote: a mode may come in two pieces.
    tail: Vec<u8>,
    /// The end of what is pasted.
    pasted: Vec<u8>,
}

impl Keys {
    /// Nothing was pressed since the last line.
    pub(super) fn is_fresh(&self) -> bool {
        self.letters.is_empty() && !self.edited && self.escape.is_none()
    }

    /// Another line begins.
    pub(super) fn forget(&mut self) {
        self.letters.clear();
        (self.edited, self.escape, self.pasting) = (false, None, false);
    }

    /// The letters, where nothing else was pressed.
    pub(super) fn plain(&self) -> Option<&str> {
        if self.edited { None } else { std::str::from_utf8(&self.letters).ok() }
    }

    /// Whether letters are among them.
    pub(super) fn has_letters(&self) -> bool {
        !self.letters.is_empty()
    }

    /// Looks for the mode in which a paste is marked.
    pub(super) fn paste_is_marked(&mut self, output: &[u8]) {
        let mut text = std::mem::take(&mut self.tail);
        text.extend_from_slice(output);
        let at = |mode: &[u8]| memchr::memmem::rfind(&text, mode);
        match (at(b"\x1b[?2004h"), at(b"\x1b[?2004l")) {
            (Some(on), off) if off.is_none_or(|off| on > off) => self.marked = true,
            (_, Some(_)) => self.marked = false,
            (Some(_) | None, None) => {}
        }
        self.tail = text.split_off(text.len().saturating_sub(7));
    }

    /// Takes keys up to an Enter that runs something; gives how many are before it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, Option<u8>) {
        for (index, byte) in bytes.iter().copied().enumerate() {
            if self.pasting {
                self.paste(byte);
            } else if let Some(mut escape) = self.escape.take() {
                escape.push(byte);
                if matches!(byte, b'\r' | b'\n') {
                    self.edited = true;
                    return (index, Some(byte));
                }
                if escape == PASTE_BEGINS && self.marked {
                    self.pasting = true;
                    self.pasted.clear();
                } else if is_whole(&escape) {
                    self.edited = true;
                } else {
                    self.escape = Some(escape);
                }
            } else if self.press(byte) {
                return (index, Some(byte));
            }
        }
        (bytes.len(), None)
    }

    /// One key; says whether it runs the line.
    fn press(&mut self, byte: u8) -> bool {
        match byte {
            // Enter, and the key with which readline runs a line and shows the next.
            b'\r' | b'\n' | 0x0f => {
                self.edited |= byte == 0x0f;
                return true;
            }
            // Interrupted: what stood there is gone.
            0x03 => self.forget(),
            0x08 | 0x7f if !self.edited => while self.letters.pop().is_some_and(|last| last & 0xc0 == 0x80) {},
            0x1b => self.escape = Some(Vec::new()),
            0x20.. => self.letter(byte),
            _ => self.edited = true,
        }
        false
    }

    fn letter(&mut self, byte: u8) {
        if self.letters.len() < MOST_TYPED {
            self.letters.push(byte);
        } else {
            self.edited = true;
        }
    }

    /// What is pasted is a text, also its ends of lines, until its own mark ends it.
    fn paste(&mut self, byte: u8) {
        self.pasted.push(byte);
        if self.pasted.ends_with(PASTE_ENDS) {
            self.pasting = false;
            self.pasted.clear();
            // The mark is no text.
            self.letters.truncate(self.letters.len().saturating_sub(PASTE_ENDS.len() - 1));
            self.edited |= self.letters.iter().any(|byte| *byte < 0x20);
            return;
        }
        let excess = self.pasted.len().saturating_sub(PASTE_ENDS.len());
        self.pasted.drain(..excess);
        self.letter(if byte == b'\r' { b'\n' } else { byte });
    }
}

/// Whether the bytes behind ESC are a whole key.
fn is_whole(escape: &[u8]) -> bool {
    match escape {
        [b'[' | b'O'] => false,
        [b'[', .., last] => (0x40..0x7f).contains(last) || escape.len() > 64,
        _ => true,
    }
}
