//! One channel of a client, from its opening to its close: what it wants to run in, what it asks for, what it is told.

use std::sync::Arc;

use bytes::Bytes;
use russh::{
    Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf,
    server::{Handle, Msg},
};
use tokio::sync::mpsc;

use super::{
    command::{self, Form},
    conversation::Conversation,
    files,
    hold::{Passed, Turned},
    incoming::{Incoming, Meanwhile},
};
use crate::{
    config::{MaskedDownloads, MaskedTerminal, ShellLines, Watching},
    model::{Refusal, RefusalKind},
    policy::Permitted,
    protocol::ssh::{
        inspect::{self, Carried},
        message::{SshRequest, Surroundings, Terminal, TerminalSize},
        refuse,
    },
    record::{OwnPurpose, Recorded, Status},
    session::{books::unrecorded, outcome::Open},
    shell::Reader,
    upstream::{LinkPurpose, LoginOrder, ReaderOrder, SshChannel, SshError, SshLink},
};

/// SPEC: RFC 4254, 5.2: extended data of this type is the standard error.
pub(super) const STDERR: u32 = 1;
const MOST_VARIABLES: usize = 64;
const MOST_VALUE_BYTES: usize = 32 * 1024;

/// What goes to the client of one channel.
pub(super) struct Outgoing {
    pub(super) write: ChannelWriteHalf<Msg>,
    handle: Handle,
}

impl Outgoing {
    /// Lines on the standard error.
    pub(super) async fn tell(&self, text: String) {
        if self.write.extended_data_bytes(STDERR, Bytes::from(text)).await.is_err() {
            tracing::debug!("a client left before it was told");
        }
    }

    /// Ends a channel whose command was not run, or was ended: its status, then its close.
    pub(super) async fn finish(&self, status: u32) {
        let ended = async {
            self.write.eof().await?;
            self.write.exit_status(status).await?;
            self.write.close().await
        };
        if ended.await.is_err() {
            tracing::debug!("a client left before its channel was closed");
        }
    }

    /// Ends a channel of which the machine said how it ended.
    pub(super) async fn close(&self) {
        if self.write.close().await.is_err() {
            tracing::debug!("a client left before its channel was closed");
        }
    }

    /// What runs was ended by a signal.
    pub(super) async fn signalled(&self, signal: russh::Sig, dumped: bool, message: String, language: String) {
        let sent = self.handle.exit_signal_request(self.write.id(), signal, dumped, message, language);
        if sent.await.is_err() {
            tracing::debug!("a client left before it was told of a signal");
        }
    }
}

/// What a channel asks for, with what came before.
enum Wanted {
    Exec(Bytes),
    Shell,
    Files,
}

/// Serves a channel to its end.
pub(super) async fn serve(conversation: Arc<Conversation>, channel: Channel<Msg>, handle: Handle) {
    let (read, write) = channel.split();
    let (mut incoming, outgoing) = (Incoming::new(read), Outgoing { write, handle });
    let mut within = Surroundings { terminal: None, environment: Vec::new() };
    let wanted = tokio::select! {
        wanted = wanted(&conversation, &mut incoming, &mut within) => wanted,
        () = conversation.ended.cancelled() => None,
    };
    let Some(wanted) = wanted else { return outgoing.close().await };
    let has_terminal = within.terminal.is_some();
    let reader = if matches!(wanted, Wanted::Exec(_)) { conversation.reader().await } else { Ok(Reader::Known) };
    let request = match wanted {
        // FAIL-CLOSED: who cannot be asked is another.
        Wanted::Exec(command) => SshRequest::Exec { command, reader: reader.clone().unwrap_or(Reader::Other), within },
        Wanted::Shell => SshRequest::Shell { within },
        Wanted::Files => SshRequest::Files { within },
    };
    let settings = conversation.served.connection.ssh.as_ref();
    let Some(watching) = settings.map(|settings| settings.watching) else { return outgoing.close().await };
    let is_files = matches!(request, SshRequest::Files { .. });
    let size = terminal(&request);
    let command = if let SshRequest::Exec { command, .. } = &request { Some(command.clone()) } else { None };
    let too_long = command.as_ref().is_some_and(|command| command.len() > inspect::MOST_COMMAND_BYTES);
    let sight = conversation.sight(&conversation.policies.borrow().clone());
    let reads_lines = matches!(request, SshRequest::Shell { .. }) && watching.lines == ShellLines::Decided;
    let inspected = inspect::channel(request, Arc::clone(&conversation.circumstance));
    let carries = inspect::carries(inspected.operations());
    let passed = if too_long {
        Err(Turned::from(unreadable("the command line is too long", "Put it into a script.")))
    } else if let Err(unreached) = reader {
        Err(conversation.turned(inspected.operations(), unreached))
    } else if has_terminal && !sight.is_empty() && watching.terminal == MaskedTerminal::Refused {
        // FAIL-CLOSED: what is written key by key cannot be masked before it is seen.
        let hint = "Run a command without a terminal: `ssh -T … COMMAND`. An operator can have terminals masked as they \
                    stream: `terminal = \"masked\"` in the connection.";
        let refusal = unmaskable("values are masked for you here, and a terminal cannot be masked", hint);
        Err(conversation.turned(inspected.operations(), refusal))
    } else if let Some(why) = carries.filter(|_| !sight.is_empty()).and_then(|carried| carried.refusal(watching)) {
        // FAIL-CLOSED: a protocol with lengths in it cannot be masked, and what is packed cannot be searched.
        let refusal = unmaskable(why, "Read it with a command, whose output is masked.");
        Err(conversation.turned(inspected.operations(), refusal))
    } else {
        waiting(&conversation, &mut incoming, &outgoing, inspected).await
    };
    let passed = match passed {
        Ok(passed) => passed,
        Err(turned) => {
            let text = refuse::lines(&turned.refusal, turned.approval.as_ref(), &conversation.id);
            outgoing.tell(text).await;
            return outgoing.finish(refuse::REFUSED_STATUS).await;
        }
    };
    let Passed { recorded, operations, approved, open } = passed;
    let bound = command.filter(|_| approved);
    let purpose = conversation.outlet.link_for(bound.map_or(LinkPurpose::Session, LinkPurpose::Command));
    let (machine, from, open) = match conversation.reach(purpose, recorded, open).await {
        Ok(opened) => opened,
        Err(refusal) => {
            outgoing.tell(refuse::lines(&refusal, None, &conversation.id)).await;
            return outgoing.finish(refuse::REFUSED_STATUS).await;
        }
    };
    let form = if carries.is_some() { Form::Carried } else { Form::Printed { reads_lines } };
    let running =
        command::Running { conversation, machine, incoming, outgoing, operations, approved, sight, form, open };
    if is_files {
        files::serve(running, from).await;
    } else {
        command::serve(running, from, size).await;
    }
}

fn terminal(request: &SshRequest) -> Option<TerminalSize> {
    match request {
        SshRequest::Exec { within, .. } | SshRequest::Shell { within } => {
            within.terminal.as_ref().map(|terminal| terminal.size)
        }
        SshRequest::Files { .. } | SshRequest::File(_) | SshRequest::Line { .. } | SshRequest::Forward { .. } => None,
    }
}

impl Carried {
    /// Why it cannot go where values are masked.
    fn refusal(self, watching: Watching) -> Option<&'static str> {
        match (self, watching.downloads) {
            (_, MaskedDownloads::Refused) => Some("values are masked for you here, and what is downloaded cannot be"),
            (Self::Packed, MaskedDownloads::Scanned) => {
                Some("values are masked for you here, and what is packed on its way cannot be searched for them")
            }
            (Self::Plain, MaskedDownloads::Scanned) => None,
        }
    }
}

/// Waits for what the channel is for.
#[expect(clippy::wildcard_enum_match_arm, reason = "russh adds messages; each arm that is not named changes nothing")]
async fn wanted(conversation: &Conversation, incoming: &mut Incoming, within: &mut Surroundings) -> Option<Wanted> {
    let accepted = conversation.served.connection.ssh.as_ref().map(|ssh| ssh.accept_env.as_slice()).unwrap_or_default();
    loop {
        match incoming.next().await? {
            ChannelMsg::Exec { command, .. } => return Some(Wanted::Exec(Bytes::from(command))),
            ChannelMsg::RequestShell { .. } => return Some(Wanted::Shell),
            ChannelMsg::RequestSubsystem { name, .. } if name == "sftp" => return Some(Wanted::Files),
            ChannelMsg::RequestPty { term, col_width, row_height, pix_width, pix_height, terminal_modes, .. } => {
                let name: String = term.chars().filter(char::is_ascii_graphic).take(64).collect();
                let size = size(col_width, row_height, pix_width, pix_height);
                let modes = terminal_modes.into_iter().map(|(mode, value)| (mode as u8, value)).collect();
                within.terminal = Some(Terminal { name, size, modes });
            }
            ChannelMsg::SetEnv { variable_name, variable_value, .. }
                if accepted.contains(&variable_name)
                    && variable_value.len() <= MOST_VALUE_BYTES
                    && within.environment.len() < MOST_VARIABLES =>
            {
                within.environment.push((variable_name, variable_value));
            }
            ChannelMsg::WindowChange { col_width, row_height, pix_width, pix_height } => {
                if let Some(terminal) = &mut within.terminal {
                    terminal.size = size(col_width, row_height, pix_width, pix_height);
                }
            }
            ChannelMsg::Close => return None,
            // What was answered already, what comes too early.
            _ => {}
        }
    }
}

/// The size that a client says, in what a terminal can have.
pub(super) fn size(columns: u32, rows: u32, pixel_width: u32, pixel_height: u32) -> TerminalSize {
    let most = 2_000;
    TerminalSize { columns: columns.min(most), rows: rows.min(most), pixel_width, pixel_height }
}

/// Decides, and tells the client what it waits for.
async fn waiting(
    conversation: &Arc<Conversation>,
    incoming: &mut Incoming,
    outgoing: &Outgoing,
    inspected: crate::model::flow::Inspected<SshRequest>,
) -> Result<Passed, Turned> {
    let (notices, mut told) = mpsc::unbounded_channel();
    let telling = async {
        let mut passing = std::pin::pin!(conversation.pass(inspected, &notices));
        loop {
            tokio::select! {
                biased;
                Some(text) = told.recv() => outgoing.tell(refuse::notice(&text)).await,
                passed = &mut passing => return passed,
            }
        }
    };
    match Box::pin(incoming.during(telling)).await {
        Meanwhile::Done(passed) => passed,
        Meanwhile::Left => Err(Turned::from(unreadable("the client went away", "Ask again."))),
        Meanwhile::TooMuch => {
            Err(Turned::from(unreadable("too much was sent behind a command that waits", "Send its input later.")))
        }
    }
}

fn unreadable(message: &str, hint: &str) -> Refusal {
    let (message, hint) = (message.to_owned(), Some(hint.to_owned()));
    Refusal { kind: RefusalKind::Unsupported, rule: None, message, hint }
}

pub(super) fn unmaskable(message: &str, hint: &str) -> Refusal {
    Refusal { kind: RefusalKind::Unmaskable, ..unreadable(message, hint) }
}

impl Conversation {
    /// A conversation with the machine: one of its own for what a certificate binds it to, else the shared one.
    pub(super) async fn link(&self, purpose: LinkPurpose) -> Result<SshLink, Refusal> {
        let _alone = self.dialling.lock().await;
        if purpose == LinkPurpose::Session
            && let Some(link) = self.outlet.shared().await
        {
            return Ok(link);
        }
        let order = LoginOrder { key_id: self.id.as_str().to_owned(), purpose };
        let order = self.record(|recorder| recorder.own(OwnPurpose::Authenticate, order))?;
        self.outlet.log_in(order).await.map_err(|error| self.unreached(&error))
    }

    /// Who reads a command line there; the machine is asked before the first one.
    async fn reader(&self) -> Result<Reader, Refusal> {
        let asking = async {
            let _alone = self.asking.lock().await;
            if let Some(reader) = self.outlet.reader() {
                return Ok(reader);
            }
            let link = self.link(LinkPurpose::Session).await?;
            let order = self.record(|recorder| recorder.own(OwnPurpose::Probe, ReaderOrder))?;
            self.outlet.ask_reader(&link, order).await.map_err(|error| self.unreached(&error))
        };
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(unrecorded()),
            reader = Box::pin(asking) => reader,
        }
    }

    /// Has the machine do what is on record. Not reached, or ended meanwhile, it has that for its outcome.
    pub(super) async fn reach(
        &self,
        purpose: LinkPurpose,
        recorded: Recorded<Permitted<SshRequest>>,
        mut open: Open,
    ) -> Result<(SshChannel, ChannelReadHalf, Open), Refusal> {
        let opening = async {
            let link = self.link(purpose).await?;
            open.sent();
            self.outlet.open(&link, recorded).await.map_err(|error| self.unreached(&error))
        };
        let opened = tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(unrecorded()),
            opened = Box::pin(opening) => opened,
        };
        match opened {
            Ok((machine, from)) => Ok((machine, from, open)),
            Err(refusal) => {
                open.end(Status::Failed { sqlstate: "not reached" });
                Err(refusal)
            }
        }
    }

    /// What a client is told of a machine that is not to be had.
    fn unreached(&self, error: &SshError) -> Refusal {
        tracing::warn!(session = %self.id, %error, connection = %self.served.facts.name, "a machine is not to be had");
        let hint = Some("Try again; tell the gateway's operator if it stays.".to_owned());
        Refusal { kind: RefusalKind::Unsupported, rule: None, message: error.to_string(), hint }
    }
}
