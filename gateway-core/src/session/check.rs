//! What would become of a statement, decided as a fresh session of its asker would decide it, and not run.
//!
//! The same reading, the same policies, the same masks, in the same order as `frontend`; only that nothing is forwarded,
//! held or submitted. What the gateway itself reads for it (names, the planner's word) is recorded first.

mod command;
mod request;

use std::sync::Arc;

use aws_lc_rs::digest;
use tokio::sync::Semaphore;

use super::{
    columns,
    environment::{Environment, Served, Surroundings},
    login::Failure,
    names::{overheard, side_order, sight, tags_of},
    sealing,
};
use crate::{
    api::{
        CheckError, Checker, Checking,
        types::{CheckAnswer, CheckDecision, CheckProblem, CheckRequest, CheckedOperation, MaskedColumn, MayConnect},
    },
    model::{ConnectionKind, ConnectionName, Operation, Principal, Verb, Verdict},
    policy::{Circumstances, PolicySet, Source},
    protocol::postgres::{
        inspect::{self, Masking, Sight, Understood},
        reframe::ColumnRule,
    },
    record::{GatewayEvent, Own, OwnPurpose, Recorded},
    sql::{self, Definition, Output, SyntaxError},
    upstream::{self, Catalogue, CatalogueRead, PlanOrder},
};

/// As many are checked at once: each asks the upstream something.
const AT_ONCE: usize = 4;

/// Checks statements for the API.
#[derive(Debug)]
pub struct StatementChecker {
    surroundings: Surroundings,
    room: Semaphore,
}

/// One question, with everything that its answer is made of.
struct Question<'asked> {
    environment: &'asked Environment,
    served: &'asked Served,
    who: &'asked Principal,
    policies: PolicySet,
    circumstances: Circumstances,
    event: GatewayEvent,
}

impl StatementChecker {
    /// Checks against these connections, policies and masks.
    pub fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, room: Semaphore::new(AT_ONCE) }
    }

    async fn answer(
        &self,
        who: &Principal,
        connection: &ConnectionName,
        request: &CheckRequest,
    ) -> Result<CheckAnswer, CheckError> {
        let gone = |_closed| CheckError("the gateway is ending".to_owned());
        let _room = self.room.acquire().await.map_err(gone)?;
        let environment = self.surroundings.borrow().clone();
        let served = environment.connections.get(connection.as_str());
        let served = served.ok_or_else(|| CheckError("there is no such connection".to_owned()))?;
        let hash = digest::digest(&digest::SHA256, request.text.as_bytes());
        let text_digest = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let unix_seconds = environment.clock.unix_seconds();
        let question = Question {
            environment: &environment,
            served,
            who,
            policies: served.policies.borrow().clone(),
            circumstances: Circumstances::at(unix_seconds, Source::Tunnel),
            event: GatewayEvent::Checked {
                who: who.clone(),
                connection: connection.clone(),
                text_digest: text_digest.clone(),
                decision: None,
            },
        };
        let answer = if served.facts.kind.is_http() {
            question.request(request)
        } else if served.facts.kind == ConnectionKind::Ssh {
            question.command(request)
        } else {
            question.answer(request).await?
        };
        // FAIL-CLOSED: an answer that is not on record is not given.
        let decision = Some(answer.decision.as_str());
        let event = GatewayEvent::Checked { who: who.clone(), connection: connection.clone(), text_digest, decision };
        let recorder = &environment.recorder;
        let noted = async { recorder.durable(recorder.gateway(&event)?).await };
        noted.await.map_err(|error| CheckError(format!("it cannot be recorded: {error}")))?;
        Ok(answer)
    }
}

impl Checker for StatementChecker {
    fn check<'checker>(
        &'checker self,
        who: &'checker Principal,
        connection: &'checker ConnectionName,
        request: &'checker CheckRequest,
    ) -> Checking<'checker> {
        Box::pin(self.answer(who, connection, request))
    }
}

impl Question<'_> {
    async fn answer(&self, request: &CheckRequest) -> Result<CheckAnswer, CheckError> {
        let sight = self.sight().await?;
        let understood = match self.understand(&request.text, &sight) {
            Ok(understood) => understood,
            Err(error) => return Ok(self.unreadable(&error)),
        };
        let mut operations = understood.operations.to_vec();
        let mut note = self.decision_may_wait_for_an_estimate(&operations, request.estimate);
        if request.estimate {
            note = self.estimate(&understood, &sight, &mut operations).await;
        }
        Ok(self.judge(&understood, &sight, &operations, note))
    }

    /// What names mean to a fresh session of the site's role.
    async fn sight(&self) -> Result<Sight, CheckError> {
        let order = self.connection(OwnPurpose::Setting).await?;
        let path = upstream::default_path(order).await.map_err(|error| CheckError(error.to_string()))?;
        let read = async || {
            let order = self.connection(OwnPurpose::Catalogue).await?;
            let tag_of = tags_of(self.environment, self.served);
            Catalogue::read(order, &tag_of, &overheard(self.environment, self.served))
                .await
                .map_err(|error| CheckError(error.to_string()))
        };
        let catalogue = self.served.catalogue(false, read).await?;
        Ok(sight(self.environment, &self.policies, self.who, self.served, catalogue, path.into()))
    }

    /// A connection of the gateway's own, on record before it is used.
    async fn connection(&self, purpose: OwnPurpose) -> Result<Recorded<Own<CatalogueRead>>, CheckError> {
        let order = side_order(self.served).await.map_err(|Failure { message, .. }| CheckError(message))?;
        self.recorded(purpose, order).await
    }

    async fn recorded<M>(&self, purpose: OwnPurpose, message: M) -> Result<Recorded<Own<M>>, CheckError> {
        let recorded = self.environment.recorder.own(&self.event, purpose, message).await;
        recorded.map_err(|error| CheckError(format!("it cannot be recorded: {error}")))
    }

    /// Reads the text; what it uses by name is looked for in the text itself, since a fresh session has nothing else.
    fn understand(&self, text: &str, sight: &Sight) -> Result<Arc<Understood>, SyntaxError> {
        let outer = self.environment.understandings.of(text, sight)?;
        if !outer.uses_names {
            return Ok(outer);
        }
        let through = sql::uses(&outer.text).and_then(|uses| {
            let text = sql::resolved(&outer.text, &uses, &|one| match sql::definition(
                &outer.text,
                &one.name,
                one.is_cursor,
                Some(one.index),
            ) {
                Definition::Here(inside) => Some(inside),
                Definition::Unclear | Definition::Elsewhere => None,
            })?;
            let inner = self.environment.understandings.of(&text, sight).ok()?;
            Some(inspect::through(&outer, &inner, &uses))
        });
        Ok(Arc::new(through.unwrap_or_else(|| inspect::unresolved(&outer, sight))))
    }

    fn decision_may_wait_for_an_estimate(&self, operations: &[Operation], asked: bool) -> Option<String> {
        // As on the wire: see `estimate`.
        let reads = |one: &Operation| self.narrows(one) || (inspect::has_rows(one) && self.policies.reads_estimates());
        let may = !asked && operations.iter().any(reads);
        may.then(|| "policies here read the planner's estimate, which could change this".to_owned())
    }

    fn narrows(&self, one: &Operation) -> bool {
        self.policies.reads_has_where()
            && one.has_where
            && !one.names_rows
            && one.accesses.iter().any(|access| matches!(access.verb, Verb::Update | Verb::Delete))
    }

    /// Asks the planner where that runs nothing and tells nothing that is masked; otherwise says why not.
    async fn estimate(&self, understood: &Understood, sight: &Sight, operations: &mut [Operation]) -> Option<String> {
        if let Verdict::Refuse(_) = self.verdict(operations) {
            return Some("what would be refused is not estimated".to_owned());
        }
        let hides = |operation: &Operation| operation.filters_on.iter().any(|tag| sight.veils.contains_key(tag));
        let questions = inspect::plannable(understood, sight);
        let sure = inspect::is_sure(understood, sight);
        let mut said = 0_usize;
        for ((operation, question), sure) in operations.iter_mut().zip(questions).zip(sure) {
            let doubtful = !sure && self.narrows(operation);
            // An estimate of who has a masked value would tell the value.
            if hides(operation) {
                continue;
            }
            let mut answer = None;
            if let Some(inspect::Plannable { text, targets, changes }) = question {
                let search_path = sight.search_path.to_vec();
                let (settings, types, parameters) = (Vec::new(), Vec::new(), Vec::new());
                let order = PlanOrder { text, targets, changes, search_path, settings, types, parameters };
                let Ok(order) = self.recorded(OwnPurpose::Estimate, order).await else { continue };
                let connect = async || self.connection(OwnPurpose::Estimate).await.ok();
                answer = self.served.planner.ask(order, connect).await;
            }
            if let Some(estimate) = &answer {
                operation.estimate(estimate.rows, estimate.percent, self.environment.export_rows);
                said += 1;
            }
            // As on the wire: a predicate of which nobody knows how many rows it keeps counts as none.
            if doubtful && !answer.is_some_and(|estimate| estimate.is_sure) {
                operation.doubt();
            }
        }
        let wanted = operations.iter().filter(|operation| inspect::has_rows(operation)).count();
        (said < wanted).then(|| "the planner was not asked where that could run code or tell masked values".to_owned())
    }

    fn verdict(&self, operations: &[Operation]) -> Verdict {
        self.policies.verdict(self.who, &self.served.facts, operations, &self.circumstances)
    }

    fn judge(
        &self,
        understood: &Understood,
        sight: &Sight,
        operations: &[Operation],
        estimate_note: Option<String>,
    ) -> CheckAnswer {
        let mut answer = self.blank();
        // As on the wire: policy first, then what cannot be masked is refused whatever the policy says.
        let verdict = match (self.verdict(operations), &understood.masking) {
            (refused @ Verdict::Refuse(_), _) => refused,
            (_, Masking::Refused(reason)) => Verdict::Refuse(sealing::unmaskable(reason)),
            (verdict, Masking::Untouched | Masking::Rows(_)) => verdict,
        };
        self.put_verdict(&mut answer, verdict);
        answer.operations = operations.iter().map(|operation| self.operation(operation)).collect();
        if answer.decision != CheckDecision::Refuse {
            answer.masked = masked(&understood.masking, sight);
            answer.detected = sight.detectors.classes().map(|class| class.as_str().to_owned()).collect();
        }
        answer.unresolved = understood.unresolved;
        answer.estimate_note = estimate_note;
        answer
    }

    fn put_verdict(&self, answer: &mut CheckAnswer, verdict: Verdict) {
        (answer.decision, answer.rules) = word(&verdict);
        match verdict {
            Verdict::Permit { .. } => {}
            Verdict::Refuse(refusal) => (answer.message, answer.hint) = (Some(refusal.message), refusal.hint),
            Verdict::NeedsApproval(need) => {
                answer.own_groups = need.quorums.iter().map(|quorum| quorum.group.clone()).collect();
                answer.own_groups.retain(|group| self.who.groups.contains(group));
                answer.quorums = need.quorums;
                answer.message = need.message;
                answer.expires_seconds = Some(need.expires_after.as_secs());
            }
        }
    }

    fn operation(&self, operation: &Operation) -> CheckedOperation {
        let (decision, rules) = word(&self.verdict(std::slice::from_ref(operation)));
        let objects = operation.accesses.iter().filter_map(|access| access.object.as_ref().map(ToString::to_string));
        let mut objects: Vec<String> = objects.collect();
        objects.dedup();
        CheckedOperation {
            kind: operation.kind.to_string(),
            effect: operation.effect.as_str().to_owned(),
            objects,
            risk: operation.risk,
            risk_reasons: operation.risk_reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            decision,
            rules,
            estimated_rows: operation.estimated_rows,
            estimated_percent: operation.estimated_percent,
        }
    }

    fn unreadable(&self, error: &SyntaxError) -> CheckAnswer {
        let mut answer = self.blank();
        answer.decision = CheckDecision::Error;
        answer.hint = error.hint.map(str::to_owned);
        let (message, sqlstate) = (error.message.clone(), error.sqlstate.to_owned());
        answer.error = Some(CheckProblem { message, sqlstate, position: error.position });
        answer
    }

    fn blank(&self) -> CheckAnswer {
        let connect = match self.policies.connect(self.who, &self.served.facts, &self.circumstances) {
            Verdict::Permit { .. } => MayConnect::Yes,
            Verdict::NeedsApproval(_) => MayConnect::Approval,
            Verdict::Refuse(_) => MayConnect::No,
        };
        CheckAnswer {
            connection: self.served.connection.name.clone(),
            // FAIL-CLOSED: until something else was decided.
            decision: CheckDecision::Refuse,
            connect,
            rules: Vec::new(),
            message: None,
            hint: None,
            quorums: Vec::new(),
            own_groups: Vec::new(),
            expires_seconds: None,
            error: None,
            operations: Vec::new(),
            masked: Vec::new(),
            detected: Vec::new(),
            unresolved: false,
            estimate_note: None,
        }
    }
}

fn word(verdict: &Verdict) -> (CheckDecision, Vec<crate::model::RuleId>) {
    match verdict {
        Verdict::Permit { rules } => (CheckDecision::Permit, rules.clone()),
        Verdict::Refuse(refusal) => (CheckDecision::Refuse, refusal.rule.iter().cloned().collect()),
        Verdict::NeedsApproval(need) => (CheckDecision::Approval, need.rules.clone()),
    }
}

/// The outputs that are known to be masked. What lineage cannot follow is masked too, and said as such.
fn masked(masking: &Masking, sight: &Sight) -> Vec<MaskedColumn> {
    let Masking::Rows(statements) = masking else { return Vec::new() };
    let mut found = Vec::new();
    for outputs in statements.iter().flatten() {
        for (index, output) in outputs.known().enumerate() {
            let unnamed = || format!("column {} of the result", index + 1);
            let (column, tags, is_own) = match output {
                Output::Clean => continue,
                Output::Column { origin, tags } => (named(origin.relation, origin.number, sight), tags, true),
                Output::Masked(tags) => (None, tags, true),
                Output::Computed(tags) => (None, tags, false),
                Output::Unknown => {
                    let (class, mask) = ("masked".to_owned(), "concealed".to_owned());
                    found.push(MaskedColumn { column: unnamed(), class, mask });
                    continue;
                }
            };
            let column = column.unwrap_or_else(unnamed);
            if let Some(ColumnRule::Mask { class, function }) = columns::masked(tags, &sealing::veils(sight)) {
                let mask = if is_own { function.as_str() } else { "concealed" };
                found.push(MaskedColumn { column, class: class.to_string(), mask: mask.to_owned() });
            }
        }
        if outputs.width().is_none() {
            let column = "columns that could not be told apart".to_owned();
            found.push(MaskedColumn { column, class: "masked".to_owned(), mask: "concealed".to_owned() });
        }
    }
    found
}

fn named(relation: u32, number: i16, sight: &Sight) -> Option<String> {
    let known = sight.catalogue.relation(relation)?;
    let column = sight.catalogue.columns_of(relation).iter().find(|column| column.number == number)?;
    Some(format!("{}.{}.{}", known.schema, known.name, column.name))
}
