//! A text without its constants: what statements have in common that differ in values only.
//!
//! Written anew from the grammar's tree, so that space, case and comments do not count. Names stay as written: whoever
//! compares shapes adds what they resolve to. Called by `session`.

use pg_query::{DeparseOptions, ParserOptions};

use super::MAX_TEXT_BYTES;

/// The text with a placeholder for each constant and parameter; `None` where the grammar cannot write it anew.
pub fn without_constants(text: &str) -> Option<String> {
    if text.len() > MAX_TEXT_BYTES || text.bytes().any(|byte| byte == 0) {
        return None;
    }
    let bare = pg_query::normalize(text).ok()?;
    let parsed = pg_query::parse(&bare, ParserOptions::DEFAULT).ok()?;
    parsed.deparse(DeparseOptions::default()).ok().filter(|written| !written.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(left: &str, right: &str) -> bool {
        let (left, right) = (without_constants(left), without_constants(right));
        assert!(left.is_some() && right.is_some());
        left == right
    }

    #[test]
    fn values_space_and_comments_do_not_count() {
        assert!(same("delete from orders where id = 7", "DELETE  FROM orders /* now */ WHERE id=8"));
        assert!(same("update t set a = 'x' where id = 1", "update t set a = 'y' where id = 200"));
        assert!(same("delete from orders where id = $1", "delete from orders where id = 9"));
    }

    #[test]
    fn tables_columns_and_predicates_count() {
        assert!(!same("select * from users u", "select * from secrets u"));
        assert!(!same("select * from a.t", "select * from b.t"));
        assert!(!same("select * from a.t", "select * from t"));
        assert!(!same("select * from orders_2024_01", "select * from orders_2024_02"));
        assert!(!same("delete from t where id = 1", "delete from t where id > 1"));
        assert!(!same("delete from t where a = 1", "delete from t where b = 1"));
        assert!(!same("delete from t where a = 1", "delete from t where a = 1 or true"));
        assert!(!same("delete from t where a = 1", "delete from t where a = 1 or 1 = 1"));
        assert!(!same("delete from t where a = 1", "delete from t"));
        assert!(!same("delete from t where id in (1)", "delete from t where id in (1, 2)"));
    }

    #[test]
    fn what_the_grammar_rejects_has_no_shape() {
        assert_eq!(without_constants("delete form t"), None);
        assert_eq!(without_constants(""), None);
    }
}
