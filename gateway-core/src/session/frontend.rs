//! What the client sends: each message is understood, decided, recorded, and only then queued for the upstream.
//!
//! Messages that arrived together are recorded by one durable write. A refusal lets the upstream fail in place of the
//! refused message, so that transaction state and pipelining stay what a real error would have left (law 7).
//!
//! Every message has a rule in every state. *Skipped*: an earlier message of the batch failed, the server ignores all up
//! to Sync. *COPY in*: the server takes data. *Blocked* (held, or waiting for an answer or for a reading of names): the
//! message stays unread, and reading goes on up to a bound.
//!
//! | message | idle, in a transaction or a batch | skipped | COPY in |
//! |---|---|---|---|
//! | Query | decided, each statement of it | dropped | ends the session |
//! | Parse | decided as a preparation; names of statements are bounded | dropped | ends the session |
//! | Bind | decided again, with its parameters | dropped | ends the session |
//! | Describe | passes where the name is known, or is a cursor's | dropped | ends the session |
//! | Execute | passes under its Bind, not where its names may have changed since; of a cursor that SQL declared, decided as FETCH | dropped | ends the session |
//! | Close, Flush | pass | dropped | Flush is ignored, Close ends the session |
//! | Sync | passes | passes, and ends the skipping | ignored |
//! | FunctionCall | decided as a SELECT of the function, where that is one of large objects; else refused | dropped | ends the session |
//! | CopyData, CopyDone, CopyFail | dropped, as the server does | dropped | pass under their COPY |
//! | Password | ends the session | dropped | ends the session |
//! | Terminate | ends the session when all is answered | the same | ends the session |
//!
//! In a failed transaction what is decided is the server's to fail, except where names have to be read first: then only
//! ends of transactions pass, and anything else is failed as the server would.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    conversation::{CopyIn, Expect, Lookup},
    estimate::Asking,
    hold::HeldMessage,
    opened::Opened,
    reading::Current,
    relay::{Ending, Session, Step},
    sealing,
};
use crate::{
    model::{OperationNumber, flow::Inspected},
    policy::{Decision, Permitted},
    protocol::postgres::{
        codec::{Piece, limit, parse_frontend},
        handshake::Replication,
        inspect::{self, Masking, Understood},
        message::{Bind, Execute, Frontend, Parse, Query, Target, Text},
        refuse::{self, Report},
    },
    record::{Asked, RecordError, SealedText, Step as RecordedStep},
    upstream::Continuation,
};

impl Session {
    /// Whether the client's next message has to wait.
    pub(super) fn is_blocked(&self) -> bool {
        self.held.is_some()
            || matches!(self.talk.copy_in, CopyIn::Awaited(_))
            || (self.waiting.is_some() && !self.talk.is_settled())
    }

    /// Takes every message that can be taken now, then records and forwards what was permitted. Not cancel-safe.
    pub(super) async fn take_client_messages(&mut self) -> Result<(), Ending> {
        while !self.is_blocked() {
            if let Some(message) = self.waiting.take() {
                self.client_message(message).await?;
                continue;
            }
            match self.frontend.next(&mut self.client_in) {
                Ok(None) => break,
                Ok(Some(Piece::Frame(frame))) => match parse_frontend(&frame) {
                    Ok(message) => self.client_message(self.commented(message)).await?,
                    Err(error) if error.breaks_framing() => return Err(Ending::Protocol(error)),
                    // Nothing can fail in the place of a message amid data.
                    Err(_) if self.talk.takes_data().is_some() => {
                        return Err(Ending::Unexpected("client"));
                    }
                    Err(error) => {
                        let mut answer = BytesMut::new();
                        refuse::protocol_error(&error, &self.id, &mut answer);
                        self.fail_in_place(matches!(frame.tag, b'Q' | b'F'), answer.freeze())?;
                    }
                },
                Ok(Some(Piece::Oversize { tag, length })) => {
                    let mut answer = BytesMut::new();
                    refuse::oversize(length, limit::STATEMENT_BYTES, &self.id, &mut answer);
                    self.fail_in_place(matches!(tag, b'Q' | b'F'), answer.freeze())?;
                }
                Ok(Some(Piece::Chunk { .. })) => return Err(Ending::Unexpected("client")),
                Err(error) => return Err(Ending::Protocol(error)),
            }
        }
        self.forward().await
    }

    async fn client_message(&mut self, message: Frontend) -> Result<(), Ending> {
        if self.talk.skipping && !matches!(message, Frontend::Sync | Frontend::Terminate) {
            return Ok(());
        }
        if let Some(number) = self.talk.takes_data() {
            return self.copy_message(number, message);
        }
        if self.is_out_of_place(&message) {
            return self.refuse_out_of_place(&message);
        }
        match self.catch_up(&message).await? {
            Current::Yes => {}
            Current::Later => {
                self.waiting = Some(message);
                return Ok(());
            }
            Current::Never => return self.fail_aborted(&message),
        }
        let outcome = Box::pin(self.take_message(message)).await;
        self.fresh = false;
        outcome
    }

    async fn take_message(&mut self, message: Frontend) -> Result<(), Ending> {
        match message {
            Frontend::Query(query) => self.query(query).await,
            Frontend::Parse(parse) => self.parse(parse),
            Frontend::Bind(bind) => self.bind(bind).await,
            Frontend::Describe(target) => self.describe(target),
            Frontend::Execute(execute) => self.execute(execute).await,
            Frontend::Close(target) => self.close(target),
            Frontend::Sync => {
                self.talk.skipping = false;
                self.talk.sent(Expect::Sync);
                self.follow(None, Frontend::Sync)
            }
            Frontend::Flush => self.follow(None, Frontend::Flush),
            Frontend::Terminate => {
                self.leaving = true;
                self.client_in.clear();
                Ok(())
            }
            // SPEC: postgres.c ignores these outside COPY: a client may not have noticed that COPY ended.
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_) => Ok(()),
            Frontend::FunctionCall(call) => self.function_call(call).await,
            Frontend::Password(_) => Err(Ending::Unexpected("client")),
        }
    }

    /// SPEC: in COPY FROM STDIN the server takes data and its end, ignores Flush and Sync, and fails on anything else.
    fn copy_message(&mut self, number: OperationNumber, message: Frontend) -> Result<(), Ending> {
        let streams = matches!(self.talk.copy_in, CopyIn::Both(_));
        match message {
            Frontend::CopyData(ref body) if streams && !inspect::replication::is_feedback(body) => {
                Err(Ending::Unexpected("client"))
            }
            Frontend::CopyFail(_) if streams => Err(Ending::Unexpected("client")),
            Frontend::CopyData(_) => self.follow(Some(number), message),
            Frontend::CopyDone | Frontend::CopyFail(_) => {
                // Further statements of a simple query may ask for data in turn; its end is known by ReadyForQuery.
                let may_ask_again = matches!(self.talk.front(), Some(Expect::Query { .. }));
                self.talk.copy_in = if may_ask_again { CopyIn::Awaited(number) } else { CopyIn::Idle };
                self.follow(Some(number), message)
            }
            Frontend::Flush | Frontend::Sync => Ok(()),
            Frontend::Terminate => Err(Ending::ClientLeft),
            Frontend::Query(_)
            | Frontend::Parse(_)
            | Frontend::Bind(_)
            | Frontend::Describe(_)
            | Frontend::Execute(_)
            | Frontend::Close(_)
            | Frontend::FunctionCall(_)
            | Frontend::Password(_) => Err(Ending::Unexpected("client")),
        }
    }

    async fn query(&mut self, mut query: Query) -> Result<(), Ending> {
        if self.replication != Replication::No {
            match self.replication_query(query).await? {
                Some(sql) => query = sql,
                None => return Ok(()),
            }
        }
        let understood = match self.understand(query.text.as_str()) {
            Ok(understood) => understood,
            Err(error) => return self.refuse_syntax(query.text.as_str(), &error, true),
        };
        if self.fails_by_name(&understood)? {
            return Ok(());
        }
        if understood.aftermath.acts_after_undoing && self.meaning.is_touched() {
            let number = self.recorder.number();
            return self.refuse(number, &sealing::sent_together(), &understood, true);
        }
        let inspected = inspect::query(query, &understood, &self.circumstance);
        self.decide(inspected, HeldMessage::Query, understood).await
    }

    fn parse(&mut self, parse: Parse) -> Result<(), Ending> {
        if !parse.name.is_empty() && matches!(self.talk.statement(&parse.name), Lookup::Unsettled) {
            return self.wait(Frontend::Parse(parse));
        }
        let understood = match self.understand(parse.text.as_str()) {
            Ok(understood) if understood.statements <= 1 => understood,
            Ok(_) => {
                let report = Report::error("42601", "cannot insert multiple commands into a prepared statement");
                return self.fail_with(&report, false);
            }
            Err(error) => return self.refuse_syntax(parse.text.as_str(), &error, false),
        };
        let (name, types) = (parse.name.clone(), Arc::from(parse.parameter_types.as_slice()));
        let inspected = inspect::parse(parse, &understood, &self.circumstance);
        let number = self.recorder.number();
        // What needs an approval is decided again at Bind, when its parameters are known; until then it is prepared
        // only. FAIL-CLOSED: what would be refused is not even prepared.
        let decision = self.policies.decide_preparation(&self.principal, &self.facts, inspected, &self.circumstances());
        match decision {
            Decision::Permit(permitted) => {
                if let Masking::Refused(reason) = &understood.masking {
                    let refusal = sealing::unmaskable(reason);
                    return self.refuse(number, &refusal, &understood, false);
                }
                if self.talk.is_full(understood.text.len()) {
                    let report = Report::error("53400", "this session has too many prepared statements");
                    return self.fail_with(&report.hint("DEALLOCATE those that are not used any more."), false);
                }
                self.admit(number, permitted, &understood, &[], RecordedStep::Prepare)?;
                // Where SQL has the name the server fails this; then it says again what it has.
                self.meaning.unread |= self.meaning.sql.yield_statement(&name);
                self.talk.sent_parse(number, name, understood, types);
                Ok(())
            }
            Decision::Refuse { refusal, .. } => self.refuse(number, &refusal, &understood, false),
            Decision::NeedsApproval { .. } => {
                let refusal = sealing::undecided();
                self.refuse(number, &refusal, &understood, false)
            }
        }
    }

    async fn bind(&mut self, bind: Bind) -> Result<(), Ending> {
        let made = self.meaning.sql.statement(&bind.statement).and_then(|made| made.text.clone());
        let text = match (self.talk.statement(&bind.statement), made) {
            (Lookup::Known(prepared), _) => Arc::clone(&prepared.understood.text),
            (Lookup::Unsettled, _) => return self.wait(Frontend::Bind(bind)),
            (Lookup::Absent, Some(text)) => text,
            (Lookup::Absent, None) => {
                let message = format!("prepared statement \"{}\" does not exist", bind.statement.as_str());
                return self.fail_with(&Report::error("26000", &message), false);
            }
        };
        if !bind.portal.is_empty() && matches!(self.talk.portal(&bind.portal), Lookup::Unsettled) {
            return self.wait(Frontend::Bind(bind));
        }
        let understood = match self.understand(&text) {
            Ok(understood) => understood,
            Err(error) => return self.refuse_syntax(&text, &error, false),
        };
        let inspected = inspect::bind(bind, &understood, &self.sight, &self.circumstance);
        self.decide(inspected, HeldMessage::Bind, understood).await
    }

    fn describe(&mut self, target: Target) -> Result<(), Ending> {
        match &target {
            Target::Statement(name) => match self.talk.statement(name) {
                Lookup::Known(prepared) => {
                    let number = prepared.number;
                    self.talk.sent(Expect::DescribeStatement);
                    self.follow(Some(number), Frontend::Describe(target))
                }
                Lookup::Unsettled => self.wait(Frontend::Describe(target)),
                Lookup::Absent if self.meaning.sql.statement(name).is_some() => {
                    self.talk.sent(Expect::DescribeStatement);
                    self.follow(None, Frontend::Describe(target))
                }
                Lookup::Absent => {
                    let message = format!("prepared statement \"{}\" does not exist", name.as_str());
                    self.fail_with(&Report::error("26000", &message), false)
                }
            },
            Target::Portal(name) => match self.talk.portal(name) {
                Lookup::Known(portal) => {
                    let number = portal.number;
                    self.talk.sent(Expect::DescribePortal { number, own: false });
                    self.follow(Some(number), Frontend::Describe(target))
                }
                Lookup::Unsettled => self.wait(Frontend::Describe(target)),
                // It may be a cursor that SQL declared: the names of its columns, or the server's own error.
                Lookup::Absent => {
                    self.talk.sent(Expect::DescribeCursor);
                    self.follow(None, Frontend::Describe(target))
                }
            },
        }
    }

    async fn execute(&mut self, execute: Execute) -> Result<(), Ending> {
        match self.talk.portal(&execute.portal) {
            Lookup::Known(portal) => {
                let (number, understood) = (portal.number, Arc::clone(&portal.understood));
                // FAIL-CLOSED: what is looked up only now was decided by what it meant when it was bound.
                if understood.aftermath.looks_up_late && portal.epoch != self.meaning.epoch {
                    let report = Report::error("55000", "what the names in this portal mean may have changed since");
                    return self.fail_with(&report.hint("Bind it again, and execute it at once."), false);
                }
                self.note_changes(&understood);
                let copies = self.ledger.entry(number).is_some_and(|entry| entry.understood.copies_in);
                self.talk.sent(Expect::Execute { number });
                if copies {
                    self.talk.copy_in = CopyIn::Awaited(number);
                }
                self.follow(Some(number), Frontend::Execute(execute))
            }
            Lookup::Unsettled => self.wait(Frontend::Execute(execute)),
            Lookup::Absent if self.meaning.has_cursor(&execute.portal) => self.fetch(execute).await,
            Lookup::Absent => self.no_portal(&execute.portal),
        }
    }

    fn close(&mut self, target: Target) -> Result<(), Ending> {
        match &target {
            Target::Statement(name) => self.talk.sent_close_statement(name.clone()),
            Target::Portal(name) => self.talk.sent_close_portal(name.clone()),
        }
        self.follow(None, Frontend::Close(target))
    }

    fn no_portal(&mut self, name: &Text) -> Result<(), Ending> {
        let message = format!("portal \"{}\" does not exist", name.as_str());
        self.fail_with(&Report::error("34000", &message), false)
    }

    /// Keeps a message until everything before it is answered, and asks the server for those answers.
    fn wait(&mut self, message: Frontend) -> Result<(), Ending> {
        self.waiting = Some(message);
        self.follow(None, Frontend::Flush)
    }

    /// Decides a message that runs something, and either queues, refuses or holds it.
    pub(super) async fn decide(
        &mut self,
        inspected: Inspected<Frontend>,
        kind: HeldMessage,
        understood: Arc<Understood>,
    ) -> Result<(), Ending> {
        let number = self.recorder.number();
        match Box::pin(self.decided(inspected, &understood)).await {
            Decision::Permit(permitted) => self.run(number, permitted, &understood),
            Decision::Refuse { refusal, .. } => self.refuse(number, &refusal, &understood, kind.is_query()),
            Decision::NeedsApproval { need, inspected } => match &understood.masking {
                Masking::Refused(reason) => {
                    self.refuse(number, &sealing::unmaskable(reason), &understood, kind.is_query())
                }
                Masking::Untouched | Masking::Rows(_) => match self.decide_by_shape(need, inspected, &understood) {
                    Decision::Permit(permitted) => self.run(number, permitted, &understood),
                    Decision::Refuse { refusal, .. } => self.refuse(number, &refusal, &understood, kind.is_query()),
                    Decision::NeedsApproval { need, inspected } => {
                        self.hold(number, inspected, need, kind, understood).await
                    }
                },
            },
        }
    }

    /// Decides with what the planner says, where it is to be asked; again, where it is asked for the reviewers only.
    async fn decided(&mut self, inspected: Inspected<Frontend>, understood: &Understood) -> Decision<Frontend> {
        let (inspected, _) = self.estimated(inspected, understood, Asking::Decision).await;
        match self.policies.decide(&self.principal, &self.facts, inspected, &self.circumstances()) {
            Decision::NeedsApproval { need, inspected } if !matches!(understood.masking, Masking::Refused(_)) => {
                match self.estimated(inspected, understood, Asking::Reviewers).await {
                    (inspected, true) => {
                        self.policies.decide(&self.principal, &self.facts, inspected, &self.circumstances())
                    }
                    (inspected, false) => Decision::NeedsApproval { need, inspected },
                }
            }
            decided @ (Decision::Permit(_) | Decision::Refuse { .. } | Decision::NeedsApproval { .. }) => decided,
        }
    }

    /// Queues a permitted Query or Bind. What cannot be masked is refused here, whatever the policy says.
    pub(super) fn run(
        &mut self,
        number: OperationNumber,
        permitted: Permitted<Frontend>,
        understood: &Arc<Understood>,
    ) -> Result<(), Ending> {
        // While it was held, something before it failed: the server skips everything up to Sync.
        if self.talk.skipping {
            return self.skip(number);
        }
        let query = !matches!(permitted.message(), Frontend::Bind(_) | Frontend::Execute(_));
        if let Masking::Refused(reason) = &understood.masking {
            return self.refuse(number, &sealing::unmaskable(reason), understood, query);
        }
        if sealing::holds_pseudonym(permitted.message()) {
            return self.refuse(number, &sealing::unmaskable(&inspect::pseudonym()), understood, query);
        }
        let types = self.parameter_types(permitted.message());
        let parameters = sealing::parameters(permitted.message(), understood, &types, &self.environment);
        let opened = Opened::of(permitted.message());
        self.describe_cursor(number, permitted.message(), understood)?;
        match self.admit(number, permitted, understood, &parameters, RecordedStep::Execute) {
            Ok(()) => {}
            // FAIL-CLOSED: what does not fit into one record is not run; nothing of it was appended.
            Err(RecordError::TooLong { .. }) => {
                return self.refuse(number, &sealing::too_long(), understood, query);
            }
            Err(error) => return Err(error.into()),
        }
        self.note_changes(understood);
        let portal = match opened {
            Opened::Portal(portal) => portal,
            Opened::More => {
                self.talk.sent(Expect::Execute { number });
                return Ok(());
            }
            Opened::Call { gives_content } => {
                self.talk.sent(Expect::Call { number, gives_content });
                return Ok(());
            }
            Opened::Query => {
                self.talk.sent_query(number);
                if understood.copies_in {
                    self.talk.copy_in = CopyIn::Awaited(number);
                }
                return Ok(());
            }
        };
        self.meaning.unread |= self.meaning.sql.yield_cursor(&portal);
        self.talk.sent_bind(number, portal.clone(), Arc::clone(understood), self.meaning.epoch);
        if self.needs_description(understood) {
            self.talk.sent(Expect::DescribePortal { number, own: true });
            self.follow(Some(number), Frontend::Describe(Target::Portal(portal)))?;
        }
        Ok(())
    }

    fn admit(
        &mut self,
        number: OperationNumber,
        permitted: Permitted<Frontend>,
        understood: &Arc<Understood>,
        parameters: &[Option<SealedText<'_>>],
        step: RecordedStep,
    ) -> Result<(), RecordError> {
        let text = sealing::text(understood, &self.environment.sealer);
        let proposed_by = self.proposed_by(understood);
        let asked = Asked { number, step, text: &text, parameters, proposed_by: proposed_by.as_ref() };
        let admitted = self.recorder.admit(permitted, &asked)?;
        self.admitted.push(admitted);
        self.steps.push(Step::Open(number));
        self.counts.operations += 1;
        if step == RecordedStep::Execute {
            self.meter.operations(&self.facts.name, &understood.operations);
        }
        self.open_entry(number, understood, step == RecordedStep::Prepare);
        Ok(())
    }

    /// Queues what follows under an open operation.
    pub(super) fn follow(&mut self, under: Option<OperationNumber>, message: Frontend) -> Result<(), Ending> {
        let continuation = Continuation::new(message).ok_or(Ending::Unexpected("gateway"))?;
        self.steps.push(Step::Follow(under, continuation));
        Ok(())
    }

    /// Makes everything queued durable, in one write, then hands it to the outlet in order.
    pub(super) async fn forward(&mut self) -> Result<(), Ending> {
        if self.steps.is_empty() {
            return Ok(());
        }
        let recorded = self.recorder.settle(self.admitted.drain(..)).await?;
        let mut recorded = recorded.into_iter();
        for step in self.steps.drain(..) {
            match step {
                Step::Open(number) => {
                    let message = recorded.next().ok_or(Ending::Unexpected("gateway"))?;
                    self.outlet.send(number, message);
                }
                Step::Follow(under, continuation) => {
                    self.outlet.follow(under, &continuation).map_err(|_closed| Ending::Unexpected("gateway"))?;
                }
                Step::Own(message) => self.outlet.send_own(message),
            }
        }
        Ok(())
    }
}
