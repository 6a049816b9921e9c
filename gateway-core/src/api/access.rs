//! Just-in-time access: asking for it, what is open, and what waits on which reviewer.
//!
//! Asking needs no right but the one to ask: the policies say whether connecting needs an approval, and of whom.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;

use super::{
    ApiState,
    approvals::{is_visible, item, may_review},
    caller::Caller,
    guard::json,
    problem::ApiError,
    runs,
    types::{AccessItem, AccessRequest, ApprovalItem, ReviewerItem},
};
use crate::{
    approval::{Case, LeaseKind, Listed, MAX_REASON_BYTES, SubmitError},
    model::{Principal, PrincipalName},
    policy::{Circumstances, Source},
    session::{Admission, Wish, access_request, admission, longest_window_millis},
};

/// Requests that the load of reviewers is counted over.
const MAX_COUNTED: usize = 2_000;
const DAY_MILLIS: i64 = 24 * 3_600_000;

/// `POST /connections/{name}/access`.
pub(super) async fn ask(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ApprovalItem>, ApiError> {
    let wanted: AccessRequest = json(body)?;
    let who = &runs::present(&state, caller.principal(), wanted.as_agent.as_ref()).await?;
    let connections = state.0.connections.borrow().clone();
    let found = connections.into_iter().find(|connection| connection.facts.name.as_str() == name);
    let connection = found.ok_or_else(|| ApiError::not_found("no such connection"))?;
    let reason = wanted.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON_BYTES / 4) {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the reason is too long")
            .hint(format!("say it in {} bytes", MAX_REASON_BYTES / 4)));
    }
    let now = state.0.clock.unix_millis();
    let need = match admission_of(&state, who, &connection.facts, now) {
        Admission::Needs(need) => need,
        Admission::Refused(refusal) => return Err(state.refuse(who, format!("connect {name}"), refusal).await),
        Admission::Open(window) => {
            let detail = window.map_or_else(
                || "connecting there needs no approval".to_owned(),
                |window| format!("it is open to you already, by {}", window.approval),
            );
            return Err(ApiError::new(StatusCode::CONFLICT, "there is nothing to ask for")
                .detail(detail)
                .hint(format!("run `hoop connect {name}`")));
        }
    };
    let for_millis = match wanted.for_seconds {
        None => None,
        Some(seconds) => {
            let millis = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000));
            let longest = longest_window_millis(&need);
            let fits = millis.filter(|millis| (1_000..=longest).contains(millis));
            Some(fits.ok_or_else(|| {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "access is not given for so long")
                    .detail(format!("the policies allow at most {} seconds there", longest / 1_000))
                    .hint("ask for less")
            })?)
        }
    };
    let wish =
        Wish { who, to: &connection.facts, role: &connection.role, reason: reason.as_deref(), run: None, for_millis };
    let request = access_request(wish, &need, now)
        .map_err(|failure| ApiError::unavailable("the gateway cannot make a request", &failure))?;
    let id = state.0.desk.ask(request).await?;
    let case = state.0.desk.show(&id).await?;
    Ok(Json(item(&state, caller.principal(), &case)))
}

/// `GET /access`: what is open to the caller.
pub(super) async fn list(State(state): State<ApiState>, caller: Caller) -> Json<Vec<AccessItem>> {
    let (who, now) = (caller.principal(), state.0.clock.unix_millis());
    let leases = state.0.desk.leases();
    let leases = leases.borrow().clone();
    let mine =
        leases.iter().filter(|lease| lease.kind == LeaseKind::Access && lease.opens(who, &lease.connection, now));
    let items = mine.map(|lease| AccessItem {
        connection: lease.connection.clone(),
        approval: lease.approval.clone(),
        by: lease.by.clone(),
        reason: lease.reason.clone(),
        opened_at_millis: lease.opened_at_millis,
        ends_at_millis: lease.ends_at_millis,
    });
    Json(items.collect())
}

/// `GET /reviewers`: who has how much to decide, counted over the requests that the caller may see.
pub(super) async fn reviewers(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<Vec<ReviewerItem>>, ApiError> {
    let cases = state.0.desk.list(Listed::All, MAX_COUNTED).await?;
    let visible: Vec<&Case> = cases.iter().filter(|case| is_visible(&state, caller.principal(), case)).collect();
    let since = state.0.clock.unix_millis().saturating_sub(DAY_MILLIS);
    let mut loads: BTreeMap<PrincipalName, (u64, u64)> = BTreeMap::new();
    for person in state.0.last_seen.everybody() {
        let waits = visible.iter().filter(|case| may_review(&state, &person, case)).count();
        if waits > 0 {
            loads.entry(person.name).or_default().0 += u64::try_from(waits).unwrap_or(u64::MAX);
        }
    }
    for review in visible.iter().flat_map(|case| case.reviews()).filter(|review| review.at_millis >= since) {
        loads.entry(review.by.name.clone()).or_default().1 += 1;
    }
    let items = loads.into_iter().map(|(name, (pending, decided_24h))| ReviewerItem { name, pending, decided_24h });
    Ok(Json(items.collect()))
}

/// Whether somebody may connect now, through the tunnel.
pub(super) fn admission_of(
    state: &ApiState,
    who: &Principal,
    to: &crate::model::ConnectionFacts,
    now_millis: i64,
) -> Admission {
    let at = Circumstances::at(now_millis.div_euclid(1_000), Source::Tunnel);
    let leases = state.0.desk.leases();
    let leases = leases.borrow().clone();
    admission(&state.policies(), &leases, who, to, &at, now_millis)
}

impl From<SubmitError> for ApiError {
    fn from(failure: SubmitError) -> Self {
        match &failure {
            SubmitError::TooManyOfYours(_) | SubmitError::TooMany(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests wait").detail(failure.to_string())
            }
            SubmitError::TooLarge(_) | SubmitError::NoQuorum | SubmitError::Duplicate => {
                Self::new(StatusCode::CONFLICT, "it cannot be asked for").detail(failure.to_string())
            }
            SubmitError::Storage(_) | SubmitError::Closed => Self::unavailable("the store does not work", &failure),
        }
    }
}
