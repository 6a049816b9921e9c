//! The address of a gateway: always https, never a path, one spelling.

use std::fmt;

use url::Url;

use crate::failure::Failure;

/// `https://host[:port]`, normalised. The key under which tokens and development authorities are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GatewayUrl(Url);

impl GatewayUrl {
    /// Reads what a person typed; a bare host gets `https://`. Refuses http, paths and credentials.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let spelled = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let refuse = |why: &str| {
            Failure::usage(format!("`{text}` is not the address of a gateway"))
                .because(why)
                .next("write it like https://gateway.example.com or https://127.0.0.1:8443")
        };
        let url = Url::parse(&spelled).map_err(|error| refuse(&error.to_string()))?;
        if url.scheme() != "https" {
            return Err(refuse("a gateway is spoken to over https only"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it must not contain a user name or a password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must not contain a path, a query or a fragment"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("it has no host"));
        }
        Ok(Self(url))
    }

    /// The host as it stands in the address; an IPv6 address without brackets.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port, 443 where none was written.
    pub(crate) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// `host:port`, IPv6 in brackets.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.0.host_str().unwrap_or_default(), self.port())
    }

    /// The address of an endpoint; `path` starts with a slash and is ours.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_one_gateway() {
        for text in ["gw.example.com", "https://gw.example.com", "https://GW.example.com:443/", " gw.example.com "] {
            let url = GatewayUrl::parse(text).expect(text);
            assert_eq!(url.to_string(), "https://gw.example.com");
            assert_eq!(url.authority(), "gw.example.com:443");
        }
    }

    #[test]
    fn keeps_ports_and_addresses() {
        let url = GatewayUrl::parse("https://[::1]:8443").expect("IPv6");
        assert_eq!((url.host(), url.port()), ("::1", 8443));
        assert_eq!(url.authority(), "[::1]:8443");
        assert_eq!(url.endpoint("/api/v1/gateway"), "https://[::1]:8443/api/v1/gateway");
    }

    #[test]
    fn refuses_anything_that_is_not_plain_https() {
        for text in ["http://gw", "https://u:p@gw", "https://gw/path", "https://gw/?q", "https://gw/#f", "", "https://"]
        {
            assert!(GatewayUrl::parse(text).is_err(), "{text}");
        }
    }
}
