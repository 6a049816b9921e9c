//! Content of files that is carried: searched as it streams, and stopped at the first value. Pure.
//!
//! What comes before the piece in which a value becomes recognizable has gone by then.

use std::sync::Arc;

use crate::{
    mask::{DetectedClass, Detectors},
    model::{Refusal, RefusalKind},
};

/// As much of what went is looked at again.
const LOOK_BACK: usize = 4096;

/// One content, in its order.
#[derive(Debug)]
pub struct ScannedText {
    detectors: Arc<Detectors>,
    before: Vec<u8>,
}

impl ScannedText {
    /// At its beginning.
    pub fn new(detectors: &Arc<Detectors>) -> Self {
        Self { detectors: Arc::clone(detectors), before: Vec::new() }
    }

    /// The next piece: the class of a value that it holds or completes.
    pub fn piece(&mut self, bytes: &[u8]) -> Option<DetectedClass> {
        self.before.extend_from_slice(bytes);
        let found = self.detectors.class_of(&self.before);
        self.before.drain(..self.before.len().saturating_sub(LOOK_BACK));
        found
    }

    /// A piece by itself, whatever stands around it.
    pub fn alone(&self, bytes: &[u8]) -> Option<DetectedClass> {
        self.detectors.class_of(bytes)
    }
}

/// The refusal of a content that holds a value.
pub fn found(class: DetectedClass) -> Refusal {
    Refusal {
        kind: RefusalKind::Unmaskable,
        rule: None,
        message: format!(
            "the download holds a value of the class {}, which is masked for you; it ends here",
            class.as_str()
        ),
        hint: Some("Read it with a command, whose output is masked.".to_owned()),
    }
}
