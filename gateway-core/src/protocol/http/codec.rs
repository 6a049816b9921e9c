//! One canonical form of a request's head: what is decided is what is sent on, and what could be read in two ways is
//! refused. Headers that frame a message, name a hop or a person, or carry a credential end here.
//!
//! hyper has parsed the wire; this reads what it found. Pure.

pub mod framing;
mod headers;
mod target;

pub use headers::{
    Cookies, answer_headers, answer_trailers, ask_for_the_whole, is_identity, request_headers, request_trailers,
};
pub use target::{canonical_path, canonical_query, decoded, pairs};

use http::{HeaderMap, Method, Uri, header};

use super::{
    message::{Carriage, RequestHead},
    refuse::Rejection,
};

/// Names of this machine, by which a local listener is asked.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Reads the head of a request. `authority` is the upstream's, as a client may name it instead of the local listener.
pub fn request_head(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    authority: &str,
    cookies: Cookies,
) -> Result<RequestHead, Rejection> {
    if let Some(why) = headers.get(framing::REFUSED) {
        let why = String::from_utf8_lossy(why.as_bytes()).into_owned();
        return Err(Rejection::malformed(why, "Send plain HTTP/1.1: one length, one line for each header."));
    }
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(Rejection::malformed("this method is not taken", "Use GET, POST, PUT, PATCH or DELETE."));
    }
    let named = host_named(uri, headers)?;
    check_host(&named, authority)?;
    check_browser(headers, &named)?;
    let path = canonical_path(uri.path())?;
    let query = uri.query().map(canonical_query).transpose()?;
    let upgrades = asks_for_websocket(method, headers)?;
    let carriage = carriage(headers);
    Ok(RequestHead {
        method: method.clone(),
        path,
        query,
        headers: request_headers(headers, cookies)?,
        upgrades,
        carriage,
    })
}

/// How the body is carried, but for what follows it.
fn carriage(headers: &HeaderMap) -> Carriage {
    let says = |name: header::HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    Carriage {
        is_chunked: headers.contains_key(header::TRANSFER_ENCODING),
        expects: says(header::EXPECT, "100-continue"),
        takes_trailers: says(header::TE, "trailers"),
        trailers: HeaderMap::new(),
    }
}

/// The one host that a request names: in its target, in Host, or, the same, in both.
fn host_named(uri: &Uri, headers: &HeaderMap) -> Result<String, Rejection> {
    const HINT: &str = "Send one Host, the same as in the request's target.";
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(Rejection::malformed("there is more than one Host", HINT));
    }
    let host = host.map(|host| host.to_str().map(str::to_ascii_lowercase));
    let host = host.transpose().map_err(|_not_text| Rejection::malformed("Host is not readable", HINT))?;
    let authority = uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    if authority.as_ref().is_some_and(|authority| authority.contains('@')) {
        return Err(Rejection::malformed("a login stands in the request's target", HINT));
    }
    match (authority, host) {
        (Some(authority), Some(host)) if authority != host => {
            Err(Rejection::malformed("the request's target and Host name different hosts", HINT))
        }
        (Some(named), _) | (None, Some(named)) => Ok(named),
        (None, None) => Err(Rejection::malformed("there is no Host", HINT)),
    }
}

/// A page of another name that was made to resolve to this machine does not get in.
fn check_host(named: &str, authority: &str) -> Result<(), Rejection> {
    let without_port = match named.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => named,
    };
    if LOOPBACK_NAMES.contains(&without_port) || named.eq_ignore_ascii_case(authority) {
        return Ok(());
    }
    let hint = "Use the URL that `hoop connect` printed.";
    Err(Rejection::unreadable(
        http::StatusCode::MISDIRECTED_REQUEST,
        "this is another host than the one asked for",
        hint,
    ))
}

/// No page of a browser reaches a local listener, unless it came from there itself.
fn check_browser(headers: &HeaderMap, named: &str) -> Result<(), Rejection> {
    let refused = || {
        let hint = "Programs send neither Origin nor Sec-Fetch-Site; a page of another site does not get in here.";
        Rejection::unreadable(http::StatusCode::FORBIDDEN, "a page of another site asks", hint)
    };
    for site in headers.get_all("sec-fetch-site") {
        if !matches!(site.as_bytes(), b"same-origin" | b"none") {
            return Err(refused());
        }
    }
    for origin in headers.get_all(header::ORIGIN) {
        let own = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        if own.is_none_or(|own| !own.eq_ignore_ascii_case(named)) {
            return Err(refused());
        }
    }
    Ok(())
}

/// Whether it asks for a WebSocket; any other upgrade is not taken.
fn asks_for_websocket(method: &Method, headers: &HeaderMap) -> Result<bool, Rejection> {
    let upgrades: Vec<_> = headers.get_all(header::UPGRADE).iter().collect();
    let connects = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    match upgrades.as_slice() {
        [] => Ok(false),
        [one] if one.as_bytes().eq_ignore_ascii_case(b"websocket") && connects && *method == Method::GET => Ok(true),
        _ => Err(Rejection::malformed(
            "this upgrade is not taken",
            "Ask for a WebSocket with GET, or leave Upgrade out; HTTP/2 begins with its preface.",
        )),
    }
}

#[cfg(test)]
mod tests;
