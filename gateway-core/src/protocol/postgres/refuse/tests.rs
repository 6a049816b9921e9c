//! What a client reads after a refusal, field by field.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    model::{GroupName, Quorum, RuleId},
    protocol::postgres::{
        codec::{FrameDecoder, Piece, parse_backend},
        message::backend::Backend,
    },
};

fn read(mut wire: BytesMut) -> Backend {
    let Ok(Some(Piece::Frame(frame))) = FrameDecoder::backend().next(&mut wire) else { panic!("no frame") };
    assert!(wire.is_empty());
    parse_backend(&frame).unwrap()
}

fn error(wire: BytesMut) -> ErrorFields {
    let Backend::Error(fields) = read(wire) else { panic!("not an error") };
    fields
}

fn session() -> SessionId {
    SessionId::new(1_000, [7; 10])
}

fn refused(kind: RefusalKind, rule: Option<&str>) -> Refusal {
    Refusal {
        kind,
        rule: rule.map(|rule| RuleId(rule.into())),
        message: "Dropping tables is not allowed in production.".to_owned(),
        hint: Some("rename it instead".to_owned()),
    }
}

#[test]
fn a_refusal_names_sqlstate_rule_session_and_next_step() {
    let mut wire = BytesMut::new();
    refusal(&refused(RefusalKind::Policy, Some("no-drop")), &session(), &mut wire);
    let fields = error(wire);
    assert_eq!(fields.severity(), "ERROR");
    assert_eq!(fields.sqlstate(), "42501");
    assert_eq!(fields.message(), "dropping tables is not allowed in production");
    assert_eq!(fields.field(b'D'), Some(format!("Rule no-drop · session {}.", session()).as_str()));
    assert_eq!(fields.field(b'H'), Some("Rename it instead."));
}

#[test]
fn every_kind_has_its_sqlstate_and_a_reason_without_a_rule() {
    let expected = [
        (RefusalKind::Policy, "42501"),
        (RefusalKind::Denied, "42501"),
        (RefusalKind::Expired, "57014"),
        (RefusalKind::Unmaskable, "42501"),
        (RefusalKind::Unsupported, "0A000"),
        (RefusalKind::Unrecorded, "58030"),
    ];
    for (kind, sqlstate) in expected {
        let mut wire = BytesMut::new();
        fatal_refusal(&refused(kind, None), &session(), &mut wire);
        let fields = error(wire);
        assert_eq!((fields.severity(), fields.sqlstate()), ("FATAL", sqlstate));
        assert!(fields.field(b'D').is_some_and(|detail| detail.contains("· session ses_")));
    }
}

#[test]
fn a_syntax_error_carries_the_position() {
    let mut wire = BytesMut::new();
    syntax_error(&crate::sql::inspect("selec").expect_err("no statement"), &mut wire);
    let fields = error(wire);
    assert_eq!((fields.sqlstate(), fields.field(b'P')), ("42601", Some("1")));
}

#[test]
fn keeps_keywords_at_the_start_of_a_message() {
    assert_eq!(primary("DELETE needs a WHERE.", "x"), "DELETE needs a WHERE");
    assert_eq!(primary("  ", "fallback"), "fallback");
}

#[test]
fn a_hold_says_who_can_approve_until_when_and_how() {
    let need = ApprovalNeed {
        window: None,
        shape: None,
        quorums: vec![Quorum { count: 2, group: GroupName::new("dba").unwrap() }],
        rules: Vec::new(),
        message: None,
        expires_after: Duration::from_mins(15),
        step_up: Vec::new(),
    };
    let request = ApprovalId::new(1, [7; 5]);
    let mut wire = BytesMut::new();
    let expected = Expected { rows: 12_000, percent: Some(96), changes: true };
    hold_notice(&request, &need, Some(expected), "in 15 minutes", &mut wire);
    let Backend::Notice(fields) = read(wire) else { panic!("not a notice") };
    assert_eq!(fields.severity(), "NOTICE");
    assert_eq!(fields.message(), format!("waiting for approval {request} by 2 of dba"));
    let detail = fields.field(b'D').unwrap();
    assert!(detail.contains("expires in 15 minutes"), "{detail}");
    assert!(
        detail.starts_with("It touches about 12,000 rows, 96 % of the table, as the planner estimates. "),
        "{detail}"
    );
    for (rows, percent, changes, said) in [
        (1, None, true, "It touches about 1 row, as"),
        (999, Some(3), false, "It returns about 999 rows, 3 % of the table, as"),
        (1_234_567, None, false, "It returns about 1,234,567 rows, as"),
    ] {
        let mut wire = BytesMut::new();
        hold_notice(&request, &need, Some(Expected { rows, percent, changes }), "soon", &mut wire);
        let Backend::Notice(fields) = read(wire) else { panic!("not a notice") };
        assert!(fields.field(b'D').unwrap().starts_with(said), "{fields:?}");
    }
    assert!(fields.field(b'H').unwrap().ends_with(&format!("hoop approvals approve {request}")));
}

#[test]
fn a_broken_stream_is_fatal_and_a_broken_body_is_not() {
    for (error_kind, severity) in
        [(CodecError::Length { tag: b'Q', length: 1 }, "FATAL"), (CodecError::Trailing { tag: b'Q' }, "ERROR")]
    {
        let mut wire = BytesMut::new();
        protocol_error(&error_kind, &session(), &mut wire);
        assert_eq!(error(wire).severity(), severity);
    }
    let mut wire = BytesMut::new();
    oversize(2_000_000, 1_048_576, &session(), &mut wire);
    assert_eq!(error(wire).sqlstate(), "54000");
}

proptest! {
    #[test]
    fn no_field_holds_a_control_character_or_grows_without_bound(message in "\\PC{0,20}[\\x00-\\x1f\\x7f\u{202e}]{0,9}.{0,900}", hint in any::<String>()) {
        let refusal_value = Refusal { kind: RefusalKind::Policy, rule: Some(RuleId(hint.clone().into())), message, hint: Some(hint) };
        let mut wire = BytesMut::new();
        refusal(&refusal_value, &session(), &mut wire);
        prop_assert!(wire.len() < 12_000);
        for (_, text) in error(wire).0 {
            prop_assert!(!text.chars().any(|found| found.is_control() || found == '\u{202e}'), "{:?}", text);
        }
    }
}
