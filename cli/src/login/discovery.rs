//! OpenID Connect discovery: where an issuer's endpoints are. Pure but for its one caller, `issuer`.

use serde::Deserialize;
use url::Url;

use crate::{failure::Failure, trust};

/// The endpoints that a login needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Where a person's browser logs in.
    pub(crate) authorization: Option<Url>,
    /// Whether it says who it is when a browser comes back from there (RFC 9207).
    pub(crate) names_itself: bool,
    /// Where tokens are given.
    pub(crate) token: Url,
    /// Where a device asks for a code.
    pub(crate) device_authorization: Option<Url>,
    /// Where tokens are revoked.
    pub(crate) revocation: Option<Url>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    names_itself: bool,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

/// Where an issuer's document is (OpenID Connect Discovery 1.0, section 4).
pub(crate) fn address(issuer: &str) -> Result<Url, Failure> {
    let issuer = secure(issuer, "the identity provider")?;
    secure(
        &format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/')),
        "the discovery document",
    )
}

/// Reads an issuer's document. The issuer in it must be the very one that was asked (section 4.3).
pub(crate) fn read(issuer: &str, document: &[u8]) -> Result<Metadata, Failure> {
    let document: Document = serde_json::from_slice(document).map_err(|error| {
        Failure::failed(format!("{issuer} does not describe itself as an OpenID provider")).caused_by(&error).next(ASK)
    })?;
    if document.issuer != issuer {
        let named = super::quoted(&document.issuer);
        return Err(Failure::failed(format!("{issuer} describes another issuer"))
            .because(format!("the document names `{named}`; it must be the same to the letter"))
            .next(ASK));
    }
    let optional = |text: Option<String>, what| text.map(|text| secure(&text, what)).transpose();
    Ok(Metadata {
        authorization: optional(document.authorization_endpoint, "the authorization endpoint")?,
        names_itself: document.names_itself,
        token: secure(&document.token_endpoint, "the token endpoint")?,
        device_authorization: optional(document.device_authorization_endpoint, "the device authorization endpoint")?,
        revocation: optional(document.revocation_endpoint, "the revocation endpoint")?,
    })
}

/// An address that tokens or codes may be sent to, or a browser opened at: https, or anything on this machine.
pub(crate) fn secure(text: &str, what: &str) -> Result<Url, Failure> {
    let refuse = |why: String| Failure::failed(format!("{what} is not a safe address")).because(why).next(ASK);
    let url = Url::parse(text).map_err(|error| refuse(format!("`{}`: {error}", super::quoted(text))))?;
    let loopback = url.host_str().is_some_and(trust::is_loopback);
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if safe && url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err(refuse(format!("`{}` is not https", super::quoted(text))))
    }
}

const ASK: &str = "ask the gateway's operator to check [identity] in gateway.toml";

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example.com/realms/a";

    fn document(issuer: &str, token: &str) -> Vec<u8> {
        format!(r#"{{"issuer":"{issuer}","token_endpoint":"{token}","jwks_uri":"https://idp.example.com/keys"}}"#)
            .into_bytes()
    }

    #[test]
    fn finds_the_document_below_the_issuer() {
        for issuer in [ISSUER, "https://idp.example.com/realms/a/"] {
            let address = address(issuer).expect(issuer);
            assert_eq!(address.as_str(), "https://idp.example.com/realms/a/.well-known/openid-configuration");
        }
    }

    #[test]
    fn reads_what_is_there_and_misses_nothing_optional() {
        let metadata = read(ISSUER, &document(ISSUER, "https://other.example.com/token")).expect("a document");
        assert_eq!(metadata.token.as_str(), "https://other.example.com/token");
        assert_eq!((metadata.device_authorization, metadata.revocation), (None, None));
    }

    #[test]
    fn refuses_an_issuer_that_differs_by_a_letter() {
        for other in
            ["https://idp.example.com/realms/a/", "https://IDP.example.com/realms/a", "https://evil.example.com"]
        {
            assert!(read(ISSUER, &document(other, "https://idp.example.com/token")).is_err(), "{other}");
        }
    }

    #[test]
    fn refuses_tokens_in_the_clear_except_on_this_machine() {
        assert!(read(ISSUER, &document(ISSUER, "http://idp.example.com/token")).is_err());
        assert!(read(ISSUER, &document(ISSUER, "http://127.0.0.1.example.com/token")).is_err());
        assert!(read(ISSUER, &document(ISSUER, "http://127.0.0.1:9400/token")).is_ok());
        assert!(address("http://idp.example.com").is_err());
        assert!(address("file:///etc/passwd").is_err());
    }
}
