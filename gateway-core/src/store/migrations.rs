//! The steps that bring a store up to this version, each applied once and checked by its checksum ever after.
//!
//! Steps are only ever added. Called when the store opens.

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::Connection;

use super::StoreError;

/// Step n of the schema is element n - 1; never edit one that was released.
const STEPS: &[&str] = &[
    "
    CREATE TABLE approval (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        created_at_millis INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT;
    CREATE INDEX approval_by_state ON approval (state, created_at_millis);
    CREATE INDEX approval_by_time ON approval (created_at_millis);
    CREATE TABLE session (
        id TEXT PRIMARY KEY,
        principal_kind TEXT NOT NULL,
        principal_name TEXT NOT NULL,
        started_at_millis INTEGER NOT NULL,
        ended_at_millis INTEGER,
        content TEXT NOT NULL
    ) STRICT;
    CREATE INDEX session_by_time ON session (started_at_millis);
    CREATE INDEX session_by_principal ON session (principal_kind, principal_name, started_at_millis);
",
    "
    CREATE TABLE said (
        session TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        is_whole INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE said_until (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        segment INTEGER NOT NULL,
        place INTEGER NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE notification (
        id TEXT PRIMARY KEY,
        target TEXT NOT NULL,
        recipient TEXT,
        due_at_millis INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT,
        dead INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT;
    CREATE INDEX notification_by_due ON notification (dead, target, due_at_millis);
",
    "
    ALTER TABLE approval ADD COLUMN shape TEXT;
    ALTER TABLE approval ADD COLUMN connection TEXT;
    CREATE INDEX approval_by_shape ON approval (shape, connection, created_at_millis);
    CREATE TABLE lease (
        approval TEXT PRIMARY KEY,
        ends_at_millis INTEGER NOT NULL,
        content TEXT NOT NULL
    ) STRICT;
    CREATE INDEX lease_by_end ON lease (ends_at_millis);
",
    "
    CREATE TABLE run (
        id TEXT PRIMARY KEY,
        started_at_millis INTEGER NOT NULL,
        ended_at_millis INTEGER,
        content TEXT NOT NULL
    ) STRICT;
    CREATE INDEX run_by_time ON run (started_at_millis);
    ALTER TABLE session ADD COLUMN run TEXT;
    CREATE INDEX session_by_run ON session (run, started_at_millis) WHERE run IS NOT NULL;
",
    "
    CREATE TABLE tool (
        connection TEXT NOT NULL,
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        definition TEXT NOT NULL,
        changed_digest TEXT,
        changed_definition TEXT,
        reviewed_by TEXT,
        PRIMARY KEY (connection, name)
    ) STRICT;
",
    "
    CREATE TABLE secret (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        changed_at_millis INTEGER NOT NULL,
        changed_by TEXT NOT NULL,
        key TEXT NOT NULL,
        wrapped BLOB NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE lent_login (
        id TEXT PRIMARY KEY,
        connection TEXT NOT NULL,
        session TEXT NOT NULL,
        heir TEXT NOT NULL,
        lent_at_millis INTEGER NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE site_version (
        version INTEGER PRIMARY KEY AUTOINCREMENT,
        origin TEXT NOT NULL,
        again INTEGER,
        by TEXT NOT NULL,
        message TEXT,
        at_millis INTEGER NOT NULL,
        digest TEXT NOT NULL,
        policies TEXT NOT NULL,
        files TEXT NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE lent_login ADD COLUMN host TEXT;
    ALTER TABLE lent_login ADD COLUMN port INTEGER;
    ALTER TABLE lent_login ADD COLUMN database TEXT;
",
];

/// Applies the missing steps in one transaction. Refuses a store with steps that this version does not know.
pub(super) fn apply(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute(
        "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, checksum TEXT NOT NULL) STRICT",
        [],
    )?;
    let applied = {
        let mut statement = transaction.prepare("SELECT number, checksum FROM migration ORDER BY number")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    for (position, (number, sum)) in (1..).zip(&applied) {
        let step = usize::try_from(*number).ok().and_then(|number| STEPS.get(number.checked_sub(1)?));
        if *number != position || step.is_none_or(|step| checksum(step) != *sum) {
            return Err(StoreError::ForeignMigration(*number));
        }
    }
    for (number, step) in (1_u32..).zip(STEPS).skip(applied.len()) {
        transaction.execute_batch(step)?;
        transaction.execute("INSERT INTO migration VALUES (?1, ?2)", (number, checksum(step)))?;
    }
    transaction.commit()?;
    Ok(())
}

fn checksum(step: &str) -> String {
    digest(&SHA256, step.as_bytes()).as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
