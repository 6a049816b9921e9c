//! An immutable, validated set of policies and the questions that may be put to it.

use std::sync::Arc;

use super::{ApiAction, ApiResource, Circumstances, Decision, PolicySource, PolicyVersion, TagNames};
use crate::{
    approval::Grant,
    config::Problem,
    mask::MaskFunction,
    model::{ConnectionFacts, Operation, Principal, Refusal, RefusalKind, RuleId, Verdict, flow::Inspected},
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

/// A validated set of policies. Cheap to clone, never changed: a reload makes another one.
#[derive(Debug, Clone)]
pub struct PolicySet(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    version: PolicyVersion,
}

impl PolicySet {
    /// Parses and validates; on failure every problem with its place, not only the first.
    pub fn load(sources: &[PolicySource], tags: &TagNames) -> Result<Self, Vec<Problem>> {
        let _ = (sources, tags);
        Ok(Self(Arc::new(Loaded { version: PolicyVersion(String::new()) })))
    }

    /// The digest that names this set.
    pub fn version(&self) -> &PolicyVersion {
        &self.0.version
    }

    /// May this principal open a session on this connection?
    pub fn connect(&self, _who: &Principal, _to: &ConnectionFacts, _circumstances: &Circumstances) -> Verdict {
        not_built()
    }

    /// May this operation pass? Cached; the strictest answer over all its accesses.
    pub fn weigh(&self, _who: &Principal, _to: &ConnectionFacts, _asked: &Operation, _at: &Circumstances) -> Verdict {
        not_built()
    }

    /// Like [`Self::weigh`], with the liftable rules in `granted` taken as met.
    pub fn weigh_approved(
        &self,
        _who: &Principal,
        _to: &ConnectionFacts,
        _operation: &Operation,
        _circumstances: &Circumstances,
        _granted: &[RuleId],
    ) -> Verdict {
        not_built()
    }

    /// Decides a message: the strictest verdict over its operations; a message without any is refused.
    pub fn decide<M>(
        &self,
        _who: &Principal,
        _to: &ConnectionFacts,
        inspected: Inspected<M>,
        _circumstances: &Circumstances,
    ) -> Decision<M> {
        Decision::Refuse { refusal: refusal(), inspected }
    }

    /// Decides again under an approval, on the policies of now. Spends the grant; a grant for another digest refuses.
    pub fn decide_approved<M>(
        &self,
        _who: &Principal,
        _to: &ConnectionFacts,
        inspected: Inspected<M>,
        _circumstances: &Circumstances,
        _grant: Grant,
    ) -> Decision<M> {
        Decision::Refuse { refusal: refusal(), inspected }
    }

    /// May values of this tag be shown? Whatever goes wrong, they are masked.
    pub fn reveal(&self, _who: &Principal, _to: &ConnectionFacts, _tag: &str) -> Reveal {
        Reveal::Masked { function: MaskFunction::Redact, rule: RuleId(Arc::from("default")) }
    }

    /// May the API do this for this principal?
    pub fn may(&self, _who: &Principal, _action: &ApiAction, _on: &ApiResource) -> Verdict {
        not_built()
    }

    /// The Cedar schema that policies are validated against, in human syntax.
    pub const fn schema() -> &'static str {
        ""
    }
}

fn not_built() -> Verdict {
    Verdict::Refuse(refusal())
}

fn refusal() -> Refusal {
    Refusal { kind: RefusalKind::Unsupported, rule: None, message: "policies are not built yet".into(), hint: None }
}
