//! The loopback address that a browser comes back to: one path, one host name, one answer, then it is gone.
//!
//! Any page, and any program of this machine, can send it something. Whatever does not carry this login's state is
//! answered and forgotten, so that it can neither end the login nor put another in its place.

use std::{fmt, net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::failure::Failure;

/// What must come back.
pub(super) struct Expected {
    /// This login's state.
    pub(super) state: SecretString,
    /// Who is to answer.
    pub(super) issuer: String,
    /// Whether the issuer says who it is in each answer (RFC 9207).
    pub(super) names_itself: bool,
}

/// How the browser's part of the login ended.
pub(super) enum Outcome {
    /// With a code.
    Code(SecretString),
    /// The issuer refused.
    Refused { error: String, description: Option<String> },
    /// Somebody else than the issuer answered.
    OtherIssuer,
}

/// Waits on this machine alone.
pub(super) struct Listener {
    socket: TcpListener,
    address: Url,
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Listener {
    /// Listens where `redirect` says, on a free port where it names none. Refuses every host but this machine.
    pub(super) async fn bind(redirect: &str) -> Result<Self, Failure> {
        let refuse = |why: &str| {
            Failure::failed("the gateway's redirect_uri cannot be used")
                .because(format!("`{}`: {why}", super::super::quoted(redirect)))
                .next("ask the gateway's operator to check redirect_uri in gateway.toml")
        };
        let mut address = Url::parse(redirect).map_err(|error| refuse(&error.to_string()))?;
        let ip = match address.host_str() {
            Some("127.0.0.1" | "localhost") => [127, 0, 0, 1].into(),
            Some("[::1]") => std::net::Ipv6Addr::LOCALHOST.into(),
            _ => return Err(refuse("it is not on this machine")),
        };
        if address.scheme() != "http" {
            return Err(refuse("it is not http"));
        }
        let wanted = SocketAddr::new(ip, address.port().unwrap_or(0));
        let failed = |error: std::io::Error| {
            Failure::failed(format!("{wanted} could not be listened on, where the browser is to come back to"))
                .caused_by(&error)
                .next("end what uses the port, or run `hoop login --no-browser`")
        };
        let socket = TcpListener::bind(wanted).await.map_err(failed)?;
        let port = socket.local_addr().map_err(failed)?.port();
        address.set_port(Some(port)).map_err(|()| refuse("it takes no port"))?;
        Ok(Self { socket, address })
    }

    /// Where the browser is sent back to.
    pub(super) const fn address(&self) -> &Url {
        &self.address
    }

    /// Answers whoever comes until the one comes that is expected. Cancel-safe: nothing is kept.
    pub(super) async fn wait(self, expected: Expected) -> Outcome {
        let mut visitors = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.socket.accept(), if visitors.len() < MOST_VISITORS => match accepted {
                    Ok((stream, _peer)) => visitors.push(receive(stream, &self.address, &expected)),
                    Err(error) => {
                        tracing::debug!(%error, "a browser could not be let in");
                        tokio::time::sleep(EXHAUSTED).await;
                    }
                },
                Some(outcome) = visitors.next() => if let Some(outcome) = outcome {
                    return outcome;
                },
            }
        }
    }
}

/// Browsers open connections that they may never use.
const MOST_VISITORS: usize = 16;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
const EXHAUSTED: Duration = Duration::from_millis(100);

/// One request and its answer. What the login came to is given only when the page was sent.
async fn receive(mut stream: TcpStream, address: &Url, expected: &Expected) -> Option<Outcome> {
    let head = tokio::time::timeout(PATIENCE, read_head(&mut stream)).await.ok().flatten()?;
    let Verdict { page, outcome } = judge(&head, address, expected);
    let sending = async {
        stream.write_all(page.response().as_bytes()).await?;
        stream.shutdown().await
    };
    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, sending).await {
        tracing::debug!(%error, "the page could not be sent");
    }
    outcome
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::with_capacity(2048);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_HEAD_BYTES || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

/// What is answered, and what it means for the login.
struct Verdict {
    page: Page,
    outcome: Option<Outcome>,
}

/// A page of ours, in words.
struct Page {
    status: &'static str,
    title: &'static str,
    text: &'static str,
}

impl Page {
    /// Plain HTML that nothing is loaded into, that nobody keeps and that no other page shows.
    fn response(&self) -> String {
        let Self { status, title, text } = self;
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} – hoop</title>\n</head>\n\
             <body>\n<main>\n<h1>{title}</h1>\n<p role=\"status\">{text}</p>\n</main>\n</body>\n</html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

const DONE: Page = Page {
    status: "200 OK",
    title: "You may close this page",
    text: "Go back to your terminal: it says whether the login succeeded.",
};
const REFUSED: Page = Page {
    status: "200 OK",
    title: "The login did not succeed",
    text: "Go back to your terminal: it says why. You may close this page.",
};
const STRANGE: Page = Page {
    status: "400 Bad Request",
    title: "This is not the login that is waited for",
    text: "Nothing happened. If you came here from a page that you do not know, close it.",
};
const NOWHERE: Page =
    Page { status: "404 Not Found", title: "There is nothing here", text: "You may close this page." };
const FORBIDDEN: Page = Page {
    status: "403 Forbidden",
    title: "No other page may send this",
    text: "Nothing happened. If you came here from a page that you do not know, close it.",
};

/// Pure: what a request is answered, and what it means for the login.
fn judge(head: &str, address: &Url, expected: &Expected) -> Verdict {
    let only = |page| Verdict { page, outcome: None };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return only(STRANGE) };
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let all = |name: &str| {
        let named = headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect::<Vec<_>>()
    };
    // A name that somebody else's server answers for, and that resolves here, is not ours.
    let here = &address[url::Position::BeforeHost..url::Position::AfterPort];
    if !matches!(all("host").as_slice(), [host] if host.eq_ignore_ascii_case(here)) {
        return only(FORBIDDEN);
    }
    // A browser that goes to an address sends no Origin, and says what it is for.
    let is = |name: &str, wanted: &str| all(name).iter().all(|value| *value == wanted);
    if !all("origin").is_empty() || !is("sec-fetch-mode", "navigate") || !is("sec-fetch-dest", "document") {
        return only(FORBIDDEN);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != address.path() {
        return only(NOWHERE);
    }
    match outcome(query, expected) {
        Some(Outcome::Code(code)) => Verdict { page: DONE, outcome: Some(Outcome::Code(code)) },
        Some(ended) => Verdict { page: REFUSED, outcome: Some(ended) },
        None => only(STRANGE),
    }
}

/// How the login ended, as the query says; `None` where it is not this login's.
fn outcome(query: &str, expected: &Expected) -> Option<Outcome> {
    let parameters: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    // SPEC: RFC 6749 §3.1: no parameter more than once.
    let one = |name: &str| {
        let mut values = parameters.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
        values.next().filter(|_value| values.next().is_none())
    };
    if !one("state").is_some_and(|state| same(state, expected.state.expose_secret())) {
        return None;
    }
    let said = parameters.iter().any(|(name, _)| name == "iss");
    let ours = one("iss").is_some_and(|issuer| *issuer == expected.issuer);
    // SPEC: RFC 9207 §2.4, against an answer that is another issuer's.
    if (said || expected.names_itself) && !ours {
        return Some(Outcome::OtherIssuer);
    }
    if let Some(error) = one("error") {
        return Some(Outcome::Refused { error: error.clone(), description: one("error_description").cloned() });
    }
    let code = one("code").filter(|code| !code.is_empty())?;
    Some(Outcome::Code(SecretString::from(code.as_str())))
}

/// Takes as long whatever is different.
fn same(left: &str, right: &str) -> bool {
    let different = left.bytes().zip(right.bytes()).fold(0, |different, (one, other)| different | (one ^ other));
    left.len() == right.len() && different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(names_itself: bool) -> Expected {
        Expected { state: "right".to_owned().into(), issuer: "https://idp.example.com".into(), names_itself }
    }

    fn verdict(target: &str, headers: &str) -> (&'static str, Option<Outcome>) {
        let address = Url::parse("http://127.0.0.1:4321/callback").expect("an address");
        let head = format!("GET {target} HTTP/1.1\r\n{headers}\r\n\r\n");
        let Verdict { page, outcome } = judge(&head, &address, &expected(false));
        (page.status.split(' ').next().expect("a status"), outcome)
    }

    const HOST: &str = "Host: 127.0.0.1:4321";

    #[test]
    fn the_browser_that_comes_back_with_the_state_brings_the_code() {
        let navigation =
            format!("{HOST}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: cross-site");
        for headers in [HOST, &navigation] {
            let (status, outcome) = verdict("/callback?code=c%2Bd&state=right", headers);
            let Some(Outcome::Code(code)) = outcome else { panic!("no code: {headers}") };
            assert_eq!((status, code.expose_secret()), ("200", "c+d"));
        }
    }

    #[test]
    fn nothing_else_ends_the_login() {
        let good = "/callback?code=c&state=right";
        for (target, headers, status) in [
            ("/callback?code=c&state=wrong", HOST.to_owned(), "400"),
            ("/callback?code=c", HOST.to_owned(), "400"),
            ("/callback?code=c&state=right&state=right", HOST.to_owned(), "400"),
            ("/callback?code=c&code=d&state=right", HOST.to_owned(), "400"),
            ("/callback?error=access_denied", HOST.to_owned(), "400"),
            ("/callback?state=right", HOST.to_owned(), "400"),
            ("/", HOST.to_owned(), "404"),
            ("/callback/?code=c&state=right", HOST.to_owned(), "404"),
            ("http://127.0.0.1:4321/callback?code=c&state=right", HOST.to_owned(), "404"),
            (good, "Host: evil.example:4321".to_owned(), "403"),
            (good, "Host: localhost:4321".to_owned(), "403"),
            (good, format!("{HOST}\r\nHost: evil.example"), "403"),
            (good, "Accept: */*".to_owned(), "403"),
            (good, format!("{HOST}\r\nOrigin: https://evil.example"), "403"),
            (good, format!("{HOST}\r\nSec-Fetch-Mode: no-cors"), "403"),
            (good, format!("{HOST}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe"), "403"),
        ] {
            let (answered, outcome) = verdict(target, &headers);
            assert!(answered == status && outcome.is_none(), "{target} {headers}: {answered}");
        }
        let address = Url::parse("http://127.0.0.1:4321/callback").expect("an address");
        let post = format!("POST {good} HTTP/1.1\r\n{HOST}\r\n\r\n");
        assert!(judge(&post, &address, &expected(false)).outcome.is_none());
    }

    #[test]
    fn an_answer_of_another_issuer_is_not_taken() {
        let of = |query: &str, names_itself| outcome(query, &expected(names_itself));
        let right = "code=c&state=right&iss=https%3A%2F%2Fidp.example.com";
        assert!(matches!(of(right, true), Some(Outcome::Code(_))));
        assert!(matches!(of("code=c&state=right", true), Some(Outcome::OtherIssuer)));
        assert!(matches!(of("code=c&state=right&iss=https://evil.example", false), Some(Outcome::OtherIssuer)));
        let denied = of("error=access_denied&error_description=no&state=right", false);
        assert!(matches!(denied, Some(Outcome::Refused { error, .. }) if error == "access_denied"));
    }

    #[test]
    fn the_page_loads_nothing_and_says_what_to_do() {
        let page = DONE.response();
        assert!(page.contains("lang=\"en\"") && page.contains("<h1>You may close this page</h1>"), "{page}");
        assert!(page.contains("default-src 'none'") && !page.contains("<script"), "{page}");
    }

    #[tokio::test]
    async fn it_listens_on_this_machine_only() {
        let free = Listener::bind("http://127.0.0.1/callback").await.expect("a port");
        assert!(free.address().port().is_some_and(|port| port > 0));
        assert!(free.socket.local_addr().expect("an address").ip().is_loopback());
        for other in
            ["http://0.0.0.0/", "http://10.1.2.3/", "https://127.0.0.1/", "http://127.0.0.1.evil.example/", "x"]
        {
            assert!(Listener::bind(other).await.is_err(), "{other}");
        }
    }
}
