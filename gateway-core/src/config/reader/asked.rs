//! Which keys the readers ask for, in which table and as what: the editors' schema is made of it, so that no second list
//! of keys is kept. Compiled for tests only; knows no key itself.

use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet, path::Path};

/// What a key is asked for as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum Kind {
    Text,
    TextOrTexts,
    Texts,
    Boolean,
    Number,
    Map,
    Table,
    Tables,
}

/// What is known of one key.
#[derive(Debug, Default)]
pub(in crate::config) struct Key {
    pub(in crate::config) kinds: BTreeSet<Kind>,
    /// How often it had to be there.
    pub(in crate::config) required: usize,
    pub(in crate::config) example: Option<String>,
}

/// What is known of one table, by its path in the file.
#[derive(Debug, Default)]
pub(in crate::config) struct Asked {
    /// How often one was read.
    pub(in crate::config) read: usize,
    /// Whether it refuses what it does not know.
    pub(in crate::config) closed: bool,
    pub(in crate::config) keys: BTreeMap<String, Key>,
}

/// By the first part of the file's name, then by the table's path.
pub(in crate::config) type Journal = BTreeMap<String, BTreeMap<String, Asked>>;

thread_local! {
    static JOURNAL: RefCell<Option<Journal>> = const { RefCell::new(None) };
}

/// Everything that is asked for while `work` runs on this thread.
pub(in crate::config) fn during(work: impl FnOnce()) -> Journal {
    JOURNAL.set(Some(Journal::new()));
    work();
    JOURNAL.take().unwrap_or_default()
}

fn note(file: &Path, table: &str, change: impl FnOnce(&mut Asked)) {
    JOURNAL.with_borrow_mut(|journal| {
        let Some(journal) = journal else { return };
        let file = file.iter().next().and_then(|part| part.to_str()).unwrap_or_default().to_owned();
        change(journal.entry(file).or_default().entry(table.to_owned()).or_default());
    });
}

pub(super) fn table(file: &Path, table: &str) {
    note(file, table, |asked| asked.read += 1);
}

pub(super) fn closed(file: &Path, table: &str) {
    note(file, table, |asked| asked.closed = true);
}

pub(super) fn key(file: &Path, table: &str, key: &str, kind: Kind) {
    note(file, table, |asked| {
        asked.keys.entry(key.to_owned()).or_default().kinds.insert(kind);
    });
}

pub(super) fn required(file: &Path, table: &str, key: &str) {
    note(file, table, |asked| asked.keys.entry(key.to_owned()).or_default().required += 1);
}

pub(super) fn example(file: &Path, table: &str, key: &str, example: &str) {
    note(file, table, |asked| {
        let known = &mut asked.keys.entry(key.to_owned()).or_default().example;
        known.get_or_insert_with(|| example.to_owned());
    });
}
