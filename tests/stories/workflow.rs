//! The example workflow of `deploy/`: its own steps, run as a job runs them, with a real provider in the place of GitHub's.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use super::{
    harness::{Cluster, Gateway, HOOP, Outcome, Person, Program, Site, checker},
    login::{Provider, client_token, provider},
};
use serde_json::{Value, json};

const WORKFLOW: &str = include_str!("../../deploy/github-actions/hoop-site.yml");
/// What only GitHub's runner knows.
const REQUEST_TOKEN: &str = "a-token-of-the-runner";

/// The workflow as data.
fn workflow() -> Value {
    let read = "import json, sys, yaml; print(json.dumps(yaml.load(sys.stdin, Loader=yaml.BaseLoader)))";
    let json = Program::run(Command::new(checker("python")).args(["-c", read]), WORKFLOW).success();
    serde_json::from_str(&json).expect("JSON")
}

/// GitHub's answer to a job that asks for its token: the provider's, for this client.
fn token_endpoint(token: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            let rest: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let bearer = format!("authorization: bearer {REQUEST_TOKEN}");
            let known = rest.iter().any(|line| line.eq_ignore_ascii_case(&bearer)) && first.contains("&audience=hoop ");
            let (status, body) = if known {
                ("200 OK", json!({ "value": token }).to_string())
            } else {
                ("401 Unauthorized", String::new())
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            drop((&stream).write_all(answer.as_bytes()));
        }
    });
    format!("http://{address}/token?api-version=2.0")
}

/// A runner's machine with the repository checked out.
struct Runner {
    machine: Person,
    gateway: String,
    workflow: Value,
}

impl Runner {
    fn site(&self) -> PathBuf {
        self.machine.home().join("repository/site")
    }

    /// Runs the steps of a job in order, up to the first that fails, as `bash -e` does on GitHub's machines.
    fn run(&self, job: &str, endpoint: &str) -> Vec<Outcome> {
        let repository = self.machine.home().join("repository");
        let filled = |text: &Value| {
            let text = text.as_str().expect("a text");
            let text = text
                .replace("${{ github.workspace }}", repository.to_str().expect("text"))
                .replace("${{ github.event.head_commit.id }}", "0123abcd")
                .replace("${{ github.actor }}", "octocat");
            assert!(!text.contains("${{"), "an expression that this story does not know: {text}");
            text
        };
        let job = &self.workflow["jobs"][job];
        let mut outcomes = Vec::new();
        for step in job["steps"].as_array().expect("steps") {
            let Some(script) = step.get("run") else { continue };
            let mut command = self.machine.command(&[]);
            let hoop = self.machine.home().join("bin");
            let path = format!("{}:{}", hoop.display(), std::env::var("PATH").unwrap_or_default());
            let shell = Path::new("/bin/bash");
            let environment: Vec<_> =
                command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
            command = Command::new(shell);
            command.env_clear().envs(environment).env("PATH", path).current_dir(&repository);
            for given in [&self.workflow["env"], &job["env"]].into_iter().filter_map(Value::as_object).flatten() {
                command.env(given.0, filled(given.1));
            }
            command
                .env("HOOP_GATEWAY", &self.gateway)
                .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
                .env("ACTIONS_ID_TOKEN_REQUEST_URL", endpoint)
                .args(["-e", "-c", &filled(script)]);
            let outcome = Program::run(&mut command, "");
            let failed = outcome.code() != 0;
            outcomes.push(outcome);
            if failed {
                break;
            }
        }
        outcomes
    }
}

/// The gateway as the workflow's own comment says that it is set up.
fn gateway(workloads: &Provider) -> Gateway {
    let site = Site::new(&Cluster::shared().database());
    let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
    let believed = format!("\n[[identity.workload]]\nissuer = \"{}\"\naudience = \"hoop\"\n", workloads.issuer);
    site.write("gateway.toml", &(settings + &believed));
    let policy = "permit(principal == Agent::\"site-ci\", action == Action::\"administer\", resource);";
    for said in [policy, "name = \"site-ci\"", "owner = \"alice\"", "groups = [\"site-ci\"]"] {
        assert!(WORKFLOW.contains(said), "{said}");
    }
    let agent = "[[agent]]\nname = \"site-ci\"\nissuer = \"ISSUER\"\nclaims = { repository = \"acme/site\", client_id = \
                 \"main\" }\nowner = \"alice\"\ngroups = [\"site-ci\"]\n";
    site.write("agents.toml", &agent.replace("ISSUER", &workloads.issuer));
    Gateway::start(site.policy("ci", policy))
}

#[test]
fn a_merge_applies_the_site_as_the_jobs_own_account_and_a_pull_request_cannot() {
    let workloads =
        provider(&[("SERVICES", r#"{"main":"s","pull":"s"}"#), ("SERVICE_CLAIMS", r#"{"repository":"acme/site"}"#)]);
    let gateway = gateway(&workloads);
    let machine = Person::new(&gateway, "runner");
    let runner = Runner { machine, gateway: gateway.url.clone(), workflow: workflow() };
    for job in ["check", "apply"] {
        for step in runner.workflow["jobs"][job]["steps"].as_array().expect("steps") {
            let pinned = |action: &str| action.split_once('@').is_some_and(|(_, commit)| commit.len() == 40);
            assert!(step.get("run").is_some() || step["uses"].as_str().is_some_and(pinned), "{step}");
        }
    }
    assert_eq!(runner.workflow["permissions"], json!({ "contents": "read" }));
    assert_eq!(runner.workflow["jobs"]["apply"]["permissions"]["id-token"], "write");

    // The repository: the site, and how the machine gets the binary.
    let (folder, bin) = (runner.site(), runner.machine.home().join("bin"));
    for made in [folder.join("policies"), folder.join("tests"), bin.clone()] {
        fs::create_dir_all(made).expect("made");
    }
    for file in
        ["gateway.toml", "connections.toml", "masking.toml", "agents.toml", "policies/shop.cedar", "policies/ci.cedar"]
    {
        fs::copy(gateway.site().path().join(file), folder.join(file)).expect("copied");
    }
    symlink(HOOP, bin.join("hoop")).expect("linked");
    let install = folder.join("install-hoop.sh");
    fs::write(&install, "#!/bin/sh\ncommand -v hoop\n").expect("written");
    fs::set_permissions(&install, fs::Permissions::from_mode(0o755)).expect("executable");
    let site = folder.to_str().expect("text");

    // A pull request: the layout, then the cases, stop it.
    let nowhere = "http://127.0.0.1:1/?a=b";
    let outcomes = runner.run("check", nowhere);
    let last = outcomes.last().expect("a step");
    assert!(last.code() == 1 && last.output.contains("shop.cedar"), "`policy fmt --check` fails: {last:?}");
    assert_eq!(runner.machine.run(&["policy", "fmt", site]).code(), 0);
    let case = "[[case]]\nprincipal = { user = \"alice\", groups = [\"engineers\"] }\nconnection = \"pg-prod\"\n\
                operation = \"DELETE FROM orders WHERE id = 7\"\ndecision = \"permit\"\n";
    fs::write(folder.join("tests/shop.toml"), case).expect("written");
    let outcomes = runner.run("check", nowhere);
    let last = outcomes.last().expect("a step");
    assert!(last.code() == 1 && last.output.contains("permit was expected"), "`policy test` fails: {last:?}");
    fs::write(folder.join("tests/shop.toml"), case.replace("\"permit\"", "\"approval\"")).expect("written");
    let outcomes = runner.run("check", nowhere);
    assert!(outcomes.len() == 4 && outcomes.iter().all(|one| one.code() == 0), "{outcomes:?}");

    // Its token is nobody's, so that it could not apply anything either.
    let outcomes = runner.run("apply", &token_endpoint(client_token(&workloads, "pull", "s")));
    let last = outcomes.last().expect("a step");
    assert!(last.code() == 4 && last.errors.contains("no agent of agents.toml"), "{last:?}");

    // The merge.
    let outcomes = runner.run("apply", &token_endpoint(client_token(&workloads, "main", "s")));
    assert!(outcomes.len() == 4 && outcomes.iter().all(|one| one.code() == 0), "{outcomes:?}");
    assert!(outcomes[2].output.contains("shop.cedar"), "the difference is shown first: {:?}", outcomes[2]);
    let token = runner.machine.home().join("repository/.hoop-token");
    assert_eq!(fs::metadata(&token).expect("kept").permissions().mode() & 0o777, 0o600);
    let mut versions = runner.machine.command(&["site", "ls", "--output", "json"]);
    let versions = Program::run(versions.env("HOOP_TOKEN_FILE", &token), "").success();
    let versions: Value = serde_json::from_str(&versions).expect("JSON");
    let newest = &versions["versions"][0];
    assert_eq!((&newest["version"], &newest["by"]), (&json!(2), &json!("site-ci")), "{versions}");
    assert_eq!(newest["message"], "0123abcd by octocat", "{versions}");
}
