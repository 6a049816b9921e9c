//! A request for approval as the dashboard keeps it: what the gateway said, and its words made safe for a terminal once.
//!
//! Pure; the time is passed in.

use hoop_gateway_core::{
    api::types::{ApprovalItem, ApprovalStatus},
    model::PrincipalKind,
};

use super::{extra::Extra, listing::Row};
use crate::output::printable_line;

/// A row of the list of approvals.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// As the gateway gave it.
    pub(crate) item: ApprovalItem,
    /// What it tells beyond.
    pub(crate) extra: Extra,
    /// What the list shows of it.
    pub(crate) words: Words,
    /// When it was first seen decided or lapsed.
    pub(crate) settled_at_millis: Option<i64>,
    haystack: String,
}

/// The cells of a row, safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) who: String,
    pub(crate) connection: String,
    pub(crate) kind: String,
    pub(crate) groups: String,
    pub(crate) statement: String,
}

/// Where a request stands at a moment: what the gateway said, and what its expiry says already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can be decided for another so many milliseconds.
    Waiting(i64),
    /// Its time is up, whether or not the gateway said so yet.
    Lapsed,
    /// It is decided, withdrawn or void.
    Settled(ApprovalStatus),
}

impl Request {
    /// Makes the words of a request safe, once.
    pub(crate) fn new(item: ApprovalItem) -> Self {
        let extra = Extra::of(&item);
        Self::told(item, extra)
    }

    /// The same, with these further facts.
    pub(crate) fn told(item: ApprovalItem, extra: Extra) -> Self {
        let groups: Vec<String> = item.quorums.iter().map(ToString::to_string).collect();
        let words = Words {
            who: printable_line(&who(&item)),
            connection: printable_line(item.connection.as_str()),
            kind: printable_line(&item.kind),
            groups: printable_line(&groups.join(", ")),
            statement: flat(&item.text),
        };
        let Words { who, connection, kind, groups, statement } = &words;
        let haystack = format!("{} {who} {connection} {kind} {groups} {statement}", item.id).to_lowercase();
        Self { item, extra, words, settled_at_millis: None, haystack }
    }

    /// Where it stands.
    pub(crate) fn standing(&self, now_millis: i64) -> Standing {
        let left = self.item.expires_at_millis.saturating_sub(now_millis);
        match self.item.status {
            ApprovalStatus::Pending if left > 0 => Standing::Waiting(left),
            ApprovalStatus::Pending | ApprovalStatus::Expired => Standing::Lapsed,
            ApprovalStatus::Approved
            | ApprovalStatus::Denied
            | ApprovalStatus::Withdrawn
            | ApprovalStatus::Superseded => Standing::Settled(self.item.status),
        }
    }

    /// Whether somebody can still decide it.
    pub(crate) fn waits(&self, now_millis: i64) -> bool {
        matches!(self.standing(now_millis), Standing::Waiting(_))
    }

    /// Everything about it that a reviewer goes by, to notice a change. History is only told of one that is shown.
    pub(crate) fn face(&self) -> String {
        let mut item = serde_json::to_value(&self.item).unwrap_or_default();
        if let Some(facts) = item.as_object_mut() {
            facts.remove("history");
        }
        let extra = Extra { history: Vec::new(), ..self.extra.clone() };
        serde_json::to_string(&(item, extra)).unwrap_or_default()
    }
}

impl Row for Request {
    fn rank(&self) -> i64 {
        self.item.created_at_millis
    }

    fn matches(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.haystack.contains(word))
    }
}

impl Standing {
    /// One word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Waiting(_) | Self::Settled(ApprovalStatus::Pending) => "pending",
            Self::Lapsed | Self::Settled(ApprovalStatus::Expired) => "expired",
            Self::Settled(ApprovalStatus::Approved) => "approved",
            Self::Settled(ApprovalStatus::Denied) => "denied",
            Self::Settled(ApprovalStatus::Withdrawn) => "withdrawn",
            Self::Settled(ApprovalStatus::Superseded) => "superseded",
        }
    }
}

/// `alice`, or `alice > crew` for an agent that she answers for.
fn who(item: &ApprovalItem) -> String {
    match (item.requester.kind, &item.requester.owner) {
        (PrincipalKind::Agent, Some(owner)) => format!("{owner} > {}", item.requester.name),
        (PrincipalKind::Agent | PrincipalKind::User, _) => item.requester.name.to_string(),
    }
}

/// A statement as one line; the list cuts it where the screen ends, so a beginning is enough.
fn flat(text: &str) -> String {
    let beginning: String = text.chars().take(LONGEST_BEGINNING).collect();
    printable_line(&beginning.split_whitespace().collect::<Vec<_>>().join(" "))
}

const LONGEST_BEGINNING: usize = 400;
