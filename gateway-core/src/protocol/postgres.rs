//! PostgreSQL's frontend/backend protocol, version 3.0, as a pure codec plus what a gateway does with it.
//!
//! Six files, the same in every protocol: [`message`] (typed wire units), [`codec`] (bytes ↔ messages), `handshake`
//! (startup and authentication), `inspect` (message → operation), [`reframe`] (rows rebuilt after masking) and
//! [`refuse`] (a denial as a PostgreSQL error). Nothing here holds a socket, a clock or a policy.
//!
//! ```text
//!   client (frontend)                 gateway                            upstream (backend)
//!        │ SSLRequest / StartupMessage   │                                      │
//!        ├──────────────────────────────►│ parse_startup, handshake             │
//!        │ AuthenticationOk, ParameterStatus, BackendKeyData (our own key)      │
//!        │◄──────────────────────────────┤◄────────────────────────────────────►│ SCRAM with the gateway's credential
//!        │ Query · Parse/Bind/Execute    │                                      │
//!        ├──────────────────────────────►│ FrameDecoder → parse_frontend        │
//!        │                               │ inspect → decide → record            │
//!        │ ErrorResponse 42501 (refuse)  │                                      │
//!        │◄── refused ───────────────────┤── permitted and recorded ───────────►│ the bytes the parser consumed
//!        │ RowDescription, DataRow…      │ FrameDecoder → reframe (mask)        │
//!        │◄──────────────────────────────┤◄─────────────────────────────────────┤
//!        │ ReadyForQuery                 │                                      │
//! ```
//!
//! Specification: [message flow](https://www.postgresql.org/docs/current/protocol-flow.html),
//! [message formats](https://www.postgresql.org/docs/current/protocol-message-formats.html),
//! [error fields](https://www.postgresql.org/docs/current/protocol-error-fields.html),
//! [SQLSTATE codes](https://www.postgresql.org/docs/current/errcodes-appendix.html).

pub mod codec;
#[doc(hidden)]
pub mod fuzz_entry;
pub mod handshake;
pub mod inspect;
pub mod message;
pub mod reframe;
pub mod refuse;
