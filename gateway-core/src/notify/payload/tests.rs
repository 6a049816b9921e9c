//! What each receiver reads.

use super::*;
use crate::approval::{
    Case, Review, Vote,
    testing::{agent, own, person, request},
};

fn links() -> Links {
    Links(Url::parse("https://hoop.example.com").unwrap())
}

fn requested() -> Notice {
    Notice::of_case(&Case::open(request(1, agent("crew", "alice", &["agents"]))), None, 1_000).unwrap()
}

fn denied(requester: &str) -> Notice {
    let mut case = Case::open(request(1, person(requester, &[])));
    let review =
        Review { by: person("bob", &["dba"]), vote: Vote::Deny, reason: Some("no".into()), at_millis: 2, shape: None };
    case.review(review, &own).unwrap();
    Notice::of_case(&case, Some("pending"), 1_000).unwrap()
}

#[test]
fn a_webhook_says_what_is_asked_of_whom_where_and_how_to_decide() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&webhook(&requested(), &links())).unwrap(), @r#"
    {
      "type": "approval.requested",
      "timestamp": "1970-01-01T00:00:01Z",
      "data": {
        "connection": "pg-prod",
        "session": "ses_0000000001040g2081040g2081",
        "requester": {
          "kind": "agent",
          "name": "crew",
          "owner": "alice"
        },
        "link": "https://hoop.example.com/approvals/apr_0000000001040g2081",
        "commands": {
          "show": "hoop approvals show apr_0000000001040g2081",
          "approve": "hoop approvals approve apr_0000000001040g2081",
          "deny": "hoop approvals deny apr_0000000001040g2081 --reason '…'"
        },
        "by": [],
        "id": "apr_0000000001040g2081",
        "kind": "delete",
        "effect": "write",
        "groups": [
          "dba"
        ],
        "quorums": [
          {
            "count": 1,
            "group": "dba"
          }
        ],
        "risk": 40,
        "expires_at": "1970-01-01T00:01:00Z"
      }
    }
    "#);
}

#[test]
fn a_mail_says_the_same_in_lines() {
    let (subject, text) = mail(&requested(), &links());
    insta::assert_snapshot!(format!("{subject}\n{}", text.replace("\r\n", "\n")), @r"
    [hoop] crew, an agent of alice asks for approval of a delete on pg-prod
    crew, an agent of alice asks for approval of a delete on pg-prod.

    connection: pg-prod
    requester:  crew, an agent of alice
    operation:  delete (write)
    risk:       40 of 100
    needs:      1 of dba
    expires:    1970-01-01T00:01:00Z
    request:    apr_0000000001040g2081

    In a terminal:
        hoop approvals show apr_0000000001040g2081
        hoop approvals approve apr_0000000001040g2081
        hoop approvals deny apr_0000000001040g2081 --reason '…'

    https://hoop.example.com/approvals/apr_0000000001040g2081
    ");
}

#[test]
fn a_chat_message_has_a_text_and_blocks() {
    let message = chat(&requested(), &links());
    assert_eq!(message["text"], "crew, an agent of alice asks for approval of a delete on pg-prod");
    let kinds: Vec<&str> = message["blocks"].as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["header", "section", "section", "actions"]);
    assert!(message.to_string().contains("hoop approvals approve"));
    let decided = chat(&denied("alice"), &links());
    assert_eq!(decided["text"], "a delete of alice on pg-prod was denied by bob");
    assert!(!decided.to_string().contains("approve apr_"), "nothing is left to approve");
}

#[test]
fn a_session_that_was_ended_is_told_without_a_request() {
    let (connection, session) = (crate::approval::testing::connection().name, crate::model::SessionId::new(1, [1; 10]));
    let (crew, bob) = (agent("crew", "alice", &[]), person("bob", &["dba"]));
    let killed = Notice::of_kill(&crew, connection, session.clone(), &bob, 1_000);
    let told = webhook(&killed, &links());
    assert_eq!((&told["type"], &told["data"]["by"]), (&json!("session.killed"), &json!(["bob"])));
    assert_eq!(told["data"]["link"], format!("https://hoop.example.com/sessions/{session}"));
    assert_eq!(mail(&killed, &links()).0, "[hoop] a session of crew, an agent of alice on pg-prod was ended by bob");
    assert!(chat(&killed, &links()).to_string().contains(&format!("hoop sessions show {session}")));
}

#[test]
fn a_name_is_no_markup_and_calls_no_channel() {
    let message = chat(&denied("<!channel> & *eve*"), &links());
    assert!(message["text"].as_str().unwrap().contains("&lt;!channel&gt; &amp; *eve*"), "{message}");
    let blocks = message["blocks"].as_array().unwrap();
    let marked_up = blocks.iter().filter(|block| block["text"]["type"] == "mrkdwn");
    assert!(marked_up.clone().count() == 1 && !marked_up.clone().any(|block| block.to_string().contains("eve")));
}

#[test]
fn no_payload_holds_the_statement_or_the_reviewers_words() {
    for notice in [requested(), denied("alice")] {
        let (subject, text) = mail(&notice, &links());
        for said in [webhook(&notice, &links()).to_string(), chat(&notice, &links()).to_string(), subject, text] {
            for kept_back in ["DELETE FROM", "id = 7", "orders", "a DBA looks", "\"no\""] {
                assert!(!said.contains(kept_back), "{kept_back}: {said}");
            }
        }
    }
}
