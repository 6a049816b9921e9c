//! The place one looks at stays, whatever comes, goes, or is lost; filters, commands and pages.

use hoop_gateway_core::api::types::ApprovalStatus;

use crate::dashboard::{
    effect::Effect,
    fixtures::{Desk, events, listed, request, request_id, run, run_detail, session, session_id, timeline},
    message::{Answer, Fed, Message, Watched},
    request::Request,
    state::{Link, Tab},
};

const SMALL: (u16, u16) = (80, 24);

fn many(count: u64) -> Vec<hoop_gateway_core::api::types::ApprovalItem> {
    (0..count).map(|number| request(number * 10, &format!("delete from orders where note = 'n{number}n'"))).collect()
}

#[test]
fn a_lost_gateway_keeps_the_place_and_comes_back_to_it() {
    let mut desk = Desk::with(SMALL, many(30));
    desk.press("jjjjj<enter><c-d>");
    let before = (desk.state.approvals.listing.selected().cloned(), desk.state.approvals.scrolled);
    desk.tell(Fed::Lost("connection refused".to_owned()));
    assert!(desk.screen().to_string().contains("the gateway is lost"));
    desk.tell(Fed::Connected);
    let fewer: Vec<_> = many(30).into_iter().skip(2).chain([request(5, "delete from customers")]).collect();
    desk.tell(listed(fewer, true));
    assert_eq!((desk.state.approvals.listing.selected().cloned(), desk.state.approvals.scrolled), before);
    assert!(!desk.screen().to_string().contains("lost"));
}

#[test]
fn what_is_missing_from_a_whole_list_is_asked_for_and_only_then_believed_to_be_over() {
    let mut desk = Desk::with(SMALL, many(3));
    desk.effects.clear();
    desk.tell(listed(many(2), false));
    assert!(desk.effects.is_empty(), "a list that was cut off says nothing about the rest");
    desk.tell(listed(many(2), true));
    assert_eq!(desk.effects, [Effect::Look(request_id(20))]);
    assert_eq!(desk.state.approvals.waiting(desk.state.now_millis), 3);
}

#[test]
fn an_ended_request_turns_grey_stays_a_minute_and_longer_while_it_is_read() {
    let mut desk = Desk::with(SMALL, many(3));
    desk.settle(10, ApprovalStatus::Withdrawn);
    desk.settle(0, ApprovalStatus::Approved);
    assert!(desk.screen().to_string().contains("withdrawn"));
    assert_eq!(desk.state.approvals.listing.selected(), Some(&request_id(0)));
    desk.at(61_000);
    assert_eq!(desk.state.approvals.listing.len(), 2, "the selected one stays");
    desk.press("j");
    desk.at(62_000);
    assert_eq!(desk.state.approvals.listing.len(), 1);
}

#[test]
fn new_requests_ring_if_that_is_wanted_but_not_those_that_were_there() {
    let mut desk = Desk::with(SMALL, many(3));
    assert!(desk.effects.is_empty());
    desk.change(request(100, "delete from orders"));
    assert_eq!(desk.effects, [Effect::Ring("alice asks: delete on pg-prod".to_owned())]);
    desk.press(":ring off<enter>");
    desk.change(request(101, "delete from orders"));
    assert_eq!(desk.effects.len(), 1);
}

#[test]
fn a_filter_narrows_as_it_is_typed_and_esc_drops_it() {
    let mut desk = Desk::with(SMALL, many(30));
    desk.press("/ORDERS n7n");
    assert_eq!(desk.state.approvals.listing.listed(), 1);
    desk.press("<enter><enter>");
    assert!(desk.state.approvals.zoomed);
    desk.press("<esc><esc>");
    assert_eq!(desk.state.approvals.listing.listed(), 30);
}

#[test]
fn commands_and_keys_open_pages() {
    let mut desk = Desk::with(SMALL, many(1));
    for (keys, tab) in [
        (":sessions<enter>", Tab::Sessions),
        (":ap<enter>", Tab::Approvals),
        ("<tab>", Tab::Sessions),
        ("4", Tab::Runs),
        ("5", Tab::Health),
        ("<tab>", Tab::Approvals),
        (":rep<enter>", Tab::Replays),
    ] {
        desk.press(keys);
        assert_eq!(desk.state.tab, tab, "{keys}");
    }
    desk.press(":r<enter>");
    assert!(desk.said().contains("is no command"), "{}", desk.said());
    let before = desk.state.theme;
    desk.press(":theme light<enter>");
    assert_ne!(desk.state.theme, before);
    desk.press(":theme pink<enter>");
    assert!(desk.said().contains("dark, light, high-contrast"), "{}", desk.said());
    desk.press(":q<enter>");
    assert_eq!(desk.effects.last(), Some(&Effect::Quit));
}

#[test]
fn copies_what_is_selected_without_escapes_in_it() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete \u{1b}[2J")]);
    desk.press("yY");
    assert_eq!(desk.effects, [Effect::Copy(request_id(1).to_string()), Effect::Copy("delete ␛[2J".to_owned())]);
    let mut desk = Desk::with(SMALL, vec![request(1, &"x".repeat(70_000))]);
    desk.press("Y");
    assert!(desk.effects.is_empty() && desk.said().contains("too long"));
}

#[test]
fn a_watched_session_goes_on_where_it_was_after_the_gateway_came_back() {
    let mut desk = Desk::with(SMALL, Vec::<Request>::new());
    desk.tell(Fed::Sessions(vec![session(1, "alice")]));
    desk.press("2<enter>");
    assert_eq!(desk.effects, [Effect::Watch(session_id(1), 1)]);
    let news = |events| Message::Answer(Answer::Watched(session_id(1), Watched::Events(events)));
    desk.take(news(events().into_iter().take(3).collect()));
    desk.tell(Fed::Lost("connection refused".to_owned()));
    desk.tell(Fed::Connected);
    assert_eq!(desk.effects.last(), Some(&Effect::Watch(session_id(1), 4)));
    desk.take(news(events()));
    let watching = desk.state.sessions.watching.as_ref().expect("watched");
    assert_eq!(watching.last_seq(), 6);
    let screen = desk.screen().to_string();
    assert_eq!(screen.matches("#1 permitted").count(), 1, "{screen}");
    desk.press("<esc>");
    assert_eq!(desk.effects.last(), Some(&Effect::StopWatching));
}

#[test]
fn connecting_is_neither_live_nor_lost() {
    let desk = Desk::new(SMALL);
    assert_eq!(desk.state.link, Link::Connecting);
    assert!(desk.screen().to_string().contains("Asking the gateway"));
}

#[test]
fn the_page_of_runs_follows_what_happens() {
    let mut desk = Desk::with(SMALL, many(0));
    desk.press("4");
    desk.take(Message::Answer(Answer::Runs(Ok(vec![run(1, true)]))));
    desk.effects.clear();
    let happens = |desk: &mut Desk, operations: u64| {
        let mut item = session(1, "crew");
        (item.run, item.operations) = (Some(run(1, true).id), operations);
        desk.tell(Fed::Session(Box::new(item)));
    };
    happens(&mut desk, 1);
    happens(&mut desk, 2);
    assert!(desk.effects.is_empty(), "not for each event");
    desk.at(1_100);
    assert_eq!(desk.effects, [Effect::ListRuns]);
    // The one that is open follows too, and stays where it is read.
    let id = run(1, true).id;
    let open = |desk: &mut Desk| {
        let answer = Ok((run_detail(1), timeline()));
        desk.take(Message::Answer(Answer::Run(id.clone(), Box::new(answer))));
    };
    desk.press("<enter>");
    open(&mut desk);
    desk.effects.clear();
    happens(&mut desk, 3);
    desk.at(2_200);
    assert_eq!(desk.effects, [Effect::ListRuns, Effect::FetchRun(id.clone())]);
    open(&mut desk);
    assert!(desk.state.runs.opened.as_ref().is_some_and(|opened| opened.id == id));
    // Elsewhere nobody looks, and nothing is asked.
    desk.press("1");
    desk.effects.clear();
    happens(&mut desk, 4);
    desk.at(60_000);
    assert!(!desk.effects.contains(&Effect::ListRuns), "{:?}", desk.effects);
}
