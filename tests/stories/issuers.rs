//! The issuers that users have: logins by a browser, clients with a secret, groups from elsewhere, people who left.

use std::{fs, process::Command};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use super::{
    harness::{Cluster, Gateway, Person, Program, Site, Stream, Tunnel, free_port, site_policies},
    login::{Provider, expire, provider, stored},
};

/// A gateway that believes this provider, with more of its settings.
fn gateway(provider: &Provider, client: &str, identity: &str, more: &str, policies: &str) -> Gateway {
    let site = Site::new(&Cluster::shared().database());
    let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
    let oidc = format!(
        "\n{identity}\n[identity.oidc]\nissuer = \"{}\"\nclient_id = \"{client}\"\naudience = \"hoop\"\n\
         scopes = [\"openid\", \"offline_access\", \"groups\"]\n{more}\n",
        provider.issuer
    );
    site.write("gateway.toml", &(settings + &oidc));
    site.write("idp.secret", "confidential-secret-of-the-gateway\n");
    site.write("policies/shop.cedar", &(site_policies() + policies));
    Gateway::start(site)
}

/// Begins a login by a browser of this machine, and gives the address to open.
fn begin(person: &Person) -> (Program, Url) {
    let mut login = person.start(&["login", "--browser"]);
    let page = login.expect("the address to open", |stream, line| {
        let mut words = line.split_whitespace().filter(|_| stream == Stream::Errors);
        words.find(|word| word.starts_with("http") && word.contains("code_challenge=")).map(str::to_owned)
    });
    (login, Url::parse(&page).expect("an address"))
}

fn parameter(page: &Url, name: &str) -> String {
    let found = page.query_pairs().find(|(given, _)| given == name);
    found.unwrap_or_else(|| panic!("{page} has no {name}")).1.into_owned()
}

/// Whether anything below this folder holds the text.
fn is_kept(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).any(|entry| {
        let path = entry.path();
        if path.is_dir() { is_kept(&path, text) } else { fs::read_to_string(&path).unwrap_or_default().contains(text) }
    })
}

/// Forgeries of real tokens: each is refused, and the real one is taken before and after them.
fn refuses_forgeries(gateway: &Gateway, provider: &Provider, answer: &str) {
    let answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let (access, id) =
        (answer["access_token"].as_str().expect("a token"), answer["id_token"].as_str().expect("a token"));
    let exchange = Url::parse(&format!("{}/api/v1/token", gateway.url)).expect("an address");
    let status = |token: &str| gateway.browser().post_json(&exchange, &json!({ "token": token })).status;
    assert_eq!(status(access), 200);
    let keys = gateway.browser().open(&format!("{}/jwks", provider.issuer)).body;
    let published: Value = serde_json::from_str(&keys).expect("a key set");
    let modulus = published["keys"][0]["n"].as_str().expect("a modulus").to_owned();
    let parts: Vec<&str> = access.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let read =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON") };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut renamed = read(header);
    let id_of_key = renamed["kid"].clone();
    let mut others = read(claims);
    others["sub"] = json!("alice");
    let symmetric = |secret: &[u8]| {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = id_of_key.as_str().map(str::to_owned);
        let key = jsonwebtoken::EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&header, &others, &key).expect("signed")
    };
    let unsigned = |algorithm: &str| {
        format!("{}.{}.", part(&json!({ "alg": algorithm, "typ": "at+jwt", "kid": id_of_key })), part(&others))
    };
    renamed["kid"] = json!("../../etc/passwd");
    for (forgery, token) in [
        ("for another audience: the client", id.to_owned()),
        ("without a signature", unsigned("none")),
        ("without a signature, in capitals", unsigned("NONE")),
        ("another person's claims", format!("{header}.{}.{signature}", part(&others))),
        ("HS256 with the public key's text", symmetric(modulus.as_bytes())),
        ("HS256 with the public key's bytes", symmetric(&URL_SAFE_NO_PAD.decode(&modulus).expect("base64"))),
        ("HS256 with the key set", symmetric(keys.as_bytes())),
        ("another key id", format!("{}.{claims}.{signature}", part(&renamed))),
    ] {
        assert_eq!(status(&token), 401, "{forgery}");
    }
    assert_eq!(status(access), 200);
}

/// A person with Chromium: the provider's pages, then the CLI's own. The screenshots stay, to be looked at.
fn real_browser(page: &Url, name: &str) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("redirect-page");
    fs::create_dir_all(&folder).expect("made");
    let mut command = Command::new("node");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/saml/person.mjs");
    command.arg(script).args([page.as_str(), name, "any"]).arg(&folder).arg("redirect").env_remove("NODE_OPTIONS");
    let saw: Value = serde_json::from_str(&Program::run(&mut command, "").success()).expect("JSON");
    assert_eq!(saw["complaints"], json!([]), "the browser complains of the page or of its policy");
    let seen = &saw["seen"][0];
    assert_eq!((&seen["language"], &seen["scripts"], &seen["unnamed"]), (&json!("en"), &json!(0), &json!(0)), "{saw}");
    let says = seen["says"].to_string();
    for fact in ["heading: You may close this page", "Go back to your terminal"] {
        assert!(says.contains(fact), "{fact}: {says}");
    }
    for scheme in ["light", "dark"] {
        let contrast = seen["contrasts"][scheme].as_f64().expect("a number");
        assert!(contrast >= 4.5, "{scheme}: {contrast} in {saw}");
        let bytes = fs::read(folder.join(format!("done-{scheme}.png"))).expect("a picture");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 2_000, "{scheme}: {} bytes", bytes.len());
    }
}

const BY_TEAM: &str = r#"
@id("billing-only")
@message("the shop is billing's")
forbid(principal, action in Action::"read", resource)
unless { principal.hasTag("team") && principal.getTag("team") == "billing" };
"#;

#[test]
fn a_browser_logs_in_and_comes_back_and_a_claim_decides() {
    let users = r#"{"alice":{"groups":["engineers"],"team":"billing"},"bob":{"groups":["dba"],"team":"sales"}}"#;
    let provider = provider(&[("USERS", users)]);
    let redirect = "redirect_uri = \"http://127.0.0.1/callback\"";
    let gateway = gateway(&provider, "hoop-cli", "[identity]\nclaims = [\"team\"]", redirect, BY_TEAM);
    let (alice, bob) = (Person::new(&gateway, "alice"), Person::new(&gateway, "bob"));

    let (login, page) = begin(&alice);
    assert_eq!(parameter(&page, "code_challenge_method"), "S256");
    assert!(parameter(&page, "nonce").len() > 15 && parameter(&page, "state").len() > 15, "{page}");
    let back = Url::parse(&parameter(&page, "redirect_uri")).expect("an address");
    assert_eq!((back.host_str(), back.path()), (Some("127.0.0.1"), "/callback"));
    let mut stranger = gateway.browser();
    let state = parameter(&page, "state");
    let forged = |query: &str| format!("{back}?{query}");
    assert_eq!(stranger.ask(&forged("code=stolen&state=guessed"), &[]), 400, "another login's");
    let rebound = [("host", "evil.example")];
    assert_eq!(stranger.ask(&forged(&format!("code=stolen&state={state}")), &rebound), 403, "another name");
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(stranger.ask(&forged(&format!("code=stolen&state={state}")), &foreign), 403, "another page");
    assert_eq!(stranger.ask(back.join("/").expect("an address").as_str(), &[]), 404);
    gateway.browser().approve(page.as_str(), "alice", "");
    login.finish().success();

    let who = alice.json(&["whoami"])["whoami"].clone();
    assert_eq!(
        (&who["principal"]["claims"], &who["renewed_every_seconds"]),
        (&json!({ "team": "billing" }), &json!(600))
    );
    let before = stored(&alice);
    expire(&alice);
    let told = alice.run(&["whoami"]);
    assert!(told.errors.contains("within 10 minutes") && told.errors.contains("after 60"), "{told:?}");
    assert_ne!(stored(&alice)["refresh_token"], before["refresh_token"], "renewed, and rotated");
    assert_eq!(Tunnel::open(&alice, "pg-prod").rows("select count(*) from orders"), "200\n");

    let (login, page) = begin(&bob);
    real_browser(&page, "bob");
    login.finish().success();
    assert_eq!(bob.json(&["whoami"])["whoami"]["principal"]["name"], "bob");
    let refused = Tunnel::open(&bob, "pg-prod").psql().with(&["-c", "select count(*) from orders"]).run("");
    assert!(refused.errors.contains("billing-only"), "{refused:?}");

    let (login, page) = begin(&bob);
    let back = parameter(&page, "redirect_uri");
    let issuer: String = url::form_urlencoded::byte_serialize(provider.issuer.as_bytes()).collect();
    let denied = format!("{back}?error=access_denied&state={}&iss={issuer}", parameter(&page, "state"));
    assert_eq!(gateway.browser().ask(&denied, &[]), 200);
    let outcome = login.finish();
    assert!(outcome.code() == 1 && outcome.errors.contains("denied"), "{outcome:?}");
    assert_eq!(bob.run(&["whoami"]).code(), 0, "the older login is as it was");
}

#[test]
fn a_client_secret_stays_at_the_gateway_which_speaks_with_the_issuer() {
    let provider = provider(&[]);
    let more = "client_secret = \"file:idp.secret\"\nredirect_uri = \"http://127.0.0.1/callback\"";
    let gateway = gateway(&provider, "hoop-confidential", "", more, "");
    let alice = Person::login(&gateway, "alice");
    assert_eq!(alice.json(&["whoami"])["whoami"]["principal"]["groups"], json!(["engineers"]), "by a code");
    let bob = Person::new(&gateway, "bob");
    let (login, page) = begin(&bob);
    gateway.browser().approve(page.as_str(), "bob", "");
    login.finish().success();
    expire(&bob);
    assert!(bob.run(&["whoami", "-vvv"]).success().contains("bob"), "by a browser, and renewed");
    let secret = "confidential-secret-of-the-gateway";
    assert!(!is_kept(alice.home(), secret) && !is_kept(bob.home(), secret));

    let at = |path: &str| Url::parse(&format!("{}/api/v1/issuer/{path}", gateway.url)).expect("an address");
    let refresh = stored(&bob)["refresh_token"].as_str().expect("kept").to_owned();
    let owned = |fields: &[(&str, &str)]| -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let form =
        owned(&[("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", "hoop-confidential")]);
    let direct = Url::parse(&format!("{}/token", provider.issuer)).expect("an address");
    let alone = gateway.browser().post(&direct, &form);
    assert!(alone.status >= 400 && alone.body.contains("invalid_client"), "without the gateway: {alone:?}");
    let other = gateway.browser().post(&at("token"), &owned(&[("grant_type", "client_credentials")]));
    assert!(other.status == 400 && other.body.contains("invalid_request"), "{other:?}");
    let renewed = gateway.browser().post(&at("token"), &form).body;
    refuses_forgeries(&gateway, &provider, &renewed);
    let renewed: Value = serde_json::from_str(&renewed).expect("an answer");
    let rotated = renewed["refresh_token"].as_str().expect("rotated").to_owned();

    let bearer = bob.jwt();
    let is_taken = || {
        gateway
            .browser()
            .ask(&format!("{}/api/v1/whoami", gateway.url), &[("authorization", &format!("Bearer {bearer}"))])
    };
    assert_eq!(is_taken(), 200);
    let tunnel = Tunnel::open(&bob, "pg-prod");
    let mut open = tunnel.psql().start();
    open.write("select 'open';\n");
    open.expect_line("open");
    open.write("select pg_sleep(60);\n");
    assert_eq!(bob.run(&["logout"]).code(), 0);
    open.expect_line("57P01");
    assert_eq!(is_taken(), 401, "a copy of the token ends with the logout too");
    let form = owned(&[("grant_type", "refresh_token"), ("refresh_token", &rotated)]);
    let after = gateway.browser().post(&at("token"), &form);
    assert!(after.status == 400 && after.body.contains("invalid_grant"), "{after:?}");
}

#[test]
fn groups_come_from_userinfo_and_who_is_removed_is_out_with_the_next_renewal() {
    let users = tempfile::NamedTempFile::new().expect("a file");
    fs::write(users.path(), r#"{"alice":{"groups":["engineers"]}}"#).expect("written");
    let file = users.path().display().to_string();
    let provider = provider(&[("USERS_FILE", &file), ("OPAQUE", "1"), ("TOKEN_SECONDS", "12")]);
    let more = "token = \"id\"\ngroups_from = \"userinfo\"";
    let gateway = gateway(&provider, "hoop-cli", "", more, "");
    let alice = Person::login(&gateway, "alice");
    assert_eq!(alice.json(&["whoami"])["whoami"]["principal"]["groups"], json!(["engineers"]));
    fs::write(users.path(), r#"{"alice":{"groups":["engineers","dba"]}}"#).expect("written");
    expire(&alice);
    assert_eq!(alice.json(&["whoami"])["whoami"]["principal"]["groups"], json!(["dba", "engineers"]));

    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut open = tunnel.psql().start();
    open.write("select 'open';\n");
    open.expect_line("open");
    fs::write(users.path(), "{}").expect("written");
    open.write("select pg_sleep(60);\n");
    open.close_input();
    let ended = open.finish();
    assert_ne!(ended.code(), 0, "the session ended with the token: {ended:?}");
    let outcome = alice.run(&["whoami"]);
    assert!(outcome.code() == 4 && outcome.errors.contains("hoop login"), "{outcome:?}");
}

#[test]
fn an_issuer_that_rotates_its_keys_is_believed_and_one_that_is_down_is_said() {
    let port = free_port().to_string();
    let start = |key: &str| provider(&[("PORT", &port), ("KEY_ID", key)]);
    let first = start("first");
    let gateway = gateway(&first, "hoop-cli", "", "", "");
    let alice = Person::login(&gateway, "alice");
    drop(first.program);
    let down = Person::new(&gateway, "bob").run(&["login", "--no-browser"]);
    assert_eq!(down.code(), 5, "{down:?}");
    expire(&alice);
    let down = alice.run(&["whoami"]);
    assert!(down.code() == 5 && down.errors.contains("identity provider"), "{down:?}");
    let second = start("second");
    // A key that is not known is asked for at most every ten seconds: a login right after another may come too early.
    let bob = (0..3).find_map(|_attempt| {
        let bob = Person::new(&gateway, "bob");
        let (login, page) = bob.begin_login(&[]);
        gateway.browser().approve(&page, "bob", "");
        (login.finish().code() == 0).then_some(bob)
    });
    assert!(bob.expect("the new key is fetched").run(&["whoami"]).success().contains("bob"));
    drop(second);
}
