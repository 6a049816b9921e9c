//! The provider from outside: the login that must work, and every way to log in as somebody else that must not.

use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::model::PrincipalKind;

const HOST: &str = "127.0.0.1:8443";
const ORIGIN: &str = "https://127.0.0.1:8443";

struct World {
    provider: DevelopmentProvider,
    clock: WallClock,
}

struct Page {
    status: StatusCode,
    cookie: Option<String>,
    body: String,
    headers: http::HeaderMap,
}

impl Page {
    fn form_token(&self) -> String {
        let (_before, rest) = self.body.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl World {
    fn new() -> Self {
        let clock = WallClock::manual(1_800_000_000_000);
        let mode = DevelopmentMode::enable("127.0.0.1:8443".parse().unwrap()).unwrap();
        let provider = DevelopmentProvider::start(mode, &Url::parse(ORIGIN).unwrap(), clock.clone()).unwrap();
        Self { provider, clock }
    }

    async fn send(&self, request: Request<Body>) -> Page {
        let response: Response<Body> = self.provider.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let cookie = parts.headers.get(header::SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
        Page {
            status: parts.status,
            cookie: cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned()),
            body: String::from_utf8(bytes.to_vec()).unwrap(),
            headers: parts.headers,
        }
    }

    async fn get(&self, path: &str) -> Page {
        let request = Request::get(format!("{PATH}{path}")).header(header::HOST, HOST);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::post(format!("{PATH}{path}"))
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Device code and user code of a new login.
    async fn begin(&self) -> (String, String) {
        let fields = [("client_id", CLIENT_ID), ("scope", "openid offline_access groups")];
        let answer = self.post("/device_authorization", &fields, &[]).await;
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        (answer["device_code"].as_str().unwrap().to_owned(), answer["user_code"].as_str().unwrap().to_owned())
    }

    async fn poll(&self, device_code: &str) -> Value {
        self.clock.advance(1_000);
        let fields = [("grant_type", routes_grant()), ("client_id", CLIENT_ID), ("device_code", device_code)];
        serde_json::from_str(&self.post("/token", &fields, &[]).await.body).unwrap()
    }

    /// Sends the form as a browser on the page would, after `change` had its way with fields and headers.
    async fn submit(&self, user_code: &str, user: &str, change: impl FnOnce(&mut Sent)) -> Page {
        let page = self.get("/device").await;
        let mut sent = Sent {
            form_token: page.form_token(),
            secret: self.provider.terminal_secret().expose_secret().to_owned(),
            user_code: user_code.to_owned(),
            decision: "approve",
            headers: vec![
                ("origin", ORIGIN.to_owned()),
                ("sec-fetch-site", "same-origin".to_owned()),
                ("cookie", page.cookie.unwrap()),
            ],
        };
        change(&mut sent);
        let fields = [
            ("form_token", sent.form_token.as_str()),
            ("secret", &sent.secret),
            ("user_code", &sent.user_code),
            ("user", user),
            ("decision", sent.decision),
        ];
        let headers: Vec<_> = sent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post("/device", &fields, &headers).await
    }

    async fn login(&self, user: &str) -> Value {
        let (device_code, user_code) = self.begin().await;
        assert_eq!(self.submit(&user_code, user, |_sent| {}).await.status, StatusCode::OK);
        self.poll(&device_code).await
    }
}

struct Sent {
    form_token: String,
    secret: String,
    user_code: String,
    decision: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Sent {
    fn header(&mut self, name: &'static str, value: Option<&str>) {
        self.headers.retain(|(other, _value)| *other != name);
        self.headers.extend(value.map(|value| (name, value.to_owned())));
    }
}

fn routes_grant() -> &'static str {
    "urn:ietf:params:oauth:grant-type:device_code"
}

/// Sends a broken form and says what came back, making sure that it logged nobody in.
async fn attack(change: impl FnOnce(&mut Sent)) -> Page {
    let world = World::new();
    let (device_code, user_code) = world.begin().await;
    let answer = world.submit(&user_code, "bob", change).await;
    assert_eq!(world.poll(&device_code).await["error"], "authorization_pending");
    answer
}

#[tokio::test]
async fn logs_in_and_the_verifier_names_the_principal() {
    let world = World::new();
    let tokens = world.login("bob").await;
    let verified = world.provider.verifier().unwrap().verify(tokens["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(verified.principal.name.as_str(), "bob");
    assert_eq!(verified.principal.groups, BTreeSet::from([GroupName::new("dba").unwrap()]));
    assert_eq!(verified.expires_at, world.clock.unix_seconds() + TOKEN_SECONDS);
}

#[tokio::test]
async fn crew_is_an_agent_that_alice_answers_for() {
    let world = World::new();
    let tokens = world.login("crew").await;
    let verified = world.provider.verifier().unwrap().verify(tokens["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(verified.principal.kind, PrincipalKind::Agent);
    assert_eq!(verified.principal.owner.unwrap().as_str(), "alice");
}

#[tokio::test]
async fn its_id_token_is_not_taken_for_an_access_token() {
    let world = World::new();
    let tokens = world.login("bob").await;
    let refused = world.provider.verifier().unwrap().verify(tokens["id_token"].as_str().unwrap()).await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))));
}

#[tokio::test]
async fn tokens_of_another_start_are_worthless() {
    let tokens = World::new().login("bob").await;
    let verifier = World::new().provider.verifier().unwrap();
    assert!(verifier.verify(tokens["access_token"].as_str().unwrap()).await.is_err());
}

#[tokio::test]
async fn a_denied_login_gives_access_denied() {
    let world = World::new();
    let (device_code, user_code) = world.begin().await;
    let answer = world.submit(&user_code, "", |sent| sent.decision = "deny").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(world.poll(&device_code).await["error"], "access_denied");
}

#[tokio::test]
async fn polling_follows_the_device_grant() {
    let world = World::new();
    let (device_code, _user_code) = world.begin().await;
    assert_eq!(world.poll(&device_code).await["error"], "authorization_pending");
    let fields = [("grant_type", routes_grant()), ("client_id", CLIENT_ID), ("device_code", device_code.as_str())];
    let impatient = world.post("/token", &fields, &[]).await;
    assert_eq!(impatient.status, StatusCode::BAD_REQUEST);
    assert!(impatient.body.contains("slow_down"));
    world.clock.advance(700_000);
    assert_eq!(world.poll(&device_code).await["error"], "expired_token");
    assert_eq!(world.poll("unknown").await["error"], "invalid_grant");
}

#[tokio::test]
async fn refresh_tokens_rotate() {
    let world = World::new();
    let tokens = world.login("alice").await;
    let first = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", first)];
    let renewed = world.post("/token", &fields, &[]).await;
    assert_eq!(renewed.status, StatusCode::OK);
    let again = world.post("/token", &fields, &[]).await;
    assert!(again.body.contains("invalid_grant"));
}

#[tokio::test]
async fn logging_out_ends_the_refresh_tokens_of_that_login() {
    let world = World::new();
    let (alices, bobs) = (world.login("alice").await, world.login("bob").await);
    let refresh = alices["refresh_token"].as_str().unwrap();
    let revoked = world.post("/revoke", &[("client_id", CLIENT_ID), ("token", refresh)], &[]).await;
    assert_eq!(revoked.status, StatusCode::OK);
    let renew = async |token: &str| {
        let fields = [("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", token)];
        world.post("/token", &fields, &[]).await.status
    };
    assert_eq!(renew(refresh).await, StatusCode::BAD_REQUEST);
    assert_eq!(renew(bobs["refresh_token"].as_str().unwrap()).await, StatusCode::OK);
}

#[tokio::test]
async fn refuses_foreign_clients_and_scopes() {
    let world = World::new();
    let foreign = world.post("/device_authorization", &[("client_id", "evil")], &[]).await;
    assert_eq!(foreign.status, StatusCode::UNAUTHORIZED);
    let scope = [("client_id", CLIENT_ID), ("scope", "openid <script>")];
    assert!(world.post("/device_authorization", &scope, &[]).await.body.contains("invalid_scope"));
}

#[tokio::test]
async fn the_page_repeats_client_code_and_scopes_and_cannot_be_framed_or_kept() {
    let world = World::new();
    let (_device_code, user_code) = world.begin().await;
    let page = world.get(&format!("/device?user_code={user_code}")).await;
    for fact in [CLIENT_ID, user_code.as_str(), "openid, offline_access, groups"] {
        assert!(page.body.contains(fact), "{fact}");
    }
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"));
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    assert!(page.cookie.is_some());
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && cookie.contains("Secure"));
}

#[tokio::test]
async fn nothing_of_the_query_is_echoed_but_a_code() {
    let page = World::new().get("/device?user_code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.body.contains("alert(1)"));
}

#[tokio::test]
async fn refuses_another_host_everywhere() {
    let world = World::new();
    for path in ["/device", "/jwks", "/.well-known/openid-configuration"] {
        let request = Request::get(format!("{PATH}{path}")).header(header::HOST, "rebound.example:8443");
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    let unnamed = world.send(Request::get("/dev/idp/jwks").body(Body::empty()).unwrap()).await;
    assert_eq!(unnamed.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn refuses_a_form_of_another_origin_or_of_none() {
    let evil = attack(|sent| sent.header("origin", Some("https://evil.example"))).await;
    assert_eq!(evil.status, StatusCode::FORBIDDEN);
    assert_eq!(attack(|sent| sent.header("origin", Some("null"))).await.status, StatusCode::FORBIDDEN);
    assert_eq!(attack(|sent| sent.header("origin", None)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn refuses_a_form_that_the_browser_calls_cross_site() {
    let answer = attack(|sent| sent.header("sec-fetch-site", Some("cross-site"))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = attack(|sent| sent.header("sec-fetch-site", Some("same-site"))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn refuses_a_cross_site_start_of_a_login() {
    let fields = [("client_id", CLIENT_ID), ("scope", "openid")];
    let answer = World::new().post("/device_authorization", &fields, &[("origin", "https://evil.example")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn refuses_a_form_without_its_token_or_cookie() {
    assert_eq!(attack(|sent| sent.form_token.clear()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(attack(|sent| sent.header("cookie", None)).await.status, StatusCode::FORBIDDEN);
    let foreign = Some("hoop_development_form=0000");
    assert_eq!(attack(|sent| sent.header("cookie", foreign)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn refuses_a_form_that_was_sent_before() {
    let world = World::new();
    let (_first_device, first) = world.begin().await;
    let mut replayed = None;
    let answer =
        world.submit(&first, "alice", |sent| replayed = Some((sent.form_token.clone(), sent.headers.clone()))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let (second_device, second) = world.begin().await;
    let (form_token, headers) = replayed.unwrap();
    let answer = world
        .submit(&second, "bob", |sent| {
            sent.form_token = form_token;
            sent.headers = headers;
        })
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(world.poll(&second_device).await["error"], "authorization_pending");
}

#[tokio::test]
async fn refuses_a_wrong_secret_and_then_everybody_for_a_minute() {
    let world = World::new();
    let (device_code, user_code) = world.begin().await;
    for _guess in 0..20 {
        let answer = world.submit(&user_code, "bob", |sent| sent.secret = "0".repeat(26)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(world.get("/device").await.status, StatusCode::TOO_MANY_REQUESTS);
    world.clock.advance(61_000);
    assert_eq!(world.submit(&user_code, "bob", |_sent| {}).await.status, StatusCode::OK);
    assert!(world.poll(&device_code).await["access_token"].is_string());
}

#[tokio::test]
async fn guessing_codes_on_the_page_is_limited() {
    let world = World::new();
    for _guess in 0..20 {
        assert_eq!(world.get("/device?user_code=BCDF-GHJK").await.status, StatusCode::OK);
    }
    assert_eq!(world.get("/device?user_code=BCDF-GHJL").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn refuses_unknown_users_codes_and_decisions() {
    let world = World::new();
    let (device_code, user_code) = world.begin().await;
    assert_eq!(world.submit(&user_code, "root", |_sent| {}).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.submit("BCDF-GHJK", "bob", |_sent| {}).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.submit(&user_code, "bob", |sent| sent.decision = "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.poll(&device_code).await["error"], "authorization_pending");
}

#[test]
fn is_made_for_loopback_only() {
    assert!(DevelopmentMode::enable("0.0.0.0:8443".parse().unwrap()).is_err());
    let mode = DevelopmentMode::enable("[::1]:8443".parse().unwrap()).unwrap();
    let outside = Url::parse("https://hoop.example.com").unwrap();
    assert!(DevelopmentProvider::start(mode, &outside, WallClock::manual(0)).is_err());
}

#[test]
fn the_secret_has_128_bits_and_is_not_shown_by_debug() {
    let world = World::new();
    let secret = world.provider.terminal_secret().expose_secret().to_owned();
    assert_eq!(secret.len(), 26);
    assert!(!format!("{:?}", world.provider).contains(&secret));
}
