//! The questions that are not about operations: connect, reveal, and what the API may do. Law 10 ends here.

use std::sync::Arc;

use cedar_policy::RestrictedExpression;

use super::{
    ApiAction, ApiResource, Circumstances, Reveal,
    answer::{Answer, No},
    load::Loaded,
    rule::Obligation,
    weigh::{Granted, strictest},
    wording::Asked,
    world::{self, World, WorldError},
};
use crate::{
    mask::MaskFunction,
    model::{Authentication, ConnectionFacts, Principal, PrincipalKind, Refusal, RefusalKind, RuleId, StepUp, Verdict},
};

/// The name of the refusal that no policy of the site speaks: nobody reviews their own.
const NOT_YOUR_OWN: &str = "hoop:not-your-own";
/// Likewise: a reviewer is in the group that is asked for.
const NOT_IN_GROUP: &str = "hoop:not-in-group";
/// The name of the mask where no policy says whether a tag may be seen.
const NOT_PERMITTED: &str = "hoop:not-permitted";
/// Nothing was granted.
pub(super) const NOTHING: Granted<'_> = Granted { rules: &[], quorums: None, step_up: &[] };

impl Loaded {
    pub(super) fn connect(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        circumstances: &Circumstances,
        granted: &Granted<'_>,
    ) -> Verdict {
        strictest(who.everyone().map(|who| self.connect_one(who, to, circumstances, granted)))
    }

    fn connect_one(
        &self,
        who: &Principal,
        to: &ConnectionFacts,
        circumstances: &Circumstances,
        granted: &Granted<'_>,
    ) -> Verdict {
        let ask = || {
            let mut world = World::new(&self.vocabulary);
            let principal = world.principal(who)?;
            let connection = world.connection(to)?;
            let context = world::arrival_context(who, circumstances)?;
            Ok(self.ask(principal, self.vocabulary.action("connect"), connection, context, &world.entities()?))
        };
        let asked = || Asked { what: "connect".into(), connection: to.name.to_string() };
        self.verdict(answered(ask()), granted, asked)
    }

    /// Shown to an agent with lent presence only where both may see it, as the stricter of both says.
    pub(super) fn reveal(&self, who: &Principal, to: &ConnectionFacts, tag: &str) -> Reveal {
        let (mut strictest, mut lent) = (self.reveal_one(who, to, tag), who.lent_by.as_deref());
        while let Some(lender) = lent {
            strictest = stricter(strictest, self.reveal_one(lender, to, tag));
            lent = lender.lent_by.as_deref();
        }
        strictest
    }

    fn reveal_one(&self, who: &Principal, to: &ConnectionFacts, tag: &str) -> Reveal {
        let ask = || {
            let mut world = World::new(&self.vocabulary);
            let principal = world.principal(who)?;
            let connection = world.connection(to)?;
            let resource = world.tag(tag)?;
            let pairs =
                vec![world::agent(who), ("connection".into(), RestrictedExpression::new_entity_uid(connection))];
            let context = world::context(pairs)?;
            Ok(self.ask(principal, self.vocabulary.action("reveal"), resource, context, &world.entities()?))
        };
        match answered(ask()) {
            Answer::Yes { held, .. } if held.is_empty() => Reveal::Clear,
            Answer::Yes { held, .. } => self.strictest_mask(held.into_iter()),
            Answer::No(reasons) => self.strictest_mask(reasons.into_iter().filter_map(|no| match no {
                No::Forbidden(rule) | No::Failed(rule) => Some(rule),
                No::NotPermitted | No::Unaskable(_) => None,
            })),
        }
    }

    /// The strictest function among rules that hide a value; without `@mask` the whole value is hidden.
    fn strictest_mask(&self, rules: impl Iterator<Item = RuleId>) -> Reveal {
        let masked = rules.map(|id| match self.rule(&id).map(|rule| &rule.obligation) {
            Some(Obligation::Mask(function)) => (*function, id),
            Some(Obligation::Permit | Obligation::Forbid | Obligation::Hold { .. }) | None => {
                (MaskFunction::Redact, id)
            }
        });
        let (function, rule) = masked
            .min_by_key(|(function, id)| (shown(*function), id.clone()))
            .unwrap_or_else(|| (MaskFunction::Redact, RuleId(Arc::from(NOT_PERMITTED))));
        Reveal::Masked { function, rule }
    }

    pub(super) fn may(&self, who: &Principal, action: &ApiAction, on: &ApiResource) -> Verdict {
        if let Some(refusal) = forbidden_by_nature(who, action, on) {
            return Verdict::Refuse(refusal);
        }
        strictest(who.everyone().map(|who| self.may_one(who, action, on)))
    }

    fn may_one(&self, who: &Principal, action: &ApiAction, on: &ApiResource) -> Verdict {
        // FAIL-CLOSED: nobody acts as an agent through an agent, and nobody acts as a person.
        let acts = matches!(action, ApiAction::ActAs);
        let persons = |on: &ApiResource| matches!(on, ApiResource::Agent(agent) if agent.kind == PrincipalKind::Agent);
        if acts && !(who.kind == PrincipalKind::User && persons(on)) {
            return Verdict::Refuse(only_people_lend());
        }
        let ask = || {
            let mut world = World::new(&self.vocabulary);
            let principal = world.principal(who)?;
            let resource = match on {
                ApiResource::Gateway => world.gateway()?,
                ApiResource::Agent(agent) => world.principal(agent)?,
                ApiResource::Session { owner, connection } => {
                    let connection = world.connection(connection)?;
                    world.of_connection(&self.vocabulary.session, "owner", owner, connection)?
                }
                ApiResource::Request { requester, connection } => {
                    let connection = world.connection(connection)?;
                    world.of_connection(&self.vocabulary.request, "requester", requester, connection)?
                }
            };
            let mut pairs = vec![world::agent(who)];
            match action {
                ApiAction::Approve { group } => pairs.push(("group".into(), world::string(group.as_str()))),
                ApiAction::ReplaySession | ApiAction::ListSessions | ApiAction::KillSession => {
                    pairs.push(("own".into(), RestrictedExpression::new_bool(is_own(who, on))));
                }
                ApiAction::Administer | ApiAction::ActAs => {}
            }
            let context = world::context(pairs)?;
            Ok(self.ask(principal, self.vocabulary.action(action.as_str()), resource, context, &world.entities()?))
        };
        let asked = || Asked { what: action.as_str().replace('_', " "), connection: place(on) };
        self.verdict(answered(ask()), &NOTHING, asked)
    }

    /// What is missing where each of the permits that applied demands more of the authentication than it has. One that
    /// demands nothing, or whose demand is met, is enough.
    pub(super) fn step_up(&self, permits: &[RuleId], proved: &Authentication, now_seconds: i64) -> Option<StepUp> {
        let mut demands = permits.iter().map(|id| self.rule(id).and_then(|rule| rule.step_up.as_ref()));
        let first = demands.next()?;
        let unmet = |demand: Option<&StepUp>| demand.filter(|demand| !demand.is_met_by(proved, now_seconds)).cloned();
        demands.map(unmet).try_fold(unmet(first)?, |kept, next| next.map(|_also| kept))
    }
}

fn answered(asked: Result<Answer, WorldError>) -> Answer {
    asked.unwrap_or_else(|error| Answer::unaskable(&error))
}

fn stricter(left: Reveal, right: Reveal) -> Reveal {
    match (left, right) {
        (Reveal::Clear, other) | (other, Reveal::Clear) => other,
        (Reveal::Masked { function: left, rule }, Reveal::Masked { function: right, .. })
            if shown(left) <= shown(right) =>
        {
            Reveal::Masked { function: left, rule }
        }
        (Reveal::Masked { .. }, right) => right,
    }
}

/// How much of a value a function shows; less is stricter.
fn shown(function: MaskFunction) -> u8 {
    match function {
        MaskFunction::Null => 0,
        MaskFunction::Redact => 1,
        MaskFunction::Hash => 2,
        MaskFunction::Pseudonym => 3,
        MaskFunction::Last4 => 4,
        MaskFunction::Partial => 5,
    }
}

/// Law 5: a reviewer is in the group that is asked for, and has no interest in the request. No policy lifts this.
fn forbidden_by_nature(who: &Principal, action: &ApiAction, on: &ApiResource) -> Option<Refusal> {
    let (ApiAction::Approve { group }, ApiResource::Request { requester, .. }) = (action, on) else { return None };
    let (rule, message, hint) = if who.is_interested_in(requester) {
        (
            NOT_YOUR_OWN,
            "nobody reviews their own or their agent's request".to_owned(),
            format!("ask someone else in {group}"),
        )
    } else if !who.groups.contains(group) {
        (NOT_IN_GROUP, format!("{} is not in {group}", who.name), format!("ask someone in {group}"))
    } else {
        return None;
    };
    let rule = Some(RuleId(Arc::from(rule)));
    Some(Refusal { kind: RefusalKind::Policy, rule, message, hint: Some(hint) })
}

fn only_people_lend() -> Refusal {
    Refusal {
        kind: RefusalKind::Policy,
        rule: None,
        message: "only a person lends an agent their presence".to_owned(),
        hint: Some("leave --as-agent out: a service account runs as itself".to_owned()),
    }
}

/// Whether a session is the principal's own, their agent's, or that of an agent they lent their presence.
fn is_own(who: &Principal, on: &ApiResource) -> bool {
    match on {
        ApiResource::Session { owner, .. } => {
            owner.is(who)
                || who.lends_to(owner)
                || (who.kind == PrincipalKind::User && owner.owner.as_ref() == Some(&who.name))
        }
        ApiResource::Gateway | ApiResource::Agent(_) | ApiResource::Request { .. } => false,
    }
}

fn place(on: &ApiResource) -> String {
    match on {
        ApiResource::Gateway => "this gateway".to_owned(),
        ApiResource::Agent(agent) => format!("the agent {}", agent.name),
        ApiResource::Session { connection, .. } | ApiResource::Request { connection, .. } => {
            connection.name.to_string()
        }
    }
}
