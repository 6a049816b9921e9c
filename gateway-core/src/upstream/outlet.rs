//! The only way bytes reach an upstream after login: messages that are permitted and recorded, what follows under a
//! message that already passed, and what the gateway itself sends, recorded as its own.
//!
//! Law 1 is carried by the types: [`Outlet::send`] takes only `Recorded<Permitted<Frontend>>`.
//!
//! ```compile_fail
//! # use hoop_gateway_core::{upstream::Outlet, protocol::postgres::message::Frontend, model::OperationNumber};
//! fn forward<W>(outlet: &mut Outlet<W>, message: Frontend) {
//!     outlet.send(OperationNumber(1), message); // neither decided nor recorded
//! }
//! ```
//! ```compile_fail
//! # use hoop_gateway_core::{upstream::Outlet, policy::Permitted, protocol::postgres::message::Frontend};
//! # use hoop_gateway_core::model::OperationNumber;
//! fn forward<W>(outlet: &mut Outlet<W>, message: Permitted<Frontend>) {
//!     outlet.send(OperationNumber(1), message); // decided, not recorded
//! }
//! ```
//! ```
//! # use hoop_gateway_core::{upstream::Outlet, policy::Permitted, record::Recorded};
//! # use hoop_gateway_core::{protocol::postgres::message::Frontend, model::OperationNumber};
//! fn forward<W>(outlet: &mut Outlet<W>, message: Recorded<Permitted<Frontend>>) {
//!     outlet.send(OperationNumber(1), message);
//! }
//! ```

use std::{collections::HashSet, io};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::{
    model::OperationNumber,
    policy::Permitted,
    protocol::postgres::{
        codec::encode_frontend,
        message::{Bind, Execute, Frontend, Parse, Query, Target, Text},
    },
    record::{Own, Recorded},
};

/// What may follow under a permit that is already open, or that ends the conversation.
#[derive(Debug)]
pub struct Continuation(Frontend);

impl Continuation {
    /// Takes a message that opens nothing by itself; `None` for any other.
    pub fn new(message: Frontend) -> Option<Self> {
        match message {
            Frontend::Describe(_)
            | Frontend::Execute(_)
            | Frontend::Close(_)
            | Frontend::Flush
            | Frontend::Sync
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail(_)
            | Frontend::Terminate => Some(Self(message)),
            Frontend::Query(_)
            | Frontend::Parse(_)
            | Frontend::Bind(_)
            | Frontend::FunctionCall(_)
            | Frontend::Password(_) => None,
        }
    }

    /// What neither runs nor feeds anything needs none: its statement was permitted when it was prepared or declared.
    fn needs_operation(&self) -> bool {
        !matches!(
            self.0,
            Frontend::Close(_) | Frontend::Describe(_) | Frontend::Flush | Frontend::Sync | Frontend::Terminate
        )
    }
}

/// What the gateway itself sends on a session's backend.
#[derive(Debug)]
pub enum OwnMessage {
    /// A query that reads a setting on the session's own backend.
    ReadSetting(&'static str),
    /// A query that reads what names mean on the session's own backend, in messages that disturb nothing of the
    /// client's: neither the unnamed statement and portal, nor, with `syncs` false, an implicit transaction.
    ReadNames {
        /// The query.
        text: &'static str,
        /// The statement and portal to read with; no client knows it.
        name: Text,
        /// Whether nothing of a batch is open, so that it ends with a Sync of its own.
        syncs: bool,
    },
    /// Text that no server can run, so that it fails in place of a refused query.
    FailQuery(Text),
    /// The execution of a portal that cannot exist, so that the batch fails in place of a refused message.
    FailBatch(Text),
}

/// A continuation came for an operation that is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no operation is open for this message")]
pub struct NotOpen;

/// The sending half of an upstream session. It exists only after a recorded login.
#[derive(Debug)]
pub struct Outlet<W> {
    io: W,
    pending: BytesMut,
    open: HashSet<OperationNumber>,
}

impl<W> Outlet<W> {
    /// Takes over the sending half of a backend that logged in.
    pub(crate) fn new(io: W) -> Self {
        Self { io, pending: BytesMut::new(), open: HashSet::new() }
    }

    /// Queues a message that was permitted and durably recorded, and opens its operation.
    pub fn send(&mut self, number: OperationNumber, message: Recorded<Permitted<Frontend>>) {
        self.open.insert(number);
        encode_frontend(&message.into_inner().into_message(), &mut self.pending);
    }

    /// Queues what follows under an open operation; Sync, Flush and Terminate need none.
    pub fn follow(&mut self, under: Option<OperationNumber>, message: &Continuation) -> Result<(), NotOpen> {
        let open = under.is_some_and(|number| self.open.contains(&number));
        if message.needs_operation() && !open {
            return Err(NotOpen);
        }
        encode_frontend(&message.0, &mut self.pending);
        Ok(())
    }

    /// Queues what the gateway itself sends.
    pub fn send_own(&mut self, message: Recorded<Own<OwnMessage>>) {
        let message = match message.into_inner().into_message() {
            OwnMessage::ReadNames { text, name, syncs } => return self.read_names(text, &name, syncs),
            OwnMessage::ReadSetting(text) => Text::copied(text).map(|text| Frontend::Query(Query { text })),
            OwnMessage::FailQuery(text) => Some(Frontend::Query(Query { text })),
            OwnMessage::FailBatch(portal) => Some(Frontend::Execute(Execute { portal, max_rows: 0 })),
        };
        if let Some(message) = message {
            encode_frontend(&message, &mut self.pending);
        }
    }

    fn read_names(&mut self, text: &'static str, name: &Text, syncs: bool) {
        let Some(text) = Text::copied(text) else { return };
        let (statement, portal) = (Target::Statement(name.clone()), Target::Portal(name.clone()));
        let end = if syncs { Frontend::Sync } else { Frontend::Flush };
        let messages = [
            Frontend::Parse(Parse { name: name.clone(), text, parameter_types: Vec::new() }),
            Frontend::Bind(Bind {
                portal: name.clone(),
                statement: name.clone(),
                parameter_formats: Vec::new(),
                parameters: Vec::new(),
                result_formats: Vec::new(),
                shown: Vec::new(),
            }),
            Frontend::Execute(Execute { portal: name.clone(), max_rows: 0 }),
            Frontend::Close(portal),
            Frontend::Close(statement),
            end,
        ];
        for message in &messages {
            encode_frontend(message, &mut self.pending);
        }
    }

    /// Ends an operation: nothing follows under it any more.
    pub fn close(&mut self, number: OperationNumber) {
        self.open.remove(&number);
    }

    /// Gives the stream back, to be closed: what was queued is dropped.
    pub(crate) fn into_inner(self) -> W {
        self.io
    }

    /// Bytes queued and not yet written.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

impl<W: AsyncWrite + Unpin> Outlet<W> {
    /// Writes some of what is queued. Cancel-safe: what was not written stays queued.
    pub async fn write_some(&mut self) -> io::Result<()> {
        let written = self.io.write(&self.pending).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.pending.advance(written);
        if self.pending.is_empty() {
            self.io.flush().await?;
            if self.pending.capacity() > MAX_KEPT_CAPACITY {
                self.pending = BytesMut::new();
            }
        }
        Ok(())
    }

    /// Writes everything that is queued. Not cancel-safe for the peer's view of message boundaries; used at the end.
    pub async fn write_all(&mut self) -> io::Result<()> {
        while self.pending() > 0 {
            self.write_some().await?;
        }
        Ok(())
    }
}

/// A buffer grown beyond this by one large message is given back.
const MAX_KEPT_CAPACITY: usize = 4 * 1024;

#[cfg(test)]
mod tests;
