//! The API as its description says it: schemathesis makes up requests, with a real bearer and against a real gateway.

use std::process::Command;

use super::harness::{Cluster, Gateway, Person, Program, Site, checker};

/// What it must hold to: no fault of ours, no undescribed answer, no way in without a bearer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      ignored_auth";
/// Streams do not end; what OAuth words has forms and answers of its own; a logout would end the bearer of all that follows.
const WITHOUT: &str = "/events$|/device|/issuer/|/logout$";

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
    // Every boundary of every parameter and body, then what it makes up besides. In parts, so that each step is within a
    // story's patience.
    for part in ["^/api/v1/[a-c]", "^/api/v1/[d-r]", "^/api/v1/[s-z]"] {
        let mut command = Command::new(checker("schemathesis"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", bob.home())
            .env("NO_COLOR", "1")
            .current_dir(bob.home())
            .args(["run", &served, "--url", &gateway.url, "--header", &authorization])
            .args(["--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-examples", "3", "--warnings", "off"])
            .args(["--seed", "7", "--generation-deterministic", "--no-shrink", "--request-timeout", "30"])
            .args(["--include-path-regex", part, "--exclude-path-regex", WITHOUT])
            .arg("--tls-verify")
            .arg(&authority);
        let mut running = Program::start(&mut command);
        for step in ["API capabilities", "Coverage (in", "Fuzzing (in"] {
            running.expect_line(step);
        }
        let outcome = running.finish();
        assert_eq!(outcome.code(), 0, "{part}: {}\n{}", outcome.output, outcome.errors);
        let ran = |phase: &str| outcome.output.lines().any(|line| line.contains("✅") && line.contains(phase));
        assert!(ran("Coverage") && ran("Fuzzing"), "{part}: {}", outcome.output);
    }
    assert_eq!(bob.run(&["whoami"]).code(), 0, "the gateway is as it was");
}
