//! The HTTP API that the CLI and the dashboard call.

pub mod types;
