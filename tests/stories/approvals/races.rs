//! An approval that races its expiry, or a change of policy: whichever comes first, nothing runs without a right.

use super::{
    approve,
    crowd::{Crowd, until},
    request, status,
};

/// Both may happen at any moment; each run ends in one of two orders, and both must be sound.
#[test]
fn an_approval_that_races_the_expiry_runs_once_or_not_at_all() {
    let policies = super::super::harness::site_policies().replace("@expires(\"15m\")", "@expires(\"2s\")");
    let crowd = Crowd::gather_under(&policies);
    let bob = crowd.person("bob");
    let mut psql = crowd.psql().going_on().start();
    for id in 1..=8 {
        psql.write(&format!("delete from orders where id = {id};\n\\warn answered {id}\n"));
        let request = request(&mut psql);
        // Early in the first runs, at the very end in the last.
        let created = created(&bob, &request);
        until("its time is nearly over", || now() >= created + 250 * id);
        let said = approve(&bob, &request);
        psql.expect_line(&format!("answered {id}"));
        let left = crowd.database.value(&format!("select count(*) from orders where id = {id}"));
        let ended = status(&bob, &request);
        match said.code() {
            // It counted: it ran, unless its time was over between the word and the deed.
            0 => assert_eq!(ended, "approved", "{said:?}"),
            8 => assert_eq!((left.as_str(), ended.as_str()), ("1", "expired"), "{said:?}"),
            other => panic!("{other}: {said:?}"),
        }
        assert!(left == "1" || ended == "approved");
    }
}

#[test]
fn an_approval_that_races_a_policy_change_is_decided_by_the_policy_of_the_moment() {
    let mut crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    let bob = crowd.person("bob");
    let mut psql = crowd.psql().going_on().start();
    let forbid = "@id(\"no-deletes\") forbid(principal, action == Action::\"delete\", resource);";
    for id in 1..=6 {
        psql.write(&format!("delete from orders where id = {id};\n\\warn answered {id}\n"));
        let request = request(&mut psql);
        let approving = bob.start(&["approvals", "approve", &request]);
        if id % 2 == 0 {
            assert_eq!(approving.finish().code(), 0);
            crowd.policy("change", forbid);
        } else {
            // The process of the approval has only just begun.
            crowd.policy("change", forbid);
            approving.finish();
        }
        psql.expect_line(&format!("answered {id}"));
        let left = crowd.database.value(&format!("select count(*) from orders where id = {id}"));
        assert!(left == "1" || status(&bob, &request) == "approved", "nothing runs that nobody approved");
        if id % 2 == 0 {
            assert_eq!(left, "0", "it was approved before the change");
        }
        // Under the new policy not even an approved one would run.
        psql.write(&format!("delete from orders where id = {};\n\\warn refused {id}\n", 100 + id));
        psql.expect_line("42501");
        psql.expect_line(&format!("refused {id}"));
        crowd.policy("change", "");
    }
}

fn created(person: &super::Person, id: &str) -> i64 {
    person.json(&["approvals", "show", id])["approval"]["created_at_millis"].as_i64().expect("a time")
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("not so soon")
}
