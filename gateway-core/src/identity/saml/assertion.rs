//! From an assertion that was believed to a principal: names, groups, claims, and how long the login lasts.
//!
//! Pure. Called by `routes` only with what `service` believed.

use std::collections::{BTreeMap, BTreeSet};

use saml_rs::{NameIdFormat, SamlInstant, SsoSession};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::refusal::Refusal;
use crate::{
    config::SamlConfig,
    identity::{Verified, pages::turns_lines},
    model::{Authentication, CLOCK_SKEW_SECONDS, GroupName, Principal, PrincipalKind, PrincipalName},
};

const MAX_GROUPS: usize = 500;
const MAX_CLAIM_BYTES: usize = 256;

/// What of an assertion is used.
#[derive(Debug)]
pub(super) struct Reading {
    principal_attribute: Option<String>,
    groups_attribute: String,
    /// The attributes that policies may read.
    readable: BTreeSet<String>,
    login_seconds: i64,
}

impl Reading {
    /// `readable`: the attributes that policies may read, and no others.
    pub(super) fn of(config: &SamlConfig, readable: BTreeSet<String>) -> Self {
        Self {
            readable,
            principal_attribute: config.principal_attribute.clone(),
            groups_attribute: config.groups_attribute.clone(),
            login_seconds: i64::from(config.login_minutes) * 60,
        }
    }

    /// How long a login lasts at most, in minutes.
    pub(super) const fn login_minutes(&self) -> i64 {
        self.login_seconds / 60
    }

    /// Who it is, and until when: never beyond what the provider says of its own session.
    pub(super) fn verified(&self, session: &SsoSession, now: i64) -> Result<Verified, Refusal> {
        let statements = session.authn_sessions();
        if statements.is_empty() {
            return Err(Refusal("it does not say how the person proved who they are"));
        }
        let mut expires_at = now.saturating_add(self.login_seconds);
        let mut authenticated_at = None;
        for statement in statements {
            if let Some(end) = statement.not_on_or_after() {
                expires_at = expires_at.min(seconds(end)?);
            }
            if let Some(at) = statement.authn_instant() {
                let at = seconds(at)?;
                authenticated_at = Some(authenticated_at.map_or(at, |earlier: i64| earlier.min(at)));
            }
        }
        if expires_at <= now {
            return Err(Refusal("the provider's own session has ended"));
        }
        if authenticated_at.is_some_and(|at| at > now.saturating_add(CLOCK_SKEW_SECONDS)) {
            return Err(Refusal("it says that the person will log in later than now"));
        }
        let principal = Principal {
            kind: PrincipalKind::User,
            name: self.name(session)?,
            groups: self.groups(session)?,
            claims: self.claims(session)?,
            owner: None,
            lent_by: None,
        };
        // The library does not hand out the context class; a policy that wants one is not satisfied.
        let authentication = Authentication { at: authenticated_at, acr: None };
        Ok(Verified { principal, expires_at, authentication })
    }

    fn name(&self, session: &SsoSession) -> Result<PrincipalName, Refusal> {
        let name = match &self.principal_attribute {
            Some(attribute) => match values(session, attribute).as_slice() {
                [name] => *name,
                _ => return Err(Refusal("it does not have exactly one value of principal_attribute")),
            },
            None if session.name_id().format() == Some(&NameIdFormat::Transient) => {
                return Err(Refusal("its NameID is transient, another one at each login; set principal_attribute"));
            }
            None => session.name_id().value(),
        };
        let unusable = Refusal("the principal's name in it is not usable");
        if name.trim() != name || name.chars().any(turns_lines) {
            return Err(unusable);
        }
        PrincipalName::new(name).map_err(|_refused| unusable)
    }

    fn groups(&self, session: &SsoSession) -> Result<BTreeSet<GroupName>, Refusal> {
        let names = values(session, &self.groups_attribute);
        if names.len() > MAX_GROUPS {
            return Err(Refusal("it names too many groups"));
        }
        let group = |name: &str| GroupName::new(name).map_err(|_refused| Refusal("its groups are not names"));
        names.into_iter().map(group).collect()
    }

    /// The attributes that the site lists. One that cannot be shown to policies whole is refused: a policy that asks
    /// whether it is there must not be told that it is not.
    fn claims(&self, session: &SsoSession) -> Result<BTreeMap<String, String>, Refusal> {
        let mut claims = BTreeMap::new();
        for name in &self.readable {
            match values(session, name).as_slice() {
                [] => {}
                [value] if value.len() <= MAX_CLAIM_BYTES => drop(claims.insert(name.clone(), (*value).to_owned())),
                [_long] => {
                    return Err(Refusal(
                        "an attribute that policies read (claims in gateway.toml) is over 256 bytes long",
                    ));
                }
                [_, _, ..] => {
                    return Err(Refusal("an attribute that policies read (claims in gateway.toml) has several values"));
                }
            }
        }
        Ok(claims)
    }
}

fn values<'session>(session: &'session SsoSession, attribute: &str) -> Vec<&'session str> {
    let attributes = session.attributes().as_slice().iter().filter(|found| found.name() == attribute);
    attributes.flat_map(saml_rs::Attribute::values).map(saml_rs::AttributeValue::as_str).collect()
}

/// Seconds since 1970; fractions round towards the past.
pub(super) fn seconds(instant: &SamlInstant) -> Result<i64, Refusal> {
    OffsetDateTime::parse(instant.as_str(), &Rfc3339)
        .map(OffsetDateTime::unix_timestamp)
        .map_err(|_malformed| Refusal("a time in it cannot be read"))
}
