//! Policy cases and questions decided without a gateway or a server: the same reading of texts, the same policies.
//!
//! What only a server knows is assumed: the relations that a text names are there, in `public` where it says no schema,
//! and predicates leave rows out as their text says. Called by `hoop policy test`, and before a site is applied.

mod calls;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::{
    config::{Connection, ExpectedDecision, Masking, PolicyCase, Site},
    mask::Detectors,
    model::{ConnectionKind, ConnectionName, Operation, Principal, RuleId, Verdict},
    policy::{Circumstances, PolicySet, Reveal, Source},
    protocol::{
        http::{codec, dialect, dialect::Dialect, plain::PlainHttp},
        llm::dialect::LlmDialect,
        postgres::inspect::{self, Sight, Veil},
    },
    sql::{self, RawName},
    upstream::Catalogue,
};

/// A site as far as questions need it.
#[derive(Debug, Clone, Copy)]
pub struct Questions<'site> {
    /// Its connections.
    pub connections: &'site [Connection],
    /// Its tags.
    pub masking: &'site Masking,
    /// Its policies.
    pub policies: &'site PolicySet,
    /// The moment, seconds since 1970.
    pub unix_seconds: i64,
}

/// What a record says of an operation, and a text alone does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The schemas of the relations that it named, by their names.
    pub schemas: BTreeMap<String, String>,
    /// That it left no rows out, as was found out then.
    pub without_where: bool,
    /// That it was an export.
    pub export: bool,
    /// What the planner estimated.
    pub estimated_rows: Option<u64>,
}

/// What a text would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The decision.
    pub verdict: Verdict,
    /// What it does, as far as it could be read.
    pub operations: Vec<Operation>,
    /// How each tagged or detected class would be shown.
    pub reveals: BTreeMap<String, Reveal>,
}

/// A case that came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub case: PolicyCase,
    /// What was decided; or why nothing could be.
    pub answer: Result<Answer, String>,
    /// What is wrong with that; `None` where it is as expected.
    pub failure: Option<String>,
}

/// A case that came out otherwise, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its file.
    pub file: PathBuf,
    /// Its line.
    pub line: usize,
    /// What came out.
    pub message: String,
}

impl<'site> Questions<'site> {
    /// Questions to this site at this moment.
    pub fn to(site: &'site Site, unix_seconds: i64) -> Self {
        Self { connections: &site.connections, masking: &site.masking, policies: &site.policies, unix_seconds }
    }

    /// What this text would come to for this principal; or why that cannot be said.
    pub fn ask(&self, who: &Principal, connection: &ConnectionName, text: &str) -> Result<Answer, String> {
        self.ask_again(who, connection, text, &Recorded::default())
    }

    /// The same, of an operation that was recorded.
    pub fn ask_again(
        &self,
        who: &Principal,
        connection: &ConnectionName,
        text: &str,
        recorded: &Recorded,
    ) -> Result<Answer, String> {
        let found = self.connections.iter().find(|one| one.name == *connection);
        let connection = found.ok_or_else(|| format!("there is no connection `{connection}`"))?;
        let mut operations = match connection.kind {
            ConnectionKind::Postgres => self.statements(who, connection, text, recorded)?,
            ConnectionKind::Http | ConnectionKind::Llm => requests(connection, text)?,
            ConnectionKind::Mcp => calls::calls(connection, text)?,
            ConnectionKind::Ssh => vec![crate::protocol::ssh::inspect::of_text(text)],
        };
        for operation in &mut operations {
            operation.has_where &= !recorded.without_where;
            operation.export |= recorded.export;
            operation.estimated_rows = recorded.estimated_rows;
        }
        let (to, at) = (connection.facts(), Circumstances::at(self.unix_seconds, Source::Tunnel));
        let verdict = match self.policies.connect(who, &to, &at) {
            refused @ Verdict::Refuse(_) => refused,
            Verdict::Permit { .. } | Verdict::NeedsApproval(_) => self.policies.verdict(who, &to, &operations, &at),
        };
        let rules = self.masking.columns.iter().filter(|rule| rule.connection.selects(&to));
        let classes =
            rules.map(|rule| rule.tag.clone()).chain(self.masking.detected().map(|class| class.as_str().to_owned()));
        let reveals = classes.map(|class| (class.clone(), self.policies.reveal(who, &to, &class))).collect();
        Ok(Answer { verdict, operations, reveals })
    }

    fn statements(
        &self,
        who: &Principal,
        connection: &Connection,
        text: &str,
        recorded: &Recorded,
    ) -> Result<Vec<Operation>, String> {
        let statements =
            sql::inspect(text).map_err(|error| format!("the statement cannot be read: {}", error.message))?;
        let named = statements.iter().flat_map(|statement| &statement.accesses);
        let named = named.filter_map(|access| access.object.as_ref());
        let mut relations: Vec<(&str, &str)> = named.map(|name| (schema(name, recorded), name.name.as_str())).collect();
        relations.retain(|(schema, _)| !matches!(*schema, "pg_catalog" | "information_schema"));
        relations.sort_unstable();
        relations.dedup();
        let to = connection.facts();
        let catalogue = Catalogue::assumed(relations.into_iter(), &|schema, table| {
            let rules = self.masking.columns.iter().filter(|rule| rule.connection.selects(&to));
            let patterns = rules.flat_map(|rule| rule.columns.iter().map(move |pattern| (pattern, &rule.tag)));
            let here = patterns.filter(|(pattern, _)| pattern.matches(schema, table, &pattern.column));
            here.map(|(pattern, tag)| (pattern.column.clone(), tag.clone())).collect()
        });
        let mut veils = BTreeMap::new();
        for tag in catalogue.all_tags() {
            if let Reveal::Masked { function, rule } = self.policies.reveal(who, &to, &tag) {
                veils.insert(tag, Veil { function, rule });
            }
        }
        let sight = Sight {
            fingerprint: catalogue.serial(),
            catalogue: Arc::new(catalogue),
            search_path: path(recorded),
            hides: !veils.is_empty(),
            veils: Arc::new(veils),
            overhears: false,
            detectors: Detectors::none(),
            record_detectors: Detectors::none(),
        };
        let understood = inspect::understand(text, &sight)
            .map_err(|error| format!("the statement cannot be read: {}", error.message))?;
        Ok(understood.operations.to_vec())
    }
}

/// The schema that a name means.
fn schema<'text>(name: &'text RawName, recorded: &'text Recorded) -> &'text str {
    let said = name.schema.as_deref().or_else(|| recorded.schemas.get(&name.name).map(String::as_str));
    said.unwrap_or("public")
}

/// The search path: `public` behind the schemas that a record names.
fn path(recorded: &Recorded) -> Arc<[String]> {
    let own = recorded.schemas.values().filter(|schema| !matches!(schema.as_str(), "pg_catalog" | "public"));
    let own: std::collections::BTreeSet<_> = own.cloned().collect();
    ["pg_catalog".to_owned()].into_iter().chain(own).chain(["public".to_owned()]).collect()
}

/// `GET /path`, or `POST /path` and a JSON body behind it.
fn requests(connection: &Connection, text: &str) -> Result<Vec<Operation>, String> {
    const WRITE_IT: &str = "write a request as `GET /path?query`, or `POST /path {\"a\": 1}` with its body";
    let Some(settings) = &connection.http else { return Err("the connection has no HTTP settings".to_owned()) };
    let (method, rest) = text.trim().split_once(char::is_whitespace).ok_or(WRITE_IT)?;
    let (target, body) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim_start(), ""));
    let method = Method::from_bytes(method.as_bytes()).map_err(|_unknown| WRITE_IT.to_owned())?;
    let uri: Uri = target.parse().map_err(|_malformed| WRITE_IT.to_owned())?;
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    if !body.trim().is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let rejected = |rejection: crate::protocol::http::refuse::Rejection| rejection.refusal.message;
    let head = codec::request_head(&method, &uri, &headers, &settings.authority, settings.cookies).map_err(rejected)?;
    let host = connection.upstream.host.clone();
    let dialect: Box<dyn Dialect> = match connection.kind {
        ConnectionKind::Llm => Box::new(LlmDialect::new(host, settings.prices.clone())),
        ConnectionKind::Http | ConnectionKind::Postgres | ConnectionKind::Mcp | ConnectionKind::Ssh => {
            Box::new(PlainHttp::new(host, settings.routes.clone(), None))
        }
    };
    let nothing = Arc::new(Detectors::none());
    let sight = dialect::Sight {
        detectors: Arc::clone(&nothing),
        sensitive: nothing,
        places: Arc::from([]),
        tagged: Arc::from([]),
        permits: Arc::new(|_operation| true),
        who: Arc::from("a policy case"),
    };
    let body = Bytes::copy_from_slice(body.trim().as_bytes());
    Ok(dialect.inspect(&head, &body, &sight).map_err(rejected)?.operations)
}

/// Runs every case of a site.
pub fn run(site: &Site, unix_seconds: i64) -> Vec<Outcome> {
    let questions = Questions::to(site, unix_seconds);
    let outcome = |case: &PolicyCase| {
        let answer = questions.ask(&case.principal, &case.connection, &case.operation);
        let failure = match &answer {
            Ok(answer) => mismatch(case, &answer.verdict),
            Err(why) => Some(why.clone()),
        };
        Outcome { case: case.clone(), answer, failure }
    };
    site.cases.iter().map(outcome).collect()
}

/// The cases that came out otherwise.
pub fn failures(outcomes: &[Outcome]) -> Vec<Failure> {
    let failed = outcomes.iter().filter_map(|outcome| Some((outcome, outcome.failure.as_ref()?)));
    failed
        .map(|(Outcome { case, .. }, why)| Failure {
            file: case.file.clone(),
            line: case.line,
            message: format!("{} on {}, `{}`: {why}", case.principal.name, case.connection, short(&case.operation)),
        })
        .collect()
}

fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 80 { line.chars().take(79).chain(['…']).collect() } else { line }
}

fn mismatch(case: &PolicyCase, verdict: &Verdict) -> Option<String> {
    let (decision, rules) = word(verdict);
    let expected = expected(case.decision);
    if decision != expected {
        return Some(format!("{expected} was expected, and it is {decision} ({})", by(&rules)));
    }
    let rule = case.rule.as_ref()?;
    let decided = rules.iter().any(|found| *found.0 == **rule);
    (!decided).then(|| format!("rule `{rule}` was expected to decide, and it is {}", by(&rules)))
}

/// The decision as cases write it, and the rules that made it.
pub fn word(verdict: &Verdict) -> (&'static str, Vec<RuleId>) {
    match verdict {
        Verdict::Permit { rules } => (expected(ExpectedDecision::Permit), rules.clone()),
        Verdict::Refuse(refusal) => (expected(ExpectedDecision::Refuse), refusal.rule.iter().cloned().collect()),
        Verdict::NeedsApproval(need) => (expected(ExpectedDecision::Approval), need.rules.clone()),
    }
}

const fn expected(decision: ExpectedDecision) -> &'static str {
    match decision {
        ExpectedDecision::Permit => "permit",
        ExpectedDecision::Refuse => "refuse",
        ExpectedDecision::Approval => "approval",
    }
}

fn by(rules: &[RuleId]) -> String {
    if rules.is_empty() {
        return "no policy permits it".to_owned();
    }
    let names: Vec<String> = rules.iter().map(|rule| format!("rule {rule}")).collect();
    names.join(", ")
}
