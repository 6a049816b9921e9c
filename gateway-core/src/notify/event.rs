//! What there is to tell, and what is told of it: never a statement, a value or an object's literal.
//!
//! Pure. A [`Notice`] is what is kept until it was delivered.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    approval::{Case, State},
    model::{ApprovalId, ConnectionName, Principal, PrincipalKind, PrincipalName, Quorum, SessionId},
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// Somebody waits for reviewers.
    #[serde(rename = "approval.requested")]
    Requested,
    /// Enough reviewers approved.
    #[serde(rename = "approval.approved")]
    Approved,
    /// A reviewer denied.
    #[serde(rename = "approval.denied")]
    Denied,
    /// Nobody decided in time.
    #[serde(rename = "approval.expired")]
    Expired,
    /// The requester no longer waits.
    #[serde(rename = "approval.withdrawn")]
    Withdrawn,
    /// A policy change made the request void.
    #[serde(rename = "approval.superseded")]
    Superseded,
    /// Somebody ended a live session.
    #[serde(rename = "session.killed")]
    SessionKilled,
}

/// The word names no event. It is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such event")]
pub struct UnknownEvent;

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Requested,
        Self::Approved,
        Self::Denied,
        Self::Expired,
        Self::Withdrawn,
        Self::Superseded,
        Self::SessionKilled,
    ];

    /// The word for it, in settings and payloads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "approval.requested",
            Self::Approved => "approval.approved",
            Self::Denied => "approval.denied",
            Self::Expired => "approval.expired",
            Self::Withdrawn => "approval.withdrawn",
            Self::Superseded => "approval.superseded",
            Self::SessionKilled => "session.killed",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = UnknownEvent;
    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or(UnknownEvent)
    }
}

/// Somebody, by name only: claims and other groups are nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// A person or an agent.
    pub kind: PrincipalKind,
    /// The name.
    pub name: PrincipalName,
    /// Who answers for an agent.
    pub owner: Option<PrincipalName>,
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        Self { kind: principal.kind, name: principal.name.clone(), owner: principal.owner.clone() }
    }
}

/// What is told of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its id.
    pub id: ApprovalId,
    /// The word for what would be done: `delete`, `drop_table`.
    pub kind: String,
    /// The worst effect.
    pub effect: String,
    /// Who must approve.
    pub quorums: Vec<Quorum>,
    /// 0 to 100.
    pub risk: u8,
    /// When it lapses, milliseconds since 1970.
    pub expires_at_millis: i64,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What happened.
    pub event: EventKind,
    /// When, milliseconds since 1970.
    pub at_millis: i64,
    /// On which connection.
    pub connection: ConnectionName,
    /// In which session; `None` for access, which comes before one.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// Whose request or session it is.
    pub requester: Who,
    /// The request, where it is about one.
    pub request: Option<Asked>,
    /// Who did it: the reviewers, or who ended the session.
    pub by: Vec<PrincipalName>,
}

impl Notice {
    /// What a change of a case tells; `before` is the word of the state that it was stored in, if it was. Nothing where
    /// the state is the same: one more approval of several is seen in the request itself.
    pub fn of_case(case: &Case, before: Option<&str>, at_millis: i64) -> Option<Self> {
        let state = case.state();
        if before == Some(state.word()) {
            return None;
        }
        let (event, by) = match state {
            State::Pending { .. } => (EventKind::Requested, Vec::new()),
            State::Approved { by } => (EventKind::Approved, by.clone()),
            State::Denied { by, .. } => (EventKind::Denied, vec![by.clone()]),
            State::Expired => (EventKind::Expired, Vec::new()),
            State::Withdrawn => (EventKind::Withdrawn, Vec::new()),
            State::Superseded => (EventKind::Superseded, Vec::new()),
        };
        let request = case.request();
        Some(Self {
            event,
            at_millis,
            connection: request.connection.name.clone(),
            session: request.session.clone(),
            requester: Who::from(&request.requester),
            request: Some(Asked {
                id: request.id.clone(),
                kind: request.kind.clone(),
                effect: request.effect.as_str().to_owned(),
                quorums: request.need.quorums.clone(),
                risk: request.risk,
                expires_at_millis: request.expires_at_millis,
            }),
            by,
        })
    }

    /// What the end of somebody's live session tells. Why it was ended is on record, and told to its owner alone.
    pub fn of_kill(whose: &Principal, connection: ConnectionName, session: SessionId, by: &Principal, at: i64) -> Self {
        Self {
            event: EventKind::SessionKilled,
            at_millis: at,
            connection,
            session: Some(session),
            requester: Who::from(whose),
            request: None,
            by: vec![by.name.clone()],
        }
    }

    /// What it is about: the request's id, else the session's.
    pub fn about(&self) -> String {
        match (&self.request, &self.session) {
            (Some(asked), _) => asked.id.to_string(),
            (None, Some(session)) => session.to_string(),
            (None, None) => self.connection.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{
        Review, Vote,
        testing::{agent, own, person, request},
    };

    fn told(case: &Case, before: Option<&str>) -> Option<EventKind> {
        Notice::of_case(case, before, 7).map(|notice| notice.event)
    }

    #[test]
    fn every_event_has_one_word_in_settings_and_storage() {
        for event in EventKind::ALL {
            assert_eq!(event.as_str().parse(), Ok(event));
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
        assert_eq!("approval.reqested".parse::<EventKind>(), Err(UnknownEvent));
    }

    #[test]
    fn a_change_of_state_is_told_once() {
        let mut case = Case::open(request(1, agent("crew", "alice", &["agents"])));
        assert_eq!(told(&case, None), Some(EventKind::Requested));
        assert_eq!(told(&case, Some("pending")), None);
        let bob = person("bob", &["dba"]);
        case.review(
            Review { by: bob, vote: Vote::Deny, reason: Some("holds 4111".into()), at_millis: 2, shape: None },
            &own,
        )
        .unwrap();
        let notice = Notice::of_case(&case, Some("pending"), 7).unwrap();
        assert_eq!((notice.event, notice.by[0].as_str()), (EventKind::Denied, "bob"));
        assert_eq!(notice.requester.owner.as_ref().unwrap().as_str(), "alice");
        assert_eq!(told(&case, Some("denied")), None);
    }

    #[test]
    fn nothing_of_the_statement_or_of_what_was_said_is_kept() {
        let mut asked = request(1, person("alice", &[]));
        asked.text = "DELETE FROM cards WHERE number = '4111'".into();
        asked.parameters = vec![Some("4111".into())];
        asked.need.message = Some("4111".into());
        asked.risk_reasons = vec!["4111".into()];
        let mut case = Case::open(asked);
        let bob = person("bob", &["dba"]);
        case.review(Review { by: bob, vote: Vote::Deny, reason: Some("4111".into()), at_millis: 2, shape: None }, &own)
            .unwrap();
        let kept = serde_json::to_string(&Notice::of_case(&case, None, 7)).unwrap();
        assert!(!kept.contains("4111") && !kept.contains("cards") && !kept.contains("orders"), "{kept}");
    }
}
