//! Service accounts: a client with a secret, a token file that its platform rotates, and what neither may do.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use url::Url;

use super::{
    harness::{Cluster, Gateway, Outcome, Person, Site, Tunnel},
    login::{Provider, provider},
};

/// People log in at one provider; a second one is of workloads only.
struct Stage {
    gateway: Gateway,
    login: Provider,
    workloads: Provider,
}

const AGENTS: &str = r#"
[[agent]]
name = "crew"
issuer = "LOGIN"
claims = { client_id = "agent" }
owner = "alice"
groups = ["agents"]

[[agent]]
name = "deployer"
issuer = "WORKLOADS"
claims = { client_id = "shop", "job.repository" = "acme/shop" }
owner = "alice"
groups = ["agents", "dba"]

[[agent]]
name = "twin"
issuer = "WORKLOADS"
claims = { client_id = "twin" }
owner = "alice"

[[agent]]
name = "other-twin"
issuer = "WORKLOADS"
claims = { client_id = "twin", "job.repository" = "acme/shop" }
owner = "alice"
"#;

fn stage() -> Stage {
    let services = json!({"agent": "agent-secret", "alice": "alice-secret"}).to_string();
    let login = provider(&[("SERVICES", &services)]);
    let workloads = provider(&[
        ("SERVICES", r#"{"shop":"s","twin":"t","stray":"x"}"#),
        ("SERVICE_CLAIMS", r#"{"job":{"repository":"acme/shop"}}"#),
        ("AUDIENCE", "hoop-workloads"),
    ]);
    let site = Site::new(&Cluster::shared().database());
    let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
    let identity = format!(
        "\n[identity.oidc]\nissuer = \"{}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\ngroups_claim = \"groups\"\n\
         scopes = [\"openid\", \"offline_access\", \"groups\"]\n\n[[identity.workload]]\nissuer = \"{}\"\n\
         audience = \"hoop-workloads\"\n",
        login.issuer, workloads.issuer
    );
    site.write("gateway.toml", &(settings + &identity));
    site.write("agents.toml", &AGENTS.replace("LOGIN", &login.issuer).replace("WORKLOADS", &workloads.issuer));
    Stage { gateway: Gateway::start(site), login, workloads }
}

impl Stage {
    /// Somebody's shell in which nobody logged in.
    fn machine(&self) -> Person {
        Person::new(&self.gateway, "machine")
    }

    /// A file with this in it.
    fn file(person: &Person, name: &str, text: &str) -> PathBuf {
        let path = person.home().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// A token of a provider for one of its clients.
    fn token(&self, provider: &Provider, client: &str, secret: &str) -> String {
        let fields = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let endpoint = Url::parse(&provider.issuer).expect("an issuer").join("/token").expect("an address");
        let page = self.gateway.browser().post(&endpoint, &fields);
        let answer: Value = serde_json::from_str(&page.body).unwrap_or_else(|error| panic!("{error}: {page:?}"));
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{page:?}")).to_owned()
    }
}

/// Who a machine is with this in its environment.
fn whoami(machine: &Person, environment: &[(&str, &str)]) -> Outcome {
    let mut command = machine.command(&["whoami", "--output", "json"]);
    super::harness::Program::run(command.envs(environment.iter().copied()), "")
}

fn principal(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    let said: Value = serde_json::from_str(&outcome.output).expect("JSON");
    said["whoami"]["principal"].clone()
}

#[test]
fn a_client_with_a_secret_is_the_agent_of_its_rule() {
    let stage = stage();
    let machine = stage.machine();
    let secret = Stage::file(&machine, "secret", "agent-secret\n");
    let secret = secret.to_str().expect("a path");
    machine.run(&["login", "--client-id", "agent", "--client-secret-file", secret]).success();
    let crew = machine.json(&["whoami"])["whoami"]["principal"].clone();
    assert_eq!((&crew["kind"], &crew["name"], &crew["owner"]), (&json!("agent"), &json!("crew"), &json!("alice")));
    assert_eq!(crew["groups"], json!(["agents"]));
    assert_eq!(Tunnel::open(&machine, "pg-prod").rows("select 1"), "1\n");
    super::login::expire(&machine);
    assert_eq!(machine.json(&["whoami"])["whoami"]["principal"]["name"], "crew", "renewed by the secret");

    let elsewhere = stage.machine();
    let by_environment = [("HOOP_CLIENT_ID", "agent"), ("HOOP_CLIENT_SECRET_FILE", secret)];
    assert_eq!(principal(&whoami(&elsewhere, &by_environment))["name"], "crew");
    assert_eq!(elsewhere.run(&["whoami"]).code(), 4, "nothing was kept of it");
    // A run of it gets neither the proof nor where it is, whatever is asked to be kept.
    let folder = elsewhere.home().join("project");
    fs::create_dir_all(&folder).expect("made");
    let keep = ["HOOP_CLIENT_ID", "HOOP_CLIENT_SECRET_FILE", "HOOP_TOKEN_FILE", "HOOP_GATEWAY"];
    let script = format!("env; cat {secret}");
    let mut run = elsewhere.command(&["exec", "-c", "pg-prod", "--keep", &keep.join(","), "--", "sh", "-c", &script]);
    let run = super::harness::Program::run(run.envs(by_environment).current_dir(&folder), "");
    assert!(run.output.contains("PGUSER=crew") && run.code() != 0, "{run:?}");
    assert!(!run.output.contains("agent-secret") && keep.iter().all(|name| !run.output.contains(name)), "{run:?}");
    let wrong = Stage::file(&elsewhere, "wrong", "another-secret");
    let refused =
        whoami(&elsewhere, &[by_environment[0], ("HOOP_CLIENT_SECRET_FILE", wrong.to_str().expect("a path"))]);
    assert_eq!(refused.code(), 4, "{refused:?}");
    assert!(!refused.errors.contains("another-secret") && refused.errors.contains("client agent"), "{refused:?}");
}

#[test]
fn a_client_named_like_a_person_is_not_that_person() {
    let stage = stage();
    let machine = stage.machine();
    let secret = Stage::file(&machine, "secret", "alice-secret");
    let environment = [("HOOP_CLIENT_ID", "alice"), ("HOOP_CLIENT_SECRET_FILE", secret.to_str().expect("a path"))];
    let refused = whoami(&machine, &environment);
    assert_eq!(refused.code(), 4, "{refused:?}");
    assert!(refused.errors.contains("no agent of agents.toml has its issuer and claims"), "{refused:?}");
}

#[test]
fn a_token_file_is_read_anew_each_time_and_is_one_agent_or_nobody() {
    let stage = stage();
    let machine = stage.machine();
    let file = Stage::file(&machine, "token", &stage.token(&stage.workloads, "shop", "s"));
    let environment = [("HOOP_TOKEN_FILE", file.to_str().expect("a path"))];
    let deployer = principal(&whoami(&machine, &environment));
    assert_eq!((&deployer["kind"], &deployer["name"]), (&json!("agent"), &json!("deployer")));

    // The platform puts another token there: the next command is somebody else.
    fs::write(&file, stage.token(&stage.login, "agent", "agent-secret")).expect("rotated");
    assert_eq!(principal(&whoami(&machine, &environment))["name"], "crew");
    for (client, secret, sentence) in [
        ("twin", "t", "several agents of agents.toml"),
        ("stray", "x", "no agent of agents.toml has its issuer and claims"),
    ] {
        fs::write(&file, stage.token(&stage.workloads, client, secret)).expect("rotated");
        let refused = whoami(&machine, &environment);
        assert_eq!(refused.code(), 4, "{refused:?}");
        assert!(refused.errors.contains(sentence), "{client}: {refused:?}");
    }
    let mut forged = stage.token(&stage.workloads, "shop", "s");
    let last = if forged.ends_with('A') { 'B' } else { 'A' };
    forged.replace_range(forged.len() - 5..forged.len() - 4, &last.to_string());
    fs::write(&file, forged).expect("written");
    assert_eq!(whoami(&machine, &environment).code(), 4);
    fs::remove_file(&file).expect("removed");
    let gone = whoami(&machine, &environment);
    assert!(gone.code() == 4 && gone.errors.contains("token file"), "{gone:?}");
}

#[test]
fn an_agent_never_approves_not_even_what_its_owner_may() {
    let stage = stage();
    let alice = Person::login(&stage.gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut waiting = tunnel.psql().start();
    waiting.write("delete from orders where id = 1;\n");
    let request = waiting.expect("the request", |_stream, line| {
        line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .find(|word| word.starts_with("apr_"))
            .map(str::to_owned)
    });
    let machine = stage.machine();
    let token = Stage::file(&machine, "token", &stage.token(&stage.workloads, "shop", "s"));
    let mut approve = machine.command(&["approvals", "approve", &request]);
    let refused = super::harness::Program::run(approve.env("HOOP_TOKEN_FILE", &token), "");
    assert_ne!(refused.code(), 0, "deployer is in dba, but it is an agent, and alice's: {refused:?}");
    let bob = Person::login(&stage.gateway, "bob");
    bob.run(&["approvals", "approve", &request]).success();
}
