//! `hoop replay`: a recorded session, fetched through the API, played with its original timing.
//!
//! On a terminal there is a player; into a pipe, at full speed or as JSON lines it is printed. What was recorded is
//! shown, never executed: every text passes through `printable`.

mod asciicast;
mod emulator;
mod player;
mod screen;
mod script;
mod terminal;
use std::{io::IsTerminal as _, path::Path};

use hoop_gateway_core::{api::types::RecordedEvent, model::SessionId};

use crate::{
    api_client::Api,
    arguments::{Format, ReplayArguments},
    context::Context,
    failure::{ExitStatus, Failure},
    output::Output,
    private_file::replace_private_file,
};
pub(crate) use player::{Message as PlayerMessage, Player, Wish};
pub(crate) use screen::draw;
pub(crate) use script::Script;

/// Fetches the recording and shows it.
pub(crate) async fn run(arguments: ReplayArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let events = fetch(&arguments.session, context).await?;
    if let Some(path) = &arguments.asciicast {
        return export(&asciicast::cast(&events, arguments.at)?, path, context);
    }
    if context.output.format() != Format::Table {
        return print_events(&events, context);
    }
    let script = Script::new(&events, arguments.search.as_deref());
    if script.is_empty() {
        context.output.say("Nothing in this session matches.");
        return Ok(ExitStatus::SUCCESS);
    }
    let watched =
        context.output.data_is_terminal() && context.output.talk_is_terminal() && std::io::stdin().is_terminal();
    if arguments.speed > 0.0 && watched && !context.no_input {
        let player = Player::new(script, arguments.speed, arguments.at);
        let theme = context.theme;
        let outcome = tokio::task::spawn_blocking(move || terminal::play(player, theme)).await;
        return outcome.map_err(|error| Failure::internal("the player ended early").caused_by(&error))?;
    }
    print_script(&script, arguments.at, context)
}

/// Writes a recorded terminal for other players, `-` to standard output.
fn export(cast: &str, path: &Path, context: &Context) -> Result<ExitStatus, Failure> {
    if path.as_os_str() == "-" {
        Output::bytes(cast.as_bytes())?;
    } else {
        replace_private_file(path, cast.as_bytes())?;
        context.output.say(&format!("Written to {}, for you alone: `asciinema play` plays it.", path.display()));
    }
    Ok(ExitStatus::SUCCESS)
}

async fn fetch(session: &SessionId, context: &Context) -> Result<Vec<RecordedEvent>, Failure> {
    Api::new(context).await?.get_lines(&format!("/api/v1/sessions/{session}/recording")).await
}

fn print_events(events: &[RecordedEvent], context: &Context) -> Result<ExitStatus, Failure> {
    match context.output.format() {
        Format::Jsonl => events.iter().try_for_each(|event| context.output.json_line(event))?,
        Format::Table | Format::Json => context.output.value("events", &events, |_events| String::new())?,
    }
    Ok(ExitStatus::SUCCESS)
}

/// Everything at once, each line after the time it had.
fn print_script(script: &Script, at: Option<u64>, context: &Context) -> Result<ExitStatus, Failure> {
    let from = at.map_or(0, |number| script.cue_of(number));
    let mut text = String::new();
    for cue in script.cues().iter().skip(from) {
        for (index, line) in cue.lines.iter().enumerate() {
            let stamp = if index == 0 { script::stamp(cue.at) } else { " ".repeat(script::STAMP_WIDTH) };
            text.push_str(&stamp);
            text.push_str("  ");
            text.push_str(&line.text);
            text.push('\n');
        }
    }
    context.output.text(&text)?;
    Ok(ExitStatus::SUCCESS)
}
