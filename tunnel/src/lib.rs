//! Moves bytes and identity between a local socket and a gateway. Knows names, not policies and not protocols.

#![warn(missing_docs)]
