//! A command or a shell that runs: its input, its output, its signals and its end, in both directions at once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf, Sig};

use super::{
    channel::{Outgoing, STDERR, size},
    conversation::Conversation,
    incoming::Incoming,
    lines::{After, Typing, Watched},
    terminal::{Keeper, resized},
};
use crate::{
    mask::Detectors,
    model::{Operation, OperationNumber},
    protocol::ssh::{message::TerminalSize, reframe::Output, refuse},
    record::{OwnPurpose, Status},
    session::outcome::Open,
    upstream::{LinkEnds, LinkPurpose, LoginOrder, SshChannel, SweepOrder},
};

/// How long the machine may take to end what it was told to end.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a login and its sweep may take: the session waits a little longer.
const SWEEP_PATIENCE: Duration = Duration::from_secs(4);
/// How long the end of an output waits for the status of what wrote it: a client that has seen the end of both directions
/// closes, and hears nothing more then.
const STATUS_PATIENCE: Duration = Duration::from_millis(250);
/// After so long without output, somebody who watches sees what may be half a value.
const SILENCE: Duration = Duration::from_millis(50);

/// What runs, with everything around it.
pub(super) struct Running {
    pub(super) conversation: Arc<Conversation>,
    pub(super) machine: SshChannel,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    pub(super) operations: Vec<Operation>,
    pub(super) approved: bool,
    pub(super) sight: Arc<Detectors>,
    pub(super) form: Form,
    pub(super) open: Open,
}

/// What its output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text: masked.
    Printed {
        /// Whether what is typed is decided line by line, where there is a terminal.
        reads_lines: bool,
    },
    /// Content of files: searched, and stopped at the first value.
    Carried,
}

/// How it ended.
enum End {
    /// The machine closed the channel.
    Over,
    /// The client left.
    Left,
    /// It may not go on, for this reason.
    Stopped(String),
    /// The machine does not run it.
    NotRun,
}

/// Serves a command to its end.
pub(super) async fn serve(running: Running, mut from: ChannelReadHalf, terminal: Option<TerminalSize>) {
    let Running { conversation, machine, mut incoming, outgoing, operations, approved, sight, form, mut open } =
        running;
    let number = open.number;
    let mut keeper = Keeper::new(&conversation, number, terminal);
    let watched = terminal.map(|size| Watched::new(size, form == Form::Printed { reads_lines: true }));
    let output = || match (form, terminal) {
        (Form::Carried, _) => Output::carried(&sight),
        (Form::Printed { .. }, Some(size)) => Output::terminal(&sight, usize::try_from(size.columns).unwrap_or(0)),
        (Form::Printed { .. }, None) => Output::new(&sight),
    };
    let mut downward = Downward {
        conversation: &conversation,
        outgoing: &outgoing,
        number,
        outputs: [Some(output()), Some(Output::new(&sight))],
        watched: watched.as_ref(),
        keeper: &mut keeper,
        open: &mut open,
        tag: None,
        whole: false,
        end_is_told: false,
    };
    let end = {
        let (conversation, machine) = (&conversation, &machine);
        let typing = Typing { conversation, machine, outgoing: &outgoing, watched: watched.as_ref(), number };
        let up = std::pin::pin!(upward(&typing, &mut incoming));
        let down = std::pin::pin!(downward.run(&mut from));
        let stopped = std::pin::pin!(no_longer(conversation, &operations, approved, &sight));
        tokio::select! {
            biased;
            why = stopped => End::Stopped(why),
            end = down => end,
            () = up => End::Left,
        }
    };
    let (tag, whole) = (downward.tag.take(), downward.whole);
    let hidden = downward.masked();
    open.add_masked(hidden);
    match end {
        End::Over => {
            keeper.end(&conversation, number, whole);
            match &tag {
                Some(tag) => open.end(Status::Completed { tag }),
                None => open.end(Status::Failed { sqlstate: "no exit status" }),
            }
            outgoing.close().await;
        }
        End::Left => {
            drop(tokio::time::timeout(PATIENCE, machine.close()).await);
            keeper.end(&conversation, number, false);
        }
        End::NotRun => {
            open.end(Status::Failed { sqlstate: "not run" });
            outgoing.tell(refuse::notice("the machine does not run this; its own log says why")).await;
            outgoing.finish(refuse::REFUSED_STATUS).await;
        }
        End::Stopped(why) => {
            conversation.stop_running(&machine, &mut from).await;
            keeper.end(&conversation, number, false);
            open.end(Status::Failed { sqlstate: "ended" });
            let text = refuse::notice(&format!("{why}; session {}", conversation.id));
            drop(tokio::time::timeout(PATIENCE, outgoing.tell(text)).await);
            drop(tokio::time::timeout(PATIENCE, outgoing.finish(refuse::REFUSED_STATUS)).await);
        }
    }
}

/// What became of what was told to end.
enum Stopped {
    Over,
    StillThere,
}

/// Ends what runs: it is told to, then it is made to, then its streams are closed.
async fn stop(machine: &SshChannel, from: &mut ChannelReadHalf) -> Stopped {
    let ending = async {
        for signal in [Sig::TERM, Sig::HUP, Sig::KILL] {
            machine.signal(signal).await?;
        }
        machine.close().await?;
        while from.wait().await.is_some() {}
        Ok::<_, crate::upstream::SshError>(())
    };
    match tokio::time::timeout(PATIENCE, ending).await {
        Ok(Ok(())) => Stopped::Over,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a machine was gone before it was told to end something");
            Stopped::Over
        }
        Err(_elapsed) => Stopped::StillThere,
    }
}

impl Conversation {
    /// Ends what runs on a channel; where signals did not reach it and the whole session ends, all that the session runs.
    pub(super) async fn stop_running(&self, machine: &SshChannel, from: &mut ChannelReadHalf) {
        let stopped = stop(machine, from).await;
        if let Some(ends) = machine.forced() {
            // The machine closes such a channel at once, and lets what it runs go on.
            return self.sweep_forced(&ends).await;
        }
        if matches!(stopped, Stopped::Over) {
            return;
        }
        tracing::debug!(session = %self.id, "a machine did not end what it was told to end");
        if !self.ended.is_cancelled() {
            return;
        }
        let order = self.record(|recorder| recorder.own(OwnPurpose::Cancel, SweepOrder));
        let Ok(order) = order else { return };
        if let Err(error) = self.outlet.sweep(order).await {
            tracing::warn!(session = %self.id, %error, "what a session ran on its machine may still run");
        }
    }

    /// Ends what one link was forced to run, by a login that is forced to do that and nothing else.
    async fn sweep_forced(&self, ends: &LinkEnds) {
        let key_id = self.id.as_str().to_owned();
        let order = LoginOrder { key_id, purpose: LinkPurpose::Command(ends.sweep()) };
        let orders = self.record(|recorder| {
            let login = recorder.own(OwnPurpose::Authenticate, order)?;
            Ok((login, recorder.own(OwnPurpose::Cancel, SweepOrder)?))
        });
        let Ok((login, sweep)) = orders else { return };
        let sweeping = async {
            let link = self.outlet.log_in(login).await?;
            self.outlet.sweep_forced(&link, ends, sweep).await
        };
        match tokio::time::timeout(SWEEP_PATIENCE, sweeping).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(session = %self.id, %error, "what reviewers let through may still run on its machine");
            }
            Err(_elapsed) => {
                tracing::warn!(session = %self.id, "what reviewers let through may still run: its machine is slow");
            }
        }
    }
}

/// Waits until what runs may not run any more (law 9), and says why.
pub(super) async fn no_longer(
    conversation: &Conversation,
    operations: &[Operation],
    approved: bool,
    sight: &Detectors,
) -> String {
    let mut policies = conversation.policies.clone();
    loop {
        tokio::select! {
            biased;
            () = conversation.ended.cancelled() => return conversation.why().to_owned(),
            Ok(()) = policies.changed() => {}
        }
        let now = policies.borrow_and_update().clone();
        let still = conversation.still_permits(&now, operations, approved);
        let seen: Vec<_> = conversation.sight(&now).classes().collect();
        if !still {
            return "a change of policy no longer permits this".to_owned();
        }
        if seen != sight.classes().collect::<Vec<_>>() {
            return "a change of policy masks other values now".to_owned();
        }
    }
}

/// From the client to the machine, under the permit; returns when the client left.
#[expect(clippy::wildcard_enum_match_arm, reason = "russh adds messages; each arm that is not named changes nothing")]
async fn upward(typing: &Typing<'_>, incoming: &mut Incoming) {
    let Typing { conversation, machine, watched, number, .. } = *typing;
    while let Some(message) = incoming.next().await {
        let sent = match message {
            ChannelMsg::Data { data } => match typing.take(data, incoming).await {
                Ok(After::Goes) => Ok(()),
                Ok(After::Left) => return,
                Err(error) => Err(error),
            },
            ChannelMsg::Eof => machine.end_input().await,
            ChannelMsg::Signal { signal } => machine.signal(signal).await,
            ChannelMsg::WindowChange { col_width, row_height, pix_width, pix_height } => {
                let size = size(col_width, row_height, pix_width, pix_height);
                resized(conversation, number, size);
                if let Some(watched) = watched {
                    watched.resized(size);
                }
                machine.resize(size).await
            }
            ChannelMsg::Close => return,
            // A second request on a channel that runs something is answered by the machine's own rules: not at all.
            _ => Ok(()),
        };
        if let Err(error) = sent {
            // The other direction says how it ended.
            tracing::debug!(session = %conversation.id, %error, "a machine takes no more input");
            std::future::pending::<()>().await;
        }
    }
}

/// From the machine to the client: masked, counted, recorded.
struct Downward<'running> {
    conversation: &'running Conversation,
    outgoing: &'running Outgoing,
    number: OperationNumber,
    outputs: [Option<Output>; 2],
    watched: Option<&'running Watched>,
    keeper: &'running mut Keeper,
    open: &'running mut Open,
    tag: Option<String>,
    whole: bool,
    end_is_told: bool,
}

impl Downward<'_> {
    async fn run(&mut self, from: &mut ChannelReadHalf) -> End {
        // One exec, one answer; whatever else was not asked for an answer.
        let mut early = VecDeque::new();
        loop {
            match from.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure) | None => return End::NotRun,
                Some(message) => early.push_back(message),
            }
            if early.len() > 1024 {
                return End::NotRun;
            }
        }
        loop {
            let message = match early.pop_front() {
                Some(message) => Some(message),
                None if self.whole && !self.end_is_told => {
                    if let Ok(message) = tokio::time::timeout(STATUS_PATIENCE, from.wait()).await {
                        message
                    } else {
                        if self.tell_end().await.is_err() {
                            return End::Left;
                        }
                        continue;
                    }
                }
                None if self.watched.is_some() && self.outputs.iter().flatten().any(Output::is_waiting) => {
                    match tokio::time::timeout(SILENCE, from.wait()).await {
                        Ok(message) => message,
                        Err(_elapsed) => match self.let_go().await {
                            Some(end) => return end,
                            None => continue,
                        },
                    }
                }
                None => from.wait().await,
            };
            let over = message.is_none();
            if let Some(end) = self.take(message.unwrap_or(ChannelMsg::Close)).await {
                return end;
            }
            if over {
                return End::Over;
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "russh adds messages; each arm that is not named changes nothing"
    )]
    async fn take(&mut self, message: ChannelMsg) -> Option<End> {
        match message {
            ChannelMsg::Data { data } => return self.output(data, false).await,
            ChannelMsg::ExtendedData { data, ext: STDERR } => return self.output(data, true).await,
            ChannelMsg::Eof => {
                self.whole = true;
                for is_error in [false, true] {
                    let last = self.flush(is_error);
                    if !last.is_empty() && self.send(last, is_error).await.is_some() {
                        return Some(End::Left);
                    }
                }
                if self.tag.is_some() && self.tell_end().await.is_err() {
                    return Some(End::Left);
                }
            }
            ChannelMsg::ExitStatus { exit_status } => {
                self.tag = Some(format!("exit {exit_status}"));
                if self.outgoing.write.exit_status(exit_status).await.is_err() {
                    return Some(End::Left);
                }
                if self.whole && self.tell_end().await.is_err() {
                    return Some(End::Left);
                }
            }
            ChannelMsg::ExitSignal { signal_name, core_dumped, error_message, lang_tag } => {
                self.tag = Some(format!("signal {signal_name:?}"));
                let message = self.sight_of(&error_message);
                self.outgoing.signalled(signal_name, core_dumped, message, lang_tag).await;
                if self.whole && self.tell_end().await.is_err() {
                    return Some(End::Left);
                }
            }
            ChannelMsg::Close => {
                // Nobody is left to be told otherwise.
                drop(self.tell_end().await);
                return Some(End::Over);
            }
            _ => {}
        }
        None
    }

    /// Tells the client that no output follows, once.
    async fn tell_end(&mut self) -> Result<(), russh::Error> {
        if std::mem::replace(&mut self.end_is_told, true) { Ok(()) } else { self.outgoing.write.eof().await }
    }

    /// What the machine says of a signal goes on without what it might hold.
    fn sight_of(&self, text: &str) -> String {
        if self.outputs.iter().flatten().any(Output::masks) { String::new() } else { text.to_owned() }
    }

    /// Somebody watches, and nothing came for a while: what may be half a value is shown.
    async fn let_go(&mut self) -> Option<End> {
        for is_error in [false, true] {
            let [stdout, stderr] = &mut self.outputs;
            let shown = if is_error { stderr } else { stdout }.as_mut().map(Output::flush).unwrap_or_default();
            if !shown.is_empty() && self.send(shown, is_error).await.is_some() {
                return Some(End::Left);
            }
        }
        None
    }

    async fn output(&mut self, data: Bytes, is_error: bool) -> Option<End> {
        if let Some(watched) = self.watched {
            watched.wrote(&data);
            let columns = watched.columns();
            self.keeper.resize(columns);
            self.outputs.iter_mut().flatten().for_each(|output| output.resize(columns));
        }
        if self.keeper.push(self.conversation, self.number, is_error, data.clone()).is_err() {
            return Some(End::Stopped("it cannot be recorded any more".to_owned()));
        }
        let [stdout, stderr] = &mut self.outputs;
        let output = if is_error { stderr } else { stdout };
        let shown = output.as_mut()?.chunk(data);
        match shown {
            Ok(shown) if shown.is_empty() => None,
            Ok(shown) => self.send(shown, is_error).await,
            Err(refusal) => Some(End::Stopped(refusal.message)),
        }
    }

    async fn send(&mut self, bytes: Bytes, is_error: bool) -> Option<End> {
        self.conversation.touch();
        self.open.add_bytes(bytes.len());
        let write = &self.outgoing.write;
        let sent =
            if is_error { write.extended_data_bytes(STDERR, bytes).await } else { write.data_bytes(bytes).await };
        sent.is_err().then_some(End::Left)
    }

    /// The rest of one output.
    fn flush(&mut self, is_error: bool) -> Bytes {
        let [stdout, stderr] = &mut self.outputs;
        let output = if is_error { stderr } else { stdout };
        let Some(output) = output.take() else { return Bytes::new() };
        let (last, tally) = output.end(true);
        self.open.add_masked(tally);
        last
    }

    /// What was masked where no proper end came.
    fn masked(&mut self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for output in self.outputs.iter_mut().filter_map(Option::take) {
            for (class, count) in output.end(false).1 {
                *all.entry(class).or_default() += count;
            }
        }
        all
    }
}
