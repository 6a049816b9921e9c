//! `[[connection]]` of the kinds that HTTP carries: where they lead, with which credential, which paths have names.
//!
//! Knows no request. Called by `connection`.

mod limits;

use std::{net::IpAddr, path::Path, time::Duration};

use url::Url;

use self::limits::{Limits, limits};
use super::{
    Connection, Credential, SecretReference, UpstreamAddress, UpstreamTls,
    connection::{encryption, environment},
    reader::Table,
};
use crate::{
    model::{ConnectionKind, ConnectionName},
    protocol::{
        http::{
            codec::Cookies,
            route::{Routes, Template},
        },
        llm::price::{Price, Prices},
    },
};

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
            Self::AwsSigV4 { access_key_id, .. } => access_key_id,
        }
    }
}

/// What a connection over HTTP has besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// What stands before every path at the upstream: `/v1`, or nothing.
    pub base: String,
    /// The upstream's name as it stands in Host: with its port where that is not the scheme's own.
    pub authority: String,
    /// Whether the upstream is reached by TLS from the first byte.
    pub secure: bool,
    /// Paths that have a template.
    pub routes: Routes,
    /// What tokens cost, for models.
    pub prices: Prices,
    /// The most of a request's body that is taken: all of it is inspected.
    pub body_bytes: usize,
    /// How long the upstream may take to begin its answer.
    pub answer_within: Duration,
    /// How long it may say nothing inside of an answer.
    pub quiet_for: Duration,
    /// How long a client may take for the head of a request, and say nothing inside of its body or between two.
    pub client_within: Duration,
    /// Whether cookies go through.
    pub cookies: Cookies,
    /// What becomes of streams of events and messages where something is masked.
    pub streams: Streams,
    /// Whether the upstream is told who asks, in which session and run.
    pub names_principal: bool,
}

/// What becomes of streams of events and messages, over which a server may spread a value, where something is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Each event and message is masked by itself.
    Mask,
    /// They are refused.
    Refuse,
}

/// Reads a connection of a kind that HTTP carries.
pub(super) fn connection(
    table: &mut Table<'_>,
    root: &Path,
    name: Option<ConnectionName>,
    kind: ConnectionKind,
) -> Option<Connection> {
    let place = place(table);
    let labels = table.map("labels").unwrap_or_default();
    let environment = environment(table);
    for key in ["listen", "auth", "pool"] {
        if let Some(word) = table.text(key) {
            let message = format!("{key} is not built for {} connections", kind.as_str());
            table.problem(&word.span(), message, "remove it; `hoop connect` and `hoop exec` reach it");
        }
    }
    let tls = match (table.table("tls"), &place) {
        (Some(mut tls), Some(place)) => {
            let encryption = encryption(&mut tls, root);
            if !place.secure {
                let fix = "write upstream = \"https://…\", or remove [connection.tls]";
                tls.problem(tls.span(), "tls is only used with https", fix);
            }
            tls.finish();
            encryption
        }
        (Some(tls), None) => {
            tls.finish();
            None
        }
        (None, Some(place)) if place.secure => Some(UpstreamTls::VerifyFull { ca_file: None }),
        (None, _) => Some(UpstreamTls::Disable),
    };
    let routes = routes(table);
    let prices = prices(table, kind);
    let Limits { body_bytes, answer_within, quiet_for, client_within } = limits(table);
    let (cookies, streams) = (cookies(table, kind), streams(table, kind));
    let names_principal = table.boolean("identity_headers").is_some_and(toml::Spanned::into_inner);
    let credential = match table.table("credential") {
        Some(mut credential) => {
            let read = credential_of(&mut credential, root);
            credential.finish();
            read
        }
        None => Some(HttpCredential::None),
    };
    let Place { address, authority, base, secure } = place?;
    let http = HttpSettings {
        base,
        authority,
        secure,
        routes,
        prices,
        body_bytes,
        answer_within,
        quiet_for,
        client_within,
        cookies,
        streams,
        names_principal,
    };
    Some(Connection {
        name: name?,
        kind,
        database: address.host.clone(),
        upstream: address,
        labels,
        tls: tls?,
        credential: Credential::Http(credential?),
        allow_superuser: false,
        pool: None,
        native: None,
        environment,
        http: Some(http),
        application_name: super::ApplicationName::Client,
        statement_comment: false,
    })
}

/// Where an upstream is, as its URL says.
struct Place {
    address: UpstreamAddress,
    authority: String,
    base: String,
    secure: bool,
}

fn place(table: &mut Table<'_>) -> Option<Place> {
    const EXAMPLE: &str = "upstream = \"https://api.example.com\"";
    let text = table.required("upstream", EXAMPLE)?;
    // Shown without the text, which may hold a login.
    let shows = |error: &&str| {
        table.problem(&text.span(), format!("connection.upstream: {error}"), format!("write it as `{EXAMPLE}`"));
    };
    place_of(text.get_ref()).inspect_err(shows).ok()
}

fn place_of(text: &str) -> Result<Place, &'static str> {
    let url = Url::parse(text).map_err(|_not_one| "this is no URL")?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err("it begins with neither https:// nor http://"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a login stands in it; credentials have a table of their own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it holds a query or a fragment");
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no host")?;
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("it names no port")?;
    let bare = host.trim_matches(['[', ']']);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if bare.parse::<IpAddr>().is_err() && !bare.bytes().all(plain) {
        return Err("its host holds what no host holds");
    }
    let prefix = url.path().trim_end_matches('/');
    if !prefix.is_empty() && Template::parse(prefix).is_err() {
        return Err("its path holds what no base of an API holds");
    }
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok(Place { address: UpstreamAddress { host: bare.to_owned(), port }, authority, base: prefix.to_owned(), secure })
}

fn routes(table: &mut Table<'_>) -> Routes {
    let texts = table.texts("routes").unwrap_or_default();
    let templates = texts
        .into_iter()
        .filter_map(|text| table.parsed("routes", Some(text), "/users/{id}/orders", Template::parse))
        .collect();
    Routes::new(templates)
}

/// What tokens cost: `"gpt-4o-mini" = "0.15 / 0.60"`.
fn prices(table: &mut Table<'_>, kind: ConnectionKind) -> Prices {
    let span = table.span().clone();
    let given = table.map("prices").unwrap_or_default();
    if !given.is_empty() && kind != ConnectionKind::Llm {
        table.problem(&span, "only models have prices", "remove connection.prices");
    }
    let read = |(model, text): (String, String)| match text.parse::<Price>() {
        Ok(price) => Some((model, price)),
        Err(error) => {
            table.problem(&span, format!("connection.prices.{model}: {error}"), "write \"0.15 / 0.60\"");
            None
        }
    };
    Prices::new(given.into_iter().filter_map(read).collect())
}

/// Whether cookies go through: `cookies = "pass"`.
fn cookies(table: &mut Table<'_>, kind: ConnectionKind) -> Cookies {
    const EXAMPLE: &str = "cookies = \"pass\"";
    let text = table.text("cookies");
    let read = |word: &str| match word {
        "strip" => Ok(Cookies::Strip),
        "pass" if kind == ConnectionKind::Http => Ok(Cookies::Pass),
        "pass" => Err("only connections of kind http have cookies"),
        _ => Err("it is `strip` or `pass`"),
    };
    text.and_then(|text| table.parsed("cookies", Some(text), EXAMPLE, read)).unwrap_or(Cookies::Strip)
}

/// Whether streams go through where something is masked: `streams = "refuse"`.
fn streams(table: &mut Table<'_>, kind: ConnectionKind) -> Streams {
    let text = table.text("streams");
    let read = |word: &str| match word {
        "mask" => Ok(Streams::Mask),
        "refuse" if kind == ConnectionKind::Http => Ok(Streams::Refuse),
        "refuse" => Err("only connections of kind http refuse them"),
        _ => Err("it is `mask` or `refuse`"),
    };
    text.and_then(|text| table.parsed("streams", Some(text), "streams = \"refuse\"", read)).unwrap_or(Streams::Mask)
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

fn credential_of(table: &mut Table<'_>, root: &Path) -> Option<HttpCredential> {
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
            const URL: &str = "token_url = \"https://idp.example.com/token\"";
            let token_url = table.required("token_url", URL);
            let token_url = table.parsed("token_url", token_url, URL, |text| match Url::parse(text) {
                Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_here(&url)) => Ok(url),
                _ => Err("this is no https URL"),
            });
            let client_id = plain(table, "client_id", "client_id = \"hoop\"");
            let secret = secret(table, "secret", root);
            let scopes = table.texts("scopes").unwrap_or_default();
            let scopes = scopes.into_iter().map(toml::Spanned::into_inner).collect();
            let login = table.text("login").and_then(|text| {
                table.parsed("login", Some(text), "login = \"basic\"", |word| match word {
                    "basic" => Ok(TokenLogin::Basic),
                    "post" => Ok(TokenLogin::Post),
                    _ => Err("it is `basic` or `post`"),
                })
            });
            let login = login.unwrap_or(TokenLogin::Basic);
            let (token_url, client_id, secret) = (token_url?, client_id?, secret?);
            Some(HttpCredential::OAuth2Client { token_url, client_id, secret, scopes, login })
        }
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
            let fix = "write one of none, header, basic, oauth2-client, aws-sigv4";
            table.problem(&kind.span(), "there is no such credential for this kind", fix);
            None
        }
    }
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

/// Every secret that a credential refers to: the secret itself, then a session's token.
pub fn secrets_of(credential: &HttpCredential) -> (Option<&SecretReference>, Option<&SecretReference>) {
    match credential {
        HttpCredential::None => (None, None),
        HttpCredential::Header { secret, .. }
        | HttpCredential::Basic { secret, .. }
        | HttpCredential::OAuth2Client { secret, .. } => (Some(secret), None),
        HttpCredential::AwsSigV4 { secret, session_token, .. } => (Some(secret), session_token.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_url_of_a_host_and_nothing_else() {
        let place = place_of("https://api.example.com/v1/").ok().unwrap();
        assert_eq!((place.authority.as_str(), place.base.as_str(), place.secure), ("api.example.com", "/v1", true));
        assert_eq!((place.address.host.as_str(), place.address.port), ("api.example.com", 443));
        let place = place_of("http://[::1]:8080").ok().unwrap();
        assert_eq!((place.authority.as_str(), place.address.host.as_str()), ("[::1]:8080", "::1"));
        for wrong in ["api.example.com:443", "ftp://a", "https://u:p@a", "https://a/?q", "https://a/#f", "https://"] {
            assert!(place_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_do_not_replace_what_frames_a_message() {
        assert_eq!(header_name("X-Api-Key"), Ok("x-api-key".to_owned()));
        assert!(header_name("Transfer-Encoding").is_err());
        assert!(header_name("a b").is_err());
    }
}
