//! What a session sees when it reads a statement: the catalogue, the search path, and which tags are masked for it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    mask::{Detectors, MaskFunction},
    model::RuleId,
    upstream::Catalogue,
};

/// How one tag is masked for a principal, and which policy says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veil {
    /// The masking function.
    pub function: MaskFunction,
    /// The policy.
    pub rule: RuleId,
}

/// The facts that give a text its meaning in a session. Immutable; a change makes a new one.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The snapshot of the database.
    pub catalogue: Arc<Catalogue>,
    /// The schemas that unqualified names are looked up in, implicit ones included, as the server reported them.
    pub search_path: Arc<[String]>,
    /// Tags that are masked for this principal on this connection.
    pub veils: Arc<BTreeMap<Arc<str>, Veil>>,
    /// Whether some column of the database carries a veiled tag.
    pub hides: bool,
    /// Whether a text of another database of the server, which a column here shows, may hold what is masked there.
    pub overhears: bool,
    /// Detectors of the classes that are masked for this principal.
    pub detectors: Detectors,
    /// Detectors of every class that the site turned on: what the record seals.
    pub record_detectors: Detectors,
    /// Distinguishes this sight from others that share a cache.
    pub fingerprint: u64,
}

impl Sight {
    /// Whether values are searched for classes that are masked for this principal.
    pub fn detects(&self) -> bool {
        !self.detectors.is_empty()
    }

    /// Whether a statement could show a masked value: of this database, or of a text of another one.
    pub fn shows_masked(&self) -> bool {
        self.hides || self.overhears
    }

    /// Whether some column of this database is masked for this principal.
    pub fn hides_columns(&self) -> bool {
        self.hides
    }
}
