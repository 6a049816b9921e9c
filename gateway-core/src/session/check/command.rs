//! What would become of a command line, a shell, a file or a way through a machine: decided as on the wire, not run.

use super::Question;
use crate::{
    api::types::{CheckAnswer, CheckDecision, CheckRequest},
    policy::Reveal,
    protocol::ssh::inspect,
};

impl Question<'_> {
    /// The answer for a command line without a terminal, or for a text of the record: `sftp read /srv/a`.
    pub(super) fn command(&self, request: &CheckRequest) -> CheckAnswer {
        let mut answer = self.blank();
        let operation = inspect::of_text(&request.text);
        self.put_verdict(&mut answer, self.verdict(std::slice::from_ref(&operation)));
        answer.hint = answer.hint.or_else(|| operation.advice.clone());
        answer.operations = vec![self.operation(&operation)];
        if answer.decision != CheckDecision::Refuse {
            let classes = self.environment.detectors.classes().map(|class| class.as_str().to_owned());
            let hidden = |class: &String| {
                let reveal = self.policies.reveal(self.who, &self.served.facts, class);
                matches!(reveal, Reveal::Masked { .. })
            };
            answer.detected = classes.filter(hidden).collect();
        }
        answer
    }
}
