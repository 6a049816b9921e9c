//! The Model Context Protocol over streamable HTTP, as a dialect of HTTP.
//!
//! Every message of a body is read and decided: sessions, lists, reading, calls of tools with their arguments. Lists of
//! tools show only what may be called and whose definition is the one that was reviewed; results are masked; what a
//! server asks of the client goes no further unless a policy permits it.
//!
//! ```text
//! client ── POST: one message, or several ──> codec ──> inspect (an operation each) ──> upstream
//! client <── filtered, masked messages ── reframe (JSON, or a stream of events) <── answer, GET stream ──
//! ```
//!
//! SPEC: <https://modelcontextprotocol.io/specification/2025-06-18/basic/transports>, JSON-RPC 2.0.

pub mod codec;
pub mod dialect;
#[doc(hidden)]
pub mod fuzz_entry;
pub mod inspect;
pub mod message;
pub mod reframe;
pub mod refuse;
mod sessions;
pub mod tools;
