//! Who fills which place: several quorums are met by different people only.
//!
//! Pure. A person in two groups fills one place of one of them: an assignment of people to places is looked for, so
//! that nobody is spent on a place that another could not fill. Called by `state`.

use std::collections::BTreeSet;

use crate::model::{GroupName, Quorum};

/// The places that these people leave open, as quorums; empty when every place is filled. Each of `people` is one
/// person, as the groups that they count for.
pub(super) fn missing(quorums: &[Quorum], people: &[BTreeSet<GroupName>]) -> Vec<Quorum> {
    let places: Vec<&GroupName> =
        quorums.iter().flat_map(|quorum| std::iter::repeat_n(&quorum.group, places(quorum))).collect();
    let mut holders: Vec<Option<usize>> = vec![None; places.len()];
    for person in 0..people.len() {
        let mut tried = BTreeSet::new();
        seat(person, people, &places, &mut holders, &mut tried);
    }
    let mut missing: Vec<Quorum> = Vec::new();
    for (group, _) in places.iter().zip(&holders).filter(|(_, holder)| holder.is_none()) {
        match missing.iter_mut().find(|quorum| quorum.group == **group) {
            Some(quorum) => quorum.count = quorum.count.saturating_add(1),
            None => missing.push(Quorum { count: 1, group: (*group).clone() }),
        }
    }
    missing
}

/// A quorum of nobody would be met by nobody's word.
fn places(quorum: &Quorum) -> usize {
    usize::from(quorum.count.max(1))
}

/// Finds a place for a person, moving others where they fit elsewhere (an augmenting path). A place is tried once.
fn seat(
    person: usize,
    people: &[BTreeSet<GroupName>],
    places: &[&GroupName],
    holders: &mut [Option<usize>],
    tried: &mut BTreeSet<usize>,
) -> bool {
    let Some(groups) = people.get(person) else { return false };
    for (index, group) in places.iter().enumerate() {
        if !groups.contains(*group) || !tried.insert(index) {
            continue;
        }
        let holder = holders.get(index).copied().flatten();
        if holder.is_none_or(|holder| seat(holder, people, places, holders, tried)) {
            if let Some(place) = holders.get_mut(index) {
                *place = Some(person);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::new(name).unwrap()
    }

    fn quorums(asked: &[(u8, &str)]) -> Vec<Quorum> {
        asked.iter().map(|(count, name)| Quorum { count: *count, group: group(name) }).collect()
    }

    fn people(groups: &[&[&str]]) -> Vec<BTreeSet<GroupName>> {
        groups.iter().map(|names| names.iter().map(|name| group(name)).collect()).collect()
    }

    fn left(asked: &[(u8, &str)], who: &[&[&str]]) -> String {
        let missing = missing(&quorums(asked), &people(who));
        missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn one_person_in_two_groups_fills_one_place() {
        let asked = [(1, "dba"), (1, "security")];
        assert_eq!(left(&asked, &[&["dba", "security"]]), "1 of security");
        assert_eq!(left(&asked, &[&["dba", "security"], &["dba"]]), "");
        assert_eq!(left(&asked, &[&["dba", "security"], &["security"]]), "");
        assert_eq!(left(&asked, &[&["dba"], &["dba"]]), "1 of security");
    }

    #[test]
    fn nobody_is_spent_where_another_could_not_stand() {
        let asked = [(2, "dba"), (1, "security")];
        assert_eq!(left(&asked, &[&["dba", "security"], &["dba"], &["dba"]]), "");
        assert_eq!(left(&asked, &[&["security"], &["dba", "security"], &["dba"]]), "");
        assert_eq!(left(&asked, &[&["dba", "security"], &["dba", "security"]]), "1 of security");
    }

    #[test]
    fn a_quorum_of_nobody_asks_for_somebody() {
        assert_eq!(left(&[(0, "dba")], &[]), "1 of dba");
    }

    proptest! {
        /// Against Hall's theorem: places can be filled if and only if every set of groups has enough people.
        #[test]
        fn agrees_with_halls_condition(
            asked in prop::collection::vec(1..4_u8, 3),
            who in prop::collection::vec(prop::collection::btree_set(0..3_usize, 0..4), 0..7),
        ) {
            let names = ["a", "b", "c"];
            let quorums: Vec<_> = asked.iter().zip(names).map(|(count, name)| Quorum { count: *count, group: group(name) }).collect();
            let people: Vec<BTreeSet<_>> =
                who.iter().map(|groups| groups.iter().map(|index| group(names[*index])).collect()).collect();
            let fillable = (1..8_usize).all(|set| {
                let chosen = |index: usize| set & (1 << index) != 0;
                let wanted: usize = (0..3).filter(|index| chosen(*index)).map(|index| usize::from(asked[index])).sum();
                who.iter().filter(|groups| groups.iter().any(|index| chosen(*index))).count() >= wanted
            });
            prop_assert_eq!(missing(&quorums, &people).is_empty(), fillable);
        }
    }
}
