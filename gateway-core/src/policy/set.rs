//! An immutable, validated set of policies and the questions that may be put to it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ApiAction, ApiResource, Circumstances, Decision, Permitted, PolicySource, PolicyVersion, TagNames,
    cache::{Asked, Cache},
    gate::NOTHING,
    load::{self, Loaded},
    schema,
    weigh::{Granted, strictest, words},
};
use crate::{
    approval::{Grant, Lease},
    config::Problem,
    mask::MaskFunction,
    model::{
        Authentication, ConnectionFacts, Operation, Principal, Refusal, RefusalKind, RuleId, StepUp, Verdict,
        flow::{Digestible, Inspected, Preparation},
    },
};

/// Whether values of a tag may be shown to someone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reveal {
    /// As they are.
    Clear,
    /// Masked.
    Masked {
        /// How.
        function: MaskFunction,
        /// The policy that says so.
        rule: RuleId,
    },
}

/// A validated set of policies. Cheap to clone, never changed: a reload makes another one, with an empty cache.
#[derive(Debug, Clone)]
pub struct PolicySet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    loaded: Loaded,
    /// `None` where a policy reads the time.
    cache: Option<Cache>,
}

impl PolicySet {
    /// Parses and validates; on failure every problem with its place, not only the first.
    pub fn load(sources: &[PolicySource], tags: &TagNames) -> Result<Self, Vec<Problem>> {
        let loaded = load::load(sources, tags)?;
        let cache = (!loaded.reads_time).then(Cache::new);
        Ok(Self(Arc::new(Shared { loaded, cache })))
    }

    /// Whether it is the very same set: what was worked out with the one stands with the other.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The digest that names this set.
    pub fn version(&self) -> &PolicyVersion {
        &self.0.loaded.version
    }

    /// Whether some policy reads what only the planner knows, so that it must be asked before deciding.
    pub fn reads_estimates(&self) -> bool {
        self.0.loaded.reads_estimates
    }

    /// Whether some policy reads what a run has used up.
    pub fn reads_usage(&self) -> bool {
        self.0.loaded.reads_usage
    }

    /// Whether some policy reads `has_where`, which the planner may deny where the text does not.
    pub fn reads_has_where(&self) -> bool {
        self.0.loaded.reads_has_where
    }

    /// Whether some answer about an operation can depend on what its names mean, or is an approval, which binds to it.
    pub fn reads_names(&self) -> bool {
        self.0.loaded.reads_names || self.0.loaded.lifts
    }

    /// The text of each policy of the site by its name; what every site has is left out.
    pub fn texts(&self) -> BTreeMap<RuleId, String> {
        self.0.loaded.texts()
    }

    /// The Cedar schema that policies are validated against, in human syntax.
    pub const fn schema() -> &'static str {
        schema::TEXT
    }

    /// May this principal open a session on this connection?
    pub fn connect(&self, who: &Principal, to: &ConnectionFacts, circumstances: &Circumstances) -> Verdict {
        self.0.loaded.connect(who, to, circumstances, &NOTHING)
    }

    /// Decides a connection again under an open window, on the policies of now: a window that was opened by fewer or
    /// other reviewers than they ask for opens nothing any more. Whose it is, for where, and whether it is still open
    /// are part of the answer.
    pub fn connect_approved(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        circumstances: &Circumstances,
        window: &Lease,
        now_millis: i64,
    ) -> Verdict {
        if !window.opens(who, &to.name, now_millis) {
            return self.connect(who, to, circumstances);
        }
        let (rules, quorums, step_up) = (&window.rules, Some(window.quorums.as_slice()), window.step_up.as_slice());
        let granted = Granted { rules, quorums, step_up };
        self.0.loaded.connect(who, to, circumstances, &granted)
    }

    /// May this operation pass? The strictest answer over all its accesses; cached unless a policy reads the time, or the
    /// usage of its run.
    pub fn weigh(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        operation: &Operation,
        circumstances: &Circumstances,
    ) -> Verdict {
        // Law 7: what ends a transaction, or returns to a savepoint of it, always passes.
        if operation.ends_transaction() {
            return Verdict::Permit { rules: Vec::new() };
        }
        let reach = || {
            self.weigh_granted(who, to, operation, circumstances, &Granted { rules: &[], quorums: None, step_up: &[] })
        };
        // Parts of a request are as many as there are requests: an answer that may depend on them is not kept.
        let depends = operation.request.is_some() && self.0.loaded.reads_requests;
        let budgeted = circumstances.usage.is_some() && self.0.loaded.reads_usage;
        let verdict = match &self.0.cache {
            Some(cache) if !depends && !budgeted => cache.get_or(Asked { who, to, operation, circumstances }, reach),
            Some(_) | None => reach(),
        };
        advised(verdict, operation)
    }

    /// Like [`Self::weigh`], with the liftable rules in `granted` taken as met. Never cached.
    pub fn weigh_approved(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        operation: &Operation,
        circumstances: &Circumstances,
        granted: &[RuleId],
    ) -> Verdict {
        let granted = Granted { rules: granted, quorums: None, step_up: &[] };
        advised(self.weigh_granted(who, to, operation, circumstances, &granted), operation)
    }

    /// What a message of these operations would come to, as a value that lets nothing pass.
    pub fn verdict(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        operations: &[Operation],
        circumstances: &Circumstances,
    ) -> Verdict {
        strictest(operations.iter().map(|operation| self.weigh(who, to, operation, circumstances)))
    }

    /// Decides a message: the strictest verdict over its operations; a message without any is refused.
    pub fn decide<M>(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        inspected: Inspected<M>,
        circumstances: &Circumstances,
    ) -> Decision<M> {
        let weigh = |operation| self.weigh(who, to, operation, circumstances);
        match strictest(inspected.operations().iter().map(weigh)) {
            Verdict::Permit { rules } => Decision::Permit(Permitted::new(inspected, rules, None)),
            Verdict::Refuse(refusal) => Decision::Refuse { refusal, inspected },
            Verdict::NeedsApproval(need) => Decision::NeedsApproval { need, inspected },
        }
    }

    /// Decides a message that only prepares: like [`Self::decide`], but what an approval could lift does not hold it,
    /// since its execution is decided again. A message that runs something is decided as such.
    pub fn decide_preparation<M: Preparation>(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        inspected: Inspected<M>,
        circumstances: &Circumstances,
    ) -> Decision<M> {
        match self.decide(who, to, inspected, circumstances) {
            Decision::NeedsApproval { need, inspected } if inspected.message().only_prepares() => {
                Decision::Permit(Permitted::new(inspected, need.rules, None))
            }
            decided @ (Decision::Permit(_) | Decision::Refuse { .. } | Decision::NeedsApproval { .. }) => decided,
        }
    }

    /// Decides again under an approval, on the policies of now. Spends the grant. Refuses where the grant is for
    /// another message; needs approval again where other reviewers are needed by now.
    pub fn decide_approved<M: Digestible>(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        inspected: Inspected<M>,
        circumstances: &Circumstances,
        grant: Grant,
    ) -> Decision<M> {
        let Grant { id, rules, quorums, step_up, digest, .. } = grant;
        if inspected.digest() != digest {
            return Decision::Refuse { refusal: approved_another(), inspected };
        }
        let granted = Granted { rules: &rules, quorums: Some(&quorums), step_up: &step_up };
        let weigh = |asked| advised(self.weigh_granted(who, to, asked, circumstances, &granted), asked);
        match strictest(inspected.operations().iter().map(weigh)) {
            Verdict::Permit { rules } => Decision::Permit(Permitted::new(inspected, rules, Some(id))),
            Verdict::Refuse(refusal) => Decision::Refuse { refusal, inspected },
            Verdict::NeedsApproval(need) => Decision::NeedsApproval { need, inspected },
        }
    }

    /// May values of this tag be shown? Whatever goes wrong, they are masked.
    pub fn reveal(&self, who: &Principal, to: &ConnectionFacts, tag: &str) -> Reveal {
        self.0.loaded.reveal(who, to, tag)
    }

    /// May the API do this for this principal? The same policies as for the data path (law 10).
    pub fn may(&self, who: &Principal, action: &ApiAction, on: &ApiResource) -> Verdict {
        self.0.loaded.may(who, action, on)
    }

    /// What a caller whom these permits let approve must prove first; `None` where what they proved is enough.
    pub fn step_up(&self, permits: &[RuleId], proved: &Authentication, now_seconds: i64) -> Option<StepUp> {
        self.0.loaded.step_up(permits, proved, now_seconds)
    }

    fn weigh_granted(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        operation: &Operation,
        circumstances: &Circumstances,
        granted: &Granted<'_>,
    ) -> Verdict {
        // Lent presence: both are asked, and the stricter answer stands.
        strictest(who.everyone().map(|who| {
            let answer = self.0.loaded.answer(who, to, operation, circumstances);
            self.0.loaded.verdict(answer, granted, || words(to, operation))
        }))
    }
}

/// A refusal carries the smallest rewrite that would be easier to permit, where inspection knows one.
fn advised(verdict: Verdict, operation: &Operation) -> Verdict {
    match (verdict, &operation.advice) {
        (Verdict::Refuse(refusal), Some(advice)) => Verdict::Refuse(Refusal { hint: Some(advice.clone()), ..refusal }),
        (verdict, _) => verdict,
    }
}

fn approved_another() -> Refusal {
    Refusal {
        kind: RefusalKind::Policy,
        rule: None,
        message: "the approval was given for another statement".into(),
        hint: Some("run the statement again to ask anew".into()),
    }
}
