//! SSH: command lines, shells and files. The transport is russh's; what is decided is read here.
//!
//! ```text
//! client ── CHANNEL_REQUEST exec ──> inspect ──> Operation ──> policy ──> record ──> upstream: a channel of its own
//! client ── SFTP packets ──> codec ──> inspect ──> each open, rename, remove … an operation; read and write go under
//!                                                  the permit of their open
//! ```
//! SPEC: RFC 4253, 4254; draft-ietf-secsh-filexfer-02 (SFTP version 3); OpenSSH's PROTOCOL.

pub mod beginning;
pub mod codec;
pub mod forward;
pub mod fuzz_entry;
pub mod handshake;
pub mod inspect;
pub mod message;
pub mod reframe;
pub mod refuse;
