//! From operations to verdicts: one question per (action, object), the strictest answer over all of them.
//!
//! Pure; `set` puts the cache in front of it.

use std::{borrow::Cow, collections::BTreeSet};

use super::{
    Circumstances,
    answer::Answer,
    load::Loaded,
    rule::Obligation,
    wording::{self, Asked},
    world::{self, World, WorldError},
};
use crate::model::{
    Access, ConnectionFacts, Operation, Principal, Quorum, Refusal, RefusalKind, RuleId, StepUp, Verb, Verdict,
};

/// What was approved already: these rules, by these quorums.
pub(super) struct Granted<'grant> {
    pub(super) rules: &'grant [RuleId],
    /// `None`: the rules count as met whatever they ask for now.
    pub(super) quorums: Option<&'grant [Quorum]>,
    /// What the reviewers' authentication was held to.
    pub(super) step_up: &'grant [StepUp],
}

impl Loaded {
    /// Asks everything that an operation needs, and combines the answers.
    pub(super) fn answer(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        operation: &Operation,
        circumstances: &Circumstances,
    ) -> Answer {
        self.ask_all(who, to, operation, circumstances).unwrap_or_else(|error| Answer::unaskable(&error))
    }

    fn ask_all(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        operation: &Operation,
        circumstances: &Circumstances,
    ) -> Result<Answer, WorldError> {
        let accesses = covering(operation);
        let mut world = World::new(&self.vocabulary);
        let principal = world.principal(who)?;
        world.connection(to)?;
        world.objects(to, &accesses)?;
        world.request(operation)?;
        let entities = world.entities()?;
        let context = world::operation_context(&self.vocabulary, who, operation, circumstances)?;
        let answer = |access: &Access| {
            let resource = world::access_uid(&self.vocabulary, to, access);
            self.ask(principal.clone(), self.vocabulary.verb(access.verb), resource, context.clone(), &entities)
        };
        accesses
            .iter()
            .map(answer)
            .reduce(Answer::and)
            // FAIL-CLOSED: `covering` never returns nothing.
            .ok_or_else(|| WorldError::new("an operation that asks for nothing"))
    }

    /// The verdict on an answer, with these rules taken as lifted.
    pub(super) fn verdict(&self, answer: Answer, granted: &Granted<'_>, asked: impl FnOnce() -> Asked) -> Verdict {
        match answer {
            Answer::No(reasons) => Verdict::Refuse(wording::refusal(self, &reasons, &asked())),
            Answer::Yes { permits, held } => {
                let left: BTreeSet<_> = held.into_iter().filter(|rule| !self.is_lifted(rule, granted)).collect();
                if left.is_empty() {
                    Verdict::Permit { rules: permits.into_iter().collect() }
                } else {
                    Verdict::NeedsApproval(wording::need(self, &left))
                }
            }
        }
    }

    fn is_lifted(&self, id: &RuleId, granted: &Granted<'_>) -> bool {
        let Some(rule) = self.rule(id) else { return false };
        let asks = match &rule.obligation {
            Obligation::Hold { quorums, .. } => quorums,
            Obligation::Permit | Obligation::Forbid | Obligation::Mask(_) => return false,
        };
        // A demand that came after the approval was not met by it.
        let proved = granted.quorums.is_none() || rule.step_up.as_ref().is_none_or(|one| granted.step_up.contains(one));
        let met = |asked: &Quorum| {
            granted
                .quorums
                .is_none_or(|met| met.iter().any(|quorum| quorum.group == asked.group && quorum.count >= asked.count))
        };
        granted.rules.contains(id) && proved && asks.iter().all(met)
    }
}

/// What is asked for: the accesses, and, where none of them is as grave as the whole, the unknown on the connection.
fn covering(operation: &Operation) -> Cow<'_, BTreeSet<Access>> {
    let gravest = operation.accesses.iter().map(|access| access.verb.effect()).max();
    if gravest.is_some_and(|gravest| gravest >= operation.effect) {
        return Cow::Borrowed(&operation.accesses);
    }
    // FAIL-CLOSED: an effect that no access accounts for is not understood.
    let mut accesses = operation.accesses.clone();
    accesses.insert(Access { verb: Verb::Unknown, object: None });
    Cow::Owned(accesses)
}

/// The strictest of several verdicts: a refusal wins, needs add up, permits join.
pub(super) fn strictest(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    // FAIL-CLOSED: nothing asked, nothing permitted.
    verdicts.into_iter().reduce(stricter).unwrap_or_else(|| {
        Verdict::Refuse(Refusal {
            kind: RefusalKind::Unsupported,
            rule: None,
            message: "this message asks for nothing that the gateway knows".into(),
            hint: None,
        })
    })
}

fn stricter(left: Verdict, right: Verdict) -> Verdict {
    match (left, right) {
        (Verdict::Refuse(refusal), _) | (_, Verdict::Refuse(refusal)) => Verdict::Refuse(refusal),
        (Verdict::NeedsApproval(mut need), Verdict::NeedsApproval(more)) => {
            wording::join(&mut need, more);
            Verdict::NeedsApproval(need)
        }
        (Verdict::NeedsApproval(need), Verdict::Permit { .. })
        | (Verdict::Permit { .. }, Verdict::NeedsApproval(need)) => Verdict::NeedsApproval(need),
        (Verdict::Permit { mut rules }, Verdict::Permit { rules: more }) => {
            rules.extend(more);
            rules.sort();
            rules.dedup();
            Verdict::Permit { rules }
        }
    }
}

/// The operation in words: `delete on public.orders`.
pub(super) fn words(to: &ConnectionFacts, operation: &Operation) -> Asked {
    let objects: BTreeSet<String> = operation.accesses.iter().filter_map(world::object_name).collect();
    let kind = operation.kind.replace('_', " ");
    let what = match objects.len() {
        0 => kind,
        1..=3 => format!("{kind} of {}", objects.into_iter().collect::<Vec<_>>().join(", ")),
        many => format!("{kind} of {many} objects"),
    };
    Asked { what, connection: to.name.to_string() }
}
