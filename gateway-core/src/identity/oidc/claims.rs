//! From the claims of a token with a good signature to a principal: pure checks against the settings and `now`.
//!
//! Knows no keys and no HTTP. Called by `oidc` only after the signature was verified.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    api::types::TokenChoice,
    config::{AgentRule, OidcConfig, WorkloadIssuer},
    identity::{IdentityError, Verified},
    model::{Authentication, CLOCK_SKEW_SECONDS, GroupName, Principal, PrincipalKind, PrincipalName},
};

/// How far the issuer's clock may be off.
pub(super) const LEEWAY_SECONDS: i64 = 60;

const MAX_GROUPS: usize = 500;
const MAX_CLAIMS: usize = 32;
const MAX_CLAIM_BYTES: usize = 256;

/// Claims about the token itself rather than about who holds it; policies do not see them.
const OF_THE_TOKEN: &[&str] =
    &["exp", "iat", "nbf", "jti", "aud", "nonce", "at_hash", "c_hash", "s_hash", "sid", "session_state", "auth_time"];

/// The claims of a token, and the `typ` of its header.
pub(super) struct Presented<'token> {
    pub(super) header_type: Option<&'token str>,
    pub(super) claims: &'token Map<String, Value>,
}

/// Checks every claim and names the principal.
pub(super) fn prove(
    presented: &Presented<'_>,
    config: &OidcConfig,
    agents: &[AgentRule],
    now: i64,
) -> Result<Verified, IdentityError> {
    let claims = presented.claims;
    if claims.get("iss").and_then(Value::as_str) != Some(config.issuer.as_str()) {
        return Err(IdentityError::Invalid("another issuer made it"));
    }
    let expires_at = check_times(claims, now)?;
    match config.token {
        TokenChoice::Access => check_access_token(presented, config)?,
        TokenChoice::Id => check_id_token(presented, config)?,
    }
    let principal = match matching_agent(claims, &config.issuer, agents)? {
        Some(rule) => agent(rule, claims),
        // FAIL-CLOSED: RFC 9068 §2.2 has a client that asked for itself as the subject; it is nobody's namesake.
        None if is_a_clients(claims) => return Err(NO_AGENT),
        None => person(claims, config)?,
    };
    Ok(Verified { principal, expires_at, authentication: authentication(claims, now)? })
}

const NO_AGENT: IdentityError =
    IdentityError::Invalid("it is a service account's, and no agent of agents.toml has its issuer and claims");

/// Checks every claim of a token of service accounts and names the agent.
pub(super) fn prove_workload(
    presented: &Presented<'_>,
    config: &WorkloadIssuer,
    agents: &[AgentRule],
    now: i64,
) -> Result<Verified, IdentityError> {
    let claims = presented.claims;
    if claims.get("iss").and_then(Value::as_str) != Some(config.issuer.as_str()) {
        return Err(IdentityError::Invalid("another issuer made it"));
    }
    let expires_at = check_times(claims, now)?;
    if !audiences(claims).contains(&config.audience.as_str()) {
        return Err(IdentityError::Invalid("it is meant for another audience"));
    }
    let rule = matching_agent(claims, &config.issuer, agents)?.ok_or(NO_AGENT)?;
    Ok(Verified { principal: agent(rule, claims), expires_at, authentication: authentication(claims, now)? })
}

/// The issuer that a token names, before anything of it is proved.
pub(super) fn said_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        iss: String,
    }
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice::<Said>(&claims).ok().map(|said| said.iss)
}

/// Whether a client asked for itself, and not for a person.
fn is_a_clients(claims: &Map<String, Value>) -> bool {
    let subject = claims.get("sub").and_then(Value::as_str);
    let client = ["client_id", "azp"].into_iter().any(|name| claims.get(name).and_then(Value::as_str) == subject);
    subject.is_some() && client
}

fn check_times(claims: &Map<String, Value>, now: i64) -> Result<i64, IdentityError> {
    let expires_at = seconds(claims, "exp")?.ok_or(IdentityError::Invalid("it never expires"))?;
    if now >= expires_at.saturating_add(LEEWAY_SECONDS) {
        return Err(IdentityError::Expired);
    }
    for start in ["nbf", "iat"] {
        if seconds(claims, start)?.is_some_and(|start| start > now.saturating_add(LEEWAY_SECONDS)) {
            return Err(IdentityError::Expired);
        }
    }
    Ok(expires_at)
}

/// What the token says of the login behind it; `iat` says nothing of it, since a renewed token has a new one.
fn authentication(claims: &Map<String, Value>, now: i64) -> Result<Authentication, IdentityError> {
    // Some issuers write the time as text: a login that cannot be dated is not fresh, and no more.
    let dated = claims.get("auth_time").is_some_and(Value::is_number);
    let at = if dated { seconds(claims, "auth_time")? } else { None };
    if at.is_some_and(|at| at > now.saturating_add(CLOCK_SKEW_SECONDS)) {
        return Err(IdentityError::Invalid("it says that its holder will log in later than now"));
    }
    let acr = claims.get("acr").and_then(Value::as_str).filter(|acr| acr.len() <= MAX_CLAIM_BYTES);
    Ok(Authentication { at, acr: acr.map(str::to_owned) })
}

fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, IdentityError> {
    let malformed = IdentityError::Invalid("a time in it is not a number of seconds");
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            // RFC 7519 allows fractions; they round towards the past.
            let whole = number.as_i64().or_else(|| number.to_string().split('.').next()?.parse().ok());
            whole.filter(|seconds| *seconds >= 0).map(Some).ok_or(malformed)
        }
        Some(_other) => Err(malformed),
    }
}

/// SPEC: RFC 9068 §4; issuers that predate it say `JWT` or nothing.
fn check_access_token(presented: &Presented<'_>, config: &OidcConfig) -> Result<(), IdentityError> {
    let declared = presented.header_type.map(|word| word.trim_start_matches("application/").to_ascii_lowercase());
    let is_declared = declared.as_deref() == Some("at+jwt");
    if !is_declared && !matches!(declared.as_deref(), None | Some("jwt")) {
        return Err(IdentityError::Invalid("it is not an access token"));
    }
    let claims = presented.claims;
    // Only ID tokens carry these, and Keycloak names its kinds in a claim.
    let of_id_tokens = ["nonce", "at_hash", "c_hash", "events"].iter().any(|name| claims.contains_key(*name));
    let other_kind = claims.get("typ").is_some_and(|kind| kind.as_str() != Some("Bearer"));
    if of_id_tokens || other_kind {
        return Err(IdentityError::Invalid("it is an ID token, and this gateway takes access tokens"));
    }
    if !audiences(claims).contains(&config.audience.as_str()) {
        return Err(IdentityError::Invalid("it is meant for another audience"));
    }
    // With an audience that is also the client, only the declared type tells the two tokens apart.
    if config.audience == config.client_id && !is_declared {
        return Err(IdentityError::Invalid("it cannot be told from an ID token; use an audience of its own"));
    }
    Ok(())
}

/// SPEC: OpenID Connect Core §3.1.3.7.
fn check_id_token(presented: &Presented<'_>, config: &OidcConfig) -> Result<(), IdentityError> {
    let claims = presented.claims;
    let declared = presented.header_type.map(str::to_ascii_lowercase);
    let other_kind = claims.get("typ").is_some_and(|kind| kind.as_str() != Some("ID"));
    if !matches!(declared.as_deref(), None | Some("jwt")) || other_kind || claims.contains_key("events") {
        return Err(IdentityError::Invalid("it is not an ID token, which is what this gateway takes"));
    }
    let audiences = audiences(claims);
    if !audiences.contains(&config.client_id.as_str()) {
        return Err(IdentityError::Invalid("it is meant for another client"));
    }
    match claims.get("azp") {
        Some(party) if party.as_str() != Some(config.client_id.as_str()) => {
            Err(IdentityError::Invalid("it was issued to another client"))
        }
        None if audiences.len() > 1 => Err(IdentityError::Invalid("it has several audiences and no authorized party")),
        Some(_) | None => Ok(()),
    }
}

fn audiences(claims: &Map<String, Value>) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    }
}

fn matching_agent<'rules>(
    claims: &Map<String, Value>,
    issuer: &str,
    agents: &'rules [AgentRule],
) -> Result<Option<&'rules AgentRule>, IdentityError> {
    let mut matching = agents.iter().filter(|rule| {
        rule.issuer == issuer
            && !rule.claims.is_empty()
            && rule.claims.iter().all(|(path, wanted)| claim_at_dotted(claims, path).is_some_and(|is| is == *wanted))
    });
    let first = matching.next();
    if matching.next().is_some() {
        return Err(IdentityError::Invalid(
            "several agents of agents.toml have its issuer and claims; make their claims differ",
        ));
    }
    Ok(first)
}

/// The claim of that very name, else the one at the dotted path; scalars only.
fn claim_at_dotted(claims: &Map<String, Value>, path: &str) -> Option<String> {
    if let Some(value) = claims.get(path) {
        return scalar(value);
    }
    let mut steps = path.split('.');
    let first = claims.get(steps.next()?)?;
    scalar(steps.try_fold(first, |value, step| value.as_object()?.get(step))?)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn agent(rule: &AgentRule, claims: &Map<String, Value>) -> Principal {
    Principal {
        kind: PrincipalKind::Agent,
        name: rule.name.clone(),
        groups: rule.groups.clone(),
        claims: readable(claims),
        owner: Some(rule.owner.clone()),
        lent_by: None,
    }
}

fn person(claims: &Map<String, Value>, config: &OidcConfig) -> Result<Principal, IdentityError> {
    let claim = config.principal_claim.as_str();
    let name = claims
        .get(claim)
        .and_then(Value::as_str)
        .ok_or(IdentityError::Invalid("it lacks the claim that names the principal (principal_claim)"))?;
    // An address that its holder did not prove is somebody else's name.
    if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Err(IdentityError::Invalid("its e-mail address is not verified by the issuer"));
    }
    let name = PrincipalName::new(name)
        .map_err(|_refused| IdentityError::Invalid("the principal's name in it is not usable"))?;
    Ok(Principal {
        kind: PrincipalKind::User,
        name,
        groups: groups(claims, &config.groups_claim)?,
        claims: readable(claims),
        owner: None,
        lent_by: None,
    })
}

fn groups(claims: &Map<String, Value>, path: &[String]) -> Result<BTreeSet<GroupName>, IdentityError> {
    let elsewhere = claims.get("_claim_names").and_then(Value::as_object);
    if let (Some(elsewhere), Some(first)) = (elsewhere, path.first())
        && elsewhere.contains_key(first)
    {
        return Err(IdentityError::Invalid("it names too many groups to carry them; limit the groups in the token"));
    }
    let mut steps = path.iter();
    let found = steps.next().and_then(|first| claims.get(first));
    let found = steps.fold(found, |value, step| value?.as_object()?.get(step));
    let malformed = IdentityError::Invalid("its groups are not names");
    let group = |value: &Value| value.as_str().and_then(|name| GroupName::new(name).ok()).ok_or(malformed.clone());
    match found {
        None | Some(Value::Null) => Ok(BTreeSet::new()),
        Some(Value::Array(several)) if several.len() > MAX_GROUPS => {
            Err(IdentityError::Invalid("it names too many groups"))
        }
        Some(Value::Array(several)) => several.iter().map(group).collect(),
        Some(one @ Value::String(_)) => Ok(BTreeSet::from([group(one)?])),
        Some(_other) => Err(malformed),
    }
}

fn readable(claims: &Map<String, Value>) -> BTreeMap<String, String> {
    claims
        .iter()
        .filter(|(name, _value)| !OF_THE_TOKEN.contains(&name.as_str()) && name.len() <= MAX_CLAIM_BYTES)
        .filter_map(|(name, value)| Some((name.clone(), scalar(value)?)))
        .filter(|(_name, value)| value.len() <= MAX_CLAIM_BYTES)
        .take(MAX_CLAIMS)
        .collect()
}
