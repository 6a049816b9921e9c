//! What statements have in common that differ in nothing but constants: a digest, made by whoever reads the text.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The digest of a shape, in hexadecimal. It tells nothing of a constant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShapeId(Arc<str>);

impl ShapeId {
    /// Names a shape by what describes it completely.
    pub fn of<'part>(parts: impl IntoIterator<Item = &'part [u8]>) -> Self {
        use aws_lc_rs::digest;
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let digest = context.finish();
        let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let text: String = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect();
        Self(Arc::from(text))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShapeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
