//! Moves bytes and identity between a local socket and a gateway. Knows names, not policies and not protocols.
//!
//! On a laptop: `listener` accepts, `peer` says who is there, `client` opens a stream on a link, `forward` copies.
//! On the gateway: `acceptor` serves the other end of the link and hands each stream on with a verified principal.

#![warn(missing_docs)]

pub mod acceptor;
pub mod client;
pub mod forward;
pub mod link;
pub mod listener;
pub mod peer;
