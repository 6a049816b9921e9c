//! The link of a tunnel: where it leads, whom it trusts, where its tokens come from; its errors as failures.
//!
//! Trust is the API client's. Called by `connect` and `exec`.

use std::{sync::Arc, time::Duration};

use hoop_tunnel::{
    client::{DialError, Endpoint, Jitter, LinkClient, LinkConfig, TokenError, TokenSource},
    link::ALPN,
};

use crate::{
    context::{Context, GatewayUrl},
    failure::Failure,
    login::Renewal,
    trust,
};

/// Makes the first link; a token that the gateway does not take although it should last is renewed once.
pub(crate) async fn connect(
    context: &Context,
    gateway: &GatewayUrl,
    login: Arc<dyn Renewal>,
) -> Result<LinkClient, Failure> {
    let mut tls = trust::client_config(&context.directories, gateway)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let endpoint = Endpoint::new(gateway.host(), gateway.port())
        .map_err(|error| Failure::usage("the gateway's address cannot be used").caused_by(&error))?;
    let tokens: Arc<dyn TokenSource> = Arc::<dyn Renewal>::clone(&login);
    let config = LinkConfig { endpoint, tls: Arc::new(tls), tokens, jitter: Jitter::new(jitter) };
    match LinkClient::connect(config.clone()).await {
        Err(DialError::Unauthenticated(_)) => {
            login.replace().await?;
            LinkClient::connect(config).await.map_err(|error| failure(&error, gateway))
        }
        connected => connected.map_err(|error| failure(&error, gateway)),
    }
}

/// Random bytes from the TLS provider.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let provider = rustls::crypto::CryptoProvider::get_default()
        .ok_or_else(|| Failure::internal("no TLS provider is installed"))?;
    provider
        .secure_random
        .fill(&mut bytes)
        .map_err(|_unspecified| Failure::internal("the system gives no randomness"))?;
    Ok(bytes)
}

fn failure(error: &DialError, gateway: &GatewayUrl) -> Failure {
    let what = format!("there is no link to the gateway {gateway}");
    match error {
        DialError::Unauthenticated(_) | DialError::Token(TokenError::LoggedOut(_)) => {
            Failure::not_logged_in("the gateway does not take this login").caused_by(error)
        }
        DialError::NotAGateway => {
            Failure::unreachable(what).caused_by(error).next("check the address; `hoop status` shows the one in use")
        }
        DialError::Tls(_) => Failure::unreachable(what)
            .caused_by(error)
            .next("check the address; a development gateway is believed only by the user who started it"),
        DialError::Unreachable(_)
        | DialError::Broken(_)
        | DialError::Slow
        | DialError::Unavailable(_)
        | DialError::Token(TokenError::Unavailable(_)) => {
            Failure::unreachable(what).caused_by(error).next("check the address and the network, then try again")
        }
    }
}

/// Between nothing and `bound`. Without randomness all of it: slower, never wrong.
pub(crate) fn jitter(bound: Duration) -> Duration {
    let share = random::<4>().map_or(u32::MAX, u32::from_le_bytes);
    bound.mul_f64(f64::from(share) / f64::from(u32::MAX))
}
