//! The gateway's own tokens, and tokens that only look like them.

use jsonwebtoken::Algorithm;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;
use crate::approval::testing::person;

const ISSUER: &str = "https://127.0.0.1:8443";

fn verified(clock: &WallClock, life: i64) -> Verified {
    let authentication = Authentication { at: Some(clock.unix_seconds() - 5), acr: Some("phr".into()) };
    Verified { principal: person("alice", &["engineers"]), expires_at: clock.unix_seconds() + life, authentication }
}

fn clock() -> WallClock {
    WallClock::manual(1_800_000_000_000)
}

#[test]
fn a_token_carries_the_principal_for_ten_minutes_at_most() {
    let clock = clock();
    let tokens = GatewayTokens::ephemeral(ISSUER, clock.clone()).unwrap();
    let issued = tokens.issue(&verified(&clock, 3_600)).unwrap();
    assert_eq!(issued.expires_at, clock.unix_seconds() + TOKEN_LIFE_SECONDS);
    let back = tokens.verify(issued.token.expose_secret()).unwrap();
    assert_eq!((back.principal, back.expires_at), (person("alice", &["engineers"]), issued.expires_at));
    let proved = Authentication { at: Some(clock.unix_seconds() - 5), acr: Some("phr".into()) };
    assert_eq!(back.authentication, proved, "as the issuer said it");
    clock.advance(TOKEN_LIFE_SECONDS * 1_000);
    assert_eq!(tokens.verify(issued.token.expose_secret()), Err(IdentityError::Expired));
}

#[test]
fn a_runs_token_opens_streams_and_is_nobody_elsewhere() {
    let clock = clock();
    let tokens = GatewayTokens::ephemeral(ISSUER, clock.clone()).unwrap();
    let connections = BTreeSet::from([ConnectionName::new("pg-prod").unwrap()]);
    let scope = RunScope { run: RunId::new(1, [1; 10]), connections };
    let issued = tokens.issue_run(&verified(&clock, 3_600), scope.clone()).unwrap();
    let token = issued.token.expose_secret();
    let (presence, expires_at) = tokens.verify_stream(token).unwrap();
    assert_eq!((presence.scope.as_deref(), expires_at), (Some(&scope), clock.unix_seconds() + TOKEN_LIFE_SECONDS));
    assert!(matches!(tokens.verify(token), Err(IdentityError::Invalid(_))));
    assert!(matches!(tokens.verify_with_login(token), Err(IdentityError::Invalid(_))));
    let own = tokens.issue(&verified(&clock, 3_600)).unwrap();
    assert_eq!(tokens.verify_stream(own.token.expose_secret()).unwrap().0.scope, None);
    clock.advance(TOKEN_LIFE_SECONDS * 1_000);
    assert_eq!(tokens.verify_stream(token), Err(IdentityError::Expired));
}

#[test]
fn a_logout_counts_for_as_long_as_the_longest_token_whoever_logs_out_later() {
    let clock = clock();
    let tokens = GatewayTokens::ephemeral(ISSUER, clock.clone()).unwrap();
    let issued = tokens.issue_whole_login(&verified(&clock, 12 * 3_600)).unwrap();
    assert!(tokens.verify(issued.token.expose_secret()).is_ok());
    tokens.end(&person("alice", &[])).unwrap();
    clock.advance(11 * 3_600_000);
    tokens.end(&person("bob", &[])).unwrap();
    assert!(tokens.verify(issued.token.expose_secret()).is_err());
}

#[test]
fn a_token_never_outlives_what_proved_it() {
    let clock = clock();
    let tokens = GatewayTokens::ephemeral(ISSUER, clock.clone()).unwrap();
    assert_eq!(tokens.issue(&verified(&clock, 30)).unwrap().expires_at, clock.unix_seconds() + 30);
    assert!(matches!(tokens.issue(&verified(&clock, 0)), Err(IdentityError::Expired)));
}

#[test]
fn the_key_survives_a_restart_and_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let clock = clock();
    let open = |key_use| GatewayTokens::open(&keys, key_use, ISSUER, clock.clone());
    let issued = open(KeyUse::Production).unwrap().issue(&verified(&clock, 600)).unwrap();
    assert!(open(KeyUse::Production).unwrap().verify(issued.token.expose_secret()).is_ok());
    let path = keys.join("gateway-token.pk8");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(open(KeyUse::Production), Err(TokenKeyError::Exposed(_))));
}

#[test]
fn a_development_key_is_never_valid_without_development() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let open = |key_use| GatewayTokens::open(directory.path(), key_use, ISSUER, clock.clone()).unwrap();
    let issued = open(KeyUse::Development).issue(&verified(&clock, 600)).unwrap();
    assert!(open(KeyUse::Production).verify(issued.token.expose_secret()).is_err());
}

#[test]
fn a_damaged_key_or_a_link_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway-token.pk8");
    let open = || GatewayTokens::open(directory.path(), KeyUse::Production, ISSUER, clock());
    fs::write(&path, "not a key").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(open(), Err(TokenKeyError::Damaged(_))));
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert!(matches!(open(), Err(TokenKeyError::Damaged(_))));
}

/// Signs claims as the gateway would, with one thing changed, and says whether they are taken.
fn takes(change: impl FnOnce(&mut Header, &mut serde_json::Value)) -> bool {
    let clock = clock();
    let tokens = GatewayTokens::ephemeral(ISSUER, clock.clone()).unwrap();
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": 0, "exp": clock.unix_seconds() + 60,
        "principal": person("alice", &[]),
    });
    change(&mut header, &mut claims);
    let token = jsonwebtoken::encode(&header, &claims, &tokens.0.signing).unwrap();
    tokens.verify(&token).is_ok()
}

#[test]
fn refuses_another_type_issuer_audience_and_an_end_in_the_past() {
    assert!(takes(|_header, _claims| {}));
    assert!(!takes(|header, _claims| header.typ = Some("JWT".into())));
    assert!(!takes(|header, _claims| header.typ = None));
    assert!(!takes(|_header, claims| claims["iss"] = json!("https://evil.example")));
    assert!(!takes(|_header, claims| claims["iss"] = json!([ISSUER, "https://evil.example"])));
    assert!(!takes(|_header, claims| claims["aud"] = json!("hoop-cli")));
    assert!(!takes(|_header, claims| claims["exp"] = json!(1_800_000_000)));
    assert!(!takes(|_header, claims| drop(claims.as_object_mut().unwrap().remove("exp"))));
    assert!(!takes(|_header, claims| claims["principal"]["name"] = json!("a\nb")));
}

#[test]
fn refuses_other_algorithms_keys_and_oversize() {
    let clock = clock();
    let tokens = GatewayTokens::ephemeral(ISSUER, clock.clone()).unwrap();
    let other = GatewayTokens::ephemeral(ISSUER, clock.clone()).unwrap();
    let issued = other.issue(&verified(&clock, 600)).unwrap();
    let token = issued.token.expose_secret();
    assert!(tokens.verify(token).is_err());
    let (_header, rest) = token.split_once('.').unwrap();
    let (payload, _signature) = rest.split_once('.').unwrap();
    // {"typ":"hoop-gateway+jwt","alg":"none"}
    let none = format!("eyJ0eXAiOiJob29wLWdhdGV3YXkrand0IiwiYWxnIjoibm9uZSJ9.{payload}.");
    assert!(other.verify(&none).is_err());
    assert!(other.verify(&format!("{token}x")).is_err());
    assert!(other.verify(&"x".repeat(MAX_TOKEN_BYTES + 1)).is_err());
    assert!(other.verify("").is_err());
}
