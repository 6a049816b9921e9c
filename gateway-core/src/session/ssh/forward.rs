//! A way through the machine: decided by where it leads, then by what its first bytes are of; counted, recorded, ended
//! with the session, a kill or a policy that no longer permits it.
//!
//! Where the site says that it leads to another connection, that one serves it (`passage`). Elsewhere, what a connection
//! of its own would inspect is not carried, unless policies permit `ssh_forward_uninspected` there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use russh::{
    Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf,
    server::{ChannelOpenHandle, Msg},
};
use tokio::sync::mpsc;

use super::{
    channel::unmaskable,
    conversation::Conversation,
    hold::{Passed, Turned},
    passage::{self, Passage},
};
use crate::{
    model::{ConnectionName, Operation, Refusal, SessionId},
    protocol::ssh::{
        beginning::{Beginning, Known, Taken},
        forward::ForwardTarget,
        inspect,
        message::SshRequest,
        refuse,
    },
    record::{Event, Status},
    session::{books::unrecorded, outcome::Open},
    upstream::{LinkPurpose, SshChannel},
};

pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of what goes over a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Nothing yet, and nothing reads it.
    Unread,
    /// A protocol that nothing inspects here.
    Known(Known),
    /// Whatever it is, a connection of the site inspects it.
    Inspected,
}

/// Serves a way from its opening to its close.
pub(super) async fn serve(
    conversation: Arc<Conversation>,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    to: ForwardTarget,
) {
    let leads = passage::leads(&conversation, &to).cloned();
    let content = if leads.is_some() { Content::Inspected } else { Content::Unread };
    let passed = match pass(&conversation, &to, content).await {
        Ok(passed) => passed,
        Err(Turned { refusal, approval }) => {
            // No output belongs to it: whoever has a command open reads why there; the record has it always.
            conversation.announce(refuse::lines(&refusal, approval.as_ref(), &conversation.id)).await;
            return reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        }
    };
    match leads {
        Some(name) => into(conversation, channel, reply, to, passed, &name).await,
        None => across(conversation, channel, reply, to, passed).await,
    }
}

/// Into another connection of the site, which decides for itself whether it is reached.
async fn into(
    conversation: Arc<Conversation>,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    to: ForwardTarget,
    passed: Passed,
    name: &ConnectionName,
) {
    // The machine is not asked: what was recorded is that the way was let through.
    let Passed { operations, approved, mut open, recorded: _on_record } = passed;
    let arrived =
        if conversation.ended.is_cancelled() { Err(unrecorded()) } else { passage::arrive(&conversation, name) };
    match arrived {
        Ok((arrival, hold)) => {
            open.sent();
            reply.accept().await;
            let permits = Permits::new(operations, approved, Content::Inspected);
            Box::pin(Passage { conversation, to, permits, open, hold }.serve(arrival, channel)).await;
        }
        Err(refusal) => {
            open.end(Status::Failed { sqlstate: "not reached" });
            let Turned { refusal, .. } = conversation.turned(&operations, refusal);
            conversation.announce(refuse::lines(&refusal, None, &conversation.id)).await;
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        }
    }
}

/// Through the machine.
async fn across(
    conversation: Arc<Conversation>,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    to: ForwardTarget,
    passed: Passed,
) {
    let Passed { recorded, operations, approved, open } = passed;
    let purpose = conversation.outlet.link_for(LinkPurpose::Forwarding);
    let (machine, from, open) = match conversation.reach(purpose, recorded, open).await {
        Ok(opened) => opened,
        Err(refusal) => {
            conversation.announce(refuse::lines(&refusal, None, &conversation.id)).await;
            return reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    };
    reply.accept().await;
    let (read, write) = channel.split();
    let permits = Permits::new(operations, approved, Content::Unread);
    let way = Way { conversation, to, machine, write, permits, ways: Mutex::default() };
    way.carry(read, from, open).await;
}

/// Decides, holds and records; a way has no room for notices, so they are announced.
async fn pass(conversation: &Arc<Conversation>, to: &ForwardTarget, content: Content) -> Result<Passed, Turned> {
    let carries = if let Content::Known(known) = content { Some(known.as_str()) } else { None };
    let request = SshRequest::Forward { to: to.clone(), carries };
    let inspected = inspect::channel(request, Arc::clone(&conversation.circumstance));
    if content != Content::Inspected && !conversation.sight(&conversation.policies.borrow().clone()).is_empty() {
        let hint = "Read it with a command, whose output is masked.";
        let refusal = unmaskable("values are masked for you here, and what is forwarded cannot be", hint);
        return Err(conversation.turned(inspected.operations(), refusal));
    }
    let (notices, mut told) = mpsc::unbounded_channel();
    let mut passing = std::pin::pin!(conversation.pass(inspected, &notices));
    loop {
        tokio::select! {
            biased;
            Some(text) = told.recv() => conversation.announce(refuse::notice(&text)).await,
            passed = &mut passing => return passed,
        }
    }
}

/// Puts on record how much went each way, and over which session where one inspected it.
pub(super) fn note(
    conversation: &Conversation,
    open: &Open,
    to: &ForwardTarget,
    [up, down]: [u64; 2],
    protocol: Option<&str>,
    session: Option<&SessionId>,
) {
    let text = to.to_string();
    let text = conversation.environment.sealed(&text, &[]);
    let mut facts = BTreeMap::from([("bytes_up", up.to_string()), ("bytes_down", down.to_string())]);
    facts.extend(protocol.map(|protocol| ("protocol", protocol.to_owned())));
    facts.extend(session.map(|session| ("session", session.to_string())));
    let event = Event::Noted { number: open.number, kind: "forward", text: &text, facts: &facts };
    if conversation.append(&event).is_err() {
        tracing::warn!(session = %conversation.id, "what was forwarded could not be recorded");
    }
}

/// What permits a way, and whether reviewers did.
pub(super) struct Permits {
    operations: Mutex<Vec<(Operation, bool)>>,
    is_read: bool,
}

impl Permits {
    fn new(operations: Vec<Operation>, approved: bool, content: Content) -> Self {
        let operations = operations.into_iter().map(|operation| (operation, approved)).collect();
        Self { operations: Mutex::new(operations), is_read: content == Content::Inspected }
    }

    fn add(&self, operations: Vec<Operation>, approved: bool) {
        let more = operations.into_iter().map(|operation| (operation, approved));
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }

    /// Waits until a way may not go on (law 9), and says why.
    pub(super) async fn no_longer(&self, conversation: &Conversation) -> String {
        let mut policies = conversation.policies.clone();
        loop {
            tokio::select! {
                biased;
                () = conversation.ended.cancelled() => return conversation.why().to_owned(),
                Ok(()) = policies.changed() => {}
            }
            let now = policies.borrow_and_update().clone();
            let permits = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
            let still = permits.iter().all(|(operation, approved)| {
                conversation.still_permits(&now, std::slice::from_ref(operation), *approved)
            });
            if !still || (!self.is_read && !conversation.sight(&now).is_empty()) {
                return "a change of policy no longer permits it".to_owned();
            }
        }
    }
}

/// One way.
struct Way {
    conversation: Arc<Conversation>,
    to: ForwardTarget,
    machine: SshChannel,
    write: ChannelWriteHalf<Msg>,
    permits: Permits,
    ways: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    up: u64,
    down: u64,
    /// What goes over it, where that is known and was permitted.
    carries: Vec<(Known, Open)>,
}

/// How it ended.
enum End {
    Over,
    Stopped(String),
    Refused(Turned),
}

impl Way {
    async fn carry(self, mut read: ChannelReadHalf, mut from: ChannelReadHalf, mut open: Open) {
        let end = {
            let up = std::pin::pin!(self.upward(&mut read));
            let down = std::pin::pin!(self.downward(&mut from));
            let stopped = std::pin::pin!(self.permits.no_longer(&self.conversation));
            tokio::select! {
                biased;
                why = stopped => End::Stopped(why),
                end = up => end,
                end = down => end,
            }
        };
        let ending = async {
            drop(self.machine.close().await);
            drop(self.write.close().await);
        };
        drop(tokio::time::timeout(PATIENCE, ending).await);
        let (down, carried) = {
            let mut counts = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
            let protocol = counts.carries.first().map(|(known, _)| known.as_str());
            note(&self.conversation, &open, &self.to, [counts.up, counts.down], protocol, None);
            (counts.down, std::mem::take(&mut counts.carries))
        };
        open.add_bytes(usize::try_from(down).unwrap_or(usize::MAX));
        let carried = carried.into_iter().map(|(_, open)| open);
        let told = match end {
            End::Over => {
                for open in std::iter::once(open).chain(carried) {
                    open.end(Status::Completed { tag: "closed" });
                }
                return;
            }
            End::Stopped(why) => refuse::notice(&format!("forwarding to {} ended: {why}", self.to)),
            End::Refused(Turned { refusal, approval }) => {
                refuse::lines(&refusal, approval.as_ref(), &self.conversation.id)
            }
        };
        for open in std::iter::once(open).chain(carried) {
            open.end(Status::Failed { sqlstate: "ended" });
        }
        self.conversation.announce(told).await;
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "russh adds messages; each arm that is not named changes nothing"
    )]
    async fn upward(&self, read: &mut ChannelReadHalf) -> End {
        let (mut beginning, mut is_over) = (Beginning::of_client(), false);
        while let Some(message) = read.wait().await {
            let sent = match message {
                // What follows its own end would follow bytes that were never told apart.
                ChannelMsg::Data { .. } | ChannelMsg::Eof if is_over => continue,
                ChannelMsg::Data { data } => match self.told(&mut beginning, data).await {
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => {
                        self.count(|counts| &mut counts.up, &bytes);
                        self.machine.input(bytes).await
                    }
                    Err(turned) => return End::Refused(turned),
                },
                ChannelMsg::Eof => {
                    is_over = true;
                    // Nothing follows that it could become something with.
                    let rest = beginning.let_go();
                    self.count(|counts| &mut counts.up, &rest);
                    let sent = if rest.is_empty() { Ok(()) } else { self.machine.input(rest).await };
                    if sent.is_err() { sent } else { self.machine.end_input().await }
                }
                ChannelMsg::Close => return End::Over,
                _ => continue,
            };
            if sent.is_err() {
                // The other direction says how it ended.
                std::future::pending::<()>().await;
            }
        }
        End::Over
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "russh adds messages; each arm that is not named changes nothing"
    )]
    async fn downward(&self, from: &mut ChannelReadHalf) -> End {
        let (mut beginning, mut is_over) = (Beginning::of_server(), false);
        while let Some(message) = from.wait().await {
            let sent = match message {
                ChannelMsg::Data { .. } | ChannelMsg::Eof if is_over => continue,
                ChannelMsg::Data { data } => match self.told(&mut beginning, data).await {
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => {
                        self.count(|counts| &mut counts.down, &bytes);
                        self.write.data_bytes(bytes).await
                    }
                    Err(turned) => return End::Refused(turned),
                },
                ChannelMsg::Eof => {
                    is_over = true;
                    // Nothing follows that it could become something with.
                    let rest = beginning.let_go();
                    self.count(|counts| &mut counts.down, &rest);
                    let sent = if rest.is_empty() { Ok(()) } else { self.write.data_bytes(rest).await };
                    if sent.is_err() { sent } else { self.write.eof().await }
                }
                ChannelMsg::Close => return End::Over,
                _ => continue,
            };
            if sent.is_err() {
                return End::Over;
            }
        }
        End::Over
    }

    fn count(&self, which: impl FnOnce(&mut Counts) -> &mut u64, bytes: &Bytes) {
        self.conversation.touch();
        let mut counts = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let count = which(&mut counts);
        *count = count.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// What may go of these bytes: none while their protocol is not told, all once it is none that hoop knows, or one
    /// that was permitted.
    async fn told(&self, beginning: &mut Beginning, data: Bytes) -> Result<Bytes, Turned> {
        match beginning.take(data) {
            Taken::Kept => Ok(Bytes::new()),
            Taken::Goes(bytes) => Ok(bytes),
            Taken::Known(known) => {
                let is_permitted = {
                    let counts = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
                    counts.carries.iter().any(|(permitted, _)| *permitted == known)
                };
                if !is_permitted {
                    let passed = pass(&self.conversation, &self.to, Content::Known(known)).await?;
                    let Passed { operations, approved, mut open, recorded: _on_record } = passed;
                    open.sent();
                    self.permits.add(operations, approved);
                    let mut counts = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
                    counts.carries.push((known, open));
                }
                Ok(beginning.let_go())
            }
            Taken::Unclear => {
                let operation = inspect::of_text(&format!("forward to {}", self.to));
                let refusal = unclear("what goes over this way cannot be told apart from what would be inspected");
                Err(self.conversation.turned(&[operation], refusal))
            }
        }
    }
}

/// A way to somewhere that has no one meaning.
pub(super) fn unclear(what: &str) -> Refusal {
    let hint = "Name a host as it is written in DNS, or an address in its usual form, and a port.";
    Refusal { kind: crate::model::RefusalKind::Unsupported, ..unmaskable(what, hint) }
}
