//! Where constants, parameters and secrets stand, and which column they belong to.

use super::one;

fn literals(text: &str) -> Vec<(String, String)> {
    let found = one(text).literals.into_iter().map(|literal| {
        let column = literal.column.map_or_else(String::new, |column| {
            let relation = column.relation.map_or_else(|| "?".into(), |relation| relation.to_string());
            format!("{relation}.{}", column.column.unwrap_or_else(|| "*".into()))
        });
        (text.get(literal.span).unwrap().to_owned(), column)
    });
    found.collect()
}

fn check(text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(place, column)| ((*place).to_owned(), (*column).to_owned())).collect();
    assert_eq!(literals(text), expected, "{text}");
}

#[test]
fn constants_know_the_column_they_are_compared_with() {
    check("select 1 from t where email = 'é' and 'b' = t.note", &[("1", ""), ("'é'", "t.email"), ("'b'", "t.note")]);
    check("select a from t x where x.email like 'a%'", &[("'a%'", "t.email")]);
    check("select a from t where email in ('a', $$b$$)", &[("'a'", "t.email"), ("$$b$$", "t.email")]);
    check("select a from t where n between -1 and 2", &[("-1", "t.n"), ("2", "t.n")]);
    check("select a from t, s.u where s.u.email = 'a' and note = 'b'", &[("'a'", "s.u.email"), ("'b'", "?.note")]);
    check("select a from t where lower(email) = lower('A')", &[("'A'", "t.email")]);
    check("select a from t where email = 'a'::text", &[("'a'", "t.email")]);
}

#[test]
fn constants_know_the_column_they_are_assigned_to() {
    check(
        "insert into t (id, email) values (1, 'a'), (2, 'b')",
        &[("1", "t.id"), ("'a'", "t.email"), ("2", "t.id"), ("'b'", "t.email")],
    );
    check("insert into s.t values (1, 'a')", &[("1", "s.t.*"), ("'a'", "s.t.*")]);
    check("insert into t (email) select 'a' from u where x = 'b'", &[("'a'", "t.email"), ("'b'", "u.x")]);
    check("update t set email = 'a' where id = 1", &[("'a'", "t.email"), ("1", "t.id")]);
    check(
        "update t set (email, note) = ('a', 'b') where id = 1",
        &[("'a'", "t.email"), ("'b'", "t.note"), ("1", "t.id")],
    );
    check(
        "insert into t (id) values (1) on conflict (id) do update set email = 'a'",
        &[("1", "t.id"), ("'a'", "t.email")],
    );
}

#[test]
fn strings_outside_expressions_are_literals_too() {
    check("notify c, 'secret'", &[("'secret'", "")]);
    check("comment on table t is E'a'", &[("E'a'", "")]);
}

#[test]
fn parameters_know_their_columns() {
    let text = "select a from t where email = $1 and lower($2) = note and 1 = $3";
    let found: Vec<_> =
        one(text).parameter_columns.into_iter().map(|(number, column)| (number, column.column.unwrap())).collect();
    assert_eq!(found, [(1, "email".to_owned()), (2, "note".to_owned())]);
    let found = one("insert into t (a, email) values ($1, $2)").parameter_columns;
    assert_eq!(found[&2].column.as_deref(), Some("email"));
}

#[test]
fn secrets_are_marked() {
    for (text, secrets) in [
        ("create role r password 'x y'", vec!["'x y'"]),
        ("create role r valid until 'infinity' password 'p'", vec!["'p'"]),
        ("alter user r with encrypted password $$p$$", vec!["$$p$$"]),
        ("alter role r password null", vec![]),
        ("create user mapping for r server s options (user 'u', password 'p')", vec!["'u'", "'p'"]),
        ("create subscription s connection 'host=h password=p' publication p", vec!["'host=h password=p'"]),
        ("alter subscription s connection 'host=h'", vec!["'host=h'"]),
        ("select dblink_connect('host=h')", vec!["'host=h'"]),
        ("do $$ begin alter role r password 'p'; end $$", vec!["$$ begin alter role r password 'p'; end $$"]),
        ("select 'a' from t where b = 'c'", vec![]),
    ] {
        let found: Vec<_> = one(text).secret_spans.into_iter().map(|span| text.get(span).unwrap().to_owned()).collect();
        assert_eq!(found, secrets, "{text}");
    }
}
