//! A way through the machine: decided by where it leads, then by what its first bytes are of; counted, recorded, ended
//! with the session, a kill or a policy that no longer permits it.
//!
//! What a connection of its own would inspect is not carried, unless policies permit `ssh_forward_uninspected` there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use russh::{
    Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf,
    server::{ChannelOpenHandle, Msg},
};
use tokio::sync::mpsc;

use super::{
    channel::unmaskable,
    conversation::Conversation,
    hold::{Passed, Turned},
};
use crate::{
    model::{Operation, Refusal},
    protocol::ssh::{
        forward::{ForwardTarget, MOST_BEGINNING, Told, of_client, of_server},
        inspect,
        message::SshRequest,
        refuse,
    },
    record::{Event, Status},
    session::outcome::Open,
    upstream::{LinkPurpose, SshChannel},
};

const PATIENCE: Duration = Duration::from_secs(1);

/// Serves a way from its opening to its close.
pub(super) async fn serve(
    conversation: Arc<Conversation>,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    to: ForwardTarget,
) {
    let passed = match pass(&conversation, &to, None).await {
        Ok(passed) => passed,
        Err(Turned { refusal, approval }) => {
            // No output belongs to it: whoever has a command open reads why there; the record has it always.
            conversation.announce(refuse::lines(&refusal, approval.as_ref(), &conversation.id)).await;
            return reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        }
    };
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
    let permits = Mutex::new(operations.into_iter().map(|operation| (operation, approved)).collect());
    let way = Way { conversation, to, machine, write, permits, ways: Mutex::default() };
    way.carry(read, from, open).await;
}

/// Decides, holds and records; a way has no room for notices, so they are announced.
async fn pass(
    conversation: &Arc<Conversation>,
    to: &ForwardTarget,
    carries: Option<&'static str>,
) -> Result<Passed, Turned> {
    let request = SshRequest::Forward { to: to.clone(), carries };
    let inspected = inspect::channel(request, Arc::clone(&conversation.circumstance));
    if !conversation.sight(&conversation.policies.borrow().clone()).is_empty() {
        let hint = "Read it with a command, whose output is masked.";
        let refusal = unmaskable("values are masked for you here, and what is forwarded cannot be", hint);
        let text = inspected.operations().first().map(|one| Arc::clone(&one.text)).unwrap_or_default();
        let text = conversation.environment.sealed(&text, &[]);
        let number = conversation.number()?;
        return Err(conversation.refused(number, inspected.operations(), &text, refusal).into());
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

/// One way.
struct Way {
    conversation: Arc<Conversation>,
    to: ForwardTarget,
    machine: SshChannel,
    write: ChannelWriteHalf<Msg>,
    /// What permits it, and whether reviewers did.
    permits: Mutex<Vec<(Operation, bool)>>,
    ways: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    up: u64,
    down: u64,
    /// What goes over it, where that is known and was permitted.
    carries: Option<(&'static str, Open)>,
}

/// The beginning of one direction, until it is told apart.
#[derive(Default)]
struct Beginning {
    held: BytesMut,
    is_told: bool,
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
            let stopped = std::pin::pin!(self.no_longer());
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
            self.note(&open, &counts);
            (counts.down, counts.carries.take())
        };
        open.add_bytes(usize::try_from(down).unwrap_or(usize::MAX));
        let carried = carried.map(|(_, open)| open);
        let told = match end {
            End::Over => {
                for open in [Some(open), carried].into_iter().flatten() {
                    open.end(Status::Completed { tag: "closed" });
                }
                return;
            }
            End::Stopped(why) => refuse::notice(&format!("forwarding to {} ended: {why}", self.to)),
            End::Refused(Turned { refusal, approval }) => {
                refuse::lines(&refusal, approval.as_ref(), &self.conversation.id)
            }
        };
        for open in [Some(open), carried].into_iter().flatten() {
            open.end(Status::Failed { sqlstate: "ended" });
        }
        self.conversation.announce(told).await;
    }

    /// Puts on record how much went each way.
    fn note(&self, open: &Open, counts: &Counts) {
        let text = self.to.to_string();
        let text = self.conversation.environment.sealed(&text, &[]);
        let mut facts = BTreeMap::from([("bytes_up", counts.up.to_string()), ("bytes_down", counts.down.to_string())]);
        facts.extend(counts.carries.as_ref().map(|(protocol, _)| ("protocol", (*protocol).to_owned())));
        let event = Event::Noted { number: open.number, kind: "forward", text: &text, facts: &facts };
        if self.conversation.append(&event).is_err() {
            tracing::warn!(session = %self.conversation.id, "what was forwarded could not be recorded");
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "russh adds messages; each arm that is not named changes nothing"
    )]
    async fn upward(&self, read: &mut ChannelReadHalf) -> End {
        let (mut beginning, mut is_over) = (Beginning::default(), false);
        while let Some(message) = read.wait().await {
            let sent = match message {
                // What follows its own end would follow bytes that were never told apart.
                ChannelMsg::Data { .. } | ChannelMsg::Eof if is_over => continue,
                ChannelMsg::Data { data } => match self.told(&mut beginning, data, of_client).await {
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => {
                        self.count(|counts| &mut counts.up, &bytes);
                        self.machine.input(bytes).await
                    }
                    Err(turned) => return End::Refused(turned),
                },
                ChannelMsg::Eof => {
                    is_over = true;
                    let rest = beginning.held.split().freeze();
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
        let (mut beginning, mut is_over) = (Beginning::default(), false);
        while let Some(message) = from.wait().await {
            let sent = match message {
                ChannelMsg::Data { .. } | ChannelMsg::Eof if is_over => continue,
                ChannelMsg::Data { data } => match self.told(&mut beginning, data, of_server).await {
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => {
                        self.count(|counts| &mut counts.down, &bytes);
                        self.write.data_bytes(bytes).await
                    }
                    Err(turned) => return End::Refused(turned),
                },
                ChannelMsg::Eof => {
                    is_over = true;
                    let rest = beginning.held.split().freeze();
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
    async fn told(&self, beginning: &mut Beginning, data: Bytes, of: fn(&[u8]) -> Told) -> Result<Bytes, Turned> {
        if beginning.is_told || self.ways.lock().unwrap_or_else(PoisonError::into_inner).carries.is_some() {
            beginning.held.extend_from_slice(&data);
            return Ok(if beginning.held.len() == data.len() {
                beginning.held.clear();
                data
            } else {
                beginning.held.split().freeze()
            });
        }
        beginning.held.extend_from_slice(&data);
        match of(&beginning.held) {
            Told::NotYet if beginning.held.len() < MOST_BEGINNING => return Ok(Bytes::new()),
            Told::NotYet | Told::Other => {}
            Told::Known(known) => {
                let passed = pass(&self.conversation, &self.to, Some(known.as_str())).await?;
                let Passed { operations, approved, mut open, recorded: _on_record } = passed;
                open.sent();
                let more = operations.into_iter().map(|operation| (operation, approved));
                self.permits.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
                let mut counts = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
                counts.carries.get_or_insert((known.as_str(), open));
            }
        }
        beginning.is_told = true;
        Ok(beginning.held.split().freeze())
    }

    /// Waits until it may not go on (law 9), and says why.
    async fn no_longer(&self) -> String {
        let conversation = &self.conversation;
        let mut policies = conversation.policies.clone();
        loop {
            tokio::select! {
                biased;
                () = conversation.ended.cancelled() => return conversation.why().to_owned(),
                Ok(()) = policies.changed() => {}
            }
            let now = policies.borrow_and_update().clone();
            let permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
            let still = permits.iter().all(|(operation, approved)| {
                conversation.still_permits(&now, std::slice::from_ref(operation), *approved)
            });
            if !still || !conversation.sight(&now).is_empty() {
                return "a change of policy no longer permits it".to_owned();
            }
        }
    }
}

/// A way to somewhere that has no one meaning.
pub(super) fn unclear(what: &str) -> Refusal {
    let hint = "Name a host as it is written in DNS, or an address in its usual form, and a port.";
    Refusal { kind: crate::model::RefusalKind::Unsupported, ..unmaskable(what, hint) }
}
