//! Login at a real SAML provider (`SimpleSAMLphp`), through the gateway's own device page and a real browser.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::{
    harness::{Browser, Cluster, Gateway, Person, Program, Site, Stream, Tunnel, free_port},
    login::{expire, stored},
};

/// `SimpleSAMLphp`, on a port of its own.
struct Provider {
    port: u16,
    folder: TempDir,
    digest: String,
    _program: Program,
}

fn provider() -> Provider {
    let folder = tempfile::Builder::new().prefix("hoop-saml-").tempdir().expect("a folder");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/saml/provider.sh");
    let port = free_port();
    let mut command = Command::new("sh");
    command.arg(fixture).arg(port.to_string()).arg(folder.path());
    let mut program = Program::start(&mut command);
    let digest = program.expect("its certificate", |stream, line| {
        line.strip_prefix("certificate ").filter(|_| stream == Stream::Output).map(str::to_owned)
    });
    program.expect("that it listens", |_, line| line.contains("started").then_some(()));
    Provider { port, folder, digest, _program: program }
}

impl Provider {
    fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/saml2/idp/{path}", self.port)
    }

    /// A gateway whose people log in here, with further settings.
    fn gateway(&self, settings: &str) -> Gateway {
        let site = Site::new(&Cluster::shared().database());
        let metadata = Browser::trusting(self.folder.path()).open(&self.address("metadata.php"));
        site.write("saml/idp.xml", &metadata.body);
        let gateway = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
        let saml = format!(
            "\n[identity.saml]\nidp_metadata = \"saml/idp.xml\"\nidp_certificate_sha256 = \"{}\"\n{settings}",
            self.digest
        );
        site.write("gateway.toml", &(gateway + &saml));
        Gateway::start(site)
    }

    /// Tells the provider of the gateway, and how it is to answer it.
    fn knows(&self, gateway: &Gateway, how: &str) {
        let (url, attributes) = (&gateway.url, "'userid.attribute' => 'uid', 'simplesaml.nameidattribute' => 'uid'");
        let php = format!(
            "<?php $metadata['{url}/saml/metadata'] = ['AssertionConsumerService' => '{url}/saml/acs', {attributes}, \
             'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', \
             'saml20.sign.assertion' => true, {how}];"
        );
        fs::write(self.folder.path().join("metadata/saml20-sp-remote.php"), php).expect("written");
    }
}

fn acs(gateway: &Gateway) -> Url {
    Url::parse(&format!("{}/saml/acs", gateway.url)).expect("an address")
}

#[test]
fn people_log_in_at_a_saml_provider_and_their_groups_count() {
    let provider = provider();
    let mut gateway = provider.gateway("");
    provider.knows(&gateway, "");
    let metadata = gateway.browser().open(&format!("{}/saml/metadata", gateway.url));
    assert!(metadata.body.contains("WantAssertionsSigned=\"true\""), "{metadata:?}");

    let ana = Person::new(&gateway, "ana");
    let (login, page) = ana.begin_login(&[]);
    gateway.browser().approve(&page, "ana", "");
    let said = login.finish();
    assert!(said.errors.contains("nothing renews it") && said.errors.contains("This login lasts "), "{said:?}");
    let whoami = ana.json(&["whoami"]);
    assert_eq!(whoami["whoami"]["principal"]["name"], "ana");
    assert_eq!(whoami["whoami"]["principal"]["groups"], json!(["dba", "engineers"]));
    assert_eq!(Tunnel::open(&ana, "pg-prod").rows("select 1"), "1\n");
    let bob = Person::login(&gateway, "bob");
    let listed = bob.json(&["ls"]);
    assert!(!listed.to_string().contains("pg-prod"), "support may not connect: {listed}");

    assert_eq!(stored(&ana)["refresh_token"], Value::Null);
    expire(&ana);
    let ended = ana.run(&["whoami"]);
    assert_eq!(ended.code(), 4, "{ended:?}");
    assert!(ended.errors.contains("hoop login"), "{ended:?}");

    refused_answers(&provider, &mut gateway, &ana);
    real_browser(&ana);
}

/// Genuine answers of the real provider that do not count: used before, altered, weakly signed, not asked for.
fn refused_answers(provider: &Provider, gateway: &mut Gateway, ana: &Person) {
    let acs = acs(gateway);
    let answer = |gateway: &Gateway| {
        let (login, page) = ana.begin_login(&[]);
        let mut browser = gateway.browser();
        let fields = browser.approve_up_to(acs.as_str(), &page, "ana");
        (login, browser, fields)
    };
    let (login, mut browser, fields) = answer(gateway);
    assert_eq!(browser.send(&acs, &fields).status, 200);
    login.finish().success();
    let again = browser.send(&acs, &fields);
    assert_eq!(again.status, 403, "{again:?}");
    assert!(!again.body.contains("ana"), "{again:?}");

    let (_login, mut browser, mut fields) = answer(gateway);
    for (name, value) in &mut fields {
        if name == "SAMLResponse" {
            *value = value.replace("AAAA", "AAAB").chars().rev().collect::<String>().chars().rev().skip(8).collect();
        }
    }
    assert_eq!(browser.send(&acs, &fields).status, 403, "altered");

    provider.knows(gateway, "'signature.algorithm' => 'http://www.w3.org/2000/09/xmldsig#rsa-sha1'");
    let (_login, mut browser, fields) = answer(gateway);
    assert_eq!(browser.send(&acs, &fields).status, 403, "SHA-1");

    provider.knows(gateway, "'saml20.sign.assertion' => false");
    let (_login, mut browser, fields) = answer(gateway);
    assert_eq!(browser.send(&acs, &fields).status, 403, "the assertion itself is not signed");

    provider.knows(gateway, "");
    let unasked = provider.address(&format!("SSOService.php?spentityid={}/saml/metadata", gateway.url));
    let fields = gateway.browser().approve_up_to(acs.as_str(), &unasked, "ana");
    assert_eq!(gateway.browser().send(&acs, &fields).status, 403, "nobody asked for it");

    let said = gateway.said();
    for why in ["no login of this browser waits for it", "not accepted", "the assertion itself is not signed"] {
        assert!(said.contains(why), "{why}: {said}");
    }
    let response = fields.iter().find(|(name, _)| name == "SAMLResponse").expect("a response").1.clone();
    for part in ["saml:Assertion", "ana@example.test", response.get(..64).expect("long")] {
        assert!(!said.contains(part), "the log has {part}: {said}");
    }
}

/// A person with Chromium and no mouse. The screenshots stay, to be looked at.
fn real_browser(ana: &Person) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("device-page");
    fs::create_dir_all(&folder).expect("made");
    let (login, page) = ana.begin_login(&[]);
    let mut command = Command::new("node");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/saml/person.mjs");
    command.arg(script).args([&page, "ana", "any"]).arg(&folder).env_remove("NODE_OPTIONS");
    let saw: Value = serde_json::from_str(&Program::run(&mut command, "").success()).expect("JSON");
    login.finish().success();
    assert_eq!(saw["complaints"], json!([]), "the browser complains of the page or of its policy");
    let pages = saw["seen"].as_array().expect("pages");
    assert_eq!(pages.len(), 2, "{saw}");
    for page in pages {
        assert_eq!(
            (&page["language"], &page["scripts"], &page["unnamed"]),
            (&json!("en"), &json!(0), &json!(0)),
            "{page}"
        );
        for scheme in ["light", "dark"] {
            let contrast = page["contrasts"][scheme].as_f64().expect("a number");
            assert!(contrast >= 4.5, "{scheme}: {contrast} in {page}");
        }
    }
    let code = page.split("user_code=").nth(1).expect("a code").to_owned();
    let says = pages[0]["says"].to_string();
    let confirmation = format!("checkbox: I started this program, and it shows the code {code}.");
    for fact in
        ["heading: Is this your program?", &confirmation, "button: Continue to sign in", "hoop-cli", "127.0.0.1"]
    {
        assert!(says.contains(fact), "{fact}: {says}");
    }
    assert!(pages[1]["says"].to_string().contains("ana"), "{saw}");
    for picture in ["confirm-light", "confirm-dark", "done-light", "done-dark"] {
        let bytes = fs::read(folder.join(format!("{picture}.png"))).expect("a picture");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 4_000, "{picture}: {} bytes", bytes.len());
    }
}

#[test]
fn a_site_can_want_encrypted_assertions_and_take_logins_that_the_provider_begins() {
    let provider = provider();
    let keys = provider.folder.path().join("gateway");
    fs::create_dir_all(&keys).expect("made");
    let (key, certificate) = (keys.join("encryption.key"), keys.join("encryption.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hoop", "-keyout"]);
    Program::run(openssl.arg(&key).arg("-out").arg(&certificate), "").success();
    let gateway = provider.gateway(&format!(
        "allow_idp_initiated = true\nlogin_minutes = 5\n[identity.saml.encryption]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        certificate.display(),
        key.display()
    ));
    let pem = fs::read_to_string(&certificate).expect("readable");
    let body: String = pem.lines().filter(|line| !line.contains('-')).collect();
    let acs = acs(&gateway);

    provider.knows(&gateway, "");
    let ana = Person::new(&gateway, "ana");
    let (_login, page) = ana.begin_login(&[]);
    let mut browser = gateway.browser();
    let fields = browser.approve_up_to(acs.as_str(), &page, "ana");
    assert_eq!(browser.send(&acs, &fields).status, 403, "in the clear");

    provider.knows(&gateway, &format!("'assertion.encryption' => true, 'certData' => '{body}'"));
    let ana = Person::login(&gateway, "ana");
    assert_eq!(ana.json(&["whoami"])["whoami"]["principal"]["groups"], json!(["dba", "engineers"]));

    // What nobody asked for is believed from two seconds after the start on; by now that is over.
    let unasked = provider.address(&format!("SSOService.php?spentityid={}/saml/metadata", gateway.url));
    let bob = Person::new(&gateway, "bob");
    let (login, page) = bob.begin_login(&[]);
    let code = page.split("user_code=").nth(1).expect("a code").to_owned();
    let mut browser = gateway.browser();
    let fields = browser.approve_up_to(acs.as_str(), &unasked, "bob");
    let arrived = browser.send(&acs, &fields);
    assert!(arrived.status == 200 && arrived.body.contains("<strong>bob</strong>"), "{arrived:?}");
    browser.fill_in(arrived, &[("user_code", &code)], "Is this your program?", "Done");
    login.finish().success();
    assert_eq!(bob.json(&["whoami"])["whoami"]["principal"]["name"], "bob");
}
