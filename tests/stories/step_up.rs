//! Approvals that want a fresh or a strong login, at a certified OpenID provider and at the development one.

use std::fs;

use super::{
    harness::{Cluster, Database, Gateway, Person, Program, Site, Stream, Tunnel, site_policies},
    login::{Provider, provider, stored},
};

struct Stage {
    _provider: Option<Provider>,
    gateway: Gateway,
    alice: Person,
    bob: Person,
    database: Database,
}

/// A world where approving wants what these annotations say. With `age`, people logged in so many seconds ago.
fn stage(annotations: &str, age: Option<&str>) -> Stage {
    let database = Cluster::shared().database();
    let site = Site::new(&database);
    let hold = format!("@approval(\"dba\")\n{annotations}");
    site.write("policies/shop.cedar", &site_policies().replace("@approval(\"dba\")", &hold));
    let provider = age.map(|age| provider(&[("LOGIN_AGE", age)]));
    if let Some(provider) = &provider {
        let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
        let identity = format!(
            "\n[identity.oidc]\nissuer = \"{}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\n\
             scopes = [\"openid\", \"offline_access\", \"groups\"]\n",
            provider.issuer
        );
        site.write("gateway.toml", &(settings + &identity));
    }
    let gateway = Gateway::start(site);
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    Stage { _provider: provider, gateway, alice, bob, database }
}

fn held(tunnel: &Tunnel) -> (Program, String) {
    let mut psql = tunnel.psql().start();
    psql.write("delete from orders where id = 7;\n");
    psql.close_input();
    let id = psql.expect("that it is held", |_, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_")).map(str::to_owned)
    });
    (psql, id)
}

impl Stage {
    fn count(&self) -> String {
        self.database.value("select count(*) from orders")
    }

    /// Approves at a terminal where something may be asked, and gives the page of the login that this begins.
    fn begin_approval(&self, id: &str) -> (Program, String) {
        let mut command = self.bob.command(&["approvals", "approve", id]);
        let mut approval = Program::start(command.env_remove("HOOP_NO_INPUT"));
        let page = approval.expect("the address to open", |stream, line| {
            let mut words = line.split_whitespace().filter(|_| stream == Stream::Errors);
            words.find(|word| word.starts_with("http") && word.contains("user_code=")).map(str::to_owned)
        });
        (approval, page)
    }

    fn status(&self, id: &str) -> String {
        self.alice.json(&["approvals", "show", id])["approval"]["status"].as_str().expect("a status").to_owned()
    }
}

#[test]
fn an_old_login_steps_up_at_the_provider_and_then_approves() {
    let stage = stage("@fresh(\"15m\")", Some("3600"));
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let (psql, id) = held(&tunnel);
    let shown = stage.bob.run(&["approvals", "show", &id]).success();
    assert!(shown.contains("at most 15:00 ago"), "{shown}");
    let refused = stage.bob.run(&["approvals", "approve", &id]);
    assert_eq!(refused.code(), 3, "{refused:?}");
    assert!(refused.errors.contains("hoop login --max-age 900"), "{refused:?}");
    let (approval, page) = stage.begin_approval(&id);
    stage.gateway.browser().approve(&page, "bob", "");
    let approved = approval.finish();
    assert!(approved.errors.contains("at most 15 minutes old"), "{approved:?}");
    assert!(approved.success().contains("approved"));
    assert_eq!(psql.finish().code(), 0);
    assert_eq!(stage.count(), "199");
}

#[test]
fn renewing_an_old_login_does_not_make_it_fresh() {
    let stage = stage("@fresh(\"15m\")", Some("3600"));
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let (_psql, id) = held(&tunnel);
    let before = stored(&stage.bob);
    super::login::expire(&stage.bob);
    let refused = stage.bob.run(&["approvals", "approve", &id]);
    assert_eq!(refused.code(), 3, "{refused:?}");
    assert_ne!(stored(&stage.bob)["refresh_token"], before["refresh_token"], "it was renewed");
    assert!(refused.errors.contains("at most 15 minutes old"), "{refused:?}");
    assert_eq!((stage.status(&id).as_str(), stage.count().as_str()), ("pending", "200"));
}

#[test]
fn somebody_elses_login_does_not_step_up_and_replaces_nothing() {
    let stage = stage("@fresh(\"15m\")", Some("3600"));
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let (_psql, id) = held(&tunnel);
    let before = stored(&stage.bob);
    let (approval, page) = stage.begin_approval(&id);
    stage.gateway.browser().approve(&page, "carol", "");
    let outcome = approval.finish();
    assert_eq!(outcome.code(), 3, "{outcome:?}");
    assert!(outcome.errors.contains("somebody else logged in") && outcome.errors.contains("carol"), "{outcome:?}");
    assert_eq!(stored(&stage.bob), before);
    assert_eq!((stage.status(&id).as_str(), stage.count().as_str()), ("pending", "200"));
}

#[test]
fn a_kind_of_login_is_asked_for_and_looked_at() {
    let stage = stage("@acr(\"phr\")", Some("0"));
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let (psql, id) = held(&tunnel);
    let refused = stage.bob.run(&["approvals", "approve", &id]);
    assert!(refused.errors.contains("hoop login --acr 'phr'"), "{refused:?}");
    let (approval, page) = stage.begin_approval(&id);
    stage.gateway.browser().approve(&page, "bob", "");
    approval.finish().success();
    assert_eq!(psql.finish().code(), 0);
    assert_eq!(stage.count(), "199");
}

#[test]
fn a_login_made_by_hand_as_the_failure_says_counts_too() {
    let stage = stage("@fresh(\"15m\")", Some("3600"));
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let (psql, id) = held(&tunnel);
    let (login, page) = stage.bob.begin_login(&[("HOOP_LOGIN_MAX_AGE", "900")]);
    stage.gateway.browser().approve(&page, "bob", "");
    login.finish().success();
    stage.bob.run(&["approvals", "approve", &id]).success();
    assert_eq!(psql.finish().code(), 0);
}

#[test]
fn a_login_at_the_development_provider_is_fresh_and_denying_needs_none() {
    let stage = stage("@fresh(\"15m\")", None);
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let (psql, id) = held(&tunnel);
    stage.bob.run(&["approvals", "approve", &id]).success();
    assert_eq!(psql.finish().code(), 0);
    let old = self::stage("@fresh(\"15m\")", Some("3600"));
    let tunnel = Tunnel::open(&old.alice, "pg-prod");
    let (psql, id) = held(&tunnel);
    assert_eq!(old.bob.run(&["approvals", "deny", &id, "--reason", "no"]).code(), 0);
    assert_ne!(psql.finish().code(), 0);
}
