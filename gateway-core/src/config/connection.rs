//! `connections.toml`: the targets that the gateway can reach, and how.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{
    SecretReference,
    http::{self, HttpCredential, HttpSettings},
    lease::{self, EphemeralRole, LeasePer},
    reader::{Document, Table},
    ssh::{self, SshCredential, SshSettings},
};
use crate::model::{
    ConnectionFacts, ConnectionKind, ConnectionName,
    environment::{check_name, render},
};

/// Where the real server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamAddress {
    /// A host name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl UpstreamAddress {
    /// Whether it can only be this machine: a loopback address, or `localhost`.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Why a text is no `host:port`. Never shows the text, which may be a URL with a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamAddressError {
    /// It is a URL, or holds a user name.
    #[error("a URL or a login stands where host and port are expected")]
    Url,
    /// There is no port from 1 to 65535.
    #[error("there is no port from 1 to 65535 at its end")]
    Port,
    /// The host is empty or holds what no host holds.
    #[error("there is no host name or address before the port")]
    Host,
}

impl FromStr for UpstreamAddress {
    type Err = UpstreamAddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('@') || text.contains("//") {
            return Err(UpstreamAddressError::Url);
        }
        let (host, port) = text.rsplit_once(':').ok_or(UpstreamAddressError::Port)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(UpstreamAddressError::Port)?;
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let valid = match address {
            Some(address) => address.parse::<IpAddr>().is_ok(),
            None => !host.is_empty() && host.len() <= 253 && host.bytes().all(plain),
        };
        if valid {
            Ok(Self { host: address.unwrap_or(host).to_owned(), port })
        } else {
            Err(UpstreamAddressError::Host)
        }
    }
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether the link to the upstream is encrypted, and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamTls {
    /// No TLS.
    Disable,
    /// TLS or nothing; the certificate is not checked.
    Require,
    /// TLS, and the certificate must be the host's.
    VerifyFull {
        /// Certificates to trust; the system's where there are none.
        ca_file: Option<PathBuf>,
    },
}

/// How the gateway logs in to the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A username and a password.
    Password {
        /// The upstream role.
        username: String,
        /// Where the password is.
        secret: SecretReference,
    },
    /// A username alone, for upstreams that trust the gateway's address.
    Trust {
        /// The upstream role.
        username: String,
    },
    /// A role that is made for one session, and dropped at its end.
    EphemeralRole(EphemeralRole),
    /// A login that a Vault makes for one session.
    VaultRole {
        /// The path that makes it.
        secret: SecretReference,
        /// What sessions work as; approvals are bound to it.
        role: String,
        /// Which sessions get one.
        per: LeasePer,
    },
    /// What requests over HTTP carry.
    Http(HttpCredential),
    /// What only SSH knows.
    Ssh(SshCredential),
}

impl Credential {
    /// The upstream role that sessions work as; approvals are bound to it.
    pub fn username(&self) -> &str {
        match self {
            Self::EphemeralRole(EphemeralRole { role, .. }) | Self::VaultRole { role, .. } => role,
            Self::Password { username, .. } | Self::Trust { username } => username,
            Self::Http(credential) => credential.role(),
            Self::Ssh(credential) => credential.username(),
        }
    }

    /// Who gets what a login of one session came to own.
    pub fn heir(&self) -> &str {
        if let Self::EphemeralRole(role) = self { role.heir() } else { self.username() }
    }
}

/// What a native client is asked for when it does not say itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NativeAuthentication {
    /// A password of `hoop token`, by SCRAM.
    #[default]
    Token,
    /// A JWT of the issuer or of the gateway, in cleartext inside TLS.
    Jwt,
}

/// How a connection is reached without the CLI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NativeListen {
    /// Where the gateway listens. Connections of one address are told apart by the database that a client names, or by
    /// the user name of SSH.
    pub address: SocketAddr,
    /// What a client of PostgreSQL is asked for; what one of SSH shows tells by itself what it is.
    pub authentication: NativeAuthentication,
}

/// Whether two listeners cannot both be had: one port, and one of them on every address.
pub(super) fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// How a connection pool in front of the upstream behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamPool {
    /// It gives each client a server session of its own, for as long as the client stays.
    Session,
}

/// What the upstream's own log calls the sessions of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplicationName {
    /// The run and its principal.
    #[default]
    Run,
    /// What the client calls itself.
    Client,
}

/// One `[[connection]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub name: ConnectionName,
    /// Its protocol.
    pub kind: ConnectionKind,
    /// Where the server is.
    pub upstream: UpstreamAddress,
    /// The machine that it is reached through, where the gateway does not reach it itself.
    pub via: Option<ConnectionName>,
    /// The database.
    pub database: String,
    /// Labels for policies.
    pub labels: BTreeMap<String, String>,
    /// Encryption towards the upstream.
    pub tls: UpstreamTls,
    /// How the gateway logs in.
    pub credential: Credential,
    /// Whether an upstream role that is a superuser is accepted.
    pub allow_superuser: bool,
    /// The connection pool before the server, where there is one.
    pub pool: Option<UpstreamPool>,
    /// Where native clients reach it, if they may.
    pub native: Option<NativeListen>,
    /// What there is besides where HTTP carries it.
    pub http: Option<HttpSettings>,
    /// What there is besides where it is SSH.
    pub ssh: Option<SshSettings>,
    /// What the upstream's own log calls the sessions of a run.
    pub application_name: ApplicationName,
    /// Whether statements carry a comment that names run and principal to the upstream.
    pub statement_comment: bool,
    /// Templates of variables that `hoop exec` sets for it besides the usual ones.
    pub environment: BTreeMap<String, String>,
}

impl Connection {
    /// What policies see of it.
    pub fn facts(&self) -> ConnectionFacts {
        ConnectionFacts {
            name: self.name.clone(),
            kind: self.kind,
            labels: self.labels.clone(),
            database: self.database.clone(),
        }
    }
}

/// Reads `connections.toml`.
pub(super) fn read(document: &Document<'_>, root: &Path) -> Vec<Connection> {
    let Some(mut file) = document.root() else { return Vec::new() };
    let mut names = BTreeSet::new();
    let mut listeners: Vec<(SocketAddr, ConnectionKind)> = Vec::new();
    let connections: Vec<_> = file
        .tables("connection")
        .into_iter()
        .filter_map(|mut table| {
            let connection = connection(&mut table, root);
            if let Some(name) = connection.as_ref().map(|connection| connection.name.clone())
                && !names.insert(name.clone())
            {
                table.problem(table.span(), format!("a second connection is named `{name}`"), "give it another name");
            }
            if let Some((native, kind)) = connection.as_ref().and_then(|one| Some((one.native?, one.kind))) {
                shared(&table, native.address, kind, &listeners);
                listeners.push((native.address, kind));
            }
            table.finish();
            connection
        })
        .collect();
    for (one, to, name) in ssh::ways_of(&connections).filter(|(_, _, name)| !names.contains(*name)) {
        let message = format!("connection `{one}` leads {to} to `{name}`, and there is no such connection");
        file.problem(file.span(), message, "name a connection of this file in [connection.ways]");
    }
    let machines: BTreeSet<_> = connections.iter().filter(|one| one.ssh.is_some()).map(|one| &one.name).collect();
    let vias = connections.iter().filter_map(|one| Some((&one.name, one.via.as_ref()?)));
    for (one, machine) in vias.filter(|(_, machine)| !machines.contains(machine)) {
        let message = format!("connection `{one}` goes via `{machine}`, and there is no such connection of kind ssh");
        file.problem(file.span(), message, "name a machine of this file, or remove `via`");
    }
    file.finish();
    connections
}

/// Whether an address can be had beside those of the connections before, and by this kind.
fn shared(table: &Table<'_>, address: SocketAddr, kind: ConnectionKind, others: &[(SocketAddr, ConnectionKind)]) {
    if let Some((other, _)) = others.iter().find(|(other, _)| *other != address && collide(*other, address)) {
        let message = format!("connection.listen = {address} collides with {other} of another connection");
        table.problem(table.span(), message, "give both the same address, or different ports");
    }
    if let Some((_, other)) = others.iter().find(|(taken, other)| *taken == address && *other != kind) {
        let (kind, other) = (kind.as_str(), other.as_str());
        let message =
            format!("connection.listen = {address} is that of a connection of kind {other}, and this is {kind}");
        table.problem(
            table.span(),
            message,
            "only connections of one kind share an address; give this one another port",
        );
    }
}

fn connection(table: &mut Table<'_>, root: &Path) -> Option<Connection> {
    let name = table.required("name", "name = \"pg-prod\"");
    let name = table.parsed("name", name, "name = \"pg-prod\"", ConnectionName::from_str);
    let kind = table.required("kind", "kind = \"postgres\"");
    let kind = table.parsed("kind", kind, "kind = \"postgres\"", |kind| match kind {
        "postgres" => Ok(ConnectionKind::Postgres),
        "http" => Ok(ConnectionKind::Http),
        "llm" => Ok(ConnectionKind::Llm),
        "mcp" => Ok(ConnectionKind::Mcp),
        "ssh" => Ok(ConnectionKind::Ssh),
        _ => Err("this kind is not built yet; there are postgres, http, llm, mcp and ssh"),
    });
    if let Some(kind) = kind.filter(|kind| kind.is_http()) {
        return http::connection(table, root, name, kind);
    }
    if kind == Some(ConnectionKind::Ssh) {
        return ssh::connection(table, root, name);
    }
    let upstream = address(table, "upstream = \"db.internal:5432\"");
    let via = via(table);
    let database = table.required("database", "database = \"shop\"").map(toml::Spanned::into_inner);
    let labels = table.map("labels").unwrap_or_default();
    let encryption = match table.table("tls") {
        Some(mut tls) => {
            let encryption = encryption(&mut tls, root);
            tls.finish();
            encryption
        }
        None => upstream.as_ref().map(default_encryption),
    };
    let allow_superuser = table.boolean("allow_superuser").is_some_and(toml::Spanned::into_inner);
    let native = native(table);
    let environment = environment(table);
    let pool = table.text("pool");
    let pool = table.parsed("pool", pool, "pool = \"session\"", |pool| match pool {
        "session" => Ok(UpstreamPool::Session),
        "transaction" | "statement" => {
            Err("such a pool mixes the settings of sessions, so that what a statement means cannot be known")
        }
        _ => Err("use session"),
    });
    let statement_comment = table.boolean("statement_comment").is_some_and(toml::Spanned::into_inner);
    let application_name = table.text("application_name");
    let application_name =
        table.parsed("application_name", application_name, "application_name = \"run\"", |name| match name {
            "run" => Ok(ApplicationName::Run),
            "client" => Ok(ApplicationName::Client),
            _ => Err("use run or client"),
        });
    let credential = if let Some(mut credential) = table.table("credential") {
        let login = login(&mut credential, root);
        credential.finish();
        login
    } else {
        table.missing("credential", "[connection.credential] with type, username and secret");
        None
    };
    if let (Some(Credential::EphemeralRole(_)), Some(_)) = (&credential, pool) {
        let fix = "reach the server itself, or write type = \"password\"";
        table.problem(table.span(), "a pool knows no roles that live as long as a session", fix);
    }
    Some(Connection {
        name: name?,
        kind: kind?,
        upstream: upstream?,
        via,
        database: database?,
        labels,
        tls: encryption?,
        credential: credential?,
        allow_superuser,
        pool,
        native,
        http: None,
        ssh: None,
        application_name: application_name.unwrap_or_default(),
        statement_comment,
        environment,
    })
}

/// The machine before the upstream.
pub(super) fn via(table: &mut Table<'_>) -> Option<ConnectionName> {
    let name = table.text("via");
    table.parsed("via", name, "via = \"bastion\"", ConnectionName::from_str)
}

/// What `hoop exec` sets for the connection; a template that could not be filled in there is a mistake here.
pub(super) fn environment(table: &mut Table<'_>) -> BTreeMap<String, String> {
    let templates = table.map("env").unwrap_or_default();
    for (name, template) in &templates {
        let checked = check_name(name).and_then(|()| render(template, str::to_owned).map(drop));
        if let Err(error) = checked {
            let fix = "write it like `env = { MY_DSN = \"postgres://{user}@{host}:{port}/{database}\" }`";
            table.problem(table.span(), format!("connection.env.{name}: {error}"), fix);
        }
    }
    templates
}

/// Where native clients reach the connection, and what they are asked for.
fn native(table: &mut Table<'_>) -> Option<NativeListen> {
    const EXAMPLE: &str = "listen = \"0.0.0.0:5432\"";
    let auth = table.text("auth");
    let span = auth.as_ref().map(toml::Spanned::span);
    let authentication = table.parsed("auth", auth, "auth = \"token\"", |auth| match auth {
        "token" => Ok(NativeAuthentication::Token),
        "jwt" => Ok(NativeAuthentication::Jwt),
        _ => Err("use token or jwt"),
    });
    let listen = table.text("listen");
    if let (Some(span), None) = (span, &listen) {
        table.problem(&span, "auth is only used with listen", format!("add `{EXAMPLE}`, or remove it"));
    }
    let address = listening(table, listen, EXAMPLE)?;
    Some(NativeListen { address, authentication: authentication.unwrap_or_default() })
}

/// An address and a port to listen on.
pub(super) fn listening(
    table: &Table<'_>,
    text: Option<toml::Spanned<String>>,
    example: &'static str,
) -> Option<SocketAddr> {
    table.parsed("listen", text, example, |address| {
        address.parse::<SocketAddr>().map_err(|_invalid| "this is not an address and a port")
    })
}

pub(super) fn address(table: &mut Table<'_>, example: &'static str) -> Option<UpstreamAddress> {
    let text = table.required("upstream", example)?;
    let shows = |error: &UpstreamAddressError| {
        table.problem(&text.span(), format!("connection.upstream: {error}"), format!("write it as `{example}`"));
    };
    text.get_ref().parse().inspect_err(shows).ok()
}

/// Without a word on TLS: none on this machine, the full check to any other.
fn default_encryption(upstream: &UpstreamAddress) -> UpstreamTls {
    if upstream.is_loopback() { UpstreamTls::Disable } else { UpstreamTls::VerifyFull { ca_file: None } }
}

pub(super) fn encryption(table: &mut Table<'_>, root: &Path) -> Option<UpstreamTls> {
    let ca_file = table.text("ca_file");
    let mode = table.required("mode", "mode = \"verify-full\"");
    let encryption = table.parsed("mode", mode, "mode = \"verify-full\"", |mode| match mode {
        "disable" => Ok(UpstreamTls::Disable),
        "require" => Ok(UpstreamTls::Require),
        "verify-full" => {
            Ok(UpstreamTls::VerifyFull { ca_file: ca_file.as_ref().map(|path| root.join(path.get_ref())) })
        }
        _ => Err("use disable, require or verify-full"),
    })?;
    if let (Some(path), UpstreamTls::Disable | UpstreamTls::Require) = (&ca_file, &encryption) {
        table.problem(
            &path.span(),
            "ca_file is only used with verify-full",
            "set mode = \"verify-full\", or remove it",
        );
    }
    Some(encryption)
}

fn login(table: &mut Table<'_>, root: &Path) -> Option<Credential> {
    const SECRET: &str = "secret = \"env:PG_PROD_PASSWORD\"";
    const USERNAME: &str = "username = \"hoop\"";
    let kind = table.required("type", "type = \"password\"")?;
    match kind.get_ref().as_str() {
        "trust" => Some(Credential::Trust { username: lease::role(table, "username", USERNAME)? }),
        "password" => {
            let username = lease::role(table, "username", USERNAME);
            let text = table.required("secret", SECRET)?;
            let secret = lease::reference(table, &text, root)?;
            Some(Credential::Password { username: username?, secret })
        }
        "ephemeral-role" => lease::ephemeral_role(table, root),
        "vault-role" => lease::vault_role(table, root),
        _ => {
            let (_username, _secret) = (table.text("username"), table.text("secret"));
            let fix = "write one of password, trust, ephemeral-role, vault-role";
            table.problem(&kind.span(), "this type of credential is not built yet", fix);
            None
        }
    }
}
