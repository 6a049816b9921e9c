//! Refusals: the record, the answer in the protocol's own format, and the failure of the upstream in the place of what
//! was refused, so that transaction state and pipelining stay what a real error would have left (law 7).

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::{
    conversation::Expect,
    relay::{Ending, Session, Step},
    sealing,
};
use crate::{
    model::{OperationNumber, Refusal, RefusalKind},
    protocol::postgres::{
        inspect::Understood,
        refuse::{self, Report},
    },
    record::{Event, Outcome, OwnPurpose, Status},
    sql::SyntaxError,
    upstream::OwnMessage,
};

impl Session {
    pub(super) fn skip(&mut self, number: OperationNumber) -> Result<(), Ending> {
        let masked = BTreeMap::new();
        let status = Status::Skipped;
        let outcome = Outcome { number, status, rows: 0, bytes: 0, export: false, masked: &masked, duration_micros: 0 };
        self.recorder.append(&Event::Outcome(outcome))?;
        Ok(())
    }

    pub(super) fn refuse_syntax(&mut self, text: &str, error: &SyntaxError, query: bool) -> Result<(), Ending> {
        let refusal = Refusal {
            kind: RefusalKind::Unsupported,
            rule: None,
            message: format!("not PostgreSQL's grammar (SQLSTATE {})", error.sqlstate),
            hint: None,
        };
        let number = self.recorder.number();
        let text = sealing::unparsed(text, &self.environment);
        self.counts.refused += 1;
        self.recorder.append(&Event::Refused { number, operations: &[], text: &text, refusal: &refusal })?;
        let mut answer = BytesMut::new();
        refuse::syntax_error(error, &mut answer);
        self.fail_in_place(query, answer.freeze())
    }

    /// Records a refusal and answers it in place.
    pub(super) fn refuse(
        &mut self,
        number: OperationNumber,
        refusal: &Refusal,
        understood: &Understood,
        query: bool,
    ) -> Result<(), Ending> {
        let text = sealing::text(understood, &self.environment.sealer);
        let operations = &understood.operations;
        self.counts.refused += 1;
        self.counts.operations += 1;
        self.recorder.append(&Event::Refused { number, operations, text: &text, refusal })?;
        let mut answer = BytesMut::new();
        refuse::refusal(refusal, &self.id, &mut answer);
        self.fail_in_place(query, answer.freeze())
    }

    pub(super) fn fail_with(&mut self, report: &Report<'_>, query: bool) -> Result<(), Ending> {
        let mut answer = BytesMut::new();
        report.write(&mut answer);
        self.fail_in_place(query, answer.freeze())
    }

    /// Lets the upstream fail where the refused message would have run; `answer` replaces its error.
    pub(super) fn fail_in_place(&mut self, query: bool, answer: Bytes) -> Result<(), Ending> {
        if self.talk.skipping {
            return Ok(());
        }
        let message = if query {
            OwnMessage::FailQuery(self.fault_query.clone())
        } else {
            OwnMessage::FailBatch(self.fault_portal.clone())
        };
        let recorded = self.recorder.own(OwnPurpose::ForcedError, message)?;
        self.steps.push(Step::Own(recorded));
        self.talk.sent(Expect::Fault { answer, query });
        self.talk.skipping = !query;
        Ok(())
    }
}
