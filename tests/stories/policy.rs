//! Policies as code: a site to start from, its cases, what explains and compares them, and the past decided again.

use std::{fs, path::Path};

use super::harness::{Cluster, Gateway, Person, Site, Tunnel, site_policies};

#[test]
fn a_site_is_begun_tested_explained_compared_and_the_past_decided_again() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database).policy(
        "backtest",
        "permit(principal in Group::\"engineers\", action in [Action::\"replay\", Action::\"list_sessions\"], resource);",
    ));
    let alice = Person::login(&gateway, "alice");
    let run = |arguments: &[&str]| {
        let outcome = alice.run(arguments);
        (outcome.code(), format!("{}{}", outcome.output, outcome.errors))
    };

    // A starter is a site: valid, its cases hold, laid out or not, and it is never written over.
    for starter in ["payments", "health", "engineering"] {
        let folder = alice.home().join(starter);
        let folder = folder.to_str().expect("text");
        assert_eq!(run(&["init", folder, "--starter", starter]).0, 0);
        let (status, said) = run(&["policy", "test", folder]);
        assert!(status == 0 && said.contains("come out as expected"), "{starter}: {said}");
        assert_eq!(run(&["policy", "check", folder]).0, 0);
        let (status, said) = run(&["init", folder, "--starter", starter]);
        assert!(status == 1 && said.contains("is there already"), "{said}");
    }
    let (before, after) = (alice.home().join("engineering"), alice.home().join("after"));
    let (before, after) = (before.to_str().expect("text"), after.to_str().expect("text"));
    assert_eq!(run(&["init", after, "--starter", "engineering"]).0, 0);
    edit(
        Path::new(after),
        "policies/guardrails.cedar",
        "@id(\"production-writes-in-pairs\")\n@approval(\"1 of oncall\")\n@expires(\"30m\")\n@shape(\"1h\")",
        "@id(\"production-is-not-written\")",
    );
    let (status, said) = run(&["policy", "test", after]);
    assert!(status == 1 && said.contains("approval was expected, and it is refuse"), "{said}");
    let (_, said) = run(&["policy", "diff", before, after]);
    for part in [
        "+ policy production-is-not-written",
        "- policy production-writes-in-pairs",
        "approval (production-writes-in-pairs) -> refuse",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let statement = "UPDATE users SET name = 'x' WHERE id = 7";
    let (status, said) =
        run(&["policy", "explain", before, "app-prod", statement, "--user", "alice", "--group", "engineers"]);
    assert!(status == 0 && said.contains("approval") && said.contains("production-writes-in-pairs"), "{said}");
    assert!(
        said.contains("1 of oncall") && said.contains("public.users") && said.contains("masked    email"),
        "{said}"
    );
    assert_eq!(run(&["policy", "fmt", before]).0, 0);
    assert_eq!(run(&["policy", "fmt", "--check", before]).0, 0);
    assert_eq!(run(&["policy", "test", before]).0, 0, "a layout changes no decision");

    // What was recorded is decided again by a site that is not in force.
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let script = "select count(*) from orders;\nupdate orders set id = id where id = 7;\n\
                  select id from customers where email = 'ada@example.com';\n";
    assert_eq!(tunnel.psql().run(script).code(), 0);
    tunnel.psql().with(&["-c", "drop table orders"]).run("");
    let proposed = alice.home().join("proposed");
    for file in ["gateway.toml", "connections.toml", "masking.toml"] {
        fs::create_dir_all(proposed.join("policies")).expect("made");
        fs::copy(gateway.site().path().join(file), proposed.join(file)).expect("copied");
    }
    let policies = site_policies() + "@id(\"no-updates\") forbid(principal, action == Action::\"update\", resource);\n";
    fs::write(proposed.join("policies/shop.cedar"), policies).expect("written");
    let report = alice.json(&["policy", "backtest", proposed.to_str().expect("text"), "--since", "1h"]);
    let report = &report["backtest"];
    assert_eq!((&report["operations"], &report["same"]), (&4.into(), &3.into()), "{report}");
    assert_eq!(report["undecided"].as_array().map(Vec::len), Some(0), "{report}");
    let changed = &report["changed"][0];
    assert_eq!((&changed["was"], &changed["would_be"]), (&"permit".into(), &"refuse".into()), "{report}");
    assert_eq!(changed["would_be_rules"][0], "no-updates", "{report}");
}

fn edit(folder: &Path, file: &str, part: &str, becomes: &str) {
    let text = fs::read_to_string(folder.join(file)).expect("readable");
    assert!(text.contains(part), "{file} has no {part}");
    fs::write(folder.join(file), text.replace(part, becomes)).expect("written");
}
