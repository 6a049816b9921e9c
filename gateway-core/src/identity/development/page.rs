//! The development provider's page as text, in the shell that all pages share.
//!
//! Pure. Everything shown is ours or of a fixed alphabet, so nothing needs escaping. Used by `routes`.

use axum::response::Response;
use http::StatusCode;

use super::{CLIENT_ID, USERS};
use crate::identity::{codes::spaced_user_code, pages};

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
         <input class=\"code-field\" type=\"text\" id=\"user_code\" name=\"user_code\" value=\"{code}\" required \
         spellcheck=\"false\">\
         <label for=\"secret\">Secret that the gateway printed in the terminal it was started in</label>\
         <input type=\"password\" id=\"secret\" name=\"secret\" required>\
         <fieldset><legend>Log in as</legend>{users}</fieldset>\
         <div class=\"acts\"><button class=\"main\" type=\"submit\" name=\"decision\" value=\"approve\">Approve</button>\
         <button type=\"submit\" name=\"decision\" value=\"deny\">Deny</button></div></form>"
    );
    pages::page(status, "Development login", &body)
}

fn request(code: &str, scopes: &str) -> String {
    format!(
        "<p>A program asks to act for you. Go on only if you started it and it shows the same code.</p>\
         <p class=\"code\">{code}</p>\
         <dl><dt>Program</dt><dd>{CLIENT_ID}</dd><dt>It asks for</dt><dd>{scopes}</dd></dl>"
    )
}

fn choice(user: &str, groups: &str) -> String {
    format!("<label class=\"choice\"><input type=\"radio\" name=\"user\" value=\"{user}\"> {user} ({groups})</label>")
}
