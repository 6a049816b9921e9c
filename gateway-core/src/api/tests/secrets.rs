//! Secrets of the gateway's own store, and connections put to the proof: for who administers, on record, without a value.

use http::StatusCode;
use serde_json::json;

use super::world::World;
use crate::{approval::testing::person, model::Principal};

fn operator() -> Principal {
    person("olga", &["operators"])
}

#[tokio::test]
async fn only_who_administers_sets_lists_and_removes_secrets_and_no_answer_or_record_has_a_value() {
    let world = World::new().await;
    let (olga, bob) = (world.token(&operator()), world.token(&person("bob", &["dba"])));
    let value = json!({ "value": "hunter2" }).to_string();
    let rotated = json!({ "value": "hunter3", "rotate": true }).to_string();
    for (path, body) in [("/secrets/pg%2Fprod", value.as_str()), ("/secrets/pg%2Fprod/remove", "")] {
        assert_eq!(world.post(Some(&bob), path, body).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(world.get(Some(&bob), "/secrets").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post(Some(&olga), "/secrets/pg%2Fprod", &rotated).await.status, StatusCode::NOT_FOUND);
    let set = world.post(Some(&olga), "/secrets/pg%2Fprod", &value).await;
    assert_eq!(set.json(), json!({ "name": "pg/prod", "version": 1 }));
    assert_eq!(world.post(Some(&olga), "/secrets/pg%2Fprod", &rotated).await.json()["version"], 2);
    let listed = world.get(Some(&olga), "/secrets").await;
    assert_eq!((&listed.json()[0]["name"], &listed.json()[0]["changed_by"]), (&json!("pg/prod"), &json!("olga")));
    assert!(!listed.body.contains("hunter"), "{}", listed.body);
    for (path, body) in
        [("/secrets/..%2Fx", value.as_str()), ("/secrets/a", "{\"value\":\"\"}"), ("/secrets/a", "hunter2")]
    {
        let answer = world.post(Some(&olga), path, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(!answer.body.contains("hunter"), "{}", answer.body);
    }
    assert_eq!(world.post(Some(&olga), "/secrets/pg%2Fprod/remove", "").await.status, StatusCode::OK);
    assert_eq!(world.post(Some(&olga), "/secrets/pg%2Fprod/remove", "").await.status, StatusCode::NOT_FOUND);
    let notes = world.recordings.notes().join("\n");
    assert!(notes.contains("administered: olga rotate the secret pg/prod"), "{notes}");
    assert!(notes.contains("denied: bob set a secret") && !notes.contains("hunter"), "{notes}");
}

#[tokio::test]
async fn a_secret_whose_change_cannot_be_recorded_stays_as_it_was() {
    let world = World::new().await;
    world.recordings.fail(true);
    let body = json!({ "value": "hunter2" }).to_string();
    let answer = world.post(Some(&world.token(&operator())), "/secrets/a", &body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    world.recordings.fail(false);
    assert_eq!(world.get(Some(&world.token(&operator())), "/secrets").await.json(), json!([]));
}

#[tokio::test]
async fn only_who_administers_sees_where_connections_lead_and_has_them_tested() {
    let world = World::new().await;
    let (olga, bob) = (world.token(&operator()), world.token(&person("bob", &["dba"])));
    assert_eq!(world.get(Some(&bob), "/connections/configured").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post(Some(&bob), "/connections/pg-prod/test", "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get(Some(&olga), "/connections/configured").await.status, StatusCode::OK);
    assert_eq!(world.post(Some(&olga), "/connections/pg-prod/test", "").await.status, StatusCode::OK);
    assert_eq!(world.post(Some(&olga), "/connections/nowhere/test", "").await.status, StatusCode::NOT_FOUND);
}
