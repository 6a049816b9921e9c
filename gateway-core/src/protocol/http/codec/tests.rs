//! What is taken, in which form, and what is refused.

use http::{HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

fn read(method: &str, target: &str, pairs: &[(&str, &str)]) -> Result<RequestHead, u16> {
    let (method, uri) =
        (Method::try_from(method).map_err(|_invalid| 0_u16)?, Uri::try_from(target).map_err(|_invalid| 0_u16)?);
    request_head(&method, &uri, &headers(pairs), "api.example.com", Cookies::Strip)
        .map_err(|rejection| rejection.status.as_u16())
}

const HERE: (&str, &str) = ("host", "127.0.0.1:8080");

#[test]
fn a_path_has_one_form() {
    assert_eq!(canonical_path("/a%7eb/%41%2d%c3%a4").unwrap(), "/a~b/A-%C3%A4");
    assert_eq!(canonical_path("/").unwrap(), "/");
    assert_eq!(canonical_path("/users/").unwrap(), "/users/");
    for path in [
        "",
        "a",
        "//",
        "/a//b",
        "/./a",
        "/a/..",
        "/a/%2e%2e/b",
        "/%2E",
        "/a%2fb",
        "/a%5Cb",
        "/a\\b",
        "/a%00",
        "/a%0ab",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%252e",
        "/a;b",
        "/..;/a",
        "/a b",
        "/{id}",
        "/a\u{e4}",
        "/a|b",
        "/a#b",
        "/a?b",
    ] {
        assert!(canonical_path(path).is_err(), "{path}");
    }
}

#[test]
fn a_query_goes_on_as_it_came_or_not_at_all() {
    assert_eq!(canonical_query("a=1&b=%20c+d&a=2").unwrap(), "a=1&b=%20c+d&a=2");
    assert_eq!(pairs("a=1&b=%20c+d&c").unwrap().len(), 3);
    for query in ["a;b=1", "a=%", "a=%ff", "a=\"", "a b"] {
        assert!(canonical_query(query).is_err(), "{query}");
    }
}

#[test]
fn only_the_local_listener_and_the_connection_are_asked_for() {
    for host in ["127.0.0.1:1", "localhost", "[::1]:9", "api.example.com", "API.example.com"] {
        assert!(read("GET", "/", &[("host", host)]).is_ok(), "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil", "api.example.com:444", ""] {
        assert_eq!(read("GET", "/", &[("host", host)]).unwrap_err(), 421, "{host}");
    }
    assert_eq!(read("GET", "/", &[]).unwrap_err(), 400);
    assert_eq!(read("GET", "/", &[HERE, ("host", "localhost")]).unwrap_err(), 400);
    assert_eq!(read("GET", "http://evil.example/", &[HERE]).unwrap_err(), 400);
    assert!(read("GET", "http://127.0.0.1:8080/a", &[HERE]).is_ok());
}

#[test]
fn a_page_of_another_site_does_not_get_in() {
    assert!(read("GET", "/", &[HERE, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")]).is_ok());
    for pair in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:8081"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(read("POST", "/", &[HERE, pair]).unwrap_err(), 403, "{pair:?}");
    }
}

#[test]
fn what_could_be_framed_in_two_ways_is_refused() {
    for pairs in [
        [("content-length", "1"), ("content-length", "1")],
        [("content-length", "1"), ("content-length", "2")],
        [("content-length", "1"), ("transfer-encoding", "chunked")],
        [("transfer-encoding", "chunked"), ("transfer-encoding", "identity")],
        [("transfer-encoding", "xchunked"), ("accept", "*/*")],
        [("content-length", "+1"), ("accept", "*/*")],
    ] {
        assert_eq!(read("POST", "/", &[HERE, pairs[0], pairs[1]]).unwrap_err(), 400, "{pairs:?}");
    }
    assert_eq!(read("POST", "/", &[HERE, ("content-encoding", "gzip")]).unwrap_err(), 415);
    for method in ["CONNECT", "TRACE"] {
        assert!(read(method, "/", &[HERE]).is_err());
    }
}

#[test]
fn identity_hops_and_what_connection_names_end_here() {
    let head = read(
        "GET",
        "/",
        &[
            HERE,
            ("authorization", "Bearer theirs"),
            ("Cookie", "a=b"),
            ("X-Forwarded-For", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("X-Real-IP", "1.2.3.4"),
            ("Forwarded", "for=1.2.3.4"),
            ("Via", "1.1 a"),
            ("Tailscale-User-Login", "root"),
            ("CF-Connecting-IP", "1.2.3.4"),
            ("Remote_User", "root"),
            ("hoop-principal", "root"),
            ("Connection", "keep-alive, x-secret-hop"),
            ("X-Secret-Hop", "1"),
            ("TE", "trailers"),
            ("Accept-Encoding", "gzip"),
            ("Accept", "text/plain"),
            ("X-Trace", "kept"),
        ],
    )
    .unwrap();
    let kept: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(kept, ["accept", "x-trace"]);
}

#[test]
fn what_would_run_another_request_is_refused() {
    for name in ["X-HTTP-Method-Override", "X_HTTP_Method_Override", "X-Original-URL", "X-Rewrite-URL"] {
        assert_eq!(read("POST", "/", &[HERE, (name, "DELETE")]).unwrap_err(), 400, "{name}");
    }
}

#[test]
fn only_a_websocket_is_an_upgrade() {
    let upgrade = [HERE, ("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "x")];
    assert!(read("GET", "/", &upgrade).unwrap().upgrades);
    assert!(read("POST", "/", &upgrade).is_err());
    assert!(read("GET", "/", &[HERE, ("connection", "upgrade, http2-settings"), ("upgrade", "h2c")]).is_err());
    assert!(read("GET", "/", &[HERE, ("upgrade", "websocket")]).is_err());
}

#[test]
fn an_answers_cookies_and_hops_stay_here() {
    let said = headers(&[
        ("set-cookie", "sid=1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("content-type", "text/plain"),
    ]);
    let names = |kept: HeaderMap| kept.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(answer_headers(&said, Cookies::Strip)), ["content-type"]);
    assert_eq!(names(answer_headers(&said, Cookies::Pass)), ["set-cookie", "content-type"]);
    assert_eq!(names(answer_trailers(&said)), Vec::<String>::new());
    let sent = headers(&[("cookie", "a=b"), ("authorization", "x"), ("x-sum", "1"), ("content-type", "text/plain")]);
    assert_eq!(names(request_headers(&sent, Cookies::Pass).unwrap()), ["cookie", "x-sum", "content-type"]);
    assert_eq!(names(request_trailers(&sent).unwrap()), ["x-sum"]);
}
