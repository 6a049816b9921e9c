//! `masking.toml`: which columns are tagged with which class, and which detectors run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use super::{
    Connection,
    place::nearest,
    reader::{Document, Table},
};
use crate::{
    mask::{CustomDetector, DetectedClass, Validator},
    model::{ConnectionFacts, ConnectionName},
};

/// Which connections a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionSelector {
    /// Every connection.
    Any,
    /// This one.
    Name(ConnectionName),
    /// Those with all these labels.
    Labels(BTreeMap<String, String>),
}

impl ConnectionSelector {
    /// Whether the rule is about this connection.
    pub fn selects(&self, connection: &ConnectionFacts) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => *name == connection.name,
            Self::Labels(labels) => labels.iter().all(|(key, value)| connection.labels.get(key) == Some(value)),
        }
    }
}

/// `schema.table.column`, where each part may hold `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnPattern {
    /// The schema.
    pub schema: String,
    /// The relation.
    pub table: String,
    /// The column.
    pub column: String,
}

/// Why a text is no column pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a column is named by schema, table and column, with dots between them")]
pub struct ColumnPatternError;

impl ColumnPattern {
    /// Whether the pattern is about this column. Letter case counts, as in the catalogue.
    pub fn matches(&self, schema: &str, table: &str, column: &str) -> bool {
        glob(&self.schema, schema) && glob(&self.table, table) && glob(&self.column, column)
    }
}

impl ColumnPattern {
    /// The names on the way to a member of JSON bodies: `body.customer.email` → `customer`, `email`. `None` for what is
    /// not about bodies.
    pub fn body_path(&self) -> Option<Vec<String>> {
        if self.schema != BODY {
            return None;
        }
        let between = self.table.split('.').filter(|part| !part.is_empty());
        Some(between.chain([self.column.as_str()]).map(str::to_owned).collect())
    }
}

/// The word that a pattern about bodies begins with.
const BODY: &str = "body";

impl FromStr for ColumnPattern {
    type Err = ColumnPatternError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("body.")
            && path.split('.').count() != 2
        {
            let (table, column) = path.rsplit_once('.').unwrap_or(("", path));
            if text.len() > 512 || path.split('.').any(str::is_empty) {
                return Err(ColumnPatternError);
            }
            return Ok(Self { schema: BODY.to_owned(), table: table.to_owned(), column: column.to_owned() });
        }
        let mut parts = text.split('.').map(str::to_owned);
        let (Some(schema), Some(table), Some(column), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ColumnPatternError);
        };
        if [&schema, &table, &column].iter().any(|part| part.is_empty() || part.len() > 128) {
            return Err(ColumnPatternError);
        }
        Ok(Self { schema, table, column })
    }
}

impl fmt::Display for ColumnPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.table.is_empty() { "" } else { "." };
        write!(formatter, "{}.{}{between}{}", self.schema, self.table, self.column)
    }
}

/// Whether `text` is what `pattern` says, where `*` stands for anything. Linear in pattern times text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    let found = pieces.try_fold(rest, |rest, piece| rest.split_once(piece).map(|(_, after)| after));
    found.is_some_and(|rest| rest.ends_with(last))
}

/// One `[[column]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRule {
    /// On these connections
    pub connection: ConnectionSelector,
    /// these columns
    pub columns: Vec<ColumnPattern>,
    /// carry this tag.
    pub tag: String,
}

/// What is sensitive at this site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masking {
    /// Tags on columns.
    pub columns: Vec<ColumnRule>,
    /// Detectors that run on every text value, by the data class they find.
    pub detectors: BTreeSet<DetectedClass>,
    /// Detectors of the site's own, which always run.
    pub custom: Arc<[CustomDetector]>,
}

impl Masking {
    /// Every tag that this column carries on this connection.
    pub fn tags<'site>(
        &'site self,
        connection: &ConnectionFacts,
        schema: &str,
        table: &str,
        column: &str,
    ) -> BTreeSet<&'site str> {
        self.columns
            .iter()
            .filter(|rule| rule.connection.selects(connection))
            .filter(|rule| rule.columns.iter().any(|pattern| pattern.matches(schema, table, column)))
            .map(|rule| rule.tag.as_str())
            .collect()
    }

    /// Every class that is searched for.
    pub fn detected(&self) -> impl Iterator<Item = DetectedClass> + '_ {
        self.detectors.iter().copied().chain(self.custom.iter().map(CustomDetector::class))
    }

    /// The names of all tags on columns.
    pub fn tag_names(&self) -> BTreeSet<String> {
        self.columns.iter().map(|rule| rule.tag.clone()).collect()
    }
}

impl Default for Masking {
    /// No tags; the default detectors run.
    fn default() -> Self {
        Self { columns: Vec::new(), detectors: DetectedClass::DEFAULT.into_iter().collect(), custom: Arc::new([]) }
    }
}

/// Reads `masking.toml`.
pub(super) fn read(document: &Document<'_>, connections: &[Connection]) -> Masking {
    let Some(mut file) = document.root() else { return Masking::default() };
    let detectors = match file.texts("detectors") {
        None => Masking::default().detectors,
        Some(names) => names
            .into_iter()
            .filter_map(|name| {
                let fix = format!("use some of: {}", detectors().collect::<Vec<_>>().join(", "));
                file.parsed("detectors", Some(name), &fix, |name| {
                    DetectedClass::named(name).ok_or("there is no such detector")
                })
            })
            .flatten()
            .collect(),
    };
    let columns = file
        .tables("column")
        .into_iter()
        .filter_map(|mut table| {
            let rule = rule(&mut table, connections);
            table.finish();
            rule
        })
        .collect();
    let custom = file
        .tables("detector")
        .into_iter()
        .filter_map(|mut table| {
            let detector = custom(&mut table);
            table.finish();
            detector
        })
        .take(MOST_CUSTOM)
        .collect();
    file.finish();
    Masking { columns, detectors, custom }
}

/// The names of the detectors that exist.
fn detectors() -> impl Iterator<Item = &'static str> {
    let sets = ["default", "all", "pii", "secret"];
    sets.into_iter().chain(DetectedClass::ALL.into_iter().map(DetectedClass::as_str))
}

/// The most detectors of a site's own: each reads every text.
const MOST_CUSTOM: usize = 32;

/// One `[[detector]]`.
fn custom(table: &mut Table<'_>) -> Option<CustomDetector> {
    let class = tag(table, "class");
    let pattern = table.required("pattern", "pattern = 'EMP-[0-9]{6}'");
    let validator = table.text("validator");
    let validator = match validator {
        None => None,
        named @ Some(_) => Some(table.parsed("validator", named, "validator = \"luhn\"", Validator::from_str)?),
    };
    let keywords: Vec<String> =
        table.texts("keywords").unwrap_or_default().into_iter().map(toml::Spanned::into_inner).collect();
    let (class, fix) = (class?, "a regular expression of at most 1000 bytes: pattern = 'EMP-[0-9]{6}'");
    table.parsed("pattern", pattern, fix, |pattern| CustomDetector::new(&class, pattern, validator, keywords))
}

/// A tag or class: small letters, digits, `_` and `-`.
fn tag(table: &mut Table<'_>, key: &'static str) -> Option<String> {
    let fix = format!("{key} = \"email\"");
    let tag = table.required(key, &fix);
    table.parsed(key, tag, &fix, |tag| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if tag.is_empty() || tag.len() > 64 || !tag.bytes().all(plain) {
            return Err("a tag has 1 to 64 small letters, digits, `_` and `-`");
        }
        Ok(tag.to_owned())
    })
}

fn rule(table: &mut Table<'_>, connections: &[Connection]) -> Option<ColumnRule> {
    let connection = selector(table, connections);
    let names = table.texts("columns");
    if names.as_ref().is_none_or(Vec::is_empty) {
        table.missing("columns", "columns = [\"public.customers.email\"]");
    }
    let columns = names
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| table.parsed("columns", Some(name), "public.customers.email", ColumnPattern::from_str))
        .collect();
    let tag = tag(table, "tag");
    Some(ColumnRule { connection: connection?, columns, tag: tag? })
}

fn selector(table: &mut Table<'_>, connections: &[Connection]) -> Option<ConnectionSelector> {
    if table.holds_table("connection") {
        return table.map("connection").map(ConnectionSelector::Labels);
    }
    let Some(name) = table.text("connection") else { return Some(ConnectionSelector::Any) };
    let known = || connections.iter().map(|connection| connection.name.as_str());
    let named = connections.iter().find(|connection| connection.name.as_str() == name.get_ref());
    if named.is_none() {
        let fix = match nearest(name.get_ref(), known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a connection of connections.toml, or labels: `connection = { env = \"prod\" }`".to_owned(),
        };
        table.problem(&name.span(), "there is no connection of that name", fix);
    }
    named.map(|connection| ConnectionSelector::Name(connection.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything_inside_one_part() {
        let pattern: ColumnPattern = "*.customers.*mail*".parse().unwrap();
        assert!(pattern.matches("public", "customers", "email"));
        assert!(pattern.matches("", "customers", "mail"));
        assert!(!pattern.matches("public", "customers2", "email"));
        assert!(!pattern.matches("public", "customers", "e-mai"));
        assert!(glob("a*a", "aa") && !glob("a*a", "a"));
        assert!(glob("a*b*c", "abbc") && !glob("a*b*c", "acb"));
        assert!(glob("*", "") && glob("*", "x") && !glob("", "x"));
    }

    #[test]
    fn a_place_in_bodies_has_any_number_of_parts() {
        let path = |text: &str| text.parse::<ColumnPattern>().unwrap().body_path().unwrap();
        assert_eq!(path("body.email"), ["email"]);
        assert_eq!(path("body.customer.email"), ["customer", "email"]);
        assert_eq!(path("body.a.*.b.c"), ["a", "*", "b", "c"]);
        assert_eq!("body.a.b.c.d".parse::<ColumnPattern>().unwrap().to_string(), "body.a.b.c.d");
        assert_eq!("public.a.b".parse::<ColumnPattern>().unwrap().body_path(), None);
        assert!("body.a..b".parse::<ColumnPattern>().is_err());
    }

    #[test]
    fn refuses_patterns_without_three_parts() {
        for text in ["email", "customers.email", "a.b.c.d", "a..c", ""] {
            assert!(text.parse::<ColumnPattern>().is_err(), "{text}");
        }
    }
}
