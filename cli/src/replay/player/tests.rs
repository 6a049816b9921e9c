//! What the player promises: time and keys move it, and it shows what was so at the place where it stands.

use crossterm::event::{KeyCode, KeyModifiers};
use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::{
    paint::{Depth, ThemeName},
    replay::{
        screen::draw,
        script::tests::{event, session},
    },
};

fn player() -> Player {
    Player::new(Script::new(&session(), None), 1.0, None)
}

fn key(code: KeyCode) -> Message {
    Message::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn typed(player: &mut Player, text: &str) {
    for letter in text.chars() {
        player.update(key(KeyCode::Char(letter)));
    }
}

fn number(player: &Player) -> Option<u64> {
    player.current().map(|(_, one)| one.number)
}

fn drawn(player: &Player) -> Buffer {
    let area = Rect::new(0, 0, 100, 30);
    let mut buffer = Buffer::empty(area);
    draw(player, Theme::new(ThemeName::Dark, Depth::True, false), area, &mut buffer);
    buffer
}

#[test]
fn time_shows_one_event_after_another_and_stops_at_the_end() {
    let mut player = player();
    assert_eq!((player.seen().len(), number(&player)), (1, None));
    player.update(Message::Passed(Duration::from_millis(1_200)));
    assert_eq!((player.seen().len(), number(&player)), (2, Some(1)));
    player.update(Message::Passed(Duration::from_hours(1)));
    assert!(player.is_over() && !player.is_moving());
    assert_eq!(player.position, Duration::from_secs(66));
}

#[test]
fn a_paused_player_stands_and_speed_multiplies_time() {
    let mut player = player();
    assert_eq!(player.update(key(KeyCode::Char(' '))), Wish::Stay);
    player.update(Message::Passed(Duration::from_secs(9)));
    assert_eq!(player.position, Duration::ZERO);
    typed(&mut player, " >");
    player.update(Message::Passed(Duration::from_secs(2)));
    assert_eq!(player.position, Duration::from_secs(4));
    typed(&mut player, "<<<<<<<<");
    assert!((player.speed - SLOWEST).abs() < f64::EPSILON);
}

#[test]
fn keys_seek_by_time_by_share_and_by_operation() {
    let mut player = player();
    player.update(key(KeyCode::Right));
    assert_eq!(player.position, Duration::from_secs(5));
    player.update(key(KeyCode::Down));
    assert_eq!(number(&player), Some(3));
    player.update(key(KeyCode::Char('p')));
    assert_eq!(number(&player), Some(2));
    player.update(key(KeyCode::Left));
    assert_eq!(player.position, Duration::ZERO);
    typed(&mut player, "5");
    assert_eq!(player.position, Duration::from_secs(33));
    typed(&mut player, "G");
    assert!(player.is_over());
    typed(&mut player, " ");
    assert_eq!((player.position, player.playing), (Duration::ZERO, true));
}

#[test]
fn a_place_is_typed() {
    let mut player = player();
    for (text, seconds) in [(":0:12\r", 12), (":50%\r", 33), (":#2\r", 4), (":7\r", 7)] {
        typed(&mut player, text.trim_end());
        assert!(player.prompt.is_some());
        player.update(key(KeyCode::Enter));
        assert_eq!(player.position, Duration::from_secs(seconds), "{text}");
    }
    typed(&mut player, ":soon");
    player.update(key(KeyCode::Enter));
    assert!(player.note.is_some() && player.position == Duration::from_secs(7));
}

#[test]
fn jumps_to_what_was_refused_held_and_masked_and_back() {
    let mut player = player();
    typed(&mut player, "r");
    assert_eq!((number(&player), player.playing), (Some(2), false));
    typed(&mut player, "h");
    assert_eq!(number(&player), Some(3));
    typed(&mut player, "M");
    assert_eq!((number(&player), player.position), (Some(1), Duration::from_millis(1_204)));
    typed(&mut player, "M");
    assert!(player.note.as_deref().is_some_and(|note| note.contains("masked")), "{:?}", player.note);
    typed(&mut player, "G");
    typed(&mut player, "R");
    assert_eq!(number(&player), Some(2));
}

#[test]
fn finds_what_was_said_and_goes_from_one_to_the_next() {
    let mut player = player();
    typed(&mut player, "/ORDERS");
    player.update(key(KeyCode::Enter));
    assert_eq!(number(&player), Some(2));
    typed(&mut player, "n");
    assert_eq!((number(&player), player.position.as_secs()), (Some(3), 9));
    typed(&mut player, "n");
    assert_eq!(player.position.as_secs(), 65);
    typed(&mut player, "N");
    assert_eq!(player.position.as_secs(), 9);
    assert_eq!(player.update(key(KeyCode::Esc)), Wish::Stay);
    assert!(player.search.is_none());
    typed(&mut player, "/nothing like it");
    player.update(key(KeyCode::Enter));
    assert!(player.search.is_none() && player.note.is_some());
}

#[test]
fn begins_at_the_operation_that_is_named_and_ends_when_asked() {
    let script = Script::new(&session(), None);
    let mut player = Player::new(script, 1.0, Some(3));
    assert_eq!(number(&player), Some(3));
    assert_eq!(player.update(key(KeyCode::Char('q'))), Wish::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    typed(&mut player, "/");
    assert_eq!(player.update(Message::Key(interrupt)), Wish::Interrupt);
    player.update(key(KeyCode::Esc));
    typed(&mut player, "?");
    assert_eq!(player.update(Message::Key(interrupt)), Wish::Interrupt);
}

#[test]
fn the_statement_is_copied_as_it_is_shown() {
    let mut player = Player::new(Script::new(&session(), None), 1.0, Some(2));
    assert_eq!(player.update(key(KeyCode::Char('y'))), Wish::Copy("drop table ␛[2Jorders".into()));
}

#[derive(Debug, Clone)]
enum Move {
    Pass(u64),
    Press(char),
    By(i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0_u64..40_000).prop_map(Move::Pass),
        proptest::sample::select("rRhHmMnNpjkgG0123456789<>+- ".chars().collect::<Vec<_>>()).prop_map(Move::Press),
        (-70_i64..70).prop_map(Move::By),
    ];
    proptest::collection::vec(one, 0..20)
}

/// Any events: of every kind, with any text, in any order of numbers.
fn events() -> impl Strategy<Value = Vec<hoop_gateway_core::api::types::RecordedEvent>> {
    let kinds = vec![
        "session_started",
        "operation",
        "prepared",
        "held",
        "approval_decided",
        "refused",
        "result",
        "outcome",
        "gateway_sent",
        "session_ended",
        "terminal_output",
        "terminal_resize",
        "another kind",
    ];
    let names = vec![
        "text",
        "parameters",
        "rules",
        "approval",
        "state",
        "by",
        "reason",
        "hint",
        "status",
        "tag",
        "sqlstate",
        "masked",
        "duration_micros",
        "data",
        "columns",
        "rows",
        "principal",
        "connection",
        "kind",
        "objects",
        "truncated",
    ];
    let hostile = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        proptest::sample::select(vec![
            "\u{1b}]52;c;AAAA\u{7}",
            "\u{1b}[2J\u{1b}[H",
            "\u{202e}evil",
            "\u{9b}31m",
            "[\"a\",null,\"\u{1b}c\"]",
            "{\"email\":3,\"\u{1b}[5m\":1}",
            "select '\u{301}\u{200b}' -- \u{1b}[1A",
            "\r\n\t\0",
            "[\"\u{1}\"]\n[\"\u{2}\"]",
            "completed",
            "approved",
            "99999999999999999999",
            "120",
            "-1",
            "日本語 🦀 e\u{301}",
        ])
        .prop_map(str::to_owned),
    ];
    let fields = proptest::collection::vec((proptest::sample::select(names), hostile), 0..8);
    let one =
        (0_u64..100_000, proptest::sample::select(kinds), 1_u64..6, fields).prop_map(|(at, kind, number, fields)| {
            let number = number.to_string();
            let mut pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pairs.push(("number", &number));
            event(1, at, kind, &pairs)
        });
    proptest::collection::vec(one, 0..25)
}

proptest! {
    #[test]
    fn going_anywhere_shows_what_playing_up_to_there_shows(moves in moves(), events in events()) {
        for events in [session(), events] {
            let mut player = Player::new(Script::new(&events, None), 1.0, None);
            for one in &moves {
                match one {
                    Move::Pass(millis) => player.update(Message::Passed(Duration::from_millis(*millis))),
                    Move::Press(letter) => player.update(key(KeyCode::Char(*letter))),
                    Move::By(seconds) => player.update(Message::By(*seconds)),
                };
            }
            let mut played = Player::new(Script::new(&events, None), 1.0, None);
            while played.position < player.position {
                let step = Duration::from_secs(3).min(player.position.saturating_sub(played.position));
                played.update(Message::Passed(step));
            }
            // What was done to the player, and not where it stands, is not compared.
            (played.speed, played.playing, played.note) = (player.speed, player.playing, player.note.clone());
            prop_assert_eq!(drawn(&played), drawn(&player));
        }
    }

    #[test]
    fn whatever_was_recorded_only_printable_cells_are_drawn(
        events in events(), share in 0_u8..=100, width in 1_u16..130, height in 1_u16..40, ascii in any::<bool>(),
    ) {
        let mut player = Player::new(Script::new(&events, None), 1.0, None);
        player.update(Message::Share(share));
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        draw(&player, Theme::new(ThemeName::Dark, Depth::True, ascii), area, &mut buffer);
        for cell in buffer.content() {
            let symbol = cell.symbol();
            prop_assert!(symbol.chars().all(crate::output::is_shown_as_it_is), "{symbol:?}");
            prop_assert!(!ascii || symbol.is_ascii(), "{symbol:?}");
        }
    }
}
