//! Function calls by protocol message: decided, recorded and answered as the SELECT of that function would be.
//!
//! Which calls there may be is `inspect::fastpath`'s to say. A call ends its turn: a ReadyForQuery of its own follows.

use bytes::{BufMut as _, BytesMut};

use super::{
    conversation::Expect,
    hold::HeldMessage,
    relay::{Ending, Session},
};
use crate::{
    model::{Refusal, RefusalKind},
    protocol::postgres::{
        inspect::{
            self,
            fastpath::{self, CallError, Routine},
        },
        message::{Format, Frame, FunctionCall, Text, backend::Field},
        refuse::Report,
    },
    record::{Event, SealedText},
};

/// An answer that is a number is never longer than this, in either format.
const MOST_NUMBER_BYTES: usize = 4 + 20;

/// SPEC: a length and that many bytes, or −1 for NULL.
fn is_one_value(body: &[u8]) -> bool {
    let Some((length, rest)) = body.split_first_chunk::<4>() else { return false };
    match i32::from_be_bytes(*length) {
        -1 => rest.is_empty(),
        length => usize::try_from(length) == Ok(rest.len()),
    }
}

impl Session {
    pub(super) async fn function_call(&mut self, call: FunctionCall) -> Result<(), Ending> {
        let routine = match fastpath::routine_of(&call) {
            Ok(routine) => routine,
            Err(error) => return self.refuse_call(&error),
        };
        let understood = match self.understand(routine.text) {
            Ok(text) => std::sync::Arc::new(Routine::understood(&text)),
            Err(error) => return self.refuse_syntax(routine.text, &error, true),
        };
        let inspected = inspect::call(call, &understood, &self.circumstance);
        self.decide(inspected, HeldMessage::Call, understood).await
    }

    /// A call without a rule goes on record and fails in its place. Its arguments are not kept: nothing says what they
    /// are.
    fn refuse_call(&mut self, error: &CallError) -> Result<(), Ending> {
        let (number, message) = (self.recorder.number(), error.to_string());
        let hint = Some(error.hint().to_owned());
        let refusal = Refusal { kind: RefusalKind::Unsupported, rule: None, message, hint };
        let text = SealedText::plain("a function call by protocol message");
        self.counts.refused += 1;
        self.recorder.append(&Event::Refused { number, operations: &[], text: &text, refusal: &refusal })?;
        let detail = format!("The gateway has no rule for it · session {}.", self.id);
        let report = Report::error(error.sqlstate(), &refusal.message).detail(&detail).hint(error.hint());
        self.fail_with(&report, true)
    }

    /// The answer passes where nothing is masked, or where it is a number.
    pub(super) fn function_result(&mut self, frame: &Frame) -> Result<(), Ending> {
        let Some(Expect::Call { number, gives_content }) = self.talk.front() else {
            return Err(Ending::Unexpected("upstream"));
        };
        let (number, gives_content) = (*number, *gives_content);
        if !is_one_value(&frame.body) || (!gives_content && frame.body.len() > MOST_NUMBER_BYTES) {
            return Err(Ending::Unexpected("upstream"));
        }
        // FAIL-CLOSED: a policy may have come between the call and its answer.
        if gives_content && (self.sight.hides_columns() || self.sight.detects()) {
            return Err(Ending::Unmaskable("what a large object holds cannot be masked"));
        }
        let entry = self.ledger.entry(number).ok_or(Ending::Unexpected("upstream"))?;
        entry.complete(b"FUNCTION CALL");
        entry.bytes += frame.body.len() as u64;
        if gives_content {
            let field = Field {
                name: Text::copied("loread").unwrap_or_default(),
                table_oid: 0,
                column: 0,
                // What is text is read as text, so that it can be read in the record.
                type_oid: 0,
                size: -1,
                modifier: -1,
                format: Format::Binary,
            };
            entry.capture.describe(std::slice::from_ref(&field), &entry.understood, 0, &self.sight);
            // SPEC: the answer is laid out as one cell of a row.
            let mut row = BytesMut::with_capacity(2 + frame.body.len());
            row.put_u16(1);
            row.extend_from_slice(&frame.body);
            entry.capture.row(&row, &self.sight.record_detectors);
        }
        self.pass(frame);
        Ok(())
    }
}
