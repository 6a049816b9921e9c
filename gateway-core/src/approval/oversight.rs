//! What the desk asks of its surroundings: what a reviewer may do at this moment, and that something be written down.
//!
//! The desk knows neither policies nor the record; `gateway` joins them to it.

use std::{collections::BTreeSet, pin::Pin};

use super::{Case, Lease, Request};
use crate::model::{GroupName, Principal};

/// Something could not be written down, so it does not happen. It holds no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it could not be recorded: {0}")]
pub struct Unwritten(pub String);

/// What the desk has written down. What happens to an operation is in the record of its session.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'fact> {
    /// Access was asked for.
    Asked(&'fact Request),
    /// A request for access came to an end.
    Decided(&'fact Case),
    /// Something is open from now on.
    Opened(&'fact Lease),
    /// It is not any more, because of this.
    Closed(&'fact Lease, &'static str),
}

/// The surroundings of the desk.
pub trait Oversight: Send + Sync + 'static {
    /// The groups that a reviewer counts for in this request, by the policies of now and by what the identity provider
    /// last said of them; none for who is interested in it.
    fn groups(&self, reviewer: &Principal, request: &Request) -> BTreeSet<GroupName>;

    /// Writes a fact down; it is durable when this returns.
    fn note<'note>(
        &'note self,
        fact: Fact<'note>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unwritten>> + Send + 'note>>;
}

/// Reviewers count for the groups they came with, and nothing is written down. For tests.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct NoOversight;

#[cfg(test)]
impl Oversight for NoOversight {
    fn groups(&self, reviewer: &Principal, request: &Request) -> BTreeSet<GroupName> {
        if reviewer.is_interested_in(&request.requester) { BTreeSet::new() } else { reviewer.groups.clone() }
    }

    fn note<'note>(
        &'note self,
        _fact: Fact<'note>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unwritten>> + Send + 'note>> {
        Box::pin(async { Ok(()) })
    }
}
