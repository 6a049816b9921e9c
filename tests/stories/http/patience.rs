//! Neither a slow server nor a slow client keeps anything for ever, and HTTP/2 has limits that hold.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use super::{
    super::harness::{PATIENCE, python_with},
    Stage, stage, stage_with,
};

/// Sends bytes, and gives what comes back until the gateway ends the connection.
fn until_the_end(stage: &Stage, bytes: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", stage.tunnel.port)).expect("open");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.write_all(bytes.replace('\n', "\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the end");
    answer
}

#[test]
fn slow_servers_and_slow_clients_are_told_so() {
    let stage = stage_with("limits = { answer_seconds = 1, quiet_seconds = 1, client_seconds = 1 }");
    let never = stage.json("/never", &[]);
    assert_eq!(
        (&never["status"], &never["detail"]),
        (&504.into(), &"the upstream did not begin its answer in 1 s".into())
    );
    let quiet = stage.curl("/slow", &["-N"]);
    assert!(quiet.code() != 0, "what is not whole does not look whole");

    // Neither half a head nor half a body is waited for.
    let half_a_head = until_the_end(&stage, "GET /echo HTTP/1.1\nHost: local");
    assert!(half_a_head.is_empty() || half_a_head.starts_with("HTTP/1.1 408"), "{half_a_head}");
    let half_a_body = "POST /echo HTTP/1.1\nHost: localhost\nContent-Length: 9\nConnection: close\n\nhalf";
    let half_a_body = until_the_end(&stage, half_a_body);
    assert!(half_a_body.starts_with("HTTP/1.1 408") && half_a_body.contains("did not come in time"), "{half_a_body}");
    assert_eq!(stage.seen(), ["GET /never", "GET /slow"]);
}

#[test]
fn floods_of_streams_and_resets_end_and_others_are_served() {
    let stage = stage();
    let port = stage.tunnel.port.to_string();
    let said = python_with("../http/rapid_reset.py", &[("STORY_PORT", &port)]).success();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(said["limits"], serde_json::json!({"streams": 64, "headers": 65536}), "{said}");
    assert!(["431", "reset"].contains(&said["large headers"].as_str().unwrap_or_default()), "{said}");
    assert!(["ENHANCE_YOUR_CALM", "closed"].contains(&said["resets"]["ended"].as_str().unwrap_or_default()), "{said}");
    assert_eq!(stage.said("/echo", &["--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}"]), "200");
}
