//! Tokens of an issuer: the ones that must be taken, and every forgery that must not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use axum::{Json, Router, extract::State, response::IntoResponse as _, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;
use crate::{
    api::types::TokenChoice,
    config::{AgentRule, OidcOptions},
    model::{Authentication, GroupName, PrincipalKind, PrincipalName},
};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example.com";

/// One Ed25519 signing key of an issuer.
struct SigningKey {
    id: &'static str,
    encoding: EncodingKey,
    public: Vec<u8>,
}

impl SigningKey {
    fn new(id: &'static str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let document = pair.to_pkcs8().unwrap();
        Self { id, encoding: EncodingKey::from_ed_der(document.as_ref()), public: pair.public_key().as_ref().to_vec() }
    }

    fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.id,
                "x": URL_SAFE_NO_PAD.encode(&self.public) })
    }

    fn sign(&self, kind: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.id.to_owned());
        header.typ = Some(kind.to_owned());
        jsonwebtoken::encode(&header, claims, &self.encoding).unwrap()
    }
}

fn config(token: TokenChoice) -> OidcConfig {
    OidcConfig {
        issuer: ISSUER.into(),
        client_id: "hoop-cli".into(),
        audience: "hoop".into(),
        groups_claim: vec!["groups".into()],
        principal_claim: "sub".into(),
        token,
        scopes: vec!["openid".into()],
        algorithms: vec![SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256],
        ca_file: None,
        options: OidcOptions::default(),
    }
}

fn access_claims() -> Value {
    json!({ "iss": ISSUER, "aud": "hoop", "sub": "alice", "iat": NOW, "exp": NOW + 300, "groups": ["engineers"] })
}

fn id_claims() -> Value {
    json!({ "iss": ISSUER, "aud": "hoop-cli", "sub": "alice", "iat": NOW, "exp": NOW + 300, "nonce": "n" })
}

async fn verify_with(
    config: OidcConfig,
    agents: Vec<AgentRule>,
    kind: &str,
    claims: Value,
) -> Result<Verified, IdentityError> {
    let key = SigningKey::new("one");
    let set = json!({ "keys": [key.jwk()] }).to_string();
    let verifier = Verifier::in_process(config, agents, set.as_bytes(), WallClock::manual(NOW * 1_000)).unwrap();
    verifier.verify(&key.sign(kind, &claims)).await
}

async fn access(kind: &str, change: impl FnOnce(&mut Value)) -> Result<Verified, IdentityError> {
    let mut claims = access_claims();
    change(&mut claims);
    verify_with(config(TokenChoice::Access), Vec::new(), kind, claims).await
}

async fn id(change: impl FnOnce(&mut Value)) -> Result<Verified, IdentityError> {
    let mut claims = id_claims();
    change(&mut claims);
    verify_with(config(TokenChoice::Id), Vec::new(), "JWT", claims).await
}

#[tokio::test]
async fn takes_an_access_token_and_names_the_principal() {
    for kind in ["at+jwt", "application/at+jwt", "JWT"] {
        let verified = access(kind, |_claims| {}).await.unwrap();
        assert_eq!(verified.principal.name.as_str(), "alice");
        assert_eq!(verified.principal.kind, PrincipalKind::User);
        assert_eq!(verified.principal.groups, BTreeSet::from([GroupName::new("engineers").unwrap()]));
        assert_eq!(verified.expires_at, NOW + 300);
        assert!(!verified.principal.claims.contains_key("exp"));
    }
}

#[tokio::test]
async fn carries_when_and_how_the_holder_logged_in_and_nothing_else_stands_in_for_it() {
    let proved = async |change: fn(&mut Value)| access("JWT", change).await.map(|verified| verified.authentication);
    let known = |at: Option<i64>, acr: Option<&str>| Authentication { at, acr: acr.map(str::to_owned) };
    assert_eq!(proved(|_claims| {}).await, Ok(known(None, None)), "iat is no login");
    let both = proved(|claims| {
        claims["auth_time"] = json!(NOW - 900);
        claims["acr"] = json!("phr");
    });
    assert_eq!(both.await, Ok(known(Some(NOW - 900), Some("phr"))));
    assert_eq!(proved(|claims| claims["auth_time"] = json!("2027-01-15T08:00:00Z")).await, Ok(known(None, None)));
    assert_eq!(proved(|claims| claims["acr"] = json!(["phr"])).await, Ok(known(None, None)));
    assert_eq!(proved(|claims| claims["auth_time"] = json!(NOW + 60)).await, Ok(known(Some(NOW + 60), None)));
    for impossible in [NOW + 61, i64::MAX, -1] {
        let refused = access("JWT", |claims| claims["auth_time"] = json!(impossible)).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{impossible}");
    }
}

#[tokio::test]
async fn refuses_wrong_issuers_audiences_and_times() {
    assert!(access("JWT", |claims| claims["iss"] = json!("https://evil.example")).await.is_err());
    assert!(access("JWT", |claims| claims["iss"] = json!([ISSUER])).await.is_err());
    assert!(access("JWT", |claims| claims["aud"] = json!("other")).await.is_err());
    assert!(access("JWT", |claims| claims["aud"] = json!(["other", "more"])).await.is_err());
    assert!(access("JWT", |claims| claims["aud"] = Value::Null).await.is_err());
    assert!(access("JWT", |claims| claims["exp"] = Value::Null).await.is_err());
    assert!(access("JWT", |claims| claims["exp"] = json!("soon")).await.is_err());
    let ended = access("JWT", |claims| claims["exp"] = json!(NOW - 60)).await;
    assert_eq!(ended, Err(IdentityError::Ended { ago_seconds: 60 }));
    assert!(access("JWT", |claims| claims["exp"] = json!(NOW - 59)).await.is_ok());
    let ahead = access("JWT", |claims| claims["nbf"] = json!(NOW + 61)).await;
    assert_eq!(ahead, Err(IdentityError::Ahead { seconds: 61, allowed_seconds: 60 }));
    assert!(access("JWT", |claims| claims["nbf"] = json!(NOW + 60)).await.is_ok());
}

#[tokio::test]
async fn refuses_an_id_token_where_access_tokens_are_taken() {
    assert!(access("JWT", |claims| claims["nonce"] = json!("n")).await.is_err());
    assert!(access("JWT", |claims| claims["at_hash"] = json!("h")).await.is_err());
    assert!(access("JWT", |claims| claims["typ"] = json!("ID")).await.is_err());
    assert!(access("JWT", |claims| claims["typ"] = json!("Refresh")).await.is_err());
    assert!(access("logout+jwt", |_claims| {}).await.is_err());
    assert!(access("JWT", |claims| claims["events"] = json!({})).await.is_err());
}

#[tokio::test]
async fn with_an_audience_that_is_the_client_only_declared_access_tokens_are_taken() {
    let same = OidcConfig { audience: "hoop-cli".into(), ..config(TokenChoice::Access) };
    let mut claims = access_claims();
    claims["aud"] = json!("hoop-cli");
    assert!(verify_with(same.clone(), Vec::new(), "JWT", claims.clone()).await.is_err());
    assert!(verify_with(same, Vec::new(), "at+jwt", claims).await.is_ok());
}

#[tokio::test]
async fn refuses_an_access_token_where_id_tokens_are_taken() {
    assert!(id(|_claims| {}).await.is_ok());
    assert!(id(|claims| claims["aud"] = json!("hoop")).await.is_err());
    assert!(id(|claims| claims["azp"] = json!("other")).await.is_err());
    assert!(id(|claims| claims["aud"] = json!(["hoop-cli", "other"])).await.is_err());
    assert!(id(|claims| claims["typ"] = json!("Bearer")).await.is_err());
    let kind = verify_with(config(TokenChoice::Id), Vec::new(), "at+jwt", id_claims()).await;
    assert!(kind.is_err());
}

#[tokio::test]
async fn groups_come_from_a_path_as_a_list_or_one_name() {
    let at = |path: &[&str], groups: Value| {
        let path: Vec<String> = path.iter().map(|step| (*step).to_owned()).collect();
        let mut claims = access_claims();
        claims["realm"] = json!({ "roles": groups });
        claims["https://acme.example/groups"] = json!("dba");
        verify_with(OidcConfig { groups_claim: path, ..config(TokenChoice::Access) }, Vec::new(), "JWT", claims)
    };
    let groups = |names: &[&str]| names.iter().map(|name| GroupName::new(name).unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(at(&["realm", "roles"], json!(["a", "b"])).await.unwrap().principal.groups, groups(&["a", "b"]));
    assert_eq!(at(&["https://acme.example/groups"], json!(0)).await.unwrap().principal.groups, groups(&["dba"]));
    assert_eq!(at(&["realm", "missing"], json!([])).await.unwrap().principal.groups, groups(&[]));
    assert!(at(&["realm", "roles"], json!(["a", 7])).await.is_err());
    assert!(at(&["realm", "roles"], json!(["a", "b\n"])).await.is_err());
    assert!(at(&["realm", "roles"], json!(vec!["g"; 501])).await.is_err());
}

#[tokio::test]
async fn groups_that_the_issuer_left_out_are_not_taken_for_none() {
    let answer = access("JWT", |claims| {
        claims.as_object_mut().unwrap().remove("groups");
        claims["_claim_names"] = json!({ "groups": "src1" });
    });
    assert!(answer.await.is_err());
}

#[tokio::test]
async fn an_unverified_address_names_nobody() {
    let by_email = OidcConfig { principal_claim: "email".into(), ..config(TokenChoice::Access) };
    let mut claims = access_claims();
    claims["email"] = json!("alice@example.com");
    assert!(verify_with(by_email.clone(), Vec::new(), "JWT", claims.clone()).await.is_err());
    claims["email_verified"] = json!(false);
    assert!(verify_with(by_email.clone(), Vec::new(), "JWT", claims.clone()).await.is_err());
    claims["email_verified"] = json!(true);
    let verified = verify_with(by_email, Vec::new(), "JWT", claims).await.unwrap();
    assert_eq!(verified.principal.name.as_str(), "alice@example.com");
}

fn rule(name: &str, condition: (&str, &str)) -> AgentRule {
    AgentRule {
        name: PrincipalName::new(name).unwrap(),
        issuer: ISSUER.into(),
        claims: BTreeMap::from([(condition.0.into(), condition.1.into())]),
        owner: PrincipalName::new("alice").unwrap(),
        groups: BTreeSet::from([GroupName::new("agents").unwrap()]),
    }
}

#[tokio::test]
async fn a_matching_rule_makes_an_agent_with_the_rules_groups_only() {
    let mut claims = access_claims();
    claims["client"] = json!({ "id": "crew-prod" });
    claims["groups"] = json!(["dba"]);
    let rules = vec![rule("crew", ("client.id", "crew-prod")), rule("other", ("client.id", "x"))];
    let verified = verify_with(config(TokenChoice::Access), rules, "JWT", claims).await.unwrap();
    assert_eq!(verified.principal.kind, PrincipalKind::Agent);
    assert_eq!(verified.principal.owner, Some(PrincipalName::new("alice").unwrap()));
    assert_eq!(verified.principal.groups, BTreeSet::from([GroupName::new("agents").unwrap()]));
}

#[tokio::test]
async fn a_token_that_two_agents_match_is_refused() {
    let rules = vec![rule("crew", ("sub", "alice")), rule("bot", ("sub", "alice"))];
    assert!(verify_with(config(TokenChoice::Access), rules, "JWT", access_claims()).await.is_err());
    let foreign = AgentRule { issuer: "https://other.example".into(), ..rule("crew", ("sub", "alice")) };
    let person = verify_with(config(TokenChoice::Access), vec![foreign], "JWT", access_claims()).await.unwrap();
    assert_eq!(person.principal.kind, PrincipalKind::User);
}

fn verifier(keys: &[Value]) -> Verifier {
    let set = json!({ "keys": keys }).to_string();
    let clock = WallClock::manual(NOW * 1_000);
    Verifier::in_process(config(TokenChoice::Access), Vec::new(), set.as_bytes(), clock).unwrap()
}

fn raw(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn refuses_algorithm_none_and_a_missing_signature() {
    let verifier = verifier(&[SigningKey::new("one").jwk()]);
    for algorithm in ["none", "None", "NONE", ""] {
        let token = raw(&json!({ "alg": algorithm, "kid": "one" }), &access_claims(), b"");
        assert!(verifier.verify(&token).await.is_err(), "{algorithm}");
    }
    let unsigned = raw(&json!({ "alg": "EdDSA", "kid": "one" }), &access_claims(), b"");
    assert!(verifier.verify(&unsigned).await.is_err());
    assert!(verifier.verify("a.b").await.is_err());
    assert!(verifier.verify("").await.is_err());
    assert!(verifier.verify(&"x".repeat(MAX_TOKEN_BYTES + 1)).await.is_err());
}

#[tokio::test]
async fn refuses_hs256_made_with_the_public_key() {
    let key = SigningKey::new("one");
    let verifier = verifier(&[key.jwk()]);
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("one".into());
    for secret in [key.public.clone(), URL_SAFE_NO_PAD.encode(&key.public).into_bytes()] {
        let token = jsonwebtoken::encode(&header, &access_claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert!(verifier.verify(&token).await.is_err());
    }
}

#[tokio::test]
async fn a_symmetric_key_in_the_set_verifies_nothing() {
    let secret = b"a secret of the issuer, published";
    let key = json!({ "kty": "oct", "kid": "one", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret) });
    let verifier = verifier(&[key]);
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("one".into());
    let token = jsonwebtoken::encode(&header, &access_claims(), &EncodingKey::from_secret(secret)).unwrap();
    assert!(verifier.verify(&token).await.is_err());
}

#[tokio::test]
async fn refuses_keys_of_others_and_keys_that_the_token_brings_along() {
    let (ours, theirs) = (SigningKey::new("one"), SigningKey::new("one"));
    let other_id = SigningKey::new("two");
    let verifier = verifier(&[ours.jwk()]);
    assert!(verifier.verify(&ours.sign("JWT", &access_claims())).await.is_ok());
    assert!(verifier.verify(&theirs.sign("JWT", &access_claims())).await.is_err());
    assert!(verifier.verify(&other_id.sign("JWT", &access_claims())).await.is_err());
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("one".into());
    header.jwk = serde_json::from_value(theirs.jwk()).unwrap();
    let token = jsonwebtoken::encode(&header, &access_claims(), &theirs.encoding).unwrap();
    assert!(verifier.verify(&token).await.is_err());
}

#[tokio::test]
async fn refuses_extensions_that_it_does_not_understand() {
    let key = SigningKey::new("one");
    let verifier = verifier(&[key.jwk()]);
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("one".into());
    header.crit = Some(vec!["exp".into()]);
    let token = jsonwebtoken::encode(&header, &access_claims(), &key.encoding).unwrap();
    assert!(verifier.verify(&token).await.is_err());
}

#[tokio::test]
async fn refuses_an_algorithm_that_the_settings_do_not_name() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    drop(pair);
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let key = json!({ "kty": "EC", "crv": "P-256", "kid": "ec",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]) });
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("ec".into());
    let signing = EncodingKey::from_ec_der(document.as_ref());
    let token = jsonwebtoken::encode(&header, &access_claims(), &signing).unwrap();
    let set = json!({ "keys": [key] }).to_string();
    let with = |algorithms| {
        let config = OidcConfig { algorithms, ..config(TokenChoice::Access) };
        Verifier::in_process(config, Vec::new(), set.as_bytes(), WallClock::manual(NOW * 1_000))
    };
    assert!(with(vec![SigningAlgorithm::Es256]).unwrap().verify(&token).await.is_ok());
    assert!(with(vec![SigningAlgorithm::EdDsa]).unwrap().verify(&token).await.is_err());
    assert!(with(Vec::new()).is_err());
}

/// An issuer over HTTP that counts how often it is asked.
struct Issuer {
    url: String,
    keys: Mutex<Vec<Value>>,
    asked: AtomicUsize,
    down: AtomicBool,
}

impl Issuer {
    async fn start(key: &SigningKey) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: Mutex::new(vec![key.jwk()]),
            asked: AtomicUsize::new(0),
            down: AtomicBool::new(false),
        });
        let discovery = async |State(issuer): State<Arc<Self>>| {
            issuer.asked.fetch_add(1, Ordering::SeqCst);
            if issuer.down.load(Ordering::SeqCst) {
                return http::StatusCode::BAD_GATEWAY.into_response();
            }
            Json(json!({ "issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url) })).into_response()
        };
        let keys = async |State(issuer): State<Arc<Self>>| Json(json!({ "keys": *issuer.keys.lock().unwrap() }));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        issuer
    }

    fn verifier(&self, clock: &WallClock) -> Verifier {
        let options = OidcOptions { login_seconds: 100_000, ..OidcOptions::default() };
        let config = OidcConfig { issuer: self.url.clone(), options, ..config(TokenChoice::Access) };
        Verifier::discovered(config, Vec::new(), None, &Secrets::local(), clock.clone()).unwrap()
    }

    fn token(&self, key: &SigningKey) -> String {
        let mut claims = access_claims();
        claims["iss"] = json!(self.url);
        claims["exp"] = json!(NOW + 100_000);
        key.sign("JWT", &claims)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn keys_are_found_by_discovery_and_cached() {
    let key = SigningKey::new("one");
    let issuer = Issuer::start(&key).await;
    let clock = WallClock::manual(NOW * 1_000);
    let verifier = issuer.verifier(&clock);
    for _login in 0..3 {
        assert!(verifier.verify(&issuer.token(&key)).await.is_ok());
    }
    assert_eq!(issuer.asked(), 1);
    assert!(verifier.works().await);
}

#[tokio::test]
async fn an_unknown_key_id_asks_again_but_not_more_than_every_ten_seconds() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let issuer = Issuer::start(&old).await;
    let clock = WallClock::manual(NOW * 1_000);
    let verifier = issuer.verifier(&clock);
    assert!(verifier.verify(&issuer.token(&old)).await.is_ok());
    issuer.keys.lock().unwrap().push(new.jwk());
    for _attempt in 0..5 {
        assert!(verifier.verify(&issuer.token(&new)).await.is_err());
    }
    assert_eq!(issuer.asked(), 1);
    clock.advance(10_000);
    assert!(verifier.verify(&issuer.token(&new)).await.is_ok());
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn an_outage_is_bridged_for_an_hour_and_then_fails_closed() {
    let key = SigningKey::new("one");
    let issuer = Issuer::start(&key).await;
    let clock = WallClock::manual(NOW * 1_000);
    let verifier = issuer.verifier(&clock);
    assert!(verifier.verify(&issuer.token(&key)).await.is_ok());
    issuer.down.store(true, Ordering::SeqCst);
    clock.advance(59 * 60 * 1_000);
    assert!(verifier.verify(&issuer.token(&key)).await.is_ok());
    clock.advance(60 * 1_000);
    assert!(matches!(verifier.verify(&issuer.token(&key)).await, Err(IdentityError::Unreachable(_))));
    assert!(!verifier.works().await);
    issuer.down.store(false, Ordering::SeqCst);
    clock.advance(10_000);
    assert!(verifier.verify(&issuer.token(&key)).await.is_ok());
}

#[tokio::test]
async fn a_key_that_the_issuer_withdrew_stops_serving_at_the_next_refresh() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let issuer = Issuer::start(&old).await;
    let clock = WallClock::manual(NOW * 1_000);
    let verifier = issuer.verifier(&clock);
    assert!(verifier.verify(&issuer.token(&old)).await.is_ok());
    *issuer.keys.lock().unwrap() = vec![new.jwk()];
    clock.advance(10 * 60 * 1_000);
    assert!(verifier.verify(&issuer.token(&old)).await.is_err());
}

#[tokio::test]
async fn a_huge_key_set_is_refused() {
    let key = SigningKey::new("one");
    let issuer = Issuer::start(&key).await;
    *issuer.keys.lock().unwrap() = (0..65).map(|_number| key.jwk()).collect();
    let verifier = issuer.verifier(&WallClock::manual(NOW * 1_000));
    assert!(matches!(verifier.verify(&issuer.token(&key)).await, Err(IdentityError::Unreachable(_))));
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_token(header in ".{0,80}", claims in ".{0,80}", signature in "[a-zA-Z0-9_-]{0,90}") {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let verifier = verifier(&[SigningKey::new("one").jwk()]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tokens = [header.clone(), format!("{header}.{claims}.{signature}"), format!("{}.{}.{signature}", part(&header), part(&claims))];
        for token in tokens {
            proptest::prop_assert!(runtime.block_on(verifier.verify(&token)).is_err());
        }
    }
}

#[test]
fn an_issuer_without_tls_is_for_this_machine_only() {
    let with = |issuer: &str| {
        let config = OidcConfig { issuer: issuer.into(), ..config(TokenChoice::Access) };
        Verifier::discovered(config, Vec::new(), None, &Secrets::local(), WallClock::manual(0))
    };
    assert!(with("http://idp.example.com").is_err());
    assert!(with("https://user:secret@idp.example.com").is_err());
    assert!(with("ftp://idp.example.com").is_err());
}

mod people;
mod workloads;
