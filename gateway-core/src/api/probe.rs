//! Connections put to the proof: `hoop connections ls` and `test`, for whom policy lets administer. What proves is behind a
//! trait, so that the API knows no protocol.

use std::{future::Future, pin::Pin};

use axum::{
    Json,
    extract::{Path, State},
};

use super::{
    ApiState,
    caller::Caller,
    notifications::administers,
    problem::ApiError,
    types::{ConfiguredConnection, ConnectionProof},
};
use crate::model::{ConnectionName, Principal};

/// The proofs of a connection, when they come.
pub type Proving<'prober> = Pin<Box<dyn Future<Output = ConnectionProof> + Send + 'prober>>;

/// Puts connections to the proof.
pub trait Prober: Send + Sync + 'static {
    /// Every connection of the site.
    fn configured(&self) -> Vec<ConfiguredConnection>;

    /// Tries everything for `who`, recorded before anything is sent.
    fn prove<'prober>(&'prober self, who: &'prober Principal, connection: &'prober ConnectionName) -> Proving<'prober>;
}

pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<Vec<ConfiguredConnection>>, ApiError> {
    administers(&state, &caller, "list the connections of the site").await?;
    Ok(Json(state.0.prober.configured()))
}

pub(super) async fn prove(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ConnectionProof>, ApiError> {
    administers(&state, &caller, "test a connection").await?;
    let found = state.0.connections.borrow().iter().find(|one| one.facts.name.as_str() == name).cloned();
    let connection = found.ok_or_else(|| ApiError::not_found("no such connection"))?.facts.name;
    Ok(Json(state.0.prober.prove(caller.principal(), &connection).await))
}
