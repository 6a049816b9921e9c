//! JSON Schemas of the site's TOML files, for editors (taplo, Even Better TOML).
//!
//! They are made of what the readers of the files ask for, by a test, and committed: the readers stay the one place that
//! knows the keys. What no schema can say (references, ranges, what excludes what) `hoop policy check` says.

/// A kind of file in a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteFile {
    /// `gateway.toml`.
    Gateway,
    /// `connections.toml`.
    Connections,
    /// `masking.toml`.
    Masking,
    /// `agents.toml`.
    Agents,
    /// `tests/*.toml`.
    Tests,
}

impl SiteFile {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Gateway, Self::Connections, Self::Masking, Self::Agents, Self::Tests];

    /// Its name, without the ending; a folder's for the policy cases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Connections => "connections",
            Self::Masking => "masking",
            Self::Agents => "agents",
            Self::Tests => "tests",
        }
    }

    /// The file of a site that this path in it names.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (first, is_case) = path.split_once('/').map_or((path, false), |(folder, _)| (folder, true));
        let name = if is_case { first } else { first.strip_suffix(".toml")? };
        Self::ALL.into_iter().find(|file| file.as_str() == name)
    }

    /// Where `hoop init` puts the schema, in the site's folder.
    pub fn place(self) -> String {
        format!("schema/{}.json", self.as_str())
    }

    /// The schema, as JSON.
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Gateway => include_str!("schema/gateway.json"),
            Self::Connections => include_str!("schema/connections.json"),
            Self::Masking => include_str!("schema/masking.json"),
            Self::Agents => include_str!("schema/agents.json"),
            Self::Tests => include_str!("schema/tests.json"),
        }
    }
}

#[cfg(test)]
mod tests;
