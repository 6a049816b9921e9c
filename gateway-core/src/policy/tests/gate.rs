//! Reveal, and what the API may do.

use super::*;
use crate::{
    approval::{Lease, LeaseKind},
    model::{ApprovalId, ShapeId},
};

fn reveal(set: &PolicySet, who: &Principal, tag: &str) -> String {
    match set.reveal(who, &production(), tag) {
        Reveal::Clear => "clear".into(),
        Reveal::Masked { function, rule } => format!("{function} by {rule}"),
    }
}

#[test]
fn a_tagged_value_is_masked_unless_someone_is_permitted_to_see_it() {
    assert_eq!(reveal(&policies(""), &person("alice", &[]), "email"), "redact by hoop:not-permitted");
    assert_eq!(reveal(&policies(PERMIT_ALL), &person("alice", &[]), "email"), "clear");
    assert_eq!(reveal(&policies(PERMIT_ALL), &person("alice", &[]), "salary"), "clear");
}

#[test]
fn masks_by_class_and_the_strictest_function_wins() {
    let set = policies(&format!(
        "{PERMIT_ALL}@id(\"pii\") @mask(\"partial\") forbid(principal, action == Action::\"reveal\", resource in DataClass::\"pii\")
           unless {{ principal in Group::\"dba\" }};
         @id(\"card\") @mask(\"last4\") forbid(principal, action == Action::\"reveal\", resource == DataClass::\"credit_card\");
         @id(\"salary\") forbid(principal, action == Action::\"reveal\", resource == Tag::\"salary\")
           when {{ context.connection in Label::\"env=prod\" }};"
    ));
    let alice = person("alice", &[]);
    assert_eq!(reveal(&set, &alice, "email"), "partial by pii");
    assert_eq!(reveal(&set, &alice, "pii"), "partial by pii");
    assert_eq!(reveal(&set, &alice, "credit_card"), "last4 by card");
    assert_eq!(reveal(&set, &alice, "salary"), "redact by salary");
    assert_eq!(reveal(&set, &alice, "jwt"), "clear");
    assert_eq!(reveal(&set, &person("bob", &["dba"]), "email"), "clear");
    assert_eq!(MaskFunction::ALL.len(), 6);
}

#[test]
fn a_failing_policy_masks() {
    let set = policies(&format!(
        "{PERMIT_ALL}@id(\"broken\") @mask(\"partial\") forbid(principal, action == Action::\"reveal\", resource)
           when {{ datetime(\"2027-01-01\").offset(duration(\"9223372036854775807ms\")) > datetime(\"2027-01-01\") }};"
    ));
    assert_eq!(reveal(&set, &person("alice", &[]), "email"), "partial by broken");
}

fn may(set: &PolicySet, who: &Principal, action: &ApiAction, on: &ApiResource) -> String {
    short(&set.may(who, action, on))
}

fn session(owner: Principal) -> ApiResource {
    ApiResource::Session { owner, connection: production() }
}

#[test]
fn nobody_reviews_their_own_or_their_agents_request_or_for_a_group_of_others() {
    let set = policies(PERMIT_ALL);
    let approve = ApiAction::Approve { group: GroupName::new("dba").unwrap() };
    let request = |requester| ApiResource::Request { requester, connection: production() };
    let bob = person("bob", &["dba"]);
    assert_eq!(may(&set, &bob, &approve, &request(person("alice", &[]))), "permit");
    assert_eq!(may(&set, &bob, &approve, &request(bob.clone())), "refuse hoop:not-your-own");
    assert_eq!(may(&set, &bob, &approve, &request(agent("crew", "bob", &[]))), "refuse hoop:not-your-own");
    assert_ne!(may(&set, &person("eve", &["x"]), &approve, &request(person("alice", &[]))), "permit");
    assert_eq!(may(&policies(""), &bob, &approve, &request(person("alice", &[]))), "refuse -");
}

#[test]
fn sessions_are_seen_by_their_owner_and_by_whom_a_policy_permits() {
    let set = policies(
        "permit(principal in Group::\"auditors\", action in [Action::\"replay\", Action::\"list_sessions\"], resource);",
    );
    let alice = person("alice", &[]);
    assert_eq!(may(&set, &alice, &ApiAction::ReplaySession, &session(alice.clone())), "permit");
    assert_eq!(may(&set, &alice, &ApiAction::ReplaySession, &session(agent("crew", "alice", &[]))), "permit");
    assert_eq!(may(&set, &agent("alice", "eve", &[]), &ApiAction::ReplaySession, &session(alice.clone())), "refuse -");
    assert_eq!(may(&set, &person("bob", &[]), &ApiAction::ReplaySession, &session(alice.clone())), "refuse -");
    let carol = person("carol", &["auditors"]);
    assert_eq!(may(&set, &carol, &ApiAction::ReplaySession, &session(alice.clone())), "permit");
    assert_eq!(may(&set, &carol, &ApiAction::ListSessions, &ApiResource::Gateway), "permit");
    assert_eq!(may(&set, &carol, &ApiAction::KillSession, &session(alice)), "refuse -");
    assert_eq!(may(&set, &carol, &ApiAction::Administer, &ApiResource::Gateway), "refuse -");
}

#[test]
fn an_action_on_the_wrong_thing_is_refused() {
    let set = policies(PERMIT_ALL);
    let bob = person("bob", &["dba"]);
    assert_ne!(may(&set, &bob, &ApiAction::Administer, &session(bob.clone())), "permit");
    let approve = ApiAction::Approve { group: GroupName::new("dba").unwrap() };
    assert_ne!(may(&set, &bob, &approve, &ApiResource::Gateway), "permit");
}

#[test]
fn an_open_window_lets_one_principal_connect_there_while_the_policies_ask_for_no_more() {
    let held = |quorum: &str| {
        policies(&format!(
            "{PERMIT_ALL}@id(\"held\") @approval(\"{quorum}\") @window(\"1h\")
               forbid(principal, action == Action::\"connect\", resource);"
        ))
    };
    let (set, alice, to) = (held("dba"), person("alice", &[]), production());
    let at = Circumstances::at(0, Source::Tunnel);
    let need = match set.connect(&alice, &to, &at) {
        Verdict::NeedsApproval(need) => need,
        other @ (Verdict::Permit { .. } | Verdict::Refuse(_)) => panic!("{other:?}"),
    };
    assert_eq!(need.window.map(|longest| longest.as_secs()), Some(3_600));
    let window = Lease {
        approval: ApprovalId::new(1, [1; 5]),
        kind: LeaseKind::Access,
        principal_kind: alice.kind,
        principal: alice.name.clone(),
        lent_by: None,
        connection: to.name.clone(),
        rules: need.rules,
        quorums: need.quorums,
        step_up: need.step_up,
        by: Vec::new(),
        reason: None,
        opened_at_millis: 0,
        ends_at_millis: 1_000,
    };
    let permits = |set: &PolicySet, who: &Principal, to: &ConnectionFacts, now| {
        matches!(set.connect_approved(who, to, &at, &window, now), Verdict::Permit { .. })
    };
    assert!(permits(&set, &alice, &to, 999));
    assert!(!permits(&set, &alice, &to, 1_000), "its time is over");
    assert!(!permits(&set, &person("bob", &[]), &to, 0), "it is somebody else's");
    assert!(!permits(&set, &Principal { kind: PrincipalKind::Agent, ..alice.clone() }, &to, 0));
    let elsewhere = ConnectionFacts { name: ConnectionName::new("elsewhere").unwrap(), ..to.clone() };
    assert!(!permits(&set, &alice, &elsewhere, 0), "it is for another connection");
    assert!(!permits(&held("2 of dba"), &alice, &to, 0), "more reviewers are asked for now");
    assert!(!permits(&held("security"), &alice, &to, 0), "others are asked for now");
    let shape =
        Lease { kind: LeaseKind::Shape { shape: ShapeId::of([b"x".as_slice()]), max_rows: 1 }, ..window.clone() };
    assert!(!matches!(set.connect_approved(&alice, &to, &at, &shape, 0), Verdict::Permit { .. }));
}
