//! `[[connection]]` of the kind `ssh`: which host is believed, how the gateway logs in, which variables may travel.
//!
//! Knows no session. Called by `connection`.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
    time::Duration,
};

use russh::keys::PublicKey;

use super::{
    Connection, Credential, NativeAuthentication, NativeListen, SecretReference, UpstreamTls,
    connection::{address, environment, listening},
    reader::Table,
};
use crate::{
    model::{ConnectionKind, ConnectionName},
    protocol::ssh::forward::ForwardTarget,
};

/// Whom the gateway takes for the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostTrust {
    /// Whoever proves to hold one of these keys.
    Keys(Vec<PublicKey>),
    /// Whoever shows a host certificate of this authority, for the upstream's name.
    Authority(PublicKey),
}

/// What a connection over SSH has besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSettings {
    /// Whom the gateway takes for the host.
    pub trust: HostTrust,
    /// Variables that a client may set for what it runs; the others are refused, as `AcceptEnv` of a server does.
    pub accept_env: Vec<String>,
    /// A session ends when so long nothing went either way on any of its channels.
    pub idle_limit: Duration,
    /// A session ends after so long, whatever goes on.
    pub session_limit: Duration,
    /// Where a way through the machine is served by another connection of the site, with its own inspection.
    pub ways: BTreeMap<ForwardTarget, ConnectionName>,
    /// Who reads command lines there.
    pub shell: LoginShell,
    /// What becomes of terminals and downloads where values are masked, and of the lines of shells.
    pub watching: Watching,
}

/// The account's login shell, which decides what a command line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginShell {
    /// The machine is asked before the first command. One that does not read as sh does makes every command unknown.
    Asked,
    /// The site vouches for it that lines are read as sh reads them.
    Posix,
}

/// What is done with what cannot be decided or masked exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watching {
    /// Terminals, for whom values are masked.
    pub terminal: MaskedTerminal,
    /// Files that are read, by whom values are masked for.
    pub downloads: MaskedDownloads,
    /// The lines of interactive shells.
    pub lines: ShellLines,
}

/// A terminal shows letters as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskedTerminal {
    /// There is none where values are masked.
    Refused,
    /// It is masked as far as that can be done while somebody watches.
    Masked,
}

/// A file cannot be masked without breaking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskedDownloads {
    /// None is read where values are masked.
    Refused,
    /// It is searched as it streams, and ends at the first value.
    Scanned,
}

/// Lines that are typed into a shell are read from its screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellLines {
    /// Each is decided as a command is.
    Decided,
    /// The permit of the shell is all there is.
    Passed,
}

/// How the gateway logs in to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshCredential {
    /// A private key of the gateway.
    Key {
        /// The account.
        username: String,
        /// Where the key is, in OpenSSH's own format.
        secret: SecretReference,
    },
    /// A certificate of the gateway's own authority, made for each login, for minutes.
    Certificate {
        /// The account, and the only principal of the certificate.
        username: String,
    },
}

impl SshCredential {
    /// The account.
    pub fn username(&self) -> &str {
        match self {
            Self::Key { username, .. } | Self::Certificate { username } => username,
        }
    }
}

const HOST_KEY: &str = "host_key = \"ssh-ed25519 AAAA…\"";
const MOST_VARIABLES: usize = 64;
/// Two hours, and a day.
const IDLE_SECONDS: u64 = 2 * 60 * 60;
const SESSION_SECONDS: u64 = 24 * 60 * 60;
const MOST_SECONDS: u64 = 30 * 24 * 60 * 60;

/// Reads a connection of kind `ssh`.
pub(super) fn connection(table: &mut Table<'_>, root: &Path, name: Option<ConnectionName>) -> Option<Connection> {
    let upstream = address(table, "upstream = \"bastion.internal:22\"");
    let labels = table.map("labels").unwrap_or_default();
    let environment = environment(table);
    let trust = trust(table);
    let accept_env = variables(table);
    let idle_limit = limit(table, "idle_seconds", IDLE_SECONDS);
    let session_limit = limit(table, "session_seconds", SESSION_SECONDS);
    let shell = choice(table, "shell", ["asked", "posix"]);
    let watching = watching(table);
    let ways = ways(table, name.as_ref());
    let listen = table.text("listen");
    let native = listening(table, listen, "listen = \"0.0.0.0:2222\"");
    let native = native.map(|address| NativeListen { address, authentication: NativeAuthentication::default() });
    let credential = if let Some(mut credential) = table.table("credential") {
        let login = login(&mut credential, root);
        credential.finish();
        login
    } else {
        table.missing("credential", "[connection.credential] with type, username and secret");
        None
    };
    let upstream = upstream?;
    Some(Connection {
        name: name?,
        kind: ConnectionKind::Ssh,
        database: upstream.host.clone(),
        upstream,
        via: None,
        labels,
        tls: UpstreamTls::Disable,
        credential: credential?,
        allow_superuser: true,
        pool: None,
        native,
        http: None,
        ssh: Some(SshSettings {
            trust: trust?,
            accept_env,
            idle_limit,
            session_limit,
            ways,
            shell: if shell? { LoginShell::Posix } else { LoginShell::Asked },
            watching: watching?,
        }),
        application_name: super::ApplicationName::default(),
        statement_comment: false,
        environment,
    })
}

/// Nobody is believed by default: a site says whose key the host has, or who vouches for it.
fn trust(table: &mut Table<'_>) -> Option<HostTrust> {
    let keys = table.text_or_texts("host_key");
    let authority = table.text("host_ca");
    match (keys, authority) {
        (Some(keys), None) => {
            let mut read = Vec::new();
            for key in keys {
                read.push(public_key(table, "host_key", key)?);
            }
            Some(HostTrust::Keys(read))
        }
        (None, Some(authority)) => public_key(table, "host_ca", authority).map(HostTrust::Authority),
        (Some(_), Some(authority)) => {
            let fix = "keep `host_ca`, or pin `host_key`";
            table.problem(&authority.span(), "a host is believed by its key or by its authority, not by both", fix);
            None
        }
        (None, None) => {
            table.missing("host_key", "host_key = \"ssh-ed25519 AAAA…\" (ssh-keyscan HOST shows it), or host_ca");
            None
        }
    }
}

/// Every way of every machine: through which connection, where to, served by which.
pub(super) fn ways_of(
    connections: &[Connection],
) -> impl Iterator<Item = (&ConnectionName, &ForwardTarget, &ConnectionName)> {
    let ssh = connections.iter().filter_map(|one| Some((&one.name, one.ssh.as_ref()?)));
    ssh.flat_map(|(name, ssh)| ssh.ways.iter().map(move |(to, served_by)| (name, to, served_by)))
}

fn public_key(table: &Table<'_>, key: &'static str, text: toml::Spanned<String>) -> Option<PublicKey> {
    table.parsed(key, Some(text), HOST_KEY, |text| {
        PublicKey::from_openssh(text).map_err(|_unreadable| "this is no public key in OpenSSH's format")
    })
}

/// Names of a machine may mean other hosts than the gateway's: a site says which way leads to which connection.
fn ways(table: &mut Table<'_>, own: Option<&ConnectionName>) -> BTreeMap<ForwardTarget, ConnectionName> {
    const EXAMPLE: &str = "[connection.ways] with \"db1.internal:5432\" = \"pg-prod\"";
    let mut ways = BTreeMap::new();
    for (written, name) in table.map("ways").unwrap_or_default() {
        let Some(target) = ForwardTarget::parse(&written) else {
            let message = format!("connection.ways: `{written}` is no host with its port, and no path of a socket");
            table.problem(table.span(), message, EXAMPLE);
            continue;
        };
        match name.parse::<ConnectionName>() {
            Ok(name) if Some(&name) == own => {
                let message = format!("connection.ways: `{written}` leads to the connection that it goes through");
                table.problem(table.span(), message, "name another connection");
            }
            Ok(name) => match ways.entry(target) {
                Entry::Vacant(place) => drop(place.insert(name)),
                Entry::Occupied(place) => {
                    let message = format!("connection.ways: `{}` is written twice", place.key());
                    table.problem(table.span(), message, "keep one of them");
                }
            },
            Err(error) => {
                let message = format!("connection.ways.{written} = `{name}`: {error}");
                table.problem(table.span(), message, EXAMPLE);
            }
        }
    }
    ways
}

/// Without a word of the site, what cannot be exact is refused, and lines are decided.
fn watching(table: &mut Table<'_>) -> Option<Watching> {
    let terminal = choice(table, "terminal", ["refused", "masked"])?;
    let downloads = choice(table, "downloads", ["refused", "scanned"])?;
    let lines = choice(table, "lines", ["decided", "passed"])?;
    Some(Watching {
        terminal: if terminal { MaskedTerminal::Masked } else { MaskedTerminal::Refused },
        downloads: if downloads { MaskedDownloads::Scanned } else { MaskedDownloads::Refused },
        lines: if lines { ShellLines::Passed } else { ShellLines::Decided },
    })
}

/// Whether the second of two words is written; the first one is meant where none is.
fn choice(table: &mut Table<'_>, key: &'static str, [first, second]: [&'static str; 2]) -> Option<bool> {
    let Some(word) = table.text(key) else { return Some(false) };
    if word.get_ref() == first || word.get_ref() == second {
        return Some(word.get_ref() == second);
    }
    let message = format!("connection.{key}: this is `{first}` or `{second}`");
    table.problem(&word.span(), message, format!("{key} = \"{second}\""));
    None
}

fn variables(table: &mut Table<'_>) -> Vec<String> {
    let given = table.texts("accept_env").unwrap_or_default();
    let plain = |name: &str| {
        !name.is_empty()
            && name.len() <= 128
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !["LD_", "DYLD_", "BASH_"].iter().any(|prefix| name.starts_with(prefix))
            && !["PATH", "IFS", "ENV", "SHELL", "PS4", "PROMPT_COMMAND", "SHELLOPTS", "BASHOPTS"].contains(&name)
    };
    for name in given.iter().filter(|name| !plain(name.get_ref())) {
        let message = format!("connection.accept_env: `{}` changes which code runs, or is no name", name.get_ref());
        table.problem(&name.span(), message, "accept_env = [\"LANG\", \"LC_ALL\"]");
    }
    if let Some(last) = given.get(MOST_VARIABLES) {
        table.problem(&last.span(), format!("more than {MOST_VARIABLES} variables"), "name those that are needed");
    }
    given.into_iter().map(toml::Spanned::into_inner).collect()
}

fn limit(table: &mut Table<'_>, key: &'static str, usual: u64) -> Duration {
    let given = table.number(key);
    let fits = given.as_ref().filter(|given| (1..=MOST_SECONDS).contains(given.get_ref()));
    if let (Some(given), None) = (&given, fits) {
        table.problem(&given.span(), format!("connection.{key} is out of range"), format!("1 to {MOST_SECONDS}"));
    }
    Duration::from_secs(fits.map_or(usual, |given| *given.get_ref()))
}

fn login(table: &mut Table<'_>, root: &Path) -> Option<Credential> {
    const SECRET: &str = "secret = \"file:/etc/hoop/bastion.key\"";
    let username = table.required("username", "username = \"deploy\"");
    let username = table.parsed("username", username, "username = \"deploy\"", |name| {
        let plain = !name.is_empty() && name.len() <= 64 && !name.chars().any(char::is_control);
        if plain { Ok(name.to_owned()) } else { Err("an account has 1 to 64 plain letters") }
    });
    let kind = table.required("type", "type = \"key\"")?;
    let secret = |table: &mut Table<'_>| {
        let text = table.required("secret", SECRET)?;
        SecretReference::parse(text.get_ref(), root)
            .inspect_err(|error| {
                let fix = format!("put it in a variable or a file, and write `{SECRET}`");
                table.problem(&text.span(), format!("connection.credential.secret: {error}"), fix);
            })
            .ok()
    };
    match kind.get_ref().as_str() {
        "key" => {
            let secret = secret(table)?;
            Some(Credential::Ssh(SshCredential::Key { username: username?, secret }))
        }
        "password" => {
            let secret = secret(table)?;
            Some(Credential::Password { username: username?, secret })
        }
        "ssh-certificate" => Some(Credential::Ssh(SshCredential::Certificate { username: username? })),
        _ => {
            let _secret = table.text("secret");
            let fix = "write type = \"key\", \"password\" or \"ssh-certificate\"";
            table.problem(&kind.span(), "this type of credential is not built for ssh", fix);
            None
        }
    }
}
