//! `[[connection]]` of the kinds that HTTP carries: where they lead, with which credential, which paths have names.
//!
//! Knows no request. Called by `connection`.

mod credential;
mod limits;

use std::{net::IpAddr, path::Path, time::Duration};

use url::Url;

pub use self::credential::{HttpCredential, TokenExchange, TokenExchanger, TokenLogin, secrets_of};
use self::{
    credential::credential_of,
    limits::{Limits, limits},
};
use super::{
    Connection, Credential, UpstreamAddress, UpstreamTls,
    connection::{encryption, environment, via},
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
    let via = via(table);
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
        via,
        labels,
        tls: tls?,
        credential: Credential::Http(credential?),
        allow_superuser: false,
        pool: None,
        native: None,
        environment,
        http: Some(http),
        ssh: None,
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
}
