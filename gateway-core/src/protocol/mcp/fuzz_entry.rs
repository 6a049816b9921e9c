//! What the fuzzers feed of the Model Context Protocol: bodies from clients and from servers.

use std::sync::Arc;

use super::{
    codec::Batch,
    inspect,
    reframe::{Heard, Judge, ServerEvents},
    tools::memory::MemoryBook,
};
use crate::mask::Detectors;

/// Any body, from either side.
///
/// # Panics
///
/// When a body that was parsed is not written as one that is parsed alike.
pub fn bodies(input: &[u8]) {
    if let Ok(batch) = Batch::parse(input) {
        let again = Batch::parse(batch.write().as_bytes());
        assert_eq!(again.as_ref(), Ok(&batch), "what is written is what was parsed");
        for message in &batch.messages {
            drop(inspect::asked(message));
        }
    }
    let judge = Judge {
        detectors: Arc::new(Detectors::builtin()),
        may_call: Arc::new(|tool| tool.len() % 2 == 0),
        may_ask: Arc::new(|_| false),
        book: Arc::new(MemoryBook::default()),
    };
    drop(judge.body(input, &mut Heard::default()));
    drop(ServerEvents::default().chunk(input, &judge, &mut Heard::default(), &mut Vec::new()));
}
