//! The life of a request for approval as a pure state machine: reviews and `now` in, the next state out.
//!
//! Holds no clock, no storage and no channel. Nobody interested counts, one person counts once per quorum, every
//! quorum must be met, and nothing changes once the request is settled. Driven by `desk`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Request;
use crate::model::{GroupName, Principal, PrincipalKind, PrincipalName, Quorum};

/// The longest reason kept with a review.
pub const MAX_REASON_BYTES: usize = 2_000;

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Waiting for reviewers.
    Pending {
        /// Who approved so far, in order.
        approvals: Vec<PrincipalName>,
    },
    /// Every quorum is met.
    Approved {
        /// Who approved.
        by: Vec<PrincipalName>,
    },
    /// One reviewer denied it.
    Denied {
        /// Who.
        by: PrincipalName,
        /// Why.
        reason: Option<String>,
    },
    /// Nobody decided in time.
    Expired,
    /// The client went away, cancelled, or the gateway restarted.
    Withdrawn,
    /// A policy change made it void.
    Superseded,
}

impl State {
    /// Whether reviewers can still decide.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending { .. })
    }

    /// The word for it, as in the API.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Superseded => "superseded",
        }
    }
}

/// What a reviewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// Let it go on.
    Approve,
    /// Refuse it.
    Deny,
}

/// One review, with the reviewer as they were at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub by: Principal,
    /// What.
    pub vote: Vote,
    /// Why; a denial needs one.
    pub reason: Option<String>,
    /// When, milliseconds since 1970.
    pub at_millis: i64,
}

/// Why a review was not taken. The request is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The request is settled.
    #[error("the request is already {0}; nothing is left to decide")]
    Settled(&'static str),
    /// Requester, owner of the requesting agent, or an agent of the requester.
    #[error("you asked for this yourself, or answer for the agent that did; somebody else must review it")]
    Interested,
    /// Approvals are for people.
    #[error("an agent cannot review; a person of the group must")]
    Agent,
    /// In none of the groups that are asked.
    #[error("only members of {0} review this request")]
    NotReviewer(String),
    /// Approved before.
    #[error("you already approved this request; another reviewer is needed")]
    Repeated,
    /// A denial says why.
    #[error("a denial needs a reason that the requester can act on")]
    ReasonMissing,
    /// Reasons are bounded.
    #[error("a reason has at most {MAX_REASON_BYTES} bytes, this has {0}")]
    ReasonOverlong(usize),
}

/// A request with its state and every review taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    request: Request,
    state: State,
    reviews: Vec<Review>,
}

impl Case {
    /// Opens a pending case.
    pub fn open(request: Request) -> Self {
        Self { request, state: State::Pending { approvals: Vec::new() }, reviews: Vec::new() }
    }

    /// What is asked.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The reviews taken, in order.
    pub fn reviews(&self) -> &[Review] {
        &self.reviews
    }

    /// Takes one review. After the expiry the case expires instead, and the review is refused.
    pub fn review(&mut self, review: Review) -> Result<&State, ReviewError> {
        self.expire(review.at_millis);
        self.admit(&review)?;
        match review.vote {
            Vote::Deny => {
                self.state = State::Denied { by: review.by.name.clone(), reason: review.reason.clone() };
                self.reviews.push(review);
            }
            Vote::Approve => {
                self.reviews.push(review);
                self.state = self.tally();
            }
        }
        Ok(&self.state)
    }

    /// Checks everything about a review without taking it.
    pub fn admit(&self, review: &Review) -> Result<(), ReviewError> {
        if !self.state.is_pending() {
            return Err(ReviewError::Settled(self.state.word()));
        }
        self.may_review(&review.by)?;
        let reason = review.reason.as_deref().map(str::trim).unwrap_or_default();
        if reason.len() > MAX_REASON_BYTES {
            return Err(ReviewError::ReasonOverlong(reason.len()));
        }
        match review.vote {
            Vote::Deny if reason.is_empty() => Err(ReviewError::ReasonMissing),
            Vote::Approve if self.reviews.iter().any(|earlier| same_person(&earlier.by, &review.by)) => {
                Err(ReviewError::Repeated)
            }
            Vote::Deny | Vote::Approve => Ok(()),
        }
    }

    /// Whether this principal can be a reviewer of this case at all: a person, not interested, in a group asked.
    pub fn may_review(&self, reviewer: &Principal) -> Result<(), ReviewError> {
        if reviewer.is_interested_in(&self.request.requester) {
            return Err(ReviewError::Interested);
        }
        if reviewer.kind == PrincipalKind::Agent {
            return Err(ReviewError::Agent);
        }
        let groups = self.groups();
        if groups.iter().any(|group| reviewer.groups.contains(*group)) {
            return Ok(());
        }
        Err(ReviewError::NotReviewer(groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(", ")))
    }

    /// Lets the request lapse when its time is over; `true` when this changed it.
    pub fn expire(&mut self, now_millis: i64) -> bool {
        now_millis >= self.request.expires_at_millis && self.settle(State::Expired)
    }

    /// The requester no longer waits; `true` when this changed it.
    pub fn withdraw(&mut self) -> bool {
        self.settle(State::Withdrawn)
    }

    /// Other reviewers are needed now; `true` when this changed it.
    pub fn supersede(&mut self) -> bool {
        self.settle(State::Superseded)
    }

    fn settle(&mut self, state: State) -> bool {
        let pending = self.state.is_pending();
        if pending {
            self.state = state;
        }
        pending
    }

    fn groups(&self) -> BTreeSet<&GroupName> {
        self.request.need.quorums.iter().map(|quorum| &quorum.group).collect()
    }

    fn tally(&self) -> State {
        let approvals = || self.reviews.iter().filter(|review| review.vote == Vote::Approve).map(|review| &review.by);
        let quorums = &self.request.need.quorums;
        let names = approvals().map(|by| by.name.clone()).collect();
        // FAIL-CLOSED: a need without quorums is met by nobody.
        if !quorums.is_empty() && quorums.iter().all(|quorum| is_met(quorum, approvals())) {
            State::Approved { by: names }
        } else {
            State::Pending { approvals: names }
        }
    }
}

fn is_met<'case>(quorum: &Quorum, approvals: impl Iterator<Item = &'case Principal>) -> bool {
    let people: BTreeSet<_> = approvals.filter(|by| by.groups.contains(&quorum.group)).map(|by| &by.name).collect();
    people.len() >= usize::from(quorum.count.max(1))
}

fn same_person(left: &Principal, right: &Principal) -> bool {
    left.kind == right.kind && left.name == right.name
}

#[cfg(test)]
mod tests;
