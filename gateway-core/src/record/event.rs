//! What can be recorded: one value per audit fact, borrowing from the session that reports it.
//!
//! Knows words, not bytes: `fields` turns an event into named values and `frame` those into bytes. `session` reports
//! what happens on a connection; `api`, `identity` and `gateway` report what happens around it.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    model::{
        ApprovalId, ConnectionKind, ConnectionName, Operation, OperationNumber, Principal, PrincipalName, ProposedBy,
        Refusal, RuleId, RunId, SessionId, Usage,
    },
    policy::Source,
};

use super::SealedText;

/// What is known of a session when it starts; the first record of its chain.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub principal: Principal,
    /// The connection it is for.
    pub connection: ConnectionName,
    /// What kind it is of.
    pub kind: ConnectionKind,
    /// The database asked for; of what is no database, the host.
    pub database: String,
    /// The upstream role it runs as.
    pub role: String,
    /// How it came in.
    pub source: Source,
    /// The client's address as the gateway saw it.
    pub client_address: Option<SocketAddr>,
    /// What the client calls itself.
    pub application_name: Option<String>,
    /// The run that groups it, for `hoop exec`.
    pub run: Option<RunId>,
    /// The session that it came through, where a machine leads to its connection.
    pub through: Option<SessionId>,
}

/// Which step a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It runs.
    Execute,
    /// It is only prepared (a Parse).
    Prepare,
}

/// A message that is about to be forwarded: what the record says besides what its permit says.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Its number in the session, from [`super::SessionRecorder::number`].
    pub number: OperationNumber,
    /// Whether it runs or is only prepared.
    pub step: Step,
    /// The exact text, sealed where law 4 says so.
    pub text: &'a SealedText<'a>,
    /// Bound parameters as text, sealed likewise; `None` is NULL.
    pub parameters: &'a [Option<SealedText<'a>>],
    /// The answer of a model that proposed it, where it belongs to a run.
    pub proposed_by: Option<&'a ProposedBy>,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status<'a> {
    /// The upstream completed it.
    Completed {
        /// The command tag: `DELETE 3`.
        tag: &'a str,
    },
    /// The upstream answered with an error.
    Failed {
        /// The SQLSTATE.
        sqlstate: &'a str,
    },
    /// The upstream never ran it, because an earlier one of the batch failed.
    Skipped,
    /// Nobody knows: the connection or the gateway ended first.
    Unknown,
}

/// The end of one operation.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// Of which operation.
    pub number: OperationNumber,
    /// How it ended.
    pub status: Status<'a>,
    /// Rows returned or touched.
    pub rows: u64,
    /// Bytes returned to the client.
    pub bytes: u64,
    /// Whether a read returned more rows than the site's `export_rows`.
    pub export: bool,
    /// Masked cells per class; never values.
    pub masked: &'a BTreeMap<String, u64>,
    /// From forwarding to the end.
    pub duration_micros: u64,
}

/// One fact in a session.
#[derive(Debug)]
pub enum Event<'a> {
    /// An operation was held for approval.
    Held {
        /// Its number.
        number: OperationNumber,
        /// Which operations the message carries.
        operations: &'a [Operation],
        /// Its text.
        text: &'a SealedText<'a>,
        /// The request that reviewers see.
        approval: &'a ApprovalId,
        /// The policies that hold it.
        rules: &'a [RuleId],
        /// When the request lapses, milliseconds since 1970.
        expires_at_millis: u64,
    },
    /// A held operation's request came to an end.
    ApprovalDecided {
        /// Of which operation.
        number: OperationNumber,
        /// Which request.
        approval: &'a ApprovalId,
        /// `approved`, `denied`, `expired`, `withdrawn` or `superseded`.
        state: &'a str,
        /// Who reviewed.
        by: &'a [PrincipalName],
        /// Why, if said.
        reason: Option<&'a str>,
    },
    /// An operation was refused; the upstream never saw it.
    Refused {
        /// Its number.
        number: OperationNumber,
        /// What it asked for, where it could be understood.
        operations: &'a [Operation],
        /// Its text.
        text: &'a SealedText<'a>,
        /// Why.
        refusal: &'a Refusal,
    },
    /// Something that was said around an operation: a prompt, an answer, a message of a WebSocket.
    Noted {
        /// Of which operation.
        number: OperationNumber,
        /// The kind of record: `prompt`, `answer`, `message`.
        kind: &'static str,
        /// What was said, sealed where law 4 says so.
        text: &'a SealedText<'a>,
        /// Facts beside it, by name.
        facts: &'a BTreeMap<&'static str, String>,
    },
    /// A program wrote this to its terminal, masked for everybody.
    TerminalOutput {
        /// Of which operation.
        number: OperationNumber,
        /// What, as text.
        data: &'a str,
    },
    /// A terminal became so large.
    TerminalResized {
        /// Of which operation.
        number: OperationNumber,
        /// Columns.
        columns: u32,
        /// Rows.
        rows: u32,
    },
    /// An operation ended.
    Outcome(Outcome<'a>),
    /// A piece of the masked result, as [`super::result_lines`] reads it.
    Result {
        /// Of which operation.
        number: OperationNumber,
        /// Which piece, from 0.
        part: u32,
        /// Header and rows, one JSON array each line.
        text: &'a str,
        /// Whether the cap cut the result off here.
        truncated: bool,
    },
}

/// Why the gateway itself sent something upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnPurpose {
    /// Start-up and authentication with the gateway's credential.
    Authenticate,
    /// Reading the catalogue, to resolve names and tags.
    Catalogue,
    /// Sampling tables, to propose tags.
    Classify,
    /// Re-reading a setting that decisions depend on.
    Setting,
    /// Making the upstream's transaction state what a real error would have left.
    ForcedError,
    /// Asking the planner what a statement would touch.
    Estimate,
    /// Cancelling a running operation.
    Cancel,
    /// Making a login for one session, or taking it away.
    Lease,
    /// Proving that a connection works.
    Probe,
    /// Ending the conversation.
    Terminate,
    /// Answering what a server asked of a client that is not asked.
    Decline,
}

impl OwnPurpose {
    /// The word in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::Catalogue => "catalogue",
            Self::Classify => "classify",
            Self::Setting => "setting",
            Self::ForcedError => "forced_error",
            Self::Estimate => "estimate",
            Self::Cancel => "cancel",
            Self::Lease => "lease",
            Self::Probe => "probe",
            Self::Terminate => "terminate",
            Self::Decline => "decline",
        }
    }
}

/// One fact about the gateway itself; they form a chain of their own.
#[derive(Debug, Clone)]
pub enum GatewayEvent {
    /// The gateway started.
    Started {
        /// Its version.
        version: String,
    },
    /// The gateway stopped in order.
    Stopped {
        /// Its version.
        version: String,
    },
    /// What opening the log repaired.
    Recovered {
        /// Bytes of a half-written record cut off.
        cut_bytes: u64,
        /// Operations whose outcome nobody knows.
        unknown_outcomes: u64,
        /// Sessions that had no end.
        ended_sessions: u64,
    },
    /// Someone logged in.
    LoggedIn {
        /// Who.
        who: Principal,
        /// From where.
        from: Option<SocketAddr>,
    },
    /// A password for a native client was made.
    TokenIssued {
        /// For whom.
        who: Principal,
        /// For which connection.
        connection: ConnectionName,
        /// Its public name.
        token: String,
        /// When it ends, seconds since 1970.
        expires_at: i64,
    },
    /// Someone had the tables of a connection sampled; what was read is kept nowhere.
    Sampled {
        /// Who.
        who: Principal,
        /// Which connection.
        connection: ConnectionName,
    },
    /// Someone looked at a recording.
    Looked {
        /// Who.
        who: Principal,
        /// At which session.
        session: SessionId,
    },
    /// Someone searched in what others said.
    Searched {
        /// Who.
        who: Principal,
        /// How long the text was that they sought. The text itself may be what nobody else should read.
        sought_bytes: u64,
        /// In how many sessions of others.
        sessions: u64,
        /// How many sessions they were shown.
        found: u64,
    },
    /// Someone reviewed a request.
    Reviewed {
        /// Who.
        who: Principal,
        /// Which request.
        approval: ApprovalId,
        /// Approved, or denied.
        approved: bool,
        /// Why, if said.
        reason: Option<String>,
    },
    /// Someone changed something of the gateway itself.
    Administered {
        /// Who.
        who: Principal,
        /// What was done.
        action: String,
    },
    /// Someone ended a live session of theirs or of somebody else.
    Killed {
        /// Who.
        who: Principal,
        /// Which session.
        session: SessionId,
        /// Why, if said.
        reason: Option<String>,
    },
    /// Someone asked what would become of a statement. It was not run, and its text is not kept.
    Checked {
        /// Who.
        who: Principal,
        /// On which connection.
        connection: ConnectionName,
        /// A digest of the text, to find it again by who has it.
        text_digest: String,
        /// `permit`, `refuse`, `approval` or `error`; `None` where the gateway is about to read what it needs for it.
        decision: Option<&'static str>,
    },
    /// Another version of the site comes into force; on record before it does.
    SiteChanged {
        /// The version that was in force until now; 0 where there was none.
        before: u64,
        /// `folder`, `apply` or `rollback`.
        origin: &'static str,
        /// Which earlier version is taken up again.
        again: Option<u64>,
        /// Who; nobody where the gateway's operator started it with this folder, or had it read again.
        by: Option<Principal>,
        /// Why, as they said.
        message: Option<String>,
        /// Digest of its files.
        digest: String,
        /// Digest of its policies.
        policies: String,
        /// Why it could not be put in force after all.
        failed: Option<String>,
    },
    /// Someone asked to connect for a time.
    AccessAsked {
        /// Who.
        who: Principal,
        /// Where.
        connection: ConnectionName,
        /// Which request.
        approval: ApprovalId,
        /// Why, in their words.
        reason: Option<String>,
        /// For how long.
        seconds: u64,
    },
    /// A request to connect came to an end.
    AccessDecided {
        /// Which request.
        approval: ApprovalId,
        /// `approved`, `denied`, `expired`, `withdrawn` or `superseded`.
        state: &'static str,
        /// Who reviewed.
        by: Vec<PrincipalName>,
        /// Why, if said.
        reason: Option<String>,
    },
    /// Something is open to someone for a time.
    LeaseOpened {
        /// To whom.
        who: PrincipalName,
        /// Where.
        connection: ConnectionName,
        /// By which approval.
        approval: ApprovalId,
        /// What: access, or a shape of statements.
        what: String,
        /// Who approved.
        by: Vec<PrincipalName>,
        /// When it closes, milliseconds since 1970.
        ends_at_millis: i64,
    },
    /// It is not any more.
    LeaseClosed {
        /// To whom it was.
        who: PrincipalName,
        /// Where.
        connection: ConnectionName,
        /// By which approval.
        approval: ApprovalId,
        /// What.
        what: String,
        /// Why.
        why: &'static str,
    },
    /// A login is about to be made for a session.
    LoginLent {
        /// For whom; nobody where it is the gateway's own.
        who: Option<Principal>,
        /// Where.
        connection: ConnectionName,
        /// For which session; `gateway` where it is the gateway's own.
        session: String,
        /// Its name, where the gateway chose it.
        login: Option<String>,
        /// When it ends at the latest, milliseconds since 1970.
        ends_at_millis: i64,
    },
    /// It is about to be taken away.
    LoginReturned {
        /// Where.
        connection: ConnectionName,
        /// For which session it was.
        session: String,
        /// Its name, or that of its lease.
        login: String,
        /// Why.
        why: &'static str,
    },
    /// The gateway is about to log in to a machine that leads to an upstream.
    Reached {
        /// The connection of the upstream.
        connection: ConnectionName,
        /// The machine's.
        through: ConnectionName,
    },
    /// Someone had it proved that a connection works.
    Probed {
        /// Who.
        who: Principal,
        /// Which connection.
        connection: ConnectionName,
    },
    /// Someone started a run.
    RunStarted {
        /// Which.
        run: RunId,
        /// For whom it stands.
        who: Principal,
        /// What it may reach.
        connections: Vec<ConnectionName>,
        /// Labels of it.
        labels: BTreeMap<String, String>,
        /// The program, without its arguments.
        command: Option<String>,
        /// Whether it runs in the jail.
        jailed: bool,
    },
    /// Someone looked at the timeline of a run.
    RunLooked {
        /// Who.
        who: Principal,
        /// At which run.
        run: RunId,
    },
    /// A run ended, and its sessions with it.
    RunEnded {
        /// Which.
        run: RunId,
        /// Why.
        why: String,
        /// The status that its program exited with.
        status: Option<i32>,
        /// The signal that ended its program.
        signal: Option<i32>,
        /// What it used up.
        usage: Usage,
    },
    /// Someone was refused at the gateway itself: a connection, an API call.
    Denied {
        /// Who.
        who: Principal,
        /// What was asked for.
        action: String,
        /// Why not.
        reason: String,
    },
}
