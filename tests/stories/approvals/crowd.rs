//! A gateway with more people than the development provider has: several reviewers, several groups, an agent.

use std::{cell::RefCell, collections::BTreeMap, fs, rc::Rc, time::Instant};

use serde_json::json;
use tempfile::NamedTempFile;

use super::super::{
    harness::{Cluster, Database, Gateway, PATIENCE, Person, Psql, Site, Tunnel, site_policies},
    login::{Provider, provider},
};

/// DELETE needs one of each of two groups.
pub(super) const TWO_GROUPS: &[(&str, &str)] = &[("deletes-are-held", "1 of dba, 1 of security")];

const PEOPLE: [(&str, &[&str]); 6] = [
    ("alice", &["engineers"]),
    ("bob", &["dba"]),
    ("dora", &["dba", "security"]),
    ("eve", &["security"]),
    ("frank", &["dba"]),
    ("bot", &["dba"]),
];

/// Everybody, with their gateway.
pub(super) struct Crowd {
    pub(super) database: Database,
    pub(super) gateway: Gateway,
    tunnel: Tunnel,
    people: RefCell<BTreeMap<String, Rc<Person>>>,
    users: NamedTempFile,
    groups: RefCell<BTreeMap<&'static str, Vec<String>>>,
    _provider: Provider,
}

impl Crowd {
    /// Starts everything; `asked` names holding policies and whom they ask.
    pub(super) fn gather(asked: &[(&str, &str)]) -> Self {
        let policies = asked.iter().fold(site_policies(), |policies, (rule, quorums)| {
            let held = format!("@id(\"{rule}\")\n@approval(\"dba\")");
            assert!(policies.contains(&held), "{rule}");
            policies.replace(&held, &format!("@id(\"{rule}\")\n@approval(\"{quorums}\")"))
        });
        Self::gather_under(&policies)
    }

    /// Starts everything under these policies.
    pub(super) fn gather_under(policies: &str) -> Self {
        let groups: BTreeMap<_, Vec<String>> = PEOPLE
            .iter()
            .map(|(name, groups)| (*name, groups.iter().map(|group| (*group).to_owned()).collect()))
            .collect();
        let users = NamedTempFile::new().expect("a file");
        fs::write(users.path(), users_json(&groups)).expect("written");
        let provider = provider(&[("USERS_FILE", &users.path().display().to_string())]);
        let database = Cluster::shared().database();
        let site = Site::new(&database);
        let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
        let issuer = &provider.issuer;
        let identity = format!(
            "\n[identity.oidc]\nissuer = \"{issuer}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\n\
             groups_claim = \"groups\"\nscopes = [\"openid\", \"offline_access\", \"groups\"]\n"
        );
        site.write("gateway.toml", &(settings + &identity));
        site.write(
            "agents.toml",
            &format!(
                "[[agent]]\nname = \"bot\"\nissuer = \"{issuer}\"\nclaims = {{ sub = \"bot\" }}\nowner = \"dora\"\n\
                 groups = [\"dba\"]\n"
            ),
        );
        let reviews = "@id(\"security-reviews\")\n\
             permit(principal in Group::\"security\", action == Action::\"approve\", resource);\n";
        site.write("policies/shop.cedar", &format!("{policies}\n{reviews}"));
        let gateway = Gateway::start(site);
        let alice = Person::login(&gateway, "alice");
        let tunnel = Tunnel::open(&alice, "pg-prod");
        let people = RefCell::new(BTreeMap::from([("alice".to_owned(), Rc::new(alice))]));
        Self { database, gateway, tunnel, people, users, groups: RefCell::new(groups), _provider: provider }
    }

    /// Somebody, logged in once.
    pub(super) fn person(&self, name: &str) -> Rc<Person> {
        let mut people = self.people.borrow_mut();
        Rc::clone(people.entry(name.to_owned()).or_insert_with(|| Rc::new(Person::login(&self.gateway, name))))
    }

    /// psql through alice's tunnel.
    pub(super) fn psql(&self) -> Psql {
        self.tunnel.psql()
    }

    pub(super) fn orders(&self) -> String {
        self.database.value("select count(*) from orders")
    }

    /// The identity provider puts somebody into other groups.
    pub(super) fn regroup(&self, name: &str, groups: &[&str]) {
        let mut all = self.groups.borrow_mut();
        let own = all.get_mut(name).expect("one of the people");
        *own = groups.iter().map(|group| (*group).to_owned()).collect();
        fs::write(self.users.path(), users_json(&all)).expect("written");
    }

    /// Adds or replaces a policy file, and puts it in force.
    pub(super) fn policy(&mut self, name: &str, text: &str) {
        self.gateway.site().write(&format!("policies/{name}.cedar"), text);
        let said = self.gateway.reload();
        assert!(said.contains("are in force"), "{said}");
    }
}

/// Waits until something holds; it asks the gateway or the database each time.
pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
    }
}

fn users_json(groups: &BTreeMap<&str, Vec<String>>) -> String {
    let users: BTreeMap<_, _> = groups.iter().map(|(name, groups)| (name, json!({ "groups": groups }))).collect();
    serde_json::to_string(&users).expect("JSON")
}
