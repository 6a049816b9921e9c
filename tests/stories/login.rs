//! Login at a certified OpenID provider, as a person with a browser elsewhere would.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::harness::{Cluster, Gateway, Person, Program, Site, Stream, Tunnel};

/// The provider of `tests/fixtures/oidc`.
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) program: Program,
}

pub(super) fn provider(environment: &[(&str, &str)]) -> Provider {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/oidc");
    let mut command = Command::new("node");
    command.arg("provider.mjs").current_dir(fixture).env_remove("NODE_OPTIONS").envs(environment.iter().copied());
    let mut program = Program::start(&mut command);
    let issuer = program.expect("its issuer", |stream, line| {
        line.strip_prefix("issuer ").filter(|_| stream == Stream::Output).map(str::to_owned)
    });
    Provider { issuer, program }
}

/// A token of a provider for one of its service accounts.
pub(super) fn client_token(provider: &Provider, client: &str, secret: &str) -> String {
    let form = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}");
    let endpoint = format!("{}/token", provider.issuer);
    let said = Program::run(Command::new("curl").args(["--silent", "--show-error", "--data", &form, &endpoint]), "");
    let said = said.success();
    let answer: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

pub(super) fn gateway(provider: &Provider) -> Gateway {
    let site = Site::new(&Cluster::shared().database());
    let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
    let identity = format!(
        "\n[identity.oidc]\nissuer = \"{}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\ngroups_claim = \"groups\"\n\
         scopes = [\"openid\", \"offline_access\", \"groups\"]\n",
        provider.issuer
    );
    site.write("gateway.toml", &(settings + &identity));
    Gateway::start(site)
}

/// The file that keeps a person's login.
pub(super) fn token_file(person: &Person) -> PathBuf {
    let folder = person.home().join("state/hoop/logins");
    let mut files = fs::read_dir(folder).expect("somebody logged in").map(|entry| entry.expect("an entry").path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "token")).expect("a login")
}

pub(super) fn stored(person: &Person) -> Value {
    serde_json::from_str(&fs::read_to_string(token_file(person)).expect("readable")).expect("JSON")
}

fn ended(mut login: Value) -> Value {
    login.as_object_mut().expect("an object").insert("expires_at".to_owned(), json!(1));
    login
}

fn keep(person: &Person, login: &Value) {
    fs::write(token_file(person), login.to_string()).expect("written");
}

/// Lets the gateway's token end, as time would.
pub(super) fn expire(person: &Person) {
    keep(person, &ended(stored(person)));
}

#[test]
fn a_login_at_a_certified_provider_leads_to_psql() {
    let provider = provider(&[]);
    let gateway = gateway(&provider);
    let alice = Person::login(&gateway, "alice");
    let whoami = alice.json(&["whoami"]);
    assert_eq!(whoami["whoami"]["principal"]["name"], "alice");
    assert_eq!(whoami["whoami"]["principal"]["groups"], json!(["engineers"]));
    assert_eq!(Tunnel::open(&alice, "pg-prod").rows("select 1"), "1\n");
}

#[test]
fn a_login_that_somebody_denies_says_so() {
    let provider = provider(&[]);
    let gateway = gateway(&provider);
    let alice = Person::new(&gateway, "alice");
    let (login, page) = alice.begin_login(&[]);
    gateway.browser().deny(&page, "alice", "");
    let outcome = login.finish();
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(outcome.errors.contains("denied"), "{outcome:?}");
    assert_eq!(alice.run(&["whoami"]).code(), 4);
}

#[test]
fn a_device_code_that_nobody_confirms_expires() {
    let provider = provider(&[("DEVICE_SECONDS", "3")]);
    let gateway = gateway(&provider);
    let outcome = Person::new(&gateway, "alice").run(&["login", "--no-browser"]);
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(outcome.errors.contains("expired"), "{outcome:?}");
}

#[test]
fn a_provider_that_is_down_is_said() {
    let provider = provider(&[]);
    let gateway = gateway(&provider);
    drop(provider.program);
    let outcome = Person::new(&gateway, "alice").run(&["login", "--no-browser"]);
    assert_eq!(outcome.code(), 5, "{outcome:?}");
}

#[test]
fn many_commands_at_once_renew_a_login_without_spending_a_refresh_token_twice() {
    let provider = provider(&[]);
    let gateway = gateway(&provider);
    let alice = Person::login(&gateway, "alice");
    let before = stored(&alice);
    expire(&alice);
    let commands: Vec<Program> = (0..6).map(|_| alice.start(&["whoami"])).collect();
    for command in commands {
        assert!(command.finish().success().contains("alice"));
    }
    let after = stored(&alice);
    assert!(after["expires_at"].as_i64() >= before["expires_at"].as_i64());
    assert_ne!(after["refresh_token"], before["refresh_token"], "the provider rotates");
    expire(&alice);
    assert_eq!(alice.run(&["whoami"]).code(), 0, "the rotated token was kept");
}

#[test]
fn a_rotated_refresh_token_is_kept_even_when_the_gateway_is_away() {
    let provider = provider(&[]);
    let mut gateway = gateway(&provider);
    let alice = Person::login(&gateway, "alice");
    let before = stored(&alice);
    expire(&alice);
    gateway.kill();
    assert_eq!(alice.run(&["whoami"]).code(), 5);
    assert_ne!(stored(&alice)["refresh_token"], before["refresh_token"]);
}

#[test]
fn a_stolen_refresh_token_ends_with_the_logout() {
    let provider = provider(&[]);
    let gateway = gateway(&provider);
    let alice = Person::login(&gateway, "alice");
    let stolen = stored(&alice);
    assert!(alice.run(&["logout"]).success().contains("revoked"));
    assert_eq!(alice.run(&["whoami"]).code(), 4);
    let thief = Person::login(&gateway, "bob");
    keep(&thief, &ended(stolen));
    let outcome = thief.run(&["whoami"]);
    assert_eq!(outcome.code(), 4, "{outcome:?}");
    assert!(outcome.errors.contains("has ended") && outcome.errors.contains("hoop login"), "{outcome:?}");
}

#[test]
fn no_token_is_ever_printed() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let login = stored(&alice);
    let secrets = ["token", "refresh_token"].map(|name| login[name].as_str().expect("kept").to_owned());
    for arguments in
        [&["status", "--output", "json", "-vvv"][..], &["whoami", "-vvv"], &["ls", "-vvv"], &["logout", "-vvv"]]
    {
        let outcome = alice.run(arguments);
        for secret in &secrets {
            assert!(!outcome.output.contains(secret) && !outcome.errors.contains(secret), "{arguments:?}");
        }
    }
}

#[test]
fn ctrl_c_ends_a_login_with_its_status() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::new(&gateway, "alice");
    let (login, _page) = alice.begin_login(&[]);
    login.signal(Signal::SIGINT);
    assert_eq!(login.finish().code(), 130);
}

/// Every file of a person's, with what is in it; not the authorities that they share.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.append(&mut files(&path));
        } else if path.is_file() {
            found.insert(path.clone(), String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned());
        }
    }
    found
}

/// The JSON Web Tokens in a text, each with when it ends.
fn tokens(text: &str) -> Vec<(String, i64)> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter)));
    let ends = |word: &str| {
        let claims = URL_SAFE_NO_PAD.decode(word.split('.').nth(1)?).ok()?;
        serde_json::from_slice::<Value>(&claims).ok()?["exp"].as_i64()
    };
    words.filter_map(|word| Some((word.to_owned(), ends(word)?))).collect()
}

#[test]
fn a_login_writes_nothing_that_outlives_it_and_a_logout_leaves_nothing() {
    let provider = provider(&[]);
    let gateway = gateway(&provider);
    let alice = Person::new(&gateway, "alice");
    let before = files(alice.home());
    let (login, page) = alice.begin_login(&[]);
    gateway.browser().approve(&page, "alice", "");
    login.finish().success();
    assert_eq!(alice.run(&["status"]).code(), 0);
    assert_eq!(Tunnel::open(&alice, "pg-prod").rows("select 1"), "1\n");

    // One file holds the login: the gateway's token, which ends with what proved it, and what renews it.
    let kept = stored(&alice);
    let refresh = kept["refresh_token"].as_str().expect("kept").to_owned();
    let token = kept["token"].as_str().expect("kept").to_owned();
    let after = files(alice.home());
    let holding = |text: &str| after.iter().filter(|(_, content)| content.contains(text)).count();
    assert_eq!((holding(&refresh), holding(&token)), (1, 1));
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()).expect("fits");
    let found: Vec<(String, i64)> = after.values().flat_map(|content| tokens(content)).collect();
    assert_eq!(found.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), [token.as_str()]);
    assert!(found.iter().all(|(_, ends)| *ends <= now + 600), "{found:?}");
    let new: Vec<_> = after.iter().filter(|(path, content)| before.get(*path) != Some(*content)).collect();
    let homes = [".pgpass", ".pg_service.conf", ".ssh", ".my.cnf", ".kube"];
    assert!(new.iter().all(|(path, _)| !homes.iter().any(|name| path.to_string_lossy().contains(name))), "{new:?}");

    assert_eq!(alice.run(&["logout"]).code(), 0);
    assert_eq!(alice.run(&["whoami"]).code(), 4);
    let left = files(alice.home());
    let changed = left.iter().filter(|(path, content)| before.get(*path) != Some(*content) && !content.is_empty());
    assert_eq!(changed.collect::<Vec<_>>(), [], "nothing is left but an empty lock");
}

#[test]
fn the_development_page_wants_the_terminals_secret() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let bob = Person::new(&gateway, "bob");
    let (_login, page) = bob.begin_login(&[]);
    for secret in ["", "guessed", "alice"] {
        assert_eq!(gateway.browser().try_once(&page, "bob", secret), 403);
    }
}
