//! The stories: the real binary, a real PostgreSQL, the real psql. One file per story under `stories/`.
//!
//! Each story has its own database, gateway and people; one PostgreSQL serves them all. Nothing sleeps: everything
//! waits for a line, an exit or a deadline.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::indexing_slicing,
    reason = "a story that cannot go on fails by panicking"
)]
#![expect(clippy::format_collect, reason = "clear words before few allocations")]

mod stories {
    #[expect(dead_code, reason = "the stories to come use the rest")]
    mod harness;

    mod access;
    mod agents;
    mod apply;
    mod approvals;
    mod beside;
    mod breadth;
    mod can;
    mod change;
    mod classify;
    mod crew;
    mod custody;
    mod dashboard;
    mod demo;
    mod drivers;
    mod evasions;
    mod exec;
    mod facts;
    mod foundations;
    mod functions;
    mod harmless;
    mod hold;
    mod http;
    mod issuers;
    mod jail;
    mod keyring;
    mod kill;
    mod leases;
    mod lineage;
    mod live;
    mod login;
    mod main_line;
    mod mask;
    mod mcp;
    mod named;
    mod names;
    mod native;
    mod notifications;
    mod objects;
    mod openapi;
    mod people;
    mod policy;
    mod postgres;
    mod pseudonyms;
    mod record;
    mod replay;
    mod replication;
    mod runs;
    mod saml;
    mod secrets;
    mod shell;
    mod sigkill;
    mod ssh;
    mod start;
    mod step_up;
    mod tunnel;
    mod upstream;
    mod workflow;
}
