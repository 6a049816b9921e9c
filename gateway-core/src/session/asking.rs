//! What reviewers are shown of an operation that is held: the request, made of what was decided and what it binds to.

use std::collections::BTreeSet;

use super::{environment::Environment, open::random};
use crate::{
    approval::{Asks, Binding, Facts, Request},
    model::{
        ApprovalId, ApprovalNeed, Effect, Refusal, RefusalKind, RunId, SessionId,
        flow::{Digestible, Inspected},
    },
};

/// Who asks, and in what.
pub(super) struct Asker<'asker> {
    pub(super) environment: &'asker Environment,
    pub(super) session: &'asker SessionId,
    pub(super) run: Option<&'asker RunId>,
    /// What the approval binds to, but for the session.
    pub(super) anywhere: Binding<'asker>,
}

impl Asker<'_> {
    /// The request, with its text as it is recorded.
    pub(super) fn request<M: Digestible>(
        &self,
        inspected: &Inspected<M>,
        need: &ApprovalNeed,
        text: &str,
    ) -> Result<Request, Refusal> {
        // FAIL-CLOSED: a request whose id could be guessed is not made.
        let drawn = random().map_err(|error| unasked(need, &error))?;
        let operations = inspected.operations();
        let worst = operations.iter().max_by_key(|operation| (operation.risk, operation.effect));
        let now = self.environment.clock.unix_millis();
        let life = i64::try_from(need.expires_after.as_millis()).unwrap_or(i64::MAX);
        let accesses = operations.iter().flat_map(|operation| &operation.accesses);
        let objects: BTreeSet<_> = accesses.filter_map(|access| access.object.clone()).collect();
        let reasons = worst.map(|one| one.risk_reasons.iter().map(|reason| (*reason).to_owned()).collect());
        let anywhere = &self.anywhere;
        Ok(Request {
            id: ApprovalId::new(u64::try_from(now).unwrap_or(0), drawn),
            requester: anywhere.requester.clone(),
            session: Some(self.session.clone()),
            run: self.run.cloned(),
            asks: Asks::Operation,
            connection: anywhere.connection.clone(),
            database: anywhere.database.to_owned(),
            role: anywhere.role.to_owned(),
            search_path: anywhere.search_path.to_vec(),
            objects,
            text: text.to_owned(),
            parameters: Vec::new(),
            kind: worst.map(|operation| operation.kind.to_string()).unwrap_or_default(),
            effect: worst.map_or(Effect::Unknown, |operation| operation.effect),
            risk: worst.map_or(100, |operation| operation.risk),
            risk_reasons: reasons.unwrap_or_default(),
            facts: Facts::default(),
            digest: inspected.digest(),
            same: inspected.digest_within(&anywhere.circumstance()),
            retries: 0,
            shape: None,
            shape_is_open: false,
            proposed_by: None,
            need: need.clone(),
            created_at_millis: now,
            expires_at_millis: now.saturating_add(life),
        })
    }
}

/// FAIL-CLOSED: what cannot be put before a reviewer is refused.
pub(super) fn unasked(need: &ApprovalNeed, error: &dyn std::error::Error) -> Refusal {
    let message = format!("this needs an approval, and it cannot be asked for: {error}");
    let (rule, hint) = (need.rules.first().cloned(), Some("Try again later.".to_owned()));
    Refusal { kind: RefusalKind::Unsupported, rule, message, hint }
}
