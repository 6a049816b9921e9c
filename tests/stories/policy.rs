//! Policies as code: a site to start from, its cases and schemas, what explains and compares them, and the past decided
//! again.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    process::Command,
};

use serde_json::Value;

use super::harness::{Cluster, Gateway, Person, Program, Site, Tunnel, checker, site_policies};

const UPDATE: &str = "UPDATE users SET name = 'x' WHERE id = 7";

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
        assert_eq!(run(&["policy", "fmt", "--check", folder]).0, 0, "{starter} is laid out as `policy fmt` does");
        let (status, said) = run(&["init", folder, "--starter", starter]);
        assert!(status == 1 && said.contains("is there already"), "{said}");
    }
    editors_know_the_files(&alice, &alice.home().join("payments"));
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
    let (status, said) =
        run(&["policy", "explain", before, "app-prod", UPDATE, "--user", "alice", "--group", "engineers"]);
    assert!(status == 0 && said.contains("approval") && said.contains("production-writes-in-pairs"), "{said}");
    assert!(
        said.contains("1 of oncall") && said.contains("public.users") && said.contains("masked    email"),
        "{said}"
    );
    edit(Path::new(before), "policies/access.cedar", "permit (\n", "permit(\n");
    assert_eq!(run(&["policy", "fmt", "--check", before]).0, 1);
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
    let proposed = proposed.to_str().expect("text");
    let report = alice.json(&["policy", "backtest", proposed, "--since", "1h"]);
    let report = &report["backtest"];
    assert_eq!((&report["operations"], &report["same"]), (&4.into(), &3.into()), "{report}");
    assert_eq!(report["undecided"].as_array().map(Vec::len), Some(0), "{report}");
    let changed = &report["changed"][0];
    assert_eq!((&changed["was"], &changed["would_be"]), (&"permit".into(), &"refuse".into()), "{report}");
    assert_eq!(changed["would_be_rules"][0], "no-updates", "{report}");

    an_export_says_the_same(&alice, gateway, proposed, report);
}

/// The same from what was exported, with no gateway and nobody logged in.
fn an_export_says_the_same(alice: &Person, gateway: Gateway, proposed: &str, report: &Value) {
    let record = alice.home().join("record.jsonl");
    let mut file = OpenOptions::new().create(true).append(true).open(&record).expect("opened");
    let sessions = alice.json(&["sessions", "ls"]);
    for session in sessions["sessions"].as_array().expect("a list") {
        let id = session["id"].as_str().expect("an id");
        file.write_all(alice.run(&["replay", id, "--output", "jsonl"]).success().as_bytes()).expect("written");
    }
    drop(gateway);
    alice.run(&["logout"]);
    let offline = alice.json(&["policy", "backtest", proposed, "--record", record.to_str().expect("text")]);
    let (offline, changed) = (&offline["backtest"], &report["changed"][0]);
    for counted in ["sessions", "operations", "same"] {
        assert_eq!(offline[counted], report[counted], "{counted}: {offline}");
    }
    for same in ["operation", "number", "was", "would_be", "would_be_rules", "principal", "connection"] {
        assert_eq!(offline["changed"][0][same], changed[same], "{same}: {offline}");
    }
}

/// The schemas that `hoop init` writes are those of `policy schema`, and what editors make of them: the files are valid,
/// and a key that nobody knows is shown before any gateway sees it.
fn editors_know_the_files(alice: &Person, site: &Path) {
    for name in ["gateway", "connections", "masking", "agents", "tests"] {
        let written = fs::read_to_string(site.join(format!("schema/{name}.json"))).expect("readable");
        assert_eq!(alice.run(&["policy", "schema", "--toml", name]).success(), written);
    }
    let lint = |file: &str| {
        let mut taplo = Command::new(checker("taplo"));
        let outcome = Program::run(taplo.args(["lint", "--no-auto-config", file]).current_dir(site), "");
        (outcome.code(), format!("{}{}", outcome.output, outcome.errors))
    };
    for file in ["gateway.toml", "connections.toml", "masking.toml", "agents.toml", "tests/cases.toml"] {
        let (status, said) = lint(file);
        assert_eq!(status, 0, "{file}: {said}");
    }
    edit(site, "connections.toml", "labels = {", "lables = {");
    let (status, said) = lint("connections.toml");
    assert!(status != 0 && said.contains("lables"), "{said}");
    edit(site, "connections.toml", "lables = {", "labels = {");
    edit(site, "tests/cases.toml", "decision = \"permit\"", "decision = 1");
    let (status, said) = lint("tests/cases.toml");
    assert!(status != 0 && said.contains("string"), "{said}");
    edit(site, "tests/cases.toml", "decision = 1", "decision = \"permit\"");
}

fn edit(folder: &Path, file: &str, part: &str, becomes: &str) {
    let text = fs::read_to_string(folder.join(file)).expect("readable");
    assert!(text.contains(part), "{file} has no {part}");
    fs::write(folder.join(file), text.replace(part, becomes)).expect("written");
}
