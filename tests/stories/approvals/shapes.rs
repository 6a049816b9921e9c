//! A whole shape approved for a time: what it lets pass, and what it does not.

use super::{super::harness::site_policies, crowd::Crowd, held, request, status};

fn crowd(shape: &str) -> Crowd {
    let policies = site_policies().replace("@approval(\"dba\")", &format!("@approval(\"dba\")\n{shape}"));
    Crowd::gather_under(&policies)
}

#[test]
fn an_approved_shape_lets_other_constants_pass_and_nothing_else() {
    let mut crowd = crowd("@shape(\"1h\")");
    crowd.database.direct().run("analyze").success();
    let bob = crowd.person("bob");
    let (mut psql, id) = held(&crowd.psql().going_on(), "delete from orders where id = 7;\n");
    let shown = &bob.json(&["approvals", "show", &id])["approval"];
    assert_eq!(shown["shape_for_seconds"], 3_600, "{shown}");
    assert_eq!(shown["estimated_rows"], 1, "{shown}");
    let too_long = bob.run(&["approvals", "approve", &id, "--shape-for", "2h", "--max-rows", "1"]);
    assert_ne!(too_long.code(), 0, "{too_long:?}");
    bob.run(&["approvals", "approve", &id, "--shape-for", "30m", "--max-rows", "1"]).success();
    psql.write("delete from orders where id = 8;\ndelete  from ORDERS where id=9;\nselect 'ran';\n");
    psql.expect_line("ran");
    assert_eq!(crowd.orders(), "197");
    // Each use says which approval it ran under.
    let session = shown["session"].as_str().expect("a session").to_owned();
    let uses = crowd.person("alice").json(&["sessions", "show", &session])["session"]["operations"].clone();
    let under = uses.as_array().expect("operations").iter().filter(|one| one["approval"] == id.as_str()).count();
    assert_eq!(under, 3, "{uses}");
    // More rows than were approved, another predicate, another table, another path: each is held.
    for text in [
        "delete from orders where id < 100;\n",
        "delete from orders where id = 10 or true and id = 11;\n",
        "delete from audit_trail where id = 1;\n",
        "set search_path = public, pg_catalog; \n\\g\ndelete from orders where id = 12;\n",
    ] {
        psql.write(text);
        let other = request(&mut psql);
        assert_eq!(status(&bob, &other), "pending", "{text}");
        bob.run(&["approvals", "deny", &other, "--reason", "not that"]).success();
        psql.expect_line("42501");
    }
    assert_eq!(crowd.orders(), "197");
    psql.write("reset search_path;\ndelete from orders where id = 13;\nselect 'again';\n");
    psql.expect_line("again");
    assert_eq!(crowd.orders(), "196");
    // Others than alice have no part in it.
    let dora = crowd.person("dora");
    let tunnel = super::Tunnel::open(&dora, "pg-prod");
    let (_hers, hers) = held(&tunnel.psql(), "delete from orders where id = 14;\n");
    assert_eq!(status(&bob, &hers), "pending");
    // A policy that asks for more reviewers ends it.
    crowd.gateway.site().edit("policies/shop.cedar", "@approval(\"dba\")", "@approval(\"2 of dba\")");
    assert!(crowd.gateway.reload().contains("are in force"));
    psql.write("delete from orders where id = 15;\n");
    let after = request(&mut psql);
    assert_eq!(status(&bob, &after), "pending");
    assert_eq!(crowd.orders(), "196");
}

#[test]
fn a_shape_is_not_approved_where_the_policy_or_the_values_do_not_allow_it() {
    let crowd = crowd("");
    let bob = crowd.person("bob");
    let (_psql, id) = held(&crowd.psql(), "delete from orders where id = 7;\n");
    let refused = bob.run(&["approvals", "approve", &id, "--shape-for", "1h"]);
    assert_ne!(refused.code(), 0, "{refused:?}");
    assert_eq!(status(&bob, &id), "pending", "a review that is refused leaves it as it was");
    assert_eq!(crowd.orders(), "200");
}

#[test]
fn a_shape_that_compares_a_tagged_column_stays_closed() {
    let crowd = crowd("@shape(\"1h\")");
    let bob = crowd.person("bob");
    let (_psql, id) = held(&crowd.psql(), "delete from customers where email = 'x@example.com';\n");
    let shown = &bob.json(&["approvals", "show", &id])["approval"];
    assert_eq!(shown["shape_for_seconds"], serde_json::Value::Null, "{shown}");
    let refused = bob.run(&["approvals", "approve", &id, "--shape-for", "1h", "--max-rows", "5"]);
    assert_ne!(refused.code(), 0, "{refused:?}");
    assert_eq!(status(&bob, &id), "pending");
}
