//! What people's browsers see: the device page, the gateway's metadata, and where the identity provider answers.
//!
//! Host is checked on every request. The device page's forms come from the page itself, once, with their cookie. What
//! the provider has a browser post comes from another site by design: it counts only with the cookie of the round that
//! it answers. What went wrong is said in the log; the person is told nothing that a forger could learn from.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Form, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Query, Request, State, rejection::BytesRejection},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use saml_rs::PendingAuthnRequest;
use serde::Deserialize;

use super::{
    SamlLogin, assertion, page,
    page::{Confirm, Enter},
    refusal::Refusal,
    screen::{MAX_BODY_BYTES, Posted},
};
use crate::identity::{
    Verified,
    codes::{canonical_user_code, random_text},
    forms::{FORM_SECONDS, cookie},
    pages::outcome,
};

const MAX_FORM_BYTES: usize = 8 * 1024;
/// `__Host-` keeps neighbours of the gateway's name from setting it.
pub(super) const FORM_COOKIE: &str = "__Host-hoop-device";
pub(super) const ROUND_COOKIE: &str = "__Secure-hoop-saml";
const ACS: &str = "/saml/acs";
/// A login that nobody asked for is believed when its assertion is at least this much younger than the process, and no
/// more than this ahead of our clock: so none that was used before a restart can come back.
const UNASKED_MARGIN_SECONDS: i64 = 2;

/// What a form of the device page was handed out for.
pub(super) enum Purpose {
    /// To type a code: the provider said who it is.
    Enter(Box<Verified>),
    /// To confirm this code; with who it is, where the provider began the login.
    Confirm(String, Option<Box<Verified>>),
}

/// Somebody who is at the identity provider.
pub(super) struct Round {
    user_code: String,
    pending: PendingAuthnRequest,
}

pub(super) fn router(login: SamlLogin) -> Router {
    let device = Router::new()
        .route("/device", get(show).post(submit))
        .route("/saml/metadata", get(metadata))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(middleware::from_fn_with_state(login.clone(), from_ourselves));
    let answers = Router::new().route(ACS, post(answer)).layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    device.merge(answers).layer(middleware::from_fn_with_state(login.clone(), addressed)).with_state(login)
}

/// Refuses what is addressed to another name.
async fn addressed(State(login): State<SamlLogin>, request: Request, next: Next) -> Response {
    if !login.0.origin.is_addressed_by(request.uri(), request.headers()) {
        let text = "This address is not the gateway's public one.";
        return outcome(StatusCode::MISDIRECTED_REQUEST, "Wrong address", text);
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Refuses forms that another site's page sent. Its links may lead here: they show something and change nothing.
async fn from_ourselves(State(login): State<SamlLogin>, request: Request, next: Next) -> Response {
    if request.method() != Method::GET && !login.0.origin.is_source_of(request.headers()) {
        return outcome(StatusCode::FORBIDDEN, "Refused", "This form must be sent from the gateway's own page.");
    }
    next.run(request).await
}

async fn metadata(State(login): State<SamlLogin>) -> Response {
    let mut response = login.0.service.metadata().to_owned().into_response();
    let kind = HeaderValue::from_static("application/samlmetadata+xml");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    user_code: String,
}

async fn show(
    State(login): State<SamlLogin>,
    extensions: Extensions,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let visitor = Visitor { login, from: source(&extensions), headers };
    if visitor.is_limited() {
        return limited();
    }
    if asked.user_code.is_empty() {
        return page::enter(&Enter { status: StatusCode::OK, arrived: None, alert: None });
    }
    visitor.look_up(&asked.user_code, None)
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    matches: String,
    #[serde(default)]
    decision: String,
}

async fn submit(
    State(login): State<SamlLogin>,
    extensions: Extensions,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Response {
    let visitor = Visitor { login, from: source(&extensions), headers };
    if visitor.is_limited() {
        return limited();
    }
    let now = visitor.now();
    let cookie = cookie(&visitor.headers, FORM_COOKIE).unwrap_or_default();
    let purpose = visitor.login.desk().forms.take_back(&sent.form_token, cookie, now);
    match (purpose, sent.decision.as_str()) {
        (Some(Purpose::Enter(verified)), "look") => visitor.look_up(&sent.user_code, Some(verified)),
        (Some(Purpose::Confirm(code, _arrived)), "deny") => visitor.deny(&code),
        (Some(Purpose::Confirm(code, arrived)), "approve") if sent.matches != "yes" => {
            visitor.confirm(StatusCode::OK, &code, arrived, Some("Say that the code is the one your program shows."))
        }
        (Some(Purpose::Confirm(code, Some(verified))), "approve") => visitor.approve(&code, &verified),
        (Some(Purpose::Confirm(code, None)), "approve") => visitor.go_on(code),
        (Some(_) | None, _) => {
            visitor.failed();
            let alert =
                Some("This form was sent before, is too old, or came without its cookie. Enter the code again.");
            page::enter(&Enter { status: StatusCode::FORBIDDEN, arrived: None, alert })
        }
    }
}

/// Takes what the provider had a browser post.
async fn answer(
    State(login): State<SamlLogin>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let visitor = Visitor { login, from: source(&extensions), headers };
    let believed = body.map_err(|_rejected| Refusal("it is too large, or did not arrive whole"));
    let believed = believed.and_then(|body| visitor.believe(&body));
    let mut response = match believed {
        Ok((verified, Some(code))) => visitor.approve(&code, &verified),
        Ok((verified, None)) => visitor.arrived(&verified, StatusCode::OK, None),
        Err(refusal) => return refused(refusal, visitor.from),
    };
    let spent = format!("{ROUND_COOKIE}=; Path={ACS}; Max-Age=0; HttpOnly; Secure; SameSite=None");
    if let Ok(spent) = HeaderValue::from_str(&spent) {
        response.headers_mut().append(header::SET_COOKIE, spent);
    }
    response
}

fn refused(refusal: Refusal, from: Option<IpAddr>) -> Response {
    let reference = random_text(5).unwrap_or_default();
    // The address is a fact of the connection; nothing of the message is said.
    let from = from.map(|from| from.to_string());
    tracing::warn!(why = refusal.0, reference, from, "a SAML login was refused");
    let text = format!(
        "The gateway does not accept this login. Start again with `hoop login`. If that does not help, tell the \
         gateway's operator the reference {reference}: the gateway's log says what was wrong."
    );
    outcome(StatusCode::FORBIDDEN, "Not logged in", &text)
}

/// One request of one browser.
struct Visitor {
    login: SamlLogin,
    from: Option<IpAddr>,
    headers: HeaderMap,
}

impl Visitor {
    fn now(&self) -> i64 {
        self.login.0.clock.unix_seconds()
    }

    fn is_limited(&self) -> bool {
        self.login.desk().forms.is_limited(self.from, self.now())
    }

    fn failed(&self) {
        self.login.desk().forms.failed(self.from, self.now());
    }

    /// Shows what waits under a code. One that is unknown, used or too old has one answer, and counts as a guess.
    fn look_up(&self, typed: &str, arrived: Option<Box<Verified>>) -> Response {
        let now = self.now();
        let waiting = canonical_user_code(typed).filter(|code| self.login.desk().grants.waiting(code, now).is_some());
        if let Some(code) = waiting {
            return self.confirm(StatusCode::OK, &code, arrived, None);
        }
        self.failed();
        let alert = Some("No login waits under this code. Compare it with what your program shows, or start it again.");
        match arrived {
            Some(verified) => self.arrived(&verified, StatusCode::FORBIDDEN, alert),
            None => page::enter(&Enter { status: StatusCode::FORBIDDEN, arrived: None, alert }),
        }
    }

    fn confirm(
        &self,
        status: StatusCode,
        code: &str,
        arrived: Option<Box<Verified>>,
        alert: Option<&'static str>,
    ) -> Response {
        let login = &self.login;
        let Some(asked) = login.desk().grants.waiting(code, self.now()).cloned() else { return late() };
        let verified = arrived.clone();
        self.form(Purpose::Confirm(code.to_owned(), arrived), |form_token| {
            page::confirm(&Confirm {
                status,
                form_token,
                user_code: code,
                gateway: login.0.origin.as_str(),
                from: asked.from,
                login_minutes: login.0.reading.login_minutes(),
                arrived: verified.as_deref(),
                alert,
            })
        })
    }

    /// Asks somebody whom the provider sent by itself for the code of their program.
    fn arrived(&self, verified: &Verified, status: StatusCode, alert: Option<&'static str>) -> Response {
        self.form(Purpose::Enter(Box::new(verified.clone())), |form_token| {
            page::enter(&Enter { status, arrived: Some((verified, form_token)), alert })
        })
    }

    /// Hands out a form with its cookie. The cookie of another tab goes on, so that its form does too.
    fn form(&self, purpose: Purpose, page: impl FnOnce(&str) -> Response) -> Response {
        let known = cookie(&self.headers, FORM_COOKIE).filter(|value| is_random_text(value));
        let (Ok(form_token), Ok(fresh)) = (random_text(16), random_text(16)) else { return no_randomness() };
        let cookie = known.map_or(fresh, str::to_owned);
        self.login.desk().forms.hand_out(form_token.clone(), cookie.clone(), purpose, self.now());
        let mut response = page(&form_token);
        let cookie =
            format!("{FORM_COOKIE}={cookie}; Path=/; Max-Age={FORM_SECONDS}; HttpOnly; Secure; SameSite=Strict");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    fn deny(&self, code: &str) -> Response {
        if self.login.desk().grants.decide(code, None, self.now()) {
            return outcome(StatusCode::OK, "Refused", "The program is not logged in. You can close this page.");
        }
        late()
    }

    fn approve(&self, code: &str, verified: &Verified) -> Response {
        if self.login.desk().grants.decide(code, Some(verified.clone()), self.now()) {
            return page::done(verified);
        }
        late()
    }

    /// Sends the browser to the provider, with a cookie that its answer must come back with.
    fn go_on(&self, user_code: String) -> Response {
        let now = self.now();
        let Some(asked) = self.login.desk().grants.waiting(&user_code, now).cloned() else { return late() };
        let (Ok(relay_state), Ok(cookie)) = (random_text(16), random_text(16)) else { return no_randomness() };
        let outgoing = match self.login.0.service.begin(&relay_state, asked.anew) {
            Ok(outgoing) => outgoing,
            Err(refusal) => {
                tracing::warn!(why = refusal.0, "no SAML login can be begun");
                let text = "The gateway cannot ask its identity provider. Tell its operator.";
                return outcome(StatusCode::INTERNAL_SERVER_ERROR, "Failed", text);
            }
        };
        let round = Round { user_code, pending: outgoing.pending };
        self.login.desk().rounds.hand_out(relay_state, cookie.clone(), round, now);
        let mut response = page::hand_over(&outgoing.address);
        // The provider's answer is posted from its own site, which only `None` lets the cookie go with.
        let cookie =
            format!("{ROUND_COOKIE}={cookie}; Path={ACS}; Max-Age={FORM_SECONDS}; HttpOnly; Secure; SameSite=None");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Who the provider says it is; with the code of the login that this browser was sent away for.
    fn believe(&self, body: &[u8]) -> Result<(Verified, Option<String>), Refusal> {
        self.is_navigation()?;
        let login = &self.login.0;
        let (now, moment) = (self.now(), login.clock.moment());
        let posted = Posted::read(body)?;
        let round = match (&posted.relay_state, cookie(&self.headers, ROUND_COOKIE)) {
            (Some(state), Some(cookie)) => self.login.desk().rounds.take_back(state, cookie, now),
            _ => None,
        };
        if let Some(round) = round {
            let session = login.service.finish(&round.pending, posted, moment)?;
            return Ok((login.reading.verified(&session, now)?, Some(round.user_code)));
        }
        if !login.allow_idp_initiated {
            return Err(Refusal("no login of this browser waits for it, and allow_idp_initiated is off"));
        }
        let session = login.service.accept(posted, moment)?;
        let issued_at = assertion::seconds(session.assertion_issue_instant())?;
        let earliest = login.started_at.saturating_add(UNASKED_MARGIN_SECONDS);
        if issued_at < earliest || issued_at > now.saturating_add(UNASKED_MARGIN_SECONDS) {
            return Err(Refusal("nobody asked for it, and it is older than this process, or from the future"));
        }
        Ok((login.reading.verified(&session, now)?, None))
    }

    /// A browser that says what it does goes to a page here; it fills no frame and runs no script's errand.
    fn is_navigation(&self) -> Result<(), Refusal> {
        let says = |name: &str, word: &[u8]| self.headers.get_all(name).iter().all(|value| value.as_bytes() == word);
        if says("sec-fetch-mode", b"navigate") && says("sec-fetch-dest", b"document") {
            return Ok(());
        }
        Err(Refusal("a frame or a script sent it"))
    }
}

fn is_random_text(value: &str) -> bool {
    (20..=64).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn source(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

fn late() -> Response {
    let text = "The code is no longer waiting: somebody decided, or it expired. Start `hoop login` again.";
    outcome(StatusCode::GONE, "Too late", text)
}

fn no_randomness() -> Response {
    outcome(StatusCode::INTERNAL_SERVER_ERROR, "Failed", "The system gives no randomness.")
}

fn limited() -> Response {
    let text = "Too many attempts failed. Wait a minute, then try again.";
    let mut response = outcome(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    response
}
