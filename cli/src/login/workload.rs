//! Logins without a person: a token file that the platform rotates, or a client with a secret (OAuth's client
//! credentials).
//!
//! What proves the service account is read anew each time; only where it is found is kept.

use std::{fs, path::PathBuf};

use hoop_gateway_core::api::types::{IdentityInfo, TokenRequest, TokenResponse};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::issuer::Issuer;
use crate::{api_client::ApiClient, context::Context, failure::Failure};

/// Where a service account's proof is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Workload {
    /// A token that somebody else writes, and replaces before it ends: a cluster, a CI.
    TokenFile(PathBuf),
    /// A client at the gateway's issuer, and the file that holds its secret.
    Client {
        /// Its id.
        client_id: String,
        /// Where its secret is.
        secret_file: PathBuf,
        /// The scope to ask for, where the issuer wants one.
        scope: Option<String>,
    },
}

/// How a workload may be named: by arguments, or by the environment.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) client_scope: Option<String>,
}

impl Workload {
    /// What is named; `None` where nothing is. Half of a client is a mistake, and so are two ways at once.
    pub(crate) fn of(named: Named) -> Result<Option<Self>, Failure> {
        let Named { token_file, client_id, client_secret_file, client_scope: scope } = named;
        match (token_file, client_id, client_secret_file) {
            (None, None, None) => Ok(None),
            (Some(path), None, None) => Ok(Some(Self::TokenFile(path))),
            (None, Some(client_id), Some(secret_file)) => Ok(Some(Self::Client { client_id, secret_file, scope })),
            (None, Some(_), None) => Err(Failure::usage("a client without its secret is no login")
                .next("say --client-secret-file FILE, or set HOOP_CLIENT_SECRET_FILE")),
            (None, None, Some(_)) => Err(Failure::usage("a secret without its client is no login")
                .next("say --client-id ID, or set HOOP_CLIENT_ID")),
            (Some(_), _, _) => Err(Failure::usage("a token file and a client are two logins")
                .next("keep one of HOOP_TOKEN_FILE and HOOP_CLIENT_ID")),
        }
    }

    /// What the environment names, for commands that are run where nobody logged in.
    pub(crate) fn of_environment() -> Result<Option<Self>, Failure> {
        // A variable that is set to nothing is not set.
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::of(Named {
            token_file: read("HOOP_TOKEN_FILE").map(PathBuf::from),
            client_id: read("HOOP_CLIENT_ID"),
            client_secret_file: read("HOOP_CLIENT_SECRET_FILE").map(PathBuf::from),
            client_scope: read("HOOP_CLIENT_SCOPE"),
        })
    }

    /// The gateway's own token for what proves the service account now.
    pub(crate) async fn log_in(
        &self,
        context: &Context,
        client: &ApiClient,
        identity: &IdentityInfo,
    ) -> Result<TokenResponse, Failure> {
        let proof = match self {
            Self::TokenFile(path) => secret_in(path, "the token file")?,
            Self::Client { client_id, secret_file, scope } => {
                let secret = secret_in(secret_file, "the client's secret file")?;
                let issuer = Issuer::discover(context, &identity.issuer, client_id).await?;
                issuer.client_token(&secret, scope.as_deref()).await?
            }
        };
        client.exchange(&TokenRequest { token: proof.expose_secret().to_owned(), access_token: None }).await
    }
}

/// Far above any token.
const MOST_BYTES: u64 = 64 * 1024;

fn secret_in(path: &PathBuf, what: &str) -> Result<SecretString, Failure> {
    let failed = |why: String| {
        Failure::not_logged_in(format!("{what} {} cannot be used", path.display()))
            .because(why)
            .next("check what mounts or writes it; it is read anew each time")
    };
    let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > MOST_BYTES {
        return Err(failed(format!("it is longer than {MOST_BYTES} bytes")));
    }
    let text = SecretString::from(fs::read_to_string(path).map_err(|error| failed(error.to_string()))?);
    let secret = text.expose_secret().trim();
    if secret.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    Ok(SecretString::from(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(token_file: Option<&str>, id: Option<&str>, secret: Option<&str>) -> Result<Option<Workload>, Failure> {
        Workload::of(Named {
            token_file: token_file.map(PathBuf::from),
            client_id: id.map(str::to_owned),
            client_secret_file: secret.map(PathBuf::from),
            client_scope: None,
        })
    }

    #[test]
    fn half_a_client_and_two_ways_at_once_are_mistakes() {
        assert_eq!(named(None, None, None).expect("nothing"), None);
        assert_eq!(named(Some("t"), None, None).expect("a file"), Some(Workload::TokenFile("t".into())));
        assert!(matches!(named(None, Some("c"), Some("s")), Ok(Some(Workload::Client { .. }))));
        for (token_file, id, secret) in [
            (None, Some("c"), None),
            (None, None, Some("s")),
            (Some("t"), Some("c"), Some("s")),
            (Some("t"), None, Some("s")),
        ] {
            assert!(named(token_file, id, secret).is_err(), "{token_file:?} {id:?} {secret:?}");
        }
    }

    #[test]
    fn a_secret_is_read_without_the_line_feed_behind_it_and_never_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        fs::write(&path, "hidden-value\n").expect("written");
        assert_eq!(secret_in(&path, "it").expect("a secret").expose_secret(), "hidden-value");
        fs::write(&path, " \n").expect("written");
        let failure = secret_in(&path, "the token file").expect_err("empty");
        assert!(failure.what().starts_with("the token file"), "{failure:?}");
        fs::write(&path, "x".repeat(70_000)).expect("written");
        assert!(!format!("{:?}", secret_in(&path, "it").expect_err("too long")).contains("xxx"));
    }
}
