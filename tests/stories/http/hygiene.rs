//! Requests that could be read in two ways, that say who they are, or that a page of a browser sends.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use super::{Stage, stage, stage_with};

/// Sends bytes as they are and gives everything that comes back.
fn raw(stage: &Stage, bytes: &str) -> String {
    raw_bytes(stage, bytes.replace('\n', "\r\n").as_bytes())
}

/// The same, of bytes that are not touched.
pub(super) fn raw_bytes(stage: &Stage, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", stage.tunnel.port)).expect("open");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    stream.write_all(bytes).expect("sent");
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

/// What it is, and its bytes.
const ATTEMPTS: &[(&str, &str)] = &[
    (
        "two lengths",
        "POST /echo HTTP/1.1\nHost: localhost\nContent-Length: 5\nContent-Length: 6\nConnection: close\n\nhello!",
    ),
    ("equal lengths", "POST /echo HTTP/1.1\nHost: localhost\nContent-Length: 5, 5\nConnection: close\n\nhello"),
    ("signed length", "POST /echo HTTP/1.1\nHost: localhost\nContent-Length: +5\nConnection: close\n\nhello"),
    (
        "coding twice",
        "POST /echo HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\nConnection: close\n\n0\n\n",
    ),
    ("odd coding", "POST /echo HTTP/1.1\nHost: localhost\nTransfer-Encoding: xchunked\nConnection: close\n\n0\n\n"),
    (
        "bad chunk",
        "POST /echo HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\nConnection: close\n\nzz\nhello\n0\n\n",
    ),
    ("space before colon", "GET /echo HTTP/1.1\nHost: localhost\nTransfer-Encoding : chunked\nConnection: close\n\n"),
    ("folded header", "GET /echo HTTP/1.1\nHost: localhost\nX-A: b\n c\nConnection: close\n\n"),
    ("no host", "GET /echo HTTP/1.1\nConnection: close\n\n"),
    ("two hosts", "GET /echo HTTP/1.1\nHost: localhost\nHost: evil.example\nConnection: close\n\n"),
    ("another host in the target", "GET http://evil.example/echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("rebound name", "GET /echo HTTP/1.1\nHost: evil.example\nConnection: close\n\n"),
    ("encoded slash", "GET /orders%2f..%2fecho HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("dots", "GET /a/../echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("encoded dots", "GET /a/%2e%2e/echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("double encoding", "GET /a/%252e%252e/echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("empty segment", "GET //echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("NUL", "GET /echo%00 HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("semicolon", "GET /orders;/../echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    ("backslash", "GET /a\\echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    (
        "override",
        "POST /echo HTTP/1.1\nHost: localhost\nX-HTTP-Method-Override: DELETE\nContent-Length: 0\nConnection: close\n\n",
    ),
    (
        "override with underscores",
        "POST /echo HTTP/1.1\nHost: localhost\nX_HTTP_Method_Override: DELETE\nContent-Length: 0\nConnection: close\n\n",
    ),
    (
        "override in a form",
        "POST /echo HTTP/1.1\nHost: localhost\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 14\nConnection: close\n\n_method=DELETE",
    ),
    (
        "override in the query",
        "POST /echo?_method=DELETE HTTP/1.1\nHost: localhost\nContent-Length: 0\nConnection: close\n\n",
    ),
    ("other path by header", "GET /echo HTTP/1.1\nHost: localhost\nX-Original-URL: /admin\nConnection: close\n\n"),
    (
        "compressed body",
        "POST /echo HTTP/1.1\nHost: localhost\nContent-Encoding: gzip\nContent-Length: 1\nConnection: close\n\nx",
    ),
    (
        "h2c",
        "GET /echo HTTP/1.1\nHost: localhost\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n",
    ),
    (
        "two types",
        "POST /echo HTTP/1.1\nHost: localhost\nContent-Type: text/plain\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 3\nConnection: close\n\na=1",
    ),
    (
        "a type with an underscore",
        "POST /echo HTTP/1.1\nHost: localhost\nContent_Type: application/x-www-form-urlencoded\nContent-Length: 3\nConnection: close\n\na=1",
    ),
    (
        "chunks of AWS",
        "PUT /echo HTTP/1.1\nHost: localhost\nContent-Encoding: aws-chunked\nContent-Length: 1\nConnection: close\n\nx",
    ),
    ("connect", "CONNECT localhost:80 HTTP/1.1\nHost: localhost:80\nConnection: close\n\n"),
    ("trace", "TRACE /echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    (
        "page of another site",
        "GET /echo HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\nConnection: close\n\n",
    ),
    ("image of another site", "GET /echo HTTP/1.1\nHost: localhost\nSec-Fetch-Site: cross-site\nConnection: close\n\n"),
];

#[test]
fn smuggled_and_ambiguous_requests_are_refused() {
    let stage = stage();
    for (what, bytes) in ATTEMPTS {
        let answer = raw(&stage, bytes);
        assert!(matches!(status(&answer), "400" | "403" | "415" | "421" | "501" | "closed"), "{what}: {answer}");
        assert_eq!(stage.seen(), Vec::<String>::new(), "{what} reached the upstream");
    }
}

/// SPEC: RFC 9112, 6.3 leaves a way to read these; whoever reads them otherwise takes what follows for a request.
#[test]
fn what_is_framed_in_two_ways_is_no_request_and_nothing_follows_it() {
    let stage = stage();
    let framings = [
        "Content-Length: 6\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nContent-Length: 6",
        "Content-Length: 5\nContent-Length: 5",
        "Content-Length: 5\nContent_Length: 6",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "X-A: b\n Transfer-Encoding: chunked\nContent-Length: 5",
        "Transfer-Encoding : chunked",
    ];
    for framing in framings {
        let text = format!(
            "POST /echo HTTP/1.1\nHost: localhost\n{framing}\n\n0\n\nGET /people HTTP/1.1\nHost: localhost\n\n"
        );
        let answer = raw(&stage, &text);
        assert_eq!(status(&answer), "400", "{framing}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{framing}: {answer}");
        assert!(answer.contains("urn:hoop:unsupported") && !answer.contains("Jane"), "{framing}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing}: {answer}");
    }
    // A bare line feed ends no line, and what a client cannot have known stands in the record.
    let mut stream = TcpStream::connect(("127.0.0.1", stage.tunnel.port)).expect("open");
    stream.write_all(b"GET /echo HTTP/1.1\nHost: localhost\n\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and the end");
    assert_eq!(status(&answer), "400", "{answer}");
    assert_eq!(stage.seen(), Vec::<String>::new());
    let listed = stage.alice.json(&["sessions", "ls"]);
    let id = listed["sessions"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned();
    let shown = stage.alice.run(&["sessions", "show", &id]).success();
    assert!(shown.contains("GET /echo") && shown.contains("CR LF"), "{shown}");
}

/// What was chunked in more than one reading ends there, and what follows is not read.
#[test]
fn a_chunk_that_is_none_ends_the_connection() {
    let stage = stage();
    for chunk in ["3\nabcd", "0x3\nabc", "3 \nabc", "-1\n", "FFFFFFFFFFFFFFFFF\n", "0\nX-A : b\n"] {
        let text = format!(
            "POST /echo HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n{chunk}\n0\n\n\
             GET /people HTTP/1.1\nHost: localhost\n\n"
        );
        let answer = raw(&stage, &text);
        assert!(matches!(status(&answer), "400" | "closed"), "{chunk}: {answer}");
        assert!(!answer.contains("Jane"), "{chunk}: {answer}");
    }
    assert_eq!(stage.seen(), Vec::<String>::new());
}

#[test]
fn identity_and_hop_headers_end_at_the_gateway() {
    let stage = stage();
    let names = [
        "Cookie",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "Via",
        "Proxy-Authorization",
        "Tailscale-User-Login",
        "CF-Connecting-IP",
        "X-Remote-User",
        "Remote_User",
        "X_Forwarded_For",
        "X-Goog-Iap-Jwt",
        "X-Amzn-Oidc-Identity",
        "X-Api-Key",
        "Hoop-Principal",
        "TE",
        "Keep-Alive",
        "X-Hop",
        "Proxy",
    ];
    let mut arguments = vec!["-H".to_owned(), "Connection: keep-alive, x-hop".to_owned()];
    for name in names {
        arguments.extend(["-H".to_owned(), format!("{name}: spoofed")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let echoed = stage.json("/echo", &arguments);
    assert!(!echoed["headers"].to_string().contains("spoofed"), "{}", echoed["headers"]);
}

/// Many servers know neither capitals nor a slash at the end: what is forbidden on a template is forbidden there too.
#[test]
fn a_path_that_is_nearly_a_template_is_decided_as_it_too() {
    let stage = stage_with("");
    let status = |path: &str| stage.said(path, &["-d", "{}", "-o", "/dev/null", "-w", "%{http_code}"]);
    for path in ["/orders/7/pay", "/Orders/7/Pay", "/orders/7/pay/"] {
        assert_eq!(status(path), "403", "{path}");
    }
    assert_eq!(stage.seen(), Vec::<String>::new());
    assert_eq!(status("/orders/7/paid"), "200");
    // Named with `_`, a header is what a policy asks for with `-`.
    let tried =
        |header: &str| stage.said("/echo", &["-d", "{}", "-H", header, "-o", "/dev/null", "-w", "%{http_code}"]);
    assert_eq!(["X-Mode: purge", "X_Mode: purge", "X_Mode: keep"].map(tried), ["403", "403", "200"]);
}

#[test]
fn a_body_over_the_cap_is_not_passed_on() {
    let stage = stage_with("limits = { body_bytes = 1000 }");
    let status = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().chain(&["-o", "/dev/null", "-w", "%{http_code}"]).copied().collect();
        stage.said("/echo", &all)
    };
    let long = "x".repeat(1001);
    assert_eq!(status(&["-d", &long]), "413");
    assert_eq!(status(&["-H", "Transfer-Encoding: chunked", "-d", &long]), "413");
    assert_eq!(stage.seen(), Vec::<String>::new());
    assert_eq!(status(&["-d", &"x".repeat(1000)]), "200");
}
