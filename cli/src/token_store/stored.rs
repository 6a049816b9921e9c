//! What a login is at rest, and how it is written. Debug shows no secret.

use hoop_gateway_core::{api::types::TokenChoice, model::Principal};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{failure::Failure, login::Workload};

/// A login at one gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredLogin {
    version: u32,
    /// The issuer that the person logged in at.
    pub(crate) issuer: String,
    /// Our name there.
    pub(crate) client_id: String,
    /// Which of the issuer's tokens the gateway takes.
    pub(crate) token_choice: TokenChoice,
    /// What a new login without a person is made from, if the issuer gave one.
    #[serde(serialize_with = "expose_some", deserialize_with = "conceal_some")]
    pub(crate) refresh_token: Option<SecretString>,
    /// The gateway's own token.
    #[serde(serialize_with = "expose", deserialize_with = "conceal")]
    pub(crate) token: SecretString,
    /// When that ends, in seconds since 1970.
    pub(crate) expires_at: i64,
    /// Who is logged in.
    pub(crate) principal: Principal,
    /// Whether the gateway speaks with the issuer for us.
    #[serde(default)]
    pub(crate) via_gateway: bool,
    /// Whether the gateway wants the access token beside the ID token.
    #[serde(default)]
    pub(crate) wants_access_token: bool,
    /// Where a service account's proof is found, instead of a refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workload: Option<Workload>,
}

/// The parts of a login that the identity provider decides.
#[derive(Debug, Clone)]
pub(crate) struct IssuerSide {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) token_choice: TokenChoice,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) via_gateway: bool,
    pub(crate) wants_access_token: bool,
}

impl StoredLogin {
    /// A login from what the issuer and the gateway gave.
    pub(crate) fn new(issuer: IssuerSide, token: SecretString, expires_at: i64, principal: Principal) -> Self {
        let IssuerSide { issuer, client_id, token_choice, refresh_token, via_gateway, wants_access_token } = issuer;
        let workload = None;
        Self {
            version: VERSION,
            issuer,
            client_id,
            token_choice,
            refresh_token,
            token,
            expires_at,
            principal,
            via_gateway,
            wants_access_token,
            workload,
        }
    }

    /// The same, renewed by what proves a service account.
    pub(crate) fn by(self, workload: Workload) -> Self {
        Self { workload: Some(workload), ..self }
    }

    /// Whether the gateway's token lasts for at least `margin_seconds` after `now`.
    pub(crate) fn lasts(&self, now: i64, margin_seconds: i64) -> bool {
        self.expires_at.saturating_sub(now) > margin_seconds
    }

    pub(super) fn encode(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|error| Failure::internal("the login does not serialise").caused_by(&error))
    }

    pub(super) fn decode(text: &str) -> Result<Self, Failure> {
        let damaged = || Failure::not_logged_in("the stored login cannot be read");
        // The parser's own words could quote a token: only its place is said.
        let login: Self = serde_json::from_str(text)
            .map_err(|error| damaged().because(format!("it is damaged at column {}", error.column())))?;
        if login.version == VERSION {
            Ok(login)
        } else {
            Err(damaged().because(format!("it was written by another version of hoop (format {})", login.version)))
        }
    }
}

const VERSION: u32 = 1;

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn conceal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
fn expose_some<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

fn conceal_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// A login for tests.
#[cfg(test)]
pub(super) fn sample() -> StoredLogin {
    use hoop_gateway_core::model::{PrincipalKind, PrincipalName};
    let principal = Principal {
        kind: PrincipalKind::User,
        name: PrincipalName::new("alice").expect("a name"),
        groups: std::collections::BTreeSet::new(),
        claims: std::collections::BTreeMap::new(),
        owner: None,
        lent_by: None,
    };
    let issuer = IssuerSide {
        issuer: "https://idp.example.com".to_owned(),
        client_id: "hoop-cli".to_owned(),
        token_choice: TokenChoice::Access,
        refresh_token: Some("refresh-secret".to_owned().into()),
        via_gateway: false,
        wants_access_token: false,
    };
    StoredLogin::new(issuer, "gateway-secret".to_owned().into(), 1_000, principal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_no_login() {
        let text = sample().encode().expect("encoded").replace("\"version\":1", "\"version\":2");
        let failure = StoredLogin::decode(&text).expect_err("another version");
        assert_eq!(failure.kind(), crate::failure::FailureKind::NotLoggedIn);
    }

    #[test]
    fn a_damaged_login_quotes_nothing() {
        let text = sample().encode().expect("encoded").replace("1000", "\"gateway-secret\"");
        let failure = StoredLogin::decode(&text).expect_err("damaged");
        assert!(!format!("{failure:?}").contains("gateway-secret"), "{failure:?}");
    }

    #[test]
    fn lasts_until_shortly_before_its_end() {
        assert!(sample().lasts(930, 60));
        assert!(!sample().lasts(940, 60));
    }
}
