//! Logins by SAML from outside: the way that must work, and what the pages refuse. `attacks` is about the assertions.

mod attacks;
mod provider;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use self::provider::{Made, Provider};
use super::*;
use crate::model::GroupName;

const HOST: &str = "hoop.example.com";
const ORIGIN: &str = "https://hoop.example.com";

/// What the site lets policies read.
fn readable() -> BTreeSet<String> {
    ["mail", "title"].map(str::to_owned).into()
}

/// A gateway whose people log in at [`Provider`].
struct World {
    login: SamlLogin,
    clock: WallClock,
}

struct Page {
    status: StatusCode,
    body: String,
    headers: HeaderMap,
}

/// A browser that was sent to the provider.
struct Away {
    device_code: String,
    request_id: String,
    relay_state: String,
    cookie: String,
}

impl Page {
    /// The value of an attribute after some text of the page.
    fn after(&self, text: &str) -> String {
        let (_before, rest) = self.body.split_once(text).unwrap_or_else(|| panic!("no {text} in {}", self.body));
        rest.split('"').next().unwrap().replace("&amp;", "&")
    }

    fn form_token(&self) -> String {
        self.after("name=\"form_token\" value=\"")
    }

    fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
        let pairs = cookies.filter_map(|cookie| cookie.split(';').next());
        pairs.filter(|pair| pair.starts_with(name) && !pair.ends_with('=')).map(str::to_owned).next()
    }
}

impl World {
    fn new(change: impl FnOnce(&mut SamlConfig)) -> Self {
        let clock = WallClock::manual(1_800_000_000_000);
        let folder = tempfile::tempdir().unwrap();
        let mut config = Provider::config(folder.path());
        change(&mut config);
        let origin = PublicOrigin::new(&url::Url::parse(ORIGIN).unwrap()).unwrap();
        let login = SamlLogin::open(&config, readable(), origin, clock.clone()).unwrap();
        clock.advance(10_000);
        Self { login, clock }
    }

    async fn send(&self, request: Request<Body>) -> Page {
        let (parts, body) = self.login.router().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Page { status: parts.status, body: String::from_utf8(bytes.to_vec()).unwrap(), headers: parts.headers }
    }

    async fn get(&self, path: &str) -> Page {
        self.send(Request::get(path).header(header::HOST, HOST).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::post(path)
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    fn begin(&self) -> (String, String) {
        let wish = DeviceWish { client_id: CLIENT_ID, scope: SCOPE, anew: false, from: None };
        let given = self.login.begin(&wish).unwrap();
        (given.device_code, given.user_code)
    }

    fn poll(&self, device_code: &str) -> Result<Verified, Unmet> {
        self.clock.advance(1_000);
        self.login.poll(CLIENT_ID, device_code)
    }

    /// Sends the form of a page of ours, as a browser on that page does.
    async fn submit(&self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let cookie = page.cookie(routes::FORM_COOKIE).unwrap();
        let token = page.form_token();
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", token.as_str())]).collect();
        self.post("/device", &fields, &[("origin", ORIGIN), ("cookie", &cookie)]).await
    }

    /// A person confirms the code, and is sent to the provider.
    async fn go_away(&self) -> Away {
        let (device_code, user_code) = self.begin();
        let page = self.get(&format!("/device?user_code={user_code}")).await;
        let page = self.submit(&page, &[("decision", "approve"), ("matches", "yes")]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let address = url::Url::parse(&page.after("href=\"")).unwrap();
        let value = |name: &str| address.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let compressed = saml_rs::binding::base64_decode(&value("SAMLRequest")).unwrap();
        let request = String::from_utf8(saml_rs::binding::deflate_raw_decode(&compressed).unwrap()).unwrap();
        let (_before, id) = request.split_once(" ID=\"").unwrap();
        Away {
            device_code,
            request_id: id.split('"').next().unwrap().to_owned(),
            relay_state: value("RelayState"),
            cookie: page.cookie(routes::ROUND_COOKIE).unwrap(),
        }
    }

    /// What the provider would say of ana, in answer to this request.
    fn made(&self, away: &Away) -> Made {
        Made::new(self.clock.unix_seconds(), Some(&away.request_id))
    }

    /// The browser brings what the provider said.
    async fn come_back(&self, away: &Away, xml: &str) -> Page {
        let response = saml_rs::binding::base64_encode(xml.as_bytes());
        let fields = [("SAMLResponse", response.as_str()), ("RelayState", away.relay_state.as_str())];
        let headers = [("cookie", away.cookie.as_str()), ("origin", "https://idp.example.com")];
        self.post("/saml/acs", &fields, &headers).await
    }
}

#[tokio::test]
async fn a_person_confirms_the_code_and_comes_back_from_the_provider() {
    let world = World::new(|_config| {});
    let away = world.go_away().await;
    assert_eq!(world.poll(&away.device_code), Err(Unmet::Pending));
    let page = world.come_back(&away, &world.made(&away).signed()).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("<strong>ana</strong>"));
    let now = world.clock.unix_seconds();
    let verified = world.poll(&away.device_code).unwrap();
    assert_eq!(verified.principal.name.as_str(), "ana");
    assert_eq!(verified.principal.groups, ["dba", "eng"].map(|name| GroupName::new(name).unwrap()).into());
    assert_eq!(verified.principal.claims["mail"], "ana@example.test");
    assert_eq!(verified.expires_at, now + 3600);
    assert_eq!(verified.authentication.at, Some(now));
    assert_eq!(world.poll(&away.device_code), Err(Unmet::Invalid), "once");
}

#[tokio::test]
async fn a_login_ends_with_the_providers_own_session() {
    let world = World::new(|_config| {});
    let away = world.go_away().await;
    let end = world.clock.unix_seconds() + 900;
    let made = Made { session_ends: Some(end), ..world.made(&away) };
    assert_eq!(world.come_back(&away, &made.signed()).await.status, StatusCode::OK);
    assert_eq!(world.poll(&away.device_code).unwrap().expires_at, end);
}

/// What ana comes back with when the provider says this of her besides.
async fn with_attributes(attributes: &[(&str, &[&str])]) -> Option<Verified> {
    let world = World::new(|_config| ());
    let away = world.go_away().await;
    let mut more = String::new();
    for (name, values) in attributes {
        let mut shown = String::new();
        for value in *values {
            shown = format!("{shown}<saml:AttributeValue>{value}</saml:AttributeValue>");
        }
        more = format!("{more}<saml:Attribute Name=\"{name}\">{shown}</saml:Attribute>");
    }
    let end = "</saml:AttributeStatement>";
    let xml = world.made(&away).unsigned().replace(end, &format!("{more}{end}"));
    let genuine = Provider::genuine();
    let signed = provider::signed_by(&xml, genuine, &genuine.certificate, provider::Signed::Assertion);
    let page = world.come_back(&away, &signed).await;
    let verified = world.poll(&away.device_code).ok();
    assert_eq!(page.status == StatusCode::OK, verified.is_some(), "{}", page.body);
    verified
}

#[tokio::test]
async fn claims_are_the_attributes_that_the_site_lists_however_many_there_are() {
    let names: Vec<String> = (0..60).map(|number| format!("a{number}")).collect();
    let mut attributes: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), ["x"].as_slice())).collect();
    attributes.push(("title", &["clerk"]));
    let claims = with_attributes(&attributes).await.unwrap().principal.claims;
    let expected = [("mail", "ana@example.test"), ("title", "clerk")];
    assert_eq!(claims, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

/// Dropped, it would be absent to a policy that asks for it.
#[tokio::test]
async fn a_listed_attribute_that_policies_cannot_be_shown_whole_ends_the_login() {
    assert!(with_attributes(&[("title", &["clerk", "chief"])]).await.is_none());
    assert!(with_attributes(&[("title", &["clerk"]), ("title", &["chief"])]).await.is_none());
    assert!(with_attributes(&[("title", &[&"x".repeat(257)])]).await.is_none());
    assert!(with_attributes(&[("title", &[]), ("other", &["a", "b"])]).await.is_some(), "nothing, and not listed");
}

#[tokio::test]
async fn an_attribute_can_name_the_person() {
    let world = World::new(|config| config.principal_attribute = Some("mail".to_owned()));
    let away = world.go_away().await;
    assert_eq!(world.come_back(&away, &world.made(&away).signed()).await.status, StatusCode::OK);
    assert_eq!(world.poll(&away.device_code).unwrap().principal.name.as_str(), "ana@example.test");
}

#[tokio::test]
async fn the_page_repeats_program_code_scope_and_place_and_cannot_be_framed_or_kept() {
    let world = World::new(|_config| {});
    let (_device_code, user_code) = world.begin();
    let page = world.get(&format!("/device?user_code={user_code}")).await;
    for fact in [CLIENT_ID, user_code.as_str(), "login: everything", "an unknown address", ORIGIN, "60 minutes"] {
        assert!(page.body.contains(fact), "{fact}");
    }
    for mark in ["<html lang=\"en\">", "<title>", "<h1>", "<main>"] {
        assert!(page.body.contains(mark), "{mark}");
    }
    assert!(!page.body.contains("<script"));
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{part}");
    }
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("Path=/;"), "{cookie}");
    assert!(cookie.contains("HttpOnly; Secure; SameSite=Strict"), "{cookie}");
}

#[tokio::test]
async fn nobody_goes_on_without_saying_that_the_code_is_theirs() {
    let world = World::new(|_config| {});
    let (_device_code, user_code) = world.begin();
    let page = world.get(&format!("/device?user_code={user_code}")).await;
    let page = world.submit(&page, &[("decision", "approve")]).await;
    assert!(page.body.contains("role=\"alert\"") && page.cookie(routes::ROUND_COOKIE).is_none());
    let page = world.submit(&page, &[("decision", "approve"), ("matches", "yes")]).await;
    assert!(page.cookie(routes::ROUND_COOKIE).is_some(), "{}", page.body);
}

#[tokio::test]
async fn a_refused_login_is_denied_to_the_program() {
    let world = World::new(|_config| {});
    let (device_code, user_code) = world.begin();
    let page = world.get(&format!("/device?user_code={user_code}")).await;
    assert_eq!(world.submit(&page, &[("decision", "deny")]).await.status, StatusCode::OK);
    assert_eq!(world.poll(&device_code), Err(Unmet::Denied));
}

#[tokio::test]
async fn a_form_serves_once_from_our_own_page_with_its_own_cookie() {
    let world = World::new(|_config| {});
    let (device_code, user_code) = world.begin();
    let yes = [("decision", "approve"), ("matches", "yes")];
    let path = format!("/device?user_code={user_code}");
    let page = world.get(&path).await;
    let (token, cookie) = (page.form_token(), page.cookie(routes::FORM_COOKIE).unwrap());
    let fields: Vec<_> = yes.into_iter().chain([("form_token", token.as_str())]).collect();
    for headers in [
        vec![("cookie", cookie.as_str())],
        vec![("cookie", cookie.as_str()), ("origin", "https://evil.example")],
        vec![("cookie", cookie.as_str()), ("origin", "null")],
        vec![("cookie", cookie.as_str()), ("origin", ORIGIN), ("sec-fetch-site", "cross-site")],
        vec![("origin", ORIGIN)],
        vec![("origin", ORIGIN), ("cookie", "__Host-hoop-device=00000000000000000000000000")],
    ] {
        let answer = world.post("/device", &fields, &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(answer.cookie(routes::ROUND_COOKIE).is_none());
    }
    let page = world.get(&path).await;
    assert_eq!(world.submit(&page, &yes).await.status, StatusCode::OK);
    assert_eq!(world.submit(&page, &yes).await.status, StatusCode::FORBIDDEN, "sent before");
    assert_eq!(world.poll(&device_code), Err(Unmet::Pending));
}

#[tokio::test]
async fn guesses_of_codes_are_counted_and_all_get_one_answer() {
    let world = World::new(|_config| {});
    let (_device_code, user_code) = world.begin();
    let page = world.get(&format!("/device?user_code={user_code}")).await;
    world.submit(&page, &[("decision", "deny")]).await;
    let used = world.get(&format!("/device?user_code={user_code}")).await;
    for _guess in 0..19 {
        let unknown = world.get("/device?user_code=BCDF-GHJK").await;
        assert_eq!((unknown.status, &unknown.body), (StatusCode::FORBIDDEN, &used.body));
    }
    assert_eq!(world.get("/device").await.status, StatusCode::TOO_MANY_REQUESTS);
    world.clock.advance(61_000);
    assert_eq!(world.get("/device").await.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_of_the_query_is_echoed() {
    let page = World::new(|_config| {}).get("/device?user_code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.body.contains("alert(1)"));
}

#[tokio::test]
async fn refuses_another_host_everywhere() {
    let world = World::new(|_config| {});
    for path in ["/device", "/saml/metadata"] {
        let request = Request::get(path).header(header::HOST, "rebound.example").body(Body::empty()).unwrap();
        assert_eq!(world.send(request).await.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    let request = Request::post("/saml/acs").header(header::HOST, "rebound.example").body(Body::empty()).unwrap();
    assert_eq!(world.send(request).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn the_metadata_names_the_gateway_and_where_it_takes_answers() {
    let page = World::new(|_config| {}).get("/saml/metadata").await;
    assert_eq!(page.headers[header::CONTENT_TYPE], "application/samlmetadata+xml");
    for fact in ["entityID=\"https://hoop.example.com/saml/metadata\"", "https://hoop.example.com/saml/acs", "true"] {
        assert!(page.body.contains(fact), "{fact}: {}", page.body);
    }
}

#[test]
fn refuses_foreign_clients_and_scopes() {
    let world = World::new(|_config| {});
    let wish = |client_id, scope| {
        let wish = DeviceWish { client_id, scope, anew: false, from: None };
        world.login.begin(&wish).map(|_given| ())
    };
    assert_eq!(wish("evil", SCOPE), Err("invalid_client"));
    assert_eq!(wish(CLIENT_ID, "login admin"), Err("invalid_scope"));
    assert_eq!(wish(CLIENT_ID, ""), Ok(()));
}

#[test]
fn refuses_a_provider_whose_certificate_is_not_pinned_or_whose_page_is_in_the_clear() {
    let origin = PublicOrigin::new(&url::Url::parse(ORIGIN).unwrap()).unwrap();
    let open = |change: &dyn Fn(&mut SamlConfig)| {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Provider::config(folder.path());
        change(&mut config);
        SamlLogin::open(&config, readable(), origin.clone(), WallClock::manual(0))
            .map(|_login| ())
            .unwrap_err()
            .to_string()
    };
    let unpinned = open(&|config| config.certificates = vec![crate::config::CertificateDigest([0; 32])]);
    assert!(unpinned.contains(&Provider::genuine().digest().to_string()), "{unpinned}");
    let rewrite = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        open(&move |config: &mut SamlConfig| {
            let text = std::fs::read_to_string(&config.idp_metadata).unwrap();
            assert!(text.contains(&from), "{text}");
            std::fs::write(&config.idp_metadata, text.replace(&from, &to)).unwrap();
        })
    };
    assert!(rewrite("https://idp.example.com/sso", "http://idp.example.com/sso").contains("not https"));
    assert!(rewrite("<md:EntityDescriptor", "<!DOCTYPE a []><md:EntityDescriptor").contains("document type"));
    assert!(rewrite("bindings:HTTP-Redirect", "bindings:HTTP-POST").contains("HTTP-Redirect"));
}
