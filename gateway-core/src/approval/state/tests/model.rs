//! The state machine against a model that keeps nothing but who approved, who lost their rights, and one word.
//!
//! The model finds out whether different people fill every place by trying every assignment, not by a clever search.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Submit,
    Approve(usize),
    Deny(usize),
    Expire,
    Withdraw,
    Supersede,
    /// The identity provider or a policy takes a person's right for a group, or gives it back.
    Turn(usize, &'static str),
}

/// Everybody who may try; the model below decides by index and group alone.
fn cast() -> Vec<Principal> {
    vec![
        person("alice", &["dba", "security"]),
        person("bob", &["dba"]),
        person("dora", &["dba", "security"]),
        person("eve", &["security"]),
        person("carol", &["auditors"]),
        agent("crew", "alice", &["dba"]),
        agent("bot", "bob", &["dba", "security"]),
        person("frank", &["dba", "security"]),
    ]
}

const PEOPLE: [usize; 5] = [0, 1, 2, 3, 7];

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let group = prop_oneof![Just("dba"), Just("security")];
    let step = prop_oneof![
        12 => (0..8_usize).prop_map(Step::Approve),
        1 => (0..8_usize).prop_map(Step::Deny),
        1 => Just(Step::Expire),
        1 => Just(Step::Withdraw),
        1 => Just(Step::Supersede),
        2 => Just(Step::Submit),
        4 => (0..8_usize, group).prop_map(|(who, group)| Step::Turn(who, group)),
    ];
    prop::collection::vec((step, 0..12_000_i64), 0..24)
}

/// Whether the places can be given to different people: every order of giving is tried.
fn can_be_met(places: &[&str], people: &[BTreeSet<&str>]) -> bool {
    let Some((first, rest)) = places.split_first() else { return true };
    (0..people.len()).filter(|index| people[*index].contains(first)).any(|index| {
        let others: Vec<_> =
            people.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, one)| one.clone()).collect();
        can_be_met(rest, &others)
    })
}

struct Model {
    requester: usize,
    places: Vec<&'static str>,
    word: &'static str,
    approved: BTreeSet<usize>,
    lost: BTreeSet<(usize, &'static str)>,
}

impl Model {
    fn asks(&self, cast: &[Principal], who: usize) -> bool {
        self.places.iter().any(|group| cast[who].groups.iter().any(|name| name.as_str() == *group))
    }

    /// A person who did not ask, does not answer for the agent that asked, and is in a group that is asked.
    fn may(&self, cast: &[Principal], who: usize) -> bool {
        let interested = match self.requester {
            5 => who == 0,
            requester => who == requester,
        };
        PEOPLE.contains(&who) && !interested && self.asks(cast, who)
    }

    fn rights<'cast>(&self, cast: &'cast [Principal], who: usize) -> BTreeSet<&'cast str> {
        let groups = cast[who].groups.iter().map(GroupName::as_str);
        groups.filter(|group| !self.lost.iter().any(|(one, lost)| *one == who && lost == group)).collect()
    }

    fn is_met(&self, cast: &[Principal]) -> bool {
        let people: Vec<_> = self.approved.iter().map(|who| self.rights(cast, *who)).collect();
        !self.places.is_empty() && can_be_met(&self.places, &people)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn follows_the_model(
        requester in prop_oneof![Just(0_usize), Just(5), Just(1)],
        dba in 0..3_u8,
        security in 0..3_u8,
        steps in steps(),
    ) {
        let cast = cast();
        let quorums: Vec<_> = [(dba, "dba"), (security, "security")].into_iter().filter(|(count, _)| *count > 0).collect();
        let places: Vec<_> = quorums.iter().flat_map(|(count, group)| std::iter::repeat_n(*group, usize::from(*count))).collect();
        let mut case = case(cast[requester].clone(), &quorums);
        let expiry = case.request().expires_at_millis;
        let mut model = Model { requester, places, word: "pending", approved: BTreeSet::new(), lost: BTreeSet::new() };
        let (mut now, mut retries, mut reviews) = (0, 0, 0);
        for (step, wait) in steps {
            now += wait;
            let lost = model.lost.clone();
            let rights = |by: &Principal| -> BTreeSet<GroupName> {
                let who = cast.iter().position(|one| one.name == by.name).unwrap_or_default();
                let kept = |group: &&GroupName| !lost.contains(&(who, if group.as_str() == "dba" { "dba" } else { "security" }));
                by.groups.iter().filter(kept).cloned().collect()
            };
            // A review finds out by itself that the time is over.
            if matches!(step, Step::Approve(_) | Step::Deny(_) | Step::Expire) && model.word == "pending" && now >= expiry {
                model.word = "expired";
            }
            match step {
                Step::Submit => {
                    // The same again, by another session: it joins, and no approval is lost or gained.
                    let retry = request(9, cast[requester].clone());
                    case.join(retry.clone());
                    retries += 1;
                    prop_assert_eq!((&case.request().session, case.request().retries), (&retry.session, retries));
                }
                Step::Approve(who) => {
                    let taken = model.word == "pending" && model.may(&cast, who);
                    let is_new = taken && model.approved.insert(who);
                    let met = taken && model.is_met(&cast);
                    if met {
                        model.word = "approved";
                    }
                    reviews += usize::from(is_new);
                    let answer = case.review(approve(&cast[who], now), &rights).is_ok();
                    prop_assert_eq!(answer, is_new || met);
                }
                Step::Deny(who) => {
                    let taken = model.word == "pending" && model.may(&cast, who);
                    if taken {
                        model.word = "denied";
                        reviews += 1;
                    }
                    prop_assert_eq!(case.review(deny(&cast[who], "no", now), &rights).is_ok(), taken);
                }
                Step::Expire => {
                    case.expire(now);
                }
                Step::Withdraw => {
                    let changed = case.withdraw();
                    prop_assert_eq!(changed, model.word == "pending");
                    if changed { model.word = "withdrawn"; }
                }
                Step::Supersede => {
                    let changed = case.supersede();
                    prop_assert_eq!(changed, model.word == "pending");
                    if changed { model.word = "superseded"; }
                }
                Step::Turn(who, group) => {
                    if !model.lost.remove(&(who, group)) {
                        model.lost.insert((who, group));
                    }
                }
            }
            prop_assert_eq!(case.state().word(), model.word);
            prop_assert_eq!(case.reviews().len(), reviews);
            let lost = model.lost.clone();
            let rights = |by: &Principal| -> BTreeSet<GroupName> {
                let who = cast.iter().position(|one| one.name == by.name).unwrap_or_default();
                let kept = |group: &&GroupName| !lost.contains(&(who, if group.as_str() == "dba" { "dba" } else { "security" }));
                by.groups.iter().filter(kept).cloned().collect()
            };
            // The grant asks once more: an approval stands exactly while enough of those who gave it may.
            prop_assert_eq!(case.stands(&rights), model.word == "approved" && model.is_met(&cast));
        }
        let kept: BTreeMap<_, _> = case.reviews().iter().map(|review| (review.by.name.clone(), review.vote)).collect();
        prop_assert!(!kept.contains_key(&cast[requester].name));
        let text = serde_json::to_string(&case).unwrap();
        prop_assert_eq!(serde_json::from_str::<Case>(&text).unwrap(), case);
    }
}
