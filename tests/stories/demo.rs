//! `hoop demo`: the tour comes true unattended, and nothing of it is left, however it ends.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::harness::{HOOP, Program};

/// A place for temporary files that the demo must leave as it was: empty.
fn place() -> TempDir {
    let place = tempfile::Builder::new().prefix("hoop-d-").tempdir_in("/tmp").expect("a folder");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o711)).expect("ours");
    place
}

fn demo(place: &Path) -> Command {
    let mut command = attended(place);
    command.arg("--yes");
    command
}

/// As somebody starts it who wants to look around.
fn attended(place: &Path) -> Command {
    let mut command = Command::new(HOOP);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", place.join("home"));
    command.env("TMPDIR", place).env("TERM", "dumb").arg("demo");
    command
}

fn assert_empty(place: &Path) {
    let left: Vec<_> =
        fs::read_dir(place).expect("readable").filter_map(Result::ok).map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn the_unattended_tour_comes_true_and_leaves_nothing() {
    let place = place();
    let outcome = Program::run(&mut demo(place.path()), "");
    assert_eq!(outcome.code(), 0, "{}\n{}", outcome.output, outcome.errors);
    for heading in ["A masked SELECT", "A refused DROP", "A held DELETE", "The replay", "The verification"] {
        assert!(outcome.output.contains(heading), "{heading}: {}", outcome.output);
    }
    assert!(!outcome.output.contains("ada@example.com"), "{}", outcome.output);
    assert_empty(place.path());
}

#[test]
fn ctrl_c_takes_everything_down() {
    let place = place();
    let mut program = Program::start(&mut demo(place.path()));
    program.expect_line("starting the gateway");
    program.signal(Signal::SIGINT);
    let outcome = program.finish();
    assert_eq!(outcome.code(), 130, "{outcome:?}");
    assert_empty(place.path());
}

#[test]
fn without_yes_the_world_stays_up_to_play_with() {
    let place = place();
    let mut program = Program::start(&mut attended(place.path()));
    // Part by part: each has its own deadline on a busy machine.
    for part in ["A masked SELECT", "A held DELETE", "The verification", "The world stays up"] {
        program.expect_line(part);
    }
    let url = program.expect("how to get in", |_, line| {
        let start = line.find("postgresql://")?;
        Some(line.get(start..)?.split(['"', '\'', ' ']).next()?.to_owned())
    });
    program.expect_line("Ctrl-C");
    let mut psql = Command::new("psql");
    let outcome = Program::run(psql.args(["-X", "-A", "-t", "-c", "select count(*) > 0 from customers", &url]), "");
    assert_eq!(outcome.output.trim(), "t", "{outcome:?}");
    program.signal(Signal::SIGINT);
    let outcome = program.finish();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_empty(place.path());
}
