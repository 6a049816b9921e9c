//! Bytes for a terminal → what each of them does to a line: a letter, a motion, or nothing that is seen.
//!
//! SPEC: ECMA-48; the states are those of <https://vt100.net/emu/dec_ansi_parser>. Pure; nothing is kept beyond one
//! sequence, and of that no more than its parameters.

/// What a byte completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing yet: a sequence or a letter goes on.
    Part,
    /// A letter of so many bytes.
    Letter(usize),
    /// What is not seen on the line: colours, titles, bells, letters without a width.
    Style,
    /// One column to the left.
    Back,
    /// To the beginning of the row.
    Return,
    /// To the next row.
    Feed,
    /// So many columns to the left.
    Left(usize),
    /// So many columns to the right.
    Right(usize),
    /// To that column, from 0.
    Column(usize),
    /// From here to the end of the row nothing is left.
    Erase,
    /// To somewhere else on the screen, in that column where it is known.
    Jump(usize),
    /// A string for the terminal itself (a title, a link, a clipboard) ended, or a piece of a long one.
    Title,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Between,
    Sequence,
    Text,
    TextEscape,
}

/// A string for the terminal is looked at in pieces of this size.
const TEXT_BYTES: usize = 4096;
/// No line has more columns.
const MOST_COLUMNS: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Scanner {
    state: State,
    /// The parameters of a sequence: the first two numbers.
    numbers: [Option<usize>; 2],
    number: usize,
    private: bool,
    /// Bytes of a letter that has not ended.
    letter: [u8; 4],
    have: usize,
    text: usize,
}

impl Scanner {
    /// Whether a sequence or a letter has begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Ground || self.have > 0
    }

    pub(super) fn take(&mut self, byte: u8) -> Seen {
        match (self.state, byte) {
            (_, 0x18 | 0x1a) => self.ground(Seen::Style),
            (State::Text | State::TextEscape, _) => self.text(byte),
            (_, 0x1b) => {
                (self.state, self.have) = (State::Escape, 0);
                Seen::Part
            }
            (State::Ground, _) => self.plain(byte),
            // SPEC: controls act inside of a sequence as they do outside.
            (_, 0x00..0x20) => control(byte),
            (State::Escape | State::Between, _) => self.escape(byte),
            (State::Sequence, _) => self.sequence(byte),
        }
    }

    fn ground(&mut self, seen: Seen) -> Seen {
        (self.state, self.have, self.text) = (State::Ground, 0, 0);
        seen
    }

    fn plain(&mut self, byte: u8) -> Seen {
        if byte < 0x20 || byte == 0x7f {
            self.have = 0;
            return control(byte);
        }
        if byte < 0x80 {
            self.have = 0;
            return Seen::Letter(1);
        }
        let begins = byte >= 0xc0;
        if begins || self.have == 0 {
            self.have = 0;
        }
        if let Some(place) = self.letter.get_mut(self.have) {
            *place = byte;
        }
        self.have += 1;
        let first = self.letter.first().copied().unwrap_or_default();
        let wanted = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        if self.have < wanted {
            return Seen::Part;
        }
        let bytes = self.letter.get(..wanted).unwrap_or_default();
        let letter = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
        self.have = 0;
        match letter {
            Some('\u{9b}') => self.begin(),
            Some('\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}') => {
                (self.state, self.text) = (State::Text, 0);
                Seen::Part
            }
            Some(letter) if is_unseen(letter) => Seen::Style,
            Some(_) | None => Seen::Letter(wanted),
        }
    }

    fn begin(&mut self) -> Seen {
        (self.state, self.numbers, self.number, self.private) = (State::Sequence, [None; 2], 0, false);
        Seen::Part
    }

    fn escape(&mut self, byte: u8) -> Seen {
        let first = self.state == State::Escape;
        match byte {
            b'[' if first => self.begin(),
            b']' | b'P' | b'X' | b'^' | b'_' if first => {
                (self.state, self.text) = (State::Text, 0);
                Seen::Part
            }
            0x20..0x30 => {
                self.state = State::Between;
                Seen::Part
            }
            // Index, next line, reverse index, restore, reset.
            b'D' | b'E' | b'M' | b'8' | b'c' if first => self.ground(Seen::Jump(0)),
            _ => self.ground(Seen::Style),
        }
    }

    fn sequence(&mut self, byte: u8) -> Seen {
        match byte {
            b'0'..=b'9' => {
                if let Some(number) = self.numbers.get_mut(self.number) {
                    let digit = usize::from(byte - b'0');
                    *number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit).min(MOST_COLUMNS));
                }
                Seen::Part
            }
            b';' => {
                self.number = self.number.saturating_add(1);
                Seen::Part
            }
            b'<' | b'=' | b'>' | b'?' | 0x20..0x30 => {
                self.private = true;
                Seen::Part
            }
            0x40..0x7f if self.private => self.ground(Seen::Style),
            0x40..0x7f => {
                let [first, second] = self.numbers;
                let count = first.unwrap_or(1).max(1);
                let seen = match byte {
                    b'C' | b'a' => Seen::Right(count),
                    b'D' => Seen::Left(count),
                    b'G' | b'`' => Seen::Column(count - 1),
                    b'K' if first.unwrap_or(0) == 0 => Seen::Erase,
                    b'H' | b'f' => Seen::Jump(second.unwrap_or(1).max(1) - 1),
                    b'A' | b'B' | b'E' | b'F' | b'I' | b'J' | b'K' | b'L' | b'M' | b'P' | b'S' | b'T' | b'X' | b'Z'
                    | b'@' | b'b' | b'd' | b'e' | b'u' => Seen::Jump(0),
                    _ => Seen::Style,
                };
                self.ground(seen)
            }
            _ => Seen::Part,
        }
    }

    fn text(&mut self, byte: u8) -> Seen {
        match (self.state, byte) {
            (_, 0x07) | (State::TextEscape, b'\\') => self.ground(Seen::Title),
            (State::TextEscape, _) => {
                self.state = State::Escape;
                self.escape(byte)
            }
            (_, 0x1b) => {
                self.state = State::TextEscape;
                Seen::Part
            }
            _ => {
                self.text += 1;
                if self.text < TEXT_BYTES {
                    return Seen::Part;
                }
                // It is longer than any title; what follows is looked at as the next piece.
                self.text = 0;
                Seen::Title
            }
        }
    }
}

fn control(byte: u8) -> Seen {
    match byte {
        0x08 => Seen::Back,
        b'\t' => Seen::Letter(1),
        b'\n' | 0x0b | 0x0c => Seen::Feed,
        b'\r' => Seen::Return,
        _ => Seen::Style,
    }
}

/// Letters that a terminal draws nothing for, and other controls of the upper half.
const fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}
