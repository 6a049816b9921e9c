//! The site's service accounts of the moment: every verifier reads them anew for each token, so that a site that is
//! applied counts at once.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::AgentRule;

/// The rules in force; cheap to clone, all clones change together.
#[derive(Debug, Clone, Default)]
pub struct Agents(Arc<RwLock<Arc<[AgentRule]>>>);

impl Agents {
    /// These rules.
    pub fn new(rules: Vec<AgentRule>) -> Self {
        Self(Arc::new(RwLock::new(rules.into())))
    }

    /// The rules of this moment.
    pub fn rules(&self) -> Arc<[AgentRule]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in force.
    pub fn replace(&self, rules: Vec<AgentRule>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules.into();
    }
}

impl From<Vec<AgentRule>> for Agents {
    fn from(rules: Vec<AgentRule>) -> Self {
        Self::new(rules)
    }
}
