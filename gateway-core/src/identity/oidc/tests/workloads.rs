//! Service accounts: at the issuer that people log in at, and at issuers of their own.

use super::*;
use crate::config::WorkloadIssuer;

const CLUSTER: &str = "https://cluster.example.com";
const WITHOUT_RULE: &str = "it is a service account's, and no agent of agents.toml has its issuer and claims";

#[tokio::test]
async fn a_client_that_asked_for_itself_is_never_a_person() {
    // With `sub` as the principal's claim, a client named like a person would be that person.
    for name in ["client_id", "azp"] {
        let refused = access("at+jwt", |claims| claims[name] = json!("alice")).await.unwrap_err();
        assert!(refused.to_string().ends_with(WITHOUT_RULE), "{name}: {refused}");
    }
    assert!(access("at+jwt", |claims| claims["client_id"] = json!("hoop-cli")).await.is_ok());
}

fn agent_rule(name: &str, claims: &[(&str, &str)]) -> AgentRule {
    AgentRule {
        name: PrincipalName::new(name).unwrap(),
        issuer: CLUSTER.into(),
        claims: claims.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect(),
        owner: PrincipalName::new("alice").unwrap(),
        groups: BTreeSet::new(),
    }
}

fn proved(claims: &Value) -> Result<Verified, IdentityError> {
    let issuer = WorkloadIssuer {
        issuer: CLUSTER.into(),
        audience: "hoop".into(),
        algorithms: vec![SigningAlgorithm::EdDsa],
        ca_file: None,
    };
    let agents = [
        agent_rule("deployer", &[("repository", "acme/shop"), ("kubernetes.io.namespace", "ci")]),
        agent_rule("tester", &[("repository", "acme/tests")]),
        agent_rule("both", &[("environment", "both")]),
        AgentRule { issuer: ISSUER.into(), ..agent_rule("of-another-issuer", &[("repository", "acme/other")]) },
    ];
    let all = claims.as_object().unwrap().clone();
    claims::prove_workload(
        &Presented { header_type: Some("JWT"), claims: &all },
        &issuer,
        &agents,
        &BTreeSet::new(),
        NOW,
    )
}

fn token(repository: &str, environment: &str) -> Value {
    json!({ "iss": CLUSTER, "aud": ["hoop", "else"], "sub": "x", "exp": NOW + 60, "repository": repository,
            "environment": environment, "kubernetes.io/x": 1, "kubernetes": { "io": { "namespace": "ci" } } })
}

#[test]
fn a_workloads_token_is_an_agent_by_its_claims_or_nobody() {
    let found = proved(&token("acme/shop", "prod")).unwrap();
    assert_eq!((found.principal.kind, found.principal.name.as_str()), (PrincipalKind::Agent, "deployer"));
    assert_eq!(found.principal.owner.as_ref().map(PrincipalName::as_str), Some("alice"));
    assert_eq!(proved(&token("acme/tests", "prod")).unwrap().principal.name.as_str(), "tester");
    let sentence = |claims: &Value| proved(claims).unwrap_err().to_string();
    assert!(sentence(&token("acme/shop-fork", "prod")).ends_with(WITHOUT_RULE));
    assert!(sentence(&token("acme/other", "prod")).ends_with(WITHOUT_RULE));
    assert!(sentence(&token("acme/tests", "both")).contains("several agents"));
    for (claim, value) in [
        ("aud", json!("else")),
        ("aud", json!(null)),
        ("iss", json!(ISSUER)),
        ("exp", json!(NOW - 600)),
        ("exp", json!(null)),
        ("kubernetes", json!({ "io": { "namespace": "prod" } })),
    ] {
        let mut wrong = token("acme/shop", "prod");
        wrong[claim] = value.clone();
        assert!(proved(&wrong).is_err(), "{claim} {value}");
    }
}

#[test]
fn the_issuer_that_a_token_names_only_chooses_whose_keys_are_asked() {
    let key = SigningKey::new("one");
    let token = key.sign("JWT", &token("acme/shop", "prod"));
    assert_eq!(claims::said_issuer(&token).as_deref(), Some(CLUSTER));
    for nonsense in ["", "a", "a.b.c", "a.e30.c", "a.W10.c"] {
        assert_eq!(claims::said_issuer(nonsense), None, "{nonsense}");
    }
}
