//! What is masked for a principal and for the record, what is refused, and what the record seals.

use super::{PUBLIC_FIRST, sight, understood};
use crate::{
    mask::Detectors,
    protocol::postgres::inspect::{Masking, Sight, understand},
    sql::{Output, OutputLineage},
};

fn veiled() -> Sight {
    sight(&["email"], PUBLIC_FIRST)
}

fn masking(text: &str, sight: &Sight) -> Masking {
    understand(text, sight).unwrap().masking
}

/// The outputs of a text of one statement.
fn only(masking: &Masking) -> &OutputLineage {
    match masking {
        Masking::Rows(statements) => statements.first().and_then(Option::as_ref).expect("one statement with outputs"),
        Masking::Untouched | Masking::Refused(_) => panic!("{masking:?}"),
    }
}

/// Refused with this message where tags are veiled, untouched where none is, and refused for the record either way.
fn refuses(text: &str, message: &str) {
    let veiled = understand(text, &veiled()).unwrap();
    for masking in [&veiled.masking, &veiled.record_masking, &understood(text).record_masking] {
        let Masking::Refused(reason) = masking else { panic!("{text} is {masking:?}") };
        assert!(reason.message.contains(message), "{text}: {reason:?}");
        assert!(reason.hint.ends_with('.'), "{text}: {reason:?}");
    }
    assert_eq!(understood(text).masking, Masking::Untouched, "{text}");
}

#[test]
fn tags_that_may_be_revealed_count_for_the_record_only() {
    let text = "select length(name), email from customers";
    let revealed = understood(text);
    assert_eq!(revealed.masking, Masking::Untouched);
    let outputs = only(&revealed.record_masking);
    assert_eq!(*outputs.at(0, 2), Output::Clean);
    assert!(matches!(outputs.at(1, 2), Output::Column { tags, .. } if tags.contains("email")), "{outputs:?}");
    assert_eq!(masking(text, &veiled()), revealed.record_masking);
}

#[test]
fn a_relation_without_veiled_tags_is_untouched() {
    for text in ["select * from orders", "select * from app.customers", "select 1", "select * from totals", ""] {
        assert_eq!(masking(text, &veiled()), Masking::Untouched, "{text}");
        assert_eq!(understood(text).record_masking, Masking::Untouched, "{text}");
    }
    // A tag that no column carries hides none.
    assert_eq!(masking("select * from customers", &sight(&["salary"], PUBLIC_FIRST)), Masking::Untouched);
}

#[test]
fn the_relation_that_the_search_path_means_is_the_one_that_counts() {
    let text = "select * from customers";
    assert!(matches!(masking(text, &veiled()), Masking::Rows(_)));
    assert_eq!(masking(text, &sight(&["email"], &["app", "public"])), Masking::Untouched);
}

#[test]
fn columns_of_system_views_that_show_other_values_are_masked_like_tables() {
    for text in ["select most_common_vals from pg_stats", "select most_common_vals from pg_catalog.pg_stats"] {
        assert!(matches!(only(&masking(text, &veiled())).at(0, 1), Output::Column { tags, .. } if !tags.is_empty()));
    }
    assert_eq!(*only(&masking("select reverse(most_common_vals::text) from pg_stats", &veiled())).at(0, 1), computed());
    assert!(matches!(
        only(&masking("select tablename from pg_stats", &veiled())).at(0, 1),
        Output::Unknown | Output::Clean
    ));
    assert_eq!(masking("select * from pg_settings", &veiled()), Masking::Untouched);
}

fn computed() -> Output {
    Output::Computed(["email".into()].into())
}

#[test]
fn tagged_columns_of_views_are_masked_like_tables() {
    let text = "select email, upper(email) from contacts";
    let found = masking(text, &veiled());
    assert!(matches!(only(&found).at(0, 2), Output::Column { tags, .. } if tags.contains("email")), "{found:?}");
    assert_eq!(*only(&found).at(1, 2), computed());
    assert!(matches!(masking("select 1 from orders where exists (select from contacts)", &veiled()), Masking::Rows(_)));
}

#[test]
fn a_tagged_relation_is_not_reshaped() {
    refuses("alter table customers rename column email to note", "reshaped");
    refuses("grant select on customers to bob", "reshaped");
    assert_eq!(masking("alter table orders add note text", &veiled()), Masking::Untouched);
    let maintained = masking("analyze customers", &veiled());
    assert!(!matches!(&maintained, Masking::Refused(reason) if reason.message.contains("reshaped")), "{maintained:?}");
}

#[test]
fn code_that_nobody_followed_is_refused() {
    refuses("select score(1)", "runs code");
    refuses("do $$ begin end $$", "runs code");
    refuses("copy orders to '/tmp/orders'", "");
}

#[test]
fn what_leaves_in_another_form_is_refused() {
    refuses("copy customers to stdout (delimiter 'x')", "COPY in this format");
    refuses("create table copied as select email from customers", "cannot be shown");
    refuses("create view shown as select email from customers", "cannot be shown");
    for text in ["copy customers to stdout", "declare c cursor for select email from customers"] {
        assert!(matches!(masking(text, &veiled()), Masking::Rows(_)), "{text}");
    }
}

#[test]
fn each_statement_of_a_message_is_followed_by_itself() {
    let Masking::Rows(both) = masking("select upper(email) from customers; select 1", &veiled()) else { panic!() };
    assert!(both[0].is_some() && both[1].is_none());
    assert!(matches!(
        masking("select email from customers; create table t as table customers", &veiled()),
        Masking::Refused(_)
    ));
}

#[test]
fn operations_tell_by_which_classes_they_choose() {
    let filters = |text| understood(text).operations[0].filters_on.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(filters("select id from customers where email = 'x'"), ["email"]);
    assert_eq!(filters("select email from customers"), Vec::<String>::new());
}

#[test]
fn a_copy_that_detectors_cannot_read_is_refused() {
    let mut searched = sight(&[], PUBLIC_FIRST);
    searched.detectors = Detectors::builtin();
    for text in ["copy orders to stdout (encoding 'latin1')", "copy orders to stdout (delimiter 'x')"] {
        let Masking::Refused(reason) = masking(text, &searched) else { panic!("{text} is not refused") };
        assert!(reason.message.contains("COPY in this format"));
        assert_eq!(understood(text).masking, Masking::Untouched, "{text}");
    }
    for text in ["copy orders to stdout", "copy orders to stdout with csv", "copy orders to stdout (format binary)"] {
        assert_eq!(masking(text, &searched), Masking::Untouched, "{text}");
    }
}

/// What of a text is sealed, and under which class.
fn sealed(text: &str, detectors: Detectors) -> Vec<(String, String)> {
    let mut sight = sight(&[], PUBLIC_FIRST);
    sight.record_detectors = detectors;
    let seals = understand(text, &sight).unwrap().seals;
    assert!(seals.is_sorted_by_key(|seal| seal.range.start));
    let of = |range: std::ops::Range<usize>| text.get(range).unwrap().trim_matches('\'').to_owned();
    seals.into_iter().map(|seal| (of(seal.range), seal.class.to_string())).collect()
}

fn pair(value: &str, class: &str) -> (String, String) {
    (value.to_owned(), class.to_owned())
}

#[test]
fn literals_of_tagged_columns_are_sealed_under_their_tag() {
    let none = Detectors::none;
    let text = "select id from customers where email = 'ann' and name = 'bob'";
    assert_eq!(sealed(text, none()), [pair("ann", "email")]);
    let text = "insert into customers (id, card, email) values (1, 'c', 'e')";
    assert_eq!(sealed(text, none()), [pair("c", "credit_card"), pair("e", "email")]);
    assert_eq!(sealed("update customers set email = 'x' where id = 1", none()), [pair("x", "email")]);
    assert_eq!(sealed("select id from orders where name = 'ann'", none()), []);
}

#[test]
fn where_the_relation_is_not_known_any_column_of_the_name_counts() {
    let text = "select id from nowhere where email = 'ann' and name = 'bob'";
    assert_eq!(sealed(text, Detectors::none()), [pair("ann", "email")]);
}

#[test]
fn what_a_detector_finds_is_sealed_wherever_it_stands() {
    let text = "select 'to bob@example.org' from orders -- 4111111111111111";
    let found = [pair("bob@example.org", "email"), pair("4111111111111111", "credit_card")];
    assert_eq!(sealed(text, Detectors::builtin()), found);
    assert_eq!(sealed(text, Detectors::none()), []);
}

#[test]
fn secrets_are_marked_to_be_dropped() {
    let text = "alter role bob password 'hunter2'";
    let secrets = understood(text).secrets;
    assert!(secrets.iter().any(|secret| text.get(secret.clone()).unwrap().contains("hunter2")), "{secrets:?}");
    assert!(understood("select 1 from orders").secrets.is_empty());
}

#[test]
fn parameters_of_tagged_columns_have_their_class() {
    let classes = |text| -> Vec<(u32, String)> {
        understood(text).parameter_classes.into_iter().map(|(number, class)| (number, class.to_string())).collect()
    };
    let text = "select id from customers where email = $2 and name = $1";
    assert_eq!(classes(text), [(2, "email".to_owned())]);
    let text = "insert into customers (id, card, email) values ($1, $2, $3)";
    assert_eq!(classes(text), [(2, "credit_card".to_owned()), (3, "email".to_owned())]);
    assert_eq!(classes("select id from orders where name = $1"), []);
}
