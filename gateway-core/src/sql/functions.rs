//! Which functions are known: a deny list that decides a verb, and an allow list that reads at most its arguments.
//!
//! Owns names only; a name on neither list is for the catalogue. Called by the walk and by the protocol's `inspect`.

use std::{collections::BTreeSet, sync::LazyLock};

use super::RawName;
use crate::model::Verb;

static SAFE_FUNCTIONS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| names(include_str!("safe_functions.txt")));
static SAFE_TYPES: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| names(include_str!("safe_types.txt")));

/// Read a file or a directory of the server, or write one.
const FILES: &[&str] = &[
    "lo_export",
    "lo_import",
    "pg_current_logfile",
    "pg_file_read",
    "pg_file_rename",
    "pg_file_sync",
    "pg_file_unlink",
    "pg_file_write",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_logdir_ls",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_read_file_old",
    "pg_show_all_file_settings",
    "pg_stat_file",
];

/// Change the server, its replication, or another session.
const SERVER: &[&str] = &[
    "pg_backup_start",
    "pg_backup_stop",
    "pg_cancel_backend",
    "pg_create_restore_point",
    "pg_drop_replication_slot",
    "pg_export_snapshot",
    "pg_import_system_collations",
    "pg_log_backend_memory_contexts",
    "pg_nextoid",
    "pg_promote",
    "pg_reload_conf",
    "pg_replication_slot_advance",
    "pg_rotate_logfile",
    "pg_rotate_logfile_old",
    "pg_start_backup",
    "pg_stat_reset",
    "pg_stop_backup",
    "pg_stop_making_pinned_objects",
    "pg_switch_wal",
    "pg_terminate_backend",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
];

/// Read this session, or the moment: on another connection they say something else.
const SESSION: &[&str] = &[
    "current_setting",
    "currval",
    "inet_client_addr",
    "inet_client_port",
    "lastval",
    "pg_backend_pid",
    "pg_blocking_pids",
    "pg_cursor",
    "pg_is_other_temp_schema",
    "pg_listening_channels",
    "pg_my_temp_schema",
    "pg_prepared_statement",
    "pg_show_all_settings",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_stat_get_activity",
    "pg_stat_get_backend_idset",
    "pg_trigger_depth",
    "txid_current_if_assigned",
    "pg_current_xact_id_if_assigned",
    "pg_current_snapshot",
    "txid_current_snapshot",
];

/// Write parts of an index, as VACUUM does.
const INDEXES: &[&str] =
    &["brin_desummarize_range", "brin_summarize_new_values", "brin_summarize_range", "gin_clean_pending_list"];

/// Run SQL given as text, or show what other sessions run: reads that no lineage follows.
const RUNS_TEXT: &[&str] = &[
    "crosstab",
    "connectby",
    "crosstabn",
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "pg_stat_get_activity",
    "pg_stat_get_backend_activity",
    "query_to_xml_and_xmlschema",
    "ts_rewrite",
    "ts_stat",
    "xpath_table",
];

/// Show the texts that run in any database of the server.
const SHOWS_TEXTS: &[&str] = &["pg_stat_get_activity", "pg_stat_get_backend_activity", "pg_stat_statements"];

/// Read a large object, or move in one that is open. A descriptor opened for writing writes by `lowrite` only.
const OBJECT_READS: &[&str] =
    &["lo_close", "lo_get", "lo_lseek", "lo_lseek64", "lo_open", "lo_tell", "lo_tell64", "loread"];

/// Whether a function of this name gives what a large object holds: bytes that no lineage and no tag follows.
pub fn reads_large_object(name: &str) -> bool {
    matches!(name, "lo_get" | "loread")
}

/// Whether a function of this name shows texts that run in other databases of the server.
pub fn shows_texts(name: &str) -> bool {
    SHOWS_TEXTS.contains(&name)
}

/// What calling a function by this name does at worst, where that is known to be more than reading.
///
/// Schemas are ignored: `pg_catalog.pg_read_file` and a user's own `pg_read_file` are the same risk here.
pub fn classify(name: &str) -> Option<Verb> {
    let starts = |prefix: &str| name.starts_with(prefix);
    if FILES.contains(&name) || starts("pg_ls_") {
        Some(Verb::CopyFile)
    } else if SERVER.contains(&name)
        || starts("pg_logical_")
        || starts("pg_replication_origin_")
        || starts("pg_stat_reset_")
        || starts("binary_upgrade_")
        || starts("pg_create_")
        || starts("pg_copy_")
    {
        Some(Verb::AlterSystem)
    } else if starts("dblink") || RUNS_TEXT.contains(&name) || name.contains("_to_xml") {
        Some(Verb::CallFunction)
    } else if INDEXES.contains(&name) {
        Some(Verb::Maintain)
    } else if name == "set_config" {
        Some(Verb::Unknown)
    } else if name == "pg_notify" {
        Some(Verb::Notify)
    } else if starts("pg_advisory_") || starts("pg_try_advisory_") {
        Some(Verb::Lock)
    } else if OBJECT_READS.contains(&name) {
        Some(Verb::Select)
    } else if matches!(name, "nextval" | "setval" | "txid_current" | "pg_current_xact_id")
        || starts("lo_")
        || name == "lowrite"
    {
        Some(Verb::Update)
    } else {
        None
    }
}

/// Whether a function of this name in `pg_catalog` reads at most its arguments and facts of the server.
///
/// Holds for the catalogue's own function only. An unqualified name may still resolve to a better-matching function
/// of another schema in `search_path`: a caller with a catalogue must look. False for any schema but `pg_catalog`.
pub fn is_known_safe(name: &RawName) -> bool {
    name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") && SAFE_FUNCTIONS.contains(name.name.as_str())
}

/// Whether a function says something else on another connection, or at another moment.
pub fn reads_session(name: &RawName) -> bool {
    SESSION.contains(&name.name.as_str())
}

/// Whether a name is an operator of the server's own types: none of them does more than read its operands.
pub fn is_known_operator(name: &RawName) -> bool {
    name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
        && !name.name.is_empty()
        && name.name.chars().all(|letter| "+-*/<>=~!@#%^&|`?".contains(letter))
}

/// Whether a type is one of the server's own, whose casts run none but its own code.
pub fn is_known_type(name: &RawName) -> bool {
    name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") && SAFE_TYPES.contains(name.name.as_str())
}

fn names(text: &'static str) -> BTreeSet<&'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_on_both_lists() {
        for name in SAFE_FUNCTIONS.iter() {
            assert_eq!(classify(name), None, "{name} is denied and allowed");
        }
    }

    #[test]
    fn knows_the_dangerous_by_name() {
        for name in [
            "pg_read_file",
            "pg_read_binary_file",
            "pg_ls_dir",
            "pg_stat_file",
            "lo_import",
            "lo_get",
            "dblink",
            "dblink_exec",
            "pg_terminate_backend",
            "set_config",
            "query_to_xml",
            "table_to_xmlschema",
            "cursor_to_xml",
            "database_to_xml",
            "schema_to_xml_and_xmlschema",
            "pg_advisory_lock",
            "nextval",
            "setval",
            "pg_create_logical_replication_slot",
            "pg_logical_emit_message",
            "ts_stat",
        ] {
            assert!(classify(name).is_some(), "{name}");
            assert!(!is_known_safe(&RawName::bare(name)), "{name}");
        }
    }

    #[test]
    fn knows_the_everyday_and_no_other_schema() {
        for name in ["count", "lower", "now", "random", "generate_series", "jsonb_agg", "pg_sleep", "gen_random_uuid"] {
            assert!(is_known_safe(&RawName::bare(name)), "{name}");
            assert!(is_known_safe(&RawName::qualified("pg_catalog", name)));
            assert!(!is_known_safe(&RawName::qualified("public", name)));
        }
        assert!(!is_known_safe(&RawName::bare("my_function")));
        assert!(is_known_type(&RawName::bare("jsonb")) && !is_known_type(&RawName::bare("customers")));
    }
}
