//! An agent with a person's presence, and runs with a budget.

use super::*;
use crate::model::{RunId, Usage};

fn lent(agent: Principal, lender: Principal) -> Principal {
    Principal { lent_by: Some(Arc::new(lender)), ..agent }
}

fn crew(groups: &[&str]) -> Principal {
    agent("crew", "alice", groups)
}

#[test]
fn both_are_asked_and_the_stricter_answer_stands() {
    let set = policies(
        "@id(\"robots\") permit(principal in Group::\"robots\", action, resource);
         @id(\"staff\") permit(principal in Group::\"staff\", action, resource);
         @id(\"ask\") @approval(\"dba\") forbid(principal in Group::\"juniors\", action == Action::\"delete\", resource);
         @id(\"no-drops\") forbid(principal in Group::\"robots\", action == Action::\"drop\", resource);
         @id(\"ask-robots\") @approval(\"security\") forbid(principal is Agent, action == Action::\"truncate\", resource);
         @id(\"ask-staff\") @approval(\"dba\") forbid(principal in Group::\"staff\", action == Action::\"truncate\", resource);",
    );
    let (robot, staff) = (crew(&["robots"]), person("bob", &["staff"]));
    let drop_table = operation(&[(Verb::Drop, Some("orders"))]);
    let truncate = operation(&[(Verb::Truncate, Some("orders"))]);
    for (who, asked, expected) in [
        (lent(robot.clone(), staff.clone()), delete("orders"), "permit"),
        (lent(crew(&[]), staff.clone()), delete("orders"), "refuse -"),
        (lent(robot.clone(), person("bob", &[])), delete("orders"), "refuse -"),
        (lent(robot.clone(), person("bob", &["staff", "juniors"])), delete("orders"), "hold ask for 1 of dba"),
        (lent(robot.clone(), staff.clone()), drop_table, "refuse no-drops"),
        (lent(robot, staff), truncate, "hold ask-robots ask-staff for 1 of security, 1 of dba"),
    ] {
        // Twice, so that the second answer comes from the cache.
        for _ in 0..2 {
            assert_eq!(short(&weigh(&set, &who, &asked)), expected, "{who:?}");
        }
    }
}

#[test]
fn a_cached_answer_for_the_agent_is_not_given_to_it_with_somebodys_presence() {
    let set = policies(
        "permit(principal in Group::\"robots\", action, resource);
         permit(principal in Group::\"staff\", action, resource);
         forbid(principal, action == Action::\"delete\", resource) when { principal is Agent && principal has lent_by &&
           principal.lent_by == User::\"carol\" };",
    );
    let robot = crew(&["robots"]);
    let by = |name: &str, groups: &[&str]| lent(robot.clone(), person(name, groups));
    for _ in 0..2 {
        assert_eq!(short(&weigh(&set, &robot, &delete("orders"))), "permit");
        assert_eq!(short(&weigh(&set, &by("bob", &["staff"]), &delete("orders"))), "permit");
        assert_eq!(short(&weigh(&set, &by("bob", &[]), &delete("orders"))), "refuse -");
        assert_ne!(short(&weigh(&set, &by("carol", &["staff"]), &delete("orders"))), "permit");
    }
}

#[test]
fn connecting_and_seeing_values_are_decided_for_both_too() {
    let set = policies(
        "permit(principal in Group::\"robots\", action, resource);
         permit(principal in Group::\"staff\", action, resource);
         @id(\"robots-see-4\") @mask(\"last4\") forbid(principal is Agent, action == Action::\"reveal\", resource);
         @id(\"interns-see-none\") @mask(\"redact\")
         forbid(principal in Group::\"interns\", action == Action::\"reveal\", resource);",
    );
    let (robot, to) = (crew(&["robots"]), production());
    let connect = |who: &Principal| short(&set.connect(who, &to, &now()));
    assert_eq!(connect(&lent(robot.clone(), person("bob", &["staff"]))), "permit");
    assert_eq!(connect(&lent(robot.clone(), person("bob", &[]))), "refuse -");
    assert_eq!(connect(&lent(crew(&[]), person("bob", &["staff"]))), "refuse -");
    let seen = |groups: &[&str]| match set.reveal(&lent(robot.clone(), person("bob", groups)), &to, "email") {
        Reveal::Clear => "clear".to_owned(),
        Reveal::Masked { function, rule } => format!("{function} by {rule}"),
    };
    assert_eq!(seen(&["staff"]), "last4 by robots-see-4");
    assert_eq!(seen(&["staff", "interns"]), "redact by interns-see-none");
    assert_eq!(seen(&[]), "redact by hoop:not-permitted");
}

#[test]
fn a_person_lends_by_policy_and_an_agent_never() {
    let set = policies(
        "@id(\"lend\") permit(principal in Group::\"staff\", action == Action::\"act_as\", resource == Agent::\"crew\");",
    );
    let on = |agent: Principal| ApiResource::Agent(agent);
    let may = |who: &Principal, agent: Principal| short(&set.may(who, &ApiAction::ActAs, &on(agent)));
    assert_eq!(may(&person("bob", &["staff"]), crew(&[])), "permit");
    assert_eq!(may(&person("bob", &["staff"]), agent("other", "alice", &[])), "refuse -");
    assert_eq!(may(&person("bob", &[]), crew(&[])), "refuse -");
    assert_eq!(may(&agent("bob", "alice", &["staff"]), crew(&[])), "refuse -");
    assert_eq!(may(&person("bob", &["staff"]), person("crew", &[])), "refuse -");
}

#[test]
fn nobody_reviews_what_comes_of_their_own_presence() {
    let set = policies("permit(principal, action == Action::\"approve\", resource);");
    let dba = |name: &str| person(name, &["dba"]);
    let on = ApiResource::Request { requester: lent(crew(&[]), person("bob", &[])), connection: production() };
    let approve = ApiAction::Approve { group: GroupName::new("dba").unwrap() };
    let may = |who: &Principal| short(&set.may(who, &approve, &on));
    assert_eq!(may(&dba("bob")), "refuse hoop:not-your-own");
    assert_eq!(may(&dba("alice")), "refuse hoop:not-your-own");
    assert_eq!(may(&dba("carol")), "permit");
}

#[test]
fn a_budget_is_asked_anew_each_time_and_absent_outside_of_runs() {
    let set = policies(
        "permit(principal, action, resource);
         @id(\"rows\") forbid(principal, action, resource) when { context has usage && context.usage.rows_read >= 10 };
         @id(\"time\") @approval(\"dba\") forbid(principal, action in Action::\"write\", resource)
           when { context has usage && context.usage.wall_seconds > 60 };",
    );
    let alice = person("alice", &[]);
    let used = |usage: Usage| Circumstances { run: Some(RunId::new(1, [1; 10])), usage: Some(usage), ..now() };
    let weigh = |at: &Circumstances| short(&set.weigh(&alice, &production(), &delete("orders"), at));
    let rows = |rows_read| used(Usage { rows_read, ..Usage::default() });
    assert_eq!(weigh(&rows(9)), "permit");
    assert_eq!(weigh(&rows(10)), "refuse rows");
    assert_eq!(weigh(&rows(9)), "permit");
    assert_eq!(weigh(&now()), "permit");
    assert_eq!(weigh(&used(Usage { wall_seconds: 61, ..Usage::default() })), "hold time for 1 of dba");
    assert_eq!(weigh(&rows(u64::MAX)), "refuse rows", "a count that Cedar cannot hold is as large as it can be");
    assert_eq!(short(&set.connect(&alice, &production(), &rows(10))), "refuse rows");
    for wrong in ["context.usage.rows_read > 1", "context has usage && context.usage.rows > 1"] {
        assert!(load(&format!("permit(principal, action, resource) when {{ {wrong} }};")).is_err(), "{wrong}");
    }
}
