//! Whole screens, at the smallest size and at a large one; and what no screen may ever do.

use hoop_gateway_core::api::types::{ApprovalItem, ApprovalStatus, ReviewItem};

use crate::{
    dashboard::{
        extra::{Asks, Earlier, Extra, Login},
        fixtures::{Desk, START, events, request, request_id, run, run_detail, session, session_id, timeline},
        message::{Answer, Fed, HealthReport, Message, Watched},
        request::Request,
        state::Tab,
    },
    output::is_shown_as_it_is,
    paint::{Depth, Theme, ThemeName},
};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

/// Shows a state at both sizes.
fn snapshots(name: &str, prepare: impl Fn(&mut Desk)) {
    for size in SIZES {
        let mut desk = Desk::with(size, house());
        desk.tell(Fed::Sessions(vec![session(1, "alice"), session(2, "crew"), session(3, "bob")]));
        prepare(&mut desk);
        desk.see();
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), desk.screen());
    }
}

/// Requests of every kind.
fn house() -> Vec<Request> {
    let agent = serde_json::json!(
        {"kind": "agent", "name": "crew", "groups": ["agents"], "claims": {}, "owner": "carol"}
    );
    let review =
        ReviewItem { by: "dora".parse().unwrap(), approved: true, reason: Some("fine".into()), at_millis: START };
    let earlier = Earlier {
        id: request_id(0).to_string(),
        status: ApprovalStatus::Approved,
        by: vec!["bob".into()],
        at_millis: START - 86_400_000,
    };
    let quorums = serde_json::json!([{"count": 2, "group": "dba"}, {"count": 1, "group": "security"}]);
    let text = "delete from orders\nwhere status = 'returned' -- old ones\n  and id < $1";
    let session = |number| Some(session_id(number).to_string());
    let shaped = Extra {
        history: vec![earlier],
        shape: Some("9f2c4a7be01d".repeat(3)),
        shape_for_seconds: Some(3_600),
        search_path: vec!["app".into(), "public".into()],
        session: session(1),
        ..Extra::default()
    };
    let strong = Extra {
        step_up: Some(Login { max_age_seconds: Some(300), acr: Some("mfa".into()) }),
        agent: Some("crew".into()),
        run: Some("run_7".into()),
        task: Some("tidy up".into()),
        session: session(2),
        ..Extra::default()
    };
    let drop_table = ApprovalItem {
        requester: serde_json::from_value(agent).unwrap(),
        parameters: vec![Some("17".into()), None],
        quorums: serde_json::from_value(quorums).unwrap(),
        reviews: vec![review],
        kind: "drop_table".into(),
        risk: 95,
        ..request(2, "drop table orders")
    };
    let access = Extra {
        asks: Asks::Access,
        reason: Some("incident 4711: orders are stuck".into()),
        window_seconds: Some(3_600),
        may_review: Some(false),
        ..Extra::default()
    };
    let connect =
        ApprovalItem { kind: "connect".into(), risk: 20, expires_at_millis: START + 45_000, ..request(3, "") };
    vec![Request::told(request(1, text), shaped), Request::told(drop_table, strong), Request::told(connect, access)]
}

fn long_statement() -> String {
    let lines: Vec<String> = (0..60).map(|number| format!("delete from orders where id = {number};\n")).collect();
    lines.concat()
}

#[test]
fn approvals() {
    snapshots("approvals", |_desk| {});
    snapshots("approvals_second_selected", |desk| desk.press("j"));
    snapshots("approvals_access", |desk| desk.press("jj<enter>"));
    snapshots("approvals_about_to_approve", |desk| desk.press("a"));
    snapshots("approvals_read_on_first", |desk| {
        desk.change(request(0, &long_statement()));
        desk.press("ga");
    });
    snapshots("approvals_denying", |desk| desk.press("dno reason to"));
    snapshots("approvals_ended", |desk| {
        desk.settle(1, ApprovalStatus::Withdrawn);
        desk.settle(2, ApprovalStatus::Approved);
        desk.at(46_000);
    });
    snapshots("approvals_filtered", |desk| desk.press("/crew<enter>"));
    snapshots("approvals_nothing_matches", |desk| desk.press("/zebra<enter>"));
    snapshots("approvals_lost", |desk| {
        desk.tell(Fed::Lost("connection refused".to_owned()));
        desk.at(5_000);
    });
    snapshots("help", |desk| desk.press("?"));
    snapshots("command", |desk| desk.press(":sess"));
}

#[test]
fn nothing_waits() {
    for size in SIZES {
        let desk = Desk::with(size, Vec::<Request>::new());
        insta::assert_snapshot!(format!("approvals_empty_{}x{}", size.0, size.1), desk.screen());
        let desk = Desk::new(size);
        insta::assert_snapshot!(format!("approvals_connecting_{}x{}", size.0, size.1), desk.screen());
    }
}

#[test]
fn sessions() {
    snapshots("sessions", |desk| desk.press("2j"));
    snapshots("sessions_ended", |desk| {
        desk.press("2");
        let ended = serde_json::json!({"ended_at_millis": START, "end_reason": "the client left"});
        let mut item = serde_json::to_value(session(2, "crew")).unwrap();
        item.as_object_mut().unwrap().extend(ended.as_object().unwrap().clone());
        desk.tell(Fed::Session(Box::new(serde_json::from_value(item).unwrap())));
    });
    snapshots("sessions_watching", |desk| {
        desk.press("2<enter>");
        let session = desk.state.sessions.watching.as_ref().unwrap().session.clone();
        desk.take(Message::Answer(Answer::Watched(session, Watched::Events(events()))));
    });
    snapshots("sessions_cannot_be_watched", |desk| {
        desk.press("2<enter>");
        let session = desk.state.sessions.watching.as_ref().unwrap().session.clone();
        desk.take(Message::Answer(Answer::Watched(session, Watched::Failed("refused by policy".to_owned()))));
    });
    snapshots("sessions_killing", |desk| desk.press("2xruns wild<enter>"));
    assert_ne!(session_id(1), session_id(2));
}

#[test]
fn replays() {
    let found = || Message::Answer(Answer::Found(Ok(vec![session(1, "alice"), session(2, "crew")])));
    snapshots("replays", |desk| {
        desk.press("3");
        desk.take(found());
    });
    snapshots("replays_searching", |desk| {
        desk.press("3");
        desk.take(found());
        desk.press("/who:al drop table");
    });
    snapshots("replays_nothing_found", |desk| {
        desk.press("3/zebra<enter>");
        desk.take(Message::Answer(Answer::Found(Ok(Vec::new()))));
    });
    snapshots("replays_playing", |desk| {
        desk.press("3");
        desk.take(found());
        desk.press("<enter>");
        let session = desk.state.replays.fetching.clone().expect("asked for");
        desk.take(Message::Answer(Answer::Fetched(session, Ok(events()))));
        desk.press("G");
    });
}

#[test]
fn the_other_pages() {
    snapshots("runs_asking", |desk| desk.press("4"));
    snapshots("runs_none", |desk| {
        desk.press("4");
        desk.take(Message::Answer(Answer::Runs(Ok(Vec::new()))));
    });
    let listed = || Message::Answer(Answer::Runs(Ok(vec![run(1, false), run(2, true)])));
    snapshots("runs", |desk| {
        desk.press("4");
        desk.take(listed());
    });
    snapshots("runs_timeline", |desk| {
        desk.press("4");
        desk.take(listed());
        desk.press("<enter>");
        let answer = Ok((run_detail(1), timeline()));
        desk.take(Message::Answer(Answer::Run(run(1, false).id, Box::new(answer))));
    });
    snapshots("health_asking", |desk| desk.press("5"));
    snapshots("health", |desk| {
        desk.press("5");
        desk.take(Message::Answer(Answer::Health(Box::new(report(true)))));
    });
    snapshots("health_bad", |desk| {
        desk.press("5");
        desk.take(Message::Answer(Answer::Health(Box::new(report(false)))));
        desk.tell(Fed::Lost("connection refused".to_owned()));
    });
}

fn report(store: bool) -> HealthReport {
    let health = serde_json::json!({"ok": store, "recorder": true, "store": store, "identity": true});
    let gateway = serde_json::json!({"version": env!("CARGO_PKG_VERSION"), "dev": true, "identity": {
        "issuer": "https://idp.example.com", "client_id": "hoop-cli", "scopes": ["openid"], "token": "access"}});
    HealthReport {
        health: Ok(serde_json::from_value(health).unwrap()),
        gateway: Some(serde_json::from_value(gateway).unwrap()),
    }
}

#[test]
fn a_small_screen_says_so_and_shows_no_request() {
    let mut desk = Desk::with((79, 24), house());
    assert_eq!(desk.see().request_rows, None);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn every_size_can_be_drawn() {
    let mut desk = Desk::with((80, 24), house());
    for size in [(1, 1), (10, 3), (80, 23), (80, 24), (139, 30), (140, 24), (300, 100), (80, 24)] {
        desk.take(Message::Resized(size.0, size.1));
        for keys in ["1", "a", "<esc>", "2", "3", "4", "5", "?", "<esc>", "1", "d", "<esc>", "<enter>", "<esc>"] {
            desk.press(keys);
        }
    }
}

/// Every text of a request and of a session, full of what a terminal would act on.
fn hostile() -> (Vec<Request>, serde_json::Value) {
    let evil = "x\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{2066}\u{200b}\u{0}y";
    let text = || Some(evil.to_owned());
    let mut one = request(1, evil);
    for text in [&mut one.database, &mut one.role, &mut one.kind, &mut one.effect] {
        evil.clone_into(text);
    }
    one.objects = vec![evil.into()];
    one.risk_reasons = vec![evil.into()];
    one.filters_on = vec![evil.into()];
    one.parameters = vec![text()];
    one.message = text();
    let by = "dora\u{202e}".parse().unwrap();
    one.reviews = vec![ReviewItem { by, approved: true, reason: text(), at_millis: 0 }];
    let earlier = Earlier { id: evil.into(), status: ApprovalStatus::Denied, by: vec![evil.into()], at_millis: 0 };
    let extra = Extra {
        agent: text(),
        run: text(),
        task: text(),
        reason: text(),
        shape: text(),
        shape_for_seconds: Some(60),
        step_up: Some(Login { max_age_seconds: None, acr: text() }),
        history: vec![earlier],
        search_path: vec![evil.into()],
        session: text(),
        ..Extra::default()
    };
    let access = Extra { asks: Asks::Access, ..extra.clone() };
    let event = serde_json::json!({"seq": 1, "at_micros": 0, "kind": evil, "fields": {}});
    (vec![Request::told(one, extra), Request::told(request(2, ""), access)], event)
}

#[test]
fn nothing_from_outside_reaches_the_terminal_as_it_came() {
    for ascii in [false, true] {
        let (items, event) = hostile();
        let mut desk = Desk::with((200, 50), items);
        desk.state.theme = Theme::new(ThemeName::Dark, Depth::True, ascii);
        desk.tell(Fed::Sessions(vec![session(1, "al\u{202e}ice")]));
        for keys in ["", "j", "<enter>", "<esc>", "k<enter>", "a", "<esc>", "<esc>", "2", "2<enter>", "5"] {
            desk.press(keys);
            if let Some(watching) = &desk.state.sessions.watching {
                let (session, event) = (watching.session.clone(), serde_json::from_value(event.clone()).unwrap());
                desk.take(Message::Answer(Answer::Watched(session, Watched::Events(vec![event]))));
            }
            desk.state.say(crate::dashboard::state::Tone::Bad, "told \u{1b}[2J");
            let screen = desk.screen();
            let cells = screen.buffer().content.iter();
            let shown: Vec<&str> = cells.map(ratatui::buffer::Cell::symbol).collect();
            assert!(shown.iter().flat_map(|cell| cell.chars()).all(is_shown_as_it_is), "after {keys}");
            assert!(!ascii || shown.iter().all(|cell| cell.is_ascii()), "after {keys}");
        }
    }
}

#[test]
fn every_theme_and_depth_says_the_same_words() {
    let words = |theme: Theme| {
        let mut desk = Desk::with((80, 24), house());
        desk.state.theme = theme;
        desk.take(Message::Resized(80, 24));
        desk.screen().to_string()
    };
    let plain = words(Theme::new(ThemeName::Dark, Depth::Mono, false));
    for name in [ThemeName::Dark, ThemeName::Light, ThemeName::HighContrast] {
        for depth in [Depth::Mono, Depth::Sixteen, Depth::Indexed, Depth::True] {
            assert_eq!(words(Theme::new(name, depth, false)), plain);
        }
    }
    insta::assert_snapshot!("approvals_ascii", words(Theme::new(ThemeName::Dark, Depth::Mono, true)));
}

#[test]
fn without_colour_no_cell_has_any() {
    let mut desk = Desk::with((80, 24), house());
    desk.tell(Fed::Lost("gone".to_owned()));
    for tab in ["1", "2", "4", "5"] {
        desk.press(tab);
        let screen = desk.screen();
        let plain = ratatui::style::Color::Reset;
        assert!(screen.buffer().content.iter().all(|cell| cell.fg == plain && cell.bg == plain), "tab {tab}");
    }
    assert_eq!(desk.state.tab, Tab::Health);
}
