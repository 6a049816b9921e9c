//! The device page as text: plain, accessible HTML with its style inside, and the headers it is sent with.
//!
//! Pure. Everything shown is ours or of a fixed alphabet, so nothing needs escaping. Used by `routes`.

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{Html, IntoResponse as _, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{CLIENT_ID, USERS, grants::spaced_user_code};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;\
color:#111;background:#fff}label,legend{display:block;font-weight:600;margin-top:1rem}input{font:inherit}\
input[type=text],input[type=password]{width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #555}\
fieldset{border:1px solid #555;margin-top:1rem}fieldset label{font-weight:400;margin:.25rem 0}\
button{font:inherit;padding:.6rem 1.4rem;margin:1.2rem .8rem 0 0}[role=alert]{border:2px solid #b00020;padding:.5rem 1rem}\
code{font-size:1.15em}dt{font-weight:600}@media(prefers-color-scheme:dark){body{color:#eee;background:#111}}";

/// What the form shows.
pub(super) struct Shown<'page> {
    /// The form's one-use token.
    pub(super) form_token: &'page str,
    /// A well-formed user code, or nothing.
    pub(super) user_code: Option<&'page str>,
    /// What the login under this code asks for, where one waits.
    pub(super) scopes: Option<&'page [String]>,
    /// Why the last attempt failed.
    pub(super) alert: Option<&'static str>,
}

/// The form.
pub(super) fn form(status: StatusCode, shown: &Shown<'_>) -> Response {
    let alert = shown.alert.map(|alert| format!("<p role=\"alert\">{alert}</p>")).unwrap_or_default();
    let code = shown.user_code.map(spaced_user_code).unwrap_or_default();
    let asked = shown.scopes.map(|scopes| request(&code, &scopes.join(", "))).unwrap_or_default();
    let users: String = USERS.iter().map(|(user, groups)| choice(user, &groups.join(", "))).collect();
    let token = shown.form_token;
    let body = format!(
        "<h1>Log in to a development gateway</h1>{alert}{asked}\
         <form method=\"post\" action=\"device\" autocomplete=\"off\">\
         <input type=\"hidden\" name=\"form_token\" value=\"{token}\">\
         <label for=\"user_code\">Code that the program shows</label>\
         <input type=\"text\" id=\"user_code\" name=\"user_code\" value=\"{code}\" required spellcheck=\"false\">\
         <label for=\"secret\">Secret that the gateway printed in the terminal it was started in</label>\
         <input type=\"password\" id=\"secret\" name=\"secret\" required>\
         <fieldset><legend>Log in as</legend>{users}</fieldset>\
         <button type=\"submit\" name=\"decision\" value=\"approve\">Approve</button>\
         <button type=\"submit\" name=\"decision\" value=\"deny\">Deny</button></form>"
    );
    page(status, &body)
}

fn request(code: &str, scopes: &str) -> String {
    format!(
        "<p>A program asks to act for you. Go on only if you started it and it shows the same code.</p>\
         <dl><dt>Program</dt><dd><code>{CLIENT_ID}</code></dd><dt>Code</dt><dd><code>{code}</code></dd>\
         <dt>It asks for</dt><dd><code>{scopes}</code></dd></dl>"
    )
}

fn choice(user: &str, groups: &str) -> String {
    format!("<label><input type=\"radio\" name=\"user\" value=\"{user}\"> {user} ({groups})</label>")
}

/// A page without a form: what came of it.
pub(super) fn outcome(status: StatusCode, title: &'static str, text: &str) -> Response {
    page(status, &format!("<h1>{title}</h1><p role=\"status\">{text}</p>"))
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>hoop: development login</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>"
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
