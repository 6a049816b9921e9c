//! Runs: what they used up decides, what happened in them is one timeline, and presence that a person lends an agent.

use std::fs;

use serde_json::{Value, json};

use super::{
    evasions::raw::{Raw, bind, execute, parse, shown, sync},
    harness::{Cluster, Database, Gateway, Outcome, Person, Program, Site},
};

struct Stage {
    database: Database,
    gateway: Gateway,
}

fn stage(policy: &str) -> Stage {
    let database = Cluster::shared().database();
    let site = Site::new(&database).policy("runs", policy);
    site.write(
        "agents.toml",
        "[[agent]]\nname = \"crew\"\nissuer = \"https://ci.example.com\"\nclaims = { client_id = \"crew\" }\n\
         owner = \"carol\"\ngroups = [\"agents\"]\n",
    );
    Stage { database, gateway: Gateway::start(site) }
}

impl Stage {
    fn person(&self, name: &str) -> Person {
        Person::login(&self.gateway, name)
    }
}

/// `hoop exec ARGUMENTS -- psql`, with a script on its standard input.
fn exec(person: &Person, arguments: &[&str], script: &str) -> Outcome {
    let all: Vec<&str> = ["exec", "-c", "pg-prod"].iter().chain(arguments).copied().collect();
    let folder = person.home().join("project");
    fs::create_dir_all(&folder).expect("made");
    let mut command = person.command(&all);
    command.args(["--", "psql", "-X", "-A", "-t", "-q"]).current_dir(folder);
    Program::run(&mut command, script)
}

fn only_run(person: &Person) -> Value {
    let listed = person.json(&["runs", "ls"])["runs"].clone();
    let runs = listed.as_array().expect("a list");
    assert_eq!(runs.len(), 1, "{listed}");
    runs[0].clone()
}

#[test]
fn a_run_is_one_timeline_and_the_servers_own_log_names_it() {
    let stage = stage("");
    let alice = stage.person("alice");
    let script = "select application_name from pg_stat_activity where pid = pg_backend_pid();\n\
                  update orders set id = id where id = 1;\ndrop table orders;\n";
    let outcome = exec(&alice, &["--label", "team=x"], script);
    let run = only_run(&alice);
    let id = run["id"].as_str().expect("an id");
    assert_eq!(outcome.output.lines().next(), Some(format!("hoop.{id}.alice").as_str()), "{outcome:?}");
    assert_eq!((&run["labels"], &run["command"]), (&json!({"team": "x"}), &json!("psql")));
    assert_eq!((&run["usage"]["statements"], &run["usage"]["rows_changed"]), (&json!(2), &json!(1)), "{run}");

    let shown = alice.json(&["runs", "show", id])["run"].clone();
    assert_eq!(shown["counts"]["refused"], 1, "{shown}");
    let timeline = shown["timeline"].as_array().expect("a timeline");
    let kinds: Vec<&str> = timeline.iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert!(kinds.contains(&"session_started") && kinds.contains(&"refused"), "{kinds:?}");
    let of_run = timeline.iter().filter(|entry| entry["kind"] == "session_started");
    assert!(of_run.clone().count() > 0 && of_run.clone().all(|entry| entry["fields"]["run"] == id), "{timeline:?}");
    let people = alice.run(&["runs", "show", id]).success();
    assert!(people.contains("drop table orders") && people.contains("neither dropped nor emptied"), "{people}");
    let exported = alice.run(&["runs", "export", id]).success();
    assert_eq!(exported.lines().count(), timeline.len());
    assert!(alice.run(&["sessions", "ls"]).success().contains(id));
    assert_eq!(stage.person("bob").run(&["runs", "show", id]).code(), 1, "a stranger's");
}

/// Where the site wants it, each statement names run and principal, in the text that is decided, recorded and sent.
#[test]
fn statements_name_run_and_principal_to_the_server() {
    let database = Cluster::shared().database();
    let site = Site::new(&database);
    site.edit("connections.toml", "labels =", "statement_comment = true\nlabels =");
    let stage = Stage { database, gateway: Gateway::start(site) };
    let alice = stage.person("alice");
    let script = "select 41 + 1 as answer;\nupdate orders set id = id where id = 1;\ndrop table orders;\n\
                  prepare p as select 6 * 7;\nexecute p;\ncopy (select 'copied') to stdout;\n";
    let outcome = exec(&alice, &[], script);
    assert_eq!(outcome.output, "42\n42\ncopied\n", "{outcome:?}");
    assert!(outcome.errors.contains("neither dropped nor emptied"), "{outcome:?}");
    let id = only_run(&alice)["id"].as_str().expect("an id").to_owned();
    let comment = format!("/* hoop.{id}.alice */");
    let log = stage.database.cluster().logged(&comment).join("\n");
    assert!(log.matches(&comment).count() >= 5, "{log}");
    assert!(!log.contains("drop table orders"), "{log}");
    let timeline = alice.run(&["runs", "show", &id, "--output", "json"]).success();
    assert!(timeline.matches(&comment).count() >= 6, "the refused one too: {timeline}");

    // Outside of runs the session stands in its place; prepared statements say so too.
    let tunnel = super::harness::Tunnel::open(&alice, "pg-prod");
    let mut raw = Raw::open(&tunnel);
    raw.send(&[parse("", "select 40 + 2 -- prepared"), bind("", "", &[], 0), execute("", 0), sync()].concat());
    let replies = raw.until('Z');
    assert!(shown(&replies).contains("42"), "{replies:?}");
    let log = stage.database.cluster().logged("/* hoop.ses_").join("\n");
    assert!(log.contains("select 40 + 2 -- prepared"), "{log}");
}

const ROWS: &str = r#"
@id("row-budget") @message("this run has read enough")
forbid(principal, action in [Action::"read", Action::"write"], resource)
  when { context has usage && context.usage.rows_read >= 5 };
@id("change-budget") @message("this run has changed enough")
forbid(principal, action in Action::"write", resource)
  when { context has usage && context.usage.rows_changed > 3 };
"#;

#[test]
fn a_budget_counts_over_statements_and_sessions_and_ends_with_the_run() {
    let stage = stage(ROWS);
    let alice = stage.person("alice");
    let three = "select 1 from generate_series(1, 3);\n";
    let outcome = exec(&alice, &[], &three.repeat(3));
    assert_eq!(
        outcome.output.lines().count(),
        6,
        "two statements of three rows, and the third is refused: {outcome:?}"
    );
    assert!(outcome.errors.contains("this run has read enough"), "{outcome:?}");
    // Another session of the same run is another session of the same budget.
    let second = format!("\\connect\n{three}\\connect\n{three}\\connect\n{three}");
    let outcome = exec(&alice, &[], &second);
    assert_eq!(outcome.output.lines().filter(|line| *line == "1").count(), 6, "{outcome:?}");
    assert!(outcome.errors.contains("this run has read enough"), "{outcome:?}");
    // Outside of runs there is no budget.
    assert_eq!(super::harness::Tunnel::open(&alice, "pg-prod").rows(&three.repeat(3)).lines().count(), 9);
}

const WALL: &str = r#"
@id("time-budget") @message("this run took long enough")
forbid(principal, action in Action::"read", resource) when { context has usage && context.usage.wall_seconds >= 3 };
"#;

/// One huge statement was decided before its first row: where the budget is reached in its middle, it ends there, with an
/// error, at the server too; and the session goes on.
#[test]
fn a_result_is_cut_where_its_budget_ends() {
    let stage = stage(ROWS);
    let alice = stage.person("alice");
    for huge in [
        "select generate_series(1, 500000000)",
        "copy (select generate_series(1, 500000000)) to stdout",
        "begin;\nselect generate_series(1, 500000000);\nrollback",
    ] {
        let outcome = exec(&alice, &[], &format!("{huge};\nselect 2;\nshow server_version_num;\n"));
        let said = outcome.errors.matches("this run has read enough").count();
        assert_eq!(said, 2, "{}", outcome.errors);
        let last = outcome.output.lines().last().and_then(|line| line.parse::<u32>().ok());
        assert!(last.is_some_and(|version| version > 90_000), "{last:?}: {}", outcome.errors);
    }
    let runs = alice.json(&["runs", "ls"])["runs"].clone();
    for run in runs.as_array().expect("runs") {
        let rows = run["usage"]["rows_read"].as_u64().expect("a number");
        assert!((5..500_000_000).contains(&rows), "{rows}");
    }
    // Time ends what says nothing at all.
    let slow = self::stage(WALL);
    let alice = slow.person("alice");
    let outcome = exec(&alice, &[], "select pg_sleep(1000);\nselect 1;\nshow server_version_num;\n");
    let said = outcome.errors.matches("this run took long enough").count();
    assert_eq!(said, 2, "cut, and then refused: {outcome:?}");
    assert!(outcome.output.trim().parse::<u32>().is_ok(), "{outcome:?}");
}

/// Rows that are fetched one by one are counted as they come, though no statement of theirs has ended.
#[test]
fn rows_of_a_cursor_count_as_they_come() {
    let stage = stage(ROWS);
    let alice = stage.person("alice");
    let cursor = "begin;\ndeclare c cursor for select 1 from generate_series(1, 100);\n";
    let fetched = exec(&alice, &[], &format!("{cursor}{}", "fetch 2 from c;\n".repeat(5)));
    assert_eq!(fetched.output.lines().count(), 6, "{fetched:?}");
}

/// A WITH that deletes before a SELECT: the server says `SELECT 1`, whatever it deleted.
#[test]
fn a_change_that_the_server_does_not_count_reaches_every_budget() {
    let stage = stage(&format!(
        "{ROWS}\n@id(\"clean\") permit(principal in Group::\"engineers\", action == Action::\"insert\", resource);"
    ));
    let alice = stage.person("alice");
    let hidden = "with i as (insert into notes_of_runs select 'x' from generate_series(1, 2) returning 1) \
                  select count(*) from i;\n";
    stage.database.value("create table notes_of_runs (line text); grant all on notes_of_runs to hoop_app");
    let counted = "insert into notes_of_runs values ('y');\n";
    let outcome = exec(&alice, &[], &format!("{}{hidden}{counted}", counted.repeat(2)));
    assert!(outcome.errors.contains("this run has changed enough"), "{outcome:?}");
    assert_eq!(stage.database.value("select count(*) from notes_of_runs where line = 'y'"), "2");
}

const LENDING: &str = r#"
@id("engineers-lend")
permit(principal in Group::"engineers", action == Action::"act_as", resource == Agent::"crew");
@id("agents-delete") permit(principal in Group::"agents", action == Action::"delete", resource);
"#;

#[test]
fn lent_presence_is_decided_for_both_and_on_record_as_both() {
    let stage = stage(LENDING);
    let alice = stage.person("alice");
    let script = "select 1;\nupdate orders set id = id where id = 1;\n";
    let outcome = exec(&alice, &["--as-agent", "crew"], script);
    assert_eq!(outcome.output, "1\n", "{outcome:?}");
    assert!(outcome.errors.contains("update"), "crew may not write, whatever alice may: {outcome:?}");
    let run = only_run(&alice);
    let id = run["id"].as_str().expect("an id");
    assert_eq!((&run["principal"]["name"], &run["principal"]["lent_by"]["name"]), (&json!("crew"), &json!("alice")));
    let timeline = alice.json(&["runs", "show", id])["run"]["timeline"].clone();
    let started = timeline.as_array().expect("a timeline").iter().find(|entry| entry["kind"] == "session_started");
    let who = started.and_then(|entry| entry["fields"]["principal"].as_str()).expect("who");
    let who: Value = serde_json::from_str(who).expect("JSON");
    assert_eq!((&who["name"], &who["lent_by"]["name"]), (&json!("crew"), &json!("alice")));
    assert!(alice.run(&["runs", "ls"]).success().contains("alice → crew"));

    // Who may not lend, may not, whatever the agent may.
    let bob = stage.person("bob");
    let refused = exec(&bob, &["--as-agent", "crew"], "select 1;\n");
    assert_eq!(refused.code(), 3, "{refused:?}");
}

#[test]
fn nobody_reviews_what_their_own_lent_run_asks() {
    let lending = format!(
        "{LENDING}@id(\"dba-lends\") permit(principal in Group::\"dba\", action == Action::\"act_as\", resource);"
    );
    let stage = stage(&lending);
    let bob = stage.person("bob");
    let folder = bob.home().join("project");
    fs::create_dir_all(&folder).expect("made");
    let mut command = bob.command(&["exec", "-c", "pg-prod", "--as-agent", "crew", "--", "psql", "-X"]);
    let mut waiting = Program::start(command.current_dir(folder));
    waiting.write("delete from orders where id = 1;\n");
    let request = waiting.expect("the request", |_stream, line| {
        line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .find(|word| word.starts_with("apr_"))
            .map(str::to_owned)
    });
    let shown = bob.json(&["approvals", "show", &request])["approval"].clone();
    assert_eq!((&shown["agent"], &shown["requester"]["lent_by"]["name"]), (&json!("crew"), &json!("bob")), "{shown}");
    assert!(shown["run"].as_str().is_some_and(|run| run.starts_with("run_")), "{shown}");
    let own = bob.run(&["approvals", "approve", &request]);
    assert_eq!(own.code(), 3, "{own:?}");
}
