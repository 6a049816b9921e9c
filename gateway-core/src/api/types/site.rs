//! Versions of the site: what is in force, what would change, and what stands in the way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a version came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteOrigin {
    /// It is the folder that the gateway was started with, at its start or when it was told to read it again.
    Folder,
    /// Somebody applied it.
    Apply,
    /// Somebody went back to an earlier one.
    Rollback,
}

impl SiteOrigin {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Apply => "apply",
            Self::Rollback => "rollback",
        }
    }

    /// Reads the word; what is not known counts as applied.
    pub fn read(word: &str) -> Self {
        match word {
            "folder" => Self::Folder,
            "rollback" => Self::Rollback,
            _ => Self::Apply,
        }
    }
}

/// A version of the site, without its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteStanding {
    /// Its number, from 1.
    pub version: u64,
    /// How it came.
    pub origin: SiteOrigin,
    /// Which earlier version it takes up again.
    #[serde(default)]
    pub again: Option<u64>,
    /// Who put it in force.
    pub by: String,
    /// Why, as they said.
    #[serde(default)]
    pub message: Option<String>,
    /// When.
    pub at_millis: i64,
    /// SHA-256 over its files.
    pub digest: String,
    /// The version of its policies, as decisions and `hoop policy check` name it.
    pub policies: String,
}

/// `GET /api/v1/site/versions/{version}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteVersion {
    /// What is known of it.
    pub standing: SiteStanding,
    /// Its files by their paths in the site.
    pub files: BTreeMap<String, String>,
}

/// Body of `POST /api/v1/site/diff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareSite {
    /// Every file of the site by its path in it.
    pub files: BTreeMap<String, String>,
}

/// Body of `POST /api/v1/site/apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplySite {
    /// The version that the difference was made against; refused where another one is in force by now.
    pub base: u64,
    /// Why.
    #[serde(default)]
    pub message: Option<String>,
    /// Every file of the site by its path in it.
    pub files: BTreeMap<String, String>,
}

/// Body of `POST /api/v1/site/rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollBackSite {
    /// The version that is thought to be in force.
    pub base: u64,
    /// Which one to go back to; without it, the one before.
    #[serde(default)]
    pub version: Option<u64>,
    /// Why.
    #[serde(default)]
    pub message: Option<String>,
}

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It comes.
    Added,
    /// It goes.
    Removed,
    /// It is another one.
    Changed,
}

/// Something that changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SiteChange {
    /// Its name: a file, a connection, the id of a policy, an agent.
    pub name: String,
    /// What becomes of it.
    pub change: Change,
}

/// What stands in the way of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteProblemKind {
    /// A mistake in a file.
    Mistake,
    /// A case of `tests` comes out otherwise.
    Case,
    /// A setting that only a restart changes.
    Restart,
    /// A secret or a file that the gateway's operator did not allow sites to refer to.
    Reference,
    /// A secret or a certificate that cannot be had.
    Unready,
}

/// One thing that stands in the way, with its place and the fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteProblem {
    /// What it is.
    pub kind: SiteProblemKind,
    /// The file, as its path in the site.
    pub file: String,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: u64,
    /// Column, from 1; 0 where the whole line is meant.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// What a site would change, and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteDifference {
    /// What is in force.
    pub base: SiteStanding,
    /// Files.
    pub files: Vec<SiteChange>,
    /// Connections.
    pub connections: Vec<SiteChange>,
    /// Policies by their ids.
    pub policies: Vec<SiteChange>,
    /// Service accounts.
    pub agents: Vec<SiteChange>,
    /// Whether what is masked or searched for changes.
    pub masking: bool,
    /// The connections whose live sessions end, and why.
    pub ends: BTreeMap<String, String>,
    /// How many policy cases were run.
    pub cases: u64,
    /// What stands in the way; nothing where it can be applied.
    pub problems: Vec<SiteProblem>,
}

/// Answer of `POST /api/v1/site/apply` and `rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteApplied {
    /// What is in force now.
    pub standing: SiteStanding,
    /// What changed.
    pub difference: SiteDifference,
    /// How many live sessions end because of it.
    pub ended_sessions: u64,
}
