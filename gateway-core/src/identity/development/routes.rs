//! The provider's HTTP side: discovery, keys, device authorization, token, and the device page.
//!
//! Host is checked on every request, Origin on every POST; the page besides takes a one-use form with its cookie and
//! the terminal's secret. Knows nothing of the gateway around it.

use axum::{
    Form, Json, Router,
    extract::{DefaultBodyLimit, Query, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::{
    CLIENT_ID, DevelopmentProvider, PATH, SCOPES, TOKEN_SECONDS, USERS,
    page::{self, Shown},
    refreshes::Login,
};
use crate::identity::{
    IdentityError,
    codes::{self, canonical_user_code, random_text, spaced_user_code},
    forms::cookie,
    grants::{Asked, GRANT_SECONDS, INTERVAL_SECONDS, Unmet},
    pages::outcome,
};

const COOKIE: &str = "hoop_development_form";
const MAX_BODY_BYTES: usize = 8 * 1024;
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) fn router(provider: DevelopmentProvider) -> Router {
    let routes = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(keys))
        .route("/device_authorization", post(device_authorization))
        .route("/token", post(token))
        .route("/revoke", post(revoke))
        .route("/device", get(show_page).post(submit_page))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(provider.clone(), guard));
    Router::new().nest(PATH, routes.with_state(provider))
}

/// Refuses what is addressed to another name, and what another site's page sent.
async fn guard(State(provider): State<DevelopmentProvider>, request: Request, next: Next) -> Response {
    let origin = &provider.0.origin;
    if !origin.is_addressed_by(request.uri(), request.headers()) {
        let text = "This address is not the gateway's public one.";
        return outcome(StatusCode::MISDIRECTED_REQUEST, "Wrong address", text);
    }
    if request.method() != Method::GET && !origin.is_not_cross_site(request.headers()) {
        return outcome(StatusCode::FORBIDDEN, "Refused", "Another site sent this request.");
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn discovery(State(provider): State<DevelopmentProvider>) -> Response {
    let issuer = &provider.0.issuer;
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "device_authorization_endpoint": format!("{issuer}/device_authorization"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "authorization_endpoint": format!("{issuer}/device"),
        "grant_types_supported": [DEVICE_GRANT, "refresh_token"],
        "response_types_supported": [],
        "scopes_supported": SCOPES,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "token_endpoint_auth_methods_supported": ["none"],
    }))
    .into_response()
}

async fn keys(State(provider): State<DevelopmentProvider>) -> Response {
    Json(provider.0.key_set.clone()).into_response()
}

#[derive(Deserialize)]
struct DeviceRequest {
    client_id: String,
    #[serde(default)]
    scope: String,
}

async fn device_authorization(
    State(provider): State<DevelopmentProvider>,
    Form(asked): Form<DeviceRequest>,
) -> Response {
    if asked.client_id != CLIENT_ID {
        return oauth_error("invalid_client");
    }
    let scopes: Vec<String> = asked.scope.split_whitespace().map(str::to_owned).collect();
    if scopes.len() > SCOPES.len() || !scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
        return oauth_error("invalid_scope");
    }
    let (Ok(device_code), Ok(user_code)) = (random_text(32), codes::user_code()) else {
        return oauth_error("server_error");
    };
    let now = provider.0.clock.unix_seconds();
    let asked = Asked { scopes, from: None, anew: false };
    if !provider.desk().grants.begin(device_code.clone(), user_code.clone(), asked, now) {
        return oauth_error("temporarily_unavailable");
    }
    let page = format!("{}/device", provider.0.issuer);
    let shown = spaced_user_code(&user_code);
    Json(json!({
        "device_code": device_code,
        "user_code": shown,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={shown}"),
        "expires_in": GRANT_SECONDS,
        "interval": INTERVAL_SECONDS,
    }))
    .into_response()
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    device_code: Option<String>,
    refresh_token: Option<String>,
}

async fn token(State(provider): State<DevelopmentProvider>, Form(asked): Form<TokenRequest>) -> Response {
    if asked.client_id != CLIENT_ID {
        return oauth_error("invalid_client");
    }
    let now = provider.0.clock.unix_seconds();
    let login = match (asked.grant_type.as_str(), &asked.device_code, &asked.refresh_token) {
        (DEVICE_GRANT, Some(code), _) => {
            let mut desk = provider.desk();
            let approved = desk.grants.poll(code, now);
            approved.map(|approved| desk.refreshes.login(approved))
        }
        ("refresh_token", _, Some(token)) => provider.desk().refreshes.refresh(token, now),
        (DEVICE_GRANT | "refresh_token", _, _) => return oauth_error("invalid_request"),
        _ => return oauth_error("unsupported_grant_type"),
    };
    match login.map_err(Unmet::word).and_then(|login| grant(&provider, &login, now).map_err(|_failed| "server_error")) {
        Ok(response) => response,
        Err(word) => oauth_error(word),
    }
}

#[derive(Deserialize)]
struct Revocation {
    client_id: String,
    token: String,
}

/// SPEC: RFC 7009 §2.2, an unknown token is revoked already.
async fn revoke(State(provider): State<DevelopmentProvider>, Form(asked): Form<Revocation>) -> Response {
    if asked.client_id != CLIENT_ID {
        return oauth_error("invalid_client");
    }
    provider.desk().refreshes.revoke(&asked.token);
    StatusCode::OK.into_response()
}

fn grant(provider: &DevelopmentProvider, login: &Login, now: i64) -> Result<Response, IdentityError> {
    let (access, id) = provider.tokens(&login.user, &login.scopes, login.authenticated_at)?;
    let mut answer = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": login.scopes.join(" "),
    });
    let refresh = random_text(32)?;
    provider.desk().refreshes.remember(refresh.clone(), login, now);
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("refresh_token".to_owned(), refresh.into());
        id.and_then(|id| fields.insert("id_token".to_owned(), id.into()));
    }
    Ok(Json(answer).into_response())
}

fn oauth_error(word: &'static str) -> Response {
    let status = match word {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, Json(json!({ "error": word }))).into_response()
}

#[derive(Deserialize)]
struct PageQuery {
    #[serde(default)]
    user_code: String,
}

async fn show_page(State(provider): State<DevelopmentProvider>, Query(asked): Query<PageQuery>) -> Response {
    let now = provider.0.clock.unix_seconds();
    let user_code = canonical_user_code(&asked.user_code);
    {
        let mut desk = provider.desk();
        if desk.forms.is_limited(None, now) {
            drop(desk);
            return limited();
        }
        // Asking for codes until one is there is guessing too.
        if user_code.as_ref().is_some_and(|code| desk.grants.waiting(code, now).is_none()) {
            desk.forms.failed(None, now);
        }
    }
    fresh_form(&provider, StatusCode::OK, user_code.as_deref(), None)
}

#[derive(Deserialize)]
struct PageForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    decision: String,
}

async fn submit_page(
    State(provider): State<DevelopmentProvider>,
    headers: HeaderMap,
    Form(form): Form<PageForm>,
) -> Response {
    let now = provider.0.clock.unix_seconds();
    if !provider.0.origin.is_source_of(&headers) {
        return outcome(StatusCode::FORBIDDEN, "Refused", "This form must be sent from the gateway's own page.");
    }
    if provider.desk().forms.is_limited(None, now) {
        return limited();
    }
    let user_code = canonical_user_code(&form.user_code);
    match decide(&provider, &headers, &form, user_code.as_deref(), now) {
        Ok(text) => outcome(StatusCode::OK, "Done", &text),
        Err(alert) => {
            provider.desk().forms.failed(None, now);
            fresh_form(&provider, StatusCode::FORBIDDEN, user_code.as_deref(), Some(alert))
        }
    }
}

/// Every check of a submitted form, the cheapest proof of a foreign sender first.
fn decide(
    provider: &DevelopmentProvider,
    headers: &HeaderMap,
    form: &PageForm,
    user_code: Option<&str>,
    now: i64,
) -> Result<String, &'static str> {
    let mut desk = provider.desk();
    let ours = cookie(headers, COOKIE).and_then(|cookie| desk.forms.take_back(&form.form_token, cookie, now));
    if ours.is_none() {
        return Err("This form was sent before, is too old, or came without its cookie. Try again.");
    }
    if !provider.is_secret(&form.secret) {
        return Err("That is not the secret that the gateway printed in its terminal.");
    }
    let user = match form.decision.as_str() {
        "deny" => None,
        "approve" => {
            let known = USERS.iter().map(|(user, _groups)| *user).find(|user| *user == form.user);
            Some(known.ok_or("Choose who to log in as.")?)
        }
        _ => return Err("Approve or deny."),
    };
    let decided = user_code.is_some_and(|code| desk.grants.decide(code, user.map(str::to_owned), now));
    match (decided, user) {
        (false, _) => Err("No login waits under this code. Compare it with what the program shows."),
        (true, None) => Ok("You denied the login. You can close this page.".to_owned()),
        (true, Some(user)) => {
            Ok(format!("You are logged in as {user}. Go back to your terminal; you can close this page."))
        }
    }
}

fn fresh_form(
    provider: &DevelopmentProvider,
    status: StatusCode,
    user_code: Option<&str>,
    alert: Option<&'static str>,
) -> Response {
    let (Ok(form_token), Ok(cookie)) = (random_text(16), random_text(16)) else {
        return outcome(StatusCode::INTERNAL_SERVER_ERROR, "Failed", "The system gives no randomness.");
    };
    let now = provider.0.clock.unix_seconds();
    let scopes = {
        let mut desk = provider.desk();
        desk.forms.hand_out(form_token.clone(), cookie.clone(), (), now);
        user_code.and_then(|code| desk.grants.waiting(code, now).map(|asked| asked.scopes.clone()))
    };
    let shown = Shown { form_token: &form_token, user_code, scopes: scopes.as_deref(), alert };
    let mut response = page::form(status, &shown);
    let secure = if provider.0.issuer.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={cookie}; Path={PATH}; HttpOnly; SameSite=Strict; Max-Age=600{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn limited() -> Response {
    let mut response = outcome(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many attempts",
        "Too many attempts failed. Wait a minute, then try again.",
    );
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    response
}
