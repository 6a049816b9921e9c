//! What the fuzz targets run, kept here so that the replay of their corpora in `tests/fuzz_corpus.rs` runs the same.
//!
//! Each function takes any bytes and panics when a property of the codec or of masking does not hold.

mod copy;
mod opening;

use bytes::BytesMut;
pub use copy::copy_lines;
pub use opening::handshake;

use super::{
    codec::{FrameDecoder, Piece, encode_frontend, parse_backend, parse_frontend, parse_startup},
    inspect::{
        fastpath::routine_of,
        replication::{self, Command},
    },
    message::{Format, Frame, Frontend, backend::DataRow},
    reframe::{ColumnRule, CopyDialect, MaskTally, RowPlan, copy_line, row},
};
use crate::mask::{DetectedClass, Detectors, MaskFunction};

/// Startup packets and frontend messages: what parses is written back byte for byte, and a split changes nothing.
pub fn frontend_codec(input: &[u8]) {
    let mut startup = BytesMut::from(input);
    while let Ok(Some(_)) = parse_startup(&mut startup) {}
    let whole = decode(FrameDecoder::frontend(), input, input.len().max(1));
    assert_eq!(whole, decode(FrameDecoder::frontend(), input, 3), "a split changed the messages");
    for frame in whole {
        if let Ok(message) = parse_frontend(&frame) {
            let mut wire = BytesMut::new();
            encode_frontend(&message, &mut wire);
            assert!(wire.first() == Some(&frame.tag) && wire.get(5..) == Some(&frame.body[..]), "not written back");
            outside_of_sql(&message);
        }
    }
}

/// What is not SQL: a call has a rule only where its arguments are the function's, and a replication command is no SQL
/// at all, but for SHOW.
fn outside_of_sql(message: &Frontend) {
    if let Frontend::FunctionCall(call) = message
        && let Ok(routine) = routine_of(call)
    {
        assert_eq!(routine.arguments.len(), call.arguments.len(), "another number of arguments");
    }
    if let Frontend::Query(query) = message
        && let Ok(Command::Replication(parsed)) = replication::command(query.text.as_str())
    {
        let is_sql = crate::sql::inspect(query.text.as_str()).is_ok();
        assert!(query.text.as_str().is_ascii() && (!is_sql || parsed.kind == "show"), "SQL in the dress of a command");
    }
}

/// Backend messages: any split gives the same messages, and none of them makes the parser panic.
pub fn backend_codec(input: &[u8]) {
    let whole = decode(FrameDecoder::backend(), input, input.len().max(1));
    assert_eq!(whole, decode(FrameDecoder::backend(), input, 7), "a split changed the messages");
    for frame in whole {
        let _parsed = parse_backend(&frame).is_ok();
    }
}

/// Rows and COPY lines: the first byte is the number of columns, then three bytes a column (rule, type, format), then
/// the body. A row that is shown has as many columns as it had, and the same masks a second time.
pub fn reframe(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let Some((choices, body)) = rest.split_at_checked(usize::from(count % 8) * 3) else { return };
    let columns = choices.as_chunks::<3>().0.iter().map(|choice| column(*choice));
    let plan = RowPlan::new(columns);
    let (detectors, mut tally, mut out) = (Detectors::builtin(), MaskTally::new(), BytesMut::new());
    if row(&plan, &detectors, body, &mut out, &mut tally).is_ok() {
        let Some(shown) = out.get(5..) else { return };
        assert_eq!(columns_of(shown), Some(plan.len()), "another number of columns");
    } else {
        assert!(out.is_empty(), "an error left bytes behind");
    }
    let mut line = BytesMut::new();
    copy_line(CopyDialect::Text, &detectors, body, &mut line, &mut tally);
    assert_eq!(decode(FrameDecoder::backend(), &line, 64).len(), 1, "not one message");
}

/// Detectors: hits are in order, apart and inside the text, and their mask does not show what was there.
pub fn mask_detectors(input: &[u8]) {
    let mut hits = Vec::new();
    Detectors::builtin().find(input, &mut hits);
    let mut end = 0;
    for hit in &hits {
        assert!(hit.range.start >= end && hit.range.end > hit.range.start && hit.range.end <= input.len());
        end = hit.range.end;
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    for function in MaskFunction::ALL {
        let detectors =
            Detectors::none().with(DetectedClass::Email, function).with(DetectedClass::CreditCard, function);
        let Some(masked) = detectors.mask_text(text) else { continue };
        for hit in hits.iter().filter(|hit| hit.class == DetectedClass::Email) {
            let shown = text.get(hit.range.clone()).is_some_and(|address| masked.contains(address));
            assert!(!shown, "an address is still there");
        }
        assert!(!masked.contains('\u{FFFD}') || text.contains('\u{FFFD}'), "a character was cut");
    }
}

fn decode(mut decoder: FrameDecoder, input: &[u8], size: usize) -> Vec<Frame> {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for part in input.chunks(size) {
        buffer.extend_from_slice(part);
        while let Ok(Some(piece)) = decoder.next(&mut buffer) {
            if let Piece::Frame(frame) = piece {
                frames.push(frame);
            }
        }
    }
    frames
}

fn column([rule, type_oid, format]: [u8; 3]) -> (ColumnRule, u32, Format) {
    const TYPES: [u32; 16] = [25, 1043, 114, 3802, 20, 701, 1700, 790, 1016, 1231, 17, 1009, 2249, 16, 2950, 99_999];
    let function = MaskFunction::ALL.get(usize::from(rule >> 2) % 4).copied().unwrap_or(MaskFunction::Null);
    let rule = match rule % 3 {
        0 => ColumnRule::Pass,
        1 => ColumnRule::Detect,
        _ => ColumnRule::Mask { class: "pii".into(), function },
    };
    let type_oid = TYPES.get(usize::from(type_oid) % TYPES.len()).copied().unwrap_or(25);
    (rule, type_oid, if format % 2 == 0 { Format::Text } else { Format::Binary })
}

fn columns_of(body: &[u8]) -> Option<usize> {
    let (mut row, mut columns) = (DataRow::new(body).ok()?, 0);
    while row.next_cell().ok()?.is_some() {
        columns += 1;
    }
    Some(columns)
}
