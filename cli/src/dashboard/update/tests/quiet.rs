//! The screen is drawn when something on it changed, and otherwise not.

use ratatui::{Terminal, backend::TestBackend};

use crate::dashboard::{
    fixtures::{Desk, START, listed, request, session},
    message::{Fed, Message},
    request::Request,
    shell::Screen,
    update::next_change,
};

const SMALL: (u16, u16) = (80, 24);

/// Lets the time pass as the shell does, from one due change to the next; gives how often it drew.
fn frames_in(desk: &mut Desk, millis: i64) -> u64 {
    let mut screen = Screen::new(Terminal::new(TestBackend::new(80, 24)).expect("a terminal"));
    let end = desk.state.now_millis + millis;
    let mut now = next_change(&desk.state);
    while now <= end {
        if desk.take(Message::Time(now)) {
            let shown = screen.paint(&desk.state).expect("draws");
            desk.take(Message::Shown(shown));
        }
        now = next_change(&desk.state);
    }
    screen.frames()
}

#[test]
fn idle_draws_nothing() {
    let mut desk = Desk::with(SMALL, Vec::<Request>::new());
    desk.tell(Fed::Sessions((0..50).map(|number| session(number, "alice")).collect()));
    // The token's minutes change at half past, and nothing else does.
    assert_eq!(frames_in(&mut desk, 29_000), 0);
    assert_eq!(frames_in(&mut desk, 60_000), 1, "one minute less of the token");
}

#[test]
fn a_countdown_draws_once_a_second_and_only_where_it_is_seen() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    assert_eq!(frames_in(&mut desk, 10_000), 10);
    desk.press("2");
    assert_eq!(frames_in(&mut desk, 10_000), 0, "the sessions have no countdown");
    desk.press("1");
    // It lapses at five minutes; a minute later it is swept out unless it is read, so it stays and stands still.
    desk.at(301_000);
    assert_eq!(frames_in(&mut desk, 20_000), 0);
}

#[test]
fn what_is_told_again_without_a_change_draws_nothing() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    assert!(!desk.tell(Fed::Connected));
    assert!(!desk.tell(listed(vec![request(1, "delete from orders")], true)));
    desk.tell(Fed::Sessions(vec![session(1, "alice")]));
    assert!(!desk.tell(Fed::Sessions(vec![session(1, "alice")])));
    assert!(desk.tell(Fed::Lost("gone".to_owned())));
    desk.at(2_000);
    assert!(!desk.tell(Fed::Lost("gone".to_owned())), "it is lost since then");
}

#[test]
fn the_time_is_never_waited_for_in_the_past() {
    let desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    assert!(next_change(&desk.state) > START);
    assert!(next_change(&Desk::new(SMALL).state) > START);
}
