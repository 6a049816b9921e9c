//! What stops a gateway's start, and what a development gateway does not do: for its page, its tokens, its addresses.

use std::{fs, path::Path};

use super::{
    harness::{Authority, Cluster, Gateway, Outcome, Person, Site},
    login::{provider, stored},
};

fn site() -> Site {
    Site::new(&Cluster::shared().database())
}

/// Starts it and expects a refusal that names this place and says these things.
fn refuses(site: &Site, place: &str, parts: &[&str]) -> Outcome {
    let outcome = Gateway::attempt(site, &["--dev"]);
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    let place = format!("{}/{place}", site.path().display());
    for part in parts.iter().copied().chain([place.as_str(), "fix: "]) {
        assert!(outcome.errors.contains(part), "{part}: {outcome:?}");
    }
    assert!(!Path::new(&site.data()).exists(), "a site with mistakes leaves nothing behind");
    outcome
}

#[test]
fn an_unknown_key_stops_the_start_with_file_line_and_fix() {
    let site = site();
    site.edit("connections.toml", "labels", "lables");
    refuses(&site, "connections.toml:6:1", &["lables", "did you mean `labels`?"]);
}

#[test]
fn a_literal_secret_stops_the_start_and_is_not_repeated() {
    let site = site();
    let text = fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let line = text.lines().find(|line| line.starts_with("secret")).expect("there");
    site.edit("connections.toml", line, "secret = \"hunter2-and-more\"");
    let outcome = refuses(&site, "connections.toml:11:", &["literal secret", "file:PATH"]);
    assert!(!outcome.errors.contains("hunter2"), "{outcome:?}");
}

#[test]
fn a_misspelled_attribute_in_a_policy_stops_the_start() {
    let site = site();
    site.edit("policies/shop.cedar", "context.has_where", "context.has_were");
    refuses(&site, "policies/shop.cedar:26:86", &["has_were", "did you mean `has_where`?"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let site = site();
    site.edit("connections.toml", "labels", "lables");
    site.edit("policies/shop.cedar", "@expires(\"15m\")", "@expires(\"soon\")");
    refuses(&site, "policies/shop.cedar", &["connections.toml:6", "soon"]);
}

#[test]
fn a_development_gateway_listens_on_this_machine_only() {
    let site = site();
    let outcome = Gateway::attempt(&site, &["--dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(outcome.errors.contains("this machine only, not on 0.0.0.0"), "{outcome:?}");
    site.edit("gateway.toml", "public_url = \"https://127.0.0.1", "public_url = \"https://hoop.example.com");
    let outcome = Gateway::attempt(&site, &["--dev"]);
    assert!(outcome.errors.contains("reached on this machine only"), "{outcome:?}");
}

#[test]
fn a_development_gateway_reaches_this_machine_only() {
    let site = site();
    site.edit("connections.toml", "upstream = \"127.0.0.1", "upstream = \"192.0.2.7");
    let outcome = Gateway::attempt(&site, &["--dev"]);
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(outcome.errors.contains("pg-prod") && outcome.errors.contains("192.0.2.7"), "{outcome:?}");
}

#[test]
fn without_dev_a_certificate_and_a_provider_are_needed() {
    let outcome = Gateway::attempt(&site(), &[]);
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(
        outcome.errors.contains("no certificate") && outcome.errors.contains("no identity provider"),
        "{outcome:?}"
    );
}

#[test]
fn tokens_of_a_development_gateway_are_worth_nothing_without_dev() {
    let provider = provider(&[]);
    let mut gateway = Gateway::start(site());
    let alice = Person::login(&gateway, "alice");
    let token = stored(&alice)["token"].as_str().expect("kept").to_owned();
    let whoami = format!("{}/api/v1/whoami", gateway.url);
    let bearer = format!("Bearer {token}");
    let ask = |gateway: &Gateway| gateway.browser().ask(&whoami, &[("authorization", &bearer)]);
    assert_eq!(ask(&gateway), 200);
    gateway.stop();
    let certificate = certify(&gateway);
    let settings = fs::read_to_string(gateway.site().path().join("gateway.toml")).expect("readable");
    let identity = format!(
        "{settings}{certificate}[identity.oidc]\nissuer = \"{}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\n",
        provider.issuer
    );
    gateway.site().write("gateway.toml", &identity);
    gateway.leave_development();
    gateway.launch(&[]);
    assert_eq!(ask(&gateway), 401);
    let page = format!("{}/dev/idp/device", gateway.url);
    assert_eq!(gateway.browser().ask(&page, &[]), 404, "there is no development provider");
}

/// A certificate for this machine that the story's people trust, as `gateway.toml` names it.
fn certify(gateway: &Gateway) -> String {
    let authority = Authority::new();
    let (certificate, key) = authority.issue();
    fs::write(gateway.state().join("authority.pem"), authority.pem).expect("written");
    gateway.site().write("tls/certificate.pem", &certificate);
    gateway.site().write("tls/key.pem", &key);
    "[tls]\ncertificate = \"tls/certificate.pem\"\nkey = \"tls/key.pem\"\n".to_owned()
}

#[test]
fn the_device_page_takes_nothing_from_elsewhere() {
    let gateway = Gateway::start(site());
    let bob = Person::new(&gateway, "bob");
    let (mut login, page) = bob.begin_login(&[]);
    let (origin, secret) = (gateway.url.as_str(), gateway.secret.as_str());
    let right = [("origin", origin)];
    let forge = |headers: &[(&str, &str)], fields: &[(&str, &str)]| gateway.browser().forge(&page, headers, fields);
    assert_eq!(forge(&[("origin", "https://evil.example.com")], &[("secret", secret)]), 403, "another site's form");
    assert_eq!(forge(&[], &[("secret", secret)]), 403, "a form of nobody");
    assert_eq!(forge(&right, &[("secret", secret), ("form_token", "")]), 403, "no CSRF token");
    assert_eq!(forge(&right, &[("secret", secret), ("form_token", "guessed")]), 403, "a guessed CSRF token");
    assert_eq!(forge(&right, &[("secret", "guessed")]), 403, "another secret");
    assert_eq!(forge(&[("origin", origin), ("host", "rebound.example.com")], &[("secret", secret)]), 421);
    assert_eq!(gateway.browser().ask(&page, &[("host", "rebound.example.com:8443")]), 421, "DNS rebinding");
    assert!(!login.so_far().contains("logged in as"), "{}", login.so_far());
    assert_eq!(bob.run(&["whoami"]).code(), 4);
    assert_eq!(forge(&right, &[("secret", secret)]), 200, "the page itself");
    login.finish().success();
}
