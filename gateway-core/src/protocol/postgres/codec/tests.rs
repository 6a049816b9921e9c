//! Table and property tests of the codec: exactness, splits, bounds, malformed bodies.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::protocol::postgres::message::{
    Bind, CancelKey, Execute, Format, Frame, Frontend, FunctionCall, Parse, Query, Secret, Startup, Target, Text,
    backend::{Authentication, Backend, CommandTag, DataRow, Field, TransactionStatus, tag},
};

fn text() -> impl Strategy<Value = Text> {
    "[^\\x00]{0,40}".prop_map(|text| Text::copied(&text).unwrap())
}

fn key(number: u32) -> CancelKey {
    CancelKey::new(Bytes::copy_from_slice(&number.to_be_bytes())).unwrap()
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Text), Just(Format::Binary)]
}

fn body() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn bind() -> impl Strategy<Value = Bind> {
    let parameters = prop::collection::vec(prop::option::of(body()), 0..6);
    let formats = prop::collection::vec(format(), 6);
    (text(), text(), parameters, formats, 0..3_u8, prop::collection::vec(format(), 0..5)).prop_map(
        |(portal, statement, parameters, formats, count, result_formats)| {
            let count = [0, 1, parameters.len()][usize::from(count)];
            let parameter_formats = formats[..count].to_vec();
            Bind { portal, statement, parameter_formats, parameters, result_formats, shown: Vec::new() }
        },
    )
}

fn frontend() -> impl Strategy<Value = Frontend> {
    let target = prop_oneof![text().prop_map(Target::Statement), text().prop_map(Target::Portal)];
    let oids = prop::collection::vec(any::<u32>(), 0..5);
    prop_oneof![
        text().prop_map(|text| Frontend::Query(Query { text })),
        (text(), text(), oids).prop_map(|(name, text, parameter_types)| Frontend::Parse(Parse {
            name,
            text,
            parameter_types
        })),
        bind().prop_map(Frontend::Bind),
        target.clone().prop_map(Frontend::Describe),
        target.prop_map(Frontend::Close),
        (text(), any::<i32>()).prop_map(|(portal, max_rows)| Frontend::Execute(Execute { portal, max_rows })),
        Just(Frontend::Flush),
        Just(Frontend::Sync),
        (bind(), any::<u32>(), format()).prop_map(|(bind, function, result_format)| {
            let Bind { parameter_formats: argument_formats, parameters: arguments, .. } = bind;
            Frontend::FunctionCall(FunctionCall { function, argument_formats, arguments, result_format })
        }),
        body().prop_map(Frontend::CopyData),
        Just(Frontend::CopyDone),
        text().prop_map(Frontend::CopyFail),
        body().prop_map(|body| Frontend::Password(Secret(body))),
        Just(Frontend::Terminate),
    ]
}

/// Feeds `bytes` in pieces of the given sizes and returns every piece decoded.
fn decode(decoder: &mut FrameDecoder, bytes: &[u8], sizes: &[usize]) -> Result<Vec<Piece>, CodecError> {
    let (mut buffer, mut pieces, mut rest, mut turn) = (BytesMut::new(), Vec::new(), bytes, 0);
    loop {
        while let Some(piece) = decoder.next(&mut buffer)? {
            pieces.push(piece);
        }
        if rest.is_empty() {
            return Ok(pieces);
        }
        let size = sizes.get(turn % sizes.len().max(1)).copied().unwrap_or(rest.len()).clamp(1, rest.len());
        buffer.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        turn += 1;
    }
}

fn frame(tag: u8, body: &[u8]) -> Frame {
    Frame { tag, body: Bytes::copy_from_slice(body) }
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_messages_and_the_same_bytes(
        messages in prop::collection::vec(frontend(), 0..8),
        sizes in prop::collection::vec(1..40_usize, 1..6),
    ) {
        let mut wire = BytesMut::new();
        for message in &messages {
            encode_frontend(message, &mut wire);
        }
        let pieces = decode(&mut FrameDecoder::frontend(), &wire, &sizes).unwrap();
        let mut parsed = Vec::new();
        for piece in pieces {
            let Piece::Frame(frame) = piece else { panic!("not a frame") };
            parsed.push(parse_frontend(&frame).unwrap());
        }
        prop_assert_eq!(&parsed, &messages);
        let mut again = BytesMut::new();
        for message in &parsed {
            encode_frontend(message, &mut again);
        }
        prop_assert_eq!(again, wire);
    }

    #[test]
    fn whatever_parses_encodes_to_the_bytes_it_came_from(tag in prop::sample::select(b"QPBDECHSFdcfpX".to_vec()), body in body()) {
        let frame = Frame { tag, body };
        if let Ok(message) = parse_frontend(&frame) {
            let mut wire = BytesMut::new();
            encode_frontend(&message, &mut wire);
            prop_assert_eq!(&wire[5..], &frame.body[..]);
            prop_assert_eq!(wire[0], frame.tag);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), sizes in prop::collection::vec(1..40_usize, 1..4)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = parse_startup(&mut buffer) {}
        for (mut decoder, backend) in [(FrameDecoder::frontend(), false), (FrameDecoder::backend(), true)] {
            for piece in decode(&mut decoder, &bytes, &sizes).unwrap_or_default() {
                if let Piece::Frame(frame) = piece {
                    let _parsed = if backend { parse_backend(&frame).is_ok() } else { parse_frontend(&frame).is_ok() };
                }
            }
        }
        let (length, _) = scan_run(&bytes);
        prop_assert!(length <= bytes.len());
        if let Ok(mut row) = DataRow::new(&bytes) {
            while let Ok(Some(_)) = row.next_cell() {}
        }
    }

    #[test]
    fn a_run_is_exactly_the_frames_it_covers(rows in prop::collection::vec(body(), 0..10), cut in 0..2_000_usize) {
        let mut wire = BytesMut::new();
        for row in &rows {
            write_frame(tag::DATA_ROW, &mut wire, |out| out.put_slice(row));
        }
        wire.truncate(cut);
        let (length, messages) = scan_run(&wire);
        let mut expected = 0;
        let mut count = 0_u64;
        for row in &rows {
            if expected + row.len() + 5 > wire.len() { break; }
            expected += row.len() + 5;
            count += 1;
        }
        prop_assert_eq!((length, messages), (expected, count));
    }
}

#[test]
fn refuses_a_tag_of_the_other_direction_at_its_first_byte() {
    let mut buffer = BytesMut::from(&b"Z"[..]);
    let error = FrameDecoder::frontend().next(&mut buffer).unwrap_err();
    assert_eq!(error, CodecError::UnknownTag { tag: b'Z', side: Side::Frontend });
    assert!(error.breaks_framing());
}

#[test]
fn refuses_impossible_lengths_before_reserving() {
    for length in [0_u32, 3, 0x4000_0004, u32::MAX] {
        let mut buffer = BytesMut::from(&b"Q"[..]);
        buffer.put_u32(length);
        assert_eq!(FrameDecoder::frontend().next(&mut buffer), Err(CodecError::Length { tag: b'Q', length }));
        assert!(buffer.capacity() < 1024);
    }
}

#[test]
fn a_large_announcement_reserves_only_a_little() {
    let mut buffer = BytesMut::from(&b"d"[..]);
    buffer.put_u32(60 << 20);
    assert_eq!(FrameDecoder::frontend().next(&mut buffer), Ok(None));
    assert!(buffer.capacity() <= 1 << 20, "{}", buffer.capacity());
}

#[test]
fn drops_an_oversize_statement_and_reads_the_next_message() {
    let mut wire = BytesMut::new();
    write_frame(b'Q', &mut wire, |out| out.put_bytes(b'x', limit::STATEMENT_BYTES + 1));
    write_frame(b'S', &mut wire, |_| {});
    let pieces = decode(&mut FrameDecoder::frontend(), &wire, &[4096]).unwrap();
    assert_eq!(
        pieces,
        [Piece::Oversize { tag: b'Q', length: limit::STATEMENT_BYTES + 1 }, Piece::Frame(frame(b'S', b""))]
    );
}

#[test]
fn streams_a_row_too_big_to_hold_without_changing_a_byte() {
    let mut wire = BytesMut::new();
    write_frame(tag::DATA_ROW, &mut wire, |out| out.put_bytes(7, limit::BACKEND_BYTES + 10));
    let row = wire.len();
    write_frame(tag::COMMAND_COMPLETE, &mut wire, |out| out.put_slice(b"SELECT 1\0"));
    let pieces = decode(&mut FrameDecoder::backend(), &wire, &[1 << 20, 17]).unwrap();
    let mut seen = Vec::new();
    for piece in &pieces[..pieces.len() - 1] {
        let Piece::Chunk { bytes, first, last, total, .. } = piece else { panic!("not a chunk: {piece:?}") };
        assert_eq!((*first, *total), (seen.is_empty(), limit::BACKEND_BYTES + 10));
        seen.extend_from_slice(bytes);
        assert_eq!(*last, seen.len() == row);
    }
    assert_eq!(seen, wire[..row]);
    assert_eq!(pieces.last(), Some(&Piece::Frame(frame(b'C', b"SELECT 1\0"))));
}

#[test]
fn a_run_ends_at_another_tag_and_leaves_the_rest() {
    let mut buffer = BytesMut::new();
    data_row([Some(&b"1"[..]), None].into_iter(), &mut buffer);
    data_row([Some(&b"2"[..]), None].into_iter(), &mut buffer);
    let rows = buffer.len();
    write_frame(tag::COPY_DATA, &mut buffer, |_| {});
    let mut decoder = FrameDecoder::backend();
    let run = decoder.run(&mut buffer).unwrap();
    assert_eq!((run.messages, run.bytes.len()), (2, rows));
    assert_eq!(decoder.run(&mut buffer).map(|run| run.messages), Some(1));
    assert_eq!(decoder.run(&mut buffer), None);
}

#[test]
fn refuses_malformed_bodies() {
    let truncated = |tag| Err(CodecError::Truncated { tag });
    assert_eq!(parse_frontend(&frame(b'Q', b"select 1")), truncated(b'Q'));
    assert_eq!(parse_frontend(&frame(b'Q', b"select 1\0; drop\0")), Err(CodecError::Trailing { tag: b'Q' }));
    assert_eq!(parse_frontend(&frame(b'Q', b"\xFF\0")), Err(CodecError::NotText { tag: b'Q' }));
    assert_eq!(parse_frontend(&frame(b'S', b"x")), Err(CodecError::Trailing { tag: b'S' }));
    assert_eq!(parse_frontend(&frame(b'P', b"\0\0\xFF\xFF")), truncated(b'P'));
    assert_eq!(parse_frontend(&frame(b'D', b"Xname\0")), Err(CodecError::Invalid { tag: b'D', field: "kind of name" }));
    assert_eq!(
        parse_frontend(&frame(b'B', b"\0\0\0\x01\0\x02\0\0\0\0")),
        Err(CodecError::Invalid { tag: b'B', field: "format code" })
    );
    assert_eq!(
        parse_frontend(&frame(b'B', b"\0\0\0\x02\0\0\0\0\0\0\0\0")),
        Err(CodecError::Invalid { tag: b'B', field: "number of parameter formats" })
    );
    assert_eq!(
        parse_frontend(&frame(b'B', b"\0\0\0\0\0\x01\xFF\xFF\xFF\xFE\0\0")),
        Err(CodecError::Invalid { tag: b'B', field: "length" })
    );
    assert_eq!(parse_backend(&frame(b'Z', b"Q")), Err(CodecError::Invalid { tag: b'Z', field: "transaction status" }));
    assert_eq!(
        parse_backend(&frame(b'E', &b"Mx\0".repeat(65))),
        Err(CodecError::Invalid { tag: b'E', field: "number of fields" })
    );
}

#[test]
fn reads_back_what_the_gateway_writes() {
    let text = |text| Text::copied(text).unwrap();
    let field = Field {
        name: text("email"),
        table_oid: 16_384,
        column: 2,
        type_oid: 25,
        size: -1,
        modifier: -1,
        format: Format::Binary,
    };
    let mut wire = BytesMut::new();
    authentication_ok(&mut wire);
    authentication_cleartext(&mut wire);
    backend_key(7, &key(9), &mut wire);
    parameter_status(&text("TimeZone"), &text("UTC"), &mut wire);
    ready_for_query(TransactionStatus::Failed, &mut wire);
    negotiate_protocol_version(2, &[text("_pq_.x")], &mut wire);
    row_description(std::slice::from_ref(&field), &mut wire);
    command_complete(&CommandTag(text("INSERT 0 12")), &mut wire);
    empty_frame(tag::PARSE_COMPLETE, &mut wire);
    let pieces = decode(&mut FrameDecoder::backend(), &wire, &[3]).unwrap();
    let parsed: Vec<Backend> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Frame(frame) => parse_backend(frame).unwrap(),
            Piece::Chunk { .. } | Piece::Oversize { .. } => panic!("not a frame"),
        })
        .collect();
    let expected = [
        Backend::Authentication(Authentication::Ok),
        Backend::Authentication(Authentication::Cleartext),
        Backend::BackendKey { process_id: 7, key: key(9) },
        Backend::ParameterStatus { name: text("TimeZone"), value: text("UTC") },
        Backend::Ready(TransactionStatus::Failed),
        Backend::Negotiate { minor: 2, unknown_options: vec![text("_pq_.x")] },
        Backend::RowDescription(vec![field]),
        Backend::CommandComplete(CommandTag(text("INSERT 0 12"))),
        Backend::ParseComplete,
    ];
    assert_eq!(parsed, expected);
    assert_eq!(CommandTag(text("INSERT 0 12")).rows(), Some(12));
    assert_eq!(CommandTag(text("CREATE TABLE")).rows(), None);
}

#[test]
fn reads_every_startup_packet() {
    let mut wire = BytesMut::new();
    encode_ssl_request(&mut wire);
    encode_cancel(5, &key(6), &mut wire);
    let text = |text| Text::copied(text).unwrap();
    encode_startup(&[(text("user"), text("alice")), (text("_pq_.a"), text("1"))], &mut wire);
    wire.put_slice(b"rest");
    assert_eq!(parse_startup(&mut wire), Ok(Some(Startup::Ssl)));
    assert_eq!(parse_startup(&mut wire), Ok(Some(Startup::Cancel { process_id: 5, key: key(6) })));
    let Ok(Some(Startup::Start(start))) = parse_startup(&mut wire) else { panic!("no start") };
    assert_eq!(start.parameter("user"), Some("alice"));
    assert_eq!(start.protocol_options, [text("_pq_.a")]);
    assert_eq!(&wire[..], b"rest");
}

#[test]
fn refuses_malformed_startup_packets() {
    let packet = |body: &[u8]| {
        let mut packet = BytesMut::new();
        packet.put_u32(u32::try_from(body.len() + 4).unwrap());
        packet.put_slice(body);
        packet
    };
    let cases: [(&[u8], CodecError); 6] = [
        (b"\0\x02\0\0", CodecError::Version { major: 2, minor: 0 }),
        (b"\0\x03\0\0user\0a\0user\0b\0\0", CodecError::Invalid { tag: 0, field: "parameter, which comes twice" }),
        (b"\0\x03\0\0user\0a\0", CodecError::Truncated { tag: 0 }),
        (b"\0\x03\0\0user\0a\0\0x", CodecError::Trailing { tag: 0 }),
        (b"\0\x03\0\0user\0\xFF\0\0", CodecError::NotText { tag: 0 }),
        (b"\x04\xD2\x16\x2Fx", CodecError::Trailing { tag: 0 }),
    ];
    for (body, expected) in cases {
        assert_eq!(parse_startup(&mut packet(body)), Err(expected));
        assert!(expected.breaks_framing());
    }
    for length in [0_u32, 7, 10_005, u32::MAX] {
        let mut wire = BytesMut::new();
        wire.put_u32(length);
        assert_eq!(parse_startup(&mut wire), Err(CodecError::Length { tag: 0, length }));
    }
}

#[test]
fn debug_shows_sizes_and_never_contents() {
    let secret = Frontend::Password(Secret(Bytes::from_static(b"hunter2")));
    let query = Frontend::Query(Query { text: Text::copied("select 'hunter2'").unwrap() });
    let shown = format!("{secret:?} {query:?} {:?}", frame(b'Q', b"hunter2\0"));
    assert!(!shown.contains("hunter2"), "{shown}");
}
