//! Answers are masked as they stream, however they are cut into chunks.

use super::{Stage, stage, stage_on};

fn shows_nobody(text: &str) {
    assert!(!text.contains("jane@example.com") && !text.contains("4111111111111111"), "{text}");
}

fn body(stage: &Stage, path: &str) -> String {
    stage.curl(path, &["-N"]).success()
}

#[test]
fn json_text_and_events_are_masked_over_the_borders_of_chunks() {
    let stage = stage();
    for path in ["/people", "/chunks"] {
        let text = body(&stage, path);
        shows_nobody(&text);
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON still");
        let person = &read["people"][0];
        assert_eq!(person["email"], "j****@*****.com", "{text}");
        assert!(person["card"].as_str().is_some_and(|card| card.ends_with("1111")), "{text}");
        assert_eq!((&person["name"], &person["note"]), (&"Jane".into(), &"plain".into()));
    }
    let events = body(&stage, "/events");
    shows_nobody(&events);
    assert!(
        events.starts_with("event: person\ndata: {") && events.contains("write to j****@*****.com now"),
        "{events}"
    );
    let text = body(&stage, "/text");
    assert_eq!(text.trim_end(), "write to j****@*****.com\nor call");
}

#[test]
fn events_are_not_kept_back() {
    let stage = stage();
    let mut streaming = super::Program::start(super::curl(&["-N"]).arg(stage.url("/slow")));
    streaming.expect_line("data: first");
}

#[test]
fn an_answer_that_its_client_leaves_has_an_outcome_on_record() {
    let stage = stage();
    let mut streaming = super::Program::start(super::curl(&["-N"]).arg(stage.url("/slow")));
    streaming.expect_line("data: first");
    drop(streaming);
    let deadline = std::time::Instant::now() + super::super::harness::PATIENCE;
    loop {
        let shown = recorded(&stage);
        if shown.contains("cut off") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "no outcome: {shown}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_and_parts_are_not_asked_for() {
    let stage = stage();
    let refused = stage.json("/gzip", &["--compressed"]);
    assert_eq!(refused["type"], "urn:hoop:unmaskable", "{refused}");
    let whole = stage.curl("/range", &["-r", "0-39", "-w", "\n%{http_code}"]).success();
    shows_nobody(&whole);
    assert!(whole.trim_end().ends_with("200"), "{whole}");
}

#[test]
fn values_in_other_spellings_and_what_is_reckoned_from_them_stay_here() {
    let stage = stage();
    for spelling in ["link", "entity", "script", "guard"] {
        let said = body(&stage, &format!("/veiled?as={spelling}"));
        assert!(said.contains("j****@*****.com") && !said.contains("jane"), "{spelling}: {said}");
    }
    let wide = stage.curl("/veiled?as=wide", &[]);
    assert!(wide.code() != 0 && !wide.output.contains('j'), "two bytes a letter are not shown: {wide:?}");
    // Neither a sum of the body nor an answer to a guess at it tells what is masked.
    let sums = stage.curl("/sums", &["-i", "-H", "If-None-Match: \"sum\""]).success().to_ascii_lowercase();
    assert!(sums.starts_with("http/1.1 200") && sums.contains("j****@*****.com"), "{sums}");
    for sum in ["etag", "checksum", "x-goog-hash", "digest"] {
        assert!(!sums.contains(sum), "{sum}: {sums}");
    }
}

#[test]
fn headers_are_masked_and_cookies_stay_at_the_gateway() {
    let stage = stage();
    let head = stage.curl("/cookies", &["-i"]).success().to_ascii_lowercase();
    shows_nobody(&head);
    assert!(head.contains("x-owner: j****@*****.com") && !head.contains("set-cookie"), "{head}");
    let redirected = stage.curl("/redirect", &["-i"]).success().to_ascii_lowercase();
    assert!(redirected.lines().any(|line| line.trim() == "location: /echo"), "{redirected}");
}

#[test]
fn a_place_of_a_body_is_masked_whole() {
    let more = "\n[[column]]\nconnection = \"shop-api\"\ncolumns = [\"body.people.note\"]\ntag = \"pii\"\n";
    let stage = stage_on("streams = \"refuse\"", more);
    let read: serde_json::Value = serde_json::from_str(&body(&stage, "/chunks")).expect("JSON");
    assert_eq!(read["people"][0]["note"], "p*****", "{read}");
    let guarded = body(&stage, "/veiled?as=guard");
    assert!(guarded.contains("p*****") && !guarded.contains("plain"), "{guarded}");
    // In any other form nobody knows the place, so it is not shown; where nothing is said, nothing is hidden.
    let table = stage.json("/veiled?as=table", &[]);
    assert_eq!((&table["type"], &table["status"]), (&"urn:hoop:unmaskable".into(), &403.into()), "{table}");
    assert!(stage.curl("/text", &[]).code() != 0, "no JSON, though it says nothing of itself");
    assert_eq!(stage.said("/redirect", &["-o", "/dev/null", "-w", "%{http_code}"]), "302");
    // What is spread over events or messages is not streamed, where the site says so.
    assert_eq!(stage.json("/events", &[])["type"], "urn:hoop:unmaskable");
    let shake = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13"];
    let key = ["-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    let refused = stage.json("/ws", &[&shake[..], &key].concat());
    assert_eq!(refused["type"], "urn:hoop:unmaskable", "{refused}");
    assert!(!stage.seen().iter().any(|line| line.contains("/ws")), "it is not even asked for");
}

/// What the record shows of the only session.
fn recorded(stage: &Stage) -> String {
    let listed = stage.alice.json(&["sessions", "ls"]);
    let id = listed["sessions"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned();
    stage.alice.run(&["sessions", "show", &id]).success()
}

#[test]
fn a_value_at_a_tagged_place_of_a_request_is_sealed_in_the_record() {
    let more = "\n[[column]]\nconnection = \"shop-api\"\ncolumns = [\"body.person.name\"]\ntag = \"pii\"\n";
    let stage = stage_on("", more);
    let request = "{\"person\": {\"name\": \"Quillfeather\", \"age\": 41}}";
    let echoed = stage.curl("/echo", &["-H", "Content-Type: application/json", "-d", request]).success();
    assert!(echoed.contains("41"), "{echoed}");
    let shown = recorded(&stage);
    assert!(shown.contains("POST /echo") && !shown.contains("Quillfeather"), "{shown}");
}

#[test]
fn the_record_holds_neither_values_nor_credentials() {
    let stage = stage();
    body(&stage, "/people?who=jane%40example.com");
    let shown = recorded(&stage);
    shows_nobody(&shown);
    assert!(!shown.contains("jane%40") && !shown.contains("upstream-key"), "{shown}");
    assert!(shown.contains("GET /people"), "{shown}");
}
