//! The commands of a replication connection: a grammar of their own, which is not SQL.
//!
//! SPEC: PostgreSQL, "Streaming Replication Protocol"; `repl_gram.y` and `repl_scanner.l` of versions 10 to 18. Stricter
//! than the server: ASCII, one command, every option from a list. What is not read here to its end is not forwarded;
//! the server takes a text whose first word is one of these commands for a command, and any other for SQL.
//!
//! A stream carries every value as it is stored, so whoever has something masked gets none. Pure; called by `session`.

mod scan;

use std::{collections::BTreeSet, sync::Arc};

use scan::{Scanner, Token};

use super::{Masking, Reason, Sight, Understood};
use crate::{
    model::{Access, Effect, Operation, Verb},
    sql::Rereads,
};

/// What a client sent to a replication connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// No command: SQL, which only a connection to a database takes.
    Sql,
    /// A command.
    Replication(Parsed),
}

/// A command that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// The word for what it is.
    pub kind: &'static str,
    /// Whether rows or files of the server go out by it.
    pub exports: bool,
    /// Whether data goes both ways after it.
    pub streams: bool,
}

/// Why a command has no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Not the grammar.
    #[error("this is not a replication command that the gateway reads: unexpected {0}")]
    Syntax(String),
    /// An option that is not on the list.
    #[error("the option {option} of {command} is not allowed through the gateway")]
    Option {
        /// The command.
        command: &'static str,
        /// The option, as it was written.
        option: String,
    },
    /// A command that is not relayed.
    #[error("{0} is not supported by the gateway")]
    Unsupported(&'static str),
}

/// Longer texts are no commands.
const MOST_BYTES: usize = 8 * 1024;
/// More options than any client sends.
const MOST_OPTIONS: usize = 64;

/// Options of `BASE_BACKUP`. TARGET is not among them but for the client: others write files or run code on the server.
const BACKUP_OPTIONS: [&str; 12] = [
    "label",
    "progress",
    "checkpoint",
    "wal",
    "wait",
    "compression",
    "compression_detail",
    "max_rate",
    "tablespace_map",
    "verify_checksums",
    "manifest",
    "manifest_checksums",
];
/// Options of `CREATE_REPLICATION_SLOT` in parentheses.
const SLOT_OPTIONS: [&str; 4] = ["snapshot", "two_phase", "reserve_wal", "failover"];

/// Reads one text.
pub fn command(text: &str) -> Result<Command, CommandError> {
    let Some(kind) = first_word(text) else { return Ok(Command::Sql) };
    if text.len() > MOST_BYTES {
        return Err(CommandError::Syntax("length".to_owned()));
    }
    let mut scanner = Scanner::new(text);
    scanner.word()?;
    let mut parsed = Parsed { kind, exports: false, streams: false };
    match kind {
        "identify_system" => {}
        "show" => name(&mut scanner, true)?,
        "timeline_history" => scanner.number()?,
        "read_replication_slot" => name(&mut scanner, false)?,
        "drop_replication_slot" => {
            name(&mut scanner, false)?;
            scanner.takes("WAIT");
        }
        "alter_replication_slot" => {
            name(&mut scanner, false)?;
            options(&mut scanner, "ALTER_REPLICATION_SLOT", &["failover", "two_phase"])?;
        }
        "create_replication_slot" => create(&mut scanner)?,
        "start_replication" => {
            start(&mut scanner)?;
            (parsed.exports, parsed.streams) = (true, true);
        }
        "base_backup" => {
            backup(&mut scanner)?;
            parsed.exports = true;
        }
        _ => return Err(CommandError::Unsupported("UPLOAD_MANIFEST")),
    }
    scanner.end()?;
    Ok(Command::Replication(parsed))
}

/// The command that a text starts with; `None` where the server takes it for SQL. SPEC: in capitals only.
fn first_word(text: &str) -> Option<&'static str> {
    const COMMANDS: [(&str, &str); 10] = [
        ("IDENTIFY_SYSTEM", "identify_system"),
        ("SHOW", "show"),
        ("TIMELINE_HISTORY", "timeline_history"),
        ("READ_REPLICATION_SLOT", "read_replication_slot"),
        ("DROP_REPLICATION_SLOT", "drop_replication_slot"),
        ("ALTER_REPLICATION_SLOT", "alter_replication_slot"),
        ("CREATE_REPLICATION_SLOT", "create_replication_slot"),
        ("START_REPLICATION", "start_replication"),
        ("BASE_BACKUP", "base_backup"),
        ("UPLOAD_MANIFEST", "upload_manifest"),
    ];
    let Ok(Token::Word(word)) = Scanner::new(text).next() else { return None };
    COMMANDS.into_iter().find(|(known, _)| *known == word).map(|(_, kind)| kind)
}

/// A name; of a setting it may have a part before a dot.
fn name(scanner: &mut Scanner<'_>, is_setting: bool) -> Result<(), CommandError> {
    scanner.name()?;
    if is_setting && scanner.takes_sign('.') {
        scanner.name()?;
    }
    Ok(())
}

fn create(scanner: &mut Scanner<'_>) -> Result<(), CommandError> {
    scanner.name()?;
    scanner.takes("TEMPORARY");
    if scanner.takes("PHYSICAL") {
        scanner.takes("RESERVE_WAL");
    } else {
        scanner.expect("LOGICAL")?;
        scanner.name()?;
        let legacy = ["EXPORT_SNAPSHOT", "NOEXPORT_SNAPSHOT", "USE_SNAPSHOT", "TWO_PHASE"];
        while legacy.into_iter().any(|word| scanner.takes(word)) {}
    }
    if scanner.at_sign('(') { options(scanner, "CREATE_REPLICATION_SLOT", &SLOT_OPTIONS) } else { Ok(()) }
}

fn start(scanner: &mut Scanner<'_>) -> Result<(), CommandError> {
    let has_slot = scanner.takes("SLOT");
    if has_slot {
        scanner.name()?;
        if scanner.takes("LOGICAL") {
            scanner.position()?;
            return if scanner.at_sign('(') { plugin_options(scanner) } else { Ok(()) };
        }
    }
    scanner.takes("PHYSICAL");
    scanner.position()?;
    if scanner.takes("TIMELINE") { scanner.number() } else { Ok(()) }
}

/// What an output plugin is told: names and texts of its own, which reach nothing else.
fn plugin_options(scanner: &mut Scanner<'_>) -> Result<(), CommandError> {
    scanner.sign('(')?;
    for _ in 0..MOST_OPTIONS {
        scanner.name()?;
        scanner.takes_text();
        if !scanner.takes_sign(',') {
            return scanner.sign(')');
        }
    }
    Err(CommandError::Syntax("number of options".to_owned()))
}

fn backup(scanner: &mut Scanner<'_>) -> Result<(), CommandError> {
    const COMMAND: &str = "BASE_BACKUP";
    if scanner.at_sign('(') {
        return options(scanner, COMMAND, &BACKUP_OPTIONS);
    }
    // As versions before 15 write them.
    for _ in 0..MOST_OPTIONS {
        let Some(word) = scanner.any_word() else { return Ok(()) };
        match word.as_str() {
            "PROGRESS" | "FAST" | "WAL" | "NOWAIT" | "TABLESPACE_MAP" | "NOVERIFY_CHECKSUMS" => {}
            "LABEL" | "MANIFEST" | "MANIFEST_CHECKSUMS" => scanner.text()?,
            "MAX_RATE" => scanner.number()?,
            _ => return Err(CommandError::Option { command: COMMAND, option: word }),
        }
    }
    Err(CommandError::Syntax("number of options".to_owned()))
}

/// `(name [value], …)`: a value is a word, a text or a number.
fn options(scanner: &mut Scanner<'_>, command: &'static str, known: &[&str]) -> Result<(), CommandError> {
    scanner.sign('(')?;
    for _ in 0..MOST_OPTIONS {
        let option = scanner.name()?;
        if option == "target" && command == "BASE_BACKUP" {
            if scanner.value().as_deref() != Some("client") {
                return Err(CommandError::Option { command, option });
            }
        } else if known.contains(&option.as_str()) {
            scanner.value();
        } else {
            return Err(CommandError::Option { command, option });
        }
        if !scanner.takes_sign(',') {
            return scanner.sign(')');
        }
    }
    Err(CommandError::Syntax("number of options".to_owned()))
}

/// What the opening of a replication connection asks for.
pub fn opening() -> Operation {
    let parsed = Parsed { kind: "replication_connection", exports: false, streams: false };
    operation(&Arc::from("a replication connection"), parsed)
}

/// What a command asks for: `replicate` on the connection.
fn operation(text: &Arc<str>, parsed: Parsed) -> Operation {
    let (risk, reason) = crate::sql::risk::of_verb(Verb::Replicate);
    Operation {
        text: Arc::clone(text),
        kind: Arc::from(parsed.kind),
        effect: Effect::Admin,
        accesses: BTreeSet::from([Access { verb: Verb::Replicate, object: None }]),
        has_where: true,
        names_rows: true,
        risk,
        risk_reasons: vec![reason],
        statements: 1,
        estimated_rows: None,
        estimated_percent: None,
        export: parsed.exports,
        filters_on: BTreeSet::new(),
        facts: BTreeSet::new(),
        advice: None,
        request: None,
    }
}

/// A command as a text that is understood.
pub fn understood(text: &str, parsed: Parsed, sight: &Sight) -> Understood {
    let text: Arc<str> = Arc::from(text);
    let operation = operation(&text, parsed);
    let masking =
        if sight.hides_columns() || sight.detects() { Masking::Refused(unmaskable()) } else { Masking::Untouched };
    Understood {
        resolved: None,
        sent: None,
        pseudonym_classes: std::collections::BTreeMap::new(),
        uses_names: false,
        operations: Arc::from([operation]),
        masking,
        // What goes by is not kept: it is the database itself.
        record_masking: Masking::Refused(unmaskable()),
        seals: Vec::new(),
        secrets: Vec::new(),
        parameter_classes: std::collections::BTreeMap::new(),
        changes_catalogue: false,
        aftermath: super::Aftermath { rereads: Rereads::Nothing, ..super::Aftermath::default() },
        copies_csv: false,
        copy_out: None,
        copies_in: parsed.streams,
        statements: 1,
        unresolved: false,
        text,
    }
}

/// FAIL-CLOSED: changes of rows are bytes in formats of plugins and of the server's own log.
fn unmaskable() -> Reason {
    Reason {
        message: "a replication stream carries every value, and some are masked for you here".to_owned(),
        hint: "Ask somebody from whom nothing of this connection is masked, or copy tables with COPY.".to_owned(),
    }
}

/// Whether a message of the client amid a stream is one that the protocol has there, by its type and length: a status
/// update, or feedback of a hot standby.
pub fn is_feedback(body: &[u8]) -> bool {
    match body.first() {
        Some(b'r') => body.len() == 34,
        // Without and with the horizon of catalogues (since version 10).
        Some(b'h') => matches!(body.len(), 17 | 25),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
