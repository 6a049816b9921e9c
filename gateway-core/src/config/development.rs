//! The built-in site of `hoop gateway run --dev` and `hoop demo`, and what a development gateway may not do.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use url::{Host, Url};

use super::{
    ApplicationName, Connection, Credential, EMAIL, GatewayConfig, Problem, Site, SiteFiles, UpstreamAddress,
    UpstreamTls, gateway::DEFAULT_LISTEN, masking, reader::Document,
};
use crate::{
    model::{ConnectionKind, ConnectionName},
    notify::is_loopback,
    policy::{PolicySet, PolicySource, TagNames},
};

/// The sample site: documentation, start of a real one, and what the development gateway decides by.
const SAMPLE: [(&str, &str); 9] = [
    ("gateway.toml", include_str!("sample/gateway.toml")),
    ("connections.toml", include_str!("sample/connections.toml")),
    ("masking.toml", include_str!("sample/masking.toml")),
    ("agents.toml", include_str!("sample/agents.toml")),
    ("policies/access.cedar", include_str!("sample/policies/access.cedar")),
    ("policies/approvals.cedar", include_str!("sample/policies/approvals.cedar")),
    ("policies/guardrails.cedar", include_str!("sample/policies/guardrails.cedar")),
    ("policies/masking.cedar", include_str!("sample/policies/masking.cedar")),
    ("tests/cases.toml", include_str!("sample/tests/cases.toml")),
];

impl Connection {
    /// A PostgreSQL connection for development, labelled `env = "prod"` so that the sample's approvals apply.
    pub fn development(
        name: ConnectionName,
        upstream: UpstreamAddress,
        database: String,
        credential: Credential,
    ) -> Self {
        let tls = if upstream.is_loopback() { UpstreamTls::Disable } else { UpstreamTls::VerifyFull { ca_file: None } };
        let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        Self {
            name,
            kind: ConnectionKind::Postgres,
            upstream,
            via: None,
            database,
            labels,
            tls,
            credential,
            allow_superuser: false,
            pool: None,
            native: None,
            http: None,
            ssh: None,
            application_name: ApplicationName::default(),
            statement_comment: false,
            environment: BTreeMap::new(),
        }
    }
}

impl Site {
    /// The built-in site: the sample's policies and tags, these connections, everything kept in `data_dir`.
    pub fn development(
        data_dir: &Path,
        listen: Option<SocketAddr>,
        connections: Vec<Connection>,
    ) -> Result<Self, Vec<Problem>> {
        let listen = listen.unwrap_or(DEFAULT_LISTEN);
        let public_url = Url::parse(&format!("https://{listen}")).map_err(|error| {
            vec![problem("the built-in site", format!("`{listen}` makes no URL: {error}"), "choose another address")]
        })?;
        let sources: Vec<PolicySource> = sample("policies/")
            .map(|(path, text)| PolicySource { path: PathBuf::from(path), text: text.to_owned() })
            .collect();
        let text = sample("masking.toml").map(|(_, text)| text).collect::<String>();
        let document = Document::new(PathBuf::from("masking.toml"), &text);
        let masking = masking::read(&document, &connections);
        let problems = document.into_problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let policies = PolicySet::load(&sources, &TagNames(masking.tag_names()))?;
        let gateway = GatewayConfig::local(data_dir, listen, public_url);
        Ok(Self {
            root: None,
            gateway,
            connections,
            masking,
            agents: Vec::new(),
            sources,
            policies,
            cases: Vec::new(),
            files: SiteFiles::default(),
        })
    }
}

/// Writes the sample site into a folder; never overwrites a file, and returns the files written.
pub fn write_sample(directory: &Path) -> io::Result<Vec<PathBuf>> {
    SAMPLE
        .iter()
        .map(|(name, text)| {
            let path = directory.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(text.as_bytes())?;
            Ok(path)
        })
        .collect()
}

/// What stops `--dev`: anything that other machines could reach, or that reaches other machines.
pub fn check_development(site: &Site) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !site.gateway.listen.ip().is_loopback() {
        let message = format!("a development gateway listens on this machine only, not on {}", site.gateway.listen);
        problems.push(problem("gateway.toml", message, "write `listen = \"127.0.0.1:8443\"`, or run without --dev"));
    }
    for (connection, native) in site.connections.iter().filter_map(|one| Some((one, one.native?))) {
        if !native.address.ip().is_loopback() {
            let message = format!(
                "connection `{}` listens on {}, and a development gateway listens on this machine only",
                connection.name, native.address
            );
            problems.push(problem(
                "connections.toml",
                message,
                "write `listen = \"127.0.0.1:5432\"`, or run without --dev",
            ));
        }
    }
    let here = match site.gateway.public_url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if !here {
        let message = "a development gateway is reached on this machine only";
        problems.push(problem(
            "gateway.toml",
            message,
            "write `public_url = \"https://127.0.0.1:8443\"`, or run without --dev",
        ));
    }
    let notifications = &site.gateway.notifications;
    let webhooks = notifications.webhooks.iter().filter(|one| !is_loopback(&one.url)).map(|one| one.name.as_str());
    let email = notifications.email.iter().filter(|email| !email.server.is_loopback()).map(|_mail| EMAIL);
    for name in webhooks.chain(email) {
        let message = format!("receiver `{name}` is elsewhere, and a development gateway reaches this machine only");
        problems.push(problem("gateway.toml", message, "use one on 127.0.0.1, or run without --dev"));
    }
    for connection in site.connections.iter().filter(|connection| !connection.upstream.is_loopback()) {
        let message = format!(
            "connection `{}` leads to {}, and a development gateway reaches this machine only",
            connection.name, connection.upstream
        );
        problems.push(problem("connections.toml", message, "use an upstream on 127.0.0.1, or run without --dev"));
    }
    problems
}

/// What stops a gateway without `--dev`: no certificate, nobody to believe.
pub fn check_production(site: &Site) -> Vec<Problem> {
    let mut problems = Vec::new();
    if site.gateway.tls.is_none() {
        let fix = "add [tls] with certificate and key, or run with --dev";
        problems.push(problem("gateway.toml", "there is no certificate", fix));
    }
    if !site.gateway.identity.names_a_provider() {
        let fix = "add [identity.oidc] with issuer, client_id and audience, or [identity.saml], or run with --dev";
        problems.push(problem("gateway.toml", "there is no identity provider", fix));
    }
    problems
}

fn sample(prefix: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    SAMPLE.into_iter().filter(move |(name, _)| name.starts_with(prefix))
}

fn problem(file: &str, message: impl Into<String>, fix: &str) -> Problem {
    Problem { file: PathBuf::from(file), line: 0, column: 0, message: message.into(), fix: fix.to_owned() }
}
