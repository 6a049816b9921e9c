//! The one authority that clients use for this gateway, against DNS rebinding and cross-site requests.
//!
//! Pure checks over headers. Used by the API and by the development provider's page.

use http::{HeaderMap, Uri, header, uri::Authority};
use url::Url;

/// The gateway's public origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicOrigin {
    origin: String,
    host: String,
    port: u16,
}

impl PublicOrigin {
    /// Takes the origin of `public_url`; `None` for a URL that has no host.
    pub fn new(public_url: &Url) -> Option<Self> {
        let host = public_url.host_str()?.to_ascii_lowercase();
        let port = public_url.port_or_known_default()?;
        Some(Self { origin: public_url.origin().ascii_serialization(), host, port })
    }

    /// The origin as browsers write it.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Whether the request names exactly this authority. A page of another name that resolves here does not.
    pub fn is_addressed_by(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return false;
        }
        let named = host.map(|host| host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()));
        match (uri.authority(), named) {
            (Some(target), None) => self.is(target),
            (Some(target), Some(Some(host))) => self.is(target) && self.is(&host),
            (None, Some(Some(host))) => self.is(&host),
            (_, Some(None)) | (None, None) => false,
        }
    }

    /// Whether a request that changes something comes from our own page: `Origin` is there and ours, and the browser
    /// does not say otherwise.
    pub fn is_source_of(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::ORIGIN) && self.is_not_cross_site(headers)
    }

    /// Whether nothing says that another site sent this. Programs send neither header.
    pub fn is_not_cross_site(&self, headers: &HeaderMap) -> bool {
        let ours = headers.get_all(header::ORIGIN).iter().all(|origin| origin.as_bytes() == self.origin.as_bytes());
        let site =
            headers.get_all("sec-fetch-site").iter().all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
        ours && site
    }

    fn is(&self, authority: &Authority) -> bool {
        // User information has no place here, and `host()` would skip it.
        !authority.as_str().contains('@')
            && authority.host().eq_ignore_ascii_case(&self.host)
            && authority.port_u16().unwrap_or(if self.origin.starts_with("https:") { 443 } else { 80 }) == self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressed(origin: &str, uri: &str, host: Option<&str>) -> bool {
        let origin = PublicOrigin::new(&Url::parse(origin).unwrap()).unwrap();
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        origin.is_addressed_by(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn takes_exactly_the_public_authority() {
        let here = "https://127.0.0.1:8443";
        assert!(addressed(here, "/x", Some("127.0.0.1:8443")));
        assert!(addressed(here, "https://127.0.0.1:8443/x", None));
        assert!(addressed("https://hoop.example.com", "/x", Some("HOOP.example.com")));
        assert!(addressed("https://[::1]:8443", "/x", Some("[::1]:8443")));
        for foreign in ["evil.example:8443", "127.0.0.1", "127.0.0.1:8444", "localhost:8443", "x@127.0.0.1:8443", ""] {
            assert!(!addressed(here, "/x", Some(foreign)), "{foreign}");
        }
        assert!(!addressed(here, "/x", None));
        assert!(!addressed(here, "https://127.0.0.1:8443/x", Some("evil.example")));
    }

    #[test]
    fn a_post_must_come_from_our_own_page() {
        let origin = PublicOrigin::new(&Url::parse("https://127.0.0.1:8443").unwrap()).unwrap();
        let from = |source: Option<&str>, site: Option<&str>| {
            let mut headers = HeaderMap::new();
            source.map(|source| headers.insert(header::ORIGIN, source.parse().unwrap()));
            site.map(|site| headers.insert("sec-fetch-site", site.parse().unwrap()));
            origin.is_source_of(&headers)
        };
        assert!(from(Some("https://127.0.0.1:8443"), Some("same-origin")));
        assert!(from(Some("https://127.0.0.1:8443"), None));
        assert!(!from(None, Some("same-origin")));
        assert!(!from(Some("null"), None));
        assert!(!from(Some("http://127.0.0.1:8443"), None));
        assert!(!from(Some("https://127.0.0.1:8443"), Some("cross-site")));
        assert!(!from(Some("https://127.0.0.1:8443"), Some("same-site")));
    }
}
