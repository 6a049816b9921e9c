//! Whom a gateway believes: its verifier, made of what the site says of identity. Knows no session.

use std::{net::SocketAddr, path::PathBuf};

use super::GatewayError;
use crate::{
    clock::WallClock,
    config::{IdentityConfig, Site},
    credential::Secrets,
    identity::{Agents, DevelopmentMode, DevelopmentProvider, PublicOrigin, SamlLogin, Verifier},
};

/// The provider that stands in with `--dev` where the site names none.
pub(super) fn development_provider(
    site: &Site,
    dev: bool,
    address: SocketAddr,
    clock: &WallClock,
) -> Result<Option<DevelopmentProvider>, GatewayError> {
    if !dev || site.gateway.identity.names_a_provider() {
        return Ok(None);
    }
    let mode = DevelopmentMode::enable(address)?;
    Ok(Some(DevelopmentProvider::start(mode, &site.gateway.public_url, clock.clone())?))
}

/// The provider of SAML that people log in at, where the site names one.
pub(super) fn saml(
    identity: &IdentityConfig,
    origin: &PublicOrigin,
    clock: &WallClock,
) -> Result<Option<SamlLogin>, GatewayError> {
    let Some(saml) = &identity.saml else { return Ok(None) };
    Ok(Some(SamlLogin::open(saml, identity.claims.clone(), origin.clone(), clock.clone())?))
}

/// Who is believed: people of one provider, and the service accounts of the issuers that the site names.
pub(super) fn verifier(
    site: &Site,
    provider: Option<&DevelopmentProvider>,
    agents: &Agents,
    saml: Option<&SamlLogin>,
    secrets: &Secrets,
    clock: &WallClock,
) -> Result<Verifier, GatewayError> {
    let workloads = site.gateway.identity.workloads.iter();
    let workloads = workloads.map(|one| Ok((one.clone(), authorities(one.ca_file.as_ref())?)));
    let workloads = workloads.collect::<Result<Vec<_>, GatewayError>>()?;
    let claims = site.gateway.identity.claims.clone();
    if let Some(provider) = provider {
        return Ok(provider.verifier()?.with_claims(claims).with_workloads(workloads, agents)?);
    }
    if let Some(saml) = saml {
        let verifier = Verifier::without_people(saml.info(), saml.login_seconds(), clock.clone());
        return Ok(verifier.with_claims(claims).with_workloads(workloads, agents)?);
    }
    let Some(oidc) = &site.gateway.identity.oidc else {
        return Err(GatewayError::Setting("gateway.toml names no identity provider ([identity.oidc])".to_owned()));
    };
    let trusted = authorities(oidc.ca_file.as_ref())?;
    let (rules, trusted) = (agents.clone(), trusted.as_deref());
    let verifier = Verifier::discovered(oidc.clone(), rules, trusted, secrets, clock.clone())?;
    Ok(verifier.with_claims(claims).with_workloads(workloads, agents)?)
}

/// What a `ca_file` holds.
pub(super) fn authorities(file: Option<&PathBuf>) -> Result<Option<Vec<u8>>, GatewayError> {
    file.map(|path| std::fs::read(path).map_err(|source| GatewayError::File { path: path.clone(), source })).transpose()
}
