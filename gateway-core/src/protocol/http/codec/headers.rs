//! Which headers go on, in either direction. What frames a message, belongs to one hop, says who somebody is or proves
//! it ends at the gateway; what would make an upstream read another request than the one that was decided is refused.
//!
//! Names are compared as a server does that takes `_` for `-`.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::super::{message::RequestHead, refuse::Rejection};

/// SPEC: RFC 9110, 7.6.1: what belongs to one hop, and what frames a message. The gateway writes its own.
const HOP: [&str; 15] = [
    "connection",
    // CGI programs take it for where to send their own requests.
    "proxy",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "host",
    "expect",
    "accept-encoding",
    "max-forwards",
];

/// What says who asks or from where, or proves it: a client's word on it is worth nothing to an upstream.
const IDENTITY: [&str; 32] = [
    "authorization",
    "proxy-authorization",
    "proxy-authenticate",
    "cookie",
    "cookie2",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-auth-token",
    "x-amz-security-token",
    "x-amz-date",
    "x-amz-content-sha256",
    "forwarded",
    "via",
    "from",
    "client-ip",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-real-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-remote-user",
    "remote-user",
    "x-user",
    "x-username",
    "x-email",
    "x-groups",
    "x-client-cert",
    "x-ssl-client-cert",
    "ssl-client-cert",
    "x-authenticated-user",
];

/// Whole families of such headers.
const IDENTITY_FAMILIES: [&str; 16] = [
    "x-forwarded-",
    "x-auth-request-",
    "x-authenticated-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-amzn-oidc-",
    "x-envoy-",
    "x-hoop-",
    "hoop-",
    "tailscale-",
    "cf-",
    "x-vouch-",
    "x-pomerium-",
    "x-ssl-",
    "x-webauth-",
];

/// What has an upstream run another method or path than the one that stands in the request.
const OVERRIDES: [&str; 8] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-original-host",
    "x-host",
];

/// Whether cookies go through: those that a client sends, and those that an upstream sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookies {
    /// They end at the gateway.
    Strip,
    /// They go through, for upstreams that keep a session in them. What an upstream sets is then the client's.
    Pass,
}

/// The most headers and the most bytes in them.
const MOST_HEADERS: usize = 128;
const MOST_BYTES: usize = 64 * 1024;

/// Whether a header ends at the gateway because it says who asks, or proves it.
pub fn is_identity(name: &str) -> bool {
    let name = name.replace('_', "-");
    IDENTITY.contains(&name.as_str()) || IDENTITY_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// What goes on of a request's headers.
pub fn request_headers(headers: &HeaderMap, cookies: Cookies) -> Result<HeaderMap, Rejection> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || bytes > MOST_BYTES {
        let status = http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Rejection::unreadable(status, "there are too many headers", "Send fewer or shorter headers."));
    }
    check_framing(headers)?;
    let named = named_by_connection(headers)?;
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let plain = name.as_str().replace('_', "-");
        if OVERRIDES.contains(&plain.as_str()) {
            let message = format!("{name} would have the upstream run another request than the one that is decided");
            return Err(Rejection::malformed(message, "Send the method and path that are meant."));
        }
        let is_cookie = cookies == Cookies::Pass && *name == header::COOKIE;
        let ends_here = HOP.contains(&plain.as_str()) || is_of_websocket(&plain) || named.contains(name);
        if ends_here || (is_identity(&plain) && !is_cookie) {
            continue;
        }
        if value.as_bytes().iter().any(|byte| *byte < 0x20 && *byte != b'\t') {
            return Err(Rejection::malformed("a header holds a control character", "Send plain headers."));
        }
        kept.append(name.clone(), value.clone());
    }
    Ok(kept)
}

/// What goes on of a request's trailers: what a header may not be they may not be either, nor what says how to read
/// the body that they follow.
pub fn request_trailers(trailers: &HeaderMap) -> Result<HeaderMap, Rejection> {
    let mut kept = request_headers(trailers, Cookies::Strip)?;
    strip_content(&mut kept);
    Ok(kept)
}

/// What goes on of an answer's trailers.
pub fn answer_trailers(trailers: &HeaderMap) -> HeaderMap {
    let mut kept = answer_headers(trailers, Cookies::Strip);
    strip_content(&mut kept);
    kept
}

/// SPEC: RFC 9110, 6.5.1.
fn strip_content(trailers: &mut HeaderMap) {
    let about: Vec<_> = trailers.keys().filter(|name| name.as_str().starts_with("content-")).cloned().collect();
    for name in about.into_iter().chain([header::LOCATION, header::CACHE_CONTROL, header::RANGE]) {
        trailers.remove(name);
    }
}

/// The handshake of a WebSocket is made anew towards the upstream.
fn is_of_websocket(name: &str) -> bool {
    matches!(name, "sec-websocket-key" | "sec-websocket-version" | "sec-websocket-extensions" | "sec-websocket-accept")
}

/// What could be framed in two ways.
fn check_framing(headers: &HeaderMap) -> Result<(), Rejection> {
    const HINT: &str = "Send one Content-Length, or Transfer-Encoding: chunked, and not both.";
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let (length, more) = (lengths.next(), lengths.next());
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    if more.is_some() || (chunked && length.is_some()) {
        return Err(Rejection::malformed("the length of the body is said twice", HINT));
    }
    let digits = |length: &HeaderValue| !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    if length.is_some_and(|length| !digits(length)) {
        return Err(Rejection::malformed("Content-Length is no number", HINT));
    }
    let codings: Vec<_> = headers.get_all(header::TRANSFER_ENCODING).iter().collect();
    if chunked && !matches!(codings.as_slice(), [one] if one.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Rejection::malformed("this transfer coding is not taken", HINT));
    }
    check_content(headers)
}

/// What could make somebody read the body otherwise than it is read here.
fn check_content(headers: &HeaderMap) -> Result<(), Rejection> {
    const HINT: &str = "Send one Content-Type, with a dash.";
    // Servers that take `_` for `-` would go by another type or coding than the one that is read here.
    if let Some(name) = ["content_type", "content_encoding"].into_iter().find(|name| headers.contains_key(*name)) {
        return Err(Rejection::malformed(format!("{name} is written with an underscore"), HINT));
    }
    if headers.get_all(header::CONTENT_TYPE).iter().count() > 1 {
        return Err(Rejection::malformed("the type of the body is said twice", HINT));
    }
    let unreadable = |why, hint| Err(Rejection::unreadable(http::StatusCode::UNSUPPORTED_MEDIA_TYPE, why, hint));
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings: Vec<_> = codings.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()).collect();
    let words: Vec<_> = codings.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
    if words.contains(&"aws-chunked") {
        return unreadable("a body in aws-chunked cannot be inspected", AWS_CHUNKED);
    }
    if words.iter().any(|word| *word != "identity") {
        return unreadable("an encoded body cannot be inspected", "Send it without compression.");
    }
    Ok(())
}

/// What those who upload to S3 can do: their SDKs chunk to append a checksum that they need not append.
const AWS_CHUNKED: &str = "Set AWS_REQUEST_CHECKSUM_CALCULATION=when_required (or request_checksum_calculation = \
    when_required in the profile, or in boto3's Config), so that the SDK sends the object as it is, with its length.";

/// What Connection names belongs to this hop too. It may not name what others rely on.
fn named_by_connection(headers: &HeaderMap) -> Result<Vec<HeaderName>, Rejection> {
    let refused =
        || Rejection::malformed("Connection names what is no header", "Send Connection: keep-alive or close.");
    let mut named = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        let words = value.to_str().map_err(|_not_text| refused())?;
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            named.push(HeaderName::try_from(word).map_err(|_invalid| refused())?);
        }
    }
    Ok(named)
}

/// Has the whole of an answer asked for, in a character set that is read here: where something in it is masked, a part, a
/// comparison or a sum would tell of what is hidden.
pub fn ask_for_the_whole(head: &mut RequestHead) {
    const PARTS: [&str; 11] = [
        "range",
        "if-range",
        "x-ms-range",
        "x-ms-range-get-content-md5",
        "x-ms-range-get-content-crc64",
        "x-amz-checksum-mode",
        "want-digest",
        "want-content-digest",
        "want-repr-digest",
        "a-im",
        "accept-charset",
    ];
    // Whoever may change something says by these what they mean to change.
    let compares: &[&str] = if head.method.is_safe() { &["if-match", "if-none-match"] } else { &[] };
    let names: Vec<HeaderName> = head.headers.keys().cloned().collect();
    for name in names {
        let plain = name.as_str().replace('_', "-");
        if PARTS.contains(&plain.as_str()) || compares.contains(&plain.as_str()) {
            head.headers.remove(name);
        }
    }
}

/// What goes on of an answer's headers. Its cookies are the upstream's credentials, so they stay here unless the site
/// says otherwise.
pub fn answer_headers(headers: &HeaderMap, cookies: Cookies) -> HeaderMap {
    const OWN: [&str; 7] = [
        "set-cookie",
        "set-cookie2",
        "alt-svc",
        "content-length",
        "proxy-authenticate",
        "content-md5",
        "clear-site-data",
    ];
    let named = named_by_connection(headers).unwrap_or_default();
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let ends_here = (HOP.contains(&name.as_str()) && name != header::HOST) || OWN.contains(&name.as_str());
        let is_cookie = cookies == Cookies::Pass && *name == header::SET_COOKIE;
        if (!ends_here || is_cookie) && !named.contains(name) && !name.as_str().starts_with("sec-websocket-") {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}
