//! `[connection.credential]` of the kinds that HTTP carries.
//!
//! Knows where secrets are, and no secret. Called by `http`.

use std::{net::IpAddr, path::Path};

use url::Url;

use crate::config::{SecretReference, reader::Table};

/// What requests carry towards the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpCredential {
    /// Nothing.
    None,
    /// A header of its own: `Authorization: Bearer …`, `x-api-key: …`.
    Header {
        /// The header, in small letters.
        name: String,
        /// Where the secret is.
        secret: SecretReference,
        /// What stands before the secret: `Bearer `.
        prefix: String,
    },
    /// HTTP's own `Basic`.
    Basic {
        /// The user.
        username: String,
        /// Where the password is.
        secret: SecretReference,
    },
    /// A token of an authorization server, got with the gateway's own client.
    OAuth2Client {
        /// Where tokens are given out.
        token_url: Url,
        /// The gateway's client.
        client_id: String,
        /// Where its secret is.
        secret: SecretReference,
        /// What is asked for.
        scopes: Vec<String>,
        /// How the gateway logs in there.
        login: TokenLogin,
    },
    /// A token of an authorization server, got for another token that the gateway has. SPEC: RFC 8693.
    OAuth2Exchange(Box<TokenExchange>),
    /// Requests signed anew for AWS.
    AwsSigV4 {
        /// The public half of the key.
        access_key_id: String,
        /// Where the secret half is.
        secret: SecretReference,
        /// Where the session's token is, for keys that have one.
        session_token: Option<SecretReference>,
        /// The region.
        region: String,
        /// The service, where the host does not say it.
        service: Option<String>,
    },
}

/// For which token another is got, and from whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenExchange {
    /// Where tokens are exchanged.
    pub token_url: Url,
    /// Where the token is that is given: of the platform that the gateway runs on, say. Read anew for each exchange.
    pub subject_token: SecretReference,
    /// What it is, as the standard names types of tokens.
    pub subject_token_type: String,
    /// Whom the token that is got is for.
    pub audience: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The gateway's client there, where it has one.
    pub client: Option<TokenExchanger>,
}

/// The client that exchanges a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenExchanger {
    /// Its id.
    pub client_id: String,
    /// Where its secret is.
    pub secret: SecretReference,
    /// How it logs in.
    pub login: TokenLogin,
}

/// How a client says its secret to an authorization server. SPEC: RFC 6749, 2.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLogin {
    /// In `Authorization: Basic`.
    Basic,
    /// In the form.
    Post,
}

impl HttpCredential {
    /// As whom the gateway asks; never a secret.
    pub fn role(&self) -> &str {
        match self {
            Self::None => "anonymous",
            Self::Header { name, .. } => name,
            Self::Basic { username, .. } => username,
            Self::OAuth2Client { client_id, .. } => client_id,
            Self::OAuth2Exchange(exchange) => {
                exchange.client.as_ref().map_or("token exchange", |client| &client.client_id)
            }
            Self::AwsSigV4 { access_key_id, .. } => access_key_id,
        }
    }
}

/// What a gateway sets itself, or what frames a message: no credential goes there.
const NOT_FOR_CREDENTIALS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
];

pub(super) fn credential_of(table: &mut Table<'_>, root: &Path) -> Option<HttpCredential> {
    let kind = table.required("type", "type = \"header\"")?;
    match kind.get_ref().as_str() {
        "none" => Some(HttpCredential::None),
        "header" => {
            let name = table.required("name", "name = \"authorization\"");
            let name = table.parsed("name", name, "name = \"authorization\"", header_name);
            let prefix = table.text("prefix").map(toml::Spanned::into_inner).unwrap_or_default();
            let secret = secret(table, "secret", root);
            Some(HttpCredential::Header { name: name?, secret: secret?, prefix })
        }
        "basic" => {
            let username = plain(table, "username", "username = \"hoop\"");
            let secret = secret(table, "secret", root);
            Some(HttpCredential::Basic { username: username?, secret: secret? })
        }
        "oauth2-client" => {
            let token_url = token_url(table);
            let client_id = plain(table, "client_id", "client_id = \"hoop\"");
            let secret = secret(table, "secret", root);
            let (scopes, login) = (scopes(table), token_login(table));
            let (token_url, client_id, secret) = (token_url?, client_id?, secret?);
            Some(HttpCredential::OAuth2Client { token_url, client_id, secret, scopes, login })
        }
        "oauth2-exchange" => exchange(table, root),
        "aws-sigv4" => {
            let access_key_id = plain(table, "access_key_id", "access_key_id = \"AKIA…\"");
            let secret_key = secret(table, "secret", root);
            let token = table.text("session_token");
            let token = token.map(|text| reference(table, "session_token", &text, root));
            let region = plain(table, "region", "region = \"eu-west-1\"");
            let service = table.text("service").map(toml::Spanned::into_inner);
            Some(HttpCredential::AwsSigV4 {
                access_key_id: access_key_id?,
                secret: secret_key?,
                session_token: token.map_or(Some(None), |token| token.map(Some))?,
                region: region?,
                service,
            })
        }
        _ => {
            let _secret = table.text("secret");
            let fix = "write one of none, header, basic, oauth2-client, oauth2-exchange, aws-sigv4";
            table.problem(&kind.span(), "there is no such credential for this kind", fix);
            None
        }
    }
}

fn token_url(table: &mut Table<'_>) -> Option<Url> {
    const EXAMPLE: &str = "token_url = \"https://idp.example.com/token\"";
    let text = table.required("token_url", EXAMPLE);
    table.parsed("token_url", text, EXAMPLE, |text| match Url::parse(text) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_here(&url)) => Ok(url),
        _ => Err("this is no https URL"),
    })
}

fn scopes(table: &mut Table<'_>) -> Vec<String> {
    table.texts("scopes").unwrap_or_default().into_iter().map(toml::Spanned::into_inner).collect()
}

fn token_login(table: &mut Table<'_>) -> TokenLogin {
    let login = table.text("login");
    let login = table.parsed("login", login, "login = \"basic\"", |word| match word {
        "basic" => Ok(TokenLogin::Basic),
        "post" => Ok(TokenLogin::Post),
        _ => Err("it is `basic` or `post`"),
    });
    login.unwrap_or(TokenLogin::Basic)
}

/// The types of tokens that may be given. SPEC: RFC 8693, 3.
const TOKEN_TYPES: [&str; 3] = ["jwt", "access_token", "id_token"];

fn exchange(table: &mut Table<'_>, root: &Path) -> Option<HttpCredential> {
    const TYPE: &str = "subject_token_type = \"jwt\"";
    let token_url = token_url(table);
    let subject_token = secret(table, "subject_token", root);
    let kind = table.text("subject_token_type");
    let kind = table.parsed("subject_token_type", kind, TYPE, |word| {
        TOKEN_TYPES.into_iter().find(|known| *known == word).ok_or("it is jwt, access_token or id_token")
    });
    let subject_token_type = format!("urn:ietf:params:oauth:token-type:{}", kind.unwrap_or("jwt"));
    let audience = table.text("audience").map(toml::Spanned::into_inner);
    let (scopes, login) = (scopes(table), token_login(table));
    // Both or neither: a client without a secret proves nothing.
    let client = if table.has("client_id") || table.has("secret") {
        let client_id = plain(table, "client_id", "client_id = \"hoop\"");
        let secret = secret(table, "secret", root);
        Some(TokenExchanger { client_id: client_id?, secret: secret?, login })
    } else {
        None
    };
    let (token_url, subject_token) = (token_url?, subject_token?);
    let exchange = TokenExchange { token_url, subject_token, subject_token_type, audience, scopes, client };
    Some(HttpCredential::OAuth2Exchange(Box::new(exchange)))
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn header_name(name: &str) -> Result<String, &'static str> {
    let name = http::HeaderName::try_from(name).map_err(|_invalid| "this is no name of a header")?;
    if NOT_FOR_CREDENTIALS.contains(&name.as_str()) {
        return Err("the gateway sets this header itself");
    }
    Ok(name.as_str().to_owned())
}

fn plain(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<String> {
    let text = table.required(key, example);
    table.parsed(key, text, example, |text| {
        let fits = !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err("it has 1 to 256 printable characters") }
    })
}

fn secret(table: &mut Table<'_>, key: &'static str, root: &Path) -> Option<SecretReference> {
    let text = table.required(key, "secret = \"env:API_KEY\"")?;
    reference(table, key, &text, root)
}

fn reference(
    table: &mut Table<'_>,
    key: &'static str,
    text: &toml::Spanned<String>,
    root: &Path,
) -> Option<SecretReference> {
    match SecretReference::parse(text.get_ref(), root) {
        Ok(secret) => Some(secret),
        Err(error) => {
            let fix = format!("put it in a variable or a file, and write `{key} = \"env:API_KEY\"` or `file:PATH`");
            table.problem(&text.span(), format!("connection.credential.{key}: {error}"), fix);
            None
        }
    }
}

/// Every secret that a credential refers to: the secret itself, then a session's token or the token that is exchanged.
pub fn secrets_of(credential: &HttpCredential) -> (Option<&SecretReference>, Option<&SecretReference>) {
    match credential {
        HttpCredential::None => (None, None),
        HttpCredential::Header { secret, .. }
        | HttpCredential::Basic { secret, .. }
        | HttpCredential::OAuth2Client { secret, .. } => (Some(secret), None),
        HttpCredential::OAuth2Exchange(exchange) => {
            (exchange.client.as_ref().map(|client| &client.secret), Some(&exchange.subject_token))
        }
        HttpCredential::AwsSigV4 { secret, session_token, .. } => (Some(secret), session_token.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_replace_what_frames_a_message() {
        assert_eq!(header_name("X-Api-Key"), Ok("x-api-key".to_owned()));
        assert!(header_name("Transfer-Encoding").is_err());
        assert!(header_name("a b").is_err());
    }
}
