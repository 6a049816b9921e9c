//! COPY: the lines that a server sends, one by one and as a run of messages.

use bytes::{Bytes, BytesMut};

use super::{
    super::{
        codec::{FrameDecoder, write_frame},
        message::backend::tag,
        reframe::{CopyDialect, MaskTally, Outcome, copy_line, copy_run},
    },
    decode,
};
use crate::mask::Detectors;

/// The first byte chooses the dialect, the second says how the rest is cut into lines. A run of messages is masked as
/// its lines are one by one, every line stays one message, and what no detector hits stays as it was.
pub fn copy_lines(input: &[u8]) {
    let [choice, size, body @ ..] = input else { return };
    let delimiter = [b'\t', b',', b';', b'|', b'@', b'-', b' ', *size].get(usize::from(choice >> 2) % 8).copied();
    let Some(delimiter) = delimiter else { return };
    let dialect = match choice % 4 {
        0 | 1 => CopyDialect::text(delimiter),
        2 => CopyDialect::csv(delimiter, b'"', b'"'),
        _ => CopyDialect::csv(delimiter, *size, *choice),
    };
    let Ok(dialect) = dialect else { return };
    let (detectors, mut tally) = (Detectors::builtin(), MaskTally::new());
    let (mut run, mut apart, mut lines) = (BytesMut::new(), BytesMut::new(), 0);
    for line in body.chunks(usize::from(*size).max(1)) {
        write_frame(tag::COPY_DATA, &mut run, |out| out.extend_from_slice(line));
        let before = apart.len();
        copy_line(dialect, &detectors, line, &mut apart, &mut tally);
        let mut hits = Vec::new();
        detectors.find(line, &mut hits);
        assert!(!hits.is_empty() || apart.get(before + 5..) == Some(line), "a clean line was changed");
        lines += 1;
    }
    let run: Bytes = run.freeze();
    let mut together = BytesMut::new();
    let masked = copy_run(dialect, &detectors, &run, &mut together, &mut MaskTally::new());
    let whole = if masked == Ok(Outcome::Unchanged) { run.as_ref() } else { together.as_ref() };
    assert!(masked.is_ok() && apart == *whole, "a run is masked in another way than its lines");
    assert_eq!(decode(FrameDecoder::backend(), &apart, 64).len(), lines, "another number of messages");
}
