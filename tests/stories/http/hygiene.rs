//! Requests that could be read in two ways, that say who they are, or that a page of a browser sends.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use super::{Stage, stage, stage_with};

/// Sends bytes as they are and gives everything that comes back.
fn raw(stage: &Stage, bytes: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", stage.tunnel.port)).expect("open");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    stream.write_all(bytes.replace('\n', "\r\n").as_bytes()).expect("sent");
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

#[test]
fn smuggled_and_ambiguous_requests_are_refused() {
    let stage = stage();
    let attempts = [
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
        (
            "space before colon",
            "GET /echo HTTP/1.1\nHost: localhost\nTransfer-Encoding : chunked\nConnection: close\n\n",
        ),
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
        ("other path by header", "GET /echo HTTP/1.1\nHost: localhost\nX-Original-URL: /admin\nConnection: close\n\n"),
        (
            "compressed body",
            "POST /echo HTTP/1.1\nHost: localhost\nContent-Encoding: gzip\nContent-Length: 1\nConnection: close\n\nx",
        ),
        (
            "h2c",
            "GET /echo HTTP/1.1\nHost: localhost\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n",
        ),
        ("connect", "CONNECT localhost:80 HTTP/1.1\nHost: localhost:80\nConnection: close\n\n"),
        ("trace", "TRACE /echo HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
        (
            "page of another site",
            "GET /echo HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\nConnection: close\n\n",
        ),
        (
            "image of another site",
            "GET /echo HTTP/1.1\nHost: localhost\nSec-Fetch-Site: cross-site\nConnection: close\n\n",
        ),
    ];
    for (what, bytes) in attempts {
        let answer = raw(&stage, bytes);
        assert!(matches!(status(&answer), "400" | "403" | "415" | "421" | "501" | "closed"), "{what}: {answer}");
        assert_eq!(stage.seen(), Vec::<String>::new(), "{what} reached the upstream");
    }
}

/// SPEC: RFC 9112, 6.3: where both are there the length is nothing, and the connection ends behind the request.
#[test]
fn what_follows_a_chunked_body_with_a_length_is_no_request() {
    let stage = stage();
    let answer = raw(
        &stage,
        "POST /echo HTTP/1.1\nHost: localhost\nContent-Length: 6\nTransfer-Encoding: chunked\n\n0\n\n\
         GET /people HTTP/1.1\nHost: localhost\n\n",
    );
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(stage.seen(), ["POST /echo"]);
    assert!(answer.contains("\"body\": \"\"") && !answer.contains("Jane"), "{answer}");
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
    ];
    let mut arguments = vec!["-H".to_owned(), "Connection: keep-alive, x-hop".to_owned()];
    for name in names {
        arguments.extend(["-H".to_owned(), format!("{name}: spoofed")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let echoed = stage.json("/echo", &arguments);
    assert!(!echoed["headers"].to_string().contains("spoofed"), "{}", echoed["headers"]);
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
