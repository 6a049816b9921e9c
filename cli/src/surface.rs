//! The surfaces of the CLI and the dashboard in the golden matrix (law 10): what each verb asks the gateway's API for.
//!
//! A test of nothing but tables: every verb that there is has a row, what a row names is an operation of the API, every
//! operation is some verb's, and the paths in the sources are those of the rows. Who may do an operation is the
//! gateway's golden matrix; nothing is decided here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

/// What needs no gateway.
const ALONE: &[&str] = &[];
/// What every verb that speaks to a gateway as somebody asks besides: how to log in, and the exchange of the token.
const DOOR: &[&str] = &["get /gateway", "post /token"];
/// A tunnel: the CONNECT streams of the link, which ask `connect` and then every operation.
const TUNNEL: &str = "tunnel";

const VERBS: &[(&str, &[&str])] = &[
    ("login", &["get /gateway", "post /token", "get /whoami", "post /device", "post /device/token", "post /issuer/{}"]),
    ("logout", &["post /logout"]),
    ("whoami", &["get /whoami"]),
    ("status", &["get /whoami", "get /health"]),
    ("ls", &["get /connections"]),
    (
        "connect",
        &[
            "get /connections",
            "post /connections/{}/access",
            "get /approvals/{}",
            "post /approvals/{}/withdraw",
            TUNNEL,
        ],
    ),
    ("exec", &["get /connections", "post /runs", "post /runs/{}/token", "post /runs/{}/end", "get /events", TUNNEL]),
    ("mcp", &[TUNNEL]),
    ("can", &["post /connections/{}/check"]),
    ("ssh-config", &["get /connections"]),
    ("ssh ca", &["get /connections"]),
    ("token", &["post /connections/{}/token"]),
    ("cert", &["get /connections", "post /connections/{}/certificate", "post /connections/{}/ssh-certificate"]),
    ("classify", &["post /connections/{}/classify"]),
    ("approvals ls", &["get /approvals"]),
    ("approvals show", &["get /approvals/{}"]),
    ("approvals approve", &["post /approvals/{}/approve", "get /approvals/{}"]),
    ("approvals deny", &["post /approvals/{}/deny", "get /approvals/{}"]),
    ("approvals watch", &["get /approvals", "get /approvals/{}", "get /events"]),
    ("approvals reviewers", &["get /reviewers"]),
    ("notifications ls", &["get /notifications"]),
    ("notifications retry", &["get /notifications", "post /notifications/{}/retry"]),
    ("notifications drop", &["get /notifications", "post /notifications/{}/drop"]),
    ("tools ls", &["get /connections/{}/tools"]),
    ("tools show", &["get /connections/{}/tools"]),
    ("tools accept", &["get /connections/{}/tools", "post /connections/{}/tools/{}/accept"]),
    ("sessions ls", &["get /sessions"]),
    ("sessions show", &["get /sessions/{}"]),
    ("sessions watch", &["get /sessions", "get /sessions/{}/events"]),
    ("sessions kill", &["get /sessions", "post /sessions/{}/kill"]),
    ("runs ls", &["get /runs"]),
    ("runs show", &["get /runs/{}", "get /runs/{}/timeline"]),
    ("runs export", &["get /runs/{}/timeline"]),
    ("replay", &["get /sessions/{}/recording"]),
    ("dashboard", &["get /whoami", "get /events"]),
    ("dashboard: requests", &["get /approvals", "get /approvals/{}"]),
    ("dashboard: approve, deny", &["post /approvals/{}/approve", "post /approvals/{}/deny"]),
    ("dashboard: sessions", &["get /sessions", "get /sessions/{}/events", "get /sessions/{}/recording"]),
    ("dashboard: kill", &["post /sessions/{}/kill"]),
    ("dashboard: runs", &["get /runs", "get /runs/{}", "get /runs/{}/timeline"]),
    ("audit verify", ALONE),
    ("policy check", ALONE),
    ("policy test", ALONE),
    ("policy explain", ALONE),
    ("policy diff", ALONE),
    ("policy fmt", ALONE),
    ("policy backtest", &["get /sessions", "get /sessions/{}/recording"]),
    ("policy schema", ALONE),
    ("connections ls", &["get /connections/configured"]),
    ("connections test", &["get /connections/configured", "post /connections/{}/test"]),
    ("secrets ls", &["get /secrets"]),
    ("secrets set", &["post /secrets/{}"]),
    ("secrets rotate", &["post /secrets/{}"]),
    ("secrets rm", &["post /secrets/{}/remove"]),
    ("init", ALONE),
    ("apply", &["get /site", "post /site/apply"]),
    ("diff", &["post /site/diff"]),
    ("rollback", &["get /site", "post /site/rollback"]),
    ("site ls", &["get /site/versions"]),
    ("site show", &["get /site/versions/{}"]),
    ("gateway run", ALONE),
    ("demo", ALONE),
    ("completions", ALONE),
    ("man", ALONE),
];

/// Operations that no verb asks for, and who does.
const OTHERS: &[(&str, &str)] = &[
    ("get /openapi.json", "programs that read the description"),
    ("get /audit/key", "auditors, who keep the key elsewhere"),
    ("get /access", "programs; `hoop ls` has it from the connections"),
    ("get /health/detail", "who watches the gateway"),
];

/// `get /sessions/{}` to whom the API's description says it is for.
fn operations() -> BTreeMap<String, &'static str> {
    let document: serde_json::Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = places(path.strip_prefix("/api/v1").unwrap());
        for (method, said) in methods.as_object().unwrap() {
            let asked = match (said["security"].as_array().unwrap().len(), said.get("description")) {
                (0, _) => "anybody",
                (_, Some(_)) => "administer",
                (_, None) => "a bearer",
            };
            operations.insert(format!("{method} {path}"), asked);
        }
    }
    operations
}

/// The path with `{}` for everything that is filled in.
fn places(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.contains('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn verbs(command: &clap::Command, before: &str, to: &mut BTreeSet<String>) {
    for verb in command.get_subcommands() {
        let name = format!("{before} {}", verb.get_name()).trim().to_owned();
        if verb.has_subcommands() {
            verbs(verb, &name, to);
        } else {
            to.insert(name);
        }
    }
}

/// Every path of the API that stands in the sources of the CLI, without tests.
fn in_sources(folder: &Path, to: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_sources(&path, to);
            continue;
        }
        let is_this = path.file_name().is_some_and(|name| name == "surface.rs");
        if is_this || path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for part in code.split("\"/api/v1").skip(1) {
            let literal = part.split('"').next().unwrap();
            to.insert(places(literal));
        }
    }
}

#[test]
fn every_verb_has_a_row_and_every_operation_a_verb() {
    let mut found = BTreeSet::new();
    verbs(&crate::arguments::definition(), "", &mut found);
    let rows: BTreeSet<String> =
        VERBS.iter().map(|(verb, _)| *verb).filter(|verb| !verb.contains(':')).map(str::to_owned).collect();
    assert_eq!(found, rows, "a verb that asks for nothing says so");
    let operations = operations();
    let mut asked: BTreeSet<&str> =
        VERBS.iter().flat_map(|(_, asks)| asks.iter().copied()).chain(DOOR.iter().copied()).collect();
    asked.remove(TUNNEL);
    for one in &asked {
        assert!(operations.contains_key(*one), "`{one}` is no operation of the API");
    }
    for one in operations.keys() {
        let elsewhere = OTHERS.iter().any(|(other, _)| other == one);
        assert!(asked.contains(one.as_str()) != elsewhere, "`{one}` is some verb's, or named with who asks for it");
    }
}

#[test]
fn the_sources_ask_for_what_the_rows_say() {
    let mut found = BTreeSet::new();
    in_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    // A last part that is filled in with a verb.
    let filled = |path: &str, verbs: &[&str]| verbs.iter().map(|verb| path.replace("{verb}", verb)).collect::<Vec<_>>();
    let mut rows: BTreeSet<String> = VERBS
        .iter()
        .flat_map(|(_, asks)| asks.iter().copied())
        .chain(DOOR.iter().copied())
        .filter_map(|ask| ask.split_once(' ').map(|(_, path)| path.to_owned()))
        .collect();
    for path in filled("/approvals/{}/{verb}", &["approve", "deny"]) {
        rows.remove(&path);
        rows.insert("/approvals/{}/{}".to_owned());
    }
    for path in filled("/notifications/{}/{verb}", &["retry", "drop"]) {
        // Written behind a constant there.
        rows.remove(&path);
    }
    assert_eq!(found, rows);
}

#[test]
fn the_verbs_and_what_they_ask_for_are_as_reviewed() {
    let operations = operations();
    let mut table = String::new();
    for (verb, asks) in VERBS {
        let asks: Vec<String> = asks
            .iter()
            .map(|ask| format!("{ask} [{}]", operations.get(*ask).copied().unwrap_or("connect, then every operation")))
            .collect();
        let asks = if asks.is_empty() { "no gateway".to_owned() } else { asks.join(", ") };
        writeln!(table, "{verb:26}{asks}").unwrap();
    }
    for (operation, who) in OTHERS {
        writeln!(table, "{:26}{operation} [{}], {who}", "no verb", operations[*operation]).unwrap();
    }
    insta::assert_snapshot!(table);
}
