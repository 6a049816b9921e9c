//! People at the issuers that there are: clocks that differ, groups in every form and place, claims for policies.

use axum::{extract::Query, http::HeaderMap};
use secrecy::SecretString;

use super::*;
use crate::config::{GoogleDirectory, GroupsFrom, SecretReference};

fn with(options: OidcOptions) -> OidcConfig {
    OidcConfig { options, ..config(TokenChoice::Access) }
}

async fn proved(config: OidcConfig, change: impl FnOnce(&mut Value)) -> Result<Verified, IdentityError> {
    let mut claims = access_claims();
    change(&mut claims);
    verify_with(config, Vec::new(), "JWT", claims).await
}

#[tokio::test]
async fn clocks_may_differ_by_what_the_site_says_and_the_error_says_by_how_much_they_do() {
    let skewed = |seconds| with(OidcOptions { clock_skew_seconds: seconds, ..OidcOptions::default() });
    assert!(proved(skewed(120), |claims| claims["iat"] = json!(NOW + 120)).await.is_ok());
    let refused = proved(skewed(120), |claims| claims["iat"] = json!(NOW + 121)).await.unwrap_err().to_string();
    assert!(refused.contains("differ by") && refused.contains("121 s") && refused.contains("120 s"), "{refused}");
    assert!(proved(skewed(0), |claims| claims["nbf"] = json!(NOW + 1)).await.is_err());
    let ended = proved(skewed(0), |claims| claims["exp"] = json!(NOW - 1)).await.unwrap_err().to_string();
    assert!(ended.contains("ended 1 s ago"), "{ended}");
}

#[tokio::test]
async fn a_token_is_believed_for_so_long_after_it_was_made_and_no_longer() {
    let brief = || with(OidcOptions { login_seconds: 600, ..OidcOptions::default() });
    let long = |made: i64| {
        move |claims: &mut Value| {
            claims["iat"] = json!(made);
            claims["exp"] = json!(NOW + 86_400);
        }
    };
    assert_eq!(proved(brief(), long(NOW - 100)).await.unwrap().expires_at, NOW + 500);
    assert_eq!(proved(brief(), long(NOW - 599)).await.unwrap().expires_at, NOW + 1);
    assert!(matches!(proved(brief(), long(NOW - 600)).await, Err(IdentityError::Invalid(_))));
    let ageless = proved(brief(), |claims| drop(claims.as_object_mut().unwrap().remove("iat"))).await;
    assert!(ageless.unwrap_err().to_string().contains("iat"), "nobody knows how old it is");
}

#[tokio::test]
async fn groups_in_one_text_are_separated_only_where_the_site_says_how() {
    let groups = async |separator: Option<char>, text: &str| {
        let config = with(OidcOptions { groups_separator: separator, ..OidcOptions::default() });
        let verified = proved(config, |claims| claims["groups"] = json!(text)).await?;
        Ok::<_, IdentityError>(verified.principal.groups.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(groups(None, "data base, admins").await.unwrap(), ["data base, admins"]);
    assert_eq!(groups(Some(','), "dba, data base ,,eng").await.unwrap(), ["data base", "dba", "eng"]);
    assert_eq!(groups(Some(' '), " dba  eng ").await.unwrap(), ["dba", "eng"]);
    assert!(groups(Some(','), "dba,\u{7}").await.is_err());
    let many: Vec<String> = (0..501).map(|number| format!("g{number}")).collect();
    assert!(groups(Some(','), &many.join(",")).await.is_err());
}

#[tokio::test]
async fn entras_overage_is_said_and_never_taken_for_no_groups() {
    for (claim, value) in [("_claim_names", json!({ "groups": "src1" })), ("hasgroups", json!(true))] {
        let refused = proved(config(TokenChoice::Access), |claims| {
            claims.as_object_mut().unwrap().remove("groups");
            claims[claim] = value;
        });
        let refused = refused.await.unwrap_err().to_string();
        assert!(refused.contains("group overage") && refused.contains("assigned to the application"), "{refused}");
    }
    assert!(proved(config(TokenChoice::Access), |claims| claims["hasgroups"] = json!(false)).await.is_ok());
}

#[tokio::test]
async fn policies_see_the_claims_that_the_site_lists_and_no_others() {
    let key = SigningKey::new("one");
    let set = json!({ "keys": [key.jwk()] }).to_string();
    let clock = WallClock::manual(NOW * 1_000);
    let verifier = Verifier::in_process(config(TokenChoice::Access), Vec::new(), set.as_bytes(), clock).unwrap();
    let listed = ["team", "realm.level", "https://acme/x.y", "absent"].map(str::to_owned).into();
    let verifier = verifier.with_claims(listed);
    let mut claims = access_claims();
    claims["team"] = json!("billing");
    claims["realm"] = json!({ "level": 3 });
    claims["https://acme/x.y"] = json!(true);
    claims["email"] = json!("alice@example.com");
    let kept = verifier.verify(&key.sign("JWT", &claims)).await.unwrap().principal.claims;
    let kept: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(kept, [("https://acme/x.y", "true"), ("realm.level", "3"), ("team", "billing")]);
    for unusable in [json!(["billing"]), json!({ "of": "billing" }), json!("x".repeat(257))] {
        claims["team"] = unusable;
        assert!(verifier.verify(&key.sign("JWT", &claims)).await.is_err());
    }
}

#[tokio::test]
async fn tricks_with_the_key_id_find_no_other_key() {
    let (one, two) = (SigningKey::new("one"), SigningKey::new("two"));
    let verifier = verifier(&[one.jwk(), two.jwk()]);
    for id in [Some("two"), Some("../one"), Some("one\0"), Some("ONE"), Some(""), Some("' or 1=1"), None] {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = id.map(str::to_owned);
        let token = jsonwebtoken::encode(&header, &access_claims(), &one.encoding).unwrap();
        assert!(verifier.verify(&token).await.is_err(), "{id:?}");
    }
    let (same, other) = (SigningKey::new("same"), SigningKey::new("same"));
    let ambiguous = super::verifier(&[same.jwk(), other.jwk()]);
    assert!(ambiguous.verify(&same.sign("JWT", &access_claims())).await.is_err());
}

#[tokio::test]
async fn an_outage_says_how_old_the_keys_are_and_how_old_they_may_be() {
    let key = SigningKey::new("one");
    let issuer = Issuer::start(&key).await;
    let clock = WallClock::manual(NOW * 1_000);
    let verifier = issuer.verifier(&clock);
    verifier.verify(&issuer.token(&key)).await.unwrap();
    issuer.down.store(true, Ordering::SeqCst);
    clock.advance(61 * 60 * 1_000);
    let refused = verifier.verify(&issuer.token(&key)).await.unwrap_err();
    assert!(!refused.is_the_tokens());
    let refused = refused.to_string();
    assert!(refused.contains("status 502") && refused.contains("61 minutes ago") && refused.contains("60 at most"));
}

/// Serves routes on a port of its own and gives its address.
async fn serve(routes: impl FnOnce(&str) -> Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = routes(&url);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn authorized(headers: &HeaderMap, token: &str) -> bool {
    headers.get("authorization").is_some_and(|value| value.as_bytes() == format!("Bearer {token}").as_bytes())
}

#[tokio::test]
async fn groups_are_fetched_from_userinfo_for_the_very_person_or_the_login_fails() {
    let key = SigningKey::new("one");
    let jwk = key.jwk();
    let url = serve(|url| {
        let discovery =
            json!({ "issuer": url, "jwks_uri": format!("{url}/keys"), "userinfo_endpoint": format!("{url}/me") });
        let keys = json!({ "keys": [jwk] });
        let me = async |headers: HeaderMap| {
            let told = if authorized(&headers, "of-alice") {
                json!({ "sub": "alice", "groups": ["engineers", "dba"] })
            } else if authorized(&headers, "of-bob") {
                json!({ "sub": "bob", "groups": ["admins"] })
            } else if authorized(&headers, "of-nobodys-friend") {
                json!({ "sub": "alice", "groups": [] })
            } else if authorized(&headers, "without-the-scope") {
                json!({ "sub": "alice", "email": "alice@example.com" })
            } else if authorized(&headers, "overage") {
                json!({ "sub": "alice", "_claim_names": { "groups": "src1" } })
            } else {
                return http::StatusCode::UNAUTHORIZED.into_response();
            };
            Json(told).into_response()
        };
        Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
            .route("/keys", get(async move || Json(keys)))
            .route("/me", get(me))
    });
    let url = url.await;
    let options = OidcOptions { groups_from: GroupsFrom::Userinfo, ..OidcOptions::default() };
    let config = OidcConfig { issuer: url.clone(), options, ..config(TokenChoice::Id) };
    let verifier =
        Verifier::discovered(config, Vec::new(), None, &Secrets::local(), WallClock::manual(NOW * 1_000)).unwrap();
    assert!(verifier.info().wants_access_token);
    let mut claims = id_claims();
    claims["iss"] = json!(url);
    let token = key.sign("JWT", &claims);
    let with = async |access: Option<&str>| {
        verifier
            .verify_with(&token, access.map(SecretString::from).as_ref())
            .await
            .map(|verified| verified.principal.groups)
    };
    let expected = ["dba", "engineers"].map(|name| GroupName::new(name).unwrap()).into();
    assert_eq!(with(Some("of-alice")).await, Ok(expected));
    assert_eq!(with(Some("of-nobodys-friend")).await, Ok(BTreeSet::new()));
    let unknown = with(Some("without-the-scope")).await.unwrap_err().to_string();
    assert!(unknown.contains("groups_claim") && unknown.contains("scope"), "{unknown}");
    assert!(with(Some("of-bob")).await.unwrap_err().to_string().contains("somebody else"));
    assert!(with(Some("overage")).await.unwrap_err().to_string().contains("overage"));
    assert!(with(Some("stolen")).await.unwrap_err().is_the_tokens());
    assert!(with(None).await.unwrap_err().to_string().contains("access token"));
}

/// Stands in for Google over HTTP: its own service is not asked by any test.
#[tokio::test]
async fn groups_are_asked_of_googles_directory_page_by_page_in_an_administrators_name() {
    let key = SigningKey::new("one");
    let jwk = key.jwk();
    let granted = async |body: String| {
        let assertion =
            body.split("assertion=").nth(1).unwrap_or_default().split('.').nth(1).unwrap_or_default().to_owned();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(assertion).unwrap()).unwrap();
        let right = claims["sub"] == "admin@example.com" && claims["iss"] == "hoop@project.iam.example";
        let right = right && claims["scope"].as_str().unwrap().ends_with("admin.directory.group.readonly");
        let status = if right { http::StatusCode::OK } else { http::StatusCode::BAD_REQUEST };
        (status, Json(json!({ "access_token": "of-the-directory", "expires_in": 3600 }))).into_response()
    };
    let groups = async |headers: HeaderMap, Query(query): Query<BTreeMap<String, String>>| {
        if !authorized(&headers, "of-the-directory") {
            return http::StatusCode::UNAUTHORIZED.into_response();
        }
        match (query["userKey"].as_str(), query.get("pageToken").map(String::as_str)) {
            ("alice", None) => Json(json!({ "groups": [{ "email": "dba@example.com" }], "nextPageToken": "p2" })),
            ("alice", Some("p2")) => Json(json!({ "groups": [{ "email": "eng@example.com" }] })),
            ("nobody", None) => Json(json!({})),
            ("endless", page) => {
                let next = page.map_or(0, |page| page.parse::<u32>().unwrap_or(0)) + 1;
                Json(json!({ "nextPageToken": next.to_string() }))
            }
            _ => return http::StatusCode::NOT_FOUND.into_response(),
        }
        .into_response()
    };
    let url = serve(|url| {
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let keys = json!({ "keys": [jwk] });
        Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
            .route("/keys", get(async move || Json(keys)))
            .route("/token", axum::routing::post(granted))
            .route("/admin/directory/v1/groups", get(groups))
    });
    let url = url.await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("google.json");
    let private = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem();
    let account = json!({ "type": "service_account", "client_email": "hoop@project.iam.example", "private_key": private,
                          "token_uri": format!("{url}/token") });
    std::fs::write(&path, account.to_string()).unwrap();
    let directory = GoogleDirectory {
        service_account: SecretReference::File(path.clone()),
        subject: "admin@example.com".into(),
        api_url: url.clone(),
    };
    let options = OidcOptions { groups_from: GroupsFrom::Google(directory), ..OidcOptions::default() };
    let config = OidcConfig { issuer: url.clone(), options, ..config(TokenChoice::Id) };
    let clock = WallClock::manual(NOW * 1_000);
    let verifier = Verifier::discovered(config, Vec::new(), None, &Secrets::local(), clock.clone()).unwrap();
    let groups_of = async |person: &str| {
        let mut claims = id_claims();
        (claims["iss"], claims["sub"]) = (json!(url), json!(person));
        claims["exp"] = json!(NOW + 90_000);
        let groups = verifier.verify(&key.sign("JWT", &claims)).await?.principal.groups;
        Ok::<_, IdentityError>(groups.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(groups_of("alice").await.unwrap(), ["dba@example.com", "eng@example.com"]);
    assert!(groups_of("nobody").await.unwrap().is_empty());
    assert!(groups_of("stranger").await.is_err());
    let endless = groups_of("endless").await.unwrap_err();
    assert!(!endless.is_the_tokens() && endless.to_string().contains("does not end"), "{endless}");
    std::fs::remove_file(&path).unwrap();
    assert!(groups_of("alice").await.is_ok(), "the token lasts");
    clock.advance(3_590_000);
    let refused = groups_of("alice").await.unwrap_err();
    assert!(!refused.is_the_tokens() && refused.to_string().contains("service account"), "{refused}");
}
