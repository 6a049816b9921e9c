//! The planner's word on what is about to be decided or shown to a reviewer.
//!
//! It is asked: before deciding, where some policy reads `estimated_rows` or `export`; before deciding a change of rows
//! that are not named by a key, where some policy reads `has_where`, since a predicate that keeps nine tenths of a table
//! counts as none, and so does one of which nobody knows; and for what is held, for the client and the reviewer. Never
//! at Parse, whose parameters are not known yet; never from a cache, since rows come and go.

use std::sync::Arc;

use super::{names, relay::Session};
use crate::{
    model::{Operation, Verb, flow::Inspected},
    protocol::postgres::{
        inspect::{self, Plannable, Understood},
        message::{Format, Frontend},
    },
    record::OwnPurpose,
    upstream::{Estimate, PlanOrder},
};

/// Why the planner is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// A decision is to be made.
    Decision,
    /// It is held: reviewers want to know.
    Reviewers,
}

impl Session {
    /// The message with what the planner says of its operations, and whether it said anything.
    pub(super) async fn estimated(
        &mut self,
        inspected: Inspected<Frontend>,
        understood: &Understood,
        asking: Asking,
    ) -> (Inspected<Frontend>, bool) {
        if !inspected.operations().iter().any(|operation| self.wants(operation, asking)) {
            return (inspected, false);
        }
        let questions = inspect::plannable(understood, &self.sight);
        let sure = inspect::is_sure(understood, &self.sight);
        let mut operations = inspected.operations().to_vec();
        let mut said = false;
        for ((operation, question), sure) in operations.iter_mut().zip(questions).zip(sure) {
            if !self.wants(operation, asking) {
                continue;
            }
            let answer = match question {
                Some(question) => self.ask(inspected.message(), question).await,
                None => None,
            };
            if let Some(estimate) = answer {
                operation.estimate(estimate.rows, estimate.percent, self.environment.export_rows);
                said = true;
            }
            // FAIL-CLOSED: a predicate of which nobody knows how many rows it keeps counts as none.
            if !sure && self.narrows(operation) && !answer.is_some_and(|estimate| estimate.is_sure) {
                operation.doubt();
                said = true;
            }
        }
        if said { (inspected.with_operations(Arc::from(operations)), true) } else { (inspected, false) }
    }

    fn wants(&self, operation: &Operation, asking: Asking) -> bool {
        // FAIL-CLOSED: what also runs code of users is no plain write, and its predicate is doubted all the same.
        let is_told = asking == Asking::Reviewers || self.policies.reads_estimates();
        operation.estimated_rows.is_none() && (self.narrows(operation) || (inspect::has_rows(operation) && is_told))
    }

    /// Whether a policy wants to know if it changes most rows of a table, and its text does not tell.
    fn narrows(&self, operation: &Operation) -> bool {
        self.policies.reads_has_where()
            && operation.has_where
            && !operation.names_rows
            && operation.accesses.iter().any(|one| matches!(one.verb, Verb::Update | Verb::Delete))
    }

    async fn ask(&mut self, message: &Frontend, question: Plannable) -> Option<Estimate> {
        let (mut types, mut parameters) = (Vec::new(), Vec::new());
        if let Frontend::Bind(bind) = message {
            types = self.parameter_types(message).to_vec();
            let given = bind.parameters.iter().enumerate().map(|(index, value)| {
                let format = Format::of_column(&bind.parameter_formats, index).unwrap_or_default();
                (format == Format::Binary, value.clone())
            });
            parameters = given.collect();
        }
        let Plannable { text, targets, changes } = question;
        let search_path = self.sight.search_path.to_vec();
        let settings = self.reported.settings();
        let order = PlanOrder { text, targets, changes, search_path, settings, types, parameters };
        let order = self.recorder.own(OwnPurpose::Estimate, order).ok()?;
        let (served, recorder) = (&self.served, &mut self.recorder);
        let connect = async || names::side_connection(served, recorder, OwnPurpose::Estimate).await.ok();
        served.planner.ask(order, connect).await
    }
}
