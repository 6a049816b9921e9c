//! A site's connections made ready: secrets resolved, TLS configured, and what the API lists of them.

use std::{collections::BTreeMap, sync::Arc};

use super::{GatewayError, ServedConnections, native::NativeListener, upstream_tls};
use crate::{
    api::{ApiConnection, types::NativeAddress},
    clock::WallClock,
    config::{Connection, Credential, HttpCredential, SecretReference, Site, SshCredential, secrets_of},
    credential::Secrets,
    model::{ConnectionKind, ConnectionName},
    protocol::{
        http::{aws, dialect::Dialect, plain::PlainHttp},
        llm::dialect::LlmDialect,
        mcp::dialect::McpDialect,
    },
    session::{HttpSide, Leases, Served, SshSide},
    store::ToolShelf,
    upstream::{Injector, SshKeys, SshLogin, Target, TlsMode, Via},
};

/// Prepares what every connection needs to be dialled. Fails on the first that cannot be.
///
/// `kept` gives those that are ready already.
pub(super) async fn serve(
    site: &Site,
    kept: &(dyn Fn(&ConnectionName) -> Option<Arc<Served>> + Send + Sync),
    leases: &Leases,
    dev: bool,
    clock: &WallClock,
    tools: &ToolShelf,
    ssh: &SshKeys,
) -> Result<ServedConnections, GatewayError> {
    let mut served = BTreeMap::new();
    let secrets = leases.secrets();
    for connection in &site.connections {
        let name = connection.name.to_string();
        if let Some(ready) = kept(&connection.name) {
            served.insert(name, ready);
            continue;
        }
        for reference in references(&connection.credential) {
            try_out(secrets, &name, reference).await?;
        }
        let tls = upstream_tls::mode(&connection.tls)
            .map_err(|source| GatewayError::UpstreamTls { connection: name.clone(), source })?;
        let via = connection.via.as_ref().and_then(|machine| via(site, connection, machine, leases, dev, clock, ssh));
        if connection.via.is_some() != via.is_some() {
            return Err(GatewayError::Setting(format!("connection `{name}` goes via what is no machine")));
        }
        let (host, port) = (connection.upstream.host.clone(), connection.upstream.port);
        let target = Target { host, port, tls, loopback_only: dev, via: via.map(Arc::new) };
        let ready = Served::new(connection.clone(), target, leases.clone(), site.policies.clone());
        let ready = if connection.kind == ConnectionKind::Ssh {
            let login = SshLogin::new(connection.credential.clone(), secrets.clone(), ssh.clone(), clock.clone());
            ready.over_ssh(SshSide { keys: ssh.clone(), login: Arc::new(login) })
        } else {
            ready
        };
        let ready = match http_side(connection, secrets, clock, tools)? {
            Some(carried) => ready.over_http(carried),
            None => ready,
        };
        served.insert(name, Arc::new(ready));
    }
    Ok(served)
}

/// The machine that a connection is reached through.
fn via(
    site: &Site,
    connection: &Connection,
    machine: &ConnectionName,
    leases: &Leases,
    dev: bool,
    clock: &WallClock,
    keys: &SshKeys,
) -> Option<Via> {
    let machine = site.connections.iter().find(|one| one.name == *machine)?;
    let (host, port) = (machine.upstream.host.clone(), machine.upstream.port);
    Some(Via {
        connection: connection.name.clone(),
        machine: machine.name.clone(),
        target: Target { host, port, tls: TlsMode::Disable, loopback_only: dev, via: None },
        settings: machine.ssh.clone()?,
        login: Arc::new(SshLogin::new(
            machine.credential.clone(),
            leases.secrets().clone(),
            keys.clone(),
            clock.clone(),
        )),
        recorder: leases.recorder().clone(),
    })
}

/// What serves a connection over HTTP; `None` for other kinds, and for those that are not built.
fn http_side(
    connection: &Connection,
    secrets: &Secrets,
    clock: &WallClock,
    tools: &ToolShelf,
) -> Result<Option<HttpSide>, GatewayError> {
    let (Some(settings), Credential::Http(credential)) = (&connection.http, &connection.credential) else {
        return Ok(None);
    };
    let host = connection.upstream.host.clone();
    let service = match credential {
        HttpCredential::AwsSigV4 { service, .. } => {
            Some(service.clone().unwrap_or_else(|| aws::service_of(&host).to_owned()))
        }
        HttpCredential::None
        | HttpCredential::Header { .. }
        | HttpCredential::Basic { .. }
        | HttpCredential::OAuth2Client { .. }
        | HttpCredential::OAuth2Exchange(_) => None,
    };
    let dialect: Arc<dyn Dialect> = match connection.kind {
        ConnectionKind::Http => Arc::new(PlainHttp::new(host.clone(), settings.routes.clone(), service)),
        ConnectionKind::Llm => Arc::new(LlmDialect::new(host.clone(), settings.prices.clone())),
        ConnectionKind::Mcp => {
            let book = Arc::new(tools.of(connection.name.clone()));
            Arc::new(McpDialect::new(host.clone(), book).speaking_at(settings.routes.clone()))
        }
        ConnectionKind::Postgres | ConnectionKind::Ssh => return Ok(None),
    };
    let name = connection.name.to_string();
    let injector = Injector::new(credential, secrets.clone(), &host, clock.clone())
        .map_err(|error| GatewayError::Setting(format!("connection `{name}`: {error}")))?;
    Ok(Some(HttpSide { dialect, injector: Arc::new(injector) }))
}

/// Every secret that a connection refers to.
fn references(credential: &Credential) -> Vec<&SecretReference> {
    match credential {
        Credential::Password { secret, .. } | Credential::Ssh(SshCredential::Key { secret, .. }) => vec![secret],
        Credential::EphemeralRole(role) => role.secret.iter().collect(),
        Credential::Trust { .. }
        | Credential::VaultRole { .. }
        | Credential::Ssh(SshCredential::Certificate { .. }) => Vec::new(),
        Credential::Http(credential) => {
            let (secret, session_token) = secrets_of(credential);
            secret.into_iter().chain(session_token).collect()
        }
    }
}

/// A secret that is forgotten is found out at the start. One that somebody else has to give may come later: a Vault that
/// is down must not keep the gateway from serving other connections.
async fn try_out(secrets: &Secrets, connection: &str, reference: &SecretReference) -> Result<(), GatewayError> {
    match secrets.value(reference).await {
        Ok(_there) => Ok(()),
        Err(error) => match reference {
            SecretReference::Environment(_) | SecretReference::File(_) => {
                Err(GatewayError::Credential { connection: connection.to_owned(), source: error })
            }
            SecretReference::Store(_)
            | SecretReference::Vault(_)
            | SecretReference::Command(_)
            | SecretReference::Keyring(_) => {
                tracing::warn!(connection, %error, "a connection has no credential yet");
                Ok(())
            }
        },
    }
}

/// Where native clients reach which connection.
pub(super) fn native_addresses(site: &Site, listeners: &[NativeListener]) -> BTreeMap<ConnectionName, NativeAddress> {
    let host = site.gateway.public_url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = |listener: &NativeListener| NativeAddress { host: host.to_owned(), port: listener.address().port() };
    let reached = listeners.iter().flat_map(|listener| listener.connections().map(move |name| (name, listener)));
    reached.map(|(name, listener)| (name.clone(), address(listener))).collect()
}

/// The connections as the API lists them.
pub(super) fn listed(
    site: &Site,
    native: &BTreeMap<ConnectionName, NativeAddress>,
    keys: &SshKeys,
) -> Vec<ApiConnection> {
    let listed = |connection: &Connection| {
        let facts = connection.facts();
        let rules = site.masking.columns.iter().filter(|rule| rule.connection.selects(&facts));
        let tags =
            rules.map(|rule| rule.tag.clone()).chain(site.masking.detected().map(|class| class.as_str().to_owned()));
        let tags: std::collections::BTreeSet<String> = tags.collect();
        let native = native.get(&facts.name).filter(|_| connection.native.is_some()).cloned();
        let (upstream, role) = (connection.upstream.clone(), connection.credential.username().to_owned());
        let environment = connection.environment.clone();
        let ssh = (facts.kind == ConnectionKind::Ssh).then(|| keys.published());
        ApiConnection { facts, tags: tags.into_iter().collect(), role, native, environment, ssh, upstream }
    };
    site.connections.iter().map(listed).collect()
}
