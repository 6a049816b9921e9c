//! A login at the gateway's own device page, which hands the browser to a SAML provider: ends in the gateway's token.
//!
//! The grant is RFC 8628's, as at an issuer; only the token is the gateway's already, and nothing renews it.

use hoop_gateway_core::api::types::{IdentityInfo, TokenChoice, TokenResponse};

use super::{Issuer, Wanted, device};
use crate::{api_client::ApiClient, context::Context, failure::Failure};

/// Shows the code and waits until somebody logged in.
pub(super) async fn log_in(
    context: &Context,
    client: &ApiClient,
    identity: &IdentityInfo,
    wanted: &Wanted<'_>,
) -> Result<TokenResponse, Failure> {
    let page = Issuer::of_gateway(context, client.gateway(), &identity.client_id)?;
    let given = device::authorize(context, &page, &identity.scopes, wanted).await?;
    client.with_principal(given.token(TokenChoice::Access)?).await
}
