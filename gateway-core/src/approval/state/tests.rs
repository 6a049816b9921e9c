//! The state machine by example; `model` tries it against a model, over thousands of interleavings.

mod model;

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    approval::testing::{agent, own, person, request},
    model::{ApprovalNeed, RuleId},
};

fn approve(by: &Principal, at_millis: i64) -> Review {
    Review { by: by.clone(), vote: Vote::Approve, reason: None, at_millis, shape: None }
}

fn deny(by: &Principal, reason: &str, at_millis: i64) -> Review {
    Review { by: by.clone(), vote: Vote::Deny, reason: Some(reason.into()), at_millis, shape: None }
}

fn review(case: &mut Case, review: Review) -> Result<&State, ReviewError> {
    case.review(review, &own)
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
        window: None,
        shape: None,
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
    review(&mut case, approve(&person("bob", &["dba"]), 1)).unwrap();
    assert_eq!(case.state(), &State::Approved { by: vec![PrincipalName::new("bob").unwrap()] });
}

#[test]
fn the_requester_never_counts_even_as_a_member_of_the_group() {
    let alice = person("alice", &["dba"]);
    let mut case = case(alice.clone(), &[(1, "dba")]);
    assert_eq!(review(&mut case, approve(&alice, 1)), Err(ReviewError::Interested));
    assert_eq!(review(&mut case, deny(&alice, "no", 1)), Err(ReviewError::Interested));
    assert!(case.state().is_pending());
}

#[test]
fn the_owner_of_the_requesting_agent_never_counts() {
    let mut case = case(agent("crew", "alice", &["agents"]), &[(1, "dba")]);
    assert_eq!(review(&mut case, approve(&person("alice", &["dba"]), 1)), Err(ReviewError::Interested));
    assert_eq!(review(&mut case, approve(&agent("other", "alice", &["dba"]), 1)), Err(ReviewError::Interested));
}

#[test]
fn an_agent_never_reviews() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    assert_eq!(review(&mut case, approve(&agent("crew", "bob", &["dba"]), 1)), Err(ReviewError::Agent));
}

#[test]
fn one_person_counts_once() {
    let mut case = case(person("alice", &[]), &[(2, "dba")]);
    let bob = person("bob", &["dba"]);
    assert!(review(&mut case, approve(&bob, 1)).unwrap().is_pending());
    assert_eq!(review(&mut case, approve(&bob, 2)), Err(ReviewError::Repeated));
    assert!(matches!(review(&mut case, approve(&person("dora", &["dba"]), 3)), Ok(State::Approved { .. })));
}

#[test]
fn every_quorum_must_be_met() {
    let mut case = case(person("alice", &[]), &[(1, "dba"), (1, "security")]);
    assert!(review(&mut case, approve(&person("bob", &["dba"]), 1)).unwrap().is_pending());
    assert!(matches!(review(&mut case, approve(&person("eve", &["security"]), 2)), Ok(State::Approved { .. })));
}

#[test]
fn one_person_in_two_groups_does_not_meet_both_quorums() {
    let mut case = case(person("alice", &[]), &[(1, "dba"), (1, "security")]);
    let dora = person("dora", &["dba", "security"]);
    assert!(review(&mut case, approve(&dora, 1)).unwrap().is_pending());
    assert_eq!(case.missing(&own).len(), 1);
    assert_eq!(review(&mut case, approve(&dora, 2)), Err(ReviewError::Repeated));
    let by = |names: &[&str]| names.iter().map(|name| PrincipalName::new(name).unwrap()).collect();
    let approved = review(&mut case, approve(&person("bob", &["dba"]), 3)).unwrap();
    assert_eq!(approved, &State::Approved { by: by(&["dora", "bob"]) });
}

#[test]
fn who_may_not_review_any_more_does_not_count() {
    let mut case = case(person("alice", &[]), &[(2, "dba")]);
    review(&mut case, approve(&person("bob", &["dba"]), 1)).unwrap();
    let without_bob = |by: &Principal| if by.name.as_str() == "bob" { BTreeSet::new() } else { by.groups.clone() };
    let dora = person("dora", &["dba"]);
    let state = case.review(approve(&dora, 2), &without_bob).unwrap().clone();
    assert_eq!(state, State::Pending { approvals: vec![PrincipalName::new("dora").unwrap()] });
    assert!(!case.stands(&without_bob));
    // His right came back: what he said stands, and saying it again settles it.
    assert!(matches!(review(&mut case, approve(&person("bob", &["dba"]), 3)), Ok(State::Approved { .. })));
    assert!(case.stands(&own));
    assert!(!case.stands(&without_bob), "and at the moment of the grant it is asked again");
}

#[test]
fn a_shape_is_approved_within_the_narrowest_bounds_and_only_by_everybody() {
    let terms = |for_millis, max_rows| Some(ShapeTerms { for_millis, max_rows });
    let with = |by: &str, shape| Review { shape, ..approve(&person(by, &["dba"]), 1) };
    let mut both = case(person("alice", &[]), &[(2, "dba")]);
    review(&mut both, with("bob", terms(60, 10))).unwrap();
    review(&mut both, with("dora", terms(30, 20))).unwrap();
    assert_eq!(both.shape_terms(), terms(30, 10));
    let mut one = case(person("alice", &[]), &[(2, "dba")]);
    review(&mut one, with("bob", terms(60, 10))).unwrap();
    review(&mut one, with("dora", None)).unwrap();
    assert_eq!(one.shape_terms(), None);
}

#[test]
fn outsiders_do_not_review() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    let answer = review(&mut case, approve(&person("carol", &["auditors"]), 1));
    assert_eq!(answer, Err(ReviewError::NotReviewer("dba".into())));
}

#[test]
fn a_denial_needs_a_reason_and_settles() {
    let mut case = case(person("alice", &[]), &[(2, "dba")]);
    let bob = person("bob", &["dba"]);
    assert_eq!(review(&mut case, deny(&bob, "  ", 1)), Err(ReviewError::ReasonMissing));
    assert!(matches!(review(&mut case, deny(&bob, "not in office hours", 1)), Ok(State::Denied { .. })));
    assert_eq!(review(&mut case, approve(&person("dora", &["dba"]), 2)), Err(ReviewError::Settled("denied")));
}

#[test]
fn decisions_after_the_expiry_do_nothing() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    let expiry = case.request().expires_at_millis;
    assert_eq!(review(&mut case, approve(&person("bob", &["dba"]), expiry)), Err(ReviewError::Settled("expired")));
    assert_eq!(case.state(), &State::Expired);
}

#[test]
fn a_need_without_quorums_is_never_met() {
    let mut case = case(person("alice", &[]), &[]);
    assert!(review(&mut case, approve(&person("bob", &["dba"]), 1)).is_err());
    assert!(case.state().is_pending());
}

#[test]
fn overlong_reasons_are_refused() {
    let mut case = case(person("alice", &[]), &[(1, "dba")]);
    let answer = review(&mut case, deny(&person("bob", &["dba"]), &"x".repeat(MAX_REASON_BYTES + 1), 1));
    assert_eq!(answer, Err(ReviewError::ReasonOverlong(MAX_REASON_BYTES + 1)));
}
