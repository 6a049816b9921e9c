//! Whether a reviewer's login is as fresh and as strong as the policies demand before an approval counts.
//!
//! Demands stand on the policies that hold, which all must be met, and on those that permit to approve, of which one
//! must be. Denying demands nothing: it lets nothing through.

use super::{ApiState, approvals::on, caller::Caller, problem::ApiError};
use crate::{
    approval::Case,
    model::{Authentication, Principal, StepUp, Verdict},
    policy::ApiAction,
    record::GatewayEvent,
};

/// Fails with what is missing. What is asked for and refused is recorded, as every refusal is.
pub(super) async fn check(
    state: &ApiState,
    caller: &Caller,
    reviewer: &Principal,
    case: &Case,
) -> Result<(), ApiError> {
    let Some(demand) = unmet(state, &caller.0.authentication, reviewer, case) else { return Ok(()) };
    let id = &case.request().id;
    let mut reason = words(&demand);
    if demand.max_age_seconds.is_some() && caller.0.authentication.at.is_none() {
        reason.push_str(", and your token does not say when you logged in (`auth_time`)");
    }
    let login = command(&demand);
    let event = GatewayEvent::Denied {
        who: caller.principal().clone(),
        action: format!("approve {id}"),
        reason: reason.clone(),
    };
    if let Err(failure) = state.0.recordings.note(event).await {
        tracing::error!(%failure, "a refusal could not be recorded");
    }
    Err(ApiError::step_up(demand).detail(reason).hint(format!("run `{login}`, then `hoop approvals approve {id}`")))
}

/// The demands of the holding policies as one, for reviewers to see before they decide.
pub(super) fn shown(demands: &[StepUp]) -> Option<StepUp> {
    let mut demands = demands.iter();
    let first = demands.next()?.clone();
    Some(demands.fold(first, StepUp::and))
}

/// The first demand that the login does not meet. A group for which the reviewer would have to prove more does not
/// count silently less: the reviewer is asked.
fn unmet(state: &ApiState, proved: &Authentication, reviewer: &Principal, case: &Case) -> Option<StepUp> {
    let now = state.0.clock.unix_seconds();
    let need = &case.request().need;
    let held = need.step_up.iter().filter(|demand| !demand.is_met_by(proved, now));
    let policies = state.policies();
    let groups = need.quorums.iter().map(|quorum| &quorum.group).filter(|group| reviewer.groups.contains(*group));
    let permitted = groups.filter_map(|group| {
        match policies.may(reviewer, &ApiAction::Approve { group: group.clone() }, &on(case)) {
            Verdict::Permit { rules } => policies.step_up(&rules, proved, now),
            // Whoever may not approve at all was told so before.
            Verdict::Refuse(_) | Verdict::NeedsApproval(_) => None,
        }
    });
    held.cloned().chain(permitted).reduce(|both, more| both.and(&more))
}

fn words(demand: &StepUp) -> String {
    let recent = demand.max_age_seconds.map(|seconds| format!("a login that is at most {} old", spoken(seconds)));
    let strong = demand.acr.as_ref().map(|acr| match &recent {
        Some(_) => format!(" and of the kind `{acr}`"),
        None => format!("a login of the kind `{acr}`"),
    });
    format!("to approve this, a policy wants {}{}", recent.unwrap_or_default(), strong.unwrap_or_default())
}

fn spoken(seconds: u32) -> String {
    let (count, unit) = match seconds {
        days if days % 86_400 == 0 => (days / 86_400, "day"),
        hours if hours % 3_600 == 0 => (hours / 3_600, "hour"),
        minutes if minutes % 60 == 0 => (minutes / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn command(demand: &StepUp) -> String {
    let recent = demand.max_age_seconds.map(|seconds| format!(" --max-age {seconds}")).unwrap_or_default();
    let strong = demand.acr.as_ref().map(|acr| format!(" --acr '{acr}'")).unwrap_or_default();
    format!("hoop login{recent}{strong}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_and_how_to_get_it() {
        let demand = |max_age_seconds, acr: Option<&str>| StepUp { max_age_seconds, acr: acr.map(str::to_owned) };
        let both = demand(Some(900), Some("phr"));
        let wanted = "to approve this, a policy wants a login that is at most 15 minutes old and of the kind `phr`";
        assert_eq!((words(&both).as_str(), command(&both).as_str()), (wanted, "hoop login --max-age 900 --acr 'phr'"));
        assert!(words(&demand(Some(3_600), None)).ends_with("at most 1 hour old"));
        assert!(words(&demand(None, Some("phr"))).ends_with("a login of the kind `phr`"));
    }
}
