//! Who somebody is: the development agent, an issuer's ID token, the superuser that an operator allows.

use std::fs;

use serde_json::json;

use super::{
    harness::{Cluster, Gateway, Person, Site, Tunnel},
    login::provider,
};

#[test]
fn the_development_agent_reads_and_does_not_write() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let crew = Person::login(&gateway, "crew");
    let who = crew.json(&["whoami"]);
    assert_eq!(who["whoami"]["principal"]["groups"], json!(["agents"]), "{who}");
    assert!(who.to_string().contains("agent"), "{who}");
    let tunnel = Tunnel::open(&crew, "pg-prod");
    assert_eq!(tunnel.rows("select count(*) from orders"), "200\n");
    let refused = tunnel.psql().with(&["-c", "insert into audit_trail (what) values ('by an agent')"]).run("");
    assert!(refused.errors.contains("42501"), "{refused:?}");
    assert_eq!(database.value("select count(*) from audit_trail"), "0");
    let asked = tunnel.psql().with(&["-c", "delete from orders where id = 7"]).run("");
    assert!(asked.errors.contains("42501"), "an agent's DELETE is not even held: {asked:?}");
}

#[test]
fn an_issuer_can_be_believed_by_its_id_token() {
    let provider = provider(&[]);
    let site = Site::new(&Cluster::shared().database());
    let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
    let identity = format!(
        "\n[identity.oidc]\nissuer = \"{}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\ntoken = \"id\"\n\
         scopes = [\"openid\", \"offline_access\", \"groups\"]\n",
        provider.issuer
    );
    site.write("gateway.toml", &(settings + &identity));
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let who = alice.json(&["whoami"]);
    assert_eq!(who["whoami"]["principal"]["groups"], json!(["engineers"]), "{who}");
    assert_eq!(Tunnel::open(&alice, "pg-prod").rows("select 1"), "1\n");
}

#[test]
fn a_superuser_is_accepted_where_the_operator_says_so() {
    let database = Cluster::shared().database();
    database.direct().run("create role allowed_superuser superuser login password 'x-allowed'").success();
    let site = Site::new(&database);
    site.edit("connections.toml", "hoop_app", "allowed_superuser");
    site.edit("connections.toml", "[connection.credential]", "allow_superuser = true\n[connection.credential]");
    site.write("pg-prod.password", "x-allowed");
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    assert_eq!(Tunnel::open(&alice, "pg-prod").rows("select current_user"), "allowed_superuser\n");
}
