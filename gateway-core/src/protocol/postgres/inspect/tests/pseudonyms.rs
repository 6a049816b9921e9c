//! Pseudonyms: where a token becomes its value, and everywhere else, where it does not.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{
    mask::MaskKeys,
    protocol::postgres::{
        inspect::{Masking, bind, query},
        message::{Bind, Format, Frontend, Query, Text},
    },
};

const JANE: &str = "jane.o'doe@example.com";

fn keys() -> MaskKeys {
    MaskKeys::new(&[7; 32]).unwrap()
}

fn token(class: &str) -> String {
    keys().pseudonym(class, JANE.as_bytes()).unwrap()
}

fn keyed() -> Sight {
    let plain = sight(&["email"], PUBLIC_FIRST);
    Sight { record_detectors: plain.record_detectors.clone().keyed(Arc::new(keys())), ..plain }
}

/// What is sent for a text in which `?` stands for the token of an e-mail address.
fn sent(text: &str) -> Option<String> {
    let text = text.replace('?', &format!("'{}'", token("email")));
    let understood = understand(&text, &keyed()).unwrap();
    assert_eq!(
        understood.sent.is_none(),
        matches!(&understood.masking, Masking::Refused(reason) if reason.message.contains("pseudonym")),
        "{text}"
    );
    assert_eq!(&*understood.text, text.as_str());
    understood.sent.map(|sent| sent.to_string())
}

#[test]
fn a_token_beside_a_column_of_its_class_is_sent_as_its_value() {
    let value = "'jane.o''doe@example.com'";
    for text in [
        "select id from customers where email = ?",
        "select id from customers where ? = email",
        "select id from public.customers c where c.email = ? and id > 3",
        "select id from customers where email <> ?",
        "select id from customers where email in ('x', ?)",
        "select id from customers where email = any (array[?, 'x'])",
        "select id from customers where email is not distinct from ?",
        "select id from customers where email = ?::text",
        "select c.id from customers c join orders o on o.id = c.id where c.email = ?",
        "select id from orders where id in (select id from customers where email = ?)",
        "update customers set email = ? where id = 1",
        "update customers set (email, name) = (?, 'x') where id = 1",
        "insert into customers (id, email) values (1, ?), (2, 'x')",
        "delete from customers where email = ?",
    ] {
        assert_eq!(sent(text), Some(text.replace('?', value)), "{text}");
    }
}

#[test]
fn anywhere_else_it_is_refused() {
    for text in [
        "select ?",
        "select ? from customers",
        "select id from customers where email like ?",
        "select id from customers where email > ?",
        "select id from customers where email between ? and 'z'",
        "select id from customers where lower(email) = ?",
        "select id from customers where email = lower(?)",
        "select id from customers where email || '' = ?",
        "select id from customers where name = ?",
        "select id from customers where card = ?",
        "select id from app.customers where name = ?",
        "select id from orders where name = ?",
        "select case when email = 'x' then ? end from customers",
        "select coalesce(email, ?) from customers",
        "select id from customers, orders where email = ?",
        "select id from (select id, name as email from orders) customers where email = ?",
        "with customers as (select id, name as email from orders) select id from customers where email = ?",
        "select id from customers where email operator(public.=) ?",
        "select id from customers where email = ?::integer",
        "update customers set name = ? where id = 1",
        "update customers set email = ?, name = ? where id = 1",
        "insert into orders (id, name) values (1, ?)",
        "insert into customers (id, email) select 1, lower(?)",
        "create table copied as select id from customers where email = ?",
        "select id into copied from customers where email = ?",
        "create view hers as select id from customers where email = ?",
        "prepare hers as select id from customers where email = ?",
        "declare hers cursor for select id from customers where email = ?",
        "explain select id from customers where email = ?",
        "copy (select id from customers where email = ?) to stdout",
        "select id from customers where email = ?; create view v as select 1",
        "execute hers (?)",
    ] {
        assert_eq!(sent(text), None, "{text}");
    }
}

#[test]
fn tokens_of_another_class_another_site_or_another_spelling_are_refused() {
    let other = MaskKeys::new(&[8; 32]).unwrap().pseudonym("email", JANE.as_bytes()).unwrap();
    let own = token("email");
    for constant in [
        format!("'{}'", token("phone")),
        format!("'{other}'"),
        format!("E'{own}'"),
        format!("$${own}$$"),
        format!("U&'{own}'"),
    ] {
        let text = format!("select id from customers where email = {constant}");
        let understood = understand(&text, &keyed()).unwrap();
        assert!(understood.sent.is_none() && matches!(understood.masking, Masking::Refused(_)), "{text}");
    }
}

#[test]
fn what_is_shown_keeps_the_token_and_what_is_sent_is_decided() {
    let text = format!("select id from customers where email = '{}'", token("email"));
    let understood = understand(&text, &keyed()).unwrap();
    assert!(understood.seals.is_empty(), "{:?}", understood.seals);
    let operation = &understood.operations[0];
    assert_eq!(&*operation.text, text.as_str());
    assert!(operation.filters_on.contains("email"));
    let message = Query { text: Text::copied(&text).unwrap() };
    let inspected = query(message, &understood, &Arc::from(&b"alice"[..]));
    let Frontend::Query(message) = inspected.message() else { panic!("a query") };
    assert!(message.text.as_str().ends_with("'jane.o''doe@example.com'"), "{}", message.text.as_str());
}

fn bound(text: &str, parameters: &[&str]) -> Bind {
    let understood = understand(text, &keyed()).unwrap();
    let empty = || Text::copied("").unwrap();
    let message = Bind {
        portal: empty(),
        statement: empty(),
        parameter_formats: vec![Format::Text],
        parameters: parameters.iter().map(|value| Some(Bytes::copy_from_slice(value.as_bytes()))).collect(),
        result_formats: Vec::new(),
        shown: Vec::new(),
    };
    let inspected = bind(message, &understood, &keyed(), &Arc::from(&b"alice"[..]));
    let Frontend::Bind(bind) = inspected.message() else { panic!("a bind") };
    bind.clone()
}

#[test]
fn a_parameter_is_turned_back_where_every_place_of_it_is_one_of_its_class() {
    let token = token("email");
    let turned = |text: &str| {
        let bind = bound(text, &[&token, "3"]);
        let is_turned = bind.parameters[0].as_deref() == Some(JANE.as_bytes());
        assert_eq!(bind.shown.len(), usize::from(is_turned), "{text}");
        assert!(is_turned || bind.parameters[0].as_deref() == Some(token.as_bytes()), "{text}");
        is_turned
    };
    assert!(turned("select id from customers where email = $1 and id > $2"));
    assert!(turned("insert into customers (email, id) values ($1, $2)"));
    assert!(turned("update customers set email = $1 where id = $2 or email = $1"));
    for text in [
        "select $1::text from customers where email = $1",
        "update customers set email = $1, name = $1 where id = $2",
        "select id from customers where email like $1",
        "select id from customers where name = $1",
        "insert into orders (name, id) values ($1, $2)",
        "create table t as select id from customers where email = $1",
    ] {
        assert!(!turned(text), "{text}");
    }
}
