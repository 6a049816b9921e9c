//! Events as named fields: the words of the record. What an auditor reads is decided here and nowhere else.
//!
//! Lists and maps are JSON inside the value; an absent fact has no field. Called by `recorder` only.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    model::{Effect, Operation, RuleId, RunId, SessionId},
    policy::Permitted,
};

use super::{Asked, Event, GatewayEvent, Outcome, SealedText, SessionFacts, Status, Step, frame::Writer};

/// The kind of record that an event becomes.
pub(super) fn kind(event: &Event<'_>) -> &'static str {
    match event {
        Event::Held { .. } => "held",
        Event::ApprovalDecided { .. } => "approval_decided",
        Event::Refused { .. } => "refused",
        Event::Noted { kind, .. } => kind,
        Event::TerminalOutput { .. } => "terminal_output",
        Event::TerminalResized { .. } => "terminal_resize",
        Event::Outcome(_) => "outcome",
        Event::Result { .. } => "result",
    }
}

/// Writes an event's fields.
pub(super) fn event(event: &Event<'_>, to: &mut Writer) {
    match event {
        Event::Held { number, operations, text, approval, rules, expires_at_millis } => {
            to.number("number", number.0);
            sealed_text(text, to);
            to.field("decision", "approval");
            rule_list(rules, to);
            to.field("approval", approval.as_str());
            to.number("expires_at_millis", *expires_at_millis);
            operation_facts(operations, to);
        }
        Event::ApprovalDecided { number, approval, state, by, reason } => {
            to.number("number", number.0);
            to.field("approval", approval.as_str());
            to.field("state", state);
            to.json_field("by", by);
            optional("reason", *reason, to);
        }
        Event::Refused { number, operations, text, refusal } => {
            to.number("number", number.0);
            sealed_text(text, to);
            to.field("decision", "refuse");
            rule_list(refusal.rule.as_slice(), to);
            to.json_field("refusal", &refusal.kind);
            to.field("reason", &refusal.message);
            optional("hint", refusal.hint.as_deref(), to);
            operation_facts(operations, to);
        }
        Event::Noted { number, text, facts, .. } => {
            to.number("number", number.0);
            sealed_text(text, to);
            for (name, value) in *facts {
                to.field(name, value);
            }
        }
        Event::TerminalOutput { number, data } => {
            to.number("number", number.0);
            to.field("data", data);
        }
        Event::TerminalResized { number, columns, rows } => {
            to.number("number", number.0);
            to.number("columns", u64::from(*columns));
            to.number("rows", u64::from(*rows));
        }
        Event::Outcome(outcome) => outcome_fields(outcome, to),
        Event::Result { number, part, text, truncated } => {
            to.number("number", number.0);
            to.number("part", u64::from(*part));
            to.field("text", text);
            if *truncated {
                to.field("truncated", "true");
            }
        }
    }
}

/// The kind of record that an admitted message becomes.
pub(super) fn asked_kind(step: Step) -> &'static str {
    match step {
        Step::Execute => "operation",
        Step::Prepare => "prepared",
    }
}

/// Writes what was asked and what permitted it.
pub(super) fn asked<M>(permitted: &Permitted<M>, asked: &Asked<'_>, to: &mut Writer) {
    to.number("number", asked.number.0);
    sealed_text(asked.text, to);
    if !asked.parameters.is_empty() {
        parameters(asked.parameters, to);
    }
    to.field("decision", "permit");
    rule_list(permitted.rules(), to);
    if let Some(approval) = permitted.approval() {
        to.field("approval", approval.as_str());
    }
    if let Some(proposed_by) = asked.proposed_by {
        to.json_field("proposed_by", proposed_by);
    }
    operation_facts(permitted.operations(), to);
}

/// Writes the first record of a session.
pub(super) fn session_started(facts: &SessionFacts, to: &mut Writer) {
    to.json_field("principal", &facts.principal);
    to.field("connection", facts.connection.as_str());
    to.field("connection_kind", facts.kind.as_str());
    to.field("database", &facts.database);
    to.field("role", &facts.role);
    to.field("source", facts.source.as_str());
    optional("client_address", facts.client_address.map(|address| address.to_string()).as_deref(), to);
    optional("application_name", facts.application_name.as_deref(), to);
    optional("run", facts.run.as_ref().map(RunId::as_str), to);
    optional("through", facts.through.as_ref().map(SessionId::as_str), to);
}

/// The kind of record that a gateway event becomes.
pub(super) fn gateway_kind(event: &GatewayEvent) -> &'static str {
    match event {
        GatewayEvent::Started { .. } => "started",
        GatewayEvent::Stopped { .. } => "stopped",
        GatewayEvent::Recovered { .. } => "recovered",
        GatewayEvent::LoggedIn { .. } => "logged_in",
        GatewayEvent::TokenIssued { .. } => "token_issued",
        GatewayEvent::Sampled { .. } => "sampled",
        GatewayEvent::Looked { .. } => "looked",
        GatewayEvent::Searched { .. } => "searched",
        GatewayEvent::Reviewed { .. } => "reviewed",
        GatewayEvent::Administered { .. } => "administered",
        GatewayEvent::Killed { .. } => "killed",
        GatewayEvent::Checked { .. } => "checked",
        GatewayEvent::SiteChanged { .. } => "site_changed",
        GatewayEvent::AccessAsked { .. } => "access_asked",
        GatewayEvent::AccessDecided { .. } => "access_decided",
        GatewayEvent::LeaseOpened { .. } => "lease_opened",
        GatewayEvent::LeaseClosed { .. } => "lease_closed",
        GatewayEvent::LoginLent { .. } => "login_lent",
        GatewayEvent::LoginReturned { .. } => "login_returned",
        GatewayEvent::Probed { .. } => "probed",
        GatewayEvent::Reached { .. } => "reached",
        GatewayEvent::RunStarted { .. } => "run_started",
        GatewayEvent::RunLooked { .. } => "run_looked",
        GatewayEvent::RunEnded { .. } => "run_ended",
        GatewayEvent::Denied { .. } => "denied",
    }
}

/// Writes a gateway event's fields.
#[expect(clippy::too_many_lines, reason = "one short arm for each event, read like a table")]
pub(super) fn gateway(event: &GatewayEvent, to: &mut Writer) {
    match event {
        GatewayEvent::Started { version } | GatewayEvent::Stopped { version } => to.field("version", version),
        GatewayEvent::SiteChanged { before, origin, again, by, message, digest, policies, failed } => {
            to.number("before", *before);
            to.field("origin", origin);
            to.number("again", again.unwrap_or(0));
            to.json_field("by", by);
            optional("message", message.as_deref(), to);
            to.field("digest", digest);
            to.field("policies", policies);
            optional("failed", failed.as_deref(), to);
        }
        GatewayEvent::Recovered { cut_bytes, unknown_outcomes, ended_sessions } => {
            to.number("cut_bytes", *cut_bytes);
            to.number("unknown_outcomes", *unknown_outcomes);
            to.number("ended_sessions", *ended_sessions);
        }
        GatewayEvent::LoggedIn { who, from } => {
            to.json_field("who", who);
            optional("from", from.map(|address| address.to_string()).as_deref(), to);
        }
        GatewayEvent::TokenIssued { who, connection, token, expires_at } => {
            to.json_field("who", who);
            to.field("connection", connection.as_str());
            to.field("token", token);
            to.number("expires_at", u64::try_from(*expires_at).unwrap_or(0));
        }
        GatewayEvent::Sampled { who, connection } | GatewayEvent::Probed { who, connection } => {
            to.json_field("who", who);
            to.field("connection", connection.as_str());
        }
        GatewayEvent::Reached { connection, through } => {
            to.field("connection", connection.as_str());
            to.field("through", through.as_str());
        }
        GatewayEvent::Looked { who, session } => {
            to.json_field("who", who);
            to.field("session", session.as_str());
        }
        GatewayEvent::Searched { who, sought_bytes, sessions, found } => {
            to.json_field("who", who);
            to.number("sought_bytes", *sought_bytes);
            to.number("sessions", *sessions);
            to.number("found", *found);
        }
        GatewayEvent::Reviewed { who, approval, approved, reason } => {
            to.json_field("who", who);
            to.field("approval", approval.as_str());
            to.field("approved", if *approved { "true" } else { "false" });
            optional("reason", reason.as_deref(), to);
        }
        GatewayEvent::Administered { who, action } => {
            to.json_field("who", who);
            to.field("action", action);
        }
        GatewayEvent::Killed { who, session, reason } => {
            to.json_field("who", who);
            to.field("session", session.as_str());
            optional("reason", reason.as_deref(), to);
        }
        GatewayEvent::Checked { who, connection, text_digest, decision } => {
            to.json_field("who", who);
            to.field("connection", connection.as_str());
            to.field("text_digest", text_digest);
            optional("decision", *decision, to);
        }
        GatewayEvent::AccessAsked { who, connection, approval, reason, seconds } => {
            to.json_field("who", who);
            to.field("connection", connection.as_str());
            to.field("approval", approval.as_str());
            optional("reason", reason.as_deref(), to);
            to.number("seconds", *seconds);
        }
        GatewayEvent::AccessDecided { approval, state, by, reason } => {
            to.field("approval", approval.as_str());
            to.field("state", state);
            to.json_field("by", by);
            optional("reason", reason.as_deref(), to);
        }
        GatewayEvent::LeaseOpened { who, connection, approval, what, by, ends_at_millis } => {
            to.field("who", who.as_str());
            to.field("connection", connection.as_str());
            to.field("approval", approval.as_str());
            to.field("what", what);
            to.json_field("by", by);
            to.number("ends_at_millis", u64::try_from(*ends_at_millis).unwrap_or(0));
        }
        GatewayEvent::LeaseClosed { who, connection, approval, what, why } => {
            to.field("who", who.as_str());
            to.field("connection", connection.as_str());
            to.field("approval", approval.as_str());
            to.field("what", what);
            to.field("why", why);
        }
        GatewayEvent::LoginLent { who, connection, session, login, ends_at_millis } => {
            if let Some(who) = who {
                to.json_field("who", who);
            }
            to.field("connection", connection.as_str());
            to.field("session", session);
            optional("login", login.as_deref(), to);
            to.number("ends_at_millis", u64::try_from(*ends_at_millis).unwrap_or(0));
        }
        GatewayEvent::LoginReturned { connection, session, login, why } => {
            to.field("connection", connection.as_str());
            to.field("session", session);
            to.field("login", login);
            to.field("why", why);
        }
        GatewayEvent::RunStarted { run, who, connections, labels, command, jailed } => {
            to.field("run", run.as_str());
            to.json_field("who", who);
            to.json_field("connections", connections);
            to.json_field("labels", labels);
            optional("command", command.as_deref(), to);
            to.field("jailed", if *jailed { "true" } else { "false" });
        }
        GatewayEvent::RunLooked { who, run } => {
            to.json_field("who", who);
            to.field("run", run.as_str());
        }
        GatewayEvent::RunEnded { run, why, status, signal, usage } => {
            to.field("run", run.as_str());
            to.field("why", why);
            optional("status", status.map(|status| status.to_string()).as_deref(), to);
            optional("signal", signal.map(|signal| signal.to_string()).as_deref(), to);
            to.json_field("usage", usage);
        }
        GatewayEvent::Denied { who, action, reason } => {
            to.json_field("who", who);
            to.field("action", action);
            to.field("reason", reason);
        }
    }
}

/// Writes how an operation ended.
pub(super) fn outcome_fields(outcome: &Outcome<'_>, to: &mut Writer) {
    to.number("number", outcome.number.0);
    match outcome.status {
        Status::Completed { tag } => {
            to.field("status", "completed");
            to.field("tag", tag);
        }
        Status::Failed { sqlstate } => {
            to.field("status", "failed");
            to.field("sqlstate", sqlstate);
        }
        Status::Skipped => to.field("status", "skipped"),
        Status::Unknown => to.field("status", "unknown"),
    }
    to.number("rows", outcome.rows);
    to.number("bytes", outcome.bytes);
    if outcome.export {
        to.field("export", "true");
    }
    if !outcome.masked.is_empty() {
        to.json_field("masked", outcome.masked);
    }
    to.number("duration_micros", outcome.duration_micros);
}

fn sealed_text(text: &SealedText<'_>, to: &mut Writer) {
    to.field("text", text.shown());
    if !text.parts().is_empty() {
        to.json_field("text_sealed", text.parts());
    }
}

fn parameters(parameters: &[Option<SealedText<'_>>], to: &mut Writer) {
    let shown: Vec<_> = parameters.iter().map(|one| one.as_ref().map(SealedText::shown)).collect();
    to.json_field("parameters", &shown);
    if parameters.iter().flatten().any(|one| !one.parts().is_empty()) {
        let sealed: Vec<_> =
            parameters.iter().map(|one| one.as_ref().map(SealedText::parts).unwrap_or_default()).collect();
        to.json_field("parameters_sealed", &sealed);
    }
}

fn rule_list(rules: &[RuleId], to: &mut Writer) {
    to.json_field("rules", rules);
}

fn operation_facts(operations: &[Operation], to: &mut Writer) {
    match operations {
        [] => {}
        [one] => facts(&one.kind, one.effect, one.risk, &objects(operations), to),
        many => {
            let kinds: Vec<&str> = many.iter().map(|one| one.kind.as_ref()).collect();
            let effect = many.iter().map(|one| one.effect).max().unwrap_or(Effect::Unknown);
            let risk = many.iter().map(|one| one.risk).max().unwrap_or(100);
            facts(&kinds.join(","), effect, risk, &objects(operations), to);
        }
    }
    let rows = operations.iter().filter_map(|one| one.estimated_rows).reduce(u64::saturating_add);
    if let Some(rows) = rows {
        to.number("estimated_rows", rows);
    }
    if operations.iter().any(|one| one.export) {
        to.field("export", "true");
    }
    if operations.iter().any(|one| !one.has_where) {
        to.field("has_where", "false");
    }
    let filters: BTreeSet<&str> = operations.iter().flat_map(|one| &one.filters_on).map(AsRef::as_ref).collect();
    if !filters.is_empty() {
        to.json_field("filters_on", &filters);
    }
}

fn facts(kind: &str, effect: Effect, risk: u8, objects: &BTreeSet<Shown<'_>>, to: &mut Writer) {
    to.field("kind", kind);
    to.field("effect", effect.as_str());
    if !objects.is_empty() {
        to.json_field("objects", objects);
    }
    if risk > 0 {
        to.number("risk", u64::from(risk));
    }
}

/// An object as it is written: `public.orders`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Shown<'a>(&'a crate::model::ObjectName);

impl Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

fn objects(operations: &[Operation]) -> BTreeSet<Shown<'_>> {
    operations
        .iter()
        .flat_map(|one| one.accesses.iter())
        .filter_map(|access| access.object.as_ref().map(Shown))
        .collect()
}

fn optional(name: &str, value: Option<&str>, to: &mut Writer) {
    if let Some(value) = value {
        to.field(name, value);
    }
}
