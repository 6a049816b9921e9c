//! What the fuzzers feed: terminals, from both sides. States what must hold for any bytes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{
    inspect::line::{LineReader, Reading},
    reframe::Output,
};
use crate::mask::Detectors;

/// Pieces are divided by this byte, which no text in UTF-8 holds: the machine writes, the client types, in turn.
const BETWEEN: u8 = 0xff;

/// Lines are read without a panic and within bounds; what is masked goes out once, in pieces as in one.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn terminal(input: &[u8]) {
    let mut reader = LineReader::new(20, 5);
    for (index, piece) in input.split(|byte| *byte == BETWEEN).enumerate() {
        if index % 2 == 0 {
            reader.output(piece);
        } else {
            let (before, enter) = reader.typed(piece);
            assert!(before <= piece.len() && (enter.is_some() || before == piece.len()), "keys are lost");
            if let Reading::Lines(lines) = reader.read() {
                assert!(!lines.is_empty() && lines.iter().all(|line| line.len() < 1 << 20), "a line without bounds");
            }
            reader.entered();
        }
    }
    let detectors = Arc::new(Detectors::builtin());
    for mut output in [Output::new(&detectors), Output::terminal(&detectors, 20)] {
        let mut out = BytesMut::new();
        for piece in input.split(|byte| *byte == BETWEEN) {
            match output.chunk(Bytes::copy_from_slice(piece)) {
                Ok(shown) => out.extend_from_slice(&shown),
                Err(_refused) => return,
            }
            out.extend_from_slice(&output.flush());
        }
        let (rest, tally) = output.end(true);
        out.extend_from_slice(&rest);
        let whole: Vec<u8> = input.iter().copied().filter(|byte| *byte != BETWEEN).collect();
        assert!(!tally.is_empty() || *out == *whole, "bytes are lost, though nothing was masked");
    }
}
