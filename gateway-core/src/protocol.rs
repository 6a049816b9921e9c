//! Wire protocols. Each is a folder of the same six files: message, codec, handshake, inspect, reframe, refuse.
//!
//! Nothing here imports `policy`: the two meet in `session` through [`crate::model::Operation`].

pub mod http;
pub mod json;
pub mod llm;
pub mod mcp;
pub mod postgres;
pub mod sse;
pub mod ssh;
