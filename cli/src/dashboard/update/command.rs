//! Commands that are typed after a colon.

use clap::ValueEnum as _;

use super::{Outcome, keyed};
use crate::{
    dashboard::{
        effect::Effect,
        state::{State, Tab, Tone},
    },
    paint::{Theme, ThemeName},
};

/// Runs a command.
pub(super) fn run(state: &mut State, text: &str) -> Outcome {
    let mut words = text.split_whitespace();
    let Some(command) = words.next() else { return Outcome::redraw() };
    let argument = words.next().unwrap_or_default();
    if let Some(tab) = tab(command) {
        return keyed::go_to(state, tab);
    }
    match command {
        "q" | "quit" | "q!" => Outcome::effect(Effect::Quit),
        "h" | "help" => keyed::help(state),
        "theme" => theme(state, argument),
        "ring" => ring(state, argument),
        _ => unknown(state, command),
    }
}

/// A page by its name, or the beginning of one that no other has.
fn tab(word: &str) -> Option<Tab> {
    let begins = |tab: &Tab| tab.name().to_lowercase().starts_with(&word.to_lowercase());
    let mut found = Tab::ALL.into_iter().filter(begins);
    let tab = found.next().filter(|_| word.chars().count() > 1)?;
    found.next().is_none().then_some(tab)
}

fn theme(state: &mut State, name: &str) -> Outcome {
    let Ok(name) = ThemeName::from_str(name, true) else {
        let names: Vec<String> = ThemeName::value_variants()
            .iter()
            .filter_map(|name| Some(name.to_possible_value()?.get_name().to_owned()))
            .collect();
        state.say(Tone::Bad, format!("there are the themes {}", names.join(", ")));
        return Outcome::redraw();
    };
    state.theme = Theme::new(name, state.theme.depth(), state.theme.is_ascii());
    Outcome::redraw()
}

fn ring(state: &mut State, wish: &str) -> Outcome {
    state.ring = match wish {
        "on" => true,
        "off" => false,
        _ => !state.ring,
    };
    let word = if state.ring { "ring" } else { "come in silence" };
    state.say(Tone::Plain, format!("new requests {word}"));
    Outcome::redraw()
}

fn unknown(state: &mut State, command: &str) -> Outcome {
    state.say(
        Tone::Bad,
        format!(
            "`{command}` is no command; there are approvals, sessions, replays, runs, health, theme, ring, help, q"
        ),
    );
    Outcome::redraw()
}
