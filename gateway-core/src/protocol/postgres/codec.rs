//! Bytes ↔ messages, pure: no socket, no async. [`FrameDecoder`] cuts a stream into frames, the functions below parse
//! and write them. Every length is checked against the limit of its tag before anything is kept.
//!
//! Must not know what a message means. Called by the handshake, the relay and the fuzz targets.

mod decoder;
mod encode;
mod frontend;
mod parse_backend;
mod reader;
mod sasl;
mod startup;
#[cfg(test)]
mod tests;

pub use decoder::{FrameDecoder, Piece, Run, Side, limit, scan_run};
pub use encode::{
    authentication_cleartext, authentication_ok, backend_key, command_complete, data_row, empty_frame, error_fields,
    negotiate_protocol_version, notice_fields, parameter_status, ready_for_query, row_description, write_frame,
};
pub use frontend::{encode_frontend, parse_frontend};
pub use parse_backend::{parse_backend, parse_error_fields, parse_row_description};
pub use sasl::{authentication_sasl, authentication_sasl_continue, authentication_sasl_final, parse_sasl_initial};
pub use startup::{MAX_STARTUP_BYTES, encode_cancel, encode_ssl_request, encode_startup, parse_startup};

/// What is wrong with bytes from a peer. It holds no byte of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No message of this direction has the tag.
    #[error("unknown message type 0x{tag:02x} from the {side}")]
    UnknownTag {
        /// The tag.
        tag: u8,
        /// Who sent it.
        side: Side,
    },
    /// The length cannot be right, or is beyond what any server takes.
    #[error("message 0x{tag:02x} says it has {length} bytes, which cannot be")]
    Length {
        /// The tag; 0 during startup.
        tag: u8,
        /// The length it announced.
        length: u32,
    },
    /// The body ends before what it announces.
    #[error("message 0x{tag:02x} ends too early")]
    Truncated {
        /// The tag; 0 during startup.
        tag: u8,
    },
    /// Bytes are left in the body after its last field.
    #[error("message 0x{tag:02x} has bytes after its last field")]
    Trailing {
        /// The tag; 0 during startup.
        tag: u8,
    },
    /// Text is not UTF-8.
    #[error("message 0x{tag:02x} holds text that is not UTF-8")]
    NotText {
        /// The tag; 0 during startup.
        tag: u8,
    },
    /// A field has a value that the protocol does not define.
    #[error("message 0x{tag:02x} has an invalid {field}")]
    Invalid {
        /// The tag; 0 during startup.
        tag: u8,
        /// The field.
        field: &'static str,
    },
    /// The client asks for another major version.
    #[error("protocol version {major}.{minor} is not supported, only 3.0 and 3.2")]
    Version {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
}

impl CodecError {
    /// The SQLSTATE a server gives for it.
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::NotText { .. } => "22021",
            Self::Version { .. } => "0A000",
            Self::UnknownTag { .. }
            | Self::Length { .. }
            | Self::Truncated { .. }
            | Self::Trailing { .. }
            | Self::Invalid { .. } => "08P01",
        }
    }

    /// Whether the stream can no longer be followed, so that the connection must close. The others are errors in one
    /// body, after which the next message is readable.
    pub const fn breaks_framing(&self) -> bool {
        match self {
            Self::UnknownTag { .. } | Self::Length { .. } | Self::Version { .. } => true,
            Self::Truncated { tag } | Self::Trailing { tag } | Self::NotText { tag } | Self::Invalid { tag, .. } => {
                *tag == 0
            }
        }
    }
}
