//! The link between a laptop and a gateway: one HTTP/2 connection over TLS 1.3, one CONNECT stream per local connection.
//!
//! Owns the words and the numbers both sides must agree on, and the stream type. Knows neither sockets nor policies.
//! `client` speaks the one end, `acceptor` the other.

mod heartbeat;
mod settings;
mod stream;
mod tls;
mod words;

pub(crate) use heartbeat::heartbeat;
pub(crate) use settings::{client_builder, server_builder};
pub(crate) use stream::StreamGuard;
pub(crate) use words::{
    CLIENT_ADDRESS_HEADER, LOCAL_PASSWORD_HEADER, MAX_CONNECTION_NAME_BYTES, PROBLEM_HEADER, TOKEN_PATH, bearer,
    problem_text, problem_value, token_of,
};

pub use settings::{CONNECTION_WINDOW_BYTES, FRAME_BYTES, STREAM_WINDOW_BYTES, STREAMS_PER_LINK};
pub use stream::{Closed, LinkStream, ReadHalf, WriteHalf};
pub use tls::{client_tls, client_tls_with_roots};

/// The ALPN name that a gateway's listener tells links from HTTP by.
pub const ALPN: &[u8] = b"hoop-link/1";
