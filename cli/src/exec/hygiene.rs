//! Which variables of the surroundings a command does not get: those that look like credentials, by name or by value.
//!
//! Pure. Values are looked at and never shown.

use std::ffi::{OsStr, OsString};

use hoop_gateway_core::mask::{DetectedClass, Detectors, MaskFunction};

/// A sorted environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    /// What the command gets.
    pub(super) kept: Vec<(OsString, OsString)>,
    /// The names of what it does not get.
    pub(super) withheld: Vec<String>,
}

/// Sorts what the surroundings have; `keep` are names that a person let through.
pub(super) fn sort(surroundings: impl Iterator<Item = (OsString, OsString)>, keep: &[String]) -> Sorted {
    let detectors = secrets();
    let mut sorted = Sorted::default();
    for (name, value) in surroundings {
        let wanted = keep.iter().any(|kept| name == kept.as_str());
        if is_ours(&name) {
            continue;
        }
        if !wanted && (named_like_a_credential(&name) || worth_hiding(&detectors, &value)) {
            sorted.withheld.push(name.to_string_lossy().into_owned());
        } else {
            sorted.kept.push((name, value));
        }
    }
    sorted.withheld.sort();
    sorted
}

/// What tells `hoop` itself where to go and as whom is no business of a run's command, nor is where another run leads.
fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"HOOP_") || LEADS_ELSEWHERE.iter().any(|elsewhere| name == *elsewhere)
}

fn named_like_a_credential(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    if HARMLESS.contains(&name.as_str()) {
        return false;
    }
    let parts: Vec<&str> = name.split(['_', '-', '.']).collect();
    TELLING.contains(&name.as_str())
        || parts.iter().any(|part| TELLING_PARTS.contains(part))
        || TELLING_ENDS.iter().any(|end| name.ends_with(end))
        || TELLING_STARTS.iter().any(|start| name.starts_with(start))
}

fn worth_hiding(detectors: &Detectors, value: &OsStr) -> bool {
    let bytes = value.as_encoded_bytes();
    has_login_in_url(bytes) || (detectors.may_hit(bytes) && detectors.class_of(bytes).is_some())
}

/// `scheme://user:password@host`.
fn has_login_in_url(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    text.match_indices("://").any(|(place, mark)| {
        let (_, rest) = text.split_at(place + mark.len());
        let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(login, _)| login.split_once(':'))
            .is_some_and(|(_, word)| !word.is_empty())
    })
}

fn secrets() -> Detectors {
    let classes =
        [DetectedClass::Jwt, DetectedClass::CloudKey, DetectedClass::PrivateKey, DetectedClass::GenericSecret];
    classes.into_iter().fold(Detectors::none(), |all, class| all.with(class, MaskFunction::Redact))
}

const TELLING_PARTS: [&str; 21] = [
    "TOKEN",
    "TOKENS",
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "PWD",
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "AUTH",
    "JWT",
    "BEARER",
    "COOKIE",
    "DSN",
    "PAT",
    "PRIVATE",
    "KEY",
];
const TELLING_ENDS: [&str; 8] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "APIKEY", "ACCESSKEY", "_DATABASE_URL", "_CONNECTION_STRING"];
const TELLING_STARTS: [&str; 5] = ["AWS_", "AZURE_", "GOOGLE_APPLICATION_", "VAULT_", "PGPASS"];
const TELLING: [&str; 16] = [
    "DATABASE_URL",
    "PGPASSWORD",
    "MYSQL_PWD",
    "KUBECONFIG",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "NETRC",
    "CURL_HOME",
    "OP_SESSION",
    "GNUPGHOME",
    "XAUTHORITY",
    "KRB5CCNAME",
];
/// Names that look like it and are not: folders, switches, places, certificates that anybody may see.
const HARMLESS: [&str; 12] = [
    "PWD",
    "OLDPWD",
    "KEYBOARD",
    "SSH_ASKPASS",
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_OUTPUT",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_MAX_ATTEMPTS",
    "AWS_PAGER",
    "AWS_REGION",
    "AWS_RETRY_MODE",
];
/// What would lead a client of PostgreSQL elsewhere than to its tunnel.
const LEADS_ELSEWHERE: [&str; 9] = [
    "PGHOSTADDR",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGREQUIREAUTH",
    "PGCHANNELBINDING",
    "PGTARGETSESSIONATTRS",
    "PGREQUIRESSL",
    "PGSSLMODE",
    "PGOPTIONS",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(variables: &[(&str, &str)], keep: &[&str]) -> Vec<String> {
        let surroundings = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        sort(surroundings, &keep.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).withheld
    }

    #[test]
    fn names_of_credentials_are_withheld() {
        let names = [
            "GITHUB_TOKEN",
            "AWS_PROFILE",
            "AWS_SECRET_ACCESS_KEY",
            "OPENAI_API_KEY",
            "DB_PASSWORD",
            "DATABASE_URL",
            "PGPASSWORD",
            "SENTRY_DSN",
            "NPM_AUTH",
            "SSH_AUTH_SOCK",
            "KUBECONFIG",
            "MYAPP_PASS",
            "STRIPE_SECRET",
            "gh_token",
            "ANALYTICS_DATABASE_URL",
        ];
        for name in names {
            assert_eq!(withheld(&[(name, "x")], &[]), [name], "{name}");
        }
    }

    #[test]
    fn ordinary_variables_pass() {
        let names = [
            "PATH",
            "HOME",
            "PWD",
            "LANG",
            "TERM",
            "EDITOR",
            "PYTHONPATH",
            "VIRTUAL_ENV",
            "KEYBOARD",
            "AWS_CA_BUNDLE",
            "AWS_REGION",
            "COMPASS_HOME",
            "MONKEY",
        ];
        for name in names {
            assert_eq!(withheld(&[(name, "/usr/bin")], &[]), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn values_tell_what_names_do_not() {
        let variables = [
            ("UPSTREAM", "postgres://alice:hunter2@db/shop"),
            ("MIRROR", "https://example.com/a:b@c"),
            (
                "CONFIGURATION",
                "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
            ),
            ("WHO", "AKIAIOSFODNN7EXAMPLE"),
            ("PROXY", "http://proxy.internal:3128"),
        ];
        assert_eq!(withheld(&variables, &[]), ["CONFIGURATION", "UPSTREAM", "WHO"]);
    }

    #[test]
    fn a_person_may_keep_one() {
        assert_eq!(withheld(&[("GITHUB_TOKEN", "x"), ("NPM_TOKEN", "y")], &["GITHUB_TOKEN"]), ["NPM_TOKEN"]);
    }

    #[test]
    fn what_leads_hoop_itself_is_dropped_in_silence() {
        let surroundings = [("HOOP_GATEWAY", "x"), ("PGSERVICE", "y")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(sort(surroundings.into_iter(), &["HOOP_GATEWAY".into()]), Sorted::default());
    }
}
