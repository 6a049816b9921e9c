//! Twins: two texts of one SELECT that differ in nothing but the digits of one integer. Pure.
//!
//! A client that writes its values into the text never sends the same text twice. Where it is *proven* that the two
//! mean the same but for that integer, what was understood of the first holds for the second. Nothing is guessed from
//! a shape or a fingerprint: every other byte is equal, and whatever the proof does not cover is parsed.
//!
//! The proof. The text holds only letters, digits, white space and `, . ( ) * = ; _`, so no quote, comment, escape or
//! parameter can begin: its tokens are plain to see. It starts with `select`, and a semicolon stands at its end only:
//! it is one SELECT. The integer stands alone between `=` after a name and a delimiter, and is in the range of int4
//! in both: the scanner gives the same tokens at the same places, and the grammar the same tree but for the value of
//! one constant, an operand of `=`. Nothing that inspection says of a read depends on the value of such a constant,
//! except the literals to be sealed: a text with anything sealed or masked has no twins, and detectors read each.

use std::{ops::Range, sync::Arc};

use super::{Aftermath, Masking, Sight, Understood, masking};
use crate::model::{Effect, Operation};

/// Ten digits may not be an int4, and a card number has more than nine.
const MAX_DIGITS: usize = 9;

/// Where the integer of a text stands in which its twins may differ. `None`: it has no twins.
pub fn place(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let statement = text.trim_end_matches(is_space).strip_suffix(';').unwrap_or(text);
    let starts = statement.get(..7).is_some_and(|word| {
        word.get(..6).is_some_and(|select| select.eq_ignore_ascii_case("select")) && word.ends_with(is_space)
    });
    if !starts || !statement.chars().all(is_plain) {
        return None;
    }
    let mut equals = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'=').map(|(index, _)| index);
    equals.find_map(|equals| operand(statement, equals))
}

/// The integer after the `=` at this place, where a name stands before it and a delimiter after it.
fn operand(statement: &str, equals: usize) -> Option<Range<usize>> {
    let before = statement.get(..equals)?.trim_end_matches(is_space);
    let name = before.rsplit(|character: char| !is_word(character)).next()?;
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return None;
    }
    let after = statement.get(equals + 1..)?;
    let start = statement.len() - after.trim_start_matches(is_space).len();
    let from = statement.get(start..)?;
    let length = from.find(|character: char| !character.is_ascii_digit()).unwrap_or(from.len());
    let delimited = from.get(length..)?.chars().next().is_none_or(|next| is_space(next) || matches!(next, ')' | ','));
    let plain = (1..=MAX_DIGITS).contains(&length) && !from.starts_with('0');
    (delimited && plain).then_some(start..start + length)
}

/// Whether what was understood of a text with a place says all that there is to say of its twins.
pub fn has_twins(understood: &Understood) -> bool {
    let [operation] = understood.operations.as_ref() else { return false };
    operation.effect == Effect::Read
        && understood.statements == 1
        && understood.masking == Masking::Untouched
        && understood.record_masking == Masking::Untouched
        && understood.seals.is_empty()
        && understood.secrets.is_empty()
        && understood.parameter_classes.is_empty()
        && !understood.changes_catalogue
        && understood.aftermath == Aftermath::default()
        && !understood.copies_in
        && !understood.copies_csv
        && !understood.unresolved
        && !understood.uses_names
}

/// Whether `text` is `of` but for the integer at `place`, which must be the place of both.
pub fn are_twins(of: &str, text: &str, place: &Range<usize>) -> bool {
    of.len() == text.len()
        && of.get(..place.start) == text.get(..place.start)
        && of.get(place.end..) == text.get(place.end..)
}

/// What `text` means, from what its twin means. `None` where it must be read by itself after all.
pub fn understand_as(twin: &Understood, text: &str, sight: &Sight) -> Option<Understood> {
    if !masking::detected(text, &sight.record_detectors).is_empty() {
        return None;
    }
    let text: Arc<str> = Arc::from(text);
    let renamed = |operation: &Operation| Operation { text: Arc::clone(&text), ..operation.clone() };
    Some(Understood {
        operations: twin.operations.iter().map(renamed).collect(),
        resolved: None,
        sent: None,
        pseudonym_classes: std::collections::BTreeMap::new(),
        uses_names: false,
        masking: Masking::Untouched,
        record_masking: Masking::Untouched,
        seals: Vec::new(),
        secrets: Vec::new(),
        parameter_classes: std::collections::BTreeMap::new(),
        changes_catalogue: false,
        aftermath: Aftermath::default(),
        copy_out: None,
        copies_csv: false,
        copies_in: false,
        statements: twin.statements,
        unresolved: false,
        text,
    })
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_plain(character: char) -> bool {
    is_word(character) || is_space(character) || matches!(character, ',' | '.' | '(' | ')' | '*' | '=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{mask::Detectors, protocol::postgres::inspect::understand, upstream::Catalogue};

    fn sight() -> Sight {
        Sight {
            catalogue: Arc::new(Catalogue::sample(
                &[(1, "public", "t", &["a", "b", "c"]), (2, "public", "u", &["a", "b"])],
                &[],
                &[],
                &[],
            )),
            search_path: Arc::from(["pg_catalog".to_owned(), "public".to_owned()]),
            veils: Arc::default(),
            hides: false,
            overhears: false,
            detectors: Detectors::builtin(),
            record_detectors: Detectors::builtin(),
            fingerprint: 0,
        }
    }

    fn integer(text: &str) -> Option<&str> {
        text.get(place(text)?)
    }

    #[test]
    fn the_integer_is_found_where_it_is_an_operand_by_itself() {
        assert_eq!(integer("SELECT abalance FROM pgbench_accounts WHERE aid = 12345;"), Some("12345"));
        assert_eq!(integer("select a from t where (b=7) and c = true ;\n"), Some("7"));
        assert_eq!(integer("select a from t where b = 1 and c =\t22, d = x"), Some("22"));
    }

    #[test]
    fn nothing_else_has_a_place() {
        for text in [
            "select a from t where 1 = 5",
            "select a from t where a = 05",
            "select a from t where a = 1234567890",
            "select a from t where a = 5e3",
            "select a from t where a = 0x5",
            "select a from t where a = 1_000",
            "select a from t where a = 5.5",
            "select a from t where a = -5",
            "select a from t where a >= 5",
            "select a from t where a == 5",
            "select a from t where a = $1",
            "select a from t where a = 5 -- x",
            "select a from t where a = 5 /* x */",
            "select 'a = 5'",
            "select a as \"x\" from t where a = 5",
            "select a from t where é = 5",
            "select 1; set x = 5",
            "select 1 from t where a = 5; drop table t;",
            "set x = 5",
            "selects from t where a = 5",
            "with x as (select 1) select a from t where a = 5",
            "select a from t order by 5",
            "select a from t limit 5",
            "select",
            "",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_that_does_more_than_read_has_none() {
        let sight = sight();
        for text in [
            "select a into public.u from public.t where a = 5",
            "select pg_terminate_backend(a) from public.t where a = 5",
            "select unheard_of(a) from public.t where a = 5",
            "select a from unknown_relation where a = 5",
        ] {
            assert!(place(text).is_some(), "{text}");
            assert!(!has_twins(&understand(text, &sight).unwrap()), "{text}");
        }
    }

    #[test]
    fn a_detector_reads_every_twin() {
        let text = "select a from public.t where b = 4111 and c = 411111111";
        let twin = understand(text, &sight()).unwrap();
        assert!(has_twins(&twin) && understand_as(&twin, text, &sight()).is_some());
        assert!(understand_as(&twin, "select a from public.t where b = 4111111111111111", &sight()).is_none());
    }

    const WORDS: &[&str] = &[
        "a",
        "b.c",
        "*",
        ",",
        "(",
        ")",
        "=",
        "=",
        "a = 7",
        "b.c = 31",
        "and",
        "or",
        "not",
        "public.t",
        "from public.t",
        "from public.t b",
        "join public.u on a = 4",
        "where",
        "where a = 5",
        "where a = 12 and b = 3",
        "group by a = 2",
        "order by a = 1",
        "order by 1",
        "limit 3",
        "offset 2",
        "count(*)",
        "sum(a = 9)",
        "float(7)",
        "as x",
        "true",
        "null",
        "is",
        "in (1, 2)",
        "case when a = 1 then 2 else 3 end",
        "union select a = 6",
        "(select a = 8)",
        "for update",
        "interval",
        "row(a = 1)",
        "like",
        "between 1 and 2",
        "values (1)",
        "having a = 3",
        "fetch first 5 rows only",
        "5",
        "tablesample system (5)",
        "with ordinality",
        "distinct on (a = 5)",
        "exists (select b = 2)",
        "over (order by a = 1)",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_twin_is_understood_as_it_would_be_by_itself(
            words in prop::collection::vec(prop::sample::select(WORDS), 1..7),
            number in 1_u32..1_000_000_000,
        ) {
            let sight = sight();
            for text in [format!("select {}", words.join(" ")), format!("select a from public.t where {}", words.join(" "))] {
                let Some(place) = place(&text) else { continue };
                let digits: String = number.to_string().chars().cycle().take(place.len()).collect();
                let mut other = text.clone();
                other.replace_range(place.clone(), &digits);
                prop_assert!(are_twins(&text, &other, &place) && super::place(&other) == Some(place));
                match understand(&text, &sight) {
                    Ok(twin) if has_twins(&twin) => {
                        let alone = understand(&other, &sight).unwrap();
                        prop_assert_eq!(format!("{:?}", understand_as(&twin, &other, &sight)), format!("{:?}", Some(alone)));
                    }
                    // Without twins, the other is understood by itself; and a text that fails has an other that fails.
                    Ok(_) => {}
                    Err(_) => prop_assert!(understand(&other, &sight).is_err()),
                }
            }
        }
    }
}
