//! Nobody approves what they have not seen, what changed, what is over, or by accident.

use hoop_gateway_core::api::types::{ApprovalItem, ApprovalStatus, ReviewItem};

use crate::dashboard::{
    effect::Effect,
    extra::Extra,
    fixtures::{Desk, START, listed, request, request_id, session, session_id},
    message::{Answer, Fed, Message, Trouble},
    request::Request,
    state::{Choice, Overlay, ShapeChoice},
};

const SMALL: (u16, u16) = (80, 24);

fn long_statement() -> String {
    let lines: Vec<String> = (0..60).map(|number| format!("delete from orders where id = {number};\n")).collect();
    lines.concat()
}

fn approved(desk: &Desk) -> bool {
    desk.effects.iter().any(|effect| matches!(effect, Effect::Approve(..)))
}

#[test]
fn two_keys_approve_what_was_on_the_screen() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders where id = 7")]);
    desk.press("a");
    assert!(!approved(&desk) && matches!(desk.state.overlay, Overlay::Approve(_)));
    desk.press("y");
    assert_eq!(desk.effects, [Effect::Approve(request_id(1), Choice::default())]);
}

#[test]
fn a_long_statement_is_approved_only_when_it_was_read_to_its_end() {
    let mut desk = Desk::with(SMALL, vec![request(1, &long_statement())]);
    desk.press("ay");
    assert!(!approved(&desk) && desk.said().contains("read on"), "{}", desk.said());
    assert!(matches!(desk.state.overlay, Overlay::Approve(_)), "one can go on from there");
    // To jump to the end is not to have seen what lies between.
    desk.press("Gy");
    assert!(!approved(&desk));
    desk.press("g<c-d><c-d><c-d><c-d><c-d><c-d>y");
    assert!(approved(&desk), "{}", desk.said());
}

#[test]
fn what_lay_under_the_help_or_a_prompt_was_not_seen() {
    let mut desk = Desk::new(SMALL);
    desk.tell(Fed::Connected);
    desk.press("?");
    desk.tell(listed(vec![request(1, "delete from orders")], true));
    assert_eq!(desk.see().request_rows, None);
    assert!(!desk.state.approvals.is_seen_whole());
    desk.press("<esc>");
    assert!(desk.state.approvals.is_seen_whole());
}

#[test]
fn the_second_key_comes_too_late_for_what_changed() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders where id = 7")]);
    desk.press("a");
    desk.change(request(1, "delete from orders"));
    assert!(matches!(desk.state.overlay, Overlay::Nothing));
    desk.press("y");
    assert!(!approved(&desk));
    let review = ReviewItem { by: "eve".parse().unwrap(), approved: true, reason: None, at_millis: START };
    desk.press("a");
    desk.change(ApprovalItem { reviews: vec![review], ..request(1, "delete from orders") });
    assert!(matches!(desk.state.overlay, Overlay::Nothing), "a review of somebody else is a change too");
}

#[test]
fn a_changed_text_must_be_read_again() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders where id = 7")]);
    assert!(desk.state.approvals.is_seen_whole());
    desk.change(request(1, &long_statement()));
    desk.press("ay");
    assert!(!approved(&desk) && desk.said().contains("read on"));
}

#[test]
fn another_width_must_be_read_again() {
    let mut desk = Desk::with(SMALL, vec![request(1, &long_statement())]);
    desk.press("a<c-d><c-d><c-d><c-d><c-d><c-d>");
    assert!(desk.state.approvals.is_seen_whole());
    desk.take(Message::Resized(100, 24));
    assert!(!desk.state.approvals.is_seen_whole());
}

#[test]
fn what_lapsed_or_ended_cannot_be_decided() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders"), request(2, "delete from orders")]);
    desk.press("a");
    desk.at(301_000);
    assert!(matches!(desk.state.overlay, Overlay::Nothing), "it lapsed under the finger");
    desk.press("yya");
    assert!(!approved(&desk) && desk.said().contains("lapsed"), "{}", desk.said());
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    desk.settle(1, ApprovalStatus::Withdrawn);
    desk.press("aya");
    assert!(!approved(&desk) && desk.said().contains("withdrawn"), "{}", desk.said());
    desk.press("d");
    assert!(matches!(desk.state.overlay, Overlay::Nothing));
}

#[test]
fn who_may_not_review_is_told_so_by_the_gateway() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    desk.press("ay");
    let said = "refused by policy: you asked for it yourself".to_owned();
    let trouble = Trouble { said, next: None, needs_fresh_login: false };
    desk.take(Message::Answer(Answer::Reviewed { id: request_id(1), approved: true, outcome: Err(trouble) }));
    assert!(desk.said().contains("you asked for it yourself"), "{}", desk.said());
    assert_eq!(desk.effects.last(), Some(&Effect::Look(request_id(1))), "what it is now is asked for");
}

#[test]
fn who_may_not_review_is_not_even_asked() {
    let extra = Extra { may_review: Some(false), ..Extra::default() };
    let mut desk = Desk::with(SMALL, vec![Request::told(request(1, "delete from orders"), extra)]);
    desk.press("aya");
    assert!(!approved(&desk) && desk.said().contains("may not review"), "{}", desk.said());
}

#[test]
fn nothing_is_decided_while_the_gateway_is_lost() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    desk.press("a");
    desk.tell(Fed::Lost("connection refused".to_owned()));
    desk.press("yaya");
    assert!(!approved(&desk) && desk.said().contains("lost"), "{}", desk.said());
}

#[test]
fn pasted_text_presses_no_keys() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    desk.take(Message::Paste("ayayay".to_owned()));
    desk.press("a");
    desk.take(Message::Paste("y".to_owned()));
    assert!(!approved(&desk));
}

#[test]
fn a_denial_says_why_without_any_escape_in_it() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    desk.press("d<enter>");
    assert!(desk.effects.is_empty() && desk.said().contains("says why"));
    desk.press("use the job");
    desk.take(Message::Paste("\u{1b}[2J\u{202e}!".to_owned()));
    desk.press("<enter>");
    let reason = "use the job␛[2J\u{fffd}!".to_owned();
    assert_eq!(desk.effects, [Effect::Deny(request_id(1), reason)]);
}

#[test]
fn an_approval_may_have_a_reason() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    desk.press("aragreed<enter>y");
    let choice = Choice { reason: Some("agreed".to_owned()), shape: None };
    assert_eq!(desk.effects, [Effect::Approve(request_id(1), choice)]);
}

#[test]
fn a_shape_is_approved_where_policy_lets_one() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    desk.press("S");
    assert!(desk.said().contains("policy lets nobody"));
    let extra = Extra { shape: Some("ab12".to_owned()), shape_for_seconds: Some(7_200), ..Extra::default() };
    let mut desk = Desk::with(SMALL, vec![Request::told(request(1, "x"), extra)]);
    desk.press("S 200<enter>y");
    let shape = Some(ShapeChoice { for_seconds: 3_600, max_rows: Some(200) });
    assert_eq!(desk.effects, [Effect::Approve(request_id(1), Choice { reason: None, shape })]);
    desk.press("S<c-u>3h<enter>");
    assert!(desk.said().contains("2 h at most"), "{}", desk.said());
}

#[test]
fn a_reviewer_who_must_log_in_afresh_is_told_the_command() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    let trouble = Trouble { said: "refused".to_owned(), next: None, needs_fresh_login: true };
    desk.take(Message::Answer(Answer::Reviewed { id: request_id(1), approved: true, outcome: Err(trouble) }));
    assert!(desk.said().contains(&format!("hoop approvals approve {}", request_id(1))), "{}", desk.said());
}

#[test]
fn an_accepted_review_shows_at_once_and_says_whether_more_are_needed() {
    let mut desk = Desk::with(SMALL, vec![request(1, "delete from orders")]);
    let outcome = Ok(Box::new(request(1, "delete from orders").into()));
    desk.take(Message::Answer(Answer::Reviewed { id: request_id(1), approved: true, outcome }));
    assert!(desk.said().contains("waits for more reviewers"));
    let done = ApprovalItem { status: ApprovalStatus::Approved, ..request(1, "delete from orders") };
    desk.take(Message::Answer(Answer::Reviewed {
        id: request_id(1),
        approved: true,
        outcome: Ok(Box::new(done.into())),
    }));
    assert_eq!(desk.said(), format!("you approved {}", request_id(1)));
    assert_eq!(desk.state.approvals.waiting(START), 0);
}

#[test]
fn a_kill_takes_a_reason_and_a_second_key() {
    let mut desk = Desk::with(SMALL, Vec::<Request>::new());
    desk.tell(Fed::Sessions(vec![session(1, "alice")]));
    desk.press("2x<enter>");
    assert!(desk.effects.is_empty() && desk.said().contains("told why"));
    desk.press("runs wild<enter>");
    assert!(desk.effects.is_empty() && matches!(desk.state.overlay, Overlay::Kill(_)));
    desk.press("<enter>k");
    assert!(desk.effects.is_empty());
    desk.press("y");
    assert_eq!(desk.effects, [Effect::Kill(session_id(1), "runs wild".to_owned())]);
}
