//! The shell of every page that people see in a browser: plain, accessible HTML, and the headers it is sent with.
//!
//! No script, no framing, nothing loaded from anywhere. Pure. Knows nothing of logins; what it is given is HTML already,
//! and whatever comes from outside went through [`escaped`]. Used by the development provider and the device page.

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{Html, IntoResponse as _, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Contrast is 7 to 1 at least for text in both colour schemes, and 3 to 1 for borders and the focus ring.
const STYLE: &str = include_str!("pages/style.css");

/// A page that shows this.
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    render(status, title, "", body)
}

/// A page that leads on to another address by itself, at once. `onward` is shown as a link by the caller too.
pub(super) fn leading_on(title: &str, onward: &str, body: &str) -> Response {
    // Not a redirection of the form that led here: browsers hold `form-action` against every hop of such a one, and an
    // identity provider may send the person on to further places.
    let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={}\">", escaped(onward));
    render(StatusCode::OK, title, &head, body)
}

/// A page without a form: what came of it. `text` is shown as it is.
pub(super) fn outcome(status: StatusCode, title: &str, text: &str) -> Response {
    let role = if status.is_success() { "status" } else { "alert" };
    let body = format!("<h1>{}</h1><p role=\"{role}\">{}</p>", escaped(title), escaped(text));
    page(status, title, &body)
}

/// Text from outside, made harmless for text and attributes of HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            turning if turns_lines(turning) => safe.push('\u{fffd}'),
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

/// Letters that change the direction of a line: they could make a name look like another.
pub(super) const fn turns_lines(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn render(status: StatusCode, title: &str, head: &str, body: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} – hoop</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">{head}<style>{STYLE}</style></head>\
         <body><header><p>hoop</p></header><main>{body}</main></body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-{style}'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// `same-origin` and not `no-referrer`, with which browsers would send `Origin: null` from our own form.
const SECURITY_HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text_and_nothing_else() {
        assert_eq!(escaped("<a href=\"x\" b='&'>"), "&lt;a href=&quot;x&quot; b=&#39;&amp;&#39;&gt;");
        assert_eq!(escaped("ana\u{202e}nimda\n"), "ana\u{fffd}nimda ");
    }

    #[test]
    fn the_style_is_the_one_that_the_policy_allows() {
        assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
        let page = outcome(StatusCode::OK, "Done", "x");
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains(&STANDARD.encode(digest(&SHA256, STYLE.as_bytes()))));
        assert!(!policy.contains("unsafe"));
    }
}
