//! The golden matrix (law 10): every operation of the API, for every role, on what is somebody else's, one's own and
//! nobody's; what a stream of events shows each; and whom the tunnel and a native login let in.
//!
//! Its rows are those of the API's own description, which another test holds against the router: a new route stands in
//! here or the test fails. The table is a file for people to read; a change of it is a change of who may do what.

use std::{collections::BTreeMap, fmt::Write as _};

use axum::body::Body;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::world::World;
use crate::{
    api::{self, openapi},
    approval::{
        Leases, Ticket,
        testing::{agent, connection, person, request},
    },
    model::Principal,
    policy::{Circumstances, Source},
    session::{Admission, admission, registry::Membership},
};

/// What they show of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// No token.
    Nothing,
    /// A token that ended a moment ago.
    Ended,
    /// A token of their own.
    Own,
    /// The token of a run of theirs.
    Run,
    /// The token of a run in which they lend an agent their presence.
    Lent,
}

struct Role {
    name: &'static str,
    who: Principal,
    shows: Shows,
}

/// Alice is whose things the others act on.
fn roles() -> Vec<Role> {
    let role = |name, who, shows| Role { name, who, shows };
    let alice = || person("alice", &["engineers"]);
    vec![
        role("nobody", person("nobody", &[]), Shows::Nothing),
        role("ended", alice(), Shows::Ended),
        role("run", alice(), Shows::Run),
        role("lent", alice(), Shows::Lent),
        role("owner", alice(), Shows::Own),
        role("agent", agent("crew", "alice", &["engineers"]), Shows::Own),
        role("stranger", person("sam", &[]), Shows::Own),
        role("visitor", person("vera", &["visitors"]), Shows::Own),
        role("other", person("eve", &["engineers"]), Shows::Own),
        role("approver", person("bob", &["dba"]), Shows::Own),
        role("auditor", person("carol", &["auditors"]), Shows::Own),
        role("watcher", person("will", &["watchers"]), Shows::Own),
        role("admin", person("olga", &["operators"]), Shows::Own),
        role("ci", agent("deploy", "olga", &["operators"]), Shows::Own),
    ]
}

/// Whose the thing is that a path names by an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Alices,
    Own,
    Nobodys,
}

/// One role in a world of its own, with what stays alive for it.
struct Desk {
    world: World,
    token: Option<String>,
    who: Principal,
    number: u8,
    tickets: Vec<Ticket>,
    members: Vec<Membership>,
}

impl Desk {
    async fn of(role: &Role) -> Self {
        let world = World::new().await;
        let begun = async |agent: Value| {
            let body = json!({ "connections": ["pg-prod"], "agent": agent }).to_string();
            let run = world.post(Some(&world.token(&role.who)), "/runs", &body).await;
            assert_eq!(run.status, StatusCode::CREATED, "{}", run.body);
            run.json()["token"].as_str().unwrap().to_owned()
        };
        let token = match role.shows {
            Shows::Nothing => None,
            Shows::Ended => Some(world.ended_token(&role.who)),
            Shows::Own => Some(world.token(&role.who)),
            Shows::Run => Some(begun(Value::Null).await),
            Shows::Lent => Some(begun(json!("crew")).await),
        };
        Self { world, token, who: role.who.clone(), number: 1, tickets: Vec::new(), members: Vec::new() }
    }

    fn next(&mut self) -> u8 {
        self.number += 1;
        self.number
    }

    /// Makes the thing that the path names, anew for each asking: what one did must not decide what the next is told.
    async fn id(&mut self, path: &str, whose: Whose) -> String {
        let owner = if whose == Whose::Alices { person("alice", &["engineers"]) } else { self.who.clone() };
        let number = self.next();
        match (path.split('/').nth(1), whose) {
            (Some("sessions"), Whose::Nobodys) => "ses_00000000000000000000000000".to_owned(),
            (Some("runs"), Whose::Nobodys) => "run_00000000000000000000000000".to_owned(),
            (Some("approvals"), Whose::Nobodys) => "apr_0000000000000".to_owned(),
            (Some("sessions"), _) => {
                let entry = World::entry(owner.name.as_str(), u64::from(number));
                let entry = crate::store::SessionEntry { principal: owner, ..entry };
                self.members.push(self.world.registry.pretend(entry.clone()));
                let id = entry.id.to_string();
                self.world.sessions.started(entry).await.unwrap();
                id
            }
            (Some("approvals"), _) => {
                let ticket = self.world.desk.submit(request(number, owner)).await.unwrap();
                let id = ticket.id().to_string();
                self.tickets.push(ticket);
                id
            }
            (Some("runs"), _) => {
                let body = json!({ "connections": ["pg-prod"] }).to_string();
                let begun = self.world.post(Some(&self.world.token(&owner)), "/runs", &body).await;
                begun.json()["id"].as_str().unwrap_or("run_00000000000000000000000000").to_owned()
            }
            _ => "none".to_owned(),
        }
    }

    /// The status, and how many there are of a list.
    async fn ask(&self, method: &str, path: &str, body: String) -> String {
        let mut asked = World::request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path);
        if let Some(token) = &self.token {
            asked = asked.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let asked = asked.body(Body::from(body)).unwrap();
        let (head, body) = api::router(self.world.state.clone()).oneshot(asked).await.unwrap().into_parts();
        let status = head.status.as_u16();
        if is_json(&head.headers) && status == 200 {
            let body = body.collect().await.unwrap().to_bytes();
            if let Ok(Value::Array(items)) = serde_json::from_slice(&body) {
                return format!("{status}:{}", items.len());
            }
        }
        // Streams of events do not end: their heads are enough here.
        status.to_string()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}

/// A body that the route takes, so that who asks is what decides.
fn body(path: &str) -> String {
    match path {
        "/token" => json!({ "token": "no.such.token" }),
        "/connections/{name}/check" => json!({ "text": "select 1" }),
        "/connections/{name}/access" => json!({ "reason": "why", "for_seconds": 60 }),
        "/connections/{name}/certificate" => json!({ "request": "no request" }),
        "/connections/{name}/ssh-certificate" => json!({ "public_key": "no key" }),
        "/connections/{name}/tools/{tool}/accept" => json!({ "digest": "0".repeat(64) }),
        "/secrets/{name}" => json!({ "value": "a value" }),
        "/runs" => json!({ "connections": ["pg-prod"] }),
        "/runs/{id}/end" => json!({ "status": 0 }),
        "/approvals/{id}/deny" => json!({ "reason": "no" }),
        "/site/diff" => json!({ "files": { "gateway.toml": "" } }),
        "/site/apply" => json!({ "base": 3, "files": { "gateway.toml": "" } }),
        "/site/rollback" => json!({ "base": 3, "version": 2 }),
        _ => return String::new(),
    }
    .to_string()
}

/// The operations of the API, from its own description, with whom it says each is for.
fn operations() -> Vec<(String, String, &'static str)> {
    let document = openapi::document();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, said) in methods.as_object().unwrap() {
            let asked = match (said["security"].as_array().unwrap().len(), said.get("description")) {
                (0, _) => "anybody",
                (_, Some(_)) => "administer",
                (_, None) => "a bearer",
            };
            operations.push((path.strip_prefix("/api/v1").unwrap().to_owned(), method.clone(), asked));
        }
    }
    // What reads comes first, and the end of the login last.
    operations.sort_by_key(|(path, method, _)| (path == "/logout", method == "post", path.clone()));
    operations
}

/// The rows that a role fills: label to cell.
async fn column(role: &Role) -> BTreeMap<(usize, String), String> {
    let mut desk = Desk::of(role).await;
    let mut column = BTreeMap::new();
    for whose in [Whose::Alices, Whose::Own] {
        desk.id("/sessions", whose).await;
        desk.id("/approvals", whose).await;
    }
    // Before the operations, of which the last is the logout.
    column.insert((2_000, "events of alice's".to_owned()), events(&mut desk).await);
    for (index, source) in [Source::Tunnel, Source::Native].into_iter().enumerate() {
        for name in ["pg-prod", "pg-other"] {
            let cell = comes_in(&desk, name, source);
            column.insert((1_000 + index, format!("{source:?} to {name}").to_lowercase()), cell.to_owned());
        }
    }
    for (index, (path, method, _)) in operations().into_iter().enumerate() {
        let filled = path
            .replace("/secrets/{name}", "/secrets/a-secret")
            .replace("{name}", "pg-prod")
            .replace("{tool}", "a_tool")
            .replace("{version}", "3")
            .replace("{endpoint}", "token");
        let mut put = |label: String, cell: String| drop(column.insert((index, label), cell));
        let has_owner = path.contains("{id}") && !path.starts_with("/notifications");
        if !has_owner {
            let cell = desk.ask(&method, &filled.replace("{id}", "none"), body(&path)).await;
            put(format!("{method} {path}"), cell);
            continue;
        }
        for (whose, word) in [(Whose::Alices, "alice's"), (Whose::Own, "one's own"), (Whose::Nobodys, "nobody's")] {
            let id = desk.id(&path, whose).await;
            put(format!("{method} {path} {word}"), desk.ask(&method, &filled.replace("{id}", &id), body(&path)).await);
        }
    }
    column
}

/// What the tunnel and a native login decide: the bearer, the run's scope, then the policies, as the data path does.
fn comes_in(desk: &Desk, name: &str, source: Source) -> &'static str {
    let Some(presence) = desk.token.as_deref().and_then(|token| desk.world.comes_in(token)) else { return "no login" };
    if source == Source::Native && presence.run().is_some() {
        // A password is asked for by a bearer of one's own, which a run's is not.
        return "no login";
    }
    if !presence.reaches(name) {
        return "not in run";
    }
    let facts = crate::model::ConnectionFacts { name: name.parse().unwrap(), ..connection() };
    let (now, at) = (desk.world.clock.unix_millis(), Circumstances::at(desk.world.clock.unix_seconds(), source));
    match admission(&desk.world.policies.borrow(), &Leases::default(), &presence.principal, &facts, &at, now) {
        Admission::Open(_) => "open",
        Admission::Needs(_) => "held",
        Admission::Refused(_) => "refused",
    }
}

/// What a stream tells of what happens to alice, up to something of one's own.
async fn events(desk: &mut Desk) -> String {
    let Some(token) = desk.token.clone() else { return desk.ask("get", "/events", String::new()).await };
    let (status, mut events) = desk.world.follow(&token, "/events").await;
    if status != StatusCode::OK {
        return status.as_u16().to_string();
    }
    desk.id("/approvals", Whose::Alices).await;
    desk.id("/sessions", Whose::Alices).await;
    let own = World::entry(desk.who.name.as_str(), 999);
    let own = crate::store::SessionEntry { principal: desk.who.clone(), ..own };
    desk.world.sessions.started(own.clone()).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let (name, event) = events.next().await.unwrap();
        if event["id"] == own.id.as_str() {
            break;
        }
        seen.push(name);
    }
    seen.sort();
    seen.dedup();
    if seen.is_empty() {
        "nothing".to_owned()
    } else {
        seen.join("+").replace("approval", "appr").replace("session", "sess")
    }
}

#[tokio::test]
async fn every_operation_answers_every_role_as_reviewed() {
    let (roles, operations) = (roles(), operations());
    let columns = futures_util::future::join_all(roles.iter().map(column)).await;
    let mut table = String::new();
    let names: Vec<String> = roles.iter().map(|role| format!("{:>9}", role.name)).collect();
    writeln!(table, "{:66}{}", "", names.join("")).unwrap();
    for row in columns[0].keys() {
        let cells: Vec<_> = columns.iter().map(|column| format!("{:>9}", column[row])).collect();
        let asked = operations.get(row.0).map_or("connect", |(_, _, asked)| asked);
        writeln!(table, "{:66}{}", format!("{} [{asked}]", row.1), cells.join("")).unwrap();
        // What the table must never say, whoever reviews it.
        for (role, column) in roles.iter().zip(&columns) {
            let administers = role.who.groups.iter().any(|group| group.as_str() == "operators");
            match (asked, role.shows) {
                ("a bearer" | "administer", shows) if shows != Shows::Own => {
                    assert_eq!(column[row], "401", "{} {}", role.name, row.1);
                }
                ("administer", _) if !administers => assert_eq!(column[row], "403", "{} {}", role.name, row.1),
                _ => {}
            }
        }
    }
    insta::assert_snapshot!(table);
}
