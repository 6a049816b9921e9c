//! Names resolve as the server would resolve them, and calls add the verb of what they may do.

use bytes::Bytes;

use super::{super::*, PUBLIC_FIRST, sight, understood};
use crate::protocol::postgres::message::{Format, Text};

/// Every `verb schema.name` of a text.
fn asked(text: &str, path: &[&str]) -> Vec<String> {
    let understood = understand(text, &sight(&[], path)).unwrap();
    let accesses = understood.operations.iter().flat_map(|operation| &operation.accesses);
    accesses
        .map(|access| match &access.object {
            Some(object) => format!("{} {}.{}", access.verb.as_str(), object.schema, object.name),
            None => access.verb.as_str().to_owned(),
        })
        .collect()
}

fn asks(text: &str, wanted: &str) {
    let asked = asked(text, PUBLIC_FIRST);
    assert!(asked.iter().any(|one| one == wanted), "{text} asks for {asked:?}, not {wanted}");
}

#[test]
fn a_bare_name_is_the_first_on_the_search_path() {
    let text = "select * from customers";
    assert_eq!(asked(text, PUBLIC_FIRST), ["select public.customers"]);
    assert_eq!(asked(text, &["pg_catalog", "app", "public"]), ["select app.customers"]);
    assert_eq!(asked(text, &["pg_catalog"]), ["select ?.customers"]);
    assert_eq!(asked("select * from pg_settings", PUBLIC_FIRST), ["select pg_catalog.pg_settings"]);
}

#[test]
fn a_given_schema_is_taken_at_its_word() {
    assert_eq!(asked("select * from app.customers", PUBLIC_FIRST), ["select app.customers"]);
    assert_eq!(asked("select * from app.nowhere", PUBLIC_FIRST), ["select app.nowhere"]);
    assert_eq!(asked("select * from public.customers", &["pg_catalog"]), ["select public.customers"]);
}

#[test]
fn a_name_that_is_nowhere_is_unresolved_with_a_schema_or_without() {
    assert!(understood("select * from nowhere").unresolved);
    assert!(understood("select 1; drop table nowhere").unresolved);
    assert!(!understood("select * from customers").unresolved);
    assert!(understood("select * from app.nowhere").unresolved, "somebody may have made it since");
    assert!(!understood("create table app.nowhere (id int)").unresolved);
    assert!(!understood("select unheard_of(1)").unresolved, "a call is not looked up");
}

#[test]
fn what_is_created_goes_to_the_first_schema_that_takes_it() {
    let text = "create table fresh (id int)";
    let created = |path: &[&str]| asked(text, path).into_iter().find(|one| one.contains(".fresh"));
    assert_eq!(created(PUBLIC_FIRST).as_deref(), Some("create public.fresh"));
    assert_eq!(created(&["pg_temp_3", "pg_catalog", "app", "public"]).as_deref(), Some("create app.fresh"));
    assert_eq!(created(&["pg_catalog"]).as_deref(), Some("create ?.fresh"));
    assert_eq!(asked("drop table fresh", PUBLIC_FIRST), ["drop ?.fresh"]);
}

#[test]
fn a_user_function_may_stand_in_for_a_built_in_one() {
    asks("select lower(name) from orders", "call_function public.lower");
    asks("select lower('A')", "call_function public.lower");
    assert!(!asked("select lower('A')", &["pg_catalog", "app"]).contains(&"call_function public.lower".to_owned()));
    let built_in = understood("select pg_catalog.lower('A'), upper('b')");
    assert_eq!(built_in.operations[0].effect, Effect::Read);
    assert!(built_in.operations[0].accesses.iter().all(|access| access.verb == Verb::Select));
}

#[test]
fn an_unknown_function_could_do_anything() {
    asks("select unheard_of(1)", "call_function ?.unheard_of");
    asks("select pg_catalog.unheard_of(1)", "call_function pg_catalog.unheard_of");
    asks("select app.upper('a')", "call_function app.upper");
    let operation = &understood("select unheard_of(1)").operations[0];
    assert!(operation.effect == Effect::Exec && operation.risk >= 70);
    assert!(operation.risk_reasons.iter().any(|reason| reason.contains("function")));
}

#[test]
fn a_dangerous_built_in_has_the_verb_of_what_it_does() {
    asks("select pg_read_file('/etc/passwd')", "copy_file ?.pg_read_file");
    asks("select pg_catalog.pg_terminate_backend(1)", "alter_system pg_catalog.pg_terminate_backend");
    asks("select nextval('s')", "update ?.nextval");
    assert_eq!(understood("select nextval('s')").operations[0].effect, Effect::Write);
}

#[test]
fn a_column_that_could_be_a_call_is_one() {
    asks("select c.score from customers c", "call_function public.score");
    assert_eq!(asked("select c.name from customers c", PUBLIC_FIRST), ["select public.customers"]);
}

#[test]
fn writes_to_the_catalogue_are_not_understood() {
    let operation = &understood("update pg_settings set setting = 'x' where name = 'y'").operations[0];
    assert!(operation.effect == Effect::Unknown && operation.risk >= 90);
    assert!(operation.accesses.contains(&Access { verb: Verb::Unknown, object: None }));
}

#[test]
fn a_text_without_statements_is_one_empty_operation() {
    for text in ["", ";", " ;; ", "-- nothing", "/* nothing */"] {
        let understood = understood(text);
        let [operation] = &*understood.operations else { panic!("{text} has {:?}", understood.operations) };
        assert_eq!((&*operation.kind, operation.effect, understood.statements), ("empty", Effect::Session, 0));
        assert_eq!((&*operation.text, operation.accesses.len()), (text, 1));
        assert!(!understood.changes_catalogue && !understood.unresolved);
    }
}

#[test]
fn each_statement_is_an_operation_that_knows_their_number() {
    let understood = understood("select 1; delete from orders; create table fresh (id int)");
    let kinds: Vec<&str> = understood.operations.iter().map(|operation| &*operation.kind).collect();
    assert_eq!(kinds, ["select", "delete", "create_table"]);
    assert!(understood.operations.iter().all(|operation| operation.statements == 3));
    assert!(understood.changes_catalogue && understood.statements == 3);
}

#[test]
fn copies_and_changes_are_noted() {
    let noted = |text| {
        let understood = understood(text);
        (understood.copies_in, understood.copies_csv, understood.changes_catalogue)
    };
    assert_eq!(noted("copy orders from stdin"), (true, false, false));
    assert_eq!(noted("copy orders to stdout with csv"), (false, true, false));
    assert_eq!(noted("copy orders to stdout"), (false, false, false));
    assert_eq!(noted("grant select on orders to bob"), (false, false, true));
    assert!(understand("selec 1", &sight(&[], PUBLIC_FIRST)).is_err());
}

#[test]
fn an_approval_binds_to_parameters_formats_and_circumstance() {
    let understood = understood("select * from orders where id = $1");
    let digest = |value: Option<&'static [u8]>, format: Format, circumstance: &[u8]| {
        let empty = || Text::copied("").unwrap();
        let message = Bind {
            portal: empty(),
            statement: empty(),
            parameter_formats: vec![format],
            parameters: vec![value.map(Bytes::from_static)],
            result_formats: Vec::new(),
            shown: Vec::new(),
        };
        bind(message, &understood, &sight(&[], PUBLIC_FIRST), &Arc::from(circumstance)).digest()
    };
    let digests = [
        digest(Some(b"1234"), Format::Text, b"alice"),
        digest(Some(b"1234"), Format::Binary, b"alice"),
        digest(Some(b"1235"), Format::Text, b"alice"),
        digest(None, Format::Text, b"alice"),
        digest(Some(b"1234"), Format::Text, b"bob"),
    ];
    assert_eq!(digests[0], digest(Some(b"1234"), Format::Text, b"alice"));
    assert_eq!(BTreeSet::from(digests).len(), digests.len());
}

#[test]
fn only_a_parse_merely_prepares() {
    let text = || Text::copied("select 1").unwrap();
    let name = Text::copied("s").unwrap();
    assert!(Frontend::Parse(Parse { name, text: text(), parameter_types: Vec::new() }).only_prepares());
    assert!(!Frontend::Query(Query { text: text() }).only_prepares());
    assert!(!Frontend::Sync.only_prepares());
}
