//! `hoop sessions kill`: asks a person first, then has the gateway end the session.

use std::io::IsTerminal as _;

use hoop_gateway_core::{
    api::types::{KillRequest, SessionItem},
    model::SessionId,
};

use super::{MOST_LISTED, line};
use crate::{
    api_client::Api,
    arguments::KillSession,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Ends the session.
pub(super) async fn run(which: KillSession, context: &Context) -> Result<ExitStatus, Failure> {
    let KillSession { session, reason, yes } = which;
    let mut api = Api::new(context).await?;
    let watched = context.output.talk_is_terminal() && std::io::stdin().is_terminal();
    if watched && !yes && !context.no_input && !agreed(&mut api, &session, context).await? {
        context.output.say("Nothing was ended.");
        return Ok(ExitStatus::SUCCESS);
    }
    let () = api.post(&format!("/api/v1/sessions/{session}/kill"), &KillRequest { reason }).await?;
    context.output.say(&format!("{session} is ended."));
    Ok(ExitStatus::SUCCESS)
}

async fn agreed(api: &mut Api, session: &SessionId, context: &Context) -> Result<bool, Failure> {
    let limit = MOST_LISTED.to_string();
    let listed: Vec<SessionItem> = api.get_with("/api/v1/sessions", &[("limit", &limit)]).await?;
    let shown = listed.iter().find(|item| item.id == *session).map_or_else(|| session.to_string(), line::session);
    context.output.say(&shown);
    context.output.ask("End it? What runs in it is undone or cut off. [y/N] ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_length| answer)
    });
    let answer = answer.await.map_err(|error| Failure::internal("the question ended early").caused_by(&error))?;
    let answer = answer.map_err(|error| Failure::failed("the answer could not be read").caused_by(&error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
