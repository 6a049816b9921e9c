//! The opening of a session, pure: which start-up parameters go on, and the login towards the upstream.
//!
//! Owns the allow-list of settings and the authentication exchange over `postgres-protocol`'s primitives. Does no IO:
//! `session` moves the bytes. Fails closed: an unlisted parameter or authentication method ends the session.

use bytes::{Bytes, BytesMut};
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::frontend,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::message::{CancelKey, Frame, Start, Text};
use crate::model::ConnectionFacts;

/// Settings a client may choose at start-up. Everything else could change what a statement means.
const ALLOWED: &[&str] = &[
    "application_name",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "geqo",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "jit",
    "lock_timeout",
    "options",
    "search_path",
    "standard_conforming_strings",
    "statement_timeout",
    "timezone",
];

/// Why a session is not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A parameter is not on the list.
    #[error("the start-up parameter `{0}` is not allowed through the gateway")]
    Parameter(String),
    /// `options` holds something other than `-c name=value` or `--name=value`.
    #[error("`options` may hold only `-c name=value` settings, and this is not one: `{0}`")]
    Options(String),
    /// Only UTF-8 can be inspected.
    #[error("client_encoding must be UTF8, not `{0}`")]
    Encoding(String),
    /// Off changes how literals are read.
    #[error("standard_conforming_strings must stay on")]
    Strings,
    /// A value that says neither yes nor no.
    #[error("invalid value for parameter \"replication\": \"{0}\"")]
    Replication(String),
    /// A connection reaches one database.
    #[error("this connection reaches the database `{0}` only")]
    Database(String),
    /// A value holds what no server could have sent on.
    #[error("the start-up parameter `{0}` holds a NUL")]
    Malformed(String),
}

impl StartError {
    /// The SQLSTATE a client sees.
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::Database(_) => "3D000",
            Self::Encoding(_) | Self::Strings | Self::Replication(_) => "22023",
            Self::Parameter(_) | Self::Options(_) | Self::Malformed(_) => "42501",
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Parameter(_) | Self::Options(_) => {
                "Remove it from the connection string, PGOPTIONS or the pool's settings."
            }
            Self::Encoding(_) => "Unset PGCLIENTENCODING, or set it to UTF8.",
            Self::Strings => "Remove standard_conforming_strings from the connection string or PGOPTIONS.",
            Self::Replication(_) => "Valid values are: \"false\", 0, \"true\", 1, \"database\".",
            Self::Database(_) => "Name that database, or connect to another connection: `hoop ls` lists them.",
            Self::Malformed(_) => "Remove the NUL.",
        }
    }
}

/// Whether a session is one of replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// It is an ordinary one.
    No,
    /// Of the whole server: it takes commands only.
    Physical,
    /// Of one database: it takes commands, and SQL in simple queries.
    Database,
}

impl Replication {
    /// SPEC: `ProcessStartupPacket`: `database`, or a boolean as `parse_bool` reads it.
    fn of(value: &str) -> Result<Self, StartError> {
        if value == "database" {
            return Ok(Self::Database);
        }
        match value.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Ok(Self::Physical),
            "false" | "off" | "no" | "0" => Ok(Self::No),
            _ => Err(StartError::Replication(value.chars().take(64).collect())),
        }
    }

    const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Physical => Some("true"),
            Self::Database => Some("database"),
        }
    }
}

/// What goes on to the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartPlan {
    /// The parameters of the upstream's StartupMessage: the gateway's login, the site's database, allowed settings.
    pub parameters: Vec<(Text, Text)>,
    /// What the client calls itself.
    pub application_name: Option<String>,
    /// Whether it is to be one of replication, which a policy must permit.
    pub replication: Replication,
}

impl StartPlan {
    /// Has the server call this session by another name than the client gave: in its log, in `pg_stat_activity`.
    pub fn call_it(&mut self, name: &Text) {
        const SETTING: &str = "application_name";
        self.parameters.retain(|(setting, _)| setting.as_str() != SETTING);
        if let Some(setting) = Text::copied(SETTING) {
            self.parameters.push((setting, name.clone()));
        }
    }
}

impl StartPlan {
    /// Has the session log in with this name; `None` where it cannot be one.
    pub fn log_in_as(&self, name: &str) -> Option<Self> {
        let name = Text::copied(name)?;
        let mut plan = self.clone();
        let user = plan.parameters.iter_mut().find(|(parameter, _)| parameter.as_str() == "user")?;
        user.1 = name;
        Some(plan)
    }
}

/// Decides which start-up parameters go on. The client's `user` is never sent: the gateway's own login is.
pub fn plan(start: &Start, facts: &ConnectionFacts, role: &str) -> Result<StartPlan, StartError> {
    let mut settings: Vec<(String, String)> = Vec::new();
    let user = start.parameter("user").unwrap_or_default();
    let replication = start.parameter("replication").map_or(Ok(Replication::No), Replication::of)?;
    // SPEC: clients of physical replication name this one, and the server takes no notice of it.
    let is_no_database = |name: &str| replication == Replication::Physical && name == "replication";
    for (name, value) in &start.parameters {
        let (name, value) = (name.as_str(), value.as_str());
        match name.to_ascii_lowercase().as_str() {
            "user" => {}
            "database" if is_no_database(value) => {}
            "database" if value == facts.database || value == facts.name.as_str() || value == user => {}
            "database" => return Err(StartError::Database(facts.database.clone())),
            "replication" if name == "replication" => {}
            "options" => {
                for (name, value) in parse_options(value)? {
                    admit(&name, &value, &mut settings)?;
                }
            }
            _ => admit(name, value, &mut settings)?,
        }
    }
    let application_name = settings.iter().find(|(name, _)| name == "application_name").map(|(_, value)| value.clone());
    let fixed = [("user", role), ("database", facts.database.as_str())];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let utf8 = [("client_encoding".to_owned(), "UTF8".to_owned())];
    let asked = replication.parameter().map(|value| ("replication".to_owned(), value.to_owned()));
    let parameters = fixed
        .chain(asked)
        .chain(settings.into_iter().filter(|(name, _)| name != "client_encoding"))
        .chain(utf8)
        .map(|(name, value)| {
            let malformed = || StartError::Malformed(name.clone());
            Ok((Text::copied(&name).ok_or_else(malformed)?, Text::copied(&value).ok_or_else(malformed)?))
        })
        .collect::<Result<_, StartError>>()?;
    Ok(StartPlan { parameters, application_name, replication })
}

fn admit(name: &str, value: &str, settings: &mut Vec<(String, String)>) -> Result<(), StartError> {
    let name = name.to_ascii_lowercase();
    if name == AUTHENTICATION {
        // Said to the gateway, which has heard it.
        return Ok(());
    }
    if name == "options" || !ALLOWED.contains(&name.as_str()) {
        return Err(StartError::Parameter(name.chars().take(64).collect()));
    }
    if name == "client_encoding"
        && !matches!(value.to_ascii_lowercase().replace(['-', '\''], "").as_str(), "utf8" | "auto" | "unicode")
    {
        return Err(StartError::Encoding(value.chars().take(64).collect()));
    }
    if name == "standard_conforming_strings"
        && !matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "1" | "yes")
    {
        return Err(StartError::Strings);
    }
    settings.push((name, value.to_owned()));
    Ok(())
}

/// The setting by which a native client says what it will show: `token` or `jwt`.
pub const AUTHENTICATION: &str = "hoop.auth";

/// What a client says that it will show, in `options` as `-c hoop.auth=…` or as a parameter of its own.
pub fn wanted_authentication(start: &Start) -> Option<String> {
    let in_options = || {
        let settings = parse_options(start.parameter("options")?).ok()?;
        settings.into_iter().find_map(|(name, value)| name.eq_ignore_ascii_case(AUTHENTICATION).then_some(value))
    };
    start.parameter(AUTHENTICATION).map(str::to_owned).or_else(in_options)
}

/// Splits `options` as the server does (`pg_split_opts`: white space separates, a backslash escapes).
/// SPEC: PostgreSQL, postgres.c `process_postgres_switches`: `-c name=value` and `--name=value`.
fn parse_options(options: &str) -> Result<Vec<(String, String)>, StartError> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            space if space.is_ascii_whitespace() => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    let mut settings = Vec::new();
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next().unwrap_or_default(),
            Some(setting) => setting.to_owned(),
            None => return Err(StartError::Options(word.chars().take(64).collect())),
        };
        let Some((name, value)) = setting.split_once('=') else {
            return Err(StartError::Options(setting.chars().take(64).collect()));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// The setting that a ParameterStatus brings to a value under which text would be read in another way than it was
/// inspected; `None` for every other.
pub fn misread_setting(parameter_status: &[u8]) -> Option<&'static str> {
    let mut parts = parameter_status.split(|byte| *byte == 0);
    match (parts.next(), parts.next()) {
        (Some(b"client_encoding"), Some(value)) if value != b"UTF8" => Some("client_encoding"),
        (Some(b"standard_conforming_strings"), Some(value)) if value != b"on" => Some("standard_conforming_strings"),
        _ => None,
    }
}

/// Why the upstream did not let the gateway in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// A method that is not offered here.
    #[error("the upstream wants an authentication method that the gateway does not speak (code {0})")]
    Method(i32),
    /// The server asks for a password and the site has none.
    #[error("the upstream wants a password and the site gives none for this connection")]
    NoPassword,
    /// The SCRAM exchange failed: a wrong password, or a server that does not know it.
    #[error("the upstream failed the SCRAM exchange")]
    Scram,
    /// The server refused the gateway's login.
    #[error("the upstream refused the gateway's login (SQLSTATE {0})")]
    Refused(String),
    /// A setting under which text is read in another way, from the role's or the database's defaults.
    #[error("the upstream's {0} is one under which statements cannot be inspected")]
    Setting(&'static str),
    /// A message that has no place in a login.
    #[error("the upstream sent an unexpected message during login")]
    Unexpected,
}

/// What to do after a message of the upstream.
#[derive(Debug)]
pub enum LoginStep {
    /// Send this.
    Send(Bytes),
    /// Read on.
    Wait,
    /// A setting that the client wants to know.
    Parameter(Frame),
    /// The key that cancels what this backend runs.
    Key(u32, CancelKey),
    /// Logged in and idle.
    Ready,
}

/// The gateway's login to an upstream: trust, cleartext, md5 or SCRAM-SHA-256.
pub struct Login {
    username: String,
    password: Option<SecretString>,
    scram: Option<ScramSha256>,
    authenticated: bool,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Login {
    /// A login as `username`, with the site's password where it has one.
    pub fn new(username: String, password: Option<SecretString>) -> Self {
        Self { username, password, scram: None, authenticated: false }
    }

    /// Takes one message of the upstream.
    pub fn step(&mut self, frame: &Frame) -> Result<LoginStep, LoginError> {
        match frame.tag {
            b'R' => self.authenticate(&frame.body),
            b'S' => match misread_setting(&frame.body) {
                Some(setting) => Err(LoginError::Setting(setting)),
                None => Ok(LoginStep::Parameter(frame.clone())),
            },
            b'N' => Ok(LoginStep::Wait),
            b'K' => {
                let (process_id, rest) = split_u32(&frame.body).ok_or(LoginError::Unexpected)?;
                let key = CancelKey::new(Bytes::copy_from_slice(rest)).ok_or(LoginError::Unexpected)?;
                Ok(LoginStep::Key(process_id, key))
            }
            b'Z' if self.authenticated => Ok(LoginStep::Ready),
            b'E' => Err(LoginError::Refused(sqlstate(&frame.body))),
            _ => Err(LoginError::Unexpected),
        }
    }

    /// SPEC: PostgreSQL 55.7, Authentication*: 0 ok, 3 cleartext, 5 md5, 10 SASL, 11 continue, 12 final.
    fn authenticate(&mut self, body: &[u8]) -> Result<LoginStep, LoginError> {
        let (code, rest) = split_u32(body).ok_or(LoginError::Unexpected)?;
        match code {
            0 if self.scram.is_none() => {
                self.authenticated = true;
                Ok(LoginStep::Wait)
            }
            3 => {
                let password = self.secret()?.expose_secret().as_bytes().to_vec();
                Ok(LoginStep::Send(password_message(&password)?))
            }
            5 => {
                let salt: [u8; 4] = rest.try_into().map_err(|_short| LoginError::Unexpected)?;
                let hash = md5_hash(self.username.as_bytes(), self.secret()?.expose_secret().as_bytes(), salt);
                Ok(LoginStep::Send(password_message(hash.as_bytes())?))
            }
            10 if offers_scram(rest) => {
                let secret = self.secret()?.expose_secret().as_bytes().to_vec();
                let scram = ScramSha256::new(&secret, ChannelBinding::unsupported());
                let mut out = BytesMut::new();
                frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out)
                    .map_err(|_malformed| LoginError::Scram)?;
                self.scram = Some(scram);
                Ok(LoginStep::Send(out.freeze()))
            }
            11 => {
                let scram = self.scram.as_mut().ok_or(LoginError::Unexpected)?;
                scram.update(rest).map_err(|_failed| LoginError::Scram)?;
                let mut out = BytesMut::new();
                frontend::sasl_response(scram.message(), &mut out).map_err(|_malformed| LoginError::Scram)?;
                Ok(LoginStep::Send(out.freeze()))
            }
            12 => {
                let mut scram = self.scram.take().ok_or(LoginError::Unexpected)?;
                scram.finish(rest).map_err(|_failed| LoginError::Scram)?;
                Ok(LoginStep::Wait)
            }
            other => Err(LoginError::Method(i32::try_from(other).unwrap_or(i32::MAX))),
        }
    }

    fn secret(&self) -> Result<&SecretString, LoginError> {
        self.password.as_ref().ok_or(LoginError::NoPassword)
    }
}

fn password_message(password: &[u8]) -> Result<Bytes, LoginError> {
    let mut out = BytesMut::new();
    frontend::password_message(password, &mut out).map_err(|_nul| LoginError::NoPassword)?;
    Ok(out.freeze())
}

fn offers_scram(mechanisms: &[u8]) -> bool {
    mechanisms.split(|byte| *byte == 0).any(|mechanism| mechanism == SCRAM_SHA_256.as_bytes())
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*head), rest))
}

fn sqlstate(body: &[u8]) -> String {
    let field = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"));
    field.map(|code| String::from_utf8_lossy(code).chars().take(5).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
