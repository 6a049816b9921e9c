//! The gateway's end of a link: serves one accepted TLS connection, verifies who presents which token, hands each stream on.
//!
//! Owns the link's identity over time and what a request may look like. Knows no policy: `Acceptor` authenticates and opens.
//! Called by the gateway's listener for connections that chose the link's ALPN name.

mod identity;
mod incoming;
mod serve;

pub use identity::{Authenticated, LinkIdentity, Rejection};
pub use incoming::{Incoming, RejectStatus, Responder};
pub use serve::{ServeError, serve};

use std::future::Future;

use secrecy::SecretString;

/// What the gateway does with a link: it knows the tokens, and what a stream is for.
pub trait Acceptor: Send + Sync + 'static {
    /// Who a token stands for. Two equal principals are the same one; a token of another is published as a change.
    type Principal: Clone + PartialEq + Send + Sync + 'static;

    /// Verifies a bearer token. Called for every stream and every token presented to the link; an error answers the request and nothing is opened.
    fn authenticate(
        &self,
        token: &SecretString,
    ) -> impl Future<Output = Result<Authenticated<Self::Principal>, Rejection>> + Send;

    /// Runs one stream to its end. Dropping `incoming` unanswered resets the stream.
    fn open(&self, incoming: Incoming<Self::Principal>) -> impl Future<Output = ()> + Send;
}
