//! What people are told: one sentence that says what, why and by which rule, and a hint that says what to do next.
//!
//! Object names appear, statement text and values never.

use std::{collections::BTreeSet, time::Duration};

use super::{answer::No, load::Loaded, rule::Obligation};
use crate::model::{ApprovalNeed, Quorum, Refusal, RefusalKind, RuleId, StepUp};

/// What was asked, in words: `delete on public.orders`.
pub(super) struct Asked {
    pub(super) what: String,
    pub(super) connection: String,
}

/// The refusal for these reasons: the gravest is told, and of several forbids one that has a message.
pub(super) fn refusal(loaded: &Loaded, reasons: &BTreeSet<No>, asked: &Asked) -> Refusal {
    let with_message = |no: &&No| match no {
        No::Forbidden(rule) => loaded.rule(rule).is_some_and(|rule| rule.message.is_some()),
        No::NotPermitted | No::Failed(_) | No::Unaskable(_) => false,
    };
    let grave = |no: &No| matches!(no, No::Failed(_) | No::Unaskable(_));
    let told = match reasons.last() {
        Some(last) if !grave(last) => {
            reasons.iter().find(with_message).or_else(|| first_forbid(reasons)).unwrap_or(last)
        }
        Some(last) => last,
        None => &No::NotPermitted,
    };
    let Asked { what, connection } = asked;
    let (rule, message, hint) = match told {
        No::NotPermitted => (
            None,
            format!("no policy permits {what} on {connection}"),
            Some(format!("ask whoever keeps the policies of {connection} for a permit")),
        ),
        No::Forbidden(rule) => {
            let own = loaded.rule(rule).and_then(|rule| rule.message.clone());
            let message = own.unwrap_or_else(|| format!("{what} on {connection} is forbidden by {rule}"));
            let hint = format!("if it must be done, ask whoever keeps the policies of {connection} about {rule}");
            (Some(rule.clone()), message, Some(hint))
        }
        No::Failed(rule) => (
            Some(rule.clone()),
            format!("{what} on {connection} is refused because policy {rule} failed"),
            Some(format!("ask whoever keeps the policies to correct {rule}")),
        ),
        No::Unaskable(reason) => (None, format!("{what} on {connection} could not be decided: {reason}"), None),
    };
    Refusal { kind: RefusalKind::Policy, rule, message, hint }
}

/// What must be met to lift these rules: the largest count per group, the shortest time, the first message, every demand.
pub(super) fn need(loaded: &Loaded, held: &BTreeSet<RuleId>) -> ApprovalNeed {
    let mut need = ApprovalNeed {
        quorums: Vec::new(),
        rules: held.iter().cloned().collect(),
        message: None,
        expires_after: Duration::MAX,
        step_up: Vec::new(),
        window: None,
        shape: Some(Duration::MAX),
    };
    for rule in held.iter().filter_map(|id| loaded.rule(id)) {
        if need.message.is_none() {
            need.message.clone_from(&rule.message);
        }
        need.step_up.extend(rule.step_up.clone());
        if let Obligation::Hold { quorums, expires_after, window, shape } = &rule.obligation {
            need.expires_after = need.expires_after.min(*expires_after);
            need.window = shorter(need.window, *window);
            need.shape = need.shape.zip(*shape).map(|(left, right)| left.min(right));
            for quorum in quorums {
                add(&mut need.quorums, quorum);
            }
        }
    }
    tidy(&mut need.step_up);
    need
}

/// Adds another need to one: every quorum of both, the shorter time.
pub(super) fn join(need: &mut ApprovalNeed, more: ApprovalNeed) {
    for quorum in &more.quorums {
        add(&mut need.quorums, quorum);
    }
    need.rules.extend(more.rules);
    need.rules.sort();
    need.rules.dedup();
    need.message = need.message.take().or(more.message);
    need.expires_after = need.expires_after.min(more.expires_after);
    need.step_up.extend(more.step_up);
    tidy(&mut need.step_up);
    need.window = shorter(need.window, more.window);
    need.shape = need.shape.zip(more.shape).map(|(left, right)| left.min(right));
}

fn tidy(demands: &mut Vec<StepUp>) {
    demands.sort();
    demands.dedup();
}

/// The shorter of two bounds; one that is not set bounds nothing.
fn shorter(left: Option<Duration>, right: Option<Duration>) -> Option<Duration> {
    left.into_iter().chain(right).min()
}

fn add(quorums: &mut Vec<Quorum>, more: &Quorum) {
    match quorums.iter_mut().find(|quorum| quorum.group == more.group) {
        Some(quorum) => quorum.count = quorum.count.max(more.count),
        None => quorums.push(more.clone()),
    }
}

fn first_forbid(reasons: &BTreeSet<No>) -> Option<&No> {
    reasons.iter().find(|no| matches!(no, No::Forbidden(_)))
}
