//! What is known of programs: each simple command goes to the one that knows its name. A name that nobody knows runs
//! code that is not inspected.

mod administration;
mod builtins;
mod containers;
mod files;
mod find;
mod git;
mod interpreters;
mod network;
mod table;
mod text;
mod transfer;
mod wrappers;

pub(super) use transfer::transfer;

use builtins::Builtin;

use super::{
    outcome::{Doubt, Object, Verb},
    path::Place,
    seen::Seen,
    walk::Simple,
    word::{Kind, Word},
};

/// Folders whose programs are what their names say.
const FOLDERS: [&str; 6] = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"];

/// Keywords where a name stands: one shell takes it for the one, another for the other.
const KEYWORDS: [&str; 25] = [
    "!", "{", "}", "[[", "]]", "if", "then", "elif", "else", "fi", "do", "done", "for", "while", "until", "case",
    "esac", "in", "function", "select", "coproc", "repeat", "foreach", "end", "-",
];

/// Says what a simple command does; the new place, where it is a `cd`.
pub(super) fn judge(seen: &mut Seen, command: &Simple<'_>) -> Option<Place> {
    let (name, arguments) = command.words.split_first()?;
    #[cfg(test)]
    seen.calls.push(command.words.clone());
    if !seen.command() {
        return None;
    }
    if command.depth > super::MAX_DEPTH {
        seen.doubt(Doubt("holds commands too deep in each other"));
        return None;
    }
    let Some(name) = name.literal() else {
        seen.doubt(Doubt("runs a program whose name depends on more than the text"));
        return None;
    };
    seen.program(name);
    if !name.chars().all(|one| one.is_ascii_graphic()) || name.is_empty() {
        seen.doubt(Doubt("runs a program whose name only looks like another one"));
        return None;
    }
    let bare = FOLDERS.iter().find_map(|folder| name.strip_prefix(folder)).unwrap_or(name);
    if bare.contains('/') {
        seen.path(Verb::Execute, &Word::exact(name), command.place);
        return None;
    }
    if KEYWORDS.contains(&bare) {
        seen.doubt(Doubt("uses a construct that shells read differently"));
        return None;
    }
    let run = Run { seen, command, name: bare, arguments };
    if bare == name {
        return run.judge();
    }
    // A builtin by its path is a program that changes nothing here.
    run.judge().and(None)
}

/// One command while it is looked at.
struct Run<'s, 'c> {
    seen: &'s mut Seen,
    command: &'c Simple<'c>,
    name: &'c str,
    arguments: &'c [Word],
}

impl<'c> Run<'_, 'c> {
    fn judge(mut self) -> Option<Place> {
        match self.builtin() {
            Builtin::None => {}
            Builtin::Stays => return None,
            Builtin::Moves(place) => return Some(place),
        }
        let is_known = self.wrapper()
            || self.interpreter()
            || self.find()
            || self.git()
            || self.network()
            || self.container()
            || self.administration()
            || self.text_program()
            || self.file_program()
            || self.tabled();
        if !is_known {
            self.seen.does_to(Verb::Execute, Object::Program(self.name.to_owned()));
        }
        None
    }

    fn doubt(&mut self, why: &'static str) {
        self.seen.doubt(Doubt(why));
    }

    fn path(&mut self, verb: Verb, word: &Word) {
        self.seen.path(verb, word, self.command.place);
    }

    fn paths(&mut self, verb: Verb, words: &[Word]) {
        for word in words.iter().filter(|word| word.text != "-" || word.kind != Kind::Exact) {
            self.path(verb, word);
        }
    }

    fn tree(&mut self, verb: Verb, word: &Word) {
        self.seen.tree(verb, word, self.command.place);
    }

    /// The arguments, where each is certain.
    fn literals(&mut self) -> Option<Vec<&'c str>> {
        let arguments: &'c [Word] = self.arguments;
        let literals: Option<Vec<&'c str>> = arguments.iter().map(Word::literal).collect();
        if literals.is_none() {
            self.seen.doubt(Doubt("takes an argument that depends on more than the text"));
        }
        literals
    }

    fn options(&mut self, short: &'static str, long: &'static str) -> super::options::Given {
        let is_meek = table::is_meek(self.name);
        let syntax = super::options::Syntax { short, long, stops: false, is_meek };
        super::options::parse(self.seen, self.arguments, syntax, self.command.place)
    }

    /// Options up to the first operand: what comes after belongs to another command.
    fn leading(&mut self, short: &'static str, long: &'static str) -> super::options::Given {
        let syntax = super::options::Syntax { short, long, stops: true, is_meek: false };
        super::options::parse(self.seen, self.arguments, syntax, self.command.place)
    }

    /// The command that these words are.
    fn again(&mut self, words: &[Word]) -> Option<Place> {
        if words.is_empty() {
            self.doubt("wraps no command");
            return None;
        }
        let command = Simple {
            words: words.to_vec(),
            stdin: self.command.stdin.clone(),
            place: self.command.place,
            depth: self.command.depth + 1,
        };
        judge(self.seen, &command)
    }

    /// The text that this word is; where it leaves the shell, should it run in this one.
    fn inner(&mut self, text: &Word) -> Place {
        if let Some(text) = text.literal() {
            let stdin = self.command.stdin.clone();
            super::walk::text(self.seen, text, self.command.place, &stdin, self.command.depth + 1)
        } else {
            self.doubt("runs a text that depends on more than the text");
            Place::lost()
        }
    }

    /// The text that these words are with blanks between them.
    fn joined(&mut self, words: &[Word]) -> Place {
        let literals: Option<Vec<&str>> = words.iter().map(Word::literal).collect();
        if let Some(literals) = literals {
            self.inner(&Word::exact(literals.join(" ")))
        } else {
            self.doubt("runs a text that depends on more than the text");
            Place::lost()
        }
    }

    /// A text or a command that runs on another machine: its paths are there.
    fn elsewhere(&mut self, host: &str, run: impl FnOnce(&mut Run<'_, '_>)) {
        let mut seen = Seen::default();
        let place = Place::login();
        let command = Simple {
            words: self.command.words.clone(),
            stdin: self.command.stdin.clone(),
            place: &place,
            depth: self.command.depth + 1,
        };
        run(&mut Run { seen: &mut seen, command: &command, name: self.name, arguments: self.arguments });
        self.seen.absorb(seen, host);
    }
}
