//! Definitions of tools as they were first seen, so that a server cannot change what a tool says it does unseen.
//!
//! A definition is pinned when it is first listed. One that differs later is hidden and its calls are refused until
//! somebody reviews it. What is kept where is behind a trait; `store` keeps it.

use std::fmt;

use aws_lc_rs::digest;

use super::super::json::{Json, hexadecimal};

/// The longest definition of a tool.
pub const LONGEST_DEFINITION: usize = 256 * 1024;

/// A tool as a server defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolDefinition {
    /// Its name.
    pub name: String,
    /// SHA-256 of its canonical JSON, hexadecimal.
    pub digest: String,
    /// Its canonical JSON.
    pub text: String,
}

/// Where a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its definition is the one that was pinned.
    Known,
    /// It differs from the one that was pinned.
    Changed,
    /// No definition of it was ever seen.
    Unseen,
}

/// Keeps the definitions of one connection.
pub trait ToolBook: fmt::Debug + Send + Sync {
    /// Takes definitions as a server lists them; pins those that are new. What cannot be kept is an error: then nothing
    /// of it is shown.
    fn listed(&self, tools: &[ToolDefinition]) -> Result<Vec<Standing>, ToolBookError>;

    /// Where a tool stands that is to be called.
    fn standing(&self, name: &str) -> Result<Standing, ToolBookError>;
}

/// Definitions cannot be read or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the definitions of tools cannot be read or kept")]
pub struct ToolBookError;

impl ToolDefinition {
    /// The definition of a tool in a list; `None` where it has no name or is too long.
    pub fn of(tool: &Json) -> Option<Self> {
        let name = tool.text_of("name").filter(|name| super::codec::is_name(name))?.to_owned();
        let text = tool.canonical();
        if text.len() > LONGEST_DEFINITION {
            return None;
        }
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        let digest = hexadecimal(digest.as_ref());
        Some(Self { name, digest, text })
    }
}

/// Definitions kept in memory, for tests and fuzzing.
#[doc(hidden)]
pub mod memory {
    use std::{
        collections::BTreeMap,
        sync::{Mutex, PoisonError},
    };

    use super::{Standing, ToolBook, ToolBookError, ToolDefinition};

    /// Pinned digests, and whether the tool was seen changed.
    #[derive(Debug, Default)]
    pub struct MemoryBook(Mutex<BTreeMap<String, (String, bool)>>);

    impl ToolBook for MemoryBook {
        fn listed(&self, tools: &[ToolDefinition]) -> Result<Vec<Standing>, ToolBookError> {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut judge = |tool: &ToolDefinition| {
                let (digest, changed) = kept.entry(tool.name.clone()).or_insert((tool.digest.clone(), false));
                *changed = *digest != tool.digest;
                if *changed { Standing::Changed } else { Standing::Known }
            };
            Ok(tools.iter().map(&mut judge).collect())
        }

        fn standing(&self, name: &str) -> Result<Standing, ToolBookError> {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(match kept.get(name) {
                None => Standing::Unseen,
                Some((_, true)) => Standing::Changed,
                Some((_, false)) => Standing::Known,
            })
        }
    }
}
