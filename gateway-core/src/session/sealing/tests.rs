//! What principals see of rows, and what the record keeps of rows, texts and parameters.

use bytes::{BufMut as _, Bytes};

use super::*;
use crate::{
    mask::DetectedClass,
    protocol::postgres::{
        inspect::{
            tests::{CUSTOMERS, ORDERS, PUBLIC_FIRST, sight},
            understand,
        },
        message::Text,
    },
};

const INTEGER: u32 = 23;
const TEXT: u32 = 25;
const BYTES: u32 = 17;
/// No relation of the sample.
const STRANGER: u32 = 9_999;

fn field(table_oid: u32, column: i16, type_oid: u32, format: Format) -> Field {
    Field { name: Text::copied("c").unwrap(), table_oid, column, type_oid, size: -1, modifier: -1, format }
}

fn text_field(table_oid: u32, column: i16) -> Field {
    field(table_oid, column, TEXT, Format::Text)
}

fn body(cells: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_u16(u16::try_from(cells.len()).unwrap());
    for cell in cells {
        body.put_i32(cell.map_or(-1, |cell| i32::try_from(cell.len()).unwrap()));
        body.put_slice(cell.unwrap_or_default());
    }
    body
}

/// One row of `shown` in every column, as the principal sees it.
fn seen(fields: &[Field], masking: &Masking, sight: &Sight, shown: &str) -> Vec<String> {
    let cells = vec![Some(shown.as_bytes()); fields.len()];
    let plan = match treatment(fields, masking, 0, true, sight) {
        RowTreatment::Pass => return vec![shown.to_owned(); fields.len()],
        RowTreatment::Plan(plan) => plan,
        RowTreatment::Undescribed => panic!("described rows are treated as if they were not"),
    };
    let mut out = BytesMut::new();
    reframe::row(&plan, &sight.detectors, &body(&cells), &mut out, &mut MaskTally::new()).unwrap();
    let mut row = DataRow::new(&out[5..]).unwrap();
    let mut seen = Vec::new();
    while let Some(cell) = row.next_cell().unwrap() {
        seen.push(String::from_utf8(cell.unwrap().to_vec()).unwrap());
    }
    seen
}

fn masking(text: &str, sight: &Sight) -> Masking {
    understand(text, sight).unwrap().masking
}

fn sealer() -> Sealer {
    Sealer::new(&[7; 32]).unwrap()
}

const HIDDEN: &str = "[redacted]";

#[test]
fn a_column_is_treated_by_the_table_that_the_server_names() {
    let sight = sight(&["email"], PUBLIC_FIRST);
    let masking = masking("select name, email, card from customers", &sight);
    let fields = [text_field(CUSTOMERS, 2), text_field(CUSTOMERS, 3), text_field(CUSTOMERS, 4)];
    assert_eq!(seen(&fields, &masking, &sight, "ann"), ["ann", HIDDEN, "ann"]);
    // Where the server describes something else than the text says, nothing is proven.
    assert_eq!(seen(&[text_field(CUSTOMERS, 3)], &masking, &sight, "ann"), [HIDDEN]);
}

#[test]
fn an_expression_is_treated_by_its_lineage() {
    let sight = sight(&["email"], PUBLIC_FIRST);
    let masking = masking("select length(name), upper(email) from customers", &sight);
    assert_eq!(seen(&[text_field(0, 0), text_field(0, 0)], &masking, &sight, "3"), ["3", HIDDEN]);
    // With another number of columns than the text promised, nothing is proven.
    assert_eq!(seen(&[text_field(0, 0)], &masking, &sight, "3"), [HIDDEN]);
}

#[test]
fn a_table_that_the_snapshot_does_not_know_is_hidden() {
    let sight = sight(&["email"], PUBLIC_FIRST);
    let masking = masking("select name from customers", &sight);
    assert_eq!(seen(&[text_field(STRANGER, 1)], &masking, &sight, "ann"), [HIDDEN]);
    assert_eq!(seen(&[text_field(ORDERS, 1)], &masking, &sight, "ann"), [HIDDEN], "not what the text says");
    assert_eq!(seen(&[text_field(CUSTOMERS, 2)], &masking, &sight, "ann"), ["ann"]);
}

#[test]
fn a_relation_that_the_text_does_not_name_is_hidden_where_nothing_was_thought_to_be_masked() {
    let sight = sight(&["email"], PUBLIC_FIRST);
    let masking = masking("select name from orders", &sight);
    assert_eq!(masking, Masking::Untouched);
    assert_eq!(seen(&[text_field(STRANGER, 1)], &masking, &sight, "ann"), [HIDDEN], "a view made since");
    assert_eq!(seen(&[text_field(CUSTOMERS, 3)], &masking, &sight, "ann"), [HIDDEN], "another meaning of the name");
    assert_eq!(seen(&[text_field(ORDERS, 2)], &masking, &sight, "ann"), ["ann"]);
}

#[test]
fn each_statement_of_a_message_has_columns_of_its_own() {
    let sight = sight(&["email"], PUBLIC_FIRST);
    let masking = masking("select upper(email) from customers; select 1", &sight);
    let shown = |statement| {
        let columns = [Described::of(&text_field(0, 0), true, &sight)];
        rules(&columns, &masking, statement, &veils(&sight)).remove(0)
    };
    assert!(matches!(shown(0), reframe::ColumnRule::Conceal { .. }));
    assert_eq!(shown(1), reframe::ColumnRule::Detect);
    assert!(matches!(shown(2), reframe::ColumnRule::Conceal { .. }), "a statement that the text does not have");
}

#[test]
fn what_is_made_of_a_masked_column_hides_even_null() {
    let sight = sight(&["email"], PUBLIC_FIRST);
    let masking = masking("select nullif(email, 'x'), length(email) from customers", &sight);
    let fields = [text_field(0, 0), field(0, 0, INTEGER, Format::Binary)];
    let RowTreatment::Plan(plan) = treatment(&fields, &masking, 0, true, &sight) else { panic!("nothing is hidden") };
    for cells in [[None, None], [Some(&b"x"[..]), Some(&[0, 0, 0, 1])]] {
        let mut out = BytesMut::new();
        reframe::row(&plan, &sight.detectors, &body(&cells), &mut out, &mut MaskTally::new()).unwrap();
        assert_eq!(out[5..], body(&[Some(HIDDEN.as_bytes()), None]));
    }
}

#[test]
fn rows_of_a_refused_text_are_hidden_whole() {
    let sight = sight(&["email"], PUBLIC_FIRST);
    let masking = masking("create table copied as select * from customers", &sight);
    assert!(matches!(masking, Masking::Refused(_)));
    assert_eq!(seen(&[text_field(CUSTOMERS, 2)], &masking, &sight, "ann"), [HIDDEN]);
}

#[test]
fn rows_pass_where_nothing_is_masked_and_are_searched_where_detectors_are() {
    let mut sight = sight(&[], PUBLIC_FIRST);
    let fields = [text_field(CUSTOMERS, 3)];
    let masking = masking("select email from customers", &sight);
    assert!(matches!(treatment(&fields, &masking, 0, true, &sight), RowTreatment::Pass));
    sight.detectors = Detectors::none().with(DetectedClass::Email, MaskFunction::Redact);
    assert_eq!(seen(&fields, &masking, &sight, "to ann@example.com"), ["to [email]"]);
    // A type that holds no text needs no search.
    let integers = [field(ORDERS, 1, 16, Format::Binary)];
    assert!(matches!(treatment(&integers, &masking, 0, true, &sight), RowTreatment::Pass));
}

fn capture(cap: usize, text: &str, fields: &[Field], rows: &[Vec<u8>]) -> Option<(String, bool)> {
    let sight = sight(&[], PUBLIC_FIRST);
    let understood = understand(text, &sight).unwrap();
    let mut capture = Capture::new(cap, &understood);
    capture.describe(fields, &understood, 0, &sight);
    for row in rows {
        capture.row(row, &sight.record_detectors);
    }
    capture.take()
}

#[test]
fn the_record_is_masked_whatever_the_principal_may_see() {
    let fields = [text_field(CUSTOMERS, 2), text_field(CUSTOMERS, 3), text_field(CUSTOMERS, 4)];
    let row = body(&[Some(b"to bob@example.org"), Some(b"ann"), Some(b"4111111111111111")]);
    let (kept, truncated) = capture(4096, "select name, email, card from customers", &fields, &[row]).unwrap();
    assert!(!truncated);
    assert!(kept.starts_with("{\"columns\":[\"c\",\"c\",\"c\"]}\n"), "{kept}");
    for hidden in ["bob@", "ann", "411111111111"] {
        assert!(!kept.contains(hidden), "{hidden} in {kept}");
    }
    assert!(kept.contains("1111\"]"), "a card keeps its last four: {kept}");
}

#[test]
fn what_the_record_cannot_mask_is_not_kept() {
    let kept = capture(4096, "select score(1)", &[text_field(0, 0)], &[body(&[Some(b"ann")])]);
    assert_eq!(kept, Some((String::new(), true)));
}

#[test]
fn binary_cells_are_readable() {
    let fields = [
        field(ORDERS, 1, INTEGER, Format::Binary),
        field(ORDERS, 2, BYTES, Format::Binary),
        field(ORDERS, 3, TEXT, Format::Binary),
        field(ORDERS, 4, 16, Format::Binary),
        field(ORDERS, 5, TEXT, Format::Text),
    ];
    let row = body(&[Some(&(-42_i32).to_be_bytes()), Some(&[0, 255]), Some("ü".as_bytes()), Some(&[1]), None]);
    let (kept, truncated) = capture(4096, "select * from orders", &fields, &[row]).unwrap();
    assert_eq!((kept.lines().nth(1), truncated), (Some(r#"["-42","\\x00ff","ü","true",null]"#), false));
}

#[test]
fn values_of_a_wrong_size_are_shown_as_bytes() {
    for type_oid in [20, 21, 23, 26, 700, 701] {
        assert_eq!(readable(&[1, 2, 3], Format::Binary, type_oid), "\\x010203");
    }
    assert_eq!(readable(&1.5_f64.to_be_bytes(), Format::Binary, 701), "1.5");
    assert_eq!(readable(b"ab", Format::Binary, 0), "ab");
    assert_eq!(readable(b"a\x01", Format::Binary, 0), "\\x6101");
}

#[test]
fn the_record_ends_at_its_cap_and_says_so() {
    let rows: Vec<Vec<u8>> = (0..100).map(|_| body(&[Some(b"0123456789")])).collect();
    let (kept, truncated) = capture(100, "select * from orders", &[text_field(ORDERS, 1)], &rows).unwrap();
    assert!(truncated && kept.len() <= 100);
    assert_eq!(kept.lines().count(), 1 + (100 - "{\"columns\":[\"c\"]}\n".len()) / "[\"0123456789\"]\n".len());
    assert!(kept.ends_with("[\"0123456789\"]\n"), "whole lines only: {kept}");
    assert_eq!(capture(0, "select * from orders", &[text_field(ORDERS, 1)], &rows), None);
}

#[test]
fn a_row_that_is_no_row_ends_the_record() {
    let row = body(&[Some(b"one"), Some(b"two")]);
    let (kept, truncated) = capture(4096, "select * from orders", &[text_field(ORDERS, 1)], &[row]).unwrap();
    assert!(truncated && !kept.contains("one"));
}

#[test]
fn copied_lines_are_kept_only_where_nothing_is_tagged() {
    let sight = sight(&[], PUBLIC_FIRST);
    let understood = understand("copy orders to stdout", &sight).unwrap();
    let mut kept = Capture::new(4096, &understood);
    kept.copy_starts(false, &understood.record_masking);
    kept.copy_line(b"1\tann@example.com\n", &sight.record_detectors);
    let (text, truncated) = kept.take().unwrap();
    assert!(!truncated && text.starts_with("[\"1\\t") && !text.contains("ann@"), "{text}");
    for (binary, masking) in [(true, Masking::Untouched), (false, Masking::Rows([None].into()))] {
        let mut cut = Capture::new(4096, &understood);
        cut.copy_starts(binary, &masking);
        cut.copy_line(b"1\n", &sight.record_detectors);
        assert!(!cut.wants_more());
        assert_eq!(cut.take(), Some((String::new(), true)));
    }
}

#[test]
fn texts_are_recorded_without_their_tagged_values_and_secrets() {
    let sight = sight(&[], PUBLIC_FIRST);
    let shown = |sql: &str| {
        let understood = understand(sql, &sight).unwrap();
        let sealed = text(&understood, &sealer());
        (sealed.shown().to_owned(), sealed.parts().len())
    };
    assert_eq!(shown("select 1 from orders"), ("select 1 from orders".to_owned(), 0));
    let (sealed, parts) = shown("select id from customers where email = 'ann@example.com'");
    assert!(parts == 1 && !sealed.contains("ann@"), "{sealed}");
    let (dropped, parts) = shown("create role r password 'hunter2'");
    assert!(parts == 0 && !dropped.contains("hunter2"), "{dropped}");
}

#[test]
fn constants_of_a_text_that_cannot_be_read_start_at_a_quote_a_dollar_or_a_digit() {
    for (text, before) in [
        ("selec 'ann'", "selec "),
        ("selec t1 from x2", "selec t1 from x2"),
        ("selec t1 = 17", "selec t1 = "),
        ("selec $q$ann$q$", "selec "),
        ("é4 'x'", "é4 "),
    ] {
        assert_eq!(text.split_at(first_constant(text)).0, before);
    }
}

#[test]
fn a_parameter_of_a_tagged_column_is_sealed_whole_and_others_where_detected() {
    let class: Arc<str> = Arc::from("person");
    let whole = sealed_value("ann", Some(&class), &Detectors::builtin(), &sealer());
    assert!(!whole.shown().contains("ann"));
    assert_eq!(whole.parts()[0].class, "person");
    assert_eq!(sealed_value("ann", None, &Detectors::builtin(), &sealer()).shown(), "ann");
    let found = sealed_value("to ann@example.com", None, &Detectors::builtin(), &sealer());
    assert!(found.shown().starts_with("to ") && !found.shown().contains("ann@"));
}

#[test]
fn a_long_parameter_keeps_its_start_its_length_and_its_digest() {
    let value = Bytes::from("é".repeat(10));
    let cut = cut_value(&"é".repeat(10), 5, &value, &Detectors::none());
    assert!(cut.starts_with("éé… (20 bytes, SHA-256 ") && cut.len() > 64, "{cut}");
    // A value that the cut would halve does not start to show.
    let value = "to ann@example.com";
    let cut = cut_value(value, 8, value.as_bytes(), &Detectors::builtin());
    assert!(cut.starts_with("to … ("), "{cut}");
}
