//! Groups that are not in the token: asked of the issuer's userinfo endpoint, or of Google's directory.
//!
//! Whoever is asked and does not answer ends the login: groups that cannot be had are not taken for none.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{claims, google::GoogleGroups, remote::Discovered};
use crate::{config::OidcConfig, identity::IdentityError, model::GroupName};

/// Where a person's groups are asked for.
pub(super) enum Directory {
    /// Nowhere: the token has them.
    Token,
    /// At the issuer.
    Userinfo(Discovered),
    /// At Google's directory.
    Google(GoogleGroups),
}

impl Directory {
    /// The groups of whom these claims were proved of; `None` where the token had them. `access` is an access token of
    /// the same person.
    pub(super) async fn groups(
        &self,
        proved: &Map<String, Value>,
        access: Option<&SecretString>,
        config: &OidcConfig,
    ) -> Result<Option<BTreeSet<GroupName>>, IdentityError> {
        let subject = proved.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
        match self {
            Self::Token => Ok(None),
            Self::Userinfo(issuer) => {
                let subject = subject.ok_or(IdentityError::Invalid("it has no subject to ask the groups of"))?;
                userinfo(issuer, subject, access, config).await.map(Some)
            }
            Self::Google(google) => {
                let subject = subject.ok_or(IdentityError::Invalid("it has no subject to ask the groups of"))?;
                google.of(subject).await.map(Some)
            }
        }
    }
}

async fn userinfo(
    issuer: &Discovered,
    subject: &str,
    access: Option<&SecretString>,
    config: &OidcConfig,
) -> Result<BTreeSet<GroupName>, IdentityError> {
    let access = access.ok_or(IdentityError::Invalid(
        "its groups are asked of the issuer with an access token, and none came with it; log in with `hoop login`",
    ))?;
    let unusable = |why: &str| IdentityError::Unreachable(why.to_owned());
    let endpoint = issuer.endpoints().await?.userinfo_endpoint;
    let endpoint = endpoint.ok_or_else(|| unusable("it has no userinfo endpoint to ask the groups of"))?;
    let answer = issuer.remote.ask(&endpoint, &[], access).await?;
    if matches!(answer.status.as_u16(), 401 | 403) {
        return Err(IdentityError::Invalid("the issuer's userinfo endpoint does not take the access token"));
    }
    let told: Map<String, Value> = serde_json::from_slice(&answer.said_yes()?)
        .map_err(|_malformed| unusable("its userinfo is no JSON; signed userinfo is not understood"))?;
    // SPEC: OpenID Connect Core §5.3.2: another person's answer is used for nothing.
    if told.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(IdentityError::Invalid("the issuer's userinfo is of somebody else"));
    }
    claims::told_groups(&told, config)
}
