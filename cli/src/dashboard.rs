//! `hoop dashboard`: approvals, sessions, replays, runs and health in one terminal.
//!
//! A pure core (`state`, `update`, `draw`) in a thin shell (`shell`, `feed`, `hands`, `terminal`). The core decides
//! nothing that the gateway does not decide again: it only makes sure that who approves has seen what they approve.

mod coverage;
mod draw;
mod effect;
mod exhibit;
mod extra;
mod feed;
#[cfg(test)]
mod fixtures;
mod hands;
mod keys;
mod layout;
mod listing;
#[cfg(test)]
mod measure;
mod message;
mod moments;
mod request;
mod shell;
mod state;
mod story;
mod terminal;
mod update;
mod watch;

pub(crate) use terminal::restore;

use std::io::IsTerminal as _;

use hoop_gateway_core::api::types::Whoami;
use time::OffsetDateTime;

use crate::{
    api_client::Api,
    arguments::DashboardArguments,
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};
use state::State;

/// Opens the dashboard and stays until it is left.
pub(crate) async fn run(arguments: DashboardArguments, context: &Context) -> Result<ExitStatus, Failure> {
    if context.no_input || !context.output.data_is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure::usage("the dashboard needs a terminal to read keys from and to draw on")
            .next("in scripts use `hoop approvals watch --output jsonl` and `hoop approvals approve`"));
    }
    let gateway = context.gateway()?;
    // Who is not logged in is told so before the screen is taken.
    let me: Whoami = Api::new(context).await?.get("/api/v1/whoami").await?;
    let size = crossterm::terminal::size().map_err(|error| terminal::broken(&error))?;
    let shown = printable_line(gateway.to_string().trim_start_matches("https://"));
    let mut state = State::new(shown, context.theme, arguments.ring, size, now_millis());
    state.me = Some(me);
    Box::pin(shell::run(state, arguments.mouse, context)).await
}

fn now_millis() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
