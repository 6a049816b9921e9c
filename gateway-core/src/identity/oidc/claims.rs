//! From the claims of a token with a good signature to a principal: pure checks against the settings and `now`.
//!
//! Knows no keys and no HTTP. Called by `oidc` only after the signature was verified.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    api::types::TokenChoice,
    config::{AgentRule, DEFAULT_CLOCK_SKEW_SECONDS, GroupsFrom, OidcConfig, WorkloadIssuer},
    identity::{IdentityError, Verified},
    model::{Authentication, CLOCK_SKEW_SECONDS, GroupName, Principal, PrincipalKind, PrincipalName},
};

/// The most groups that a person may be in.
pub(super) const MAX_GROUPS: usize = 500;
const MAX_CLAIM_BYTES: usize = 256;

/// The claims of a token, and the `typ` of its header.
pub(super) struct Presented<'token> {
    pub(super) header_type: Option<&'token str>,
    pub(super) claims: &'token Map<String, Value>,
}

/// Checks every claim and names the principal. Of its claims, those of these names are kept.
pub(super) fn prove(
    presented: &Presented<'_>,
    config: &OidcConfig,
    agents: &[AgentRule],
    readable: &BTreeSet<String>,
    now: i64,
) -> Result<Verified, IdentityError> {
    let claims = presented.claims;
    if claims.get("iss").and_then(Value::as_str) != Some(config.issuer.as_str()) {
        return Err(IdentityError::Invalid("another issuer made it"));
    }
    let skew = config.options.clock_skew_seconds;
    let expires_at = check_times(claims, skew, now)?;
    match config.token {
        TokenChoice::Access => check_access_token(presented, config)?,
        TokenChoice::Id => check_id_token(presented, config)?,
    }
    let (principal, expires_at) = match matching_agent(claims, &config.issuer, agents)? {
        Some(rule) => (agent(rule, kept(claims, readable)?), expires_at),
        // FAIL-CLOSED: RFC 9068 §2.2 has a client that asked for itself as the subject; it is nobody's namesake.
        None if is_a_clients(claims) => return Err(NO_AGENT),
        None => (person(claims, config, readable)?, end_of_belief(claims, config, expires_at, now)?),
    };
    Ok(Verified { principal, expires_at, authentication: authentication(claims, now)? })
}

/// A person who was disabled since is not told of by a token, so that none is believed for long.
fn end_of_belief(
    claims: &Map<String, Value>,
    config: &OidcConfig,
    expires_at: i64,
    now: i64,
) -> Result<i64, IdentityError> {
    // SPEC: OpenID Connect Core §2 and RFC 9068 §2.2 both require it.
    let made_at = seconds(claims, "iat")?
        .ok_or(IdentityError::Invalid("it does not say when it was made (iat), so that nobody knows how old it is"))?;
    let end = made_at.saturating_add(config.options.login_seconds);
    if now >= end {
        return Err(IdentityError::Invalid(
            "it was made longer ago than this gateway believes a token (login_minutes)",
        ));
    }
    Ok(expires_at.min(end))
}

const NO_AGENT: IdentityError =
    IdentityError::Invalid("it is a service account's, and no agent of agents.toml has its issuer and claims");

/// Checks every claim of a token of service accounts and names the agent.
pub(super) fn prove_workload(
    presented: &Presented<'_>,
    config: &WorkloadIssuer,
    agents: &[AgentRule],
    readable: &BTreeSet<String>,
    now: i64,
) -> Result<Verified, IdentityError> {
    let claims = presented.claims;
    if claims.get("iss").and_then(Value::as_str) != Some(config.issuer.as_str()) {
        return Err(IdentityError::Invalid("another issuer made it"));
    }
    let expires_at = check_times(claims, DEFAULT_CLOCK_SKEW_SECONDS, now)?;
    if !audiences(claims).contains(&config.audience.as_str()) {
        return Err(IdentityError::Invalid("it is meant for another audience"));
    }
    let rule = matching_agent(claims, &config.issuer, agents)?.ok_or(NO_AGENT)?;
    let principal = agent(rule, kept(claims, readable)?);
    Ok(Verified { principal, expires_at, authentication: authentication(claims, now)? })
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

fn check_times(claims: &Map<String, Value>, skew: i64, now: i64) -> Result<i64, IdentityError> {
    let expires_at = seconds(claims, "exp")?.ok_or(IdentityError::Invalid("it never expires"))?;
    if now >= expires_at.saturating_add(skew) {
        return Err(IdentityError::Ended { ago_seconds: now.saturating_sub(expires_at) });
    }
    for start in ["nbf", "iat"] {
        let ahead = seconds(claims, start)?.map_or(0, |start| start.saturating_sub(now));
        if ahead > skew {
            return Err(IdentityError::Ahead { seconds: ahead, allowed_seconds: skew });
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
            && rule.claims.iter().all(|(path, wanted)| claim_at_dotted(claims, path) == Found::Text(wanted.clone()))
    });
    let first = matching.next();
    if matching.next().is_some() {
        return Err(IdentityError::Invalid(
            "several agents of agents.toml have its issuer and claims; make their claims differ",
        ));
    }
    Ok(first)
}

/// What is at a name.
#[derive(PartialEq, Eq)]
enum Found {
    Nothing,
    Text(String),
    /// A list, a table: nothing that a policy compares.
    Other,
}

/// The claim of that very name, else the one at the dotted path.
fn claim_at_dotted(claims: &Map<String, Value>, path: &str) -> Found {
    let value = claims.get(path).or_else(|| {
        let mut steps = path.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.as_object()?.get(step))
    });
    match value {
        None | Some(Value::Null) => Found::Nothing,
        Some(Value::String(text)) => Found::Text(text.clone()),
        Some(Value::Bool(truth)) => Found::Text(truth.to_string()),
        Some(Value::Number(number)) => Found::Text(number.to_string()),
        Some(Value::Array(_) | Value::Object(_)) => Found::Other,
    }
}

fn agent(rule: &AgentRule, claims: BTreeMap<String, String>) -> Principal {
    Principal {
        kind: PrincipalKind::Agent,
        name: rule.name.clone(),
        groups: rule.groups.clone(),
        claims,
        owner: Some(rule.owner.clone()),
        lent_by: None,
    }
}

fn person(
    claims: &Map<String, Value>,
    config: &OidcConfig,
    readable: &BTreeSet<String>,
) -> Result<Principal, IdentityError> {
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
        groups: match config.options.groups_from {
            GroupsFrom::Token => groups(claims, config)?,
            // Asked for once the person is known.
            GroupsFrom::Userinfo | GroupsFrom::Google(_) => BTreeSet::new(),
        },
        claims: kept(claims, readable)?,
        owner: None,
        lent_by: None,
    })
}

/// The groups of whoever userinfo tells of. An issuer that tells of no groups at all was not asked for them, or leaves
/// the claim out: that somebody is in none is an empty list.
pub(super) fn told_groups(
    told: &Map<String, Value>,
    config: &OidcConfig,
) -> Result<BTreeSet<GroupName>, IdentityError> {
    let groups = groups(told, config)?;
    if groups.is_empty() && group_claim(told, config).is_none() {
        return Err(IdentityError::Invalid(
            "the issuer's userinfo has no groups_claim, so that nobody knows the groups; ask for the scope that releases \
             it (scopes of [identity.oidc]), or have the issuer send an empty list to people in no group",
        ));
    }
    Ok(groups)
}

fn group_claim<'claims>(claims: &'claims Map<String, Value>, config: &OidcConfig) -> Option<&'claims Value> {
    let mut steps = config.groups_claim.iter();
    let first = claims.get(steps.next()?);
    steps.fold(first, |value, step| value?.as_object()?.get(step))
}

/// The groups in claims, of a token or of an answer of the userinfo endpoint. Groups that were left out are not taken
/// for none.
pub(super) fn groups(claims: &Map<String, Value>, config: &OidcConfig) -> Result<BTreeSet<GroupName>, IdentityError> {
    let first = config.groups_claim.first().ok_or(IdentityError::Invalid("no claim is named for its groups"))?;
    if left_out(claims, first) {
        return Err(IdentityError::Invalid(
            "the person is in more groups than the issuer puts into a token (Entra: group overage, more than 200); in \
             Entra, emit only groups assigned to the application, or app roles (groups_claim = \"roles\")",
        ));
    }
    let found = group_claim(claims, config);
    let malformed = || IdentityError::Invalid("its groups are not names");
    let group = |name: &str| GroupName::new(name).map_err(|_refused| malformed());
    let found: BTreeSet<GroupName> = match (found, config.options.groups_separator) {
        (None | Some(Value::Null), _) => BTreeSet::new(),
        (Some(Value::Array(several)), _) if several.len() > MAX_GROUPS => return Err(TOO_MANY_GROUPS),
        (Some(Value::Array(several)), _) => {
            several.iter().map(|value| group(value.as_str().ok_or_else(malformed)?)).collect::<Result<_, _>>()?
        }
        (Some(Value::String(text)), Some(separator)) => {
            let names = text.split(separator).map(str::trim).filter(|name| !name.is_empty());
            names.take(MAX_GROUPS + 1).map(group).collect::<Result<_, _>>()?
        }
        (Some(Value::String(one)), None) => BTreeSet::from([group(one)?]),
        (Some(_other), _) => return Err(malformed()),
    };
    if found.len() > MAX_GROUPS { Err(TOO_MANY_GROUPS) } else { Ok(found) }
}

/// Somebody in more groups than can be looked at.
pub(super) const TOO_MANY_GROUPS: IdentityError = IdentityError::Invalid("it names too many groups (more than 500)");

/// SPEC: OpenID Connect Core §5.6.2 (claims kept elsewhere); Entra says `hasgroups` where an address has no room for that.
fn left_out(claims: &Map<String, Value>, first: &str) -> bool {
    let elsewhere =
        claims.get("_claim_names").and_then(Value::as_object).is_some_and(|names| names.contains_key(first));
    let unsaid = !claims.contains_key(first) && claims.get("hasgroups").is_some_and(|has| *has != Value::Bool(false));
    elsewhere || unsaid
}

/// The claims that the site lists. One that cannot be shown to policies whole is refused: a policy that asks whether it
/// is there must not be told that it is not.
fn kept(claims: &Map<String, Value>, readable: &BTreeSet<String>) -> Result<BTreeMap<String, String>, IdentityError> {
    let mut kept = BTreeMap::new();
    for name in readable {
        match claim_at_dotted(claims, name) {
            Found::Nothing => {}
            Found::Text(text) if text.len() <= MAX_CLAIM_BYTES => drop(kept.insert(name.clone(), text)),
            Found::Text(_) | Found::Other => {
                return Err(IdentityError::Invalid(
                    "a claim that policies read (claims in gateway.toml) is neither text, number nor truth, or too long",
                ));
            }
        }
    }
    Ok(kept)
}
