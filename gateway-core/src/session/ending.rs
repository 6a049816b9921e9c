//! Why a session ends: the word in the record, and what the client is told.
//!
//! Knows no socket; `farewell` says it to both sides.

use std::io;

use bytes::BytesMut;

use super::{registry::End, relay::HELD_AHEAD_BYTES};
use crate::{
    model::{ApprovalId, PrincipalName, Refusal, SessionId},
    protocol::postgres::{
        codec::CodecError,
        refuse::{self, Report},
    },
    record::RecordError,
};

/// Why a session ends. The client is told where it is still there.
#[derive(Debug)]
pub(super) enum Ending {
    /// The client said goodbye or closed its stream.
    ClientLeft,
    /// The upstream closed, or ended the session with this SQLSTATE.
    UpstreamEnded(String),
    /// The client's bytes are not the protocol.
    Protocol(CodecError),
    /// A message came that has no place there.
    Unexpected(&'static str),
    /// The client sent more behind a held statement than is kept for it.
    TooFarAhead,
    /// A value could not be masked.
    Unmaskable(&'static str),
    /// A setting that decisions rely on changed under the session.
    Setting(&'static str),
    /// Something could not be recorded.
    Unrecorded,
    /// A stream failed.
    Io(io::Error),
    /// The link's token ran out, or another principal took it over.
    Identity,
    /// A policy no longer permits the connection.
    Policy(Refusal),
    /// The window that it came through closed; the approval that had opened it.
    Window(ApprovalId),
    /// Somebody who may ended it.
    Killed {
        /// Who.
        by: PrincipalName,
        /// Why, where it was said.
        reason: Option<String>,
    },
    /// The run that it belongs to ended.
    RunEnded,
    /// The site changed, and with it what this session rests on.
    SiteChanged {
        /// What changed.
        why: String,
    },
    /// It has lasted, or was silent, for as long as the site lets it; or what it came through ended.
    Limit(String),
    /// The gateway stops.
    Stopped,
    /// The catalogue could not be read.
    Catalogue(String),
}

impl From<RecordError> for Ending {
    fn from(error: RecordError) -> Self {
        tracing::error!(%error, "a session could not be recorded");
        Self::Unrecorded
    }
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Killed { by, reason } => Self::Killed { by, reason },
            End::RunEnded => Self::RunEnded,
            End::LoggedOut => Self::Identity,
            End::SiteChanged { why } => Self::SiteChanged { why },
            End::Outer { why } => Self::Limit(why),
            End::Stopped => Self::Stopped,
        }
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Ending {
    /// The word in the record.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::ClientLeft => "client left".to_owned(),
            Self::UpstreamEnded(state) if state.is_empty() => "upstream closed".to_owned(),
            Self::UpstreamEnded(state) => format!("upstream ended ({state})"),
            Self::Protocol(error) => format!("protocol violation: {error}"),
            Self::Unexpected(side) => format!("unexpected message from the {side}"),
            Self::TooFarAhead => "too much was sent behind a held statement".to_owned(),
            Self::Unmaskable(what) => format!("unmaskable: {what}"),
            Self::Setting(name) => format!("the setting {name} changed"),
            Self::Unrecorded => "could not be recorded".to_owned(),
            Self::Io(error) => format!("connection lost: {}", error.kind()),
            Self::Identity => "token expired or principal changed".to_owned(),
            Self::Window(approval) => format!("the access of {approval} ended"),
            Self::Policy(_) => "policy no longer permits it".to_owned(),
            Self::Killed { by, reason: Some(reason) } => format!("ended by {by}: {reason}"),
            Self::Killed { by, reason: None } => format!("ended by {by}"),
            Self::RunEnded => "its run ended".to_owned(),
            Self::SiteChanged { why } => format!("the site changed: {why}"),
            Self::Limit(why) => why.clone(),
            Self::Stopped => "the gateway stopped".to_owned(),
            Self::Catalogue(_) => "the catalogue could not be read".to_owned(),
        }
    }

    /// Whether the client may want what it asked for to run on without it, as with any server. In every other case the
    /// gateway took the right away, or lost sight of it.
    pub(super) fn lets_work_go_on(&self) -> bool {
        matches!(self, Self::ClientLeft)
    }

    /// What becomes of a request that waits: the word in the record.
    pub(super) fn withdraws_because(&self) -> &'static str {
        let client_left = matches!(self, Self::ClientLeft);
        if client_left { "the client went away" } else { "the session was ended" }
    }

    /// What the client is told, as a FATAL error; nothing where it has gone or was told.
    pub(super) fn write(&self, session: &SessionId, out: &mut BytesMut) {
        let detail = format!("Session {session}.");
        let mut say = |sqlstate: &'static str, message: &str, hint: &str| {
            Report::fatal(sqlstate, message).detail(&detail).hint(hint).write(out);
        };
        match self {
            Self::UpstreamEnded(state) if state.is_empty() => {
                say("57P01", "the upstream closed the connection", "Connect again.");
            }
            Self::ClientLeft | Self::Io(_) | Self::UpstreamEnded(_) => {}
            Self::Protocol(error) => refuse::protocol_error(error, session, out),
            Self::Unexpected(side) => {
                let message = format!("the {side} sent a message that has no place here");
                say("08P01", &message, "Connect again; if it happens again, report it with the session id.");
            }
            Self::TooFarAhead => {
                let message = format!("more than {} MiB were sent behind a held statement", HELD_AHEAD_BYTES >> 20);
                say("54000", &message, "The request is withdrawn. Wait for its decision before sending what follows.");
            }
            Self::Unmaskable(what) => {
                let message = format!("the connection is closed because {what}");
                say("42501", &message, "Select fewer or smaller columns, in text format.");
            }
            Self::Setting(name) => {
                let message =
                    format!("the connection is closed because {name} changed, and the gateway could no longer read it");
                say("42501", &message, "Connect again, and leave that setting alone.");
            }
            Self::Unrecorded => {
                say(
                    "58030",
                    "the gateway cannot record this session, so it may not go on",
                    "Tell the gateway's operator.",
                );
            }
            Self::Identity => {
                say(
                    "57P01",
                    "the login behind this connection expired or changed",
                    "Run `hoop login`, then connect again.",
                );
            }
            Self::Policy(refusal) => refuse::fatal_refusal(refusal, session, out),
            Self::Window(approval) => {
                let message = format!("the access that approval {approval} opened has ended");
                say("57P01", &message, "Ask again: hoop connect NAME --request 'why' --for 1h");
            }
            Self::Killed { by, reason } => {
                let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                say("57P01", &format!("{by} ended this session{why}"), &format!("Ask {by}, or connect again."));
            }
            Self::RunEnded => {
                say("57P01", "the run of this connection has ended", "Start it again with `hoop exec`.");
            }
            Self::SiteChanged { why } => {
                say("57P01", &format!("the gateway's site changed: {why}"), "Connect again.");
            }
            Self::Limit(why) => say("57P01", &format!("the session ended: {why}"), "Connect again."),
            Self::Stopped => say("57P01", "the gateway is shutting down", "Connect again in a moment."),
            Self::Catalogue(why) => {
                let message = format!("the gateway cannot read the database's catalogue: {why}");
                say("58000", &message, "Connect again; tell the gateway's operator if it stays.");
            }
        }
    }
}
