//! The page of replays: sessions that a search found, and the one that is played.

use hoop_gateway_core::{api::types::RecordedEvent, model::SessionId};

use super::Conversation;
use crate::{
    dashboard::{layout::Areas, listing::Listing, moments},
    replay::{Player, Script},
};

/// The page of replays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replays {
    /// What was found.
    pub(crate) listing: Listing<SessionId, Conversation>,
    /// What was searched, as it was typed.
    pub(crate) search: String,
    /// Whether the answer is there, or why not.
    pub(crate) answer: Option<Result<(), String>>,
    /// The recording that is asked for.
    pub(crate) fetching: Option<SessionId>,
    /// The session that is played.
    pub(crate) player: Option<Box<Player>>,
}

/// What the gateway is asked: names and values of the query.
pub(crate) type Query = Vec<(&'static str, String)>;

/// As many the gateway gives at once.
const MOST: &str = "500";

impl Replays {
    /// Fits the list to the screen.
    pub(crate) fn lay_out(&mut self, areas: &Areas) {
        self.listing.set_height(usize::from(areas.body.height.saturating_sub(1)));
    }

    /// Plays a recording from its beginning, or from where it says what was searched; `false` where there is nothing in
    /// it.
    pub(crate) fn play(&mut self, events: &[RecordedEvent]) -> bool {
        let script = Script::new(events, None);
        let is_empty = script.is_empty();
        self.player = (!is_empty).then(|| {
            let mut player = Player::new(script, 1.0, None);
            let query = query(&self.search, 0).unwrap_or_default();
            if let Some((_, text)) = query.iter().find(|(name, _)| *name == "text") {
                player.find(text);
            }
            Box::new(player)
        });
        !is_empty
    }
}

/// Reads `who:alice on:pg-prod refused since:7d drop table`: what has no mark is searched in what was said.
pub(crate) fn query(search: &str, now_millis: i64) -> Result<Query, String> {
    let mut query = vec![("limit", MOST.to_owned())];
    let mut said = Vec::new();
    for word in search.split_whitespace() {
        match word.split_once(':') {
            Some(("who", name)) => query.push(("who", name.to_owned())),
            Some(("on", name)) => query.push(("connection", name.to_owned())),
            Some((mark @ ("since" | "until"), ago)) => {
                let seconds = moments::read_span(ago).and_then(|seconds| i64::try_from(seconds).ok());
                let seconds = seconds.ok_or_else(|| format!("`{word}` is no time: say 90m, 24h or 7d"))?;
                let name = if mark == "since" { "since_millis" } else { "until_millis" };
                query.push((name, now_millis.saturating_sub(seconds.saturating_mul(1000)).to_string()));
            }
            None if matches!(word, "refused" | "held" | "masked") => query.push(("decision", word.to_owned())),
            _ => said.push(word),
        }
    }
    if !said.is_empty() {
        query.push(("text", said.join(" ")));
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_words_with_marks_and_what_was_said() {
        let asked = query("who:al on:pg-prod refused since:1h drop  table", 10_000_000).expect("a query");
        let expected = [
            ("limit", "500"),
            ("who", "al"),
            ("connection", "pg-prod"),
            ("decision", "refused"),
            ("since_millis", "6400000"),
            ("text", "drop table"),
        ];
        assert_eq!(asked, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(query("a::int", 0).expect("a query").last(), Some(&("text", "a::int".to_owned())));
        assert!(query("since:soon", 0).unwrap_err().contains("7d"));
    }
}
