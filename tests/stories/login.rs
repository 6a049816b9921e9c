//! Login at a certified OpenID provider, as a person with a browser elsewhere would.

use std::process::Command;

use super::harness::{Cluster, Gateway, Person, Program, Site, Stream, Tunnel};

/// The provider of `tests/fixtures/oidc`.
struct Provider {
    issuer: String,
    program: Program,
}

fn provider(environment: &[(&str, &str)]) -> Provider {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/oidc");
    let mut command = Command::new("node");
    command.arg("provider.mjs").current_dir(fixture).env_remove("NODE_OPTIONS").envs(environment.iter().copied());
    let mut program = Program::start(&mut command);
    let issuer = program.expect("its issuer", |stream, line| {
        line.strip_prefix("issuer ").filter(|_| stream == Stream::Output).map(str::to_owned)
    });
    Provider { issuer, program }
}

fn gateway(provider: &Provider) -> Gateway {
    let site = Site::new(&Cluster::shared().database());
    let settings = std::fs::read_to_string(site.path().join("gateway.toml")).expect("written");
    let identity = format!(
        "\n[identity.oidc]\nissuer = \"{}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\ngroups_claim = \"groups\"\n\
         scopes = [\"openid\", \"offline_access\", \"groups\"]\n",
        provider.issuer
    );
    site.write("gateway.toml", &(settings + &identity));
    Gateway::start(site)
}

#[test]
fn a_login_at_a_certified_provider_leads_to_psql() {
    let provider = provider(&[]);
    let gateway = gateway(&provider);
    let alice = Person::login(&gateway, "alice");
    let whoami = alice.json(&["whoami"]).to_string();
    assert!(whoami.contains("alice") && whoami.contains("engineers"), "{whoami}");
    assert_eq!(Tunnel::open(&alice, "pg-prod").rows("select 1"), "1\n");
}

#[test]
fn a_device_code_that_nobody_confirms_expires() {
    let provider = provider(&[("DEVICE_SECONDS", "3")]);
    let gateway = gateway(&provider);
    let outcome = Person::new(&gateway, "alice").run(&["login", "--no-browser"]);
    assert!(!outcome.status.success(), "{outcome:?}");
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
fn ctrl_c_ends_a_login_with_its_status() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::new(&gateway, "alice");
    let mut login = alice.start(&["login", "--no-browser"]);
    login.expect_line("user_code=");
    login.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(login.finish().code(), 130);
}

#[test]
fn a_logout_ends_what_the_login_gave() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    assert_eq!(alice.run(&["status"]).code(), 0);
    assert_eq!(alice.run(&["logout"]).code(), 0);
    assert_eq!(alice.run(&["whoami"]).code(), 4);
}

#[test]
fn the_development_page_wants_the_terminals_secret() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let bob = Person::new(&gateway, "bob");
    let mut login = bob.start(&["login", "--no-browser"]);
    let page = login.expect("the page", |_, line| {
        line.split_whitespace().find(|word| word.contains("user_code=")).map(str::to_owned)
    });
    for secret in ["", "guessed", "alice"] {
        assert_eq!(gateway.browser().try_once(&page, "bob", secret), 403);
    }
}
