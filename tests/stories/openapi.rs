//! The API as its description says it: schemathesis makes up requests, with a real bearer and against a real gateway.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::harness::{Cluster, Gateway, Person, Program, Site};

/// What it must hold to: no fault of ours, no undescribed answer, no way in without a bearer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      ignored_auth";

#[test]
fn whatever_is_asked_of_the_api_is_answered_as_its_description_says() {
    let database = Cluster::shared().database();
    let site = Site::new(&database).policy(
        "admin",
        "permit(principal in Group::\"dba\", action in [Action::\"administer\", Action::\"replay\", \
         Action::\"list_sessions\", Action::\"kill_session\"], resource);",
    );
    let gateway = Gateway::start(site);
    let bob = Person::login(&gateway, "bob");
    let served = format!("{}/api/v1/openapi.json", gateway.url);
    let authority = gateway.authority();
    let authorization = format!("Authorization: Bearer {}", bob.jwt());
    let mut command = Command::new(schemathesis());
    command
        .env("NO_COLOR", "1")
        .current_dir(bob.home())
        .args(["run", &served, "--url", &gateway.url, "--header", &authorization])
        .args(["--checks", CHECKS, "--max-examples", "12", "--max-time", "90", "--generation-deterministic"])
        .args(["--generation-database", "none", "--warnings", "off", "--phases", "coverage,fuzzing"])
        // Streams do not end, and what they are made of is asked for elsewhere.
        .args(["--exclude-path-regex", "/events$"])
        .arg("--tls-verify")
        .arg(authority);
    let outcome = Program::run(&mut command, "");
    assert_eq!(outcome.code(), 0, "{}\n{}", outcome.output, outcome.errors);
    assert_eq!(bob.run(&["whoami"]).code(), 0, "the gateway is as it was");
}

/// `HOOP_TESTS_SCHEMATHESIS` names it; otherwise it is where `tests/run --only packages` puts it.
fn schemathesis() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/schemathesis/bin/schemathesis");
    let path = std::env::var_os("HOOP_TESTS_SCHEMATHESIS").map_or_else(usual, PathBuf::from);
    assert!(path.exists(), "schemathesis is not installed at {}: run `tests/run --only packages`", path.display());
    path
}
