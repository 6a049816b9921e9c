//! What clients of replication send, and what must not pass for it.

use proptest::prelude::*;

use super::{super::tests::PUBLIC_FIRST, super::tests::sight, *};

/// As `pg_basebackup`, `pg_receivewal`, `pg_recvlogical` and subscribers of versions 10 to 18 write them.
const COMMANDS: [(&str, &str); 24] = [
    ("IDENTIFY_SYSTEM", "identify_system"),
    (" IDENTIFY_SYSTEM ;", "identify_system"),
    ("SHOW wal_segment_size", "show"),
    ("SHOW data_directory_mode;", "show"),
    ("SHOW plpgsql.extra_errors", "show"),
    ("TIMELINE_HISTORY 2", "timeline_history"),
    ("READ_REPLICATION_SLOT archive", "read_replication_slot"),
    ("READ_REPLICATION_SLOT \"a slot\"", "read_replication_slot"),
    ("CREATE_REPLICATION_SLOT \"pg_basebackup_77\" TEMPORARY PHYSICAL ( RESERVE_WAL)", "create_replication_slot"),
    ("CREATE_REPLICATION_SLOT \"archive\" PHYSICAL RESERVE_WAL", "create_replication_slot"),
    ("CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput (SNAPSHOT 'nothing')", "create_replication_slot"),
    (
        "CREATE_REPLICATION_SLOT \"s\" LOGICAL \"test_decoding\" ( TWO_PHASE, SNAPSHOT 'nothing')",
        "create_replication_slot",
    ),
    ("CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput USE_SNAPSHOT", "create_replication_slot"),
    ("DROP_REPLICATION_SLOT \"s\"", "drop_replication_slot"),
    ("DROP_REPLICATION_SLOT s WAIT", "drop_replication_slot"),
    ("ALTER_REPLICATION_SLOT s ( FAILOVER true )", "alter_replication_slot"),
    ("START_REPLICATION 0/3000000 TIMELINE 1", "start_replication"),
    ("START_REPLICATION SLOT \"archive\" PHYSICAL 16/B374D848", "start_replication"),
    ("START_REPLICATION SLOT \"s\" LOGICAL 0/0", "start_replication"),
    (
        "START_REPLICATION SLOT \"s\" LOGICAL 0/0 (proto_version '1', publication_names '\"p\",\"q\"')",
        "start_replication",
    ),
    ("START_REPLICATION SLOT \"s\" LOGICAL 0/0 (\"include-xids\" '0', \"skip-empty-xacts\")", "start_replication"),
    (
        "BASE_BACKUP ( LABEL 'pg_basebackup base backup',  PROGRESS,  WAIT 0,  MANIFEST 'yes',  TARGET 'client')",
        "base_backup",
    ),
    ("BASE_BACKUP LABEL 'it''s' PROGRESS NOWAIT TABLESPACE_MAP MANIFEST 'yes'", "base_backup"),
    ("BASE_BACKUP", "base_backup"),
];

#[test]
fn reads_what_clients_send() {
    for (text, kind) in COMMANDS {
        match command(text) {
            Ok(Command::Replication(parsed)) => assert_eq!(parsed.kind, kind, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_command_is_sql() {
    for text in [
        "select 1",
        "",
        "-- BASE_BACKUP\nselect 1",
        "/* */ BASE_BACKUP",
        "\"base_backup\"",
        "identify_system",
        "IDENTIFY_SYSTEM2",
        "BASE_BACKUP$x",
        "'base_backup'",
    ] {
        assert_eq!(command(text), Ok(Command::Sql), "{text}");
        assert!(text.is_empty() || crate::sql::inspect(text).is_err() || text.contains("select"), "{text}");
    }
}

#[test]
fn refuses_what_it_does_not_read_to_the_end() {
    for text in [
        "IDENTIFY_SYSTEM; select 1",
        "IDENTIFY_SYSTEM;;",
        "IDENTIFY_SYSTEM select",
        "SHOW",
        "SHOW a, b",
        "TIMELINE_HISTORY -1",
        "TIMELINE_HISTORY 99999999999",
        "DROP_REPLICATION_SLOT",
        "DROP_REPLICATION_SLOT s; drop table t",
        "CREATE_REPLICATION_SLOT s",
        "CREATE_REPLICATION_SLOT s LOGICAL",
        "CREATE_REPLICATION_SLOT s PHYSICAL (SHELL 'x')",
        "START_REPLICATION",
        "START_REPLICATION 0",
        "START_REPLICATION 0/0 TIMELINE",
        "START_REPLICATION 0/123456789",
        "START_REPLICATION SLOT s LOGICAL 0/0 (a 'b'",
        "START_REPLICATION SLOT s LOGICAL 0/0 (a 'b') select",
        "START_REPLICATION SLOT s LOGICAL 0/0 (a 'b\nc')",
        "START_REPLICATION SLOT s LOGICAL 0/0 (\u{e4} 'b')",
        "BASE_BACKUP (TARGET 'server', TARGET_DETAIL '/tmp/loot')",
        "BASE_BACKUP (TARGET 'shell')",
        "BASE_BACKUP (TARGET)",
        "BASE_BACKUP (\"target\" 'blackhole')",
        "BASE_BACKUP (INCREMENTAL)",
        "BASE_BACKUP TARGET 'server'",
        "BASE_BACKUP LABEL",
        "BASE_BACKUP LABEL 'unended",
        "BASE_BACKUP LABEL 'a' -- comment",
        "UPLOAD_MANIFEST",
    ] {
        assert!(command(text).is_err(), "{text}: {:?}", command(text));
    }
    assert!(command(&format!("BASE_BACKUP LABEL '{}'", "x".repeat(MOST_BYTES))).is_err());
    assert!(command(&format!("START_REPLICATION SLOT s LOGICAL 0/0 ({})", vec!["a"; 65].join(","))).is_err());
}

#[test]
fn a_command_asks_to_replicate_and_is_refused_where_anything_is_masked() {
    let Ok(Command::Replication(parsed)) = command("START_REPLICATION 0/0") else { panic!("a command") };
    let open = understood("START_REPLICATION 0/0", parsed, &sight(&[], PUBLIC_FIRST));
    let [operation] = &*open.operations else { panic!("one") };
    assert_eq!((operation.effect, &*operation.kind, operation.export), (Effect::Admin, "start_replication", true));
    assert!(operation.accesses.iter().all(|access| access.verb == Verb::Replicate && access.object.is_none()));
    assert!(open.copies_in && open.masking == Masking::Untouched);
    let veiled = understood("START_REPLICATION 0/0", parsed, &sight(&["email"], PUBLIC_FIRST));
    assert!(matches!(veiled.masking, Masking::Refused(_)));
}

#[test]
fn feedback_has_its_types_and_lengths() {
    let body = |tag: u8, length: usize| {
        let mut body = vec![0; length];
        body[0] = tag;
        body
    };
    for (tag, length) in [(b'r', 34), (b'h', 25), (b'h', 17)] {
        assert!(is_feedback(&body(tag, length)));
        assert!(!is_feedback(&body(tag, length + 1)) && !is_feedback(&body(tag, length - 1)));
    }
    assert!(!is_feedback(b"") && !is_feedback(b"select 1") && !is_feedback(&body(b'w', 34)));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_is_ascii(text in "(START_REPLICATION|BASE_BACKUP|SHOW|x)?[ -~\\n\u{e4}]{0,60}") {
        if let Ok(Command::Replication(_)) = command(&text) {
            prop_assert!(text.is_ascii());
            prop_assert!(text.matches(';').count() <= 1 || text.contains('\'') || text.contains('"'));
        }
    }
}
