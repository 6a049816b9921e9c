//! What clients of HTTP rely on is the same through the gateway as it is straight, where nothing is masked; and both
//! versions of HTTP, on either side.

use super::{super::harness::python_with, Stage, stage_by};

/// May do anything there.
const EVERYTHING: &str = r#"
@id("all-of-it")
permit(principal in Group::"engineers", action, resource);
"#;

fn seen(base: &str) -> serde_json::Value {
    let output = python_with("../http/wire.py", &[("STORY_BASE", base)]).success();
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn clear(more: &str) -> Stage {
    stage_by(more, "detectors = []\n", EVERYTHING)
}

#[test]
fn a_client_sees_through_the_gateway_what_it_sees_straight() {
    let stage = clear("cookies = \"pass\"\nidentity_headers = true\nlimits = { body_bytes = 16777216 }");
    let straight = seen(&format!("http://127.0.0.1:{}", stage.upstream_port));
    let through = seen(stage.tunnel.url.trim_end_matches('/'));
    let (straight, through) = (straight.as_object().expect("checks"), through.as_object().expect("checks"));
    assert!(straight.len() > 35, "{straight:?}");
    let differs = straight.iter().filter(|(check, saw)| through.get(*check) != Some(saw));
    let differs: Vec<_> = differs.map(|(check, saw)| (check, saw, through.get(check))).collect();
    assert!(differs.is_empty(), "check, straight, through the gateway: {differs:#?}");

    // Where a site says so, the upstream is told who asks, by nobody else than the gateway.
    let echoed = stage.json("/wire", &["-H", "Hoop-Principal: eve", "-H", "Hoop-Run: run_1", "-H", "X-Hoop-A: b"]);
    let headers = &echoed["headers"];
    assert_eq!(headers["hoop-principal"], "alice", "{headers}");
    assert!(headers["hoop-session"].as_str().is_some_and(|id| id.starts_with("ses_")), "{headers}");
    assert!(headers["hoop-run"].is_null() && headers["x-hoop-a"].is_null(), "{headers}");
}

#[test]
fn trailers_are_decided_and_recorded_as_headers_are() {
    let policy = format!(
        "{EVERYTHING}\n@id(\"no-sums\")\nforbid(principal, action == Action::\"http_post\", resource) when {{ \
         context has request && context.request.hasTag(\"trailer.x-sum\") && \
         context.request.getTag(\"trailer.x-sum\") == \"bad\" }};\n"
    );
    let stage = stage_by("", "detectors = []\n", &policy);
    let send = |sum: &str| {
        let text = format!(
            "POST /wire HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\
             Connection: close\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: {sum}\r\nAuthorization: mine\r\nContent-Length: 9\r\n\r\n"
        );
        super::hygiene::raw_bytes(&stage, text.as_bytes())
    };
    let refused = send("bad");
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("no-sums"), "{refused}");
    let passed = send("good");
    assert!(passed.contains(r#""trailers": {"x-sum": "good"}"#), "{passed}");
    assert!(!passed.contains("mine") && passed.contains("Bearer ************"), "{passed}");
    assert_eq!(stage.seen(), ["POST /wire"]);
}
