//! What scripts rely on: exit statuses, the shape of JSON, which stream says what, and colour only where it is wanted.
//!
//! Runs the binary without a gateway; what needs one is a story.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails by panicking")]

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A home of its own, and nothing of the person who runs the tests.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoop"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.0.path())
            .env("HOOP_CONFIG_HOME", self.0.path().join("config"))
            .env("HOOP_STATE_HOME", self.0.path().join("state"))
            .env("HOOP_TOKEN_STORE", "file")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }
}

struct Outcome {
    status: i32,
    output: String,
    errors: String,
}

impl Outcome {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("hoop runs");
        Self {
            status: status.code().expect("an exit status"),
            output: String::from_utf8(stdout).expect("UTF-8"),
            errors: String::from_utf8(stderr).expect("UTF-8"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.output).expect("JSON")
    }
}

/// A port of this machine that only root could listen on and nobody does.
const NOBODY: &str = "https://127.0.0.1:1";

#[test]
fn senseless_arguments_are_status_2_on_standard_error() {
    let home = Home::new();
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["whoami", "--frobnicate"],
        &["connect"],
        &["approvals", "show", "not-an-id"],
        &["approvals", "deny", "apr_0000000001qs000000"],
        &["gateway", "run"],
        &["ls", "--output", "yaml"],
        &["whoami", "--gateway", "http://gateway.example.com"],
        &["whoami", "--gateway", "https://gateway.example.com/path"],
    ] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.status, 2, "{arguments:?}: {}", outcome.errors);
        assert!(outcome.output.is_empty() && !outcome.errors.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_data() {
    let home = Home::new();
    for arguments in [&["--help"][..], &["login", "--help"], &["--version"]] {
        let outcome = home.run(arguments);
        assert_eq!((outcome.status, outcome.errors.as_str()), (0, ""), "{arguments:?}");
        assert!(outcome.output.contains("hoop"), "{arguments:?}");
    }
}

#[test]
fn without_a_gateway_the_way_to_name_one_is_said() {
    let home = Home::new();
    for mut command in [home.command(&["whoami"]), home.command(&["whoami", "--gateway", ""])] {
        let outcome = Outcome::of(&mut command);
        assert_eq!(outcome.status, 2);
        assert!(outcome.errors.contains("hoop login --gateway"), "{}", outcome.errors);
    }
}

#[test]
fn without_a_login_the_status_is_4_and_the_way_to_log_in_is_said() {
    let home = Home::new();
    for arguments in [&["whoami"][..], &["ls"], &["approvals", "ls"], &["approvals", "watch"]] {
        let mut command = home.command(arguments);
        let outcome = Outcome::of(command.env("HOOP_GATEWAY", "gateway.example.com"));
        assert_eq!(outcome.status, 4, "{arguments:?}: {}", outcome.errors);
        assert!(outcome.errors.contains("hoop login --gateway https://gateway.example.com"), "{}", outcome.errors);
        assert_eq!(outcome.output, "");
    }
}

#[test]
fn an_unreachable_gateway_is_status_5() {
    let home = Home::new();
    let outcome = home.run(&["login", "--no-browser", "--gateway", NOBODY]);
    assert_eq!(outcome.status, 5, "{}", outcome.errors);
    for part in ["error:", NOBODY, "why:", "next:"] {
        assert!(outcome.errors.contains(part), "{part}: {}", outcome.errors);
    }
}

#[test]
fn status_prints_what_it_knows_even_when_something_is_wrong() {
    let home = Home::new();
    let outcome = home.run(&["status", "--output", "json", "--gateway", NOBODY]);
    assert_eq!(outcome.status, 5);
    let status = outcome.json();
    assert_eq!(status["version"], 1);
    assert_eq!(status["status"]["gateway"], json!(NOBODY));
    assert_eq!(status["status"]["reachable"], false);
    assert_eq!(status["status"]["logged_in"], false);
}

#[test]
fn json_is_one_versioned_document_and_jsonl_one_versioned_line() {
    let home = Home::new();
    let gateway = ["--gateway", "gateway.example.com"];
    let document = home.run(&[&["logout", "--output", "json"], &gateway[..]].concat());
    let expected = json!({"gateway": "https://gateway.example.com", "was_logged_in": false, "revoked": false});
    assert_eq!(document.status, 0, "{}", document.errors);
    assert_eq!(document.json(), json!({"version": 1, "logout": expected}));
    let line = Outcome::of(home.command(&["logout"]).args(gateway).env("HOOP_OUTPUT", "jsonl"));
    assert_eq!(line.output.matches('\n').count(), 1);
    assert_eq!(line.json()["version"], 1);
    assert_eq!(line.json()["was_logged_in"], false);
}

#[test]
fn colour_only_where_it_is_asked_for() {
    let home = Home::new();
    let escapes = |command: &mut Command| Outcome::of(command).errors.contains('\u{1b}');
    assert!(!escapes(&mut home.command(&["whoami"])), "a pipe gets no colour");
    assert!(!escapes(home.command(&["whoami"]).env("NO_COLOR", "1")));
    assert!(escapes(&mut home.command(&["whoami", "--color", "always"])));
    assert!(escapes(home.command(&["whoami"]).env("HOOP_COLOR", "always")));
    assert!(!escapes(&mut home.command(&["whoami", "--color", "never"])));
}

#[test]
fn a_reader_that_goes_away_is_a_success() {
    let home = Home::new();
    let mut child = home.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().expect("hoop runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("piped"), &mut errors).expect("readable");
    assert_eq!(errors, "");
}

#[test]
fn an_unknown_token_store_is_refused_before_anything_is_kept() {
    let home = Home::new();
    let mut command = home.command(&["whoami", "--gateway", "gateway.example.com"]);
    let outcome = Outcome::of(command.env("HOOP_TOKEN_STORE", "clipboard"));
    assert_eq!(outcome.status, 2);
    assert!(outcome.errors.contains("`keyring`, `file`, or `keyutils`"), "{}", outcome.errors);
}
