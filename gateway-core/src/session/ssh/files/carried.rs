//! What is carried of one open file: its hash, its size, and, where values are masked for whoever reads it, the search for
//! them. Pieces may come out of order, within a window.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::digest;
use bytes::Bytes;

use crate::{
    mask::Detectors,
    model::Refusal,
    protocol::ssh::reframe::{ScannedText, found},
    session::ssh::channel::unmaskable,
};

/// So much may wait for what comes before it.
const MOST_AHEAD: usize = 256;
/// Shorter pieces could cut every value in two.
const LEAST_READ: u64 = 512;

/// The content of one file, in its order.
pub(super) struct Carried {
    hash: digest::Context,
    /// How much came without a gap.
    whole: u64,
    /// How much came at all.
    bytes: u64,
    in_order: bool,
    ahead: BTreeMap<u64, Bytes>,
    scan: Option<ScannedText>,
    /// Up to where was asked.
    asked: u64,
    stopped: bool,
}

impl Carried {
    /// Nothing came yet. `sight` is what is searched for.
    pub(super) fn new(sight: &Arc<Detectors>) -> Self {
        Self {
            hash: digest::Context::new(&digest::SHA256),
            whole: 0,
            bytes: 0,
            in_order: true,
            ahead: BTreeMap::new(),
            scan: (!sight.is_empty()).then(|| ScannedText::new(sight)),
            asked: 0,
            stopped: false,
        }
    }

    /// Whether a piece may be asked for: what is searched is read in order, and never again once a value was found.
    pub(super) fn may_ask(&mut self, offset: u64, length: u32) -> Result<(), Refusal> {
        if self.scan.is_none() {
            return Ok(());
        }
        let end = offset.saturating_add(u64::from(length));
        if self.stopped {
            return Err(unmaskable("this download ended at a value that is masked for you", READ_IT));
        }
        if offset > self.asked || (end > self.asked && u64::from(length) < LEAST_READ) {
            let why =
                "values are masked for you here: a file is read from its beginning, in order, and in large pieces";
            return Err(unmaskable(why, READ_IT));
        }
        self.asked = self.asked.max(end);
        Ok(())
    }

    /// A piece was written.
    pub(super) fn written(&mut self, offset: u64, content: &Bytes) {
        self.in_order &= offset >= self.whole && !self.ahead.contains_key(&offset);
        // What is written is not shown to anybody.
        let _found = self.take(offset, content, false);
    }

    /// A piece was read: it may go on, or the download ends.
    pub(super) fn read(&mut self, offset: u64, content: &Bytes) -> Result<(), Refusal> {
        if self.stopped {
            return Err(unmaskable("this download ended at a value that is masked for you", READ_IT));
        }
        let result = self.take(offset, content, true);
        self.stopped |= result.is_err();
        result
    }

    fn take(&mut self, offset: u64, content: &Bytes, shown: bool) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(u64::try_from(content.len()).unwrap_or(0));
        let mut scan = self.scan.as_mut().filter(|_| shown);
        let mut class = scan.as_ref().and_then(|scan| scan.alone(content));
        self.ahead.insert(offset, content.clone());
        while let Some(first) = self.ahead.first_entry().filter(|first| *first.key() <= self.whole) {
            let (at, content) = first.remove_entry();
            let known = usize::try_from(self.whole - at).unwrap_or(usize::MAX);
            let Some(new) = content.get(known..).filter(|new| !new.is_empty()) else { continue };
            self.hash.update(new);
            self.whole = self.whole.saturating_add(u64::try_from(new.len()).unwrap_or(0));
            class = class.or(scan.as_mut().and_then(|scan| scan.piece(new)));
        }
        if self.ahead.len() > MOST_AHEAD {
            self.ahead.clear();
            self.in_order = false;
            if scan.is_some() {
                return Err(unmaskable("the download came too far out of its order to be searched", READ_IT));
            }
        }
        class.map_or(Ok(()), |class| Err(found(class)))
    }

    /// Whether it ended at a value.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What is said of it: how much, and its hash where all of it was seen once.
    pub(super) fn facts(self) -> (u64, BTreeMap<&'static str, String>) {
        let mut facts = BTreeMap::from([("bytes", self.bytes.to_string())]);
        if self.in_order && self.whole > 0 && self.ahead.is_empty() {
            let hash = self.hash.finish();
            let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            facts.insert("sha256", hex);
        }
        (self.bytes, facts)
    }
}

const READ_IT: &str = "Read it with a command, whose output is masked.";

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(masked: bool) -> Carried {
        Carried::new(&Arc::new(if masked { Detectors::builtin() } else { Detectors::none() }))
    }

    fn hash(carried: Carried) -> Option<String> {
        carried.facts().1.remove("sha256")
    }

    #[test]
    fn pieces_out_of_order_have_the_hash_of_the_whole() {
        let content = Bytes::from((0_u8..=255).cycle().take(4096).collect::<Vec<_>>());
        let (mut straight, mut crooked, mut with_gap) = (carried(false), carried(false), carried(false));
        straight.written(0, &content);
        for part in [3_u64, 1, 0, 2] {
            let at = usize::try_from(part).unwrap() * 1024;
            crooked.written(part * 1024, &content.slice(at..at + 1024));
            if part != 1 {
                with_gap.written(part * 1024, &content.slice(at..at + 1024));
            }
        }
        let expected = hash(straight);
        assert!(expected.is_some());
        assert_eq!(hash(crooked), expected);
        assert_eq!(hash(with_gap), None);
        let mut again = carried(false);
        again.written(0, &content);
        again.written(0, &content);
        assert_eq!(hash(again), None, "what was written twice has no one content");
    }

    #[test]
    fn a_download_ends_at_the_first_value_wherever_its_pieces_lie() {
        let text = Bytes::from(format!("{}ada@example.com{}", "x ".repeat(1000), " y".repeat(1000)));
        let middle = 2007;
        for pieces in
            [vec![0..text.len(), 0..0], vec![0..middle, middle..text.len()], vec![middle..text.len(), 0..middle]]
        {
            let mut carried = carried(true);
            carried.may_ask(0, 4096).unwrap();
            let mut results = Vec::new();
            for piece in pieces {
                results.push(carried.read(u64::try_from(piece.start).unwrap(), &text.slice(piece)).is_ok());
            }
            assert_eq!(results.last(), Some(&false));
            assert!(carried.is_stopped() && carried.may_ask(0, 4096).is_err() && carried.read(0, &text).is_err());
        }
    }

    #[test]
    fn what_is_searched_is_read_in_order_and_in_large_pieces() {
        let mut plain = carried(false);
        assert!(plain.may_ask(1 << 40, 1).is_ok());
        let mut masked = carried(true);
        assert!(masked.may_ask(100, 4096).is_err(), "from the middle");
        assert!(masked.may_ask(0, 16).is_err(), "letter by letter");
        assert!(masked.may_ask(0, 4096).is_ok());
        assert!(masked.may_ask(4000, 96).is_ok(), "the rest of a short answer");
        assert!(masked.may_ask(4096, 4096).is_ok());
        assert!(masked.may_ask(10_000, 4096).is_err(), "over a gap");
    }
}
