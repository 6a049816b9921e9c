//! What an upstream's own log calls a session of a run: the run and who it stands for, in letters that no log misreads.

use super::open::Arrival;
use crate::{
    config::ApplicationName,
    model::{Principal, RunId},
    protocol::postgres::message::Text,
};

/// SPEC: PostgreSQL cuts `application_name` to NAMEDATALEN - 1 bytes.
const MOST_BYTES: usize = 63;

impl Arrival {
    /// The name for the upstream; `None` outside of runs, and where the site leaves the client's.
    pub(super) fn name_upstream(&self) -> Option<Text> {
        match self.served.connection.application_name {
            ApplicationName::Run => Text::copied(&name(self.run.as_ref()?, &self.principal)),
            ApplicationName::Client => None,
        }
    }
}

/// `hoop.RUN.PRINCIPAL`, and the person behind an agent: of [A-Za-z0-9._-] only. The run comes first, so that it is
/// whole however long the names are.
pub(super) fn name(run: &RunId, principal: &Principal) -> String {
    let people: Vec<&str> = principal.everyone().map(|one| one.name.as_str()).collect();
    let text = format!("hoop.{run}.{}", people.join("."));
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    text.chars().map(plain).take(MOST_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::approval::testing::{agent, person};

    #[test]
    fn says_run_agent_and_person_in_plain_letters() {
        let run = RunId::new(1_800_000_000_000, [7; 10]);
        assert_eq!(name(&run, &person("alice", &[])), format!("hoop.{run}.alice"));
        let lent = Principal { lent_by: Some(Arc::new(person("bob", &[]))), ..agent("crew", "alice", &[]) };
        assert_eq!(name(&run, &lent), format!("hoop.{run}.crew.bob"));
        let hostile = name(&run, &person("x' -- \u{e9}\u{202e}/*", &[]));
        assert_eq!(hostile, format!("hoop.{run}.x__--_____"));
        let long = name(&run, &person(&"a".repeat(128), &[]));
        assert_eq!(long.len(), MOST_BYTES);
        assert!(long.starts_with(&format!("hoop.{run}.")));
    }
}
