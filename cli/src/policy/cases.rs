//! `hoop policy test`, `explain` and `diff`: what a site's policies say to operations, without a gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use comfy_table::Table;
use hoop_gateway_core::{
    config::Site,
    model::{ConnectionName, GroupName, Principal, PrincipalKind, PrincipalName, Verdict},
    policy::Reveal,
    session::cases::{self, Answer, Outcome, Questions},
};
use serde::Serialize;
use time::OffsetDateTime;

use super::load;
use crate::{
    arguments::{Format, PolicyDiff, PolicyExplain},
    failure::{ExitStatus, Failure},
    output::{Output, printable, printable_line},
};

/// One case, as programs read it.
#[derive(Debug, Serialize)]
struct CaseItem {
    file: String,
    line: usize,
    principal: String,
    connection: String,
    operation: String,
    decision: Option<&'static str>,
    rules: Vec<String>,
    failure: Option<String>,
}

impl From<&Outcome> for CaseItem {
    fn from(outcome: &Outcome) -> Self {
        let decided = outcome.answer.as_ref().ok().map(|answer| cases::word(&answer.verdict));
        let (decision, rules) = decided.unzip();
        Self {
            file: outcome.case.file.display().to_string(),
            line: outcome.case.line,
            principal: outcome.case.principal.name.to_string(),
            connection: outcome.case.connection.to_string(),
            operation: outcome.case.operation.clone(),
            decision,
            rules: rules.unwrap_or_default().iter().map(ToString::to_string).collect(),
            failure: outcome.failure.clone(),
        }
    }
}

/// Runs a site's cases.
pub(super) fn test(site: &Path, output: &Output) -> Result<ExitStatus, Failure> {
    let loaded = load(site, output)?;
    let outcomes = cases::run(&loaded, now());
    let failures = cases::failures(&outcomes);
    if output.format() == Format::Table {
        for failed in &failures {
            let place = format!("{}:{}", site.join(&failed.file).display(), failed.line);
            output.text(&format!("{}: {}", printable_line(&place), printable(&failed.message)))?;
        }
    } else {
        let items: Vec<CaseItem> = outcomes.iter().map(CaseItem::from).collect();
        output.list("cases", &items, |_| Table::new())?;
    }
    if failures.is_empty() {
        output.say(&format!("{} policy cases come out as expected", outcomes.len()));
        return Ok(ExitStatus::SUCCESS);
    }
    Err(Failure::failed(format!("{} of {} policy cases come out otherwise", failures.len(), outcomes.len()))
        .next("correct the policies, or what the cases expect"))
}

/// What an operation would come to, as programs read it.
#[derive(Debug, Serialize)]
struct ExplainItem {
    decision: &'static str,
    rules: Vec<String>,
    message: Option<String>,
    hint: Option<String>,
    approved_by: Vec<String>,
    expires_seconds: Option<u64>,
    operations: Vec<OperationItem>,
    masked: BTreeMap<String, String>,
}

/// One operation of it.
#[derive(Debug, Serialize)]
struct OperationItem {
    kind: String,
    effect: String,
    objects: Vec<String>,
    has_where: bool,
    risk: u8,
}

/// Says what an operation would come to.
pub(super) fn explain(asked: &PolicyExplain, output: &Output) -> Result<ExitStatus, Failure> {
    let site = load(&asked.site, output)?;
    let who = principal(asked, &site)?;
    let connection = ConnectionName::new(&asked.connection)
        .map_err(|_wrong| Failure::usage(format!("`{}` names no connection", printable_line(&asked.connection))))?;
    let answer = Questions::to(&site, now())
        .ask(&who, &connection, &asked.operation)
        .map_err(|why| Failure::usage("it cannot be said what this would come to").because(why))?;
    output.value("explain", &explained(&answer), in_words)?;
    Ok(ExitStatus::SUCCESS)
}

fn principal(asked: &PolicyExplain, site: &Site) -> Result<Principal, Failure> {
    let wrong = |what: &str, name: &str| Failure::usage(format!("`{}` is no name of {what}", printable_line(name)));
    let groups = asked.groups.iter().map(|group| GroupName::new(group).map_err(|_wrong| wrong("a group", group)));
    let mut groups = groups.collect::<Result<BTreeSet<_>, _>>()?;
    let (kind, name) = match (&asked.agent, &asked.user) {
        (Some(agent), _) => (PrincipalKind::Agent, agent),
        (None, Some(user)) => (PrincipalKind::User, user),
        (None, None) => return Err(Failure::usage("somebody has to ask").next("add --user NAME or --agent NAME")),
    };
    let name = PrincipalName::new(name).map_err(|_wrong| wrong("anybody", name))?;
    let mut owner = None;
    if kind == PrincipalKind::Agent {
        let rule = site.agents.iter().find(|rule| rule.name == name);
        let rule = rule.ok_or_else(|| Failure::usage(format!("agents.toml has no agent `{name}`")))?;
        groups.extend(rule.groups.iter().cloned());
        owner = Some(rule.owner.clone());
    }
    Ok(Principal { kind, name, groups, claims: BTreeMap::new(), owner, lent_by: None })
}

fn explained(answer: &Answer) -> ExplainItem {
    let (decision, rules) = cases::word(&answer.verdict);
    let (mut message, mut hint, mut approved_by, mut expires_seconds) = (None, None, Vec::new(), None);
    match &answer.verdict {
        Verdict::Permit { .. } => {}
        Verdict::Refuse(refusal) => (message, hint) = (Some(refusal.message.clone()), refusal.hint.clone()),
        Verdict::NeedsApproval(need) => {
            message.clone_from(&need.message);
            approved_by = need.quorums.iter().map(|one| format!("{} of {}", one.count, one.group)).collect();
            expires_seconds = Some(need.expires_after.as_secs());
        }
    }
    let masked = answer.reveals.iter().filter_map(|(class, reveal)| match reveal {
        Reveal::Clear => None,
        Reveal::Masked { function, rule } => Some((class.clone(), format!("{function:?}, rule {rule}"))),
    });
    let operations = answer.operations.iter().map(|one| {
        let objects: BTreeSet<String> =
            one.accesses.iter().filter_map(|access| access.object.as_ref()).map(ToString::to_string).collect();
        OperationItem {
            kind: one.kind.to_string(),
            effect: one.effect.as_str().to_owned(),
            objects: objects.into_iter().collect(),
            has_where: one.has_where,
            risk: one.risk,
        }
    });
    ExplainItem {
        decision,
        rules: rules.iter().map(ToString::to_string).collect(),
        message,
        hint,
        approved_by,
        expires_seconds,
        operations: operations.collect(),
        masked: masked.collect(),
    }
}

fn in_words(item: &ExplainItem) -> String {
    let mut lines = vec![format!("decision  {}", item.decision)];
    let none = "no policy permits it".to_owned();
    lines.push(format!("rules     {}", if item.rules.is_empty() { none } else { item.rules.join(", ") }));
    lines.extend(item.message.as_ref().map(|message| format!("message   {}", printable_line(message))));
    lines.extend(item.hint.as_ref().map(|hint| format!("hint      {}", printable_line(hint))));
    if !item.approved_by.is_empty() {
        lines.push(format!("approval  {}", item.approved_by.join(" and ")));
    }
    lines.extend(item.expires_seconds.map(|seconds| format!("waits     {seconds} s")));
    for one in &item.operations {
        let narrows = if one.has_where { "" } else { ", without a WHERE" };
        let objects = printable_line(&one.objects.join(", "));
        lines.push(format!("does      {} ({}) {objects}, risk {}{narrows}", one.kind, one.effect, one.risk));
    }
    lines.extend(item.masked.iter().map(|(class, how)| format!("masked    {class}: {how}")));
    lines.join("\n")
}

/// What differs between two sites, as programs read it.
#[derive(Debug, Serialize)]
struct DiffItem {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
    cases: Vec<ChangedCase>,
}

/// A case that comes out otherwise.
#[derive(Debug, Serialize)]
struct ChangedCase {
    principal: String,
    connection: String,
    operation: String,
    before: String,
    after: String,
}

/// Compares the policies of two sites, and what they say to the cases of both.
pub(super) fn diff(asked: &PolicyDiff, output: &Output) -> Result<ExitStatus, Failure> {
    let (before, after) = (load(&asked.before, output)?, load(&asked.after, output)?);
    let (old, new) = (before.policies.texts(), after.policies.texts());
    let names = |wanted: &dyn Fn(&hoop_gateway_core::model::RuleId) -> bool| -> Vec<String> {
        let all: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        all.into_iter().filter(|id| wanted(id)).map(ToString::to_string).collect()
    };
    let mut asked_of: Vec<_> = before.cases.iter().chain(&after.cases).collect();
    asked_of.sort_by(|left, right| (&left.connection, &left.operation).cmp(&(&right.connection, &right.operation)));
    asked_of.dedup_by(|left, right| {
        (&left.principal, &left.connection, &left.operation) == (&right.principal, &right.connection, &right.operation)
    });
    let (first, second) = (Questions::to(&before, now()), Questions::to(&after, now()));
    let changed = asked_of.into_iter().filter_map(|case| {
        let came =
            |questions: &Questions<'_>| outcome(questions.ask(&case.principal, &case.connection, &case.operation));
        let (before, after) = (came(&first), came(&second));
        (before != after).then(|| ChangedCase {
            principal: case.principal.name.to_string(),
            connection: case.connection.to_string(),
            operation: case.operation.clone(),
            before,
            after,
        })
    });
    let item = DiffItem {
        added: names(&|id| !old.contains_key(id)),
        removed: names(&|id| !new.contains_key(id)),
        changed: names(&|id| matches!((old.get(id), new.get(id)), (Some(old), Some(new)) if old != new)),
        cases: changed.collect(),
    };
    output.value("difference", &item, differences)?;
    Ok(ExitStatus::SUCCESS)
}

fn outcome(answer: Result<Answer, String>) -> String {
    match answer {
        Err(why) => format!("cannot be decided: {why}"),
        Ok(answer) => {
            let (decision, rules) = cases::word(&answer.verdict);
            let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
            if rules.is_empty() { decision.to_owned() } else { format!("{decision} ({})", rules.join(", ")) }
        }
    }
}

fn differences(item: &DiffItem) -> String {
    let mut lines = Vec::new();
    for (sign, ids) in [('+', &item.added), ('-', &item.removed), ('~', &item.changed)] {
        lines.extend(ids.iter().map(|id| format!("{sign} policy {id}")));
    }
    for case in &item.cases {
        let operation = printable_line(&case.operation);
        lines.push(format!("{} on {}: {operation}", printable_line(&case.principal), case.connection));
        lines.push(format!("  {} -> {}", printable_line(&case.before), printable_line(&case.after)));
    }
    if lines.is_empty() {
        lines.push("the policies are the same, and so is what they say to the cases".to_owned());
    }
    lines.join("\n")
}

/// Policies may read the time.
fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
