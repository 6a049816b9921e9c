//! Whether the gateway works: in one word for everybody, part by part for whom policy lets administer it.

use std::time::{Duration, Instant};

use axum::{Json, extract::State};
use futures_util::future::join_all;
use http::StatusCode;
use tokio::{net::TcpStream, time::timeout};

use super::{
    ApiConnection, ApiState,
    caller::Caller,
    notifications::administers,
    problem::ApiError,
    types::{ConnectionHealth, Health, HealthDetail, NotificationHealth},
};
use crate::{approval::Listed, store::DeliveryCounts};

/// How long a server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(3);
const MAX_COUNTED: usize = 2_000;

pub(super) async fn health(State(state): State<ApiState>) -> (StatusCode, Json<Health>) {
    let health = look(&state).await;
    (if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}

/// Answers with 200 whatever does not work: the answer says it.
pub(super) async fn detail(State(state): State<ApiState>, caller: Caller) -> Result<Json<HealthDetail>, ApiError> {
    administers(&state, &caller, "look at the gateway's health").await?;
    let connections = state.0.connections.borrow().clone();
    let (health, connections) = tokio::join!(look(&state), join_all(connections.iter().map(reach)));
    let pending = state.0.desk.list(Listed::Pending, MAX_COUNTED).await;
    let counts = state.0.outbox.counts().await;
    let DeliveryCounts { waiting, dead } = counts.unwrap_or_default();
    Ok(Json(HealthDetail {
        health,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        live_sessions: state.0.registry.len(),
        pending_approvals: pending.map_or(0, |cases| cases.len()),
        connections,
        notifications: NotificationHealth { waiting, dead, receivers: state.0.outbox.receivers() },
    }))
}

async fn look(state: &ApiState) -> Health {
    let recorder = state.0.recordings.works();
    let (store, identity) = tokio::join!(state.0.desk.works(), state.0.verifier.works());
    Health { ok: recorder && store && identity, recorder, store, identity }
}

/// Connects and hangs up: nothing is sent, so there is nothing to decide or to record.
async fn reach(connection: &ApiConnection) -> ConnectionHealth {
    let began = Instant::now();
    let upstream = &connection.upstream;
    let error = match timeout(PATIENCE, TcpStream::connect((upstream.host.as_str(), upstream.port))).await {
        Ok(Ok(_connected)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_elapsed) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    ConnectionHealth { name: connection.facts.name.clone(), reachable: error.is_none(), error, millis }
}
