//! The player's screens as they are seen, at the sizes that people have.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::{
    paint::{Depth, ThemeName},
    replay::{
        player::Message,
        script::{
            Script,
            tests::{event, session},
        },
    },
};

const THEME: Theme = Theme::new(ThemeName::Dark, Depth::True, false);
const PLAIN: Theme = Theme::new(ThemeName::Dark, Depth::Mono, true);

fn shown(player: &Player, theme: Theme, width: u16, height: u16) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| draw(player, theme, frame.area(), frame.buffer_mut())).expect("draws");
    terminal.backend().clone()
}

fn at(seconds: i64) -> Player {
    let mut player = Player::new(Script::new(&session(), None), 2.0, None);
    player.update(Message::By(seconds));
    player
}

fn pressed(mut player: Player, keys: &str) -> Player {
    for letter in keys.chars() {
        let code = if letter == '\r' { KeyCode::Enter } else { KeyCode::Char(letter) };
        player.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
    player
}

#[test]
fn before_the_first_operation_there_is_who_began_it() {
    insta::assert_snapshot!(shown(&at(0), THEME, 80, 24));
}

#[test]
fn a_masked_result_at_80_by_24() {
    insta::assert_snapshot!(shown(&at(2), THEME, 80, 24));
}

#[test]
fn a_refusal_at_80_by_24() {
    insta::assert_snapshot!(shown(&at(5), THEME, 80, 24));
}

#[test]
fn an_approval_with_who_and_when_at_200_by_50() {
    insta::assert_snapshot!(shown(&at(66), THEME, 200, 50));
}

#[test]
fn a_hold_in_ascii_without_colour() {
    let screen = shown(&at(10), PLAIN, 80, 24);
    assert!(screen.buffer().content().iter().all(|cell| cell.symbol().is_ascii()));
    insta::assert_snapshot!(screen);
}

#[test]
fn the_keys_over_the_session() {
    insta::assert_snapshot!(shown(&pressed(at(2), "?"), THEME, 80, 24));
}

#[test]
fn a_search_and_its_answer() {
    insta::assert_snapshot!(shown(&pressed(at(0), "/orders\rn"), THEME, 80, 24));
}

#[test]
fn a_small_window_shows_what_fits() {
    insta::assert_snapshot!(shown(&at(5), THEME, 44, 16));
    assert!(shown(&at(5), THEME, 12, 3).to_string().contains("too small"));
}

#[test]
fn a_recorded_terminal_is_drawn_by_an_emulator() {
    let events = vec![
        event(1, 0, "terminal_resize", &[("columns", "40"), ("rows", "6")]),
        event(
            2,
            10,
            "terminal_output",
            &[("data", "$ ls\r\n\u{1b}[1;34mfolder\u{1b}[0m  file\r\n$ \u{1b}]52;c;AA\u{7}")],
        ),
        event(3, 900, "terminal_output", &[("data", "\u{1b}[2J\u{1b}[Hgone")]),
    ];
    let mut player = Player::new(Script::new(&events, None), 1.0, None);
    player.update(Message::Passed(Duration::from_millis(20)));
    insta::assert_snapshot!(shown(&player, THEME, 80, 24));
    player.update(Message::Share(100));
    let text = shown(&player, THEME, 80, 24).to_string();
    assert!(text.contains("gone") && !text.contains("folder"), "{text}");
}

#[test]
fn a_long_statement_scrolls_to_its_end_and_says_that_there_is_more() {
    let text = (1..100).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n");
    let events = vec![event(1, 0, "operation", &[("number", "1"), ("text", &text), ("rules", "[]")])];
    let mut player = Player::new(Script::new(&events, None), 1.0, None);
    let top = shown(&player, THEME, 80, 24).to_string();
    assert!(top.contains("line 1") && top.contains('↓') && !top.contains("line 99"), "{top}");
    for _ in 0..100 {
        player.update(Message::Scroll(10));
        shown(&player, THEME, 80, 24);
    }
    let end = shown(&player, THEME, 80, 24).to_string();
    assert!(end.contains("line 99") && end.contains('↑') && !end.contains('↓'), "{end}");
    player.update(Message::Scroll(-1));
    assert!(shown(&player, THEME, 80, 24).to_string().contains('↓'));
}
