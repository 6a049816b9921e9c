//! One exchange over streamable HTTP: a message goes as a POST, its answers come as JSON or as events.
//!
//! Knows the session that the server gave, and no meaning of a message.

use std::sync::{Mutex, PoisonError};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use super::message::{self, MOST_BYTES};
use crate::{api_client::Messages, failure::Failure, http_client};

/// Where messages go, and in which session.
#[derive(Debug)]
pub(super) struct Server {
    http: Client,
    url: Url,
    session: Mutex<Session>,
}

#[derive(Debug, Default)]
struct Session {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

/// What came back.
pub(super) enum Answer {
    /// Nothing: the server has taken it.
    Taken,
    /// One message, or one list.
    Whole(String),
    /// Messages as they come.
    Events(Messages),
    /// It was not taken: a sentence.
    Failed(String),
}

impl Server {
    /// A server at this address of the local machine.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let url = Url::parse(url).map_err(|error| Failure::usage("the address cannot be one").caused_by(&error))?;
        let http = http_client::plain()?;
        Ok(Self { http, url, session: Mutex::default() })
    }

    /// Sends a message.
    pub(super) async fn post(&self, text: String) -> Answer {
        let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(text);
        let request = request.header(ACCEPT, "application/json, text/event-stream");
        match self.in_session(request).send().await {
            Ok(response) => self.read(response).await,
            Err(error) => Answer::Failed(chain(&error.without_url())),
        }
    }

    /// What the server says of itself; `None` where it says nothing unasked.
    pub(super) async fn listen(&self) -> Option<Messages> {
        let request = self.http.get(self.url.clone()).header(ACCEPT, "text/event-stream");
        let response = self.in_session(request).send().await.ok()?;
        (response.status().is_success() && is_events(response.headers())).then(|| Messages::patient(response))
    }

    /// Tells the server that the session is over.
    pub(super) async fn leave(&self) {
        if self.session().id.is_some() {
            // A server that does not want to know answers 405.
            drop(self.in_session(self.http.delete(self.url.clone())).send().await);
        }
    }

    /// Keeps the version that an opening answer names.
    pub(super) fn agreed(&self, answer: &str) {
        if let Some(version) = message::version(answer) {
            self.session().version = HeaderValue::from_str(&version).ok();
        }
    }

    async fn read(&self, response: Response) -> Answer {
        if let Some(id) = response.headers().get(&SESSION).filter(|id| id.len() <= MOST_SESSION_BYTES) {
            self.session().id = Some(id.clone());
        }
        let status = response.status();
        if status.is_success() && is_events(response.headers()) {
            return Answer::Events(Messages::patient(response));
        }
        let body = match http_client::body(response, MOST_BYTES).await {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(error) => return Answer::Failed(error.to_string()),
        };
        if message::is_message(&body) {
            return Answer::Whole(body);
        }
        match status {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Answer::Taken,
            StatusCode::OK if body.trim().is_empty() => Answer::Taken,
            status => Answer::Failed(refusal(status, &body)),
        }
    }

    fn in_session(&self, request: RequestBuilder) -> RequestBuilder {
        let mut headers = HeaderMap::new();
        let session = self.session();
        let named = [(&SESSION, &session.id), (&VERSION, &session.version)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            headers.insert(name.clone(), value.clone());
        }
        drop(session);
        request.headers(headers)
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// A problem's own words, else the status.
fn refusal(status: StatusCode, body: &str) -> String {
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let word = |name: &str| problem.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let said: Vec<String> = ["title", "detail", "hint"].into_iter().filter_map(word).collect();
    if said.is_empty() { format!("the server answered {status}") } else { said.join("; ") }
}

fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// SPEC: MCP 2025-06-18, "Session Management" and "Protocol Version Header".
static SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
static VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const MOST_SESSION_BYTES: usize = 1_024;
