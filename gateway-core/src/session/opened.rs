//! What a message that runs something opens, and which types its values have. Pure reading of messages.

use std::sync::Arc;

use super::{conversation::Lookup, relay::Session};
use crate::protocol::postgres::{
    inspect::fastpath::{self, Routine},
    message::{Frontend, Text},
};

/// What a message that runs something opens.
pub(super) enum Opened {
    Query,
    Portal(Text),
    Call {
        gives_content: bool,
    },
    /// More of a cursor that SQL declared.
    More,
}

impl Opened {
    pub(super) fn of(message: &Frontend) -> Self {
        if let Frontend::Bind(bind) = message {
            return Self::Portal(bind.portal.clone());
        }
        if let Frontend::FunctionCall(call) = message {
            return Self::Call { gives_content: fastpath::routine_of(call).is_ok_and(Routine::gives_content) };
        }
        if matches!(message, Frontend::Execute(_)) {
            return Self::More;
        }
        Self::Query
    }
}

impl Session {
    /// The types of the values that a message carries, as far as they are known.
    pub(super) fn parameter_types(&self, message: &Frontend) -> Arc<[u32]> {
        if let Frontend::FunctionCall(call) = message {
            return fastpath::routine_of(call).map_or_else(|_none| Arc::from([]), Routine::recorded_types);
        }
        let Frontend::Bind(bind) = message else { return Arc::from([]) };
        match self.talk.statement(&bind.statement) {
            Lookup::Known(prepared) => Arc::clone(&prepared.parameter_types),
            Lookup::Absent | Lookup::Unsettled => {
                let made = self.meaning.sql.statement(&bind.statement);
                made.map_or_else(|| Arc::from([]), |made| Arc::clone(&made.parameter_types))
            }
        }
    }
}
