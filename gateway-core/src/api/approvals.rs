//! Requests for approval: list, show, approve, deny. A review is recorded before it counts.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{
        Path, Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
};
use http::StatusCode;
use serde::Deserialize;

use super::{
    ApiState,
    caller::Caller,
    guard::json,
    problem::ApiError,
    step_up,
    types::{ApprovalItem, ApprovalStatus, Asks, HistoryItem, ReviewItem, ReviewRequest, ShapeChoice},
};
use crate::{
    approval::{self, Ballot, Case, Listed, Review, ShapeTerms, State as Standing, Vote},
    model::{ApprovalId, Principal, PrincipalKind, Verdict},
    policy::{ApiAction, ApiResource},
    record::GatewayEvent,
};

/// As many are looked through for those that the caller may see.
const MAX_LOOKED_THROUGH: usize = 2_000;
const MAX_LISTED: usize = 200;
/// Earlier requests of the same shape that are shown.
const MAX_HISTORY: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    all: bool,
}

pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<ApprovalItem>>, ApiError> {
    let Query(query) = query.map_err(|_malformed| ApiError::new(StatusCode::BAD_REQUEST, "`all` is true or false"))?;
    let listed = if query.all { Listed::All } else { Listed::Pending };
    let cases = state.0.desk.list(listed, MAX_LOOKED_THROUGH).await?;
    let visible = cases.iter().filter(|case| is_visible(&state, caller.principal(), case));
    Ok(Json(visible.take(MAX_LISTED).map(|case| item(&state, caller.principal(), case)).collect()))
}

pub(super) async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ApprovalItem>, ApiError> {
    let case = visible(&state, caller.principal(), &id).await?;
    let mut item = item(&state, caller.principal(), &case);
    item.history = history(&state, caller.principal(), &case).await?;
    Ok(Json(item))
}

/// Takes a request back. Only who asked, and who answers for the agent that did, may.
pub(super) async fn withdraw(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ApprovalItem>, ApiError> {
    let case = visible(&state, caller.principal(), &id).await?;
    if !is_of(caller.principal(), &case.request().requester) {
        let detail = "it is for who asked to take it back; reviewers deny";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "not your request").detail(detail));
    }
    let id = case.request().id.clone();
    state.0.desk.withdraw(&id).await?;
    Ok(Json(item(&state, caller.principal(), &state.0.desk.show(&id).await?)))
}

/// How earlier requests of the same shape on the same connection ended, of those that the caller may see.
async fn history(state: &ApiState, who: &Principal, case: &Case) -> Result<Vec<HistoryItem>, ApiError> {
    let request = case.request();
    let Some(shape) = &request.shape else { return Ok(Vec::new()) };
    let cases = state.0.desk.of_shape(shape, &request.connection.name, MAX_HISTORY).await?;
    let earlier = cases.iter().filter(|other| other.request().id != request.id && is_visible(state, who, other));
    let items = earlier.map(|other| HistoryItem {
        id: other.request().id.clone(),
        status: status(other.state()),
        by: other.reviews().iter().map(|review| review.by.name.clone()).collect(),
        at_millis: other.request().created_at_millis,
    });
    Ok(items.collect())
}

/// The bounds of a shape that a reviewer lets pass; refused where the policies or the statement do not allow it.
fn shape_terms(case: &Case, vote: Vote, choice: Option<&ShapeChoice>) -> Result<Option<ShapeTerms>, ApiError> {
    let Some(choice) = choice else { return Ok(None) };
    let refused = |detail: String| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the shape cannot be approved")
            .detail(detail)
            .hint("approve this one statement")
    };
    if vote == Vote::Deny {
        return Err(refused("a denial is of one statement".to_owned()));
    }
    let request = case.request();
    let Some(longest) = request.shape_limit() else {
        return Err(refused("the policies that hold it, or the values in it, do not allow that".to_owned()));
    };
    let wanted = Duration::from_secs(choice.for_seconds);
    if wanted.is_zero() || wanted > longest {
        return Err(refused(format!("the policies allow at most {} seconds", longest.as_secs())));
    }
    let estimated = request.facts.estimated_rows;
    let Some(max_rows) = choice.max_rows.or(estimated) else {
        return Err(refused("the planner does not know how many rows it is about".to_owned()));
    };
    let for_millis = i64::try_from(wanted.as_millis()).unwrap_or(i64::MAX);
    Ok(Some(ShapeTerms { for_millis, max_rows }))
}

pub(super) async fn approve(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ApprovalItem>, ApiError> {
    review(&state, &caller, &id, Vote::Approve, body).await
}

pub(super) async fn deny(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ApprovalItem>, ApiError> {
    review(&state, &caller, &id, Vote::Deny, body).await
}

async fn review(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    vote: Vote,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ApprovalItem>, ApiError> {
    // Approving needs no body at all.
    let request: ReviewRequest = match body {
        Ok(body) if body.is_empty() => ReviewRequest::default(),
        body => json(body)?,
    };
    let who = caller.principal();
    let case = visible(state, who, id).await?;
    let reviewer = entitled(state, who, &case).await?;
    let reason = request.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let at_millis = state.0.clock.unix_millis();
    let shape = shape_terms(&case, vote, request.shape.as_ref())?;
    case.admit(&Review { by: reviewer.clone(), vote, reason: reason.clone(), at_millis, shape })?;
    if vote == Vote::Approve {
        step_up::check(state, caller, &reviewer, &case).await?;
    }
    let id = case.request().id.clone();
    // FAIL-CLOSED: a review that is not in the record does not count.
    let approved = vote == Vote::Approve;
    let event = GatewayEvent::Reviewed { who: who.clone(), approval: id.clone(), approved, reason: reason.clone() };
    state.0.recordings.note(event).await?;
    if let Err(failure) = state.0.desk.vote(&id, &reviewer, Ballot { vote, reason, shape }).await {
        let event = GatewayEvent::Denied {
            who: who.clone(),
            action: format!("review {id}"),
            reason: format!("the review did not count: {failure}"),
        };
        if let Err(failure) = state.0.recordings.note(event).await {
            tracing::error!(%failure, "a void review could not be recorded");
        }
        return Err(failure.into());
    }
    Ok(Json(item(state, who, &state.0.desk.show(&id).await?)))
}

/// The reviewer with only those groups, of the ones asked, that policy lets them approve for.
async fn entitled(state: &ApiState, who: &Principal, case: &Case) -> Result<Principal, ApiError> {
    case.may_review(who)?;
    let mut reviewer = who.clone();
    let mut refusal = None;
    for quorum in &case.request().need.quorums {
        if !reviewer.groups.contains(&quorum.group) {
            continue;
        }
        let action = ApiAction::Approve { group: quorum.group.clone() };
        if let Err(refused) = state.authorize(who, &action, &on(case)) {
            reviewer.groups.remove(&quorum.group);
            refusal = Some(refused);
        }
    }
    match (case.may_review(&reviewer), refusal) {
        (Ok(()), _) => Ok(reviewer),
        (Err(_none_left), Some(refusal)) => {
            Err(state.refuse(who, format!("approve {}", case.request().id), refusal).await)
        }
        (Err(refused), None) => Err(refused.into()),
    }
}

/// Whether the caller may review it now.
pub(super) fn may_review(state: &ApiState, who: &Principal, case: &Case) -> bool {
    let policies = state.policies();
    let permits = |action: &ApiAction| matches!(policies.may(who, action, &on(case)), Verdict::Permit { .. });
    let mut quorums = case.request().need.quorums.iter().filter(|quorum| who.groups.contains(&quorum.group));
    case.state().is_pending()
        && case.may_review(who).is_ok()
        && quorums.any(|quorum| permits(&ApiAction::Approve { group: quorum.group.clone() }))
}

/// Whether it is somebody's own request, or that of an agent that they answer for or lent their presence.
fn is_of(who: &Principal, requester: &Principal) -> bool {
    requester.is(who)
        || who.lends_to(requester)
        || (who.kind == PrincipalKind::User && requester.owner.as_ref() == Some(&who.name))
}

pub(super) fn on(case: &Case) -> ApiResource {
    let request = case.request();
    ApiResource::Request { requester: request.requester.clone(), connection: request.connection.clone() }
}

async fn visible(state: &ApiState, who: &Principal, id: &str) -> Result<Case, ApiError> {
    let id: ApprovalId = id.parse().map_err(|_malformed| ApiError::not_found("no such request"))?;
    let case = state.0.desk.show(&id).await?;
    if is_visible(state, who, &case) { Ok(case) } else { Err(ApiError::not_found("no such request")) }
}

/// Seen by who asked, by who answers for the agent that asked, by members of a group asked, and by whom policy lets
/// replay the session.
pub(super) fn is_visible(state: &ApiState, who: &Principal, case: &Case) -> bool {
    let request = case.request();
    let requester = &request.requester;
    let asked = request.need.quorums.iter().any(|quorum| who.groups.contains(&quorum.group));
    let session = || ApiResource::Session { owner: requester.clone(), connection: request.connection.clone() };
    is_of(who, requester) || asked || state.authorize(who, &ApiAction::ReplaySession, &session()).is_ok()
}

pub(super) fn item(state: &ApiState, who: &Principal, case: &Case) -> ApprovalItem {
    let request = case.request();
    let (asks, reason) = match &request.asks {
        approval::Asks::Operation => (Asks::Operation, None),
        approval::Asks::Access { reason, .. } => (Asks::Access, reason.clone()),
    };
    let rights = |reviewer: &Principal| state.0.desk.rights(reviewer, request);
    let reviews = case.reviews().iter().map(|review| ReviewItem {
        by: review.by.name.clone(),
        approved: review.vote == Vote::Approve,
        reason: review.reason.clone(),
        at_millis: review.at_millis,
    });
    ApprovalItem {
        id: request.id.clone(),
        status: status(case.state()),
        asks,
        requester: request.requester.clone(),
        agent: (request.requester.kind == PrincipalKind::Agent).then(|| request.requester.name.to_string()),
        run: request.run.as_ref().map(ToString::to_string),
        task: None,
        session: request.session.clone(),
        connection: request.connection.name.clone(),
        database: request.database.clone(),
        role: request.role.clone(),
        text: request.text.clone(),
        parameters: request.parameters.clone(),
        kind: request.kind.clone(),
        effect: request.effect.as_str().to_owned(),
        objects: request.objects.iter().map(ToString::to_string).collect(),
        risk: request.risk,
        risk_reasons: request.risk_reasons.clone(),
        estimated_rows: request.facts.estimated_rows,
        estimated_percent: request.facts.estimated_percent,
        export: request.facts.export,
        filters_on: request.facts.filters_on.iter().cloned().collect(),
        rules: request.need.rules.clone(),
        message: request.need.message.clone(),
        reason,
        window_seconds: request.window_millis().and_then(|millis| u64::try_from(millis / 1_000).ok()),
        shape: request.shape.as_ref().map(ToString::to_string),
        shape_for_seconds: request.shape_limit().map(|longest| longest.as_secs()),
        history: Vec::new(),
        retries: request.retries,
        proposed_by: request.proposed_by.clone(),
        may_review: may_review(state, who, case),
        missing: if case.state().is_pending() { case.missing(&rights) } else { Vec::new() },
        quorums: request.need.quorums.clone(),
        reviews: reviews.collect(),
        created_at_millis: request.created_at_millis,
        expires_at_millis: request.expires_at_millis,
        step_up: step_up::shown(&request.need.step_up),
    }
}

fn status(state: &Standing) -> ApprovalStatus {
    match state {
        Standing::Pending { .. } => ApprovalStatus::Pending,
        Standing::Approved { .. } => ApprovalStatus::Approved,
        Standing::Denied { .. } => ApprovalStatus::Denied,
        Standing::Expired => ApprovalStatus::Expired,
        Standing::Withdrawn => ApprovalStatus::Withdrawn,
        Standing::Superseded => ApprovalStatus::Superseded,
    }
}
