//! Definitions of tools: listed, and a changed one put in force, by whom policy lets administer. Recorded first.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};

use super::{
    ApiState,
    caller::Caller,
    guard::json,
    notifications::administers,
    problem::ApiError,
    types::{AcceptTool, ToolItem, ToolState},
};
use crate::{
    model::ConnectionName,
    protocol::mcp::codec::is_name,
    record::GatewayEvent,
    store::{KeptTool, StoredTools},
};

pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Vec<ToolItem>>, ApiError> {
    administers(&state, &caller, "list tools").await?;
    let tools = of(&state, &name)?;
    Ok(Json(
        tools
            .all()
            .map_err(|failure| ApiError::unavailable("the store failed", &failure))?
            .into_iter()
            .map(item)
            .collect(),
    ))
}

pub(super) async fn accept(
    State(state): State<ApiState>,
    caller: Caller,
    Path((name, tool)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<()>, ApiError> {
    administers(&state, &caller, "accept the definition of a tool").await?;
    let asked: AcceptTool = json(body)?;
    let tools = of(&state, &name)?;
    // Both go to the record: only what they can be does.
    let is_digest = asked.digest.len() == 64 && asked.digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_name(&tool) || !is_digest {
        return Err(ApiError::not_found("no such definition"));
    }
    let action = format!("accept the definition {} of the tool {tool} of {name}", asked.digest);
    let who = caller.principal().clone();
    let by = who.name.clone();
    state.0.recordings.note(GatewayEvent::Administered { who, action }).await?;
    match tools.accept(&tool, &asked.digest, &by) {
        Ok(true) => Ok(Json(())),
        Ok(false) => Err(ApiError::not_found("no such definition waits for a review; list them again")),
        Err(failure) => Err(ApiError::unavailable("the store failed", &failure)),
    }
}

fn of(state: &ApiState, name: &str) -> Result<StoredTools, ApiError> {
    let known = state.0.connections.borrow().iter().any(|connection| connection.facts.name.as_str() == name);
    let name = ConnectionName::new(name).ok().filter(|_| known);
    name.map(|name| state.0.tools.of(name)).ok_or_else(|| ApiError::not_found("no such connection"))
}

fn item(tool: KeptTool) -> ToolItem {
    let state = match (&tool.changed, &tool.reviewed_by) {
        (Some(_), _) => ToolState::Changed,
        (None, Some(_)) => ToolState::Reviewed,
        (None, None) => ToolState::Pinned,
    };
    let (changed_digest, changed_definition) = tool.changed.unzip();
    ToolItem {
        name: tool.name,
        state,
        digest: tool.digest,
        definition: tool.definition,
        changed_digest,
        changed_definition,
        reviewed_by: tool.reviewed_by,
    }
}
