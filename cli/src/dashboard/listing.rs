//! A long list that stays quick: sorted once, filtered when the filter changes, and only its window is ever looked at.
//!
//! The selection is an id, not a place: rows come and go around it. Pure; knows nothing of what the rows mean.

use std::{collections::BTreeMap, ops::Range};

/// What a list needs of its rows.
pub(crate) trait Row {
    /// Where it stands: smaller is higher.
    fn rank(&self) -> i64;
    /// Whether it holds every one of these words, which are in lower case.
    fn matches(&self, words: &[String]) -> bool;
}

/// Rows by their id, in order, with a filter, a selection and a window.
#[derive(Debug, Clone)]
pub(crate) struct Listing<K, V> {
    rows: BTreeMap<K, V>,
    order: Vec<(i64, K)>,
    selected: Option<K>,
    top: usize,
    height: usize,
    words: Vec<String>,
    filter: String,
    revision: u64,
}

impl<K, V> Default for Listing<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            order: Vec::new(),
            selected: None,
            top: 0,
            height: 1,
            words: Vec::new(),
            filter: String::new(),
            revision: 0,
        }
    }
}

impl<K: Ord + Clone, V: Row> Listing<K, V> {
    /// Puts a row in, or in the place of the one with this id.
    #[expect(clippy::needless_pass_by_value, reason = "an id is cheap to clone, and the list keeps it")]
    pub(crate) fn put(&mut self, id: K, row: V) {
        self.revision += 1;
        let key = (row.rank(), id.clone());
        let shown = row.matches(&self.words);
        let was_selected = self.selected.as_ref() == Some(&id);
        if let Some(old) = self.rows.insert(id.clone(), row) {
            let old = (old.rank(), id.clone());
            if old == key && self.order.binary_search(&old).is_ok() == shown {
                return;
            }
            self.unlist(&old);
        }
        if shown {
            self.list(key);
        }
        if was_selected {
            self.select(&id);
        }
    }

    /// Takes a row out. The selection then moves to the row that comes into its place.
    pub(crate) fn remove(&mut self, id: &K) -> Option<V> {
        let row = self.rows.remove(id)?;
        self.revision += 1;
        self.unlist(&(row.rank(), id.clone()));
        Some(row)
    }

    /// The row of an id, shown or not.
    pub(crate) fn find(&self, id: &K) -> Option<&V> {
        self.rows.get(id)
    }

    /// Every row, shown or not.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// Another number after every change of a row.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many the filter lets through.
    pub(crate) fn listed(&self) -> usize {
        self.order.len()
    }

    /// The rows of the window, with whether each is selected.
    pub(crate) fn window(&self) -> impl Iterator<Item = (&K, &V, bool)> {
        let rows = self.order.get(self.visible()).unwrap_or_default();
        rows.iter().filter_map(|(_rank, id)| Some((id, self.rows.get(id)?, self.selected.as_ref() == Some(id))))
    }

    /// The places of the window.
    pub(crate) fn visible(&self) -> Range<usize> {
        self.top..self.order.len().min(self.top.saturating_add(self.height))
    }

    /// The selected id.
    pub(crate) const fn selected(&self) -> Option<&K> {
        self.selected.as_ref()
    }

    /// The selected row.
    pub(crate) fn selection(&self) -> Option<&V> {
        self.rows.get(self.selected.as_ref()?)
    }

    /// The place of the selection among the listed rows.
    pub(crate) fn place(&self) -> Option<usize> {
        let id = self.selected.as_ref()?;
        let key = (self.rows.get(id)?.rank(), id.clone());
        self.order.binary_search(&key).ok()
    }

    /// Selects the row of this id, if it is listed.
    pub(crate) fn select(&mut self, id: &K) {
        let Some(row) = self.rows.get(id) else { return };
        if let Ok(place) = self.order.binary_search(&(row.rank(), id.clone())) {
            self.go_to(place);
        }
    }

    /// Moves the selection by so many rows.
    pub(crate) fn move_by(&mut self, rows: isize) {
        let place = self.place().unwrap_or(0);
        self.go_to(place.saturating_add_signed(rows));
    }

    /// Selects the row at a place, or the last one.
    pub(crate) fn go_to(&mut self, place: usize) {
        let place = place.min(self.order.len().saturating_sub(1));
        self.selected = self.order.get(place).map(|(_rank, id)| id.clone());
        self.follow(place);
    }

    /// How many rows the screen has for it.
    pub(crate) fn set_height(&mut self, rows: usize) {
        self.height = rows.max(1);
        let place = self.place().unwrap_or(0);
        self.follow(place);
    }

    /// How many rows the screen has for it.
    pub(crate) const fn height(&self) -> usize {
        self.height
    }

    /// The filter as it was typed.
    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// Lists only rows that hold every word of this. A selection that falls out moves to the first row.
    pub(crate) fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        self.words = filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
        self.order = self
            .rows
            .iter()
            .filter(|(_id, row)| row.matches(&self.words))
            .map(|(id, row)| (row.rank(), id.clone()))
            .collect();
        self.order.sort_unstable();
        let place = self.place().unwrap_or(0);
        self.go_to(place);
    }

    fn list(&mut self, key: (i64, K)) {
        let Err(place) = self.order.binary_search(&key) else { return };
        let before = self.place().is_some_and(|selected| place <= selected);
        if self.selected.is_none() {
            self.selected = Some(key.1.clone());
        }
        self.order.insert(place, key);
        // What is looked at stays where it is on the screen.
        if before && self.top > 0 {
            self.top += 1;
        }
        let place = self.place().unwrap_or(0);
        self.follow(place);
    }

    fn unlist(&mut self, key: &(i64, K)) {
        let Ok(place) = self.order.binary_search(key) else { return };
        self.order.remove(place);
        if place < self.top {
            self.top -= 1;
        }
        if self.selected.as_ref() == Some(&key.1) {
            return self.go_to(place);
        }
        let place = self.place().unwrap_or(0);
        self.follow(place);
    }

    fn follow(&mut self, place: usize) {
        self.top = self.top.clamp((place + 1).saturating_sub(self.height), place);
        let last_top = self.order.len().saturating_sub(self.height);
        self.top = self.top.min(last_top);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone)]
    struct Number(i64);

    impl Row for Number {
        fn rank(&self) -> i64 {
            self.0
        }

        fn matches(&self, words: &[String]) -> bool {
            words.iter().all(|word| self.0.to_string().contains(word))
        }
    }

    fn numbers(count: i64, height: usize) -> Listing<i64, Number> {
        let mut listing = Listing::default();
        listing.set_height(height);
        (0..count).for_each(|number| listing.put(number * 10, Number(number * 10)));
        listing
    }

    fn shown(listing: &Listing<i64, Number>) -> Vec<i64> {
        listing.window().map(|(id, _, _)| *id).collect()
    }

    #[test]
    fn the_selection_stays_on_its_row_when_others_come_and_go() {
        let mut listing = numbers(10, 3);
        listing.go_to(5);
        assert_eq!((listing.selected(), shown(&listing)), (Some(&50), vec![30, 40, 50]));
        listing.put(5, Number(5));
        listing.remove(&20);
        assert_eq!((listing.selected(), shown(&listing)), (Some(&50), vec![30, 40, 50]));
    }

    #[test]
    fn a_removed_selection_moves_to_what_comes_into_its_place() {
        let mut listing = numbers(3, 3);
        listing.go_to(1);
        listing.remove(&10);
        assert_eq!(listing.selected(), Some(&20));
        listing.remove(&20);
        assert_eq!(listing.selected(), Some(&0));
        listing.remove(&0);
        assert_eq!(listing.selected(), None);
        listing.put(7, Number(7));
        assert_eq!(listing.selected(), Some(&7));
    }

    #[test]
    fn a_filter_lists_what_holds_every_word_also_of_what_comes_later() {
        let mut listing = numbers(30, 5);
        listing.set_filter("2 0");
        assert_eq!(shown(&listing), [20, 120, 200, 210, 220]);
        listing.put(5, Number(5));
        listing.put(2, Number(2000));
        assert_eq!(listing.listed(), 13);
        listing.set_filter("");
        assert_eq!((listing.listed(), listing.len()), (32, 32));
    }

    #[test]
    fn a_row_that_changes_its_rank_moves() {
        let mut listing = numbers(3, 3);
        listing.put(0, Number(15));
        assert_eq!(shown(&listing), [10, 0, 20]);
        assert_eq!(listing.len(), 3);
    }

    #[test]
    fn the_window_follows_the_selection_and_never_ends_in_nothing() {
        let mut listing = numbers(10, 4);
        listing.move_by(100);
        assert_eq!(shown(&listing), [60, 70, 80, 90]);
        listing.set_height(8);
        assert_eq!(shown(&listing).len(), 8);
        listing.move_by(-100);
        assert_eq!(shown(&listing).first(), Some(&0));
    }

    proptest::proptest! {
        #[test]
        fn the_selected_row_is_always_in_the_window(steps in proptest::collection::vec((0_u8..5, 0_i64..40), 1..80)) {
            let mut listing = numbers(5, 4);
            for (step, number) in steps {
                match step {
                    0 => listing.put(number, Number(number)),
                    1 => drop(listing.remove(&number)),
                    2 => listing.move_by(isize::try_from(number).unwrap() - 20),
                    3 => listing.set_height(usize::try_from(number).unwrap()),
                    _ => listing.set_filter(&(number % 7).to_string()),
                }
                let selected = listing.window().filter(|(_, _, selected)| *selected).count();
                proptest::prop_assert_eq!(selected, usize::from(listing.listed() > 0));
                proptest::prop_assert_eq!(listing.window().count(), listing.height().min(listing.listed()));
            }
        }
    }
}
