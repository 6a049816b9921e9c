//! One stream that asks to be opened, and the ways to answer it.
//!
//! The answer is the session's to give, after it decided: nothing is said to the client before. Dropping it unanswered resets the stream.

use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Response, StatusCode};
use secrecy::SecretString;
use tokio::sync::watch;

use super::LinkIdentity;
use crate::link::{LinkStream, PROBLEM_HEADER, StreamGuard, problem_value};

/// A stream that asks for a connection, with whom its own token stands for.
#[derive(Debug)]
pub struct Incoming<P> {
    /// The name of the wanted connection, as the client wrote it: bounded, not empty, not checked further.
    pub connection: String,
    /// Whom the token of this stream stands for. Verified.
    pub principal: P,
    /// When it was asked for, before anybody looked at its token.
    pub asked_at: Instant,
    /// Whom the link stands for from now on: expiry, and a change of principal, show here.
    pub identity: watch::Receiver<LinkIdentity<P>>,
    /// Where the client says that its local client came from. Informational, never to be trusted.
    pub client_address: Option<String>,
    /// What the gateway must ask the local client for, where the laptop could not look its user up.
    pub local_password: Option<SecretString>,
    /// Answers.
    pub responder: Responder,
}

impl<P> Incoming<P> {
    /// Opens the stream (200). An error means that the client is gone already.
    pub fn accept(self) -> Result<LinkStream, h2::Error> {
        self.responder.accept()
    }

    /// Refuses the stream with a status and one sentence.
    pub fn reject(self, status: RejectStatus, message: &str) {
        self.responder.reject(status, message);
    }
}

/// Why a stream is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectStatus {
    /// 400: the request makes no sense.
    Malformed,
    /// 401: the token is no good.
    Unauthenticated,
    /// 403: policy refuses.
    Refused,
    /// 404: there is no such connection for this principal.
    NotFound,
    /// 503: not now.
    Unavailable,
}

impl RejectStatus {
    fn code(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Refused => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The right to answer one request, once.
#[derive(Debug)]
pub struct Responder {
    respond: SendResponse<Bytes>,
    receive: RecvStream,
}

impl Responder {
    pub(super) fn new(respond: SendResponse<Bytes>, receive: RecvStream) -> Self {
        Self { respond, receive }
    }

    /// Opens the stream (200). An error means that the client is gone already.
    pub fn accept(mut self) -> Result<LinkStream, h2::Error> {
        let send = self.respond.send_response(Response::new(()), false)?;
        Ok(LinkStream::new(self.receive, send, StreamGuard::default()))
    }

    /// Refuses with a status and one sentence.
    pub fn reject(self, status: RejectStatus, message: &str) {
        self.end(status.code(), Some(message));
    }

    /// Answers with a status and no stream.
    pub(super) fn end(mut self, status: StatusCode, problem: Option<&str>) {
        let mut response = Response::new(());
        *response.status_mut() = status;
        if let Some(problem) = problem {
            response.headers_mut().insert(PROBLEM_HEADER, problem_value(problem));
        }
        if self.respond.send_response(response, true).is_err() {
            tracing::trace!("the client left before its answer");
        }
    }
}
