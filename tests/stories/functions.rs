//! The functions that inspection takes for harmless, held against what a real server says of its own: a volatile one may
//! change something, so each that is called harmless all the same has its reason here.

use std::collections::{BTreeMap, BTreeSet};

use hoop_gateway_core::sql::{
    RawName,
    functions::{classify, is_known_safe},
};

use super::harness::Cluster;

/// Why, and which.
const HARMLESS: [(&str, &[&str]); 9] = [
    ("tells the time", &["clock_timestamp", "timeofday"]),
    ("waits, and can be cancelled", &["pg_sleep", "pg_sleep_for", "pg_sleep_until"]),
    ("draws a number or an id from the session's own generator", &["gen_random_uuid", "random", "setseed"]),
    (
        "tells what the session itself drew from a sequence, or where one stands",
        &["currval", "lastval", "pg_sequence_last_value"],
    ),
    (
        "tells how large something is, or how its parts hang together",
        &[
            "pg_database_size",
            "pg_indexes_size",
            "pg_partition_ancestors",
            "pg_partition_tree",
            "pg_relation_size",
            "pg_table_size",
            "pg_tablespace_size",
            "pg_total_relation_size",
        ],
    ),
    (
        "tells where the log, a recovery or a transaction stands",
        &[
            "pg_current_wal_flush_lsn",
            "pg_current_wal_insert_lsn",
            "pg_current_wal_lsn",
            "pg_get_wal_replay_pause_state",
            "pg_get_wal_resource_managers",
            "pg_is_in_recovery",
            "pg_is_wal_replay_paused",
            "pg_last_committed_xact",
            "pg_last_wal_receive_lsn",
            "pg_last_wal_replay_lsn",
            "pg_last_xact_replay_timestamp",
            "pg_xact_commit_timestamp",
            "pg_xact_status",
            "txid_status",
        ],
    ),
    (
        "tells who waits for whom, and how full a queue is",
        &["pg_blocking_pids", "pg_lock_status", "pg_notification_queue_usage"],
    ),
    (
        "tells the version of a library, and whether one is there",
        &["pg_collation_actual_version", "pg_database_collation_actual_version", "pg_jit_available"],
    ),
    (
        "counts what the open transaction did, forgets a copy of such counts, or samples a table",
        &[
            "bernoulli",
            "pg_stat_clear_snapshot",
            "pg_stat_get_xact_blocks_fetched",
            "pg_stat_get_xact_blocks_hit",
            "pg_stat_get_xact_function_calls",
            "pg_stat_get_xact_function_self_time",
            "pg_stat_get_xact_function_total_time",
            "pg_stat_get_xact_numscans",
            "pg_stat_get_xact_tuples_deleted",
            "pg_stat_get_xact_tuples_fetched",
            "pg_stat_get_xact_tuples_hot_updated",
            "pg_stat_get_xact_tuples_inserted",
            "pg_stat_get_xact_tuples_returned",
            "pg_stat_get_xact_tuples_updated",
            "pg_stat_have_stats",
            "system",
        ],
    ),
];

fn names(query: &str) -> BTreeSet<String> {
    let database = Cluster::shared().database();
    database.value(query).split(' ').map(str::to_owned).collect()
}

#[test]
fn no_volatile_function_is_taken_for_harmless_without_a_reason() {
    let volatile = names(
        "select string_agg(distinct proname, ' ') from pg_proc where provolatile = 'v' and pronamespace = 'pg_catalog'::regnamespace",
    );
    assert!(volatile.len() > 200, "{volatile:?}");
    let reasons: BTreeMap<&str, &str> =
        HARMLESS.iter().flat_map(|(reason, names)| names.iter().map(|name| (*name, *reason))).collect();
    let safe: BTreeSet<&str> =
        volatile.iter().map(String::as_str).filter(|name| is_known_safe(&RawName::bare(*name))).collect();
    let listed: BTreeSet<&str> = reasons.keys().copied().collect();
    let unexplained: Vec<&&str> = safe.difference(&listed).collect();
    assert!(unexplained.is_empty(), "volatile, taken for harmless, and no reason is given: {unexplained:?}");
    let stale: Vec<&&str> = listed.difference(&safe).collect();
    assert!(stale.is_empty(), "no longer volatile, or no longer taken for harmless: {stale:?}");
}

#[test]
fn what_a_server_gives_to_no_one_but_administrators_is_not_taken_for_harmless() {
    let guarded = names(
        "select string_agg(distinct p.proname, ' ') from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace \
         and p.proacl is not null and not exists (select from aclexplode(p.proacl) a where a.grantee = 0)",
    );
    assert!(guarded.len() > 30, "{guarded:?}");
    // Tells whether there are counters of something, and nothing of what they count.
    let tells_nothing = "pg_stat_have_stats";
    let taken = |name: &&String| *name != tells_nothing && is_known_safe(&RawName::bare(name.as_str()));
    let harmless: Vec<&String> = guarded.iter().filter(taken).collect();
    assert!(harmless.is_empty(), "{harmless:?}");
    for name in ["pg_read_file", "lo_import", "pg_switch_wal"] {
        assert!(guarded.contains(name) && classify(name).is_some(), "{name}");
    }
}
