//! How a client gets in: the address as data, as a URL, as a ready command, as environment variables.
//!
//! Pure. The password is in the URL only where the tunnel asks for one.

use std::{fmt::Write as _, path::Path};

use hoop_gateway_core::model::{ConnectionKind, ConnectionName};
use hoop_tunnel::{listener::Bound, peer::PeerCheck};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{place::USUAL_PORT, ssh::KnownHost};

/// Who gets in, to what, with which password.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<SecretString>,
}

/// What a program that reads our output is told.
#[derive(Clone, Serialize)]
pub(super) struct Opened {
    pub(super) connection: ConnectionName,
    kind: ConnectionKind,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) url: String,
    pub(super) command: String,
    guard: Guard,
    #[serde(skip)]
    place: String,
    /// How an SSH client knows the gateway.
    #[serde(skip)]
    pub(super) known: Option<KnownHost>,
}

/// What keeps others out of the local end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Guard {
    SameUser,
    SameUserAndPassword,
    Password,
}

impl Opened {
    pub(super) fn new(
        name: &ConnectionName,
        kind: ConnectionKind,
        bound: Bound,
        access: &Access,
        check: PeerCheck,
    ) -> Self {
        let (host, port, place) = match bound {
            Bound::Tcp { port, both } => {
                let place =
                    if both { format!("127.0.0.1:{port} and [::1]:{port}") } else { format!("127.0.0.1:{port}") };
                ("127.0.0.1".to_owned(), port, place)
            }
            Bound::Unix(path) => {
                let (folder, port) = socket_address(&path);
                (folder, port, path.display().to_string())
            }
        };
        let (url, command) = if kind == ConnectionKind::Ssh {
            (format!("ssh://{host}:{port}"), format!("ssh -p {port} {host}"))
        } else if kind.is_http() {
            http_address(&host, port)
        } else {
            let url = url(&host, port, access);
            let command = format!("psql \"{url}\"");
            (url, command)
        };
        let guard = match (check, &access.password) {
            (PeerCheck::SameUser, None) => Guard::SameUser,
            (PeerCheck::SameUser, Some(_)) => Guard::SameUserAndPassword,
            (PeerCheck::Password, _) => Guard::Password,
        };
        Self {
            connection: name.clone(),
            kind,
            command,
            url,
            host,
            port,
            user: access.user.clone(),
            database: access.database.clone(),
            guard,
            place,
            known: None,
        }
    }

    /// For a person's standard output: a command to paste, then the bare URL.
    pub(super) fn text(&self) -> String {
        format!("{}\n{}", self.command, self.url)
    }

    /// For a person's standard error.
    pub(super) fn greeting(&self) -> String {
        let who = match self.guard {
            Guard::SameUser => "only your own processes are let in",
            Guard::SameUserAndPassword => "only your own processes are let in, with the password in the URL",
            Guard::Password => {
                "this system does not tell whose a local connection is: the password in the URL guards it"
            }
        };
        format!("{} is open on {}; {who}.", self.connection, self.place)
    }

    /// Where it listens, for the live line.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

fn url(host: &str, port: u16, access: &Access) -> String {
    let mut url = format!("postgresql://{}", encoded(&access.user));
    if let Some(password) = &access.password {
        url.push(':');
        url.push_str(&encoded(password.expose_secret()));
    }
    let database = encoded(&access.database);
    let rest = if host.starts_with('/') {
        format!("@/{database}?host={}&port={port}", encoded(host))
    } else {
        format!("@{host}:{port}/{database}")
    };
    url.push_str(&rest);
    url
}

/// Where a client of HTTP asks, as a URL and a command. What it would send as its own credential ends at the gateway, so
/// none is in it. A socket has the URL that clients of such sockets know: `http+unix://` and its path, encoded.
fn http_address(host: &str, port: u16) -> (String, String) {
    if host.starts_with('/') {
        let path = format!("{host}/http.{port}");
        let command = format!("curl --unix-socket {path:?} http://localhost/");
        return (format!("http+unix://{}", encoded(&path)), command);
    }
    let url = format!("http://{host}:{port}");
    let command = format!("curl {url}/");
    (url, command)
}

/// The folder and number by which `PostgreSQL`'s clients find a socket.
fn socket_address(path: &Path) -> (String, u16) {
    let folder = path.parent().map_or_else(String::new, |folder| folder.display().to_string());
    let number = path.extension().and_then(|number| number.to_str()?.parse().ok());
    (folder, number.unwrap_or(USUAL_PORT))
}

/// Percent-encodes all but unreserved characters, so that neither a URL parser nor a shell sees anything special.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut written, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => written.push(char::from(byte)),
            // Writing to a string does not fail.
            other => write!(written, "%{other:02X}").unwrap_or_default(),
        }
        written
    })
}

/// The variable in which a run's command finds a connection by its name.
pub(crate) fn url_variable(connection: &str) -> String {
    let capital = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("HOOP_{}_URL", connection.chars().map(capital).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(bound: Bound, user: &str, password: Option<&str>) -> Opened {
        let name = ConnectionName::try_from("pg-prod".to_owned()).unwrap();
        let access = Access { user: user.into(), database: "shop".into(), password: password.map(SecretString::from) };
        Opened::new(&name, ConnectionKind::Postgres, bound, &access, PeerCheck::SameUser)
    }

    #[test]
    fn a_port_is_a_plain_url_and_command() {
        let opened = opened(Bound::Tcp { port: 5433, both: false }, "alice", None);
        assert_eq!(opened.url, "postgresql://alice@127.0.0.1:5433/shop");
        assert_eq!(opened.command, "psql \"postgresql://alice@127.0.0.1:5433/shop\"");
        assert_eq!(opened.greeting(), "pg-prod is open on 127.0.0.1:5433; only your own processes are let in.");
    }

    #[test]
    fn what_http_carries_is_a_bare_url() {
        let name = ConnectionName::new("httpbin").unwrap();
        let access = Access { user: "alice".to_owned(), database: "httpbin".to_owned(), password: None };
        let bound = Bound::Tcp { port: 8081, both: false };
        let opened = Opened::new(&name, ConnectionKind::Http, bound, &access, PeerCheck::SameUser);
        assert_eq!(
            (opened.url.as_str(), opened.command.as_str()),
            ("http://127.0.0.1:8081", "curl http://127.0.0.1:8081/")
        );
        let bound = Bound::Unix("/run/hoop/httpbin/http.8081".into());
        let opened = Opened::new(&name, ConnectionKind::Http, bound, &access, PeerCheck::SameUser);
        assert_eq!(opened.url, "http+unix://%2Frun%2Fhoop%2Fhttpbin%2Fhttp.8081");
        assert_eq!(opened.command, "curl --unix-socket \"/run/hoop/httpbin/http.8081\" http://localhost/");
    }

    #[test]
    fn a_socket_is_found_by_its_folder_and_number() {
        let opened = opened(Bound::Unix("/run/user/1/hoop/.s.PGSQL.5434".into()), "alice", None);
        assert_eq!(opened.url, "postgresql://alice@/shop?host=%2Frun%2Fuser%2F1%2Fhoop&port=5434");
        assert_eq!((opened.host.as_str(), opened.port), ("/run/user/1/hoop", 5434));
    }

    #[test]
    fn names_cannot_break_out_of_the_command() {
        let opened = opened(Bound::Tcp { port: 1, both: false }, "a\"$(x)`@b", Some("p/w"));
        assert_eq!(opened.url, "postgresql://a%22%24%28x%29%60%40b:p%2Fw@127.0.0.1:1/shop");
    }
}
