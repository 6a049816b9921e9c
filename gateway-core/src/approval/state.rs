//! The life of a request for approval as a pure state machine: reviews and `now` in, the next state out.
//!
//! Holds no clock, no storage and no channel. Nobody interested counts, one person fills one place of one quorum, every
//! quorum must be met, what a reviewer may do counts as it is now, and nothing changes once the request is settled.
//! Driven by `desk`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Request, quorum};
use crate::model::{GroupName, Principal, PrincipalKind, PrincipalName, Quorum, SessionId};

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
    /// What the reviewer would let pass besides: the whole shape, within these bounds.
    #[serde(default)]
    pub shape: Option<ShapeTerms>,
}

/// The bounds within which a reviewer lets statements of one shape pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeTerms {
    /// For how long, in milliseconds.
    pub for_millis: i64,
    /// At most so many rows, as the planner estimates.
    pub max_rows: u64,
}

/// The groups that a reviewer counts for now: by the policies in force, and by what the identity provider last said.
pub type Rights<'rights> = &'rights dyn Fn(&Principal) -> BTreeSet<GroupName>;

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

    /// Takes one review. After the expiry the case expires instead, and the review is refused. Earlier approvals count
    /// as far as their reviewers still have the `rights`.
    pub fn review(&mut self, review: Review, rights: Rights<'_>) -> Result<&State, ReviewError> {
        self.expire(review.at_millis);
        self.admit(&review)?;
        if review.vote == Vote::Approve && self.approvals().any(|earlier| same_person(&earlier.by, &review.by)) {
            // Who had the right, lost it and has it again may say so again; who never lost it said so already.
            self.state = self.tally(rights);
            return if self.state.is_pending() { Err(ReviewError::Repeated) } else { Ok(&self.state) };
        }
        match review.vote {
            Vote::Deny => {
                self.state = State::Denied { by: review.by.name.clone(), reason: review.reason.clone() };
                self.reviews.push(review);
            }
            Vote::Approve => {
                self.reviews.push(review);
                self.state = self.tally(rights);
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

    /// Whether enough reviewers who still have the rights approved: asked again at the moment of the grant.
    pub fn stands(&self, rights: Rights<'_>) -> bool {
        matches!(self.state, State::Approved { .. }) && matches!(self.tally(rights), State::Approved { .. })
    }

    /// Who must still approve, besides those who did and still may.
    pub fn missing(&self, rights: Rights<'_>) -> Vec<Quorum> {
        quorum::missing(&self.request.need.quorums, &self.counting(rights).1)
    }

    /// The shape that every approval lets pass besides, within the narrowest bounds that one of them set.
    pub fn shape_terms(&self) -> Option<ShapeTerms> {
        let narrower = |left: ShapeTerms, right: ShapeTerms| ShapeTerms {
            for_millis: left.for_millis.min(right.for_millis),
            max_rows: left.max_rows.min(right.max_rows),
        };
        self.approvals().map(|review| review.shape).reduce(|left, right| Some(narrower(left?, right?))).flatten()
    }

    /// The session that asked last takes the place of the one before; approvals of the same statement stay.
    pub(super) fn join(&mut self, retry: Request) {
        let Request { session, digest, .. } = retry;
        (self.request.session, self.request.digest) = (session, digest);
        self.request.retries = self.request.retries.saturating_add(1);
    }

    /// The newest of the attempts is gone: an earlier one stands for the request again.
    pub(super) fn stand_for(&mut self, session: Option<SessionId>, digest: [u8; 32]) {
        (self.request.session, self.request.digest) = (session, digest);
    }

    fn approvals(&self) -> impl Iterator<Item = &Review> {
        self.reviews.iter().filter(|review| review.vote == Vote::Approve)
    }

    /// Names and groups of those whose approval counts now.
    fn counting(&self, rights: Rights<'_>) -> (Vec<PrincipalName>, Vec<BTreeSet<GroupName>>) {
        let counted = self.approvals().map(|review| (review.by.name.clone(), rights(&review.by)));
        counted.filter(|(_, groups)| !groups.is_empty()).unzip()
    }

    fn tally(&self, rights: Rights<'_>) -> State {
        let (names, people) = self.counting(rights);
        let quorums = &self.request.need.quorums;
        // FAIL-CLOSED: a need without quorums is met by nobody.
        if !quorums.is_empty() && quorum::missing(quorums, &people).is_empty() {
            State::Approved { by: names }
        } else {
            State::Pending { approvals: names }
        }
    }
}

fn same_person(left: &Principal, right: &Principal) -> bool {
    left.kind == right.kind && left.name == right.name
}

#[cfg(test)]
mod tests;
