//! What a model said in a run, for later; which answer proposed a request, from before; and what both used up.

use super::{budget::Allowance, conversation::Conversation};
use crate::{
    model::{AnswerPlace, OperationNumber, ProposedBy},
    protocol::http::dialect::{ModelAnswer, Used},
    session::provenance::Answered,
};

impl Conversation {
    /// Which answer of the same run proposed this; `None` outside of runs, and for what no answer proposes.
    pub(super) fn proposed_by(&self, texts: &[String]) -> Option<ProposedBy> {
        let run = self.circumstances().run.filter(|_| !texts.is_empty())?;
        let texts = texts.iter().map(String::as_str);
        Some(self.environment.registry.provenance().link_any(run.as_str(), texts))
    }

    /// Remembers what a model said, and counts what it cost besides what was counted while it streamed.
    pub(super) fn learn(&self, number: OperationNumber, answer: &ModelAnswer, allowance: &Allowance) {
        let Some(run) = self.circumstances().run else { return };
        if let Some(meter) = self.environment.registry.meter(&run) {
            let all = Used { tokens: answer.tokens, spend_microdollars: answer.spend_microdollars };
            let rest = allowance.rest(all);
            meter.tokens(rest.tokens);
            meter.spend(rest.spend_microdollars);
        }
        let (session, names) = (self.id.clone(), answer.names.clone());
        let place = AnswerPlace { session, operation: number, model: answer.model.clone(), names };
        let said = Answered { text: &answer.text, arguments: &answer.arguments };
        self.environment.registry.provenance().learn(run.as_str(), place, said);
    }
}
