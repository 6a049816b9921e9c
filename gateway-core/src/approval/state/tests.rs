//! The state machine against a model that keeps nothing but sets of names.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    approval::testing::{agent, person, request},
    model::{ApprovalNeed, RuleId},
};

fn approve(by: &Principal, at_millis: i64) -> Review {
    Review { by: by.clone(), vote: Vote::Approve, reason: None, at_millis }
}

fn deny(by: &Principal, reason: &str, at_millis: i64) -> Review {
    Review { by: by.clone(), vote: Vote::Deny, reason: Some(reason.into()), at_millis }
}

fn need(quorums: &[(u8, &str)]) -> ApprovalNeed {
    ApprovalNeed {
        quorums: quorums
            .iter()
            .map(|(count, group)| Quorum { count: *count, group: GroupName::new(group).unwrap() })
            .collect(),
        rules: vec![RuleId("hold-deletes".into())],
        message: None,
        expires_after: Duration::from_mins(1),
        step_up: Vec::new(),
    }
}

fn case(requester: Principal, quorums: &[(u8, &str)]) -> Case {
    let mut asked = request(1, requester);
    asked.need = need(quorums);
    Case::open(asked)
}

#[test]
fn one_reviewer_of_the_group_is_enough_for_a_quorum_of_one() {
    let mut case = case(person("alice", &["engineers"]), &[(1, "dba")]);
    case.review(approve(&person("bob", &["dba"]), 1)).unwrap();
    assert_eq!(case.state(), &State::Approved { by: vec![PrincipalName::new("bob").unwrap()] });
}

#[test]
fn the_requester_never_counts_even_as_a_member_of_the_group() {
    let alice = person("alice", &["dba"]);
    let mut case = case(alice.clone(), &[(1, "dba")]);
    assert_eq!(case.review(approve(&alice, 1)), Err(ReviewError::Interested));
    assert_eq!(case.review(deny(&alice, "no", 1)), Err(ReviewError::Interested));
    assert!(case.state().is_pending());
}

#[test]
fn the_owner_of_the_requesting_agent_never_counts() {
    let mut case = case(agent("crew", "alice", &["agents"]), &[(1, "dba")]);
    assert_eq!(case.review(approve(&person("alice", &["dba"]), 1)), Err(ReviewError::Interested));
    assert_eq!(case.review(approve(&agent("other", "alice", &["dba"]), 1)), Err(ReviewError::Interested));
}

#[test]
fn an_agent_never_reviews() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    assert_eq!(case.review(approve(&agent("crew", "bob", &["dba"]), 1)), Err(ReviewError::Agent));
}

#[test]
fn one_person_counts_once() {
    let mut case = case(person("alice", &[]), &[(2, "dba")]);
    let bob = person("bob", &["dba"]);
    assert!(case.review(approve(&bob, 1)).unwrap().is_pending());
    assert_eq!(case.review(approve(&bob, 2)), Err(ReviewError::Repeated));
    assert!(matches!(case.review(approve(&person("dora", &["dba"]), 3)), Ok(State::Approved { .. })));
}

#[test]
fn every_quorum_must_be_met() {
    let mut case = case(person("alice", &[]), &[(1, "dba"), (1, "security")]);
    assert!(case.review(approve(&person("bob", &["dba"]), 1)).unwrap().is_pending());
    assert!(matches!(case.review(approve(&person("eve", &["security"]), 2)), Ok(State::Approved { .. })));
}

#[test]
fn outsiders_do_not_review() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    let answer = case.review(approve(&person("carol", &["auditors"]), 1));
    assert_eq!(answer, Err(ReviewError::NotReviewer("dba".into())));
}

#[test]
fn a_denial_needs_a_reason_and_settles() {
    let mut case = case(person("alice", &[]), &[(2, "dba")]);
    let bob = person("bob", &["dba"]);
    assert_eq!(case.review(deny(&bob, "  ", 1)), Err(ReviewError::ReasonMissing));
    assert!(matches!(case.review(deny(&bob, "not in office hours", 1)), Ok(State::Denied { .. })));
    assert_eq!(case.review(approve(&person("dora", &["dba"]), 2)), Err(ReviewError::Settled("denied")));
}

#[test]
fn decisions_after_the_expiry_do_nothing() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    let expiry = case.request().expires_at_millis;
    assert_eq!(case.review(approve(&person("bob", &["dba"]), expiry)), Err(ReviewError::Settled("expired")));
    assert_eq!(case.state(), &State::Expired);
}

#[test]
fn a_need_without_quorums_is_never_met() {
    let mut case = case(person("alice", &[]), &[]);
    assert!(case.review(approve(&person("bob", &["dba"]), 1)).is_err());
    assert!(case.state().is_pending());
}

#[test]
fn overlong_reasons_are_refused() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    let answer = case.review(deny(&person("bob", &["dba"]), &"x".repeat(MAX_REASON_BYTES + 1), 1));
    assert_eq!(answer, Err(ReviewError::ReasonOverlong(MAX_REASON_BYTES + 1)));
}

#[derive(Debug, Clone)]
enum Step {
    Approve(usize),
    Deny(usize),
    Expire,
    Withdraw,
    Supersede,
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
    ]
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        8 => (0..7_usize).prop_map(Step::Approve),
        2 => (0..7_usize).prop_map(Step::Deny),
        1 => Just(Step::Expire),
        1 => Just(Step::Withdraw),
        1 => Just(Step::Supersede),
    ];
    prop::collection::vec((step, 0..30_000_i64), 0..14)
}

proptest! {
    #[test]
    fn follows_the_model(
        requester in prop_oneof![Just(0_usize), Just(5), Just(1)],
        dba in 0..3_u8,
        security in 0..3_u8,
        steps in steps(),
    ) {
        let cast = cast();
        let quorums: Vec<_> = [(dba, "dba"), (security, "security")].into_iter().filter(|(count, _)| *count > 0).collect();
        let mut case = case(cast[requester].clone(), &quorums);
        let expiry = case.request().expires_at_millis;
        let allowed = |who: usize| match requester {
            0 | 5 => [1, 2, 3].contains(&who),
            _ => [0, 2, 3].contains(&who),
        };
        let in_group = |who: usize, group: &str| cast[who].groups.iter().any(|name| name.as_str() == group);
        let mut word = "pending";
        let mut approved = BTreeSet::new();
        let mut now = 0;
        for (step, wait) in steps {
            now += wait;
            if word == "pending" && now >= expiry && !matches!(step, Step::Withdraw | Step::Supersede) {
                word = "expired";
            }
            match step {
                Step::Approve(who) => {
                    let asked = quorums.iter().any(|(_, group)| in_group(who, group));
                    let counts = word == "pending" && allowed(who) && asked && approved.insert(who);
                    if counts && quorums.iter().all(|(count, group)| {
                        approved.iter().filter(|who| in_group(**who, group)).count() >= usize::from(*count)
                    }) {
                        word = "approved";
                    }
                    prop_assert_eq!(case.review(approve(&cast[who], now)).is_ok(), counts);
                }
                Step::Deny(who) => {
                    let asked = quorums.iter().any(|(_, group)| in_group(who, group));
                    let counts = word == "pending" && allowed(who) && asked;
                    if counts {
                        word = "denied";
                    }
                    prop_assert_eq!(case.review(deny(&cast[who], "no", now)).is_ok(), counts);
                }
                Step::Expire => {
                    case.expire(now);
                }
                Step::Withdraw => {
                    let changed = case.withdraw();
                    prop_assert_eq!(changed, word == "pending");
                    if changed { word = "withdrawn"; }
                }
                Step::Supersede => {
                    let changed = case.supersede();
                    prop_assert_eq!(changed, word == "pending");
                    if changed { word = "superseded"; }
                }
            }
            prop_assert_eq!(case.state().word(), word);
            let kept: BTreeMap<_, _> = case.reviews().iter().map(|review| (review.by.name.clone(), review.vote)).collect();
            prop_assert!(kept.len() <= 4);
        }
        let text = serde_json::to_string(&case).unwrap();
        prop_assert_eq!(serde_json::from_str::<Case>(&text).unwrap(), case);
    }
}
