//! A run: which connections it may open, for whom it stands, and what it has used up so far.
//!
//! Plain values. `identity` proves a presence, `session` counts the usage, `policy` reads both.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{ConnectionName, Principal, RunId};

/// What a run's token is good for: streams on these connections, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunScope {
    /// Which run.
    pub run: RunId,
    /// Where it may go.
    pub connections: BTreeSet<ConnectionName>,
}

/// Whom a stream stands for: a principal, and the run that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub principal: Principal,
    /// In which run; `None` for somebody's own tunnel.
    pub scope: Option<Arc<RunScope>>,
}

impl Presence {
    /// Somebody outside of every run.
    pub fn outside(principal: Principal) -> Self {
        Self { principal, scope: None }
    }

    /// The run, where there is one.
    pub fn run(&self) -> Option<&RunId> {
        self.scope.as_ref().map(|scope| &scope.run)
    }

    /// Whether it may ask for a connection of this name at all; policies are asked besides.
    pub fn reaches(&self, connection: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.connections.iter().any(|name| name.as_str() == connection))
    }

    /// Whether it stands for this principal in this run, so that a session of theirs may go on.
    pub fn is_of(&self, principal: &Principal, run: Option<&RunId>) -> bool {
        self.principal == *principal && self.run() == run
    }
}

/// What a run has used up so far; `context.usage` of its decisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Operations that were let through to a target.
    pub statements: u64,
    /// Rows that came back.
    pub rows_read: u64,
    /// Rows that were inserted, updated or deleted.
    pub rows_changed: u64,
    /// Distinct tables that were touched.
    pub tables: u64,
    /// Bytes that went to the client.
    pub bytes: u64,
    /// Tokens of models.
    pub tokens: u64,
    /// What they cost, in millionths of a dollar, where the site says prices.
    pub spend_microdollars: u64,
    /// Seconds since it began.
    pub wall_seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::testing::{agent, person};

    #[test]
    fn a_run_reaches_its_connections_and_nobody_elses_session() {
        let (bob, run) = (person("bob", &[]), RunId::new(1, [1; 10]));
        let connections = BTreeSet::from([ConnectionName::new("pg-prod").unwrap()]);
        let scope = Some(Arc::new(RunScope { run: run.clone(), connections }));
        let inside = Presence { principal: bob.clone(), scope };
        assert!(inside.reaches("pg-prod") && !inside.reaches("pg-dev") && !inside.reaches(""));
        assert!(inside.is_of(&bob, Some(&run)));
        assert!(!inside.is_of(&bob, None) && !inside.is_of(&bob, Some(&RunId::new(1, [2; 10]))));
        assert!(!inside.is_of(&person("alice", &[]), Some(&run)));
        assert!(Presence::outside(bob.clone()).reaches("pg-dev"));
        assert!(Presence::outside(bob.clone()).is_of(&bob, None));
    }

    #[test]
    fn who_lends_their_presence_is_interested_in_what_comes_of_it() {
        let (bob, carol) = (person("bob", &[]), person("carol", &[]));
        let crew = agent("crew", "alice", &[]);
        let lent = Principal { lent_by: Some(Arc::new(bob.clone())), ..crew.clone() };
        assert!(bob.is_interested_in(&lent) && !bob.is_interested_in(&crew));
        assert!(person("alice", &[]).is_interested_in(&lent), "the owner answers for it as before");
        assert!(crew.is_interested_in(&lent) && !carol.is_interested_in(&lent));
        assert!(agent("other", "bob", &[]).is_interested_in(&lent), "an agent of the lender is the lender's hand");
        assert!(bob.lends_to(&lent) && !bob.lends_to(&crew) && !carol.lends_to(&lent));
    }
}
