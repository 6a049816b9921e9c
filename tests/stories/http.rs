//! Connections over HTTP: a real server behind the gateway, curl and raw sockets before it.

mod budgets;
mod credentials;
mod hygiene;
mod masked;
mod patience;
mod spoken;
mod wire;

use std::process::Command;

use super::harness::{Cluster, Gateway, Outcome, Person, Program, Site, Tunnel, free_port, start_python};

/// The connection of these stories, and what may be done there.
const POLICY: &str = r#"
@id("staff-connect-http")
permit(principal in Group::"engineers", action == Action::"connect", resource == Connection::"shop-api");

@id("no-orders-are-made")
@message("orders are made in the shop")
forbid(principal, action == Action::"http_post", resource) when { resource is Route && resource.template == "/orders" };

@id("large-amounts-are-refused")
forbid(principal, action == Action::"http_post", resource)
when { context has request && context.request.hasTag("body.amount") && context.request.getTag("body.amount") == "1000" };

@id("nobody-pays-there")
forbid(principal, action, resource == Route::"shop-api/127.0.0.1/orders/{id}/pay");

@id("nothing-is-purged")
forbid(principal, action, resource)
when { context has request && context.request.hasTag("header.x-mode") && context.request.getTag("header.x-mode") == "purge" };

@id("removals-are-held")
@approval("dba")
@expires("15m")
forbid(principal, action == Action::"http_delete", resource);
"#;

/// A server, a gateway before it, and alice's tunnel.
struct Stage {
    _upstream: Program,
    upstream_port: u16,
    gateway: Gateway,
    alice: Person,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    stage_with("")
}

/// With more in the connection's table.
fn stage_with(more: &str) -> Stage {
    stage_on(more, "")
}

/// With more in `masking.toml` too.
fn stage_on(more: &str, masking: &str) -> Stage {
    stage_by(more, &format!("{}{masking}", include_str!("../fixtures/site/masking.toml")), POLICY)
}

/// By these policies, with this `masking.toml`.
fn stage_by(more: &str, masking: &str, policy: &str) -> Stage {
    let upstream_port = free_port();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/http/upstream.py");
    let mut upstream = start_python_at(script, upstream_port);
    upstream.expect_line("ready");
    let site = Site::new(&Cluster::shared().database()).policy("http", policy);
    site.write("shop-api.key", "upstream-key");
    let connections = std::fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let key = site.path().join("shop-api.key");
    let connection = format!(
        "[[connection]]\nname = \"shop-api\"\nkind = \"http\"\nupstream = \"http://127.0.0.1:{upstream_port}\"\n\
         routes = [\"/orders/{{id}}\", \"/orders/{{id}}/pay\"]\n{more}\n[connection.credential]\ntype = \"header\"\nname = \"authorization\"\n\
         prefix = \"Bearer \"\nsecret = \"file:{}\"\n",
        key.display()
    );
    site.write("connections.toml", &format!("{connections}\n{connection}"));
    site.write("masking.toml", masking);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "shop-api");
    Stage { _upstream: upstream, upstream_port, gateway, alice, tunnel }
}

fn start_python_at(script: &str, port: u16) -> Program {
    start_python("../http/start.py", &[("STORY_SCRIPT", script), ("STORY_PORT", &port.to_string())])
}

fn curl(arguments: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "50", "--noproxy", "*"]).args(arguments);
    command
}

impl Stage {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.tunnel.url)
    }

    /// curl through the tunnel, to its end.
    fn curl(&self, path: &str, arguments: &[&str]) -> Outcome {
        let url = self.url(path);
        Program::run(curl(arguments).arg(url), "")
    }

    /// What it printed, without a last line break.
    fn said(&self, path: &str, arguments: &[&str]) -> String {
        self.curl(path, arguments).success().trim_end().to_owned()
    }

    fn json(&self, path: &str, arguments: &[&str]) -> serde_json::Value {
        let output = self.curl(path, arguments).success();
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }

    /// What the server itself has seen, asked beside the gateway.
    fn seen(&self) -> Vec<String> {
        let output = Program::run(&mut curl(&[&format!("http://127.0.0.1:{}/seen", self.upstream_port)]), "").success();
        serde_json::from_str(&output).expect("a list")
    }
}

/// Waits until a request for approval is pending, and gives its id.
fn pending(reviewer: &Person) -> String {
    let deadline = std::time::Instant::now() + super::harness::PATIENCE;
    loop {
        let listed = reviewer.run(&["approvals", "ls"]).success();
        let words = listed.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        if let Some(id) = words.into_iter().find(|word| word.starts_with("apr_")) {
            return id.to_owned();
        }
        assert!(std::time::Instant::now() < deadline, "nothing is held: {listed}");
    }
}

#[test]
fn a_request_goes_through_with_the_gateways_credential_and_not_the_clients() {
    let stage = stage();
    assert!(stage.tunnel.url.starts_with("http://127.0.0.1:"), "{}", stage.tunnel.url);
    let echoed = stage.json("/echo?a=1", &["-H", "Authorization: Bearer mine", "-H", "X-Forwarded-For: 1.2.3.4"]);
    assert_eq!(echoed["method"], "GET");
    assert_eq!(echoed["path"], "/echo?a=1");
    let headers = &echoed["headers"];
    // The gateway's, not the client's; and what says it back to the client says it covered.
    assert_eq!(headers["authorization"], "Bearer ************", "{headers}");
    assert_eq!(headers["accept-encoding"], "identity", "{headers}");
    assert!(headers["hoop-principal"].is_null() && headers["hoop-session"].is_null(), "{headers}");
    assert!(headers["x-forwarded-for"].is_null(), "{headers}");
    assert_eq!(headers["host"], format!("127.0.0.1:{}", stage.upstream_port), "{headers}");
}

#[test]
fn a_refusal_is_a_problem_and_the_connection_goes_on() {
    let stage = stage();
    let (orders, echo) = (stage.url("/orders"), stage.url("/echo"));
    let arguments = ["-d", "{}", "-H", "content-type: application/json", "-w", "\n%{http_code} %{num_connects}\n"];
    let both = Program::run(curl(&arguments).args([&orders, &echo]), "").success();
    let lines: Vec<&str> = both.lines().collect();
    let problem: serde_json::Value = serde_json::from_str(lines[0]).expect("a problem");
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["rule"], "no-orders-are-made");
    assert_eq!(problem["detail"], "orders are made in the shop");
    assert!(problem["next"].is_string() && problem["session"].as_str().is_some_and(|id| id.starts_with("ses_")));
    assert_eq!(lines[1], "403 1");
    assert_eq!(lines[3], "200 0", "the same connection serves the next request: {both}");
    assert_eq!(stage.seen(), ["POST /echo"]);
    let session = problem["session"].as_str().expect("an id");
    let shown = stage.alice.run(&["sessions", "show", session]).success();
    assert!(shown.contains("no-orders-are-made") && shown.contains("POST /echo"), "{shown}");
}

#[test]
fn a_policy_reads_the_body() {
    let stage = stage();
    let status_as = |kind: &str, body: &str| {
        let kind = format!("content-type: {kind}");
        stage.said("/pay", &["-d", body, "-H", &kind, "-o", "/dev/null", "-w", "%{http_code}"])
    };
    let status = |body: &str| status_as("application/json", body);
    assert_eq!(status(r#"{"amount": 999}"#), "200");
    assert_eq!(status(r#"{"amount": 1000}"#), "403");
    assert_eq!(status(r#"{"amount": 1, "amount": 1000}"#), "400", "what has two meanings is taken in none");
    assert_eq!(status(r#"{"\u0061mount": 1000}"#), "403");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream"] {
        assert_eq!(status_as(kind, r#"{"amount": 1000}"#), "403", "whatever it says that it is: {kind}");
    }
    assert_eq!(stage.seen(), ["POST /pay"]);
}

#[test]
fn a_held_request_waits_for_its_approval_and_goes_on() {
    let mut stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut waiting = Program::start(curl(&["-X", "DELETE", "-w", "\n%{http_code}"]).arg(stage.url("/orders/7")));
    waiting.close_input();
    let id = pending(&bob);
    assert!(stage.seen().is_empty(), "nothing leaves while it is held");
    let shown = bob.run(&["approvals", "show", &id]).success();
    assert!(shown.contains("DELETE /orders/7") && shown.contains("alice"), "{shown}");
    assert_eq!(stage.alice.run(&["approvals", "approve", &id]).code(), 3, "nobody approves their own");
    bob.run(&["approvals", "approve", &id, "--reason", "agreed"]).success();
    let done = waiting.finish().success();
    assert!(done.trim_end().ends_with("200"), "{done}");
    assert_eq!(stage.seen(), ["DELETE /orders/7"]);
    // Where other values are masked by the time it is approved, its answer would be masked as it no longer is.
    let mut waiting = Program::start(curl(&["-X", "DELETE"]).arg(stage.url("/orders/8")));
    waiting.close_input();
    let id = pending(&bob);
    stage.gateway.site().edit("policies/shop.cedar", "@mask(\"partial\")", "@mask(\"redact\")");
    assert!(stage.gateway.reload().contains("are in force"));
    bob.run(&["approvals", "approve", &id]).success();
    let problem: serde_json::Value = serde_json::from_str(&waiting.finish().success()).expect("a problem");
    assert!(problem["detail"].to_string().contains("what is masked for you changed"), "{problem}");
    assert_eq!(stage.seen(), ["DELETE /orders/7"]);
}

#[test]
fn a_denied_request_is_a_problem_and_one_whose_client_left_is_withdrawn() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut waiting = Program::start(curl(&["-X", "DELETE"]).arg(stage.url("/orders/7")));
    waiting.close_input();
    let id = pending(&bob);
    bob.run(&["approvals", "deny", &id, "--reason", "use the archive job"]).success();
    let problem: serde_json::Value = serde_json::from_str(&waiting.finish().success()).expect("a problem");
    assert_eq!(problem["type"], "urn:hoop:denied");
    assert_eq!(problem["approval"], id.as_str());
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("use the archive job")), "{problem}");
    let leaving = Program::start(curl(&["-X", "DELETE"]).arg(stage.url("/orders/8")));
    let id = pending(&bob);
    drop(leaving);
    let is_withdrawn = |id: &str| bob.json(&["approvals", "show", id])["approval"]["status"] == "withdrawn";
    super::harness::until("the request goes with its client", || is_withdrawn(&id));
    // A request that was sent ahead hides nothing.
    let one = |target: &str| format!("DELETE {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut leaving = std::net::TcpStream::connect(("127.0.0.1", stage.tunnel.port)).expect("open");
    let both = [one("/orders/9"), one("/orders/10")].concat();
    std::io::Write::write_all(&mut leaving, both.as_bytes()).expect("sent");
    let id = pending(&bob);
    drop(leaving);
    super::harness::until("the request goes with its client, whatever it sent ahead", || is_withdrawn(&id));
    assert!(stage.seen().is_empty());
}

#[test]
fn what_would_become_of_a_request_is_said_and_a_socket_serves_as_a_port_does() {
    let stage = stage();
    let can = |request: &str| {
        let outcome = stage.alice.run(&["can", "shop-api", request]);
        (outcome.code(), outcome.output)
    };
    assert_eq!(can("GET /echo?a=1").0, 0);
    let (code, said) = can("DELETE /orders/7");
    assert!(code == 8 && said.contains("removals-are-held") && said.contains("dba"), "{code}: {said}");
    let (code, said) = can("POST /orders");
    assert!(code == 3 && said.contains("orders are made in the shop"), "{code}: {said}");
    let (code, said) = can("POST /pay\n\n{\"amount\": 1000}");
    assert!(code == 3 && said.contains("large-amounts-are-refused"), "{code}: {said}");
    assert_eq!(can("POST /pay\nContent-Type: application/json\n\n{\"amount\": 1}").0, 0);
    let (code, said) = can("GET /a/../echo");
    assert!(code == 3 && said.contains("dot segment"), "{code}: {said}");
    let mut tunnel = stage.alice.start(&["connect", "shop-api", "--socket"]);
    let command = tunnel.expect("a command", |_, line| line.strip_prefix("curl --unix-socket ").map(str::to_owned));
    let path = command.split('"').nth(1).expect("a path");
    let echoed = Program::run(curl(&["--unix-socket", path]).arg("http://localhost/echo"), "").success();
    assert!(echoed.contains("Bearer ************"), "{echoed}");
    assert_eq!(stage.seen(), ["GET /echo"], "nothing was asked of the server but that");
}

#[test]
fn http2_is_spoken_without_tls_too() {
    let stage = stage();
    let arguments = ["--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
    assert_eq!(stage.said("/echo", &arguments), "2 200");
    let refused = ["--http2-prior-knowledge", "-d", "x", "-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(stage.said("/orders", &refused), "403");
}

#[test]
fn a_killed_session_ends_an_answer_that_streams() {
    let stage = stage();
    let mut streaming = Program::start(curl(&["-N"]).arg(stage.url("/slow")));
    streaming.expect_line("data: first");
    let live = stage.alice.run(&["sessions", "ls"]).success();
    let words = live.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let id = words.into_iter().find(|word| word.starts_with("ses_")).expect("a session").to_owned();
    stage.alice.run(&["sessions", "kill", &id]).success();
    assert_ne!(streaming.finish().code(), 0, "the answer does not look whole");
}

/// SPEC: RFC 6455: a frame of a client with a mask of zeroes, so that its text stands in it as it is.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[test]
fn a_websocket_is_relayed_masked_and_on_record() {
    use std::io::{Read as _, Write as _};
    let stage = stage();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", stage.tunnel.port)).expect("open");
    stream.set_read_timeout(Some(super::harness::PATIENCE)).expect("set");
    let handshake = "GET /ws?tell HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: a=b\r\n\r\n";
    stream.write_all(handshake.as_bytes()).expect("sent");
    let mut said = Vec::new();
    let mut read_until = |stream: &mut std::net::TcpStream, wanted: &str| {
        let mut room = [0; 4096];
        while !String::from_utf8_lossy(&said).contains(wanted) {
            let length = stream.read(&mut room).expect("in time");
            assert!(length > 0, "it ended before {wanted}: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(room.get(..length).expect("what was read"));
        }
        String::from_utf8_lossy(&said).into_owned()
    };
    let head = read_until(&mut stream, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    let told = read_until(&mut stream, "Bearer ");
    let told = if told.contains("*****") { told } else { read_until(&mut stream, "************") };
    assert!(!told.contains("upstream-key"), "{told}");
    stream.write_all(&frame("write to jane@example.com")).expect("sent");
    let echoed = read_until(&mut stream, "*****.com");
    assert!(echoed.contains("write to j****@*****.com") && !echoed.contains("jane@example.com"), "{echoed}");
    stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).expect("sent");
    assert_eq!(stage.seen(), ["GET /ws?tell"]);
}
