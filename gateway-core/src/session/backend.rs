//! What the upstream answers: each reply is matched to the message it belongs to, masked, counted, and passed on.
//!
//! A reply that fits nothing that was sent ends the session: a stream that cannot be followed cannot be masked.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    conversation::{CopyIn, Ended, Expect},
    ledger::{Entry, RowTreatment},
    relay::{Ending, Session},
    sealing::Capture,
};
use crate::{
    model::{Effect, OperationNumber},
    protocol::postgres::{
        codec::{self, Piece, parse_error_fields, parse_row_description},
        handshake,
        inspect::{Masking, Understood},
        message::{
            Frame,
            backend::{Backend, Field, tag},
        },
        reframe::{self, CopyDialect, ErrorScope, MaskTally},
    },
    record::{Event, Outcome, Status},
};

impl Session {
    /// Takes every reply that has arrived. Stops early when the client does not keep up.
    pub(super) fn take_upstream_messages(&mut self) -> Result<(), Ending> {
        loop {
            if self.pass_rows() {
                continue;
            }
            match self.backend.next(&mut self.upstream_in) {
                Ok(None) => return Ok(()),
                Ok(Some(Piece::Frame(frame))) => self.upstream_message(&frame)?,
                Ok(Some(Piece::Chunk { bytes, .. })) => self.pass_chunk(&bytes)?,
                Ok(Some(Piece::Oversize { .. })) => return Err(Ending::Unexpected("upstream")),
                Err(error) => {
                    tracing::warn!(session = %self.id, %error, "the upstream's stream cannot be followed");
                    return Err(Ending::Unexpected("upstream"));
                }
            }
        }
    }

    /// The fast path: whole rows in which nothing is masked and of which nothing more is kept pass as one slice.
    fn pass_rows(&mut self) -> bool {
        let Some(Expect::Query { number, .. } | Expect::Execute { number }) = self.talk.front() else { return false };
        let Some(entry) = self.ledger.entry(*number) else { return false };
        if !matches!(entry.rows, RowTreatment::Pass) || entry.capture.wants_more() {
            return false;
        }
        let Some(run) = self.backend.run(&mut self.upstream_in) else { return false };
        entry.bytes += run.bytes.len() as u64;
        self.meter.rows_read(run.messages);
        self.to_client.extend_from_slice(&run.bytes);
        true
    }

    /// A part of a row too big to hold: it passes where nothing is masked, else the session ends.
    fn pass_chunk(&mut self, bytes: &Bytes) -> Result<(), Ending> {
        let Some(Expect::Query { number, .. } | Expect::Execute { number }) = self.talk.front() else {
            return Err(Ending::Unexpected("upstream"));
        };
        let entry = self.ledger.entry(*number).ok_or(Ending::Unexpected("upstream"))?;
        if !matches!(entry.rows, RowTreatment::Pass) {
            return Err(Ending::Unmaskable("a row is too large to be masked"));
        }
        entry.bytes += bytes.len() as u64;
        self.meter.rows_read(1);
        entry.capture.cut();
        self.to_client.extend_from_slice(bytes);
        Ok(())
    }

    fn upstream_message(&mut self, frame: &Frame) -> Result<(), Ending> {
        if matches!(self.talk.front(), Some(Expect::Reading { .. })) && self.reading_message(frame)? {
            return Ok(());
        }
        match frame.tag {
            tag::DATA_ROW => self.row(frame),
            tag::READY => self.ready(frame),
            tag::COMMAND_COMPLETE | tag::EMPTY_QUERY => self.completed(frame),
            tag::ROW_DESCRIPTION => self.described(frame, true),
            tag::NO_DATA => self.described(frame, false),
            tag::PARSE_COMPLETE | tag::BIND_COMPLETE | tag::CLOSE_COMPLETE => self.acknowledged(frame),
            tag::PARAMETER_DESCRIPTION => match self.talk.front() {
                Some(Expect::DescribeStatement) => {
                    self.pass(frame);
                    Ok(())
                }
                _ => Err(Ending::Unexpected("upstream")),
            },
            tag::PORTAL_SUSPENDED => match self.talk.pop() {
                Some(Expect::Execute { number }) => {
                    self.pass(frame);
                    self.suspended(number)
                }
                _ => Err(Ending::Unexpected("upstream")),
            },
            tag::COPY_IN => self.copy_in(frame),
            tag::COPY_BOTH => self.copy_both(frame),
            tag::COPY_OUT | tag::COPY_DATA | tag::COPY_DONE => self.copy_out(frame),
            tag::FUNCTION_RESULT => self.function_result(frame),
            tag::ERROR => self.failed(frame),
            tag::NOTICE => self.notice(frame),
            tag::NOTIFICATION => self.notification(frame),
            tag::PARAMETER_STATUS => self.parameter_status(frame),
            _ => Err(Ending::Unexpected("upstream")),
        }
    }

    pub(super) fn pass(&mut self, frame: &Frame) {
        codec::write_frame(frame.tag, &mut self.to_client, |out| out.extend_from_slice(&frame.body));
    }

    fn row(&mut self, frame: &Frame) -> Result<(), Ending> {
        let Some(Expect::Query { number, .. } | Expect::Execute { number }) = self.talk.front() else {
            return Err(Ending::Unexpected("upstream"));
        };
        let entry = self.ledger.entry(*number).ok_or(Ending::Unexpected("upstream"))?;
        entry.capture.row(&frame.body, &self.sight.record_detectors);
        self.meter.rows_read(1);
        let before = self.to_client.len();
        match &entry.rows {
            RowTreatment::Pass => {
                codec::write_frame(frame.tag, &mut self.to_client, |out| out.extend_from_slice(&frame.body));
            }
            RowTreatment::Plan(plan) => {
                let plan = Arc::clone(plan);
                reframe::row(&plan, &self.sight.detectors, &frame.body, &mut self.to_client, &mut entry.masked)
                    .map_err(|_malformed| Ending::Unmaskable("a row could not be masked"))?;
            }
            RowTreatment::Undescribed => return Err(Ending::Unmaskable("a row came without a description")),
        }
        entry.bytes += (self.to_client.len() - before) as u64;
        Ok(())
    }

    fn described(&mut self, frame: &Frame, has_rows: bool) -> Result<(), Ending> {
        let number = match self.talk.front() {
            Some(Expect::Query { number, .. }) if has_rows => {
                let number = *number;
                self.plan_rows(number, frame)?;
                self.pass(frame);
                return Ok(());
            }
            Some(Expect::DescribeStatement | Expect::DescribeCursor) => None,
            Some(Expect::DescribePortal { number, own }) => Some((*number, *own)),
            _ => return Err(Ending::Unexpected("upstream")),
        };
        self.talk.pop();
        let Some((number, own)) = number else {
            self.pass(frame);
            return Ok(());
        };
        if has_rows {
            self.plan_rows(number, frame)?;
        }
        if !own {
            self.pass(frame);
        }
        Ok(())
    }

    fn plan_rows(&mut self, number: OperationNumber, frame: &Frame) -> Result<(), Ending> {
        let fields = parse_row_description(frame).map_err(|_malformed| Ending::Unexpected("upstream"))?;
        let sight = &self.sight;
        // A portal that ran to its end may be described again; it has no more rows.
        let Some(entry) = self.ledger.entry(number) else { return Ok(()) };
        let statement = entry.completed;
        let resolved = !entry.understood.unresolved;
        entry.rows = super::sealing::treatment(&fields, &entry.understood.masking, statement, resolved, sight);
        entry.capture.describe(&fields, &entry.understood, statement, sight);
        // A relation that the snapshot should know and does not: names mean something else by now.
        let knows = |field: &Field| field.table_oid == 0 || sight.catalogue.knows(field.table_oid);
        self.outdated |= resolved && sight.catalogue.has_tags() && !fields.iter().all(knows);
        Ok(())
    }

    fn acknowledged(&mut self, frame: &Frame) -> Result<(), Ending> {
        match (frame.tag, self.talk.pop()) {
            (tag::PARSE_COMPLETE, Some(Expect::Parse { number, previous, .. })) => {
                self.end_operation(number, Status::Completed { tag: "PARSE" })?;
                if let Some(previous) = previous {
                    self.outlet.close(previous.number);
                }
            }
            (tag::BIND_COMPLETE, Some(Expect::Bind { previous, .. }))
            | (tag::CLOSE_COMPLETE, Some(Expect::ClosePortal { previous, .. })) => {
                if let Some(previous) = previous {
                    self.end_portal(previous.number)?;
                }
            }
            (tag::CLOSE_COMPLETE, Some(Expect::CloseStatement { previous, .. })) => {
                if let Some(previous) = previous {
                    self.outlet.close(previous.number);
                }
            }
            _ => return Err(Ending::Unexpected("upstream")),
        }
        self.pass(frame);
        Ok(())
    }

    fn completed(&mut self, frame: &Frame) -> Result<(), Ending> {
        let executed = match self.talk.front() {
            Some(Expect::Query { number, .. }) => (*number, false),
            Some(Expect::Execute { number }) => (*number, true),
            _ => return Err(Ending::Unexpected("upstream")),
        };
        let (number, execute) = executed;
        match self.ledger.entry(number) {
            Some(entry) => {
                entry.complete(&frame.body);
                self.meter.completed(entry.finished(), &frame.body);
            }
            // A portal that ran to its end may be run again: it has ended on record, and gives no more rows.
            None if execute => {
                self.talk.pop();
                self.pass(frame);
                return Ok(());
            }
            None => return Err(Ending::Unexpected("upstream")),
        }
        if execute {
            self.talk.pop();
            let tag = std::mem::take(&mut self.ledger.entry(number).ok_or(Ending::Unexpected("upstream"))?.tag);
            self.end_operation(number, Status::Completed { tag: &tag })?;
        }
        // Otherwise another statement of the message may follow, with rows of its own shape: its RowDescription comes first.
        self.pass(frame);
        Ok(())
    }

    fn copy_in(&mut self, frame: &Frame) -> Result<(), Ending> {
        let Some(Expect::Query { number, .. } | Expect::Execute { number }) = self.talk.front() else {
            return Err(Ending::Unexpected("upstream"));
        };
        let number = *number;
        if !self.ledger.entry(number).is_some_and(|entry| entry.understood.copies_in) {
            return Err(Ending::Unexpected("upstream"));
        }
        self.talk.copy_in = CopyIn::Active(number);
        self.pass(frame);
        Ok(())
    }

    fn copy_out(&mut self, frame: &Frame) -> Result<(), Ending> {
        let Some(Expect::Query { number, .. } | Expect::Execute { number }) = self.talk.front() else {
            return Err(Ending::Unexpected("upstream"));
        };
        let entry = self.ledger.entry(*number).ok_or(Ending::Unexpected("upstream"))?;
        let detects = self.sight.detects();
        match frame.tag {
            tag::COPY_OUT => {
                entry.copy = super::columns::copy(&frame.body, &entry.understood, entry.completed, &self.sight)?;
                let looks = detects || entry.copy.is_some();
                entry.rows = if looks { RowTreatment::Undescribed } else { RowTreatment::Pass };
                entry.capture.copy_starts(frame.body.first() == Some(&1), &entry.understood.record_masking);
            }
            tag::COPY_DATA => {
                self.meter.rows_read(1);
                entry.capture.copy_line(&frame.body, &self.sight.record_detectors);
                let before = self.to_client.len();
                if let Some(copy) = &mut entry.copy {
                    copy.data(&self.sight.detectors, &frame.body, &mut self.to_client, &mut entry.masked)
                        .map_err(|_malformed| Ending::Unmaskable("a row of COPY could not be masked"))?;
                } else if detects {
                    let csv = entry.understood.copies_csv;
                    let dialect = if csv { CopyDialect::Csv } else { CopyDialect::Text };
                    reframe::copy_line(
                        dialect,
                        &self.sight.detectors,
                        &frame.body,
                        &mut self.to_client,
                        &mut entry.masked,
                    );
                } else {
                    codec::write_frame(frame.tag, &mut self.to_client, |out| out.extend_from_slice(&frame.body));
                }
                entry.bytes += (self.to_client.len() - before) as u64;
                return Ok(());
            }
            _ => {}
        }
        self.pass(frame);
        Ok(())
    }

    pub(super) fn failed(&mut self, frame: &Frame) -> Result<(), Ending> {
        let fields = parse_error_fields(frame).map_err(|_malformed| Ending::Unexpected("upstream"))?;
        let sqlstate = fields.field(b'C').unwrap_or("XX000").to_owned();
        let fatal = matches!(fields.field(b'V').or_else(|| fields.field(b'S')), Some("FATAL" | "PANIC"));
        let ours = match self.talk.front() {
            Some(Expect::Fault { answer, .. }) if !fatal => Some(answer.clone()),
            _ => self.cut_short(&sqlstate),
        };
        let scope = self.error_scope();
        let front = self.talk.front().and_then(Expect::number);
        let is_query = self.talk.front().is_some_and(Expect::ends_with_ready);
        if let Some(answer) = ours {
            self.to_client.extend_from_slice(&answer);
        } else {
            let mut masked = reframe::mask_error(&fields, scope, &self.sight.detectors);
            // A place in a text that the client did not write would tell how long a value in it is.
            if front.and_then(|number| self.ledger.entry(number)).is_some_and(|entry| entry.understood.sent.is_some()) {
                masked.0.retain(|(code, _)| *code != b'P');
            }
            codec::error_fields(&masked, &mut self.to_client);
        }
        if fatal {
            return Err(Ending::UpstreamEnded(sqlstate));
        }
        if let Some(number) = front {
            self.end_operation(number, Status::Failed { sqlstate: &sqlstate })?;
        }
        if is_query {
            return Ok(());
        }
        let ended = self.talk.failed();
        if let Some(number) = front
            && !self.talk.concerns(number)
        {
            self.outlet.close(number);
        }
        self.end_all(&ended)
    }

    /// What an error or notice may quote: everything of the operation in front, and of triggers behind it.
    fn error_scope(&mut self) -> ErrorScope {
        if !self.sight.shows_masked() {
            return ErrorScope::Untagged;
        }
        let number = self.talk.front().and_then(Expect::number);
        let touched = match number.and_then(|number| self.ledger.entry(number)) {
            Some(entry) => !matches!(entry.understood.masking, Masking::Untouched),
            None => number.is_some(),
        };
        super::sealing::error_scope(touched, &self.sight)
    }

    fn notice(&mut self, frame: &Frame) -> Result<(), Ending> {
        let fields = parse_error_fields(frame).map_err(|_malformed| Ending::Unexpected("upstream"))?;
        let scope = self.error_scope();
        let masked = reframe::mask_error(&fields, scope, &self.sight.detectors);
        codec::notice_fields(&masked, &mut self.to_client);
        Ok(())
    }

    /// A notification may carry what another session read: where columns are masked its payload is withheld, else the
    /// detectors look at it.
    fn notification(&mut self, frame: &Frame) -> Result<(), Ending> {
        if !self.sight.hides_columns() && !self.sight.detects() {
            self.pass(frame);
            return Ok(());
        }
        let Ok(Backend::Notification { process_id, channel, payload }) = codec::parse_backend(frame) else {
            return Err(Ending::Unexpected("upstream"));
        };
        let shown = if self.sight.hides_columns() {
            String::new()
        } else {
            let masked = self.sight.detectors.mask_text(payload.as_str());
            masked.unwrap_or_else(|| payload.as_str().to_owned())
        };
        codec::write_frame(frame.tag, &mut self.to_client, |out| {
            out.extend_from_slice(&process_id.to_be_bytes());
            for text in [channel.as_bytes(), shown.as_bytes()] {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\0");
            }
        });
        Ok(())
    }

    /// FAIL-CLOSED: a setting that changes how text is read, by whatever way it changed, ends the session.
    fn parameter_status(&mut self, frame: &Frame) -> Result<(), Ending> {
        if let Some(setting) = handshake::misread_setting(&frame.body) {
            return Err(Ending::Setting(setting));
        }
        self.reported.note(&frame.body);
        self.pass(frame);
        Ok(())
    }

    fn ready(&mut self, frame: &Frame) -> Result<(), Ending> {
        let status = match frame.body.as_ref() {
            [status @ (b'I' | b'T' | b'E')] => *status,
            _ => return Err(Ending::Unexpected("upstream")),
        };
        let (end, ended) = self.talk.ready(status).ok_or(Ending::Unexpected("upstream"))?;
        if let Expect::Query { number, .. } | Expect::Call { number, .. } = end {
            if let Some(entry) = self.ledger.entry(number) {
                let tag = std::mem::take(&mut entry.tag);
                self.end_operation(number, Status::Completed { tag: &tag })?;
            }
            // One that failed ended on record before.
            self.outlet.close(number);
        }
        self.end_all(&ended)?;
        if status == b'I' {
            self.meaning.transaction_ended();
        }
        if status == b'I' && self.changed_catalogue {
            self.changed_catalogue = false;
            self.outdated = true;
            self.served.outdate();
        }
        self.pass(frame);
        Ok(())
    }

    pub(super) fn end_all(&mut self, ended: &Ended) -> Result<(), Ending> {
        for number in &ended.skipped {
            self.end_operation(*number, Status::Skipped)?;
        }
        for number in &ended.dropped {
            self.end_portal(*number)?;
        }
        Ok(())
    }

    /// A portal is gone: if it never completed, its operation ends with what it did so far.
    pub(super) fn end_portal(&mut self, number: OperationNumber) -> Result<(), Ending> {
        let fetched = self.ledger.entry(number).map(|entry| entry.bytes > 0);
        match fetched {
            Some(true) => self.end_operation(number, Status::Completed { tag: "PORTAL CLOSED" }),
            Some(false) => self.end_operation(number, Status::Skipped),
            None => {
                self.outlet.close(number);
                Ok(())
            }
        }
    }

    pub(super) fn open_entry(&mut self, number: OperationNumber, understood: &Arc<Understood>, prepares: bool) {
        let entry = Entry {
            understood: Arc::clone(understood),
            started: Instant::now(),
            began: self.budgeted_usage(),
            rows: initial_treatment(understood, self.sight.detects() || self.sight.hides_columns()),
            capture: Capture::new(self.environment.result_cap_bytes, understood),
            touched: 0,
            bytes: 0,
            masked: MaskTally::default(),
            copy: None,
            completed: 0,
            tag: String::new(),
            prepares,
        };
        self.ledger.open(number, entry);
    }

    /// Whether the session must know the columns of a portal before its rows come.
    pub(super) fn needs_description(&self, understood: &Understood) -> bool {
        !matches!(understood.masking, Masking::Untouched)
            || !matches!(understood.record_masking, Masking::Untouched)
            || self.sight.detects()
            || self.sight.hides_columns()
    }

    /// Records how an operation ended. A prepared statement stays open for what follows under it.
    pub(super) fn end_operation(&mut self, number: OperationNumber, status: Status<'_>) -> Result<(), Ending> {
        let Some(mut entry) = self.ledger.close(number) else { return Ok(()) };
        let keeps_open = entry.prepares && matches!(status, Status::Completed { .. });
        if !keeps_open && !self.talk.concerns(number) {
            self.outlet.close(number);
        }
        if let Some((text, truncated)) = entry.capture.take() {
            self.recorder.append(&Event::Result { number, part: 0, text: &text, truncated })?;
        }
        let masked = entry.masked_by_class();
        self.counts.masked += masked.values().sum::<u64>();
        let reads = entry.understood.operations.iter().all(|operation| operation.effect == Effect::Read);
        let outcome = Outcome {
            export: reads && entry.touched > self.environment.export_rows,
            number,
            status,
            rows: entry.touched,
            bytes: entry.bytes,
            masked: &masked,
            duration_micros: u64::try_from(entry.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        self.recorder.append(&Event::Outcome(outcome))?;
        Ok(())
    }
}

fn initial_treatment(understood: &Understood, looks: bool) -> RowTreatment {
    if matches!(understood.masking, Masking::Untouched) && !looks {
        RowTreatment::Pass
    } else {
        RowTreatment::Undescribed
    }
}
