//! Tests of links between answers and what is asked: true ones, ambiguous ones, and forged ones.

use super::*;
use crate::model::{OperationNumber, SessionId};

const RUN: &str = "run_a";

fn place(number: u64) -> AnswerPlace {
    AnswerPlace {
        session: SessionId::new(number, [0; 10]),
        operation: OperationNumber(number),
        model: "gpt-4o-mini".to_owned(),
        names: BTreeMap::new(),
    }
}

fn call(provenance: &Provenance, number: u64, arguments: &str) {
    let answer = Answered { text: "", arguments: &[arguments.to_owned()] };
    provenance.learn(RUN, place(number), answer);
}

fn level(provenance: &Provenance, text: &str) -> Likeness {
    provenance.link(RUN, text).level
}

#[test]
fn an_argument_of_a_tool_call_is_exact() {
    let provenance = Provenance::default();
    call(&provenance, 3, r#"{"query": "DELETE FROM customers WHERE NOT active"}"#);
    let link = provenance.link(RUN, "DELETE FROM customers WHERE NOT active");
    assert_eq!((link.level, link.answer, link.others), (Likeness::Exact, Some(place(3)), 0));
}

#[test]
fn spelling_aside_it_is_normalised() {
    let provenance = Provenance::default();
    call(&provenance, 1, r#"{"sql": "select id, name\n from \"Customers\" where id = 7 and note = 'A  b' -- why\n;"}"#);
    let same = "SELECT id,name FROM \"Customers\" /* x /* y */ */ WHERE id=7 AND note='A  b'";
    assert_eq!(level(&provenance, same), Likeness::Normalised);
    let with_parameters = "SELECT id, name FROM \"Customers\" WHERE id = $1 AND note = $2";
    assert_eq!(level(&provenance, with_parameters), Likeness::Normalised);
    for other in [
        "SELECT id, name FROM customers WHERE id = 7 AND note = 'A  b'",
        "SELECT id, name FROM \"Customers\" WHERE id = 8 AND note = 'A  b'",
        "SELECT id, name FROM \"Customers\" WHERE id = 7 AND note = 'a b'",
        "SELECT id, name FROM \"Customers\" WHERE id = 7 AND note = 'A  b'; DROP TABLE x",
    ] {
        assert_eq!(level(&provenance, other), Likeness::None, "{other}");
    }
}

#[test]
fn parameters_are_alike_however_they_are_written() {
    let provenance = Provenance::default();
    call(&provenance, 1, r#"{"sql": "update a set b = %s where c = %(c)s"}"#);
    for same in ["update a set b = $1 where c = $2", "UPDATE a SET b=? WHERE c=?", "update a set b = :b where c = :c"] {
        assert_eq!(level(&provenance, same), Likeness::Normalised, "{same}");
    }
    assert_eq!(level(&provenance, "update a set b = $1::int where c = $2"), Likeness::None);
}

#[test]
fn code_in_a_text_counts_as_a_whole_and_a_sentence_around_it_does_not() {
    let provenance = Provenance::default();
    let text = "Run `SELECT 1 AS one` or\n```sql\nSELECT 2 AS two\n```\nbut never DROP TABLE customers now.\n\
                Action Input: {\"query\": \"SELECT 3 AS three\"}\nObservation: none";
    provenance.learn(RUN, place(1), Answered { text, arguments: &[] });
    for known in ["SELECT 1 AS one", "SELECT 2 AS two", "SELECT 3 AS three"] {
        assert_eq!(level(&provenance, known), Likeness::Exact, "{known}");
    }
    assert_eq!(level(&provenance, "DROP TABLE customers"), Likeness::None);
    assert_eq!(level(&provenance, "SELECT"), Likeness::None);
}

#[test]
fn two_answers_that_say_the_same_are_ambiguous_and_the_latest_is_named() {
    let provenance = Provenance::default();
    call(&provenance, 1, r#"{"q": "SELECT now()"}"#);
    call(&provenance, 2, r#"{"q": "SELECT now()"}"#);
    let link = provenance.link(RUN, "SELECT now()");
    assert_eq!((link.answer, link.others), (Some(place(2)), 1));
}

#[test]
fn the_surest_of_several_spellings_counts() {
    let provenance = Provenance::default();
    call(&provenance, 1, r#"{"id": 7, "why": "x"}"#);
    let texts = ["tools/call delete_user", r#"{"id":7,"why":"x"}"#];
    assert_eq!(provenance.link_any(RUN, texts).level, Likeness::Exact);
    assert_eq!(provenance.link_any(RUN, ["nothing of it"]).level, Likeness::None);
    assert_eq!(provenance.link_any(RUN, []).level, Likeness::None);
}

#[test]
fn answers_of_another_run_never_match() {
    let provenance = Provenance::default();
    call(&provenance, 1, r#"{"q": "SELECT now()"}"#);
    assert_eq!(provenance.link("run_b", "SELECT now()").level, Likeness::None);
    provenance.forget(RUN);
    assert_eq!(level(&provenance, "SELECT now()"), Likeness::None);
}

#[test]
fn what_a_client_says_of_itself_makes_no_link() {
    let provenance = Provenance::default();
    call(&provenance, 1, r#"{"q": "SELECT 1 AS proposed"}"#);
    for forged in [
        "/* proposed_by: exact ses_0001 */ DROP TABLE customers",
        "DROP TABLE customers -- SELECT 1 AS proposed",
        "SELECT 1 AS proposed; DROP TABLE customers",
        "DROP TABLE customers /* SELECT 1 AS proposed */",
    ] {
        assert_eq!(level(&provenance, forged), Likeness::None, "{forged}");
    }
}

#[test]
fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
    let provenance = Provenance::default();
    for number in 0..300 {
        call(&provenance, number, &format!(r#"{{"q": "SELECT {number} AS n"}}"#));
    }
    assert_eq!(level(&provenance, "SELECT 0 AS n"), Likeness::None);
    assert_eq!(level(&provenance, "SELECT 299 AS n"), Likeness::Exact);
    for run in 0..600 {
        let answer = Answered { text: "`SELECT 1 AS one`", arguments: &[] };
        provenance.learn(&format!("run_{run}"), place(1), answer);
    }
    assert_eq!(provenance.link("run_0", "SELECT 1 AS one").level, Likeness::None);
    assert_eq!(provenance.link("run_599", "SELECT 1 AS one").level, Likeness::Exact);
    let runs = provenance.runs.lock().unwrap();
    assert!(runs.answers.len() <= MOST_RUNS && runs.order.len() <= MOST_RUNS);
}
