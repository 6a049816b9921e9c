//! Options and operands of a command, against what is known of its program. An option that is not known is a doubt:
//! many a harmless program runs others, or writes files, by an option.

use super::{
    outcome::{Doubt, Verb},
    path::Place,
    seen::Seen,
    word::{Kind, Word},
};

/// Short options as letters, each followed by `:` for a value, `<` for a path that is read, `>` for one that is written,
/// `?` for a value that may only be attached; `#` for a number by itself (`-20`). Long options the same, with commas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    pub(super) short: &'static str,
    pub(super) long: &'static str,
    /// Whether options end at the first operand.
    pub(super) stops: bool,
    /// Whether no option of it, known or not, runs or writes anything: then a glob may turn out to be one.
    pub(super) is_meek: bool,
}

/// What was given.
#[derive(Debug, Default)]
pub(super) struct Given {
    options: Vec<(String, Option<Word>)>,
    pub(super) operands: Vec<Word>,
}

impl Given {
    /// Whether any of these options is there: single letters, or long names between commas.
    pub(super) fn has(&self, names: &str) -> bool {
        names.split(',').any(|name| self.options.iter().any(|(given, _)| given == name))
    }

    /// The last value of any of these options.
    pub(super) fn value<'a>(&'a self, names: &'a str) -> Option<&'a Word> {
        self.values(names).last()
    }

    /// Every value of any of these options.
    pub(super) fn values<'a>(&'a self, names: &'a str) -> impl Iterator<Item = &'a Word> {
        self.options
            .iter()
            .filter(move |(given, _)| names.split(',').any(|name| given == name))
            .filter_map(|(_, value)| value.as_ref())
    }
}

/// Reads the arguments of a command, and what its options alone read and write.
pub(super) fn parse(seen: &mut Seen, arguments: &[Word], syntax: Syntax, place: &Place) -> Given {
    let mut given = Given::default();
    let mut rest = arguments.iter();
    let mut is_over = false;
    while let Some(word) = rest.next() {
        if !is_over && word.may_be_option() && !(syntax.is_meek && word.kind == Kind::Glob) {
            seen.doubt(Doubt("takes an argument that may turn out to be an option"));
        }
        match (is_over, word.text.as_str()) {
            (false, "--") if word.kind == Kind::Exact => is_over = true,
            (false, text) if text.starts_with("--") => {
                let (name, attached) = text
                    .strip_prefix("--")
                    .unwrap_or_default()
                    .split_once('=')
                    .map_or((text.strip_prefix("--").unwrap_or_default(), None), |(name, value)| {
                        (name, Some(Word { text: value.to_owned(), kind: word.kind }))
                    });
                long(seen, &mut given, syntax, name, attached, &mut rest, place);
            }
            (false, text) if text.starts_with('-') && text.len() > 1 => {
                let letters = text.strip_prefix('-').unwrap_or_default();
                short(seen, &mut given, syntax, letters, word.kind, &mut rest, place);
            }
            _ => {
                is_over |= syntax.stops;
                given.operands.push(word.clone());
            }
        }
        if is_over && syntax.stops {
            given.operands.extend(rest.by_ref().cloned());
        }
    }
    given
}

fn long<'w>(
    seen: &mut Seen,
    given: &mut Given,
    syntax: Syntax,
    name: &str,
    attached: Option<Word>,
    rest: &mut impl Iterator<Item = &'w Word>,
    place: &Place,
) {
    let known = syntax.long.split(',').find_map(|one| {
        let bare = one.trim_end_matches([':', '<', '>', '?']);
        (bare == name && !bare.is_empty()).then(|| one.get(bare.len()..).unwrap_or_default())
    });
    match (known, attached) {
        (Some(""), None) => given.options.push((name.to_owned(), None)),
        (Some("?"), attached) => given.options.push((name.to_owned(), attached)),
        (Some(kind), attached) if !kind.is_empty() => {
            let value = attached.or_else(|| rest.next().cloned());
            take(seen, given, name, kind, value, place);
        }
        _ => seen.doubt(Doubt("has an option that is not known")),
    }
}

fn short<'w>(
    seen: &mut Seen,
    given: &mut Given,
    syntax: Syntax,
    letters: &str,
    kind: Kind,
    rest: &mut impl Iterator<Item = &'w Word>,
    place: &Place,
) {
    let number = if syntax.short.contains('#') { letters.find(|one: char| !one.is_ascii_digit()) } else { Some(0) };
    let Some(letters) = number.and_then(|end| letters.get(end..)) else { return };
    for (at, letter) in letters.char_indices() {
        let known = syntax.short.find(letter).filter(|_| letter.is_ascii_alphanumeric());
        let Some(after) = known.and_then(|known| syntax.short.get(known + 1..)) else {
            return seen.doubt(Doubt("has an option that is not known"));
        };
        let takes = after.get(..1).filter(|mark| matches!(*mark, ":" | "<" | ">" | "?"));
        let Some(takes) = takes else {
            given.options.push((letter.to_string(), None));
            continue;
        };
        let attached = letters.get(at + letter.len_utf8()..).filter(|text| !text.is_empty());
        let attached = attached.map(|text| Word { text: text.to_owned(), kind });
        if takes == "?" {
            given.options.push((letter.to_string(), attached));
        } else {
            let value = attached.or_else(|| rest.next().cloned());
            take(seen, given, &letter.to_string(), takes, value, place);
        }
        return;
    }
}

fn take(seen: &mut Seen, given: &mut Given, name: &str, kind: &str, value: Option<Word>, place: &Place) {
    match (&value, kind) {
        (None, _) => seen.doubt(Doubt("lacks the value of an option")),
        (Some(word), _) if word.kind == Kind::Dynamic || word.may_be_option() => {
            seen.doubt(Doubt("takes an option's value that depends on more than the text"));
        }
        (Some(word), "<") if word.text != "-" => seen.path(Verb::Read, word, place),
        (Some(word), ">") if word.text != "-" => seen.path(Verb::Write, word, place),
        _ => {}
    }
    given.options.push((name.to_owned(), value));
}
