//! Collects what the walk finds, within bounds. Decides nothing but the worst effect.

use std::collections::BTreeSet;

use super::{
    MAX_ACCESSES, MAX_COMMANDS,
    outcome::{Access, Doubt, Effect, Fact, Object, Understanding, Verb},
    path::{self, Place},
    risk,
    word::{Kind, Word},
};

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    accesses: BTreeSet<Access>,
    facts: BTreeSet<Fact>,
    programs: BTreeSet<String>,
    doubts: BTreeSet<Doubt>,
    commands: u32,
    /// The words of each simple command, for tests that compare them with those of real shells.
    #[cfg(test)]
    pub(super) calls: Vec<Vec<Word>>,
}

impl Seen {
    /// Something is not understood.
    pub(super) fn doubt(&mut self, doubt: Doubt) {
        self.doubts.insert(doubt);
    }

    pub(super) fn is_doubted(&self) -> bool {
        !self.doubts.is_empty()
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.facts.insert(fact);
    }

    /// Counts a command; false when there are too many to go on.
    pub(super) fn command(&mut self) -> bool {
        self.commands = self.commands.saturating_add(1);
        if self.commands > MAX_COMMANDS {
            self.doubt(Doubt("holds too many commands"));
        }
        self.commands <= MAX_COMMANDS
    }

    pub(super) fn program(&mut self, name: &str) {
        if self.programs.len() < MAX_ACCESSES {
            self.programs.insert(name.to_owned());
        }
    }

    /// A verb without an object.
    pub(super) fn does(&mut self, verb: Verb) {
        self.add(Access { verb, object: None });
    }

    /// A verb on an object that is no path.
    pub(super) fn does_to(&mut self, verb: Verb, object: Object) {
        if matches!(object, Object::Host(_)) {
            self.fact(Fact::Network);
        }
        self.add(Access { verb, object: Some(object) });
    }

    /// A verb on a path as a word names it, wherever the shell may be by then.
    pub(super) fn path(&mut self, verb: Verb, word: &Word, place: &Place) {
        self.going_up(word);
        match path::resolve(word, place) {
            Ok(paths) => paths.into_iter().for_each(|path| self.resolved(verb, path, word.kind == Kind::Glob)),
            Err(doubt) => {
                self.doubt(doubt);
                self.does(verb);
            }
        }
    }

    /// A verb on everything below a path.
    pub(super) fn tree(&mut self, verb: Verb, word: &Word, place: &Place) {
        self.fact(Fact::Recursive);
        self.within(verb, word, place);
    }

    /// A verb on something below a path, of which only the other side knows the name.
    pub(super) fn within(&mut self, verb: Verb, word: &Word, place: &Place) {
        self.going_up(word);
        match path::resolve(word, place) {
            Ok(paths) => paths.into_iter().for_each(|path| {
                if verb == Verb::Read && path::holds_secrets(&path) {
                    self.fact(Fact::ReadsSecretFile);
                }
                self.resolved(verb, path::below(&path), true);
            }),
            Err(doubt) => {
                self.doubt(doubt);
                self.does(verb);
            }
        }
    }

    fn going_up(&mut self, word: &Word) {
        if path::goes_up(word) {
            self.fact(Fact::Ascends);
        }
        if path::goes_up_from_links(word) {
            self.doubt(Doubt("goes up from a path that is a link"));
        }
    }

    fn resolved(&mut self, verb: Verb, path: String, is_pattern: bool) {
        if path::is_sink(&path) {
            return self.does(Verb::Session);
        }
        if let Some(doubt) = path::doubtful(&path) {
            self.doubt(doubt);
        }
        let verb = match verb {
            Verb::Read if path::is_secret(&path, is_pattern) => {
                self.fact(Fact::ReadsSecretFile);
                verb
            }
            Verb::Write | Verb::Permission | Verb::Delete if path::starts_code(&path, is_pattern) => {
                self.fact(Fact::ChangesStartup);
                self.add(Access { verb: Verb::Execute, object: Some(Object::Path(path.clone())) });
                verb
            }
            _ => verb,
        };
        self.add(Access { verb, object: Some(Object::Path(path)) });
    }

    fn add(&mut self, access: Access) {
        if self.accesses.len() < MAX_ACCESSES {
            self.accesses.insert(access);
        } else {
            self.doubt(Doubt("touches too many things"));
        }
    }

    /// What happens on another machine: the same, of its paths.
    pub(super) fn absorb(&mut self, other: Self, host: &str) {
        for access in other.accesses {
            let object = match access.object {
                Some(Object::Path(path)) => Some(Object::Path(format!("{host}:{path}"))),
                other => other,
            };
            self.add(Access { verb: access.verb, object });
        }
        self.facts.extend(other.facts);
        self.programs.extend(other.programs);
        self.doubts.extend(other.doubts);
        self.commands = self.commands.saturating_add(other.commands);
        if self.commands > MAX_COMMANDS {
            self.doubt(Doubt("holds too many commands"));
        }
    }

    /// What it all comes to.
    pub(super) fn finish(mut self) -> Understanding {
        if self.is_doubted() {
            self.accesses.insert(Access { verb: Verb::Unknown, object: None });
        } else if self.accesses.is_empty() {
            self.does(Verb::Session);
        }
        let effect = self.accesses.iter().map(|access| access.verb.effect()).max().unwrap_or(Effect::Unknown);
        let (risk, risk_reasons) = risk::weigh(&self.accesses, &self.facts);
        Understanding {
            effect,
            accesses: self.accesses,
            facts: self.facts,
            programs: self.programs,
            risk,
            risk_reasons,
            doubts: self.doubts,
            commands: self.commands,
            transfer: None,
        }
    }
}
