//! Groups from Google's directory, which puts none into its tokens: the Admin SDK's `groups.list` for one person.
//!
//! Asked as a service account that acts for an administrator (domain-wide delegation). Groups are named by their address.

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    claims::{MAX_GROUPS, TOO_MANY_GROUPS},
    remote::{Remote, check_url},
};
use crate::{
    clock::WallClock, config::GoogleDirectory, credential::Secrets, identity::IdentityError, model::GroupName,
};

const SCOPE: &str = "https://www.googleapis.com/auth/admin.directory.group.readonly";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion of ours counts.
const ASSERTION_SECONDS: i64 = 300;
/// A token is asked for anew this long before it ends.
const MARGIN_SECONDS: i64 = 60;
/// What one page may hold; Google gives no more.
const PAGE: &str = "200";
/// More than every group that may be looked at fits into, with some that are half empty.
const MOST_PAGES: usize = 16;

/// Asks the directory.
pub(super) struct GoogleGroups {
    settings: GoogleDirectory,
    secrets: Secrets,
    remote: Remote,
    clock: WallClock,
    token: Mutex<Option<(SecretString, i64)>>,
}

/// A service account's key as Google's console gives it.
#[derive(Deserialize)]
struct Key {
    client_email: String,
    #[serde(rename = "private_key", deserialize_with = "concealed")]
    signing: SecretString,
    #[serde(rename = "private_key_id")]
    id: Option<String>,
    token_uri: String,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(deserialize_with = "concealed")]
    access_token: SecretString,
    expires_in: i64,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    email: String,
}

impl GoogleGroups {
    /// Prepares; asks nobody yet.
    pub(super) fn new(
        settings: GoogleDirectory,
        authorities: Option<&[u8]>,
        secrets: Secrets,
        clock: WallClock,
    ) -> Result<Self, IdentityError> {
        let remote = Remote::new(&settings.api_url, authorities)?;
        Ok(Self { settings, secrets, remote, clock, token: Mutex::new(None) })
    }

    /// The groups of a person, by Google's id of them. More than can be looked at are refused.
    pub(super) async fn of(&self, person: &str) -> Result<BTreeSet<GroupName>, IdentityError> {
        let token = self.token().await?;
        let address = format!("{}/admin/directory/v1/groups", self.settings.api_url);
        let (mut found, mut next) = (BTreeSet::new(), None::<String>);
        for _page in 0..MOST_PAGES {
            let mut query = vec![("userKey", person), ("maxResults", PAGE)];
            query.extend(next.as_deref().map(|next| ("pageToken", next)));
            let answer = self.remote.ask(&address, &query, &token).await?;
            if answer.status.as_u16() == 404 {
                return Err(IdentityError::Invalid("Google's directory knows nobody of its subject"));
            }
            let page: Page = serde_json::from_slice(&answer.said_yes().map_err(of_google)?)
                .map_err(|_malformed| unusable("page"))?;
            for group in page.groups {
                found.insert(GroupName::new(&group.email).map_err(|_refused| unusable("group"))?);
            }
            if found.len() > MAX_GROUPS {
                return Err(TOO_MANY_GROUPS);
            }
            match page.next {
                Some(again) if next.as_ref() != Some(&again) && !again.is_empty() => next = Some(again),
                _ => return Ok(found),
            }
        }
        // Pages that are empty, or say the same, and always name a next one.
        Err(unusable("list that does not end"))
    }

    async fn token(&self) -> Result<SecretString, IdentityError> {
        let now = self.clock.unix_seconds();
        let mut kept = self.token.lock().await;
        if let Some((token, _end)) = kept.as_ref().filter(|(_token, end)| now < end - MARGIN_SECONDS) {
            return Ok(token.clone());
        }
        let granted = self.ask_for_token(now).await.map_err(of_google)?;
        let token = granted.access_token.clone();
        *kept = Some((granted.access_token, now.saturating_add(granted.expires_in.clamp(0, 3_600))));
        Ok(token)
    }

    /// SPEC: RFC 7523 §2.1. The key is read anew, so that a rotated one is used at once.
    async fn ask_for_token(&self, now: i64) -> Result<Granted, IdentityError> {
        let settings = |why: String| IdentityError::Settings(format!("Google's service account: {why}"));
        let text = self.secrets.value(&self.settings.service_account).await;
        let text = text.map_err(|error| settings(error.to_string()))?;
        let key: Key = serde_json::from_str(text.expose_secret())
            .map_err(|_malformed| settings("its key is not the JSON that Google's console gives".to_owned()))?;
        check_url(&key.token_uri, Some(&self.settings.api_url))
            .map_err(|why| settings(format!("the token_uri of its key {why}")))?;
        let signing = EncodingKey::from_rsa_pem(key.signing.expose_secret().as_bytes())
            .map_err(|_malformed| settings("its key holds no RSA private key".to_owned()))?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid = key.id;
        let claims = json!({ "iss": key.client_email, "sub": self.settings.subject, "scope": SCOPE,
                             "aud": key.token_uri, "iat": now, "exp": now + ASSERTION_SECONDS });
        let assertion = jsonwebtoken::encode(&header, &claims, &signing)
            .map_err(|_unsigned| settings("its key does not sign".to_owned()))?;
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        let answer = self.remote.post(&key.token_uri, &form, None).await?;
        serde_json::from_slice(&answer.said_yes()?).map_err(|_malformed| unusable("token"))
    }
}

fn concealed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn unusable(what: &str) -> IdentityError {
    IdentityError::Unreachable(format!("Google's directory gave a {what} that is not understood"))
}

/// Says that it was Google's directory, and not the issuer.
fn of_google(error: IdentityError) -> IdentityError {
    if let IdentityError::Unreachable(why) = error {
        return IdentityError::Unreachable(format!("Google's directory: {why}"));
    }
    error
}
