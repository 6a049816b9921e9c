//! One HTTP exchange with bounds: time, size, no redirect. Knows neither the gateway's API nor OpenID Connect.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder, Response, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};

use crate::{failure::Failure, trust};

/// A client for one host, with our bounds. On this machine no proxy stands between.
pub(crate) fn new(mut tls: ClientConfig, host: &str) -> Result<Client, Failure> {
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let builder = ClientBuilder::new()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("hoop/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(Policy::none());
    let builder = if trust::is_loopback(host) { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| Failure::internal("the HTTP client could not be set up").caused_by(&error))
}

/// A client for what listens on this machine, without TLS, and without an end to an answer: somebody may be asked first.
pub(crate) fn plain() -> Result<Client, Failure> {
    let failed =
        |error: &dyn std::error::Error| Failure::internal("the HTTP client could not be set up").caused_by(error);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    // It trusts nobody: nothing here leaves the machine.
    let tls = tls.map_err(|error| failed(&error))?.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let builder = ClientBuilder::new().tls_backend_preconfigured(tls).connect_timeout(CONNECT_TIMEOUT);
    let builder = builder.redirect(Policy::none()).no_proxy();
    builder.build().map_err(|error| failed(&error))
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The peer or the network broke off.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    /// The peer sends more than anybody should need.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
}

/// Reads a body of at most `limit` bytes; more is an error before it is kept.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Broken(error.without_url()))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(BodyError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A peer that could not be reached, with the whole chain of reasons but without the address's query.
pub(crate) fn unreachable(who: &str, error: reqwest::Error) -> Failure {
    let what = if error.is_timeout() { "did not answer in time" } else { "could not be reached" };
    let failure = Failure::unreachable(format!("{who} {what}")).caused_by(&error.without_url());
    if failure.why().iter().any(|why| why.contains("certificate")) {
        return failure.next("check the address; a development gateway is believed only by the user who started it");
    }
    failure.next("check the address and the network, then try again")
}
