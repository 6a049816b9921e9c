//! Text as a terminal shows it, masked while it streams: colours inside of a value, letters typed over others and rows
//! that wrap do not hide it. What may still become a value is kept back, until it is told that nothing came for a while;
//! what completes a value after that is masked from there on. Pure.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};

use super::scanner::{Scanner, Seen};
use crate::{
    mask::{DetectedClass, Detectors, Hit},
    model::Refusal,
    protocol::http::reframe::{Tally, unmaskable},
};

/// What is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    /// Lines, until they end: nobody waits for letters.
    Lines,
    /// What may be the beginning of a value: somebody watches.
    Words,
}

/// As much of what went is looked at again, for what announces a value.
const LOOK_BACK: usize = 192;
/// A word of more bytes is no value any more, once it went.
const MOST_WORD: usize = 8 * 1024;
/// More of one row is not looked at again.
const MOST_ROW: usize = 2048;
/// More than this behind the last end of a line is let go by words.
const MOST_LINE: usize = 64 * 1024;
/// More than this is never kept.
const MOST_HELD: usize = 512 * 1024;

/// A letter's byte on the screen, with its place in the stream. What a motion leaves behind is a space or a feed.
#[derive(Debug, Clone, Copy)]
struct Cell {
    byte: u8,
    at: u64,
    jump: bool,
    /// It went as a part of a value that was masked.
    hidden: bool,
}

/// A value, with the places of its bytes in the stream, from the first to the last.
#[derive(Debug, Clone)]
struct Mark {
    places: Vec<u64>,
    /// It goes on from one that was masked.
    known: bool,
    class: DetectedClass,
    value: Vec<u8>,
    /// What it was found on is not shown any more.
    kept: bool,
}

/// Masks one stream.
#[derive(Debug)]
pub(super) struct ShownText {
    detectors: Arc<Detectors>,
    holding: Holding,
    /// How many columns a row has; 0 where nothing wraps.
    width: usize,
    scanner: Scanner,
    raw: Vec<u8>,
    /// The place of the first byte that is kept.
    base: u64,
    /// Where an unfinished sequence begins, in `raw`.
    open: usize,
    cells: Vec<Cell>,
    cursor: usize,
    row: usize,
    column: usize,
    /// Letters came since the screen was looked at.
    fresh: bool,
    marks: Vec<Mark>,
    tally: Tally,
}

impl ShownText {
    pub(super) fn new(detectors: &Arc<Detectors>, holding: Holding, width: usize) -> Self {
        Self {
            detectors: Arc::clone(detectors),
            holding,
            width,
            scanner: Scanner::default(),
            raw: Vec::new(),
            base: 0,
            open: 0,
            cells: Vec::new(),
            cursor: 0,
            row: 0,
            column: 0,
            fresh: false,
            marks: Vec::new(),
            tally: Tally::new(),
        }
    }

    /// The terminal became so wide.
    pub(super) fn resize(&mut self, width: usize) {
        self.width = width;
    }

    /// Whether something is kept back.
    pub(super) fn is_waiting(&self) -> bool {
        !self.raw.is_empty()
    }

    /// Takes a piece; writes what may go.
    pub(super) fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        for step in bytes.chunks(32 * 1024) {
            for byte in step {
                self.take(*byte);
            }
            let (cut, marks) = self.cut();
            self.write(cut, marks, out);
            if self.raw.len() > MOST_HELD {
                return Err(unmaskable("a value in it is too long"));
            }
        }
        Ok(())
    }

    /// Nothing came for a while: everything goes but half a sequence. Its end stays in mind.
    pub(super) fn flush(&mut self, out: &mut BytesMut) {
        let (marks, _) = self.shown();
        self.write(self.open, marks, out);
    }

    /// Nothing follows; without a proper end, what may be half a value stays here.
    pub(super) fn end(mut self, whole: bool, out: &mut BytesMut) -> Tally {
        if whole {
            let (marks, _) = self.shown();
            self.write(self.raw.len(), marks, out);
        }
        self.tally
    }

    fn place(&self, index: usize) -> u64 {
        self.base.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
    }

    fn take(&mut self, byte: u8) {
        self.raw.push(byte);
        let at = self.raw.len() - 1;
        match self.scanner.take(byte) {
            Seen::Part => return,
            Seen::Letter(bytes) => self.letter(bytes),
            Seen::Style => {}
            Seen::Title => self.title(),
            Seen::Back => self.left(1),
            Seen::Left(columns) => self.left(columns),
            Seen::Return => {
                self.look();
                (self.cursor, self.column) = (self.row, 0);
            }
            Seen::Feed => {
                self.cursor = self.cells.len();
                self.put(b'\n', at, false);
                (self.row, self.column) = (self.cells.len(), 0);
            }
            Seen::Right(columns) => self.right(columns, at),
            Seen::Column(column) => {
                self.look();
                (self.cursor, self.column) = (self.row, 0);
                self.right(column, at);
            }
            Seen::Erase => {
                self.look();
                self.cells.truncate(self.cursor);
            }
            Seen::Jump(column) => {
                self.cursor = self.cells.len();
                self.put(b'\n', at, true);
                (self.row, self.column) = (self.cells.len(), column);
            }
        }
        self.open = if self.scanner.is_open() { self.open } else { self.raw.len() };
    }

    /// A title may hold a value as well: then it goes.
    fn title(&mut self) {
        let text = self.raw.get(self.open..).unwrap_or_default();
        let mut hits = Vec::new();
        self.detectors.find(text, &mut hits);
        let mut found = Vec::new();
        for hit in hits {
            let value = text.get(hit.range.clone()).unwrap_or_default().to_vec();
            let places = hit.range.map(|index| self.place(self.open + index)).collect();
            found.push(Mark { places, known: false, class: hit.class, value, kept: true });
        }
        self.marks.append(&mut found);
        self.open = self.raw.len();
    }

    fn letter(&mut self, bytes: usize) {
        let begins = self.raw.len().saturating_sub(bytes);
        if self.width > 0 && self.column >= self.width && self.cursor == self.cells.len() {
            (self.row, self.column) = (self.cells.len(), 0);
        }
        if self.cursor < self.cells.len() {
            self.look();
            let next = self.next(self.cursor);
            self.cells.drain(self.cursor..next);
        }
        for index in begins..self.raw.len() {
            let byte = self.raw.get(index).copied().unwrap_or(b'?');
            self.put(byte, index, false);
        }
        self.column += 1;
        self.fresh = true;
    }

    fn put(&mut self, byte: u8, index: usize, jump: bool) {
        let cell = Cell { byte, at: self.place(index), jump, hidden: false };
        self.cells.insert(self.cursor.min(self.cells.len()), cell);
        self.cursor = (self.cursor + 1).min(self.cells.len());
    }

    fn left(&mut self, columns: usize) {
        self.look();
        for _ in 0..columns {
            if self.cursor <= self.row {
                break;
            }
            self.cursor -= 1;
            while self.cursor > self.row && self.is_inside(self.cursor) {
                self.cursor -= 1;
            }
            self.column = self.column.saturating_sub(1);
        }
    }

    fn right(&mut self, columns: usize, at: usize) {
        for _ in 0..columns {
            if self.cursor < self.cells.len() {
                self.cursor = self.next(self.cursor);
            } else if self.cells.len() - self.row < MOST_ROW {
                self.put(b' ', at, false);
            }
            self.column += 1;
        }
    }

    /// Whether the cell there is not the first of its letter.
    fn is_inside(&self, index: usize) -> bool {
        self.cells.get(index).is_some_and(|cell| cell.byte & 0xc0 == 0x80)
    }

    fn next(&self, index: usize) -> usize {
        let mut next = index + 1;
        while self.is_inside(next) {
            next += 1;
        }
        next.min(self.cells.len())
    }

    /// Keeps in mind what is shown now, before it changes.
    fn look(&mut self) {
        if std::mem::replace(&mut self.fresh, false) {
            let (marks, _) = self.shown();
            self.marks.extend(marks.into_iter().map(|mark| Mark { kept: true, ..mark }));
        }
    }

    /// The values on what is shown now, and where one begins that reaches to the end.
    fn shown(&self) -> (Vec<Mark>, Option<usize>) {
        let (mut marks, mut open) = (Vec::new(), None);
        let every: Vec<usize> = (0..self.cells.len()).collect();
        // What stands behind a jump may stand beside what was before it, or elsewhere: both are looked for.
        let jumps = self.cells.iter().any(|cell| cell.jump);
        let joined: Vec<usize> = if jumps {
            every.iter().copied().filter(|index| self.cells.get(*index).is_some_and(|cell| !cell.jump)).collect()
        } else {
            Vec::new()
        };
        for indices in [every, joined] {
            let text: Vec<u8> = indices.iter().filter_map(|index| Some(self.cells.get(*index)?.byte)).collect();
            let mut hits: Vec<Hit> = Vec::new();
            self.detectors.find(&text, &mut hits);
            for hit in hits {
                let reaches = hit.range.end >= text.len();
                let indices = indices.get(hit.range).unwrap_or_default();
                if let Some(first) = indices.first().filter(|_| reaches) {
                    open = Some(open.map_or(*first, |open: usize| open.min(*first)));
                }
                marks.extend(self.mark(indices, hit.class));
            }
        }
        (marks, open)
    }

    fn mark(&self, indices: &[usize], class: DetectedClass) -> Option<Mark> {
        let cells: Vec<Cell> = indices.iter().filter_map(|index| self.cells.get(*index).copied()).collect();
        let value = cells.iter().map(|cell| cell.byte).collect();
        let known = cells.iter().any(|cell| cell.hidden);
        let mut places: Vec<u64> = cells.iter().map(|cell| cell.at).filter(|at| *at >= self.base).collect();
        places.sort_unstable();
        (!places.is_empty()).then_some(Mark { places, known, class, value, kept: false })
    }

    /// How far the stream may go now, with the values before there.
    fn cut(&mut self) -> (usize, Vec<Mark>) {
        let (marks, open) = self.shown();
        let line = self.cells.iter().rposition(|cell| cell.byte == b'\n' && !cell.jump).map_or(0, |index| index + 1);
        let held = self.cells.len() - line;
        let mut tail = match self.holding {
            Holding::Lines if held <= MOST_LINE => line,
            Holding::Words if self.seeks_more() && held <= MOST_ROW => line,
            Holding::Lines | Holding::Words => self.words(),
        };
        tail = open.map_or(tail, |open| open.min(tail));
        let first = self.cells.iter().skip(tail).map(|cell| cell.at).filter(|at| *at >= self.base).min();
        let mut cut = first.map_or(self.raw.len(), |at| usize::try_from(at - self.base).unwrap_or(usize::MAX));
        cut = cut.min(self.open);
        loop {
            let border = self.place(cut);
            let all = self.marks.iter().chain(&marks);
            let first = |mark: &Mark| mark.places.iter().copied().find(|at| *at >= self.base);
            let crossing = all.filter(|mark| mark.places.last().is_some_and(|last| *last >= border));
            let Some(start) = crossing.filter_map(first).min().filter(|start| *start < border) else { break };
            cut = usize::try_from(start - self.base).unwrap_or(0);
        }
        (cut, marks)
    }

    /// Detectors of the site may look for anything.
    fn seeks_more(&self) -> bool {
        self.detectors.classes().any(|class| matches!(class, DetectedClass::Custom(_)))
    }

    /// Where the last word begins, and with it the groups of figures and capitals before it.
    fn words(&self) -> usize {
        let text = |index: usize| self.cells.get(index).map(|cell| cell.byte);
        let mut at = self.cells.len();
        loop {
            while at > 0 && text(at - 1).is_some_and(|byte| !byte.is_ascii_whitespace()) {
                at -= 1;
            }
            let groups =
                |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || matches!(byte, b'(' | b')' | b'+');
            let joins = at >= 2
                && text(at - 1) == Some(b' ')
                && text(at - 2).is_some_and(groups)
                && text(at).is_none_or(groups);
            if !joins {
                return at;
            }
            at -= 1;
        }
    }

    /// Lets go what is before `cut`, masked.
    fn write(&mut self, cut: usize, more: Vec<Mark>, out: &mut BytesMut) {
        let cut = cut.min(self.raw.len());
        let border = self.place(cut);
        let mut marks = more;
        marks.append(&mut self.marks);
        let size = |mark: &Mark| (mark.places.first().copied(), std::cmp::Reverse(mark.places.len()));
        marks.sort_by_key(size);
        let mut hidden = vec![false; cut];
        let mut replaced: Vec<(usize, usize)> = Vec::new();
        for (number, mark) in marks.iter().enumerate() {
            let inside = |at: &u64| usize::try_from(at.checked_sub(self.base)?).ok().filter(|index| *index < cut);
            let places: Vec<usize> = mark.places.iter().filter_map(inside).collect();
            // One value is replaced once, however it came.
            let known = mark.known || places.iter().any(|index| hidden.get(*index).copied().unwrap_or_default());
            replaced.extend(places.first().filter(|_| !known).map(|index| (*index, number)));
            for index in places {
                hidden.get_mut(index).into_iter().for_each(|hidden| *hidden = true);
            }
        }
        replaced.sort_unstable();
        let mut replaced = replaced.into_iter().peekable();
        for (index, byte) in self.raw.iter().copied().take(cut).enumerate() {
            while let Some((_, number)) = replaced.next_if(|(at, _)| *at == index) {
                let Some(mark) = marks.get(number) else { continue };
                self.detectors.put_hit(mark.class, &mark.value, out);
                *self.tally.entry(mark.class.as_str().to_owned()).or_default() += 1;
            }
            if !hidden.get(index).copied().unwrap_or_default() {
                out.put_u8(byte);
            }
        }
        let base = self.base;
        for cell in &mut self.cells {
            let index = cell.at.checked_sub(base).and_then(|index| usize::try_from(index).ok());
            cell.hidden |= index.and_then(|index| hidden.get(index).copied()).unwrap_or_default();
        }
        // Those that were only of this moment are found again; those of what is not shown any more are kept.
        marks.retain(|mark| mark.kept && mark.places.last().is_some_and(|last| *last >= border));
        self.marks = marks;
        self.raw.drain(..cut);
        self.base = border;
        self.open = self.open.saturating_sub(cut);
        self.forget();
    }

    /// Forgets what no value can begin in any more.
    fn forget(&mut self) {
        let waits = self.cells.iter().position(|cell| cell.at >= self.base).unwrap_or(self.cells.len());
        let row = self.row.max(self.cells.len().saturating_sub(MOST_ROW));
        let mut keep = waits.saturating_sub(LOOK_BACK).min(row);
        // A long word may be a value yet, and a key whose end has not come is one.
        let word = self.words();
        if self.cells.len() - word <= MOST_WORD {
            keep = keep.min(word);
        }
        if let Some(open) = self.open_key() {
            keep = keep.min(open);
        }
        self.row = row.saturating_sub(keep);
        self.cursor = self.cursor.max(row).saturating_sub(keep);
        self.cells.drain(..keep);
        if self.cells.len() > MOST_HELD {
            let more = self.cells.len() - MOST_HELD;
            self.cells.drain(..more);
            (self.row, self.cursor) = (self.row.saturating_sub(more), self.cursor.saturating_sub(more));
        }
    }

    fn open_key(&self) -> Option<usize> {
        let text: Vec<u8> = self.cells.iter().map(|cell| cell.byte).collect();
        let begun = memchr::memmem::rfind(&text, b"-----BEGIN")?;
        let rest = text.get(begun + 10..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"-----END").and_then(|end| {
            let rest = rest.get(end + 8..)?;
            memchr::memmem::find(rest, b"-----")
        });
        end.is_none().then_some(begun)
    }
}
