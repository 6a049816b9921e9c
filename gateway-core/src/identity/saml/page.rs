//! The device page as text, in the shell that all pages share.
//!
//! Pure. Whatever is not ours goes through `escaped`. Used by `routes`.

use std::net::IpAddr;

use axum::response::Response;
use http::StatusCode;
use url::Url;

use super::{CLIENT_ID, SCOPE};
use crate::identity::{
    Verified,
    codes::spaced_user_code,
    pages::{self, escaped},
};

/// Where the person types the code.
pub(super) struct Enter<'page> {
    pub(super) status: StatusCode,
    /// Who they are, where the provider began the login, and the form's token then.
    pub(super) arrived: Option<(&'page Verified, &'page str)>,
    pub(super) alert: Option<&'static str>,
}

/// What the person confirms.
pub(super) struct Confirm<'page> {
    pub(super) status: StatusCode,
    pub(super) form_token: &'page str,
    pub(super) user_code: &'page str,
    pub(super) gateway: &'page str,
    pub(super) from: Option<IpAddr>,
    pub(super) login_minutes: i64,
    pub(super) arrived: Option<&'page Verified>,
    pub(super) alert: Option<&'static str>,
}

/// The page that takes a code.
pub(super) fn enter(enter: &Enter<'_>) -> Response {
    let alert = alert(enter.alert);
    // Without a login there is nothing to guard: the code goes into the address, and the page shows what waits there.
    let (who, method, hidden) = match enter.arrived {
        None => (String::new(), "get", String::new()),
        Some((verified, token)) => {
            let name = escaped(verified.principal.name.as_str());
            let who = format!("<p>Your identity provider says that you are <strong>{name}</strong>.</p>");
            (who, "post", format!("<input type=\"hidden\" name=\"form_token\" value=\"{token}\">"))
        }
    };
    let body = format!(
        "<h1>Log in a program</h1>{alert}{who}\
         <form method=\"{method}\" action=\"/device\" autocomplete=\"off\">{hidden}\
         <label for=\"user_code\">Code that the program shows</label>\
         <input class=\"code-field\" type=\"text\" id=\"user_code\" name=\"user_code\" required maxlength=\"16\" \
         spellcheck=\"false\" autocapitalize=\"characters\" aria-describedby=\"where\">\
         <p class=\"note\" id=\"where\">Eight letters, as in BCDF-GHJK. <code>hoop login</code> prints them in your \
         terminal.</p>\
         <div class=\"acts\"><button class=\"main\" type=\"submit\" name=\"decision\" value=\"look\">Continue</button>\
         </div></form>"
    );
    pages::page(enter.status, "Log in a program", &body)
}

/// The page that repeats client, code and scopes, and wants the person to say that they are theirs.
pub(super) fn confirm(confirm: &Confirm<'_>) -> Response {
    let alert = alert(confirm.alert);
    let code = spaced_user_code(confirm.user_code);
    let gateway = escaped(confirm.gateway);
    let token = confirm.form_token;
    let from = confirm.from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string());
    let minutes = confirm.login_minutes;
    let (who, onward) = match confirm.arrived {
        None => (String::new(), "Continue to sign in"),
        Some(verified) => {
            let name = escaped(verified.principal.name.as_str());
            (format!("<dt>You are</dt><dd>{name}</dd>"), "Log it in")
        }
    };
    let body = format!(
        "<h1>Is this your program?</h1>{alert}\
         <p>A program asks to act for you. Go on only if you started it just now, and it shows this very code:</p>\
         <p class=\"code\">{code}</p>\
         <dl><dt>Program</dt><dd>{CLIENT_ID}</dd><dt>Started from</dt><dd>{from}</dd>{who}\
         <dt>Gateway</dt><dd>{gateway}</dd>\
         <dt>It asks for</dt><dd>{SCOPE}: everything that you may do there, for {minutes} minutes at most</dd></dl>\
         <form method=\"post\" action=\"/device\" autocomplete=\"off\">\
         <input type=\"hidden\" name=\"form_token\" value=\"{token}\">\
         <label class=\"choice\"><input type=\"checkbox\" name=\"matches\" value=\"yes\" required>\
         <span>I started this program, and it shows the code <span class=\"whole\">{code}</span>.</span></label>\
         <div class=\"acts\"><button class=\"main\" type=\"submit\" name=\"decision\" value=\"approve\">{onward}</button>\
         <button type=\"submit\" name=\"decision\" value=\"deny\" formnovalidate>Refuse it</button></div></form>\
         <p class=\"note\">Did somebody send you this page or this code? Then refuse: whoever started the program would \
         act in your name.</p>"
    );
    pages::page(confirm.status, "Is this your program?", &body)
}

/// The page from which the browser goes on to the identity provider by itself.
pub(super) fn hand_over(address: &Url) -> Response {
    let provider = escaped(address.host_str().unwrap_or_default());
    let link = escaped(address.as_str());
    let body = format!(
        "<h1>Sign in at your identity provider</h1>\
         <p role=\"status\">Your browser goes on to <strong>{provider}</strong>.</p>\
         <div class=\"acts\"><a class=\"button\" href=\"{link}\">Go on now</a></div>"
    );
    pages::leading_on("Sign in", address.as_str(), &body)
}

/// The page after a login.
pub(super) fn done(verified: &Verified) -> Response {
    let name = escaped(verified.principal.name.as_str());
    let body = format!(
        "<h1>Done</h1><p role=\"status\">The program is logged in as <strong>{name}</strong>.</p>\
         <p>Go back to your terminal; you can close this page.</p>"
    );
    pages::page(StatusCode::OK, "Done", &body)
}

fn alert(alert: Option<&'static str>) -> String {
    alert.map(|alert| format!("<p role=\"alert\">{alert}</p>")).unwrap_or_default()
}
