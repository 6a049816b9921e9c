//! The table of the fast path, and calls that lie.

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    super::{Masking, Sight, tests::PUBLIC_FIRST, tests::sight, understand},
    *,
};
use crate::{
    mask::{DetectedClass, Detectors, MaskFunction},
    model::Effect,
};

fn call(function: u32, arguments: &[Option<&[u8]>], format: Format) -> FunctionCall {
    FunctionCall {
        function,
        argument_formats: vec![format],
        arguments: arguments.iter().map(|value| value.map(Bytes::copy_from_slice)).collect(),
        result_format: Format::Binary,
    }
}

fn binary(function: u32, arguments: &[&[u8]]) -> FunctionCall {
    call(function, &arguments.iter().map(|value| Some(*value)).collect::<Vec<_>>(), Format::Binary)
}

#[test]
fn every_call_is_decided_as_its_select_by_what_it_does_at_worst() {
    for routine in &ROUTINES {
        let text = understand(routine.text, &sight(&[], PUBLIC_FIRST)).unwrap();
        let understood = Routine::understood(&text);
        let [operation] = &*understood.operations else { panic!("one operation") };
        let changes = ["lo_create", "lo_creat", "lowrite", "lo_unlink", "lo_truncate", "lo_truncate64"];
        let effect = if changes.contains(&routine.name) { Effect::Write } else { Effect::Read };
        assert_eq!((&*operation.kind, operation.effect), ("function_call", effect), "{}", routine.name);
        let named = |access: &crate::model::Access| {
            access.object.as_ref().is_some_and(|object| object.to_string() == format!("pg_catalog.{}", routine.name))
        };
        assert!(operation.accesses.iter().any(named), "{operation:?}");
        assert_eq!(operation.accesses, text.operations[0].accesses);
        assert_eq!(understood.masking, Masking::Untouched);
    }
}

#[test]
fn what_a_large_object_holds_is_refused_where_anything_is_masked() {
    let detecting = Sight {
        detectors: Detectors::none().with(DetectedClass::Email, MaskFunction::Redact),
        ..sight(&[], PUBLIC_FIRST)
    };
    for sight in [sight(&["email"], PUBLIC_FIRST), detecting] {
        for routine in &ROUTINES {
            let understood = understand(routine.text, &sight).unwrap();
            let is_refused = matches!(understood.masking, Masking::Refused(_));
            assert_eq!(is_refused, routine.gives_content(), "{}", routine.name);
        }
        for text in ["select lo_get(1)", "explain analyze select 1 where loread(0, 1) <> ''"] {
            assert!(matches!(understand(text, &sight).unwrap().masking, Masking::Refused(_)), "{text}");
        }
    }
}

#[test]
fn the_record_keeps_no_content_where_something_is_tagged_or_detected() {
    let understood = understand("select pg_catalog.loread($1, $2)", &sight(&[], PUBLIC_FIRST)).unwrap();
    assert!(matches!(understood.record_masking, Masking::Refused(_)), "{understood:?}");
}

#[test]
fn no_other_function_has_a_rule() {
    // lo_import, lo_export, nextval, set_config, lo_from_bytea, lo_get, lo_put, pg_read_file.
    for oid in [0, 764, 765, 767, 1574, 2078, 3457, 3458, 3459, 3460, 2624, u32::MAX] {
        assert_eq!(routine_of(&binary(oid, &[])), Err(CallError::Function(oid)));
    }
}

#[test]
fn a_call_that_lies_has_no_rule() {
    let four: &[u8] = &[0, 0, 0, 1];
    assert_eq!(routine_of(&binary(952, &[four])), Err(CallError::Count { given: 1, needed: 2 }));
    assert_eq!(routine_of(&binary(952, &[four, four, four])), Err(CallError::Count { given: 3, needed: 2 }));
    assert_eq!(routine_of(&binary(952, &[four, &[0; 8]])), Err(CallError::Argument(2)));
    assert_eq!(routine_of(&binary(3172, &[four, four])), Err(CallError::Argument(2)));
    assert_eq!(routine_of(&call(964, &[Some(b"1; drop")], Format::Text)), Err(CallError::Argument(1)));
    let none_for_the_second =
        FunctionCall { argument_formats: vec![Format::Text, Format::Text], ..binary(3170, &[b"1", b"1", b"1"]) };
    assert_eq!(routine_of(&none_for_the_second), Err(CallError::Argument(3)));
    assert_eq!(routine_of(&binary(954, &[four, &i32::MAX.to_be_bytes()])), Err(CallError::TooMuch));
    assert_eq!(routine_of(&call(954, &[Some(b"0"), Some(b" 99999999 ")], Format::Text)), Err(CallError::TooMuch));
    assert_eq!(routine_of(&call(954, &[Some(b"0"), None], Format::Text)).map(|routine| routine.oid), Ok(954));
    assert_eq!(routine_of(&binary(954, &[four, &(-1_i32).to_be_bytes()])).map(|routine| routine.oid), Ok(954));
}

proptest! {
    #[test]
    fn any_call_has_a_rule_only_where_it_fits(
        function in prop_oneof![prop::sample::select(ROUTINES.iter().map(|one| one.oid).collect::<Vec<_>>()), any::<u32>()],
        formats in prop::collection::vec(prop_oneof![Just(Format::Text), Just(Format::Binary)], 0..4),
        arguments in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..9)), 0..4),
    ) {
        let arguments: Vec<Option<Bytes>> = arguments.into_iter().map(|value| value.map(Bytes::from)).collect();
        let call = FunctionCall { function, argument_formats: formats, arguments, result_format: Format::Text };
        if let Ok(routine) = routine_of(&call) {
            prop_assert_eq!(routine.oid, function);
            prop_assert_eq!(routine.arguments.len(), call.arguments.len());
            prop_assert_eq!(routine.recorded_types().len(), call.arguments.len());
        }
    }
}
