//! A command line → what it does at worst, to which paths, hosts, programs and services. Exact or `unknown`.
//!
//! Owns the grammar (through `shuck-parser`), the words, and what is known of programs. Pure: no socket, no clock, no
//! environment; it never expands a variable, a glob or an alias. Knows no policy. Called by `protocol::ssh::inspect`, by
//! policy tests and by `hoop can`. The rule of the house: whatever two of sh, dash, bash, ksh and zsh may read
//! differently, and whatever depends on more than the text, is a [`Doubt`], and a text with a doubt is
//! [`Effect::Unknown`]; a text that is understood accounts for each of its bytes.
//!
//! What it takes for granted: the account's own startup files, its `PATH` and the programs there are what their names
//! say. Writing to any of these is therefore [`Verb::Execute`], not [`Verb::Write`].

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "every wildcard arm over the grammar or over words leads to a doubt, or to the stricter answer"
)]

mod cover;
mod options;
mod outcome;
mod path;
mod programs;
mod reader;
mod risk;
mod screen;
mod seen;
mod walk;
mod word;

pub use outcome::{Access, Doubt, Effect, Fact, Object, Transfer, Understanding, Verb};
pub use reader::{QUESTION, Reader};
pub use risk::CIRCUMSTANCES;
pub use screen::MAX_TEXT_BYTES;

/// How deeply texts may stand in texts: `bash -c`, `$(…)`, `ssh host …`, `sudo`, each counts.
pub const MAX_DEPTH: u32 = 8;
/// How many commands one text may hold, those of inner texts included.
pub const MAX_COMMANDS: u32 = 256;
/// How many things one text may touch.
pub const MAX_ACCESSES: usize = 512;

/// Says what `text` does when a POSIX shell of the account runs it with `-c`.
///
/// Never fails: what is not understood, too long or too deep has a doubt, and so the effect `unknown`.
pub fn understand(text: &[u8]) -> Understanding {
    let mut seen = seen::Seen::default();
    match screen::text(text) {
        Ok(text) => {
            if let Some(transfer) = programs::transfer(text) {
                return transfer;
            }
            walk::text(&mut seen, text, &path::Place::login(), &word::Stdin::Inherited, 0);
        }
        Err(doubt) => seen.doubt(doubt),
    }
    seen.finish()
}

/// What a path is known for by its letters, for who opens it without a command line: as [`understand`] would say it.
pub fn facts_of_path(path: &str, changes: bool) -> std::collections::BTreeSet<Fact> {
    let secret = (!changes && path::is_secret(path, false)).then_some(Fact::ReadsSecretFile);
    let code = (changes && path::starts_code_for_somebody(path)).then_some(Fact::ChangesStartup);
    let ascends = path.split('/').any(|part| part == "..").then_some(Fact::Ascends);
    secret.into_iter().chain(code).chain(ascends).collect()
}

/// Any bytes are understood or doubted; nothing panics, and what has no doubt names what it does.
///
/// # Panics
///
/// Where that does not hold: it is the body of a fuzz target.
pub fn fuzz_understand(input: &[u8]) {
    let found = understand(input);
    assert!(!found.accesses.is_empty(), "a command line asks for nothing");
    assert_eq!(found.doubts.is_empty(), found.effect != Effect::Unknown, "a doubt is unknown, and nothing else is");
    assert!(found.risk <= 100 && (found.risk == 0 || !found.risk_reasons.is_empty()), "a risk without a reason");
    if found.effect == Effect::Read {
        assert!(std::str::from_utf8(input).is_ok_and(|text| !text.contains(['\0', '\r'])), "unread bytes");
    }
}

#[cfg(test)]
mod tests;
