//! Rows, lines and errors before and after masking.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::protocol::postgres::{
    codec::{FrameDecoder, Piece, data_row, scan_run, write_frame},
    message::backend::ErrorFields,
};

const TEXT: u32 = 25;
const CARD: &str = "4111111111111111";

type Cells = Vec<Option<Vec<u8>>>;

fn bytes(value: &str) -> Vec<u8> {
    value.as_bytes().to_vec()
}

fn message(cells: &[Option<Vec<u8>>]) -> BytesMut {
    let mut wire = BytesMut::new();
    data_row(cells.iter().map(|cell| cell.as_deref()), &mut wire);
    wire
}

fn read(message: &[u8]) -> Cells {
    assert_eq!(message[0], tag::DATA_ROW);
    assert_eq!(u32::from_be_bytes(message[1..5].try_into().unwrap()) as usize, message.len() - 1);
    let (mut row, mut cells) = (DataRow::new(&message[5..]).unwrap(), Vec::new());
    while let Some(cell) = row.next_cell().unwrap() {
        cells.push(cell.map(<[u8]>::to_vec));
    }
    cells
}

fn masked(plan: &RowPlan, cells: &[Option<Vec<u8>>]) -> Cells {
    let mut out = BytesMut::new();
    row(plan, &Detectors::builtin(), &message(cells)[5..], &mut out, &mut MaskTally::new()).unwrap();
    read(&out)
}

fn one(rule: ColumnRule, type_oid: u32, format: Format, value: &[u8]) -> Option<Vec<u8>> {
    let plan = RowPlan::new([(rule, type_oid, format)]);
    masked(&plan, &[Some(value.to_vec())]).remove(0)
}

fn detected(type_oid: u32, format: Format, value: &[u8]) -> Option<Vec<u8>> {
    one(ColumnRule::Detect, type_oid, format, value)
}

fn rule(function: MaskFunction) -> ColumnRule {
    ColumnRule::Mask { class: "pii".into(), function }
}

#[test]
fn masks_tagged_and_detected_cells_and_counts_them() {
    let plan = RowPlan::new([
        (ColumnRule::Pass, TEXT, Format::Text),
        (rule(MaskFunction::Redact), TEXT, Format::Text),
        (ColumnRule::Detect, TEXT, Format::Text),
        (rule(MaskFunction::Redact), TEXT, Format::Text),
    ]);
    let cells =
        [Some(bytes("a@b.com")), Some(bytes("Jane")), Some(bytes("jane@example.com and 4111 1111 1111 1111")), None];
    let (mut out, mut tally) = (BytesMut::new(), MaskTally::new());
    row(&plan, &Detectors::builtin(), &message(&cells)[5..], &mut out, &mut tally).unwrap();
    assert_eq!(
        read(&out),
        [
            Some(bytes("a@b.com")),
            Some(bytes("[redacted]")),
            Some(bytes("j****@*****.com and **** **** **** 1111")),
            None
        ]
    );
    let counted: Vec<_> = tally.entries(Some(&plan)).collect();
    assert_eq!(counted, [(1, "pii", 1), (2, "email", 1), (2, "credit_card", 1)]);
}

#[test]
fn a_whole_value_is_masked_as_its_type_allows() {
    let partial = || rule(MaskFunction::Partial);
    assert_eq!(one(partial(), TEXT, Format::Binary, b"jane@example.com"), Some(bytes("j****@*****.com")));
    assert_eq!(one(partial(), 114, Format::Text, b"\"jane@example.com\""), Some(bytes("\"j****@*****.com\"")));
    assert_eq!(one(partial(), 3802, Format::Binary, b"\x01{\"a\":1}"), Some(bytes("\x01{\"*****\":null}")));
    assert_eq!(one(rule(MaskFunction::Null), 114, Format::Text, b"{}"), None);
    for type_oid in [16, 17, 20, 23, 869, 1082, 1184, 1700, 2950, 1007, 16_999] {
        assert_eq!(one(rule(MaskFunction::Redact), type_oid, Format::Text, b"anything"), None, "{type_oid}");
        assert_eq!(one(rule(MaskFunction::Redact), type_oid, Format::Binary, b"anything"), None, "{type_oid}");
    }
}

#[test]
fn a_json_document_keeps_its_structure_and_loses_its_leaves() {
    let document = r#"{"name": "Jane \"J\" Doe", "age": 41, "tags": ["a@b.com", true, null, -1.5e3], "x": {}}"#;
    let document_in = |plain: bool| {
        let cell = CellType { plain, ..CellType::from(114) };
        let plan = RowPlan::new([(rule(MaskFunction::Redact), cell, Format::Text)]);
        masked(&plan, &[Some(bytes(document))]).remove(0).unwrap()
    };
    let masked = document_in(true);
    let expected = r#"{"name": "[redacted]", "age": null, "tags": ["[redacted]", null, null, null], "x": {}}"#;
    assert_eq!(String::from_utf8_lossy(&masked), expected);
    // What an expression made may have values for names.
    let derived = String::from_utf8(document_in(false)).unwrap();
    assert!(!derived.contains("name") && !derived.contains("tags"), "{derived}");
    for broken in ["{\"a", "jane", "{\"a\": jane@example.com}", "\"\\", "{'a':1}"] {
        let masked = one(rule(MaskFunction::Redact), 3802, Format::Text, broken.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&masked), "\"[redacted]\"", "{broken}");
    }
}

#[test]
fn arrays_of_texts_are_masked_element_by_element() {
    let literal = |text: &str| one(rule(MaskFunction::Redact), 1009, Format::Text, text.as_bytes());
    for (before, after) in [
        ("{}", "{}"),
        ("{a,\"b, c\",NULL}", "{\"[redacted]\",\"[redacted]\",NULL}"),
        ("[0:1]={\"q\\\"}\",x}", "[0:1]={\"[redacted]\",\"[redacted]\"}"),
        ("{{a,b},{c,\"null\"}}", "{{\"[redacted]\",\"[redacted]\"},{\"[redacted]\",\"[redacted]\"}}"),
    ] {
        assert_eq!(literal(before), Some(bytes(after)), "{before}");
    }
    for broken in ["", "{", "{a", "{\"a}", "jane", "}{", "{a}}", "{{{{{{{a}}}}}}}"] {
        assert_eq!(literal(broken), None, "{broken}");
    }
    let mut value = Vec::new();
    for word in [1_u32, 0, 25, 2, 1, 3] {
        value.extend_from_slice(&word.to_be_bytes());
    }
    value.extend_from_slice(b"abc\xFF\xFF\xFF\xFF");
    let masked = one(rule(MaskFunction::Redact), 1009, Format::Binary, &value).unwrap();
    let mut expected = value.clone();
    expected.splice(4..8, [0, 0, 0, 1]);
    expected.splice(20..27, *b"\0\0\0\x0A[redacted]");
    assert_eq!(masked, expected);
    assert_eq!(one(rule(MaskFunction::Redact), 1009, Format::Binary, b"\0\0\0\x01short"), None);
    let found = detected(1009, Format::Binary, &[&value[..20], b"\0\0\0\x07a@b.com", &value[27..]].concat()).unwrap();
    assert!(found.ends_with(b"*****@*****.com\xFF\xFF\xFF\xFF"), "{found:?}");
}

#[test]
fn an_identifier_hashes_to_an_identifier_in_both_formats() {
    let keys = Arc::new(crate::mask::MaskKeys::new(&[7; 32]).unwrap());
    let detectors = Detectors::none().keyed(keys);
    let hash = |format, value: &[u8]| {
        let plan = RowPlan::new([(rule(MaskFunction::Hash), 2950, format)]);
        let mut out = BytesMut::new();
        row(&plan, &detectors, &message(&[Some(value.to_vec())])[5..], &mut out, &mut MaskTally::new()).unwrap();
        read(&out).remove(0)
    };
    let text = hash(Format::Text, b"550e8400-e29b-41d4-a716-446655440000").unwrap();
    let binary = hash(Format::Binary, &0x550e_8400_e29b_41d4_a716_4466_5544_0000_u128.to_be_bytes()).unwrap();
    let digits: String = binary.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    });
    assert_eq!(String::from_utf8(text.clone()).unwrap().replace('-', ""), digits);
    assert_eq!((text[8], text[14], text.len()), (b'-', b'8', 36));
    assert_eq!(hash(Format::Text, b"{550E8400-E29B-41D4-A716-446655440000}"), Some(text));
    assert_eq!(hash(Format::Text, b"550e8400").map(|text| text.len()), Some(36));
}

#[test]
fn json_stays_json_when_something_in_it_is_masked() {
    for (value, expected) in [
        (r#"{"e":"jane@example.com","n":1}"#, r#"{"e":"j****@*****.com","n":1}"#),
        (r#"{"c":4111111111111111}"#, r#"{"c":"************1111"}"#),
        (r#"{"c":-4111111111111111.0e1}"#, r#"{"c":"************1111"}"#),
        (r#"["x\njane@example.com","\"4111111111111111"]"#, r#"["x\nj****@*****.com","\"************1111"]"#),
        (r#"{"c":[4111111111111111,5555555555554444]}"#, r#"{"c":["************1111","************4444"]}"#),
    ] {
        let masked = detected(114, Format::Text, value.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&masked), expected);
        assert!(serde_json::from_slice::<serde_json::Value>(&masked).is_ok(), "{expected}");
    }
}

#[test]
fn finds_cards_in_numbers_of_every_format() {
    let card = 4_111_111_111_111_111_i64;
    let numeric = |weight: u8, groups: &[u16]| {
        let mut value = vec![0, u8::try_from(groups.len()).unwrap(), 0, weight, 0, 0, 0, 0];
        for group in groups {
            value.extend_from_slice(&group.to_be_bytes());
        }
        value
    };
    let array = |type_oid: u32, element: &[u8]| {
        let mut value = Vec::new();
        for word in [1, 0, type_oid, 1, 1, u32::try_from(element.len()).unwrap()] {
            value.extend_from_slice(&word.to_be_bytes());
        }
        value.extend_from_slice(element);
        value
    };
    let groups = [4111, 1111, 1111, 1111];
    assert_eq!(detected(20, Format::Binary, &card.to_be_bytes()), None);
    assert_eq!(detected(20, Format::Binary, &(-card).to_be_bytes()), None);
    assert_eq!(detected(20, Format::Text, CARD.as_bytes()), None);
    assert_eq!(detected(701, Format::Binary, &4_111_111_111_111_111_f64.to_be_bytes()), None);
    assert_eq!(detected(1700, Format::Binary, &numeric(3, &groups)), None);
    assert_eq!(detected(1700, Format::Text, b"4111111111111111.00"), None);
    assert_eq!(detected(1016, Format::Binary, &array(20, &card.to_be_bytes())), None);
    assert_eq!(detected(1231, Format::Binary, &array(1700, &numeric(3, &groups))), None);
    let shown = |value: Vec<u8>| detected(1009, Format::Binary, &value).unwrap();
    assert!(shown(array(25, CARD.as_bytes())).ends_with(b"************1111"));
    let prefixed_by_a_digit = format!("{CARD} {}", "x".repeat(32));
    assert_eq!(prefixed_by_a_digit.len(), usize::from(b'1'));
    assert!(!shown(array(25, prefixed_by_a_digit.as_bytes())).windows(16).any(|window| window == CARD.as_bytes()));
    assert_eq!(
        detected(2249, Format::Binary, &array(25, format!("{CARD} {}", "x".repeat(0x131 - 17)).as_bytes())),
        None
    );
    assert_eq!(detected(17, Format::Text, b"\\x6a616e65406578616d706c652e636f6d"), None);
    assert_eq!(detected(17, Format::Binary, b"jane@example.com"), None);
    for clean in [&(card + 1).to_be_bytes()[..], &7_i64.to_be_bytes(), &i64::MIN.to_be_bytes()] {
        assert_eq!(detected(20, Format::Binary, clean).as_deref(), Some(clean));
    }
    for clean in [numeric(2, &[4111, 1111, 1111]), numeric(0, &[12]), numeric(3, &[4111, 1111, 1111, 1112])] {
        assert_eq!(detected(1700, Format::Binary, &clean), Some(clean));
    }
}

#[test]
fn a_number_that_cannot_be_read_is_not_shown() {
    assert_eq!(detected(20, Format::Binary, b"short"), None);
    assert_eq!(detected(1700, Format::Binary, b"\0\x09\0\x03"), None);
    assert_eq!(detected(1016, Format::Binary, b"\0\0\0\x07"), None);
}

#[test]
fn refuses_rows_that_are_not_what_was_described() {
    let plan = RowPlan::new([(ColumnRule::Detect, TEXT, Format::Text), (ColumnRule::Detect, TEXT, Format::Text)]);
    let mut out = BytesMut::from(&b"before"[..]);
    let mut attempt = |body: &[u8]| row(&plan, &Detectors::builtin(), body, &mut out, &mut MaskTally::new());
    assert_eq!(attempt(b"\0\x01\xFF\xFF\xFF\xFF"), Err(ReframeError::Columns { expected: 2, found: 1 }));
    assert!(matches!(attempt(b"\0\x02\0\0\0\x07a@b.com\0\0\0\x09x"), Err(ReframeError::Malformed(_))));
    assert!(matches!(attempt(b"\0\x02\0\0\0\x07a@b.com\0\0\0\x01xy"), Err(ReframeError::Malformed(_))));
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_run_keeps_clean_rows_as_they_are() {
    let plan = RowPlan::new([(ColumnRule::Detect, TEXT, Format::Text)]);
    let clean = message(&[Some(bytes("nothing here"))]);
    let dirty = message(&[Some(bytes("jane@example.com"))]);
    let (mut out, mut tally) = (BytesMut::new(), MaskTally::new());
    let run = Bytes::from([&clean[..], &clean].concat());
    assert_eq!(rows(&plan, &Detectors::builtin(), &run, &mut out, &mut tally), Ok(Outcome::Unchanged));
    assert!(out.is_empty() && tally.is_empty());

    let run = Bytes::from([&clean[..], &clean, &dirty, &clean, &dirty].concat());
    assert_eq!(rows(&plan, &Detectors::builtin(), &run, &mut out, &mut tally), Ok(Outcome::Rewritten));
    let hidden = message(&[Some(bytes("j****@*****.com"))]);
    assert_eq!(out, [&clean[..], &clean, &hidden, &clean, &hidden].concat()[..]);
    assert_eq!(scan_run(&out), (out.len(), 5));

    let broken = Bytes::from([&dirty[..], b"D\0\0\0\x05x"].concat());
    let mut out = BytesMut::from(&b"before"[..]);
    assert!(rows(&plan, &Detectors::builtin(), &broken, &mut out, &mut tally).is_err());
    assert_eq!(&out[..], b"before");
}

fn line(dialect: CopyDialect, body: &str) -> String {
    let mut out = BytesMut::new();
    copy_line(dialect, &Detectors::builtin(), body.as_bytes(), &mut out, &mut MaskTally::new());
    assert_eq!(out[0], tag::COPY_DATA);
    assert_eq!(u32::from_be_bytes(out[1..5].try_into().unwrap()) as usize, out.len() - 1);
    String::from_utf8(out[5..].to_vec()).unwrap()
}

#[test]
fn masks_copy_lines_without_touching_their_structure() {
    let tabs = CopyDialect::text(b'\t').unwrap();
    assert_eq!(line(tabs, "1\tjane@example.com\t\\N\n"), "1\tj****@*****.com\t\\N\n");
    assert_eq!(line(tabs, "a\\njane@example.com\n"), "a\\nj****@*****.com\n");
    assert_eq!(line(tabs, "1\tnothing\n"), "1\tnothing\n");
    let commas = CopyDialect::csv(b',', b'"', b'"').unwrap();
    assert_eq!(
        line(commas, "1,\"a, jane@example.com\",4111111111111111\n"),
        "1,\"a, j****@*****.com\",************1111\n"
    );
}

#[test]
fn refuses_copy_dialects_that_could_cut_a_value_up() {
    assert_eq!(CopyDialect::text(b'@'), Err(ReframeError::Dialect("delimiter")));
    assert_eq!(CopyDialect::text(b'-'), Err(ReframeError::Dialect("delimiter")));
    assert_eq!(CopyDialect::csv(b',', b'@', b'@'), Err(ReframeError::Dialect("quote")));
    assert_eq!(CopyDialect::csv(b',', b'"', b'@'), Err(ReframeError::Dialect("escape")));
}

#[test]
fn errors_show_only_what_cannot_quote_a_masked_value() {
    let fields = ErrorFields(
        [
            (b'S', "ERROR"),
            (b'C', "22P02"),
            (b'M', "invalid input syntax for type integer: \"jane@example.com\""),
            (b'D', "Key (email)=(jane@example.com)"),
            (b'W', "PL/pgSQL function"),
            (b'P', "8"),
            (b't', "customers"),
            (b'n', "customers_email_key"),
            (b'?', "unknown"),
        ]
        .map(|(code, text)| (code, text.to_owned()))
        .to_vec(),
    );
    let shown = |scope| mask_error(&fields, scope, &Detectors::builtin());
    let untagged = shown(ErrorScope::Untagged);
    assert_eq!(untagged.message(), "invalid input syntax for type integer: \"j****@*****.com\"");
    assert_eq!(untagged.field(b'D'), Some("Key (email)=(j****@*****.com)"));
    let elsewhere = shown(ErrorScope::TaggedElsewhere);
    assert_eq!((elsewhere.field(b'W'), elsewhere.field(b'?')), (None, None));
    assert_eq!(elsewhere.field(b'D'), Some("The server's details are withheld because they may quote a masked value."));
    let inside = shown(ErrorScope::TaggedInScope);
    assert_eq!(
        inside.message(),
        "the server's message is withheld because it may quote a masked value (SQLSTATE 22000)"
    );
    assert_eq!((inside.sqlstate(), elsewhere.sqlstate()), ("22000", "22P02"), "each letter could fail in another way");
    assert_eq!((inside.field(b'P'), inside.field(b't')), (Some("8"), Some("customers")));
    assert_eq!(inside.field(b'n'), Some("customers_email_key"));
}

#[test]
fn a_message_that_names_only_objects_stays_and_what_code_raised_does_not() {
    let shown = |fields: &[(u8, &str)]| {
        let fields = fields.iter().map(|(code, text)| (*code, (*text).to_owned())).collect();
        mask_error(&ErrorFields(fields), ErrorScope::TaggedInScope, &Detectors::none())
    };
    let duplicate = "duplicate key value violates unique constraint \"customers_email_key\"";
    let server = [(b'C', "23505"), (b'M', duplicate), (b'R', "_bt_check_unique"), (b'n', "customers_email_key")];
    assert_eq!((shown(&server).message(), shown(&server).field(b'n')), (duplicate, Some("customers_email_key")));
    let raised = [(b'C', "23505"), (b'M', "ann"), (b'F', "pl_exec.c"), (b'R', "exec_stmt_raise"), (b'c', "ann")];
    assert!(!shown(&raised).message().contains("ann"));
    for (code, routine, expected) in [
        ("22012", "int4div", "22000"),
        ("42P01", "RangeVarGetRelidExtended", "42000"),
        ("42P01", "parserOpenTable", "42P01"),
        ("0A000", "RevalidateCachedQuery", "0A000"),
        ("0A000", "timestamptz_trunc", "22000"),
        ("40001", "CheckForSerializableConflictOut", "40001"),
        ("00000", "exec_stmt_raise", "00000"),
    ] {
        let error = shown(&[(b'C', code), (b'M', "text"), (b'F', "int.c"), (b'L', "7"), (b'R', routine)]);
        assert_eq!(error.sqlstate(), expected, "{code} of {routine}");
        let names_place = error.field(b'R').is_some() || error.field(b'F').is_some() || error.field(b'L').is_some();
        assert_eq!(names_place, matches!(routine, "parserOpenTable" | "RevalidateCachedQuery"), "{code} of {routine}");
    }
    assert_eq!(shown(&raised).field(b'c'), None);
}

fn any_rule() -> impl Strategy<Value = ColumnRule> {
    let function = prop::sample::select(MaskFunction::ALL.to_vec());
    let conceal = || ColumnRule::Conceal { class: "pii".into() };
    prop_oneof![Just(ColumnRule::Pass), Just(ColumnRule::Detect), Just(conceal()), function.prop_map(rule)]
}

fn any_column() -> impl Strategy<Value = (ColumnRule, u32, Format, Option<Vec<u8>>)> {
    let oids = vec![16, 17, 20, 23, 25, 114, 701, 790, 1009, 1016, 1043, 1184, 1231, 1700, 2249, 3802, 99_999];
    let word = prop::sample::select(vec!["x", "jane@example.com", CARD, "\"", "\\", " ", "{", "é", "\u{1}"]);
    let words = prop::collection::vec(word, 0..8).prop_map(|words| words.concat().into_bytes());
    let value = prop_oneof![words, prop::collection::vec(any::<u8>(), 0..40)];
    let format = prop_oneof![Just(Format::Text), Just(Format::Binary)];
    (any_rule(), prop::sample::select(oids), format, prop::option::of(value))
}

proptest! {
    #[test]
    fn every_row_still_parses_and_shows_no_detected_value(columns in prop::collection::vec(any_column(), 0..6)) {
        let plan = RowPlan::new(columns.iter().map(|(rule, oid, format, _)| (rule.clone(), *oid, *format)));
        let cells: Cells = columns.iter().map(|(_, _, _, value)| value.clone()).collect();
        let after = masked(&plan, &cells);
        prop_assert_eq!(after.len(), cells.len());
        for ((rule, oid, format, before), after) in columns.iter().zip(&after) {
            let conceals = matches!(rule, ColumnRule::Conceal { .. });
            prop_assert!(conceals || before.is_some() || after.is_none());
            match rule {
                ColumnRule::Conceal { .. } => prop_assert!(after.is_none() || after.as_deref() == Some(b"[redacted]")),
                ColumnRule::Pass => prop_assert_eq!(before, after),
                ColumnRule::Mask { .. } => prop_assert!(after.is_none() || before != after || before.as_deref() == Some(b"*****")),
                ColumnRule::Detect if Shape::new(*oid, *format).is_harmless() => prop_assert_eq!(before, after),
                ColumnRule::Detect => {
                    let shown = after.clone().unwrap_or_default();
                    prop_assert!(memchr::memmem::find(&shown, b"jane@example.com").is_none());
                    prop_assert_ne!(Detectors::builtin().class_of(&shown), Some(DetectedClass::CreditCard));
                }
            }
        }
    }

    #[test]
    fn a_plan_that_passes_everything_gives_the_very_bytes(cells in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..30)), 0..8)) {
        let plan = RowPlan::new(cells.iter().map(|_| (ColumnRule::Pass, TEXT, Format::Text)));
        let wire = message(&cells);
        let mut out = BytesMut::new();
        row(&plan, &Detectors::builtin(), &wire[5..], &mut out, &mut MaskTally::new()).unwrap();
        prop_assert_eq!(out, wire);
    }

    #[test]
    fn a_run_is_masked_as_its_rows_are(values in prop::collection::vec("(jane@example\\.com|[a-z ]{0,9}|4111111111111111){0,3}", 0..9)) {
        let plan = RowPlan::new([(ColumnRule::Detect, TEXT, Format::Text)]);
        let (mut run, mut expected) = (BytesMut::new(), BytesMut::new());
        for value in &values {
            let wire = message(&[Some(bytes(value))]);
            run.extend_from_slice(&wire);
            row(&plan, &Detectors::builtin(), &wire[5..], &mut expected, &mut MaskTally::new()).unwrap();
        }
        let (run, mut out) = (run.freeze(), BytesMut::new());
        match rows(&plan, &Detectors::builtin(), &run, &mut out, &mut MaskTally::new()).unwrap() {
            Outcome::Unchanged => prop_assert_eq!(&run[..], &expected[..]),
            Outcome::Rewritten => prop_assert_eq!(out, expected),
        }
    }

    #[test]
    fn however_the_stream_is_split_the_same_comes_out(values in prop::collection::vec("(jane@example\\.com|[a-z ]{0,9}|4111111111111111){0,4}", 1..6), cuts in prop::collection::vec(1..40_usize, 0..30)) {
        let plan = RowPlan::new([(ColumnRule::Detect, TEXT, Format::Text)]);
        let (mut wire, mut expected) = (BytesMut::new(), BytesMut::new());
        for value in &values {
            let one = message(&[Some(bytes(value))]);
            wire.extend_from_slice(&one);
            row(&plan, &Detectors::builtin(), &one[5..], &mut expected, &mut MaskTally::new()).unwrap();
        }
        let (mut decoder, mut arrived, mut out) = (FrameDecoder::backend(), BytesMut::new(), BytesMut::new());
        for length in cuts.into_iter().chain([usize::MAX]) {
            arrived.extend_from_slice(&wire.split_to(length.min(wire.len())));
            while let Some(Piece::Frame(frame)) = decoder.next(&mut arrived).unwrap() {
                row(&plan, &Detectors::builtin(), &frame.body, &mut out, &mut MaskTally::new()).unwrap();
            }
        }
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn random_bodies_never_panic_and_leave_whole_messages(body in prop::collection::vec(any::<u8>(), 0..200), columns in prop::collection::vec(any_column(), 0..4)) {
        let plan = RowPlan::new(columns.into_iter().map(|(rule, oid, format, _)| (rule, oid, format)));
        let (mut out, mut tally) = (BytesMut::new(), MaskTally::new());
        let fine = row(&plan, &Detectors::builtin(), &body, &mut out, &mut tally).is_ok();
        prop_assert_eq!(fine, !out.is_empty());
        let mut line = BytesMut::new();
        write_frame(tag::COPY_DATA, &mut line, |out| out.put_slice(&body));
        let mut masked = BytesMut::new();
        copy_line(CopyDialect::Text, &Detectors::builtin(), &body, &mut masked, &mut tally);
        prop_assert_eq!(scan_run(&masked), (masked.len(), 1));
    }
}
