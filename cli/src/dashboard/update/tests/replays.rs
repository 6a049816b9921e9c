//! Old sessions are searched, played with the player's own keys, and left again.

use crate::dashboard::{
    effect::Effect,
    fixtures::{Desk, START, events, session, session_id},
    keys::Mode,
    message::{Answer, Message},
    request::Request,
    update::next_change,
};

fn listed() -> Desk {
    let mut desk = Desk::with((80, 24), Vec::<Request>::new());
    desk.press("3");
    desk.take(Message::Answer(Answer::Found(Ok(vec![session(1, "alice"), session(2, "bob")]))));
    desk
}

fn playing() -> Desk {
    let mut desk = listed();
    desk.press("<enter>");
    let session = desk.state.replays.fetching.clone().expect("asked for");
    desk.take(Message::Answer(Answer::Fetched(session, Ok(events()))));
    desk
}

#[test]
fn the_page_lists_what_is_newest_and_a_search_asks_the_gateway() {
    let mut desk = listed();
    assert_eq!(desk.effects, [Effect::Search(vec![("limit", "500".to_owned())])]);
    desk.press("/who:al refused<enter>");
    let query = [("limit", "500"), ("who", "al"), ("decision", "refused")];
    let query = query.map(|(name, value)| (name, value.to_owned())).to_vec();
    assert_eq!(desk.effects.last(), Some(&Effect::Search(query)));
    desk.press("/<c-u>since:soon<enter>");
    assert!(desk.said().contains("is no time"), "{}", desk.said());
}

#[test]
fn a_recording_that_nobody_waits_for_any_more_is_not_played() {
    let mut desk = listed();
    desk.press("<enter>1");
    desk.take(Message::Answer(Answer::Fetched(session_id(2), Ok(events()))));
    assert!(desk.state.replays.player.is_none());
}

#[test]
fn the_player_has_the_keys_until_it_is_left() {
    let mut desk = playing();
    assert_eq!(desk.state.mode(), Mode::Playing);
    desk.press(" ");
    assert!(desk.state.replays.player.as_ref().is_some_and(|player| !player.playing));
    desk.press("q");
    assert_eq!(desk.state.mode(), Mode::Replays);
    assert!(!desk.effects.contains(&Effect::Quit));
}

#[test]
fn only_what_plays_and_is_seen_is_drawn_again_and_again() {
    let mut desk = playing();
    assert!(next_change(&desk.state) <= START + 50, "frames follow each other");
    assert!(desk.at(33));
    desk.press(" ");
    assert!(!desk.at(66), "paused");
    assert!(next_change(&desk.state) > START + 1_000);
    desk.press(" ");
    desk.take(Message::Answer(Answer::Copied(Ok(()))));
    desk.at(600_000);
    let player = desk.state.replays.player.as_ref().expect("open");
    assert!(player.position.as_millis() <= 1_100, "what was slept through is not played");
}

#[test]
fn a_session_that_was_found_by_its_words_is_opened_where_they_were_said() {
    let mut desk = listed();
    desk.press("/refused drop table<enter>");
    let mut partly = session(2, "bob");
    partly.partly_searched = true;
    desk.take(Message::Answer(Answer::Found(Ok(vec![session(1, "alice"), partly]))));
    desk.press("<enter>");
    let session = desk.state.replays.fetching.clone().expect("asked for");
    desk.take(Message::Answer(Answer::Fetched(session, Ok(events()))));
    let player = desk.state.replays.player.as_ref().expect("open");
    assert_eq!(player.current().map(|(_, operation)| operation.number), Some(3));
    assert!(!player.playing, "it waits where it was found");
    desk.press("<esc>q");
    assert_eq!(desk.state.mode(), Mode::Replays);
    let screen = desk.screen().to_string();
    assert!(screen.contains("? said too much to be searched whole"), "{screen}");
}
