//! Which rows of something were on the screen: a reviewer must have had all of them. Pure.

use std::ops::Range;

/// Rows that were shown, as parts that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Coverage(Vec<Range<usize>>);

impl Coverage {
    /// Adds rows.
    pub(crate) fn add(&mut self, rows: &Range<usize>) {
        if rows.is_empty() {
            return;
        }
        let mut merged = rows.clone();
        self.0.retain(|known| {
            let apart = known.end < merged.start || known.start > merged.end;
            if !apart {
                merged = merged.start.min(known.start)..merged.end.max(known.end);
            }
            apart
        });
        self.0.push(merged);
    }

    /// Whether every one of these rows was shown. Of nothing, nothing was shown.
    pub(crate) fn is_whole(&self, rows: &Range<usize>) -> bool {
        !rows.is_empty() && self.0.iter().any(|part| part.start <= rows.start && part.end >= rows.end)
    }

    /// How many of these rows were shown.
    pub(crate) fn count(&self, rows: &Range<usize>) -> usize {
        let inside = |part: &Range<usize>| part.end.min(rows.end).saturating_sub(part.start.max(rows.start));
        self.0.iter().map(inside).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_shown_in_any_order_make_a_whole() {
        let mut seen = Coverage::default();
        let all = 3..20;
        assert!(!seen.is_whole(&all) && !seen.is_whole(&(0..0)), "nothing was on the screen yet");
        seen.add(&(10..25));
        seen.add(&(0..5));
        assert!(!seen.is_whole(&all));
        assert_eq!(seen.count(&all), 12);
        seen.add(&(5..10));
        assert!(seen.is_whole(&all));
        seen.add(&(3..7));
        assert_eq!((seen.0.len(), seen.count(&all)), (1, 17));
    }

    proptest::proptest! {
        #[test]
        fn a_row_counts_exactly_when_it_was_shown(parts in proptest::collection::vec((0_usize..30, 0_usize..8), 0..12)) {
            let mut seen = Coverage::default();
            let mut rows = std::collections::BTreeSet::new();
            for (start, length) in parts {
                seen.add(&(start..start + length));
                rows.extend(start..start + length);
            }
            let inside = rows.range(5..25).count();
            proptest::prop_assert_eq!(seen.count(&(5..25)), inside);
            proptest::prop_assert_eq!(seen.is_whole(&(5..25)), inside == 20);
        }
    }
}
