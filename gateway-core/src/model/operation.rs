//! What is asked: one decidable unit inside a session, with the facts that policies and reviewers see.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::RequestFacts;

/// What an operation does at worst, from harmless to unknown. The order is the order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing but this conversation.
    Session,
    /// Reads.
    Read,
    /// Changes rows.
    Write,
    /// Changes the schema.
    Schema,
    /// Changes who may do what.
    Grant,
    /// Runs code.
    Exec,
    /// Changes the server.
    Admin,
    /// Not understood; refused unless a policy says otherwise.
    Unknown,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 8] =
        [Self::Session, Self::Read, Self::Write, Self::Schema, Self::Grant, Self::Exec, Self::Admin, Self::Unknown];

    /// The name of the effect, which is also the Cedar action group.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Read => "read",
            Self::Write => "write",
            Self::Schema => "schema",
            Self::Grant => "grant",
            Self::Exec => "exec",
            Self::Admin => "admin",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal : $effect:ident,)+) => {
        /// One protocol verb; each is a Cedar action in the group of its effect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Verb { $($(#[$doc])* $variant,)+ }

        impl Verb {
            /// Every verb, in the order of the schema.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name of the Cedar action.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The effect, and so the action group, that the verb belongs to.
            pub const fn effect(self) -> Effect {
                match self { $(Self::$variant => Effect::$effect,)+ }
            }
        }
    };
}

verbs! {
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the like.
    Transaction = "transaction": Session,
    /// SET or RESET of a setting that is known to be harmless.
    Set = "set": Session,
    /// SHOW.
    Show = "show": Session,
    /// LISTEN, UNLISTEN.
    Listen = "listen": Session,
    /// DEALLOCATE, CLOSE, DISCARD.
    Discard = "discard": Session,
    /// SELECT, VALUES, TABLE.
    Select = "select": Read,
    /// EXPLAIN without ANALYZE.
    Explain = "explain": Read,
    /// COPY … TO STDOUT.
    CopyOut = "copy_out": Read,
    /// DECLARE … CURSOR.
    Declare = "declare": Read,
    /// FETCH, MOVE.
    Fetch = "fetch": Read,
    /// INSERT.
    Insert = "insert": Write,
    /// UPDATE.
    Update = "update": Write,
    /// DELETE.
    Delete = "delete": Write,
    /// MERGE.
    Merge = "merge": Write,
    /// COPY … FROM STDIN.
    CopyIn = "copy_in": Write,
    /// TRUNCATE.
    Truncate = "truncate": Write,
    /// SELECT … FOR UPDATE, LOCK TABLE.
    Lock = "lock": Write,
    /// NOTIFY.
    Notify = "notify": Write,
    /// CREATE, also CREATE TABLE AS and SELECT INTO.
    Create = "create": Schema,
    /// ALTER.
    Alter = "alter": Schema,
    /// DROP.
    Drop = "drop": Schema,
    /// COMMENT, SECURITY LABEL.
    Comment = "comment": Schema,
    /// GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, REASSIGN OWNED.
    Grant = "grant_privilege": Grant,
    /// CREATE, ALTER, DROP of a role.
    Role = "role": Grant,
    /// SET ROLE, SET SESSION AUTHORIZATION.
    SetRole = "set_role": Grant,
    /// DO.
    Do = "do_block": Exec,
    /// CALL.
    Call = "call": Exec,
    /// A function that is not known to be harmless.
    CallFunction = "call_function": Exec,
    /// COPY … PROGRAM.
    CopyProgram = "copy_program": Exec,
    /// LOAD.
    Load = "load": Exec,
    /// COPY to or from a file on the server.
    CopyFile = "copy_file": Admin,
    /// ALTER SYSTEM, ALTER DATABASE … SET.
    AlterSystem = "alter_system": Admin,
    /// A command of a replication connection, and its stream.
    Replicate = "replicate": Admin,
    /// VACUUM, ANALYZE, CLUSTER, REINDEX, CHECKPOINT, REFRESH.
    Maintain = "maintain": Admin,
    /// HTTP GET.
    HttpGet = "http_get": Read,
    /// HTTP HEAD.
    HttpHead = "http_head": Read,
    /// HTTP OPTIONS.
    HttpOptions = "http_options": Read,
    /// HTTP POST.
    HttpPost = "http_post": Write,
    /// HTTP PUT.
    HttpPut = "http_put": Write,
    /// HTTP PATCH.
    HttpPatch = "http_patch": Write,
    /// HTTP DELETE.
    HttpDelete = "http_delete": Write,
    /// Any other method of HTTP.
    HttpOther = "http_other": Unknown,
    /// A WebSocket: what is said in it goes both ways.
    WebSocket = "websocket": Write,
    /// A call of an AWS API that only describes, gets, heads or lists.
    AwsRead = "aws_read": Read,
    /// Any other call of an AWS API.
    AwsWrite = "aws_write": Write,
    /// A completion, a chat, a response of a model.
    LlmComplete = "llm_complete": Read,
    /// An embedding.
    LlmEmbed = "llm_embed": Read,
    /// The list of models, or one of them.
    LlmModels = "llm_models": Read,
    /// Anything else of a model's API.
    LlmOther = "llm_other": Unknown,
    /// initialize, ping, and notifications of MCP.
    McpSession = "mcp_session": Session,
    /// A list of tools, resources or prompts of MCP.
    McpList = "mcp_list": Read,
    /// Reading a resource or a prompt of MCP.
    McpRead = "mcp_read": Read,
    /// Calling a tool of MCP.
    McpCall = "mcp_call": Exec,
    /// Anything else of MCP.
    McpOther = "mcp_other": Unknown,
    /// What changes nothing but an SSH session: `cd`, `echo`, the beginning of SFTP.
    SshSession = "ssh_session": Session,
    /// Reading a path, or the state of a machine.
    SshRead = "ssh_read": Read,
    /// Creating or changing a path.
    SshWrite = "ssh_write": Write,
    /// Removing a path.
    SshDelete = "ssh_delete": Write,
    /// Talking to another host from a machine.
    SshReach = "ssh_reach": Write,
    /// Changing owner, mode or attributes of a path.
    SshPermission = "ssh_permission": Grant,
    /// Running a program or a script that is not inspected.
    SshExec = "ssh_exec": Exec,
    /// An interactive shell.
    SshShell = "ssh_shell": Exec,
    /// Changing a machine: services, packages, accounts.
    SshAdmin = "ssh_admin": Admin,
    /// Reaching another host, or a socket, through a machine.
    SshForward = "ssh_forward": Exec,
    /// A command line that is not understood.
    SshUnknown = "ssh_unknown": Unknown,
    /// Carrying, through a machine, a protocol that a connection of its own would inspect.
    SshForwardUninspected = "ssh_forward_uninspected": Unknown,
    /// What is not understood.
    Unknown = "unknown_operation": Unknown,
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What kind of thing a verb is asked of, besides the connection as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A relation of a database, or another object of it that is not a routine.
    Table,
    /// A function or procedure of a database.
    Routine,
    /// A path template of a host, or an action of a service.
    Route,
    /// A language model.
    Model,
    /// A tool of an MCP server.
    Tool,
    /// A path, program, host, service or package of a machine.
    SystemObject,
}

impl Verb {
    /// What its objects are.
    pub const fn object(self) -> ObjectKind {
        match self {
            Self::Call | Self::CallFunction => ObjectKind::Routine,
            Self::HttpGet
            | Self::HttpHead
            | Self::HttpOptions
            | Self::HttpPost
            | Self::HttpPut
            | Self::HttpPatch
            | Self::HttpDelete
            | Self::HttpOther
            | Self::WebSocket
            | Self::AwsRead
            | Self::AwsWrite => ObjectKind::Route,
            Self::LlmComplete | Self::LlmEmbed | Self::LlmModels | Self::LlmOther => ObjectKind::Model,
            Self::McpSession | Self::McpList | Self::McpRead | Self::McpCall | Self::McpOther => ObjectKind::Tool,
            Self::SshSession
            | Self::SshRead
            | Self::SshWrite
            | Self::SshDelete
            | Self::SshReach
            | Self::SshPermission
            | Self::SshExec
            | Self::SshShell
            | Self::SshAdmin
            | Self::SshForward
            | Self::SshUnknown
            | Self::SshForwardUninspected => ObjectKind::SystemObject,
            Self::Transaction
            | Self::Set
            | Self::Show
            | Self::Listen
            | Self::Discard
            | Self::Select
            | Self::Explain
            | Self::CopyOut
            | Self::Declare
            | Self::Fetch
            | Self::Insert
            | Self::Update
            | Self::Delete
            | Self::Merge
            | Self::CopyIn
            | Self::Truncate
            | Self::Lock
            | Self::Notify
            | Self::Create
            | Self::Alter
            | Self::Drop
            | Self::Comment
            | Self::Grant
            | Self::Role
            | Self::SetRole
            | Self::Do
            | Self::CopyProgram
            | Self::Load
            | Self::CopyFile
            | Self::AlterSystem
            | Self::Replicate
            | Self::Maintain
            | Self::Unknown => ObjectKind::Table,
        }
    }
}

/// A qualified name of a relation, routine or other object, as the server would resolve it. Of a route: host and path
/// template; of a model or tool: the word `model` or `tool`, and its name; of a machine: `path`, `program`, `host`,
/// `service` or `package`, and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// The schema; `?` where resolution failed.
    pub schema: String,
    /// The name inside the schema.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema == "path" {
            return formatter.write_str(&self.name);
        }
        let separator = if self.name.starts_with('/') { "" } else { "." };
        write!(formatter, "{}{separator}{}", self.schema, self.name)
    }
}

/// One verb on one object: a decision is asked for each. No object means the connection itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Access {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: Option<ObjectName>,
}

/// One decidable unit: a SQL statement, with every fact that policies, reviewers and the record use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The exact text of the message that carries it (the whole Query, the Parse), shared, never normalised.
    pub text: Arc<str>,
    /// The word for what it is: `delete`, `drop_table`, `create_index`, …
    pub kind: Arc<str>,
    /// The worst effect over the whole tree.
    pub effect: Effect,
    /// Every (verb, object) it asks for; never empty.
    pub accesses: BTreeSet<Access>,
    /// Whether what changes rows carries a predicate that is not trivially true, as far as is known; true for
    /// everything else.
    pub has_where: bool,
    /// Whether the rows that it changes are named by a key, one by one, so that nobody has to be asked how many they are.
    pub names_rows: bool,
    /// 0 to 100, with [`Operation::risk_reasons`].
    pub risk: u8,
    /// Why the risk is what it is, for people.
    pub risk_reasons: Vec<&'static str>,
    /// How many statements the message carried.
    pub statements: u32,
    /// Rows that the planner expects to be touched or read, where it was asked and could be asked safely.
    pub estimated_rows: Option<u64>,
    /// How much of the table these rows are, in per cent; known only together with the rows.
    pub estimated_percent: Option<u8>,
    /// Whether it takes rows away in bulk: COPY … TO, or a read of more rows than the site's `export_rows`.
    pub export: bool,
    /// The classes and tags of columns that predicates, joins, orders and groups compare (predicate oracles).
    pub filters_on: BTreeSet<Arc<str>>,
    /// What else is known of a command line, as words: `sudo`, `recursive`, `reads_secret_file`. Empty for other kinds.
    pub facts: BTreeSet<&'static str>,
    /// The smallest rewrite that would be easier to permit, as a sentence for HINT.
    pub advice: Option<String>,
    /// What policies may ask of the request that carries it, where it came over HTTP.
    pub request: Option<Arc<RequestFacts>>,
}

impl Operation {
    /// Whether it is COMMIT, ROLLBACK or ROLLBACK TO, and nothing else.
    pub fn ends_transaction(&self) -> bool {
        let only = Access { verb: Verb::Transaction, object: None };
        matches!(&*self.kind, "commit" | "rollback" | "rollback_to")
            && self.accesses.len() == 1
            && self.accesses.contains(&only)
    }

    /// Adds the planner's word: rows, the greatest share of a table that is touched, and whether a read is an export,
    /// as one of more than `export_rows` rows is. A predicate that keeps nine tenths of a table or more counts as
    /// none; one row is never a whole table.
    pub fn estimate(&mut self, rows: u64, percent: Option<u8>, export_rows: u64) {
        self.estimated_rows = Some(rows);
        self.estimated_percent = percent;
        if self.effect == Effect::Read && rows > export_rows {
            self.export = true;
            self.risk = self.risk.max(EXPORT.0);
            if !self.risk_reasons.contains(&EXPORT.1) {
                self.risk_reasons.push(EXPORT.1);
            }
        }
        if self.has_where && rows > 1 && percent.is_some_and(|percent| percent >= WHOLE_PERCENT) {
            self.has_where = false;
            self.risk = self.risk.max(WHOLE.0);
            self.risk_reasons.push(WHOLE.1);
        }
    }

    /// Counts its predicate as none: nobody can say how many rows it keeps.
    pub fn doubt(&mut self) {
        if self.has_where {
            self.has_where = false;
            self.risk = self.risk.max(UNSURE.0);
            self.risk_reasons.push(UNSURE.1);
            self.advice = Some(
                "name the rows by a key, as in id = …; or have the table analyzed, and compare columns with values"
                    .to_owned(),
            );
        }
    }
}

/// A predicate that keeps this much of a table counts as none.
const WHOLE_PERCENT: u8 = 90;
/// Risk and reason of a predicate that keeps most of a table; part of the table in `sql::risk`.
pub(crate) const WHOLE: (u8, &str) = (85, "changes most rows of a table, as the planner estimates");
/// Risk and reason of a predicate of which nobody knows what it keeps; part of the table in `sql::risk`.
pub(crate) const UNSURE: (u8, &str) = (80, "may change most rows of a table: nobody knows what its predicate keeps");
/// Risk and reason of a read of very many rows; part of the table in `sql::risk`.
pub(crate) const EXPORT: (u8, &str) = (30, "takes rows away in bulk");

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(effect: Effect) -> Operation {
        let verb = if effect == Effect::Read { Verb::Select } else { Verb::Delete };
        Operation {
            text: Arc::from(""),
            kind: Arc::from("x"),
            effect,
            accesses: BTreeSet::from([Access { verb, object: None }]),
            has_where: true,
            names_rows: false,
            risk: 5,
            risk_reasons: Vec::new(),
            statements: 1,
            estimated_rows: None,
            estimated_percent: None,
            export: false,
            filters_on: BTreeSet::new(),
            facts: BTreeSet::new(),
            advice: None,
            request: None,
        }
    }

    fn estimated(rows: u64, percent: Option<u8>, effect: Effect) -> (bool, bool, u8) {
        let mut operation = asked(effect);
        operation.estimate(rows, percent, 10_000);
        assert_eq!((operation.estimated_rows, operation.estimated_percent), (Some(rows), percent));
        (operation.has_where, operation.export, operation.risk)
    }

    #[test]
    fn a_predicate_that_keeps_nine_tenths_counts_as_none() {
        assert_eq!(estimated(90, Some(90), Effect::Write), (false, false, WHOLE.0));
        assert_eq!(estimated(89, Some(89), Effect::Write), (true, false, 5));
        assert_eq!(estimated(1, Some(100), Effect::Write), (true, false, 5), "one row is named");
        assert_eq!(estimated(1_000_000, None, Effect::Write), (true, false, 5));
    }

    #[test]
    fn a_predicate_of_which_nobody_knows_what_it_keeps_counts_as_none() {
        let mut operation = asked(Effect::Write);
        operation.doubt();
        assert_eq!((operation.has_where, operation.risk), (false, UNSURE.0));
        assert!(operation.advice.is_some());
    }

    #[test]
    fn a_read_of_more_rows_than_the_site_says_is_an_export() {
        assert_eq!(estimated(10_001, None, Effect::Read), (true, true, EXPORT.0));
        assert_eq!(estimated(10_000, None, Effect::Read), (true, false, 5));
    }
}
