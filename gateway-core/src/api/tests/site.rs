//! The site over the API: who may look at it and change it, and what a refusal says. What changes is faked here.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::json;

use super::world::{NoTables, World};
use crate::{
    api::{
        SiteRefusal, SiteWork, Sites,
        types::{SiteApplied, SiteDifference, SiteOrigin, SiteProblem, SiteProblemKind, SiteStanding, SiteVersion},
    },
    approval::testing::person,
    model::Principal,
};

fn standing(version: u64) -> SiteStanding {
    SiteStanding {
        version,
        origin: SiteOrigin::Apply,
        again: None,
        by: "officer".into(),
        message: None,
        at_millis: 7,
        digest: "d".into(),
        policies: "p".into(),
    }
}

fn difference(problems: Vec<SiteProblem>) -> SiteDifference {
    SiteDifference {
        base: standing(3),
        files: Vec::new(),
        connections: Vec::new(),
        policies: Vec::new(),
        agents: Vec::new(),
        masking: false,
        ends: BTreeMap::new(),
        cases: 0,
        problems,
    }
}

fn problem() -> SiteProblem {
    SiteProblem {
        kind: SiteProblemKind::Case,
        file: "tests/a.toml".into(),
        line: 3,
        column: 0,
        message: "otherwise".into(),
        fix: "correct it".into(),
    }
}

impl Sites for NoTables {
    fn standing(&self) -> SiteWork<'_, SiteStanding> {
        Box::pin(async { Ok(standing(3)) })
    }

    fn versions(&self, _limit: usize) -> SiteWork<'_, Vec<SiteStanding>> {
        Box::pin(async { Ok(vec![standing(3)]) })
    }

    fn version(&self, version: u64) -> SiteWork<'_, SiteVersion> {
        Box::pin(async move {
            let known = SiteVersion { standing: standing(3), files: BTreeMap::new() };
            if version == 3 { Ok(known) } else { Err(SiteRefusal::Unknown) }
        })
    }

    fn compare(&self, _files: BTreeMap<String, String>) -> SiteWork<'_, SiteDifference> {
        Box::pin(async { Ok(difference(vec![problem()])) })
    }

    fn apply<'site>(
        &'site self,
        _by: &'site Principal,
        base: u64,
        _message: Option<String>,
        files: BTreeMap<String, String>,
    ) -> SiteWork<'site, SiteApplied> {
        Box::pin(async move {
            if base != 3 {
                return Err(SiteRefusal::Superseded(Box::new(standing(3))));
            }
            if files.is_empty() {
                return Err(SiteRefusal::Problems(vec![problem()]));
            }
            Ok(SiteApplied { standing: standing(4), difference: difference(Vec::new()), ended_sessions: 0 })
        })
    }

    fn roll_back<'site>(
        &'site self,
        _by: &'site Principal,
        _base: u64,
        version: Option<u64>,
        _message: Option<String>,
    ) -> SiteWork<'site, SiteApplied> {
        Box::pin(async move {
            let difference = difference(Vec::new());
            let done = SiteApplied { standing: standing(4), difference, ended_sessions: 0 };
            version.map_or(Err(SiteRefusal::Unknown), |_| Ok(done))
        })
    }
}

#[tokio::test]
async fn a_site_is_changed_only_by_whom_policy_lets_administer_and_a_refusal_says_what_stands_in_the_way() {
    let world = World::new().await;
    let (olga, alice) = (world.token(&person("olga", &["operators"])), world.token(&person("alice", &["engineers"])));
    for path in ["/site", "/site/versions", "/site/versions/3"] {
        assert_eq!(world.get(Some(&alice), path).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(world.get(Some(&olga), path).await.status, StatusCode::OK, "{path}");
    }
    let files = json!({"gateway.toml": ""});
    let calls = [
        ("/site/diff", json!({"files": files})),
        ("/site/apply", json!({"base": 3, "files": files})),
        ("/site/rollback", json!({"base": 3, "version": 2})),
    ];
    for (path, body) in calls {
        let body = body.to_string();
        assert_eq!(world.post(Some(&alice), path, &body).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(world.post(Some(&olga), path, &body).await.status, StatusCode::OK, "{path}");
    }
    let late = world.post(Some(&olga), "/site/apply", &json!({"base": 2, "files": files}).to_string()).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    let wrong = world.post(Some(&olga), "/site/apply", &json!({"base": 3, "files": {}}).to_string()).await;
    assert_eq!(
        (wrong.status, &wrong.json()["problems"][0]["kind"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("case"))
    );
    assert_eq!(world.get(Some(&olga), "/site/versions/none").await.status, StatusCode::NOT_FOUND);
    let notes = world.recordings.notes();
    assert!(notes.contains(&"denied: alice apply a site".to_owned()), "{notes:?}");
}
