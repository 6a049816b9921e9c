//! A site's connections made ready: secrets resolved, TLS configured, and what the API lists of them.

use std::{collections::BTreeMap, sync::Arc};

use super::{GatewayError, ServedConnections, native::NativeListener, upstream_tls};
use crate::{
    api::{ApiConnection, types::NativeAddress},
    config::{Credential, Site, secrets_of},
    credential,
    session::Served,
    upstream::Target,
};

/// Resolves what every connection needs to be dialled. Fails on the first that cannot be.
pub(super) fn serve(site: &Site, dev: bool) -> Result<ServedConnections, GatewayError> {
    let mut served = BTreeMap::new();
    for connection in &site.connections {
        let name = connection.name.to_string();
        let password = match &connection.credential {
            Credential::Password { secret, .. } => Some(
                credential::resolve(secret)
                    .map_err(|source| GatewayError::Credential { connection: name.clone(), source })?,
            ),
            Credential::Trust { .. } => None,
            Credential::Http(http) => secrets_of(http)
                .0
                .map(credential::resolve)
                .transpose()
                .map_err(|source| GatewayError::Credential { connection: name.clone(), source })?,
        };
        let tls = upstream_tls::mode(&connection.tls)
            .map_err(|source| GatewayError::UpstreamTls { connection: name.clone(), source })?;
        let target =
            Target { host: connection.upstream.host.clone(), port: connection.upstream.port, tls, loopback_only: dev };
        served.insert(name, Arc::new(Served::new(connection.clone(), target, password)));
    }
    Ok(served)
}

/// The connections as the API lists them.
pub(super) fn listed(site: &Site, listeners: &[NativeListener]) -> Vec<ApiConnection> {
    let host = site.gateway.public_url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let listed = |connection: &crate::config::Connection| {
        let facts = connection.facts();
        let rules = site.masking.columns.iter().filter(|rule| rule.connection.selects(&facts));
        let tags =
            rules.map(|rule| rule.tag.clone()).chain(site.masking.detected().map(|class| class.as_str().to_owned()));
        let tags: std::collections::BTreeSet<String> = tags.collect();
        let reached = listeners.iter().find(|listener| listener.connections().any(|name| *name == facts.name));
        let native = reached.map(|listener| NativeAddress { host: host.to_owned(), port: listener.address().port() });
        let (upstream, role) = (connection.upstream.clone(), connection.credential.username().to_owned());
        let environment = connection.environment.clone();
        ApiConnection { facts, tags: tags.into_iter().collect(), role, native, environment, upstream }
    };
    site.connections.iter().map(listed).collect()
}
