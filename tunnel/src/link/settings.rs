//! The numbers of a link, for both sides, and the h2 builders that carry them.
//!
//! INVARIANT: `STREAMS_PER_LINK * STREAM_WINDOW_BYTES <= CONNECTION_WINDOW_BYTES`: a reader that pauses can fill its own window only,
//! so it never delays another stream; when a link is full, the client opens another.

use std::time::Duration;

/// Bytes one stream may have in flight to a reader that does not read.
pub const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// Bytes all streams of one link may have in flight together.
pub const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;
/// Streams that live on one link at once.
pub const STREAMS_PER_LINK: u32 = 32;
/// The largest DATA frame.
pub const FRAME_BYTES: u32 = 64 << 10;

const _: () = assert!(STREAMS_PER_LINK as u64 * STREAM_WINDOW_BYTES as u64 <= CONNECTION_WINDOW_BYTES as u64);

const HEADER_LIST_BYTES: u32 = 32 << 10;
const SEND_BUFFER_BYTES: usize = 512 << 10;
/// Streams a peer may open and reset before we answered: more is a flood, and ends the link.
const RESETS_BEFORE_ACCEPT: usize = 32;
const LOCAL_ERROR_RESETS: usize = 128;
const RESETS_REMEMBERED: usize = 64;
const RESET_MEMORY: Duration = Duration::from_secs(5);

pub(crate) fn client_builder() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_concurrent_streams(0)
        .initial_max_send_streams(STREAMS_PER_LINK as usize)
        .max_concurrent_reset_streams(RESETS_REMEMBERED)
        .max_local_error_reset_streams(Some(LOCAL_ERROR_RESETS))
        .max_pending_accept_reset_streams(RESETS_BEFORE_ACCEPT)
        .reset_stream_duration(RESET_MEMORY);
    builder
}

pub(crate) fn server_builder() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        // One more than streams: presenting a token needs a slot on a full link.
        .max_concurrent_streams(STREAMS_PER_LINK + 1)
        .max_concurrent_reset_streams(RESETS_REMEMBERED)
        .max_local_error_reset_streams(Some(LOCAL_ERROR_RESETS))
        .max_pending_accept_reset_streams(RESETS_BEFORE_ACCEPT)
        .reset_stream_duration(RESET_MEMORY);
    builder
}
