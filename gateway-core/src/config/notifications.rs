//! `[notifications]` of gateway.toml: who is told of requests for approval, and where.
//!
//! Addresses that are secrets, keys and passwords are references. Called by `gateway`; resolved when the gateway starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use lettre::Address;
use url::Url;

use super::{SecretReference, UpstreamAddress, reader::Table};
use crate::{
    model::GroupName,
    notify::{EventKind, Filter},
};

/// Who is told, and how often it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationsConfig {
    /// The wait after the first failed attempt.
    pub retry_base: Duration,
    /// How many failed attempts there may be.
    pub attempts: u32,
    /// Webhooks, signed by the Standard Webhooks scheme.
    pub webhooks: Vec<WebhookConfig>,
    /// Slack-compatible incoming webhooks.
    pub chats: Vec<ChatConfig>,
    /// Mail.
    pub email: Option<EmailConfig>,
}

/// One `[[notifications.webhook]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Its name in lists and logs.
    pub name: String,
    /// Where it is: https, or http on this machine.
    pub url: Url,
    /// Where its key is.
    pub secret: SecretReference,
    /// What it gets.
    pub filter: Filter,
}

/// One `[[notifications.slack]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatConfig {
    /// Its name in lists and logs.
    pub name: String,
    /// Where its address is, which is its secret.
    pub url: SecretReference,
    /// What it gets.
    pub filter: Filter,
}

/// How mail is protected on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, or nothing is sent.
    StartTls,
    /// None; this machine only.
    Disable,
}

/// `[notifications.email]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailConfig {
    /// The mail server.
    pub server: UpstreamAddress,
    /// Encryption.
    pub tls: MailTls,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The login there, and where its password is.
    pub login: Option<(String, SecretReference)>,
    /// The sender.
    pub from: Address,
    /// Who gets everything.
    pub to: BTreeSet<String>,
    /// Who gets what asks their group.
    pub groups: BTreeMap<GroupName, BTreeSet<String>>,
    /// Which events are mailed.
    pub filter: Filter,
}

const DEFAULT_RETRY_BASE: Duration = Duration::from_secs(5);
const DEFAULT_ATTEMPTS: u32 = 12;
const MAX_RETRY_BASE_MILLIS: u64 = 3_600_000;
const MAX_ATTEMPTS: u64 = 50;
/// The most receivers of one kind.
const MAX_RECEIVERS: usize = 50;

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self {
            retry_base: DEFAULT_RETRY_BASE,
            attempts: DEFAULT_ATTEMPTS,
            webhooks: Vec::new(),
            chats: Vec::new(),
            email: None,
        }
    }
}

/// Reads `[notifications]`; what is wrong is told with its place.
pub(super) fn read(table: &mut Table<'_>, root: &Path) -> NotificationsConfig {
    let retry_base = bounded(table, "retry_base_millis", 1..=MAX_RETRY_BASE_MILLIS).map(Duration::from_millis);
    let attempts = bounded(table, "attempts", 1..=MAX_ATTEMPTS).and_then(|count| u32::try_from(count).ok());
    let mut names = BTreeSet::new();
    let webhooks = receivers(table, "webhook", &mut names, |table, name| webhook(table, name, root));
    let chats = receivers(table, "slack", &mut names, |table, name| chat(table, name, root));
    let email = table.table("email").and_then(|mut table| {
        let email = email(&mut table, root);
        table.finish();
        email
    });
    NotificationsConfig {
        retry_base: retry_base.unwrap_or(DEFAULT_RETRY_BASE),
        attempts: attempts.unwrap_or(DEFAULT_ATTEMPTS),
        webhooks,
        chats,
        email,
    }
}

fn bounded(table: &mut Table<'_>, key: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let number = table.number(key)?;
    if !range.contains(number.get_ref()) {
        let fix = format!("write {} to {}", range.start(), range.end());
        table.problem(&number.span(), format!("notifications.{key} is out of bounds"), fix);
    }
    Some(*number.get_ref())
}

/// Every receiver has a name of its own: deliveries that wait are found again by it after a restart.
fn receivers<T>(
    table: &mut Table<'_>,
    key: &'static str,
    names: &mut BTreeSet<String>,
    mut read: impl FnMut(&mut Table<'_>, String) -> Option<T>,
) -> Vec<T> {
    let tables = table.tables(key);
    if tables.len() > MAX_RECEIVERS {
        table.problem(table.span(), format!("more than {MAX_RECEIVERS} of notifications.{key}"), "remove some");
    }
    let one = |(number, mut table): (usize, Table<'_>)| {
        let name = table.text("name");
        let given = table.parsed("name", name, "name = \"ops\"", receiver_name);
        let name = given.unwrap_or_else(|| format!("{key}-{number}"));
        if name == EMAIL || !names.insert(name.clone()) {
            table.problem(table.span(), format!("a second receiver is named `{name}`"), "give it another name");
        }
        let value = read(&mut table, name);
        table.finish();
        value
    };
    (1..).zip(tables).filter_map(one).collect()
}

/// The name of the mail server among receivers.
pub(crate) const EMAIL: &str = "email";

fn receiver_name(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain && (1..=64).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("use letters, digits, `-`, `_`, `.`")
    }
}

fn webhook(table: &mut Table<'_>, name: String, root: &Path) -> Option<WebhookConfig> {
    const URL: &str = "url = \"https://ops.example.com/hoop\"";
    const SECRET: &str = "secret = \"env:HOOP_WEBHOOK_SECRET\"";
    let url = table.required("url", URL);
    let url = url.and_then(|text| {
        // The address is not repeated: it may hold a login or a token.
        let read = Url::parse(text.get_ref()).ok().filter(crate::notify::is_safe);
        if read.is_none() {
            table.problem(
                &text.span(),
                "notifications.webhook.url is no https URL (http is for this machine only), or holds a login",
                format!("write it as `{URL}`"),
            );
        }
        read
    });
    let secret = secret(table, "secret", SECRET, root);
    let filter = filter(table);
    Some(WebhookConfig { name, url: url?, secret: secret?, filter })
}

fn chat(table: &mut Table<'_>, name: String, root: &Path) -> Option<ChatConfig> {
    let url = secret(table, "url", "url = \"env:HOOP_SLACK_URL\"", root);
    let filter = filter(table);
    Some(ChatConfig { name, url: url?, filter })
}

fn email(table: &mut Table<'_>, root: &Path) -> Option<EmailConfig> {
    const SERVER: &str = "server = \"smtp.example.com:587\"";
    const FROM: &str = "from = \"hoop@example.com\"";
    let server = table.required("server", SERVER);
    let server = server.and_then(|text| {
        let shows = |error: &_| unshown(table, &text.span(), "server", error, SERVER);
        text.get_ref().parse::<UpstreamAddress>().inspect_err(shows).ok()
    });
    let tls = table.text("tls");
    let tls_place = tls.as_ref().map(toml::Spanned::span);
    let tls = table.parsed("tls", tls, "tls = \"starttls\"", |word| match word {
        "starttls" => Ok(MailTls::StartTls),
        "tls" => Ok(MailTls::Tls),
        "none" => Ok(MailTls::Disable),
        _ => Err("use starttls, tls or none"),
    });
    let tls = tls.unwrap_or(MailTls::StartTls);
    if let (MailTls::Disable, Some(server), Some(place)) = (tls, &server, tls_place)
        && !server.is_loopback()
    {
        table.problem(&place, "mail leaves this machine without TLS", "write `tls = \"starttls\"` or `tls = \"tls\"`");
    }
    let ca_file = table.text("ca_file").map(|path| root.join(path.get_ref()));
    let username = table.text("username").map(toml::Spanned::into_inner);
    let login = username.and_then(|username| {
        secret(table, "secret", "secret = \"env:HOOP_SMTP_PASSWORD\"", root).map(|secret| (username, secret))
    });
    let from = table.required("from", FROM);
    let from = table.parsed("from", from, FROM, Address::from_str);
    let to = addresses(table);
    let mut groups = BTreeMap::new();
    for mut group in table.tables("group") {
        let name = group.required("name", "name = \"dba\"");
        let name = group.parsed("name", name, "name = \"dba\"", |name| GroupName::new(name));
        let to = addresses(&mut group);
        group.finish();
        if let Some(name) = name {
            groups.entry(name).or_insert_with(BTreeSet::new).extend(to);
        }
    }
    if to.is_empty() && groups.values().all(BTreeSet::is_empty) {
        table.problem(table.span(), "notifications.email goes to nobody", "add `to = [\"dba@example.com\"]`");
    }
    let filter = events(table);
    Some(EmailConfig { server: server?, tls, ca_file, login, from: from?, to, groups, filter })
}

fn addresses(table: &mut Table<'_>) -> BTreeSet<String> {
    const TO: &str = "to = [\"dba@example.com\"]";
    let texts = table.texts("to").unwrap_or_default();
    let read = |text| table.parsed("to", Some(text), TO, |text| Address::from_str(text).map(|_| text.to_owned()));
    texts.into_iter().filter_map(read).collect()
}

fn filter(table: &mut Table<'_>) -> Filter {
    let groups = table.texts("groups").unwrap_or_default();
    let group = |text| table.parsed("groups", Some(text), "groups = [\"dba\"]", |name| GroupName::new(name));
    let groups = groups.into_iter().filter_map(group).collect();
    Filter { groups, ..events(table) }
}

fn events(table: &mut Table<'_>) -> Filter {
    let texts = table.texts("events").unwrap_or_default();
    let event = |text: toml::Spanned<String>| {
        let event = EventKind::from_str(text.get_ref()).ok();
        if event.is_none() {
            let known: Vec<_> = EventKind::ALL.iter().map(|event| event.as_str()).collect();
            table.problem(&text.span(), "there is no such event", format!("known: {}", known.join(", ")));
        }
        event
    };
    Filter { events: texts.into_iter().filter_map(event).collect(), ..Filter::default() }
}

fn secret(table: &mut Table<'_>, key: &'static str, example: &str, root: &Path) -> Option<SecretReference> {
    let text = table.required(key, example)?;
    let fix = "put it in a variable or a file, and refer to it";
    SecretReference::parse(text.get_ref(), root)
        .inspect_err(|error| table.problem(&text.span(), format!("{key}: {error}"), format!("{fix}: `{example}`")))
        .ok()
}

fn unshown(table: &Table<'_>, span: &std::ops::Range<usize>, key: &str, error: &impl fmt::Display, example: &str) {
    table.problem(span, format!("notifications.email.{key}: {error}"), format!("write it as `{example}`"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Problem, gateway, reader::Document};

    fn load(text: &str) -> Result<NotificationsConfig, Vec<Problem>> {
        let text = format!("public_url = \"https://hoop.example.com\"\ndata_dir = \"data\"\n{text}");
        let document = Document::new("gateway.toml".into(), &text);
        let config = gateway::read(&document, Path::new("/site"));
        let problems = document.into_problems();
        if problems.is_empty() { Ok(config.unwrap().notifications) } else { Err(problems) }
    }

    const WEBHOOK: &str = "[[notifications.webhook]]\nurl = \"https://ops.test/x\"\nsecret = \"env:KEY\"\n";
    const EMAIL: &str =
        "[notifications.email]\nserver = \"smtp.test:587\"\nfrom = \"hoop@x.test\"\nto = [\"a@x.test\"]\n";

    #[test]
    fn reads_receivers_and_what_each_gets() {
        let filtered = format!("{WEBHOOK}events = [\"approval.requested\"]\ngroups = [\"dba\"]\n");
        let config =
            load(&format!("{filtered}[[notifications.slack]]\nname = \"chat\"\nurl = \"file:slack\"\n")).unwrap();
        assert_eq!((config.webhooks[0].name.as_str(), config.attempts), ("webhook-1", 12));
        assert_eq!(config.webhooks[0].filter.events, BTreeSet::from([EventKind::Requested]));
        assert_eq!(config.webhooks[0].filter.groups.len(), 1);
        assert_eq!(config.chats[0].url, SecretReference::File("/site/slack".into()));
        let group = "[[notifications.email.group]]\nname = \"dba\"\nto = [\"b@x.test\"]\n";
        let email = load(&format!("{EMAIL}{group}")).unwrap().email.unwrap();
        assert_eq!((email.tls, email.groups.len()), (MailTls::StartTls, 1));
    }

    #[test]
    fn every_mistake_has_a_place_and_a_fix_and_shows_no_secret() {
        for wrong in [
            WEBHOOK.replace("https", "http"),
            WEBHOOK.replace("https://", "https://u:hunter2@"),
            WEBHOOK.replace("env:KEY", "hunter2"),
            WEBHOOK.replace("secret = ", "# "),
            format!("{WEBHOOK}events = [\"approval.reqested\"]\n"),
            format!("{WEBHOOK}token = \"hunter2\"\n"),
            format!("{WEBHOOK}name = \"a b\"\n"),
            format!("{WEBHOOK}name = \"email\"\n"),
            format!("{WEBHOOK}name = \"x\"\n{WEBHOOK}name = \"x\"\n"),
            "[[notifications.slack]]\nurl = \"https://hooks.slack.test/hunter2\"\n".to_owned(),
            format!("{EMAIL}tls = \"none\"\n"),
            EMAIL.replace("hoop@x.test", "hoop"),
            EMAIL.replace("[\"a@x.test\"]", "[]"),
            EMAIL.replace("smtp.test:587", "smtp://hoop:hunter2@smtp.test"),
            format!("{EMAIL}username = \"hoop\"\nsecret = \"hunter2\"\n"),
            "[notifications]\nattempts = 0\n".to_owned(),
            "[notifications]\nslack = 1\n".to_owned(),
        ] {
            let problems = load(&wrong).expect_err(&wrong);
            assert_eq!(problems.len(), 1, "{wrong}: {problems:#?}");
            assert!(problems[0].line > 2 && !problems[0].fix.is_empty(), "{}", problems[0]);
            assert!(!problems[0].to_string().contains("hunter2"), "{}", problems[0]);
        }
        assert!(load(&format!("{EMAIL}tls = \"none\"\n").replace("smtp.test:587", "127.0.0.1:25")).is_ok());
    }
}
