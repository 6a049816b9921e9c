//! How risky a statement is, 0 to 100, from a table that is the documentation: `hoop policy schema` prints it.
//!
//! The rule: every verb on every object is an entry, and so is each circumstance that holds; the
//! worst entry is the risk, never a sum; every entry that reaches 30 is told as a reason. Knows no policy.

use std::collections::BTreeSet;

use super::RawAccess;
use crate::model::Verb;

const WITHOUT_WHERE: (u8, &str) = (85, "changes every row: no WHERE clause that names rows");
/// An UPDATE of `pg_settings` is a SET of whatever it names.
pub(crate) const CATALOGUE_WRITE: (u8, &str) = (90, "writes to the server's own catalogue");
/// A routine, an operator, a cast, a trigger or a rule whose effects are not known.
pub(crate) const UNKNOWN_CALL: (u8, &str) = (70, "calls a function that is not known to be harmless");
/// A routine that runs with the rights of its owner.
pub(crate) const DEFINER_CALL: (u8, &str) = (75, "calls a function that runs with its owner's rights");

/// What counts besides verbs, for the table that people read.
#[cfg(test)]
pub(crate) const CIRCUMSTANCES: [(u8, &str); 7] = [
    WITHOUT_WHERE,
    crate::model::WHOLE,
    crate::model::UNSURE,
    crate::model::EXPORT,
    CATALOGUE_WRITE,
    UNKNOWN_CALL,
    DEFINER_CALL,
];

/// Risk and reasons of everything that a statement asks for.
pub(super) fn weigh(accesses: &BTreeSet<RawAccess>, has_where: bool) -> (u8, Vec<&'static str>) {
    let verbs: BTreeSet<Verb> = accesses.iter().map(|access| access.verb).collect();
    let mut entries: Vec<(u8, &'static str)> = verbs.into_iter().map(of_verb).collect();
    if !has_where {
        entries.push(WITHOUT_WHERE);
    }
    entries.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
    entries.dedup();
    let worst = entries.first().map_or(0, |entry| entry.0);
    let reasons = entries.into_iter().filter(|(risk, _)| *risk >= 30 || *risk == worst).map(|(_, reason)| reason);
    (worst, reasons.collect())
}

/// Risk and reasons of what is no statement: the verbs alone.
pub(crate) fn of_accesses(accesses: &BTreeSet<crate::model::Access>) -> (u8, Vec<&'static str>) {
    weigh(&accesses.iter().map(|access| RawAccess { verb: access.verb, object: None }).collect(), true)
}

/// The entry of one verb.
pub(crate) const fn of_verb(verb: Verb) -> (u8, &'static str) {
    match verb {
        Verb::Transaction
        | Verb::Set
        | Verb::Show
        | Verb::Listen
        | Verb::Discard
        | Verb::McpSession
        | Verb::SshSession => (0, "changes only this session"),
        Verb::Explain => (3, "plans without running"),
        Verb::Select | Verb::Declare | Verb::Fetch => (5, "reads rows"),
        Verb::CopyOut => (20, "reads whole relations in bulk"),
        Verb::Lock => (25, "holds locks that block others"),
        Verb::Notify => (10, "sends a notification"),
        Verb::Insert | Verb::Merge | Verb::Update => (30, "changes rows"),
        Verb::CopyIn => (35, "writes rows in bulk"),
        Verb::Delete => (40, "removes rows"),
        Verb::Truncate => (90, "removes every row at once"),
        Verb::Comment => (20, "changes a comment"),
        Verb::Create => (50, "creates objects"),
        Verb::Alter => (70, "alters objects"),
        Verb::Drop => (95, "removes objects and what is in them"),
        Verb::Grant | Verb::Role | Verb::SetRole => (80, "changes who may do what"),
        Verb::Call | Verb::CallFunction => (60, "runs code whose effects are not known"),
        Verb::Do | Verb::Load => (80, "runs code that is not inspected"),
        Verb::CopyProgram => (100, "runs a program on the server"),
        Verb::CopyFile => (95, "reads or writes files on the server"),
        Verb::AlterSystem => (90, "changes the server itself"),
        Verb::Replicate => (95, "streams everything that the server stores"),
        Verb::Maintain => (40, "runs maintenance that can block others"),
        Verb::HttpGet | Verb::HttpHead | Verb::HttpOptions => (5, "reads from an API"),
        Verb::HttpPost | Verb::HttpPut | Verb::HttpPatch => (30, "changes something behind an API"),
        Verb::HttpDelete => (40, "removes something behind an API"),
        Verb::WebSocket => (50, "opens a channel whose messages are not decided one by one"),
        Verb::AwsRead => (5, "reads from a cloud account"),
        Verb::AwsWrite => (60, "changes a cloud account"),
        Verb::LlmComplete | Verb::LlmEmbed => (10, "sends text to a model"),
        Verb::LlmModels => (0, "lists models"),
        Verb::McpList | Verb::McpRead => (5, "reads from an MCP server"),
        Verb::McpCall => (60, "calls a tool whose effects are not known"),
        Verb::SshRead => (5, "reads files or the state of the machine"),
        Verb::SshWrite => (30, "changes files"),
        Verb::SshDelete => (50, "removes files"),
        Verb::SshReach => (45, "talks to another host"),
        Verb::SshPermission => (60, "changes who may do what on the machine"),
        Verb::SshExec => (70, "runs code that is not inspected on the machine"),
        Verb::SshShell => (75, "opens a shell whose commands are not decided one by one"),
        Verb::SshForward => (65, "opens a way through the machine"),
        Verb::SshForwardUninspected => (85, "carries what a connection of its own would inspect"),
        Verb::SshAdmin => (80, "changes the machine"),
        Verb::HttpOther | Verb::LlmOther | Verb::McpOther | Verb::SshUnknown | Verb::Unknown => {
            (70, "is not understood")
        }
    }
}

/// The table as people read it, one entry a line.
#[cfg(test)]
pub(crate) fn table() -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for verb in Verb::ALL {
        let (risk, reason) = of_verb(*verb);
        writeln!(text, "{risk:>3}  {verb}: {reason}").expect("a String takes every write");
    }
    for (risk, reason) in CIRCUMSTANCES {
        writeln!(text, "{risk:>3}  {reason}").expect("a String takes every write");
    }
    text
}
