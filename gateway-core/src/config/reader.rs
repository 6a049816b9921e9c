//! Reads one TOML file key by key, and keeps every problem with its place instead of stopping at the first.
//!
//! A [`Table`] knows which keys were asked for; [`Table::finish`] refuses the others, with the nearest known one. Values
//! are shown in problems only where they cannot be secrets.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::Display,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

#[cfg(test)]
pub(super) mod asked;

use super::{
    Problem,
    place::{line_and_column, nearest},
};
#[cfg(test)]
use asked::Kind;

/// The longest site file, in bytes.
const MAX_FILE_BYTES: usize = 4 << 20;
/// Words in a key that say its value is a secret.
const SECRET_WORDS: [&str; 6] = ["password", "passwd", "secret", "token", "api_key", "credential"];
/// The longest value that a problem shows.
const MAX_SHOWN: usize = 80;

/// One file being read.
pub(super) struct Document<'text> {
    file: PathBuf,
    text: &'text str,
    problems: RefCell<Vec<Problem>>,
}

/// Where a value stands.
pub(super) type Span = Range<usize>;

/// A table whose keys are being asked for.
pub(super) struct Table<'document> {
    document: &'document Document<'document>,
    name: String,
    span: Span,
    members: BTreeMap<String, (Span, Spanned<DeValue<'document>>)>,
    asked: Vec<&'static str>,
}

impl<'text> Document<'text> {
    pub(super) fn new(file: PathBuf, text: &'text str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    /// The whole file as a table; what TOML itself refuses is a problem.
    pub(super) fn root(&'text self) -> Option<Table<'text>> {
        if self.text.len() > MAX_FILE_BYTES {
            self.problem(&(0..0), format!("longer than {MAX_FILE_BYTES} bytes"), "shorten it");
            return None;
        }
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.problem(&error.span().unwrap_or(0..0), error.message().to_owned(), "correct the TOML");
        }
        errors.is_empty().then(|| Table::new(self, String::new(), root.span(), root.into_inner()))
    }

    pub(super) fn problem(&self, span: &Span, message: impl Into<String>, fix: impl Into<String>) {
        let (line, column) = line_and_column(self.text, span.start);
        let problem = Problem { file: self.file.clone(), line, column, message: message.into(), fix: fix.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// The file, relative to the site.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The line of a place.
    pub(super) fn line(&self, span: &Span) -> usize {
        line_and_column(self.text, span.start).0
    }

    /// Everything wrong with the file, in its order.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }
}

impl<'document> Table<'document> {
    fn new(document: &'document Document<'document>, name: String, span: Span, table: DeTable<'document>) -> Self {
        #[cfg(test)]
        asked::table(&document.file, &name);
        let member = |(key, value): (Spanned<_>, _)| {
            let span = key.span();
            (String::from(std::borrow::Cow::<str>::clone(key.get_ref())), (span, value))
        };
        Self { document, name, span, members: table.into_iter().map(member).collect(), asked: Vec::new() }
    }

    /// The place of the table.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Says what is wrong at a place of this file.
    pub(super) fn problem(&self, span: &Span, message: impl Into<String>, fix: impl Into<String>) {
        self.document.problem(span, message, fix);
    }

    fn take(&mut self, key: &'static str) -> Option<(Span, DeValue<'document>)> {
        self.asked.push(key);
        let (_, value) = self.members.remove(key)?;
        Some((value.span(), value.into_inner()))
    }

    #[cfg(test)]
    fn asks(&self, key: &str, kind: Kind) {
        asked::key(&self.document.file, &self.name, key, kind);
    }

    fn wrong_type(&self, key: &str, span: &Span, wanted: &str, found: &DeValue<'_>) {
        let message = format!("{} is {}, not {wanted}", self.path(key), article(found.type_str()));
        self.problem(span, message, format!("write {wanted}"));
    }

    /// A missing key is a problem, and this is what to write.
    pub(super) fn missing(&self, key: &str, example: &str) {
        let message = format!("{} is missing", self.path(key));
        self.problem(&self.span, message, format!("add `{example}`"));
    }

    /// An optional text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        #[cfg(test)]
        self.asks(key, Kind::Text);
        match self.take(key)? {
            (span, DeValue::String(text)) => Some(Spanned::new(span, text.into_owned())),
            (span, other) => {
                self.wrong_type(key, &span, "text in quotes", &other);
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Spanned<String>> {
        #[cfg(test)]
        {
            asked::required(&self.document.file, &self.name, key);
            asked::example(&self.document.file, &self.name, key, example);
        }
        let present = self.members.contains_key(key);
        let text = self.text(key);
        if !present {
            self.missing(key, example);
        }
        text
    }

    /// Parses a text that was read; what the parser says is the problem, and `example` the fix.
    pub(super) fn parsed<T, E: Display>(
        &self,
        key: &str,
        text: Option<Spanned<String>>,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        #[cfg(test)]
        asked::example(&self.document.file, &self.name, key, example);
        let text = text?;
        parse(text.get_ref())
            .map_err(|error| {
                let shown: String = text.get_ref().chars().take(MAX_SHOWN).collect();
                self.problem(
                    &text.span(),
                    format!("{} = `{shown}`: {error}", self.path(key)),
                    format!("write it as `{example}`"),
                );
            })
            .ok()
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<Spanned<bool>> {
        #[cfg(test)]
        self.asks(key, Kind::Boolean);
        match self.take(key)? {
            (span, DeValue::Boolean(value)) => Some(Spanned::new(span, value)),
            (span, other) => {
                self.wrong_type(key, &span, "true or false", &other);
                None
            }
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self, key: &'static str) -> Option<Spanned<u64>> {
        #[cfg(test)]
        self.asks(key, Kind::Number);
        match self.take(key)? {
            (span, DeValue::Integer(integer)) => {
                let value = u64::from_str_radix(integer.as_str(), integer.radix());
                value
                    .map_err(|_unread| {
                        self.problem(&span, format!("{} is no count", self.path(key)), "write a whole number");
                    })
                    .ok()
                    .map(|value| Spanned::new(span, value))
            }
            (span, other) => {
                self.wrong_type(key, &span, "a whole number", &other);
                None
            }
        }
    }

    /// An optional list of texts.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<Spanned<String>>> {
        #[cfg(test)]
        self.asks(key, Kind::Texts);
        match self.take(key)? {
            (_, DeValue::Array(items)) => Some(
                items
                    .into_iter()
                    .filter_map(|item| match (item.span(), item.into_inner()) {
                        (span, DeValue::String(text)) => Some(Spanned::new(span, text.into_owned())),
                        (span, other) => {
                            self.wrong_type(key, &span, "text in quotes", &other);
                            None
                        }
                    })
                    .collect(),
            ),
            (span, other) => {
                self.wrong_type(key, &span, "a list of texts", &other);
                None
            }
        }
    }

    /// A text, or a list of texts.
    pub(super) fn text_or_texts(&mut self, key: &'static str) -> Option<Vec<Spanned<String>>> {
        #[cfg(test)]
        self.asks(key, Kind::TextOrTexts);
        let is_text = self.members.get(key).is_some_and(|(_, value)| value.get_ref().is_str());
        if is_text { self.text(key).map(|text| vec![text]) } else { self.texts(key) }
    }

    /// Whether a key is there, before it is asked for.
    pub(super) fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// Whether a key holds a table, before it is asked for.
    pub(super) fn holds_table(&self, key: &str) -> bool {
        self.members.get(key).is_some_and(|(_, value)| value.get_ref().is_table())
    }

    /// An optional table of free keys and texts.
    pub(super) fn map(&mut self, key: &'static str) -> Option<BTreeMap<String, String>> {
        #[cfg(test)]
        self.asks(key, Kind::Map);
        let table = self.table(key)?;
        let Self { document, name, members, .. } = table;
        let entry = |(key, (_, value)): (String, (Span, Spanned<DeValue<'_>>))| match (value.span(), value.into_inner())
        {
            (_, DeValue::String(text)) => Some((key, text.into_owned())),
            (span, other) => {
                let message = format!("{name}.{key} is {}, not text", article(other.type_str()));
                document.problem(&span, message, "write text in quotes");
                None
            }
        };
        Some(members.into_iter().filter_map(entry).collect())
    }

    /// An optional table.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Self> {
        #[cfg(test)]
        self.asks(key, Kind::Table);
        match self.take(key)? {
            (span, DeValue::Table(table)) => Some(Self::new(self.document, self.path(key), span, table)),
            (span, other) => {
                self.wrong_type(key, &span, &format!("a table: [{key}]"), &other);
                None
            }
        }
    }

    /// A list of tables: `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        #[cfg(test)]
        self.asks(key, Kind::Tables);
        let Some((span, value)) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.wrong_type(key, &span, &format!("a list of tables: [[{key}]]"), &value);
            return Vec::new();
        };
        items
            .into_iter()
            .filter_map(|item| match (item.span(), item.into_inner()) {
                (span, DeValue::Table(table)) => Some(Self::new(self.document, self.path(key), span, table)),
                (span, other) => {
                    self.wrong_type(key, &span, "a table", &other);
                    None
                }
            })
            .collect()
    }

    /// Refuses every key that was not asked for.
    pub(super) fn finish(self) {
        #[cfg(test)]
        asked::closed(&self.document.file, &self.name);
        for (key, (span, _)) in &self.members {
            let path = self.path(key);
            if SECRET_WORDS.iter().any(|word| key.to_ascii_lowercase().contains(word)) {
                let fix = "remove it, and refer to the secret: `secret = \"env:NAME\"` in [connection.credential]";
                self.problem(span, format!("{path} is not known, and looks like a literal secret"), fix);
                continue;
            }
            let fix = match nearest(key, self.asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            self.problem(span, format!("{path} is not known"), fix);
        }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}
