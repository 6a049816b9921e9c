//! How many rows a change may touch, as far as that can be told without asking: by keys. Pure.
//!
//! The rule of `has_where`, which the planner's questions complete:
//! - a predicate that is absent, or true of every row by its text, is none;
//! - one that names the rows by every column of a key, with values of the text or of parameters, is one;
//! - so is any other predicate on a relation that this session alone sees;
//! - the rest is asked for: what keeps nine tenths of a table is none. The planner is believed where statistics of the
//!   compared columns tell everything; elsewhere rows are counted, for a moment;
//! - what cannot be asked for, and what is not answered in that moment, is none.

use super::Sight;
use crate::sql::{Narrowing, ROW};

/// Whether at most one row is named, or only this session sees the relation.
pub(super) fn names_row(narrowing: &Narrowing, sight: &Sight) -> bool {
    is_private(narrowing, sight) || (narrowing.names_one && is_keyed(narrowing, sight))
}

/// Whether the rows are named, one by one.
pub(super) fn is_sure(narrowing: &Narrowing, sight: &Sight) -> bool {
    is_private(narrowing, sight) || is_keyed(narrowing, sight)
}

fn is_keyed(narrowing: &Narrowing, sight: &Sight) -> bool {
    narrowing.names.contains(ROW)
        || place(narrowing, sight).is_some_and(|oid| sight.catalogue.holds_key(oid, &narrowing.names))
}

fn is_private(narrowing: &Narrowing, sight: &Sight) -> bool {
    place(narrowing, sight).is_some_and(|oid| sight.catalogue.is_private(oid))
}

fn place(narrowing: &Narrowing, sight: &Sight) -> Option<u32> {
    let name = &narrowing.relation;
    sight.catalogue.resolve(name.schema.as_deref(), &name.name, &sight.search_path).map(|relation| relation.oid)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        protocol::postgres::inspect::{
            is_sure, plannable,
            tests::{PUBLIC_FIRST, sight},
            understand,
        },
        upstream::Catalogue,
    };

    /// Whether rows are named by a key one by one, whether by a list of keys, and how many questions there are.
    fn known(text: &str) -> (bool, bool, usize) {
        let columns: &[&str] = &["id", "org", "name"];
        let catalogue = Catalogue::sample(&[(1, "public", "t", columns), (2, "public", "u", columns)], &[], &[], &[]);
        let mut sight = sight(&[], PUBLIC_FIRST);
        sight.catalogue = Arc::new(catalogue.with_key(1, &[1]).with_key(2, &[1, 2]));
        let understood = understand(text, &sight).unwrap();
        let names = understood.operations.iter().all(|operation| operation.names_rows);
        let sure = is_sure(&understood, &sight).into_iter().all(|sure| sure);
        let asked = plannable(&understood, &sight).into_iter().flatten().map(|question| question.changes.len()).sum();
        (names, sure, asked)
    }

    #[test]
    fn a_key_names_rows_and_the_rest_is_asked_for() {
        assert_eq!(known("update t set name = 'x' where id = 5"), (true, true, 0));
        assert_eq!(known("update t set name = 'x' where id in (5, 6)"), (false, true, 0));
        assert_eq!(known("update t set name = 'x' where name = 'y'"), (false, false, 1));
        assert_eq!(known("update u set name = 'x' where id = 5 and org = 6"), (true, true, 0));
        assert_eq!(known("update u set name = 'x' where id = 5"), (false, false, 1));
        assert_eq!(known("update t set name = 'x' where id = 5 or id > 6"), (false, false, 1));
        assert_eq!(known("select name from t"), (true, true, 0));
        assert_eq!(known("insert into t select * from u on conflict (id) do update set name = 'x'"), (false, false, 1));
        assert_eq!(known("set work_mem = '5MB'; update t set name = 'x' where name = 'y'"), (false, false, 0));
        assert_eq!(known("update t set name = 'x' where current_setting('a') = name"), (false, false, 0));
    }
}
