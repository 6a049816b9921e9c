//! A real CrewAI crew, unchanged, behind the gateway: its model, its database, and a reviewer in another shell.
//!
//! The model is scripted, so that the story is the same each time; everything else is what people run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::harness::{Cluster, Database, Gateway, Person, Program, Site, crewai_python};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/crewai");
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/crewai");
const KEY: &str = "sk-only-the-gateway-has-this";

const POLICIES: &str = r#"
@id("crew-reaches-its-model")
permit(principal in Group::"engineers", action == Action::"connect", resource == Connection::"openai");

@id("small-models-only")
@message("only small models are asked here")
forbid(principal, action == Action::"llm_complete", resource) unless {
  context has request && context.request.hasTag("model") && context.request.getTag("model") == "gpt-4o-mini"
};
"#;

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    bob: Person,
    model: Model,
}

/// The scripted model, and what reached it.
struct Model {
    _program: Program,
    folder: tempfile::TempDir,
    port: u16,
}

impl Model {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("hoop-model-").tempdir().expect("a folder");
        let script = Path::new(FIXTURES).join("script.json");
        let mut command = Command::new(crewai_python());
        command.arg(format!("{FIXTURES}/fake_llm.py")).arg(script).arg(folder.path().join("requests.jsonl"));
        let mut program = Program::start(&mut command);
        let port = program.expect("its port", |_, line| line.strip_prefix("listening ")?.parse().ok());
        Self { _program: program, folder, port }
    }

    /// Everything that reached it.
    fn saw(&self) -> String {
        fs::read_to_string(self.folder.path().join("requests.jsonl")).expect("a log")
    }
}

fn stage(more: &str) -> Stage {
    let database = Cluster::shared().database();
    let seed = fs::read_to_string(format!("{FIXTURES}/seed.sql")).expect("readable");
    database.direct().run(&format!("{seed}\nALTER TABLE crew_customers OWNER TO hoop_app;")).success();
    let model = Model::start();
    let site = Site::new(&database).policy("crew", &format!("{POLICIES}{more}"));
    let add = |file: &str, text: &str| {
        let before = fs::read_to_string(site.path().join(file)).expect("readable");
        site.write(file, &format!("{before}\n{text}"));
    };
    let key: PathBuf = site.path().join("openai.key");
    fs::write(&key, KEY).expect("written");
    let (port, key) = (model.port, key.display());
    add(
        "connections.toml",
        &format!(
            "[[connection]]\nname = \"openai\"\nkind = \"llm\"\nupstream = \"http://127.0.0.1:{port}\"\n\
             prices = {{ \"gpt-4o*\" = \"0.15 / 0.60\" }}\n\n[connection.credential]\ntype = \"header\"\n\
             name = \"authorization\"\nprefix = \"Bearer \"\nsecret = \"file:{key}\"\n"
        ),
    );
    for (column, tag) in [("email", "email"), ("ssn", "us_ssn")] {
        let columns = format!("columns = [\"public.crew_customers.{column}\"]");
        add("masking.toml", &format!("[[column]]\nconnection = \"pg-prod\"\n{columns}\ntag = \"{tag}\"\n"));
    }
    let gateway = Gateway::start(site);
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    Stage { database, gateway, alice, bob, model }
}

impl Stage {
    /// Starts the crew as anybody would.
    fn crew(&self, more: &[(&str, &str)]) -> Program {
        let python = crewai_python();
        let (python, script) = (python.to_string_lossy(), format!("{FIXTURES}/crew.py"));
        let mut command = self.alice.command(&["exec", "-c", "pg-prod", "-c", "openai", "--", &python, &script]);
        Program::start(command.envs(more.iter().copied()))
    }

    /// Waits in another shell until something is held, and gives its id.
    fn held(&self) -> String {
        let mut watching = self.bob.start(&["approvals", "watch"]);
        watching.expect("that something is held", |_, line| {
            line.split_whitespace().find(|word| word.starts_with("apr_")).map(str::to_owned)
        })
    }
}

/// What the crew printed at its end.
fn printed(crew: Program) -> serde_json::Value {
    let output = crew.finish().success();
    let line = output.lines().rev().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no result:\n{output}"))).expect("JSON")
}

#[test]
fn a_crew_reads_masked_rows_is_refused_a_drop_and_waits_for_a_delete() {
    let stage = stage("");
    let crew = stage.crew(&[]);
    let id = stage.held();
    let shown = stage.bob.run(&["approvals", "show", &id]).success();
    assert!(shown.contains("DELETE FROM crew_customers WHERE NOT active"), "{shown}");
    assert!(shown.contains("proposed by gpt-4o-mini in ses_") && shown.contains("(exact)"), "{shown}");
    assert_eq!(stage.database.value("select count(*) from crew_customers"), "100", "nothing runs while it is held");
    stage.bob.run(&["approvals", "approve", &id, "--reason", "they are inactive"]).success();
    let said = printed(crew);

    // The agent read masked rows, was refused in words that it acted on, and its DELETE ran once it was approved.
    let calls = said["calls"].as_array().expect("calls");
    assert_eq!(calls.len(), 3, "{said}");
    let rows = calls[0]["rows"].to_string();
    assert!(rows.contains("Person 1") && !rows.contains("p1@example.test") && !rows.contains("123-45-0001"), "{rows}");
    assert_eq!(calls[1]["sqlstate"], "42501", "{said}");
    assert!(calls[1]["error"].to_string().contains("tables are neither dropped nor emptied here"), "{said}");
    assert_eq!(calls[2]["affected"], 33, "{said}");
    assert_eq!(stage.database.value("select count(*) from crew_customers"), "67");

    // The model got the gateway's key and no personal value; the crew got neither key nor password.
    let saw = stage.model.saw();
    assert!(saw.contains(&format!("Bearer {KEY}")), "the gateway brings the key");
    for personal in ["ada@example.com", "4111 1111 1111 1111", "p1@example.test", "123-45-0001"] {
        assert!(!saw.contains(personal), "{personal} reached the model");
    }
    assert!(saw.contains("Person 1"), "the model saw what the tool read");
    assert_ne!(said["key"], KEY);

    // What the model said is on record, and each statement is linked to the answer that proposed it.
    let sessions = stage.alice.json(&["sessions", "ls"]);
    let mut linked = 0;
    let mut talked = 0;
    for session in sessions["sessions"].as_array().expect("sessions") {
        let id = session["id"].as_str().expect("an id");
        let replay = stage.alice.run(&["replay", id, "--output", "jsonl"]).success();
        linked += replay.matches("\\\"level\\\":\\\"exact\\\"").count();
        talked += usize::from(replay.contains("\"kind\":\"prompt\"") && replay.contains("\"kind\":\"answer\""));
        assert!(!replay.contains("4111 1111 1111 1111"), "{replay}");
        let answers = replay.matches("\"kind\":\"answer\"").count();
        assert!(answers == 0 || !replay.contains("\"kind\":\"result\""), "an answer is recorded once: {replay}");
    }
    assert!(linked >= 2 && talked >= 1, "{linked} links, {talked} talks");

    // One run, one timeline, across both protocols: what the model was asked stands before the statements.
    let runs = stage.alice.json(&["runs", "ls"]);
    let run = runs["runs"][0]["id"].as_str().unwrap_or_else(|| panic!("a run: {runs}")).to_owned();
    let timeline = stage.alice.run(&["runs", "show", &run]).success();
    let place = |part: &str| timeline.find(part).unwrap_or_else(|| panic!("{part} is not in\n{timeline}"));
    assert!(place("prompt") < place("DROP TABLE crew_customers"), "{timeline}");
    assert!(place("DROP TABLE crew_customers") < place("DELETE FROM crew_customers"), "{timeline}");
    assert!(!timeline.contains("ada@example.com"), "{timeline}");
}

#[test]
fn a_crew_that_streams_and_says_who_it_is_works_alike() {
    let stage = stage("");
    let crew = stage.crew(&[("CREW_STREAMS", "1"), ("CREW_LISTENER", "hoop_listener"), ("PYTHONPATH", EXAMPLE)]);
    let id = stage.held();
    let shown = stage.bob.run(&["approvals", "show", &id]).success();
    assert!(shown.contains("(exact), for agent Support data agent, crew support, task clean up"), "{shown}");
    let item = stage.bob.json(&["approvals", "show", &id])["approval"]["proposed_by"]["answer"]["names"].clone();
    let names = serde_json::json!({"crew": "support", "agent": "Support data agent", "task": "clean up"});
    assert_eq!(item, names);
    stage.bob.run(&["approvals", "deny", &id, "--reason", "keep them"]).success();
    let said = printed(crew);
    let calls = said["calls"].as_array().expect("calls");
    assert_eq!(calls.len(), 3, "{said}");
    assert!(calls[2]["error"].to_string().contains("keep them"), "{said}");
    assert_eq!(stage.database.value("select count(*) from crew_customers"), "100");
    let saw = stage.model.saw();
    // The names stand in the timeline: at each prompt, at each link, and as what PostgreSQL's client calls itself.
    let run = stage.alice.json(&["runs", "ls"])["runs"][0]["id"].as_str().expect("a run").to_owned();
    let timeline = stage.alice.run(&["runs", "show", &run, "--output", "json"]).success();
    for part in [r#"\"crew\":\"support\""#, r#"\"task\":\"clean up\""#, "support/Support data agent"] {
        assert!(timeline.contains(part), "{part} is not in\n{timeline}");
    }
    assert!(saw.contains("\"stream\": true") && !saw.contains("ada@example.com"), "{saw}");
}

#[test]
fn a_model_that_is_not_allowed_and_a_budget_that_is_used_up_refuse() {
    let budget = "@id(\"few-tokens\")\n@message(\"this run has used up its tokens\")\nforbid(principal, action == \
                  Action::\"llm_complete\", resource) when { context has usage && context.usage.tokens > 200 };\n\
                  @id(\"little-money\")\n@message(\"this run has spent enough\")\nforbid(principal, action == \
                  Action::\"llm_complete\", resource) when { context has usage && context.usage.spend_microdollars > 20 };\n";
    let stage = stage(budget);
    let ask = |model: &str| {
        format!(
            "import os, urllib.request, urllib.error, json\n\
             body = json.dumps({{'model': '{model}', 'messages': [{{'role': 'user', 'content': 'Hi'}}]}}).encode()\n\
             def ask():\n    \
             request = urllib.request.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', body, \
             {{'content-type': 'application/json'}})\n    \
             try: answer = urllib.request.urlopen(request); answer.read(); print(answer.status)\n    \
             except urllib.error.HTTPError as error: print(error.code, json.load(error)['error']['message'])\n\
             for _ in range(3): ask()\n"
        )
    };
    let run = |model: &str| {
        let python = crewai_python();
        let (python, script) = (python.to_string_lossy(), ask(model));
        stage.alice.run(&["exec", "-c", "openai", "--", &python, "-c", &script]).success()
    };
    assert_eq!(run("gpt-4o-mini").lines().next(), Some("200"));
    let large = run("gpt-5-pro");
    assert!(large.starts_with("403 only small models are asked here"), "{large}");
    let small = run("gpt-4o-mini");
    // Each answer counts 110 tokens and 21 millionths of a dollar: the first one uses the money up.
    assert!(small.starts_with("200\n403 ") && small.contains("spent enough"), "{small}");
    drop(stage.gateway);
}
