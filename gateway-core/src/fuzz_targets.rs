//! The table of fuzz targets. One line here, one file in `fuzz/fuzz_targets` and one folder in `fuzz/corpus` make a
//! target; `tests/fuzz_corpus.rs` replays every corpus through this table and fails when one of the three is missing.

use crate::{
    identity::scram,
    protocol::{
        http::fuzz_entry as http, llm::fuzz_entry as llm, mcp::fuzz_entry as mcp, postgres::fuzz_entry as postgres,
        ssh::fuzz_entry as ssh,
    },
    record, sql,
};

/// Takes any bytes; panics when a property does not hold.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("backend_codec", postgres::backend_codec),
    ("copy_lines", postgres::copy_lines),
    ("frontend_codec", postgres::frontend_codec),
    ("handshake", postgres::handshake),
    ("http_answer", http::answer),
    ("http_framing", http::framing),
    ("http_target", http::target),
    ("llm_bodies", llm::bodies),
    ("llm_streams", llm::streams),
    ("mask_detectors", postgres::mask_detectors),
    ("mcp_bodies", mcp::bodies),
    ("record_log", record::read::fuzz),
    ("reframe", postgres::reframe),
    ("scram", scram::fuzz),
    ("sql_inspect", sql::fuzz_inspect),
    ("ssh_terminal", ssh::terminal),
];

/// Runs the target of that name; panics when there is none.
pub fn run(name: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    assert!(found.is_some(), "no fuzz target `{name}` in the table");
    if let Some((_, target)) = found {
        target(input);
    }
}
