//! SFTP: each packet is read, what opens or changes something is decided and on record before it goes on, what reads and
//! writes goes under the permit of its open. What was carried has its hash in the record.

mod carried;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::sync::mpsc;

use self::carried::Carried;
use super::{
    channel::{Outgoing, unmaskable},
    command::{Running, no_longer},
    conversation::Conversation,
    hold::{Passed, Turned},
    incoming::{Incoming, Meanwhile},
};
use crate::{
    config::MaskedDownloads,
    mask::Detectors,
    model::{Operation, Refusal},
    protocol::ssh::{
        codec::{self, FileAnswer},
        inspect::{self, OpenFiles},
        message::{FileAsks, FileRequest, Handle},
        reframe::found,
        refuse,
    },
    record::{Event, Status},
    session::outcome::Open,
    upstream::SshChannel,
};

/// As many files may be open, and as many packets unanswered.
const MOST_OPEN: usize = 1024;
const MOST_PENDING: usize = 4096;

/// A file that is open, with what was carried of it.
struct OpenFile {
    operations: Vec<Operation>,
    approved: bool,
    open: Open,
    name: String,
    carried: Carried,
}

/// What the machine still has to answer.
enum Pending {
    /// An OPEN, with what becomes an open file.
    Opens(Box<OpenFile>),
    /// Anything else that was let through.
    Does(Open),
    /// A READ of that file from there.
    Reads(Handle, u64),
}

#[derive(Default)]
struct Books {
    pending: BTreeMap<u32, Pending>,
    files: BTreeMap<Handle, OpenFile>,
    names: OpenFiles,
}

/// One SFTP channel.
struct Files {
    conversation: Arc<Conversation>,
    machine: SshChannel,
    outgoing: Outgoing,
    sight: Arc<Detectors>,
    books: Mutex<Books>,
    /// Packets to the client go whole.
    writing: tokio::sync::Mutex<()>,
}

/// How it ended.
enum End {
    Over,
    Stopped(String),
}

/// Serves SFTP to its end.
pub(super) async fn serve(running: Running, mut from: ChannelReadHalf) {
    let Running { conversation, machine, mut incoming, outgoing, operations, approved, sight, open, .. } = running;
    let (books, writing) = (Mutex::default(), tokio::sync::Mutex::default());
    let files = Files { conversation, machine, outgoing, sight, books, writing };
    let end = {
        let up = std::pin::pin!(files.upward(&mut incoming));
        let down = std::pin::pin!(files.downward(&mut from));
        let conversation = &files.conversation;
        let stopped = std::pin::pin!(no_longer(conversation, &operations, approved, &files.sight));
        let changed = std::pin::pin!(files.no_longer());
        tokio::select! {
            biased;
            why = stopped => End::Stopped(why),
            why = changed => End::Stopped(why),
            end = down => end,
            end = up => end,
        }
    };
    files.abandon();
    match end {
        End::Over => {
            open.end(Status::Completed { tag: "exit 0" });
            drop(tokio::time::timeout(std::time::Duration::from_secs(1), files.machine.close()).await);
            files.outgoing.finish(0).await;
        }
        End::Stopped(why) => {
            open.end(Status::Failed { sqlstate: "ended" });
            files.conversation.stop_running(&files.machine, &mut from).await;
            let text = refuse::notice(&format!("{why}; session {}", files.conversation.id));
            let telling = async {
                files.outgoing.tell(text).await;
                files.outgoing.finish(refuse::REFUSED_STATUS).await;
            };
            drop(tokio::time::timeout(std::time::Duration::from_secs(1), telling).await);
        }
    }
}

impl Files {
    fn books<T>(&self, with: impl FnOnce(&mut Books) -> T) -> T {
        with(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a file that is open may not be any more.
    async fn no_longer(&self) -> String {
        let mut policies = self.conversation.policies.clone();
        while policies.changed().await.is_ok() {
            let now = policies.borrow_and_update().clone();
            let still = self.books(|books| {
                let mut open = books.files.values();
                open.all(|file| self.conversation.still_permits(&now, &file.operations, file.approved))
            });
            if !still {
                return "a change of policy no longer permits an open file".to_owned();
            }
        }
        std::future::pending().await
    }

    /// What is still open has an unknown end.
    fn abandon(&self) {
        self.books(|books| {
            books.pending.clear();
            books.files.clear();
        });
    }

    /// From the client to the machine.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "russh adds messages; each arm that is not named changes nothing"
    )]
    async fn upward(&self, incoming: &mut Incoming) -> End {
        let (mut buffer, mut begun) = (BytesMut::new(), false);
        while let Some(message) = incoming.next().await {
            match message {
                ChannelMsg::Data { data } => buffer.extend_from_slice(&data),
                // What is unanswered is answered still; the machine closes then.
                ChannelMsg::Eof => {
                    if self.machine.end_input().await.is_err() {
                        return End::Over;
                    }
                    continue;
                }
                ChannelMsg::Close => return End::Over,
                _ => continue,
            }
            loop {
                let packet = match codec::next_packet(&mut buffer) {
                    Ok(Some(packet)) => packet,
                    Ok(None) => break,
                    Err(error) => return End::Stopped(error.to_string()),
                };
                if !begun {
                    begun = true;
                    if codec::begins(&packet).is_none() {
                        return End::Stopped("SFTP begins with INIT".to_owned());
                    }
                    if self.machine.input(codec::init()).await.is_err() {
                        return End::Over;
                    }
                    continue;
                }
                match codec::request(packet) {
                    Ok(request) => {
                        if let Some(end) = self.packet(request, incoming).await {
                            return end;
                        }
                    }
                    Err(error) => return End::Stopped(error.to_string()),
                }
            }
        }
        End::Over
    }

    /// One packet of the client.
    async fn packet(&self, request: FileRequest, incoming: &mut Incoming) -> Option<End> {
        let (id, asks, packet) = (request.id, request.asks.clone(), request.packet.clone());
        let full = self.books(|books| {
            books.pending.contains_key(&id) || books.pending.len() >= MOST_PENDING || books.files.len() >= MOST_OPEN
        });
        if full && !matches!(asks, FileAsks::Close(_)) {
            return self.answer(codec::status(id, codec::FAILURE, "too much is open or unanswered")).await;
        }
        if matches!(asks, FileAsks::Other) {
            return self.answer(codec::status(id, codec::UNSUPPORTED, "hoop does not know this request")).await;
        }
        let reads = matches!(asks, FileAsks::Open { reads: true, .. } | FileAsks::OpenFolder(_));
        let settings = self.conversation.served.connection.ssh.as_ref();
        let searched = settings.is_some_and(|ssh| ssh.watching.downloads == MaskedDownloads::Scanned);
        if reads && !self.sight.is_empty() && !searched {
            // FAIL-CLOSED: what a file holds cannot be masked without breaking it.
            let hint = "Read it with a command, whose output is masked.";
            return self.refuse(id, &unmaskable("values are masked for you here, and files cannot be", hint)).await;
        }
        let circumstance = Arc::clone(&self.conversation.circumstance);
        let inspected = self.books(|books| inspect::file(request, &books.names, circumstance));
        let Some(inspected) = inspected else { return self.go_on(id, &asks, packet).await };
        let (notices, _told) = mpsc::unbounded_channel();
        let passed = incoming.during(self.conversation.pass(inspected, &notices)).await;
        match passed {
            Meanwhile::Done(Ok(passed)) => self.send(id, &asks, passed).await,
            Meanwhile::Done(Err(Turned { refusal, .. })) => self.refuse(id, &refusal).await,
            Meanwhile::Left => Some(End::Over),
            Meanwhile::TooMuch => Some(End::Stopped("too much was sent behind a request that waits".to_owned())),
        }
    }

    /// A packet that is permitted and on record.
    async fn send(&self, id: u32, asks: &FileAsks, passed: Passed) -> Option<End> {
        let Passed { recorded, operations, approved, mut open } = passed;
        open.sent();
        let pending = match asks {
            FileAsks::Open { path, .. } | FileAsks::OpenFolder(path) => {
                let name = String::from_utf8_lossy(path).into_owned();
                let carried = Carried::new(&self.sight);
                Pending::Opens(Box::new(OpenFile { operations, approved, open, name, carried }))
            }
            FileAsks::Look(_)
            | FileAsks::RealPath(_)
            | FileAsks::SetAttributes { .. }
            | FileAsks::SetHandleAttributes { .. }
            | FileAsks::Remove(_)
            | FileAsks::RemoveFolder(_)
            | FileAsks::MakeFolder(_)
            | FileAsks::Rename(..)
            | FileAsks::Link(..)
            | FileAsks::Read { .. }
            | FileAsks::Write { .. }
            | FileAsks::Continue(_)
            | FileAsks::Close(_)
            | FileAsks::Limits
            | FileAsks::Other => Pending::Does(open),
        };
        self.books(|books| books.pending.insert(id, pending));
        self.machine.file(recorded).await.is_err().then_some(End::Over)
    }

    /// A packet under the permit that opened its handle.
    async fn go_on(&self, id: u32, asks: &FileAsks, packet: Bytes) -> Option<End> {
        match asks {
            FileAsks::Write { handle, offset, content } => self.books(|books| {
                if let Some(file) = books.files.get_mut(handle) {
                    file.carried.written(*offset, content);
                }
            }),
            FileAsks::Read { handle, offset, length } => {
                let asked = self.books(|books| {
                    let file = books.files.get_mut(handle);
                    file.map_or(Ok(()), |file| file.carried.may_ask(*offset, *length))?;
                    books.pending.insert(id, Pending::Reads(handle.clone(), *offset));
                    Ok::<_, Refusal>(())
                });
                if let Err(refusal) = asked {
                    return self.answer(codec::status(id, codec::PERMISSION_DENIED, &refusal.message)).await;
                }
            }
            FileAsks::Close(handle) => {
                let file = self.books(|books| {
                    books.names.remove(handle);
                    books.files.remove(handle)
                });
                if let Some(file) = file {
                    self.closed(file);
                }
            }
            FileAsks::Continue(_)
            | FileAsks::Open { .. }
            | FileAsks::OpenFolder(_)
            | FileAsks::Look(_)
            | FileAsks::RealPath(_)
            | FileAsks::SetAttributes { .. }
            | FileAsks::SetHandleAttributes { .. }
            | FileAsks::Remove(_)
            | FileAsks::RemoveFolder(_)
            | FileAsks::MakeFolder(_)
            | FileAsks::Rename(..)
            | FileAsks::Link(..)
            | FileAsks::Limits
            | FileAsks::Other => {}
        }
        self.machine.input(packet).await.is_err().then_some(End::Over)
    }

    /// Records what was carried.
    fn closed(&self, file: OpenFile) {
        let OpenFile { mut open, name, carried, .. } = file;
        let (number, stopped) = (open.number, carried.is_stopped());
        let (bytes, facts) = carried.facts();
        let text = self.conversation.environment.sealed(&name, &[]);
        if self.conversation.append(&Event::Noted { number, kind: "file", text: &text, facts: &facts }).is_err() {
            tracing::warn!(session = %self.conversation.id, "what was carried could not be recorded");
        }
        open.add_bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        open.end(if stopped {
            Status::Failed { sqlstate: "ended at a value" }
        } else {
            Status::Completed { tag: "closed" }
        });
    }

    async fn refuse(&self, id: u32, refusal: &Refusal) -> Option<End> {
        let text = refuse::line(refusal, &self.conversation.id);
        // Clients show only the code's own words; people read the lines.
        self.outgoing.tell(refuse::lines(refusal, None, &self.conversation.id)).await;
        self.answer(codec::status(id, codec::PERMISSION_DENIED, &text)).await
    }

    /// A packet for the client, whole.
    async fn answer(&self, packet: Bytes) -> Option<End> {
        let _alone = self.writing.lock().await;
        self.outgoing.write.data_bytes(packet).await.is_err().then_some(End::Over)
    }

    /// From the machine to the client.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "russh adds messages; each arm that is not named changes nothing"
    )]
    async fn downward(&self, from: &mut ChannelReadHalf) -> End {
        let mut buffer = BytesMut::new();
        while let Some(message) = from.wait().await {
            match message {
                ChannelMsg::Data { data } => buffer.extend_from_slice(&data),
                ChannelMsg::Failure => return End::Stopped("the machine does not serve SFTP".to_owned()),
                ChannelMsg::Close => return End::Over,
                _ => continue,
            }
            let (mut out, mut told) = (BytesMut::new(), String::new());
            loop {
                match codec::next_packet(&mut buffer) {
                    Ok(Some(packet)) => match codec::answer(&packet) {
                        Ok(answer) => match self.learn(answer) {
                            Ok(()) => out.extend_from_slice(&packet),
                            Err((id, refusal)) => {
                                let text = refuse::line(&refusal, &self.conversation.id);
                                out.extend_from_slice(&codec::status(id, codec::PERMISSION_DENIED, &text));
                                told = refuse::lines(&refusal, None, &self.conversation.id);
                            }
                        },
                        Err(error) => return End::Stopped(error.to_string()),
                    },
                    Ok(None) => break,
                    Err(error) => return End::Stopped(error.to_string()),
                }
            }
            if !told.is_empty() {
                self.outgoing.tell(told).await;
            }
            if !out.is_empty()
                && let Some(end) = self.answer(out.freeze()).await
            {
                return end;
            }
        }
        End::Over
    }

    /// What the machine answered; what must not go on is refused.
    fn learn(&self, answer: FileAnswer) -> Result<(), (u32, Refusal)> {
        match answer {
            FileAnswer::Version => {}
            FileAnswer::Handle(id, handle) => self.books(|books| {
                if let Some(Pending::Opens(file)) = books.pending.remove(&id) {
                    books.names.insert(handle.clone(), file.name.clone());
                    books.files.insert(handle, *file);
                }
            }),
            FileAnswer::Data(id, content) => {
                let refused = self.books(|books| {
                    let Some(Pending::Reads(handle, offset)) = books.pending.remove(&id) else { return None };
                    let file = books.files.get_mut(&handle)?;
                    let first = !file.carried.is_stopped();
                    let refusal = file.carried.read(offset, &content).err()?;
                    first.then(|| self.cut_off(file, &refusal));
                    Some(refusal)
                });
                if let Some(refusal) = refused {
                    return Err((id, refusal));
                }
            }
            FileAnswer::Names(id, names) => {
                if let Some(Pending::Does(open)) = self.books(|books| books.pending.remove(&id)) {
                    open.end(Status::Completed { tag: "done" });
                }
                if let Some(class) = names.iter().find_map(|name| self.sight.class_of(name)) {
                    return Err((id, found(class)));
                }
            }
            FileAnswer::Status(id, code) => {
                let pending = self.books(|books| books.pending.remove(&id));
                let open = match pending {
                    Some(Pending::Opens(file)) => file.open,
                    Some(Pending::Does(open)) => open,
                    Some(Pending::Reads(..)) | None => return Ok(()),
                };
                if code == 0 {
                    open.end(Status::Completed { tag: "done" });
                } else {
                    open.end(Status::Failed { sqlstate: &format!("status {code}") });
                }
            }
            FileAnswer::Other(id) => {
                if let Some(Pending::Does(open)) = self.books(|books| books.pending.remove(&id)) {
                    open.end(Status::Completed { tag: "done" });
                }
            }
        }
        Ok(())
    }

    /// Puts on record that a download ended at a value.
    fn cut_off(&self, file: &OpenFile, refusal: &Refusal) {
        let text = self.conversation.environment.sealed(&file.name, &[]);
        drop(self.conversation.refused(file.open.number, &file.operations, &text, refusal.clone()));
    }
}
