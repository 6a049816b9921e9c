//! The sample site's decision for every principal and action, as one reviewed table.

use std::fmt::Write as _;

use super::*;

const SAMPLE: [(&str, &str); 4] = [
    ("access.cedar", include_str!("../../config/sample/policies/access.cedar")),
    ("approvals.cedar", include_str!("../../config/sample/policies/approvals.cedar")),
    ("guardrails.cedar", include_str!("../../config/sample/policies/guardrails.cedar")),
    ("masking.cedar", include_str!("../../config/sample/policies/masking.cedar")),
];

fn sample() -> PolicySet {
    let sources: Vec<_> =
        SAMPLE.iter().map(|(path, text)| PolicySource { path: path.into(), text: (*text).to_owned() }).collect();
    PolicySet::load(&sources, &TagNames::default()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn every_action_of_the_sample_site_is_decided_as_reviewed() {
    let set = sample();
    let principals = [
        person("alice", &["engineers"]),
        person("bob", &["dba"]),
        person("carol", &["auditors"]),
        agent("crew", "alice", &["agents"]),
    ];
    let staging = ConnectionFacts { labels: [("env".into(), "staging".into())].into(), ..production() };
    let mut table = String::new();
    for who in &principals {
        writeln!(table, "{}", who.name).unwrap();
        writeln!(table, "  connect: {}", short(&set.connect(who, &production(), &now()))).unwrap();
        for verb in Verb::ALL {
            let asked = operation(&[(*verb, Some("orders"))]);
            let careless = Operation { has_where: false, ..asked.clone() };
            let row = [
                short(&set.weigh(who, &production(), &asked, &now())),
                short(&set.weigh(who, &staging, &asked, &now())),
                short(&set.weigh(who, &production(), &careless, &now())),
            ];
            writeln!(table, "  {verb}: {}", row.join(" | ")).unwrap();
        }
        for tag in ["email", "credit_card", "pii", "jwt", "salary"] {
            writeln!(table, "  reveal {tag}: {:?}", set.reveal(who, &production(), tag)).unwrap();
        }
        for (action, on) in api(&principals[0]) {
            writeln!(table, "  {}: {}", action.as_str(), short(&set.may(who, &action, &on))).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

fn api(alice: &Principal) -> Vec<(ApiAction, ApiResource)> {
    let session = || ApiResource::Session { owner: alice.clone(), connection: production() };
    let request = ApiResource::Request { requester: alice.clone(), connection: production() };
    vec![
        (ApiAction::Approve { group: GroupName::new("dba").unwrap() }, request),
        (ApiAction::ReplaySession, session()),
        (ApiAction::ListSessions, session()),
        (ApiAction::ListSessions, ApiResource::Gateway),
        (ApiAction::KillSession, session()),
        (ApiAction::Administer, ApiResource::Gateway),
    ]
}
