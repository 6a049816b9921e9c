//! What `[identity]` says of people beyond the issuer itself: clocks, groups from elsewhere, a client's secret, claims.
//!
//! Reads references, resolves no secret. Called by `gateway` for `[identity]` and `[identity.oidc]`.

use std::{collections::BTreeSet, path::Path};

use toml::Spanned;
use url::Url;

use super::{SecretReference, gateway::issuer_address, reader::Table};
use crate::api::types::TokenChoice;

/// How far the clocks may be apart when the site does not say.
pub const DEFAULT_CLOCK_SKEW_SECONDS: i64 = 60;
/// How far they may be apart at most: a token that ended must stay ended.
const MOST_CLOCK_SKEW_SECONDS: u64 = 300;
/// How long an issuer's token is believed when the site does not say.
const DEFAULT_LOGIN_MINUTES: i64 = 60;
/// A day: whoever is disabled in the morning is out the next.
const MOST_LOGIN_MINUTES: u64 = 24 * 60;
/// How long a client certificate lasts when the site does not say.
pub(super) const DEFAULT_CERTIFICATE_MINUTES: i64 = 60;
/// Claims that policies may read when the site does not say which.
const DEFAULT_CLAIMS: [&str; 2] = ["email", "preferred_username"];
const MOST_CLAIMS: usize = 32;
const LONGEST_CLAIM_NAME: usize = 128;
const GOOGLE: &str = "https://admin.googleapis.com";

/// What an issuer's settings say beyond the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcOptions {
    /// How far its clock and ours may be apart.
    pub clock_skew_seconds: i64,
    /// How long one of its tokens is believed after it was made, even where it says that it lasts longer.
    pub login_seconds: i64,
    /// Where groups come from.
    pub groups_from: GroupsFrom,
    /// What separates groups in a claim that is one text; without it the text is one group.
    pub groups_separator: Option<char>,
    /// The secret of a confidential client. The gateway speaks with the issuer for the CLI then.
    pub client_secret: Option<SecretReference>,
    /// Where the issuer sends a browser back to: an address of the person's own machine. Without it, logins are by code.
    pub redirect_uri: Option<String>,
}

impl Default for OidcOptions {
    fn default() -> Self {
        Self {
            clock_skew_seconds: DEFAULT_CLOCK_SKEW_SECONDS,
            login_seconds: DEFAULT_LOGIN_MINUTES * 60,
            groups_from: GroupsFrom::Token,
            groups_separator: None,
            client_secret: None,
            redirect_uri: None,
        }
    }
}

/// Where a person's groups are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupsFrom {
    /// In the token.
    Token,
    /// In what the issuer's userinfo endpoint answers.
    Userinfo,
    /// In Google's directory, which puts no groups into tokens.
    Google(GoogleDirectory),
}

/// How Google's directory is asked: a service account that acts for an administrator (domain-wide delegation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleDirectory {
    /// The service account's key, as Google's console gives it (JSON).
    pub service_account: SecretReference,
    /// The administrator for whom it asks.
    pub subject: String,
    /// Where the directory is.
    pub api_url: String,
}

/// The claims that policies may read.
pub fn default_claims() -> BTreeSet<String> {
    DEFAULT_CLAIMS.map(str::to_owned).into()
}

/// Reads `claims` of `[identity]`.
pub(super) fn claims(identity: &mut Table<'_>) -> BTreeSet<String> {
    let Some(names) = identity.texts("claims") else { return default_claims() };
    if names.len() > MOST_CLAIMS {
        let fix = "name those that policies read, and no others";
        identity.problem(identity.span(), format!("claims names more than {MOST_CLAIMS}"), fix);
    }
    let mut read = BTreeSet::new();
    for name in names {
        let text = name.get_ref();
        let usable = !text.is_empty() && text.len() <= LONGEST_CLAIM_NAME && !text.chars().any(char::is_control);
        if !usable {
            let message = format!("a claim's name has 1 to {LONGEST_CLAIM_NAME} bytes");
            identity.problem(&name.span(), message, "write claims = [\"department\"]");
        } else if !read.insert(text.clone()) {
            identity.problem(&name.span(), "claims names this one twice", "remove one of them");
        }
    }
    read
}

/// Reads `certificate_minutes` of `[identity]`.
pub(super) fn certificate_seconds(identity: &mut Table<'_>) -> i64 {
    bounded(identity, "certificate_minutes", 1..=MOST_LOGIN_MINUTES).unwrap_or(DEFAULT_CERTIFICATE_MINUTES) * 60
}

/// Reads the rest of `[identity.oidc]`.
pub(super) fn read(table: &mut Table<'_>, token: TokenChoice, root: &Path) -> OidcOptions {
    const REDIRECT: &str = "redirect_uri = \"http://127.0.0.1/callback\"";
    let clock_skew_seconds = bounded(table, "clock_skew_seconds", 0..=MOST_CLOCK_SKEW_SECONDS);
    let login_minutes = bounded(table, "login_minutes", 1..=MOST_LOGIN_MINUTES);
    let redirect_uri = table.text("redirect_uri");
    let redirect_uri =
        table.parsed("redirect_uri", redirect_uri, REDIRECT, |text| loopback(text).map(|()| text.to_owned()));
    let client_secret = secret(table, "client_secret", "client_secret = \"env:HOOP_CLIENT_SECRET\"", root);
    let separator = table.text("groups_separator");
    let groups_separator = table.parsed("groups_separator", separator, "groups_separator = \",\"", |text| {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(one), None) => Ok(one),
            _ => Err("it is one character"),
        }
    });
    OidcOptions {
        clock_skew_seconds: clock_skew_seconds.unwrap_or(DEFAULT_CLOCK_SKEW_SECONDS),
        login_seconds: login_minutes.unwrap_or(DEFAULT_LOGIN_MINUTES) * 60,
        groups_from: groups_from(table, token, root),
        groups_separator,
        client_secret,
        redirect_uri,
    }
}

fn bounded(table: &mut Table<'_>, key: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<i64> {
    let number = table.number(key)?;
    if !range.contains(number.get_ref()) {
        let (least, most) = range.into_inner();
        table.problem(&number.span(), format!("{key} is out of bounds"), format!("write {least} to {most}"));
        return None;
    }
    i64::try_from(*number.get_ref()).ok()
}

fn groups_from(table: &mut Table<'_>, token: TokenChoice, root: &Path) -> GroupsFrom {
    let word = table.text("groups_from");
    let span = word.as_ref().map_or_else(|| table.span().clone(), Spanned::span);
    let google = table.table("google").map(|mut google| {
        let read = directory(&mut google, root);
        google.finish();
        read
    });
    match (word.as_ref().map(|word| word.get_ref().as_str()), google) {
        (None | Some("token"), None) => GroupsFrom::Token,
        (Some("userinfo"), None) => GroupsFrom::Userinfo,
        (Some("google"), Some(directory)) if token == TokenChoice::Id => {
            // A directory that could not be read was said, and the site does not load.
            directory.map_or(GroupsFrom::Token, GroupsFrom::Google)
        }
        (Some("google"), Some(_)) => {
            let fix = "write token = \"id\": Google's access tokens cannot be verified";
            table.problem(&span, "groups_from = \"google\" wants ID tokens", fix);
            GroupsFrom::Token
        }
        (Some("google"), None) => {
            let fix = "add [identity.oidc.google] with service_account and subject";
            table.problem(&span, "groups_from = \"google\" has no directory", fix);
            GroupsFrom::Token
        }
        (_, Some(_)) => {
            table.problem(&span, "[identity.oidc.google] is not used", "write groups_from = \"google\"");
            GroupsFrom::Token
        }
        (Some(_), None) => {
            table.problem(&span, "groups_from is none of token, userinfo, google", "write groups_from = \"userinfo\"");
            GroupsFrom::Token
        }
    }
}

fn directory(table: &mut Table<'_>, root: &Path) -> Option<GoogleDirectory> {
    const KEY: &str = "service_account = \"file:google.json\"";
    let api_url = table.text("api_url");
    let api_url = table.parsed("api_url", api_url, &format!("api_url = \"{GOOGLE}\""), |text| {
        issuer_address(text).map(|()| text.trim_end_matches('/').to_owned())
    });
    let subject = table.required("subject", "subject = \"administrator@example.com\"").map(Spanned::into_inner);
    let service_account = secret(table, "service_account", KEY, root);
    if service_account.is_none() {
        table.missing("service_account", KEY);
    }
    Some(GoogleDirectory {
        service_account: service_account?,
        subject: subject?,
        api_url: api_url.unwrap_or_else(|| GOOGLE.to_owned()),
    })
}

fn secret(table: &mut Table<'_>, key: &'static str, example: &str, root: &Path) -> Option<SecretReference> {
    let text = table.text(key)?;
    let fix = format!("put it in a variable or a file, and refer to it: `{example}`");
    SecretReference::parse(text.get_ref(), root)
        .inspect_err(|error| table.problem(&text.span(), format!("{key}: {error}"), fix))
        .ok()
}

/// SPEC: RFC 8252 §7.3: the person's own machine, over plain HTTP, which leaves it nowhere.
fn loopback(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_unread| "it is no URL")?;
    let here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    if url.scheme() != "http" || !here {
        return Err("it is not on the person's own machine (http://127.0.0.1)");
    }
    let plain = url.username().is_empty() && url.password().is_none();
    if plain && url.query().is_none() && url.fragment().is_none() {
        Ok(())
    } else {
        Err("it holds more than host, port and path")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{IdentityConfig, Problem, gateway, reader::Document};

    fn load(text: &str) -> Result<IdentityConfig, Vec<Problem>> {
        let head = "public_url = \"https://hoop.example.com\"\ndata_dir = \"data\"\n";
        let text = format!("{head}{text}");
        let document = Document::new("gateway.toml".into(), &text);
        let config = gateway::read(&document, Path::new("/site"));
        let problems = document.into_problems();
        if problems.is_empty() { Ok(config.expect("read").identity) } else { Err(problems) }
    }

    fn options(more: &str) -> Result<OidcOptions, Vec<Problem>> {
        let oidc = "[identity.oidc]\nissuer = \"https://idp\"\nclient_id = \"c\"\naudience = \"a\"\n";
        load(&format!("{oidc}{more}")).map(|identity| identity.oidc.expect("an issuer").options)
    }

    #[test]
    fn what_is_not_said_is_careful() {
        let plain = options("").unwrap();
        assert_eq!((plain.clock_skew_seconds, plain.login_seconds), (60, 3_600));
        assert_eq!((plain.client_secret, plain.redirect_uri, plain.groups_from), (None, None, GroupsFrom::Token));
        assert_eq!(load("").unwrap().claims, default_claims());
    }

    #[test]
    fn secrets_are_references_and_addresses_are_the_persons_own_machine() {
        let secret = options("client_secret = \"env:IDP_SECRET\"").unwrap().client_secret;
        assert_eq!(secret, Some(SecretReference::Environment("IDP_SECRET".into())));
        let shown = format!("{:?}", options("client_secret = \"hunter2-hunter2\"").unwrap_err());
        assert!(!shown.contains("hunter2"), "{shown}");
        for good in ["http://127.0.0.1/callback", "http://localhost", "http://[::1]:8400/x"] {
            assert_eq!(options(&format!("redirect_uri = \"{good}\"")).unwrap().redirect_uri.as_deref(), Some(good));
        }
        for bad in ["https://127.0.0.1/", "http://10.0.0.1/", "http://127.0.0.1.evil.example/", "http://127.0.0.1/?a=b"]
        {
            assert!(options(&format!("redirect_uri = \"{bad}\"")).is_err(), "{bad}");
        }
    }

    #[test]
    fn clocks_and_logins_have_bounds() {
        assert_eq!(options("clock_skew_seconds = 0\nlogin_minutes = 5").unwrap().login_seconds, 300);
        for wrong in ["clock_skew_seconds = 301", "login_minutes = 0", "login_minutes = 1441"] {
            assert!(options(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn groups_come_from_one_place_that_is_whole() {
        assert_eq!(options("groups_from = \"userinfo\"").unwrap().groups_from, GroupsFrom::Userinfo);
        assert_eq!(options("groups_separator = \",\"").unwrap().groups_separator, Some(','));
        let google = "token = \"id\"\ngroups_from = \"google\"\n[identity.oidc.google]\nsubject = \"a@b.c\"\n\
                      service_account = \"file:key.json\"\n";
        let GroupsFrom::Google(directory) = options(google).unwrap().groups_from else { panic!("not Google's") };
        assert_eq!((directory.api_url.as_str(), directory.subject.as_str()), (GOOGLE, "a@b.c"));
        for wrong in [
            "groups_from = \"ldap\"",
            "groups_from = \"google\"",
            "groups_separator = \", \"",
            &google.replace("token = \"id\"\n", ""),
            &google.replace("groups_from = \"google\"\n", ""),
            &google.replace("subject = \"a@b.c\"\n", ""),
            &google.replace("service_account = \"file:key.json\"\n", ""),
            &format!("{google}api_url = \"http://directory.example.com\""),
        ] {
            assert!(options(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn claims_are_listed_once_and_few() {
        let claims = |text: &str| load(&format!("[identity]\nclaims = {text}\n")).map(|identity| identity.claims);
        assert_eq!(claims("[\"team\", \"realm.level\"]").unwrap(), ["realm.level", "team"].map(str::to_owned).into());
        let many: Vec<String> = (0..33).map(|number| format!("c{number}")).collect();
        for wrong in ["[\"\"]", "[\"a\", \"a\"]", "[\"a\\n\"]", &format!("{many:?}")] {
            assert!(claims(wrong).is_err(), "{wrong}");
        }
    }
}
