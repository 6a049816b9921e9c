//! Tests of JSON: order, bounds, names that stand twice, and masks.

use proptest::prelude::*;

use super::*;
use crate::mask::Detectors;

#[test]
fn keeps_the_order_and_refuses_a_name_that_stands_twice() {
    let text = r#"{"b":1,"a":[true,null,"x",-2.5]}"#;
    assert_eq!(Json::parse(text.as_bytes()).unwrap().write(), text);
    let twice = Json::parse(br#"{"model":"small","model":"large"}"#).unwrap_err();
    assert!(twice.to_string().contains("named twice"), "{twice}");
    let escaped = Json::parse(b"{\"model\":\"small\",\"mode\\u006c\":\"large\"}");
    assert!(escaped.is_err(), "an escape makes it no other name");
}

#[test]
fn depth_is_bounded_and_errors_show_nothing_of_the_body() {
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert!(Json::parse(deep.as_bytes()).unwrap_err().to_string().contains("nested too deep"));
    let fits = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert!(Json::parse(fits.as_bytes()).is_ok());
    for broken in
        [&b"{\"secret-value\" \"hunter2\"}"[..], b"hunter2", b"{} hunter2", b"", b"1e999", b"\"\xff hunter2\""]
    {
        let error = Json::parse(broken).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_same_value_is_the_same_canonical_text() {
    let one = Json::parse(br#"{"b":{"d":1,"c":"x"},"a":[]}"#).unwrap();
    let other = Json::parse(br#" { "a" : [ ], "b": {"c":"\u0078", "d":1} } "#).unwrap();
    assert_eq!(one.canonical(), other.canonical());
}

#[test]
fn every_text_is_masked_and_plain_words_of_kept_members_stay() {
    let mut json = Json::parse(
        br#"{"type":"text","role":"ada@example.com","ada@example.com":1,"n":4111111111111111,"t":1700000000,
            "deep":[{"x":"call ada\u0040example.com"}]}"#,
    )
    .unwrap();
    let mut tally = Tally::default();
    json.mask(&Detectors::builtin(), &["type", "role"], &mut tally);
    let text = json.write();
    assert!(!text.contains("ada@") && !text.contains("411111111111"), "{text}");
    assert!(text.contains("\"type\":\"text\"") && text.contains("\"t\":1700000000"), "{text}");
    assert_eq!(tally.by_name().get("email"), Some(&3));
}

#[test]
fn leaves_have_places() {
    let json = Json::parse(br#"{"a":{"b":[1,"x"]},"c":true}"#).unwrap();
    let leaves = json.leaves(10);
    let shown: Vec<_> = leaves.iter().map(|(place, text)| format!("{place}={text}")).collect();
    assert_eq!(shown, ["a.b.0=1", "a.b.1=x", "c=true"]);
    assert_eq!(json.leaves(2).len(), 2);
}

fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(|number| Json::Number(number.into())),
        ".{0,12}".prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let members = prop::collection::btree_map("[a-z]{0,6}", inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Json::List),
            members.prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_parsed_again(json in document()) {
        prop_assert_eq!(Json::parse(json.canonical().as_bytes()).unwrap().canonical(), json.canonical());
        prop_assert_eq!(Json::parse(json.write().as_bytes()).unwrap(), json);
    }
}
