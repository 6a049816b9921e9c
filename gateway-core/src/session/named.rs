//! What an upstream's own log calls a session of a run: the run and who it stands for, in letters that no log misreads.
//! By the name of its session; where the site wants it, by a comment at the end of each statement too.

use super::{open::Arrival, relay::Session};
use crate::{
    config::ApplicationName,
    model::{Principal, RunId},
    protocol::postgres::{
        codec::limit,
        handshake::Replication,
        message::{Frontend, Parse, Query, Text},
    },
};

/// SPEC: PostgreSQL cuts `application_name` to NAMEDATALEN - 1 bytes.
const MOST_BYTES: usize = 63;

impl Arrival {
    /// The name for the upstream; `None` outside of runs, and where the site leaves the client's.
    pub(super) fn name_upstream(&self) -> Option<Text> {
        match self.served.connection.application_name {
            ApplicationName::Run => Text::copied(&name(self.run.as_ref()?.as_str(), &self.principal)),
            ApplicationName::Client => None,
        }
    }
}

/// `hoop.RUN.PRINCIPAL`, and the person behind an agent: of [A-Za-z0-9._-] only. The run comes first, so that it is
/// whole however long the names are.
fn name(run: &str, principal: &Principal) -> String {
    let people: Vec<&str> = principal.everyone().map(|one| one.name.as_str()).collect();
    let text = format!("hoop.{run}.{}", people.join("."));
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    text.chars().map(plain).take(MOST_BYTES).collect()
}

impl Session {
    /// The message with the comment that the site wants in statements. From here on this is the text: what is understood,
    /// decided, shown, recorded and sent.
    pub(super) fn commented(&self, message: Frontend) -> Frontend {
        // SPEC: the grammar of replication commands has no comments.
        if !self.served.connection.statement_comment || self.replication != Replication::No {
            return message;
        }
        let with = |text: Text| {
            let added = format!("{}{}", text.as_str(), self.comment());
            let is_statement = !text.as_str().trim().is_empty() && added.len() < limit::STATEMENT_BYTES;
            if is_statement { Text::copied(&added).unwrap_or(text) } else { text }
        };
        if let Frontend::Query(query) = message {
            return Frontend::Query(Query { text: with(query.text) });
        }
        if let Frontend::Parse(parse) = message {
            return Frontend::Parse(Parse { text: with(parse.text), ..parse });
        }
        message
    }

    /// A text as the client wrote it.
    pub(super) fn uncommented<'text>(&self, text: &'text str) -> &'text str {
        if !self.served.connection.statement_comment {
            return text;
        }
        text.strip_suffix(self.comment().as_str()).unwrap_or(text)
    }

    fn comment(&self) -> String {
        comment(self.meter.run().map_or(self.id.as_str(), RunId::as_str), &self.principal)
    }
}

/// Follows a text on a line of its own: whatever that text leaves open (a quote, a comment), it stays open; whatever it
/// says is over by then.
fn comment(run: &str, principal: &Principal) -> String {
    format!("\n/* {} */", name(run, principal))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        approval::testing::{agent, person},
        sql,
    };

    #[test]
    fn a_comment_changes_nothing_that_a_text_says() {
        let comment = comment("run_1", &person("x */ drop table t; /*", &[]));
        assert_eq!(comment, "\n/* hoop.run_1.x____drop_table_t____ */");
        let count = |text: &str| sql::inspect(text).map(|statements| statements.len()).ok();
        for text in [
            "select 1",
            "select 1;",
            "select 1 -- and a comment",
            "select 1; select 2 /* one */ ",
            "select 'it''s'",
            "select $a$ b $a$",
            "",
            // Broken texts stay broken.
            "select 'open",
            "select $a$ open",
            "select 1 /* open",
            "select \"open",
            "select E'\\",
        ] {
            assert_eq!(count(text), count(&format!("{text}{comment}")), "{text}");
        }
    }

    #[test]
    fn says_run_agent_and_person_in_plain_letters() {
        let run = RunId::new(1_800_000_000_000, [7; 10]);
        assert_eq!(name(run.as_str(), &person("alice", &[])), format!("hoop.{run}.alice"));
        let lent = Principal { lent_by: Some(Arc::new(person("bob", &[]))), ..agent("crew", "alice", &[]) };
        assert_eq!(name(run.as_str(), &lent), format!("hoop.{run}.crew.bob"));
        let hostile = name(run.as_str(), &person("x' -- \u{e9}\u{202e}/*", &[]));
        assert_eq!(hostile, format!("hoop.{run}.x__--_____"));
        let long = name(run.as_str(), &person(&"a".repeat(128), &[]));
        assert_eq!(long.len(), MOST_BYTES);
        assert!(long.starts_with(&format!("hoop.{run}.")));
    }
}
