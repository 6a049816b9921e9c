//! How long a frame takes in a full house: 10,000 requests and 10,000 sessions. Prints figures; judges only what does
//! not depend on the machine.
//!
//! `cargo test -p hoop --bin hoop dashboard::measure -- --nocapture`

use std::time::{Duration, Instant};

use ratatui::{Terminal, backend::TestBackend};

use super::{
    fixtures::{Desk, START, request, session},
    message::{Fed, Message},
    shell::Screen,
};

const MANY: u64 = 10_000;
const ROUNDS: u64 = 200;

fn full_house(size: (u16, u16)) -> Desk {
    let mut desk = Desk::with(size, (0..MANY).map(|number| request(number, &statement(number))).collect());
    desk.tell(Fed::Sessions((0..MANY).map(|number| session(number, "alice")).collect()));
    desk
}

fn statement(number: u64) -> String {
    format!(
        "delete from orders\nwhere id = {number} and status in ('returned', 'lost') and note = '{}'",
        "n".repeat(200)
    )
}

/// The middle and nearly the longest of many rounds of one thing.
fn measured(what: &str, mut round: impl FnMut(u64)) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|number| {
            let begin = Instant::now();
            round(number);
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1000.0;
    println!("{what:<42} median {:>7.3} ms   p99 {:>7.3} ms", at(50), at(99));
}

#[test]
fn a_full_house() {
    for size in [(80, 24), (200, 50)] {
        println!("{} x {}", size.0, size.1);
        let mut desk = full_house(size);
        assert_eq!(desk.state.approvals.listing.listed(), 10_000);
        assert_eq!(desk.state.sessions.listing.listed(), 10_000);
        let mut screen = Screen::new(Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal"));
        let mut paint = |desk: &mut Desk| {
            let shown = screen.paint(&desk.state).expect("draws");
            desk.take(Message::Shown(shown));
        };
        measured("a key in approvals, and its frame", |number| {
            desk.press_unseen(if number % 50 == 0 { "G" } else { "k" });
            paint(&mut desk);
        });
        measured("a second passes, and its frame", |number| {
            desk.at(i64::try_from(number).expect("small") * 1000);
            paint(&mut desk);
        });
        measured("a new request, and its frame", |number| {
            desk.change(request(MANY + number, &statement(number)));
            paint(&mut desk);
        });
        measured("a letter of a filter, and its frame", |number| {
            desk.press_unseen(if number == 0 { "/" } else { "9" });
            if number % 5 == 4 {
                desk.press_unseen("<c-u>");
            }
            paint(&mut desk);
        });
        desk.press_unseen("<esc>2");
        measured("a key in sessions, and its frame", |_number| {
            desk.press_unseen("j");
            paint(&mut desk);
        });
        assert!(START > 0 && screen.frames() == 5 * ROUNDS);
    }
}
