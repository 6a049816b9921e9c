//! `hoop connections test`: reaches an upstream step by step, as a session would, and says what is found at each.
//!
//! Dials, logs in and reads catalogues; a login that is made for sessions is made once and taken away. Nothing found here
//! is kept.

mod ssh;

use std::{sync::Arc, time::Duration};

use crate::{
    api::{
        Prober, Proving,
        types::{ConfiguredConnection, ConnectionProof, Proof, ProofOutcome},
    },
    config::{Credential, HttpCredential, LeasePer, SshCredential, UpstreamTls},
    model::{ConnectionKind, ConnectionName, Principal},
    record::{GatewayEvent, OwnPurpose},
    session::{Environment, Served, Surroundings},
    upstream::{self, HttpOutlet, Privileges, ProbeOrder, TlsFacts, Wire},
};

/// A certificate that ends sooner is worth a word.
const SOON: Duration = Duration::from_hours(24 * 14);
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// Proves the connections of one gateway.
#[derive(Debug)]
pub(super) struct UpstreamProber {
    surroundings: Surroundings,
}

impl Prober for UpstreamProber {
    fn configured(&self) -> Vec<ConfiguredConnection> {
        let configured = |served: &Arc<Served>| ConfiguredConnection {
            name: served.facts.name.clone(),
            kind: served.facts.kind,
            upstream: served.connection.upstream.to_string(),
            database: served.facts.database.clone(),
            role: served.connection.credential.username().to_owned(),
            credential: kind_of(&served.connection.credential).to_owned(),
        };
        self.environment().connections.values().map(configured).collect()
    }

    fn prove<'prober>(&'prober self, who: &'prober Principal, connection: &'prober ConnectionName) -> Proving<'prober> {
        Box::pin(async move {
            let mut told = Told::default();
            if tokio::time::timeout(PATIENCE, self.tried(who, connection, &mut told)).await.is_err() {
                told.failed(
                    "time",
                    format!("it took longer than {} s", PATIENCE.as_secs()),
                    "is the upstream overloaded?",
                );
            }
            ConnectionProof { connection: connection.clone(), proofs: told.0 }
        })
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Told(Vec<Proof>);

impl Told {
    fn push(&mut self, check: &str, outcome: ProofOutcome, detail: String, next: Option<&str>) {
        self.0.push(Proof { check: check.to_owned(), outcome, detail, next: next.map(str::to_owned) });
    }

    fn good(&mut self, check: &str, detail: String) {
        self.push(check, ProofOutcome::Good, detail, None);
    }

    fn warning(&mut self, check: &str, detail: String, next: &str) {
        self.push(check, ProofOutcome::Warning, detail, Some(next));
    }

    fn failed(&mut self, check: &str, detail: String, next: &str) {
        self.push(check, ProofOutcome::Failed, detail, Some(next));
    }

    fn skipped(&mut self, checks: &[&str]) {
        for check in checks {
            self.push(check, ProofOutcome::Skipped, "not tried".to_owned(), None);
        }
    }
}

impl UpstreamProber {
    pub(super) fn new(surroundings: Surroundings) -> Self {
        Self { surroundings }
    }

    fn environment(&self) -> Arc<Environment> {
        self.surroundings.borrow().clone()
    }

    async fn tried(&self, who: &Principal, connection: &ConnectionName, told: &mut Told) {
        let environment = self.environment();
        let Some(served) = environment.connections.get(connection.as_str()) else {
            return told.failed(
                "connection",
                "there is no such connection".to_owned(),
                "list them: hoop connections ls",
            );
        };
        if served.facts.kind == ConnectionKind::Ssh {
            ssh::tried(&environment, who, served, told).await;
        } else if served.facts.kind.is_http() {
            self.of_http(who, served, told).await;
        } else {
            self.of_postgres(who, served, told).await;
        }
    }

    async fn of_postgres(&self, who: &Principal, served: &Arc<Served>, told: &mut Told) {
        let wire = match upstream::dial(&served.target).await {
            Ok(wire) => wire,
            Err(error) => {
                let next = "check upstream and [connection.tls] in connections.toml, and that the server is up";
                told.failed("reach", chain(&error), next);
                return told.skipped(&["tls", "credential", "privileges"]);
            }
        };
        told.good("reach", format!("{} answers", served.connection.upstream));
        self.encryption(served, &wire, told);
        let login = match served.own_login().await {
            Ok(login) => login,
            Err(error) => {
                told.failed("credential", error.to_string(), "give the gateway the secret that connections.toml names");
                return told.skipped(&["privileges"]);
            }
        };
        let event = GatewayEvent::Probed { who: who.clone(), connection: served.facts.name.clone() };
        let order = ProbeOrder { wire, login };
        let order = match self.environment().recorder.own(&event, OwnPurpose::Probe, order).await {
            Ok(order) => order,
            Err(error) => return told.failed("record", error.to_string(), "the gateway cannot record; see its log"),
        };
        match Privileges::read(order).await {
            Ok(found) => {
                told.good("credential", format!("logged in; works as {} on PostgreSQL {}", found.role, found.version));
                privileges(served, &found, told);
                self.lending(who, served, told).await;
            }
            Err(error) => {
                told.failed("credential", error.to_string(), "check username and secret in connections.toml");
                told.skipped(&["privileges"]);
            }
        }
    }

    /// A login as sessions get it is made, tried and taken away.
    async fn lending(&self, who: &Principal, served: &Arc<Served>, told: &mut Told) {
        if served.lender().is_none() {
            return;
        }
        match served.trial_login(who).await {
            Ok(()) => told.good("lease", "a login for one session was made, used and taken away".to_owned()),
            Err(error) => {
                let next = "the login that makes roles needs CREATEROLE, the template with ADMIN OPTION, and to be a member of \
                            reassign_to; see docs/secrets.md";
                told.failed("lease", error.to_string(), next);
            }
        }
    }

    async fn of_http(&self, who: &Principal, served: &Arc<Served>, told: &mut Told) {
        let (Some(settings), Some(side)) = (&served.connection.http, served.http_side()) else {
            return told.failed("connection", "this kind is not built".to_owned(), "use http, llm or mcp");
        };
        let wire = match upstream::dial_secured(&served.target, &[b"h2", b"http/1.1"]).await {
            Ok(wire) => wire,
            Err(error) => {
                told.failed("reach", chain(&error), "check upstream and [connection.tls] in connections.toml");
                return told.skipped(&["tls", "credential"]);
            }
        };
        told.good("reach", format!("{} answers", served.connection.upstream));
        self.encryption(served, &wire, told);
        drop(wire);
        let outlet = HttpOutlet::new(served.target.clone(), settings.clone(), Arc::clone(&side.injector));
        let event = || GatewayEvent::Probed { who: who.clone(), connection: served.facts.name.clone() };
        let recorder = self.environment().recorder.clone();
        if let Some(order) = outlet.needs_credential().await {
            let asked = match recorder.own(&event(), OwnPurpose::Probe, order).await {
                Ok(order) => outlet.authenticate(order).await.map_err(|error| chain(&error)),
                Err(error) => Err(error.to_string()),
            };
            if let Err(why) = asked {
                return told.failed("credential", why, "check token_url, client_id and secret in connections.toml");
            }
        }
        let answer = match recorder.own(&event(), OwnPurpose::Probe, ()).await {
            Ok(order) => outlet.probe(order).await.map_err(|error| chain(&error)),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(status) if status == http::StatusCode::UNAUTHORIZED || status == http::StatusCode::FORBIDDEN => {
                let next = "is the secret that of this upstream, and still good? Rotate it: hoop secrets rotate NAME";
                told.warning("credential", format!("the upstream answers {status} to HEAD"), next);
            }
            Ok(status) => told.good("credential", format!("the upstream answers {status} to HEAD")),
            Err(why) => told.failed("credential", why, "check [connection.credential] in connections.toml"),
        }
    }

    fn encryption(&self, served: &Served, wire: &Wire, told: &mut Told) {
        match (wire.tls_facts(), &served.connection.tls) {
            (None, _) if served.connection.upstream.is_loopback() => {
                let where_it_is = if served.target.via.is_some() {
                    "none, on the machine before it"
                } else {
                    "none, on this machine"
                };
                told.good("tls", where_it_is.to_owned());
            }
            (None, _) => {
                let next = "set `mode = \"verify-full\"` in [connection.tls]";
                told.warning("tls", "the connection is not encrypted".to_owned(), next);
            }
            (Some(facts), UpstreamTls::Require | UpstreamTls::Disable) => {
                let next = "set `mode = \"verify-full\"`, with ca_file where the authority is your own";
                told.warning("tls", format!("{}; nobody checks whose certificate it is", self.shown(&facts)), next);
            }
            (Some(facts), UpstreamTls::VerifyFull { .. }) => {
                let left = facts.not_after.map(|end| end.saturating_sub(self.environment().clock.unix_seconds()));
                let soon = i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX);
                let detail = format!("{}, verified", self.shown(&facts));
                if left.is_some_and(|left| left < soon) {
                    told.warning("tls", detail, "renew the server's certificate");
                } else {
                    told.good("tls", detail);
                }
            }
        }
    }

    fn shown(&self, facts: &TlsFacts) -> String {
        let left = facts.not_after.map(|end| end.saturating_sub(self.environment().clock.unix_seconds()) / 86_400);
        let ends = left.map_or_else(String::new, |days| format!(", the certificate ends in {days} days"));
        format!("{}{ends}", facts.protocol)
    }
}

/// What no policy can bound, and what reaches around tables.
fn privileges(served: &Served, found: &Privileges, told: &mut Told) {
    const CHECK: &str = "privileges";
    const PLAIN: &str = "give the connection a role that only has the rights its sessions need";
    let before = told.0.len();
    if found.attributes.contains(&"SUPERUSER") {
        let detail = format!("{} is a superuser, or may become one: no policy bounds it", found.role);
        if served.connection.allow_superuser {
            told.warning(CHECK, detail, PLAIN);
        } else {
            told.failed(CHECK, detail, "give the connection a plain role, or set `allow_superuser = true`");
        }
        return;
    }
    if !found.attributes.is_empty() {
        told.warning(CHECK, format!("{} has {}", found.role, found.attributes.join(", ")), PLAIN);
    }
    if !found.powers.is_empty() {
        told.warning(CHECK, format!("{} is a member of {}", found.role, found.powers.join(", ")), PLAIN);
    }
    if found.owned > 0 {
        let detail =
            format!("{} owns {} tables and views: it may drop them, and grant them on", found.role, found.owned);
        told.warning(CHECK, detail, "let another role own them, and grant what sessions need");
    }
    if found.makes_schemas {
        told.warning(
            CHECK,
            format!("{} may make schemas in the database", found.role),
            "revoke create on the database",
        );
    }
    if told.0.len() == before {
        told.good(CHECK, format!("{} is a plain role and owns nothing", found.role));
    }
}

fn kind_of(credential: &Credential) -> &'static str {
    match credential {
        Credential::Password { .. } => "password",
        Credential::Trust { .. } => "trust",
        Credential::EphemeralRole(role) if role.per == LeasePer::Approval => "ephemeral-role, per approval",
        Credential::EphemeralRole(_) => "ephemeral-role",
        Credential::VaultRole { .. } => "vault-role",
        Credential::Ssh(SshCredential::Key { .. }) => "key",
        Credential::Ssh(SshCredential::Certificate { .. }) => "ssh-certificate",
        Credential::Http(HttpCredential::None) => "none",
        Credential::Http(HttpCredential::Header { .. }) => "header",
        Credential::Http(HttpCredential::Basic { .. }) => "basic",
        Credential::Http(HttpCredential::OAuth2Client { .. }) => "oauth2-client",
        Credential::Http(HttpCredential::OAuth2Exchange(_)) => "oauth2-exchange",
        Credential::Http(HttpCredential::AwsSigV4 { .. }) => "aws-sigv4",
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
