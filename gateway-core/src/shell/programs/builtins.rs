//! Builtins of the shell: those that change nothing, those that run their arguments, and those after which nothing means
//! what it did.

use super::Run;
use crate::shell::{
    outcome::{Fact, Verb},
    path::Place,
    walk,
    word::{Kind, Word},
};

/// Whether a command is a builtin, and whether it changes where the shell is.
#[derive(Debug)]
pub(super) enum Builtin {
    /// It is none.
    None,
    /// It is one.
    Stays,
    /// It is one after which the shell is here, if it succeeded.
    Moves(Place),
}

impl Run<'_, '_> {
    /// Looks whether it is one, and what it does.
    pub(super) fn builtin(&mut self) -> Builtin {
        match self.name {
            ":" | "true" | "false" | "wait" | "times" | "logout" | "pwd" | "umask" | "ulimit" | "sleep" | "usleep" => {
                self.quiet();
            }
            "echo" => self.seen.does(Verb::Session),
            "printf" => self.printf(),
            "test" | "[" => self.test(),
            "type" | "which" | "whereis" | "hash" => self.which(),
            "cd" => return Builtin::Moves(self.cd()),
            "set" => self.set(),
            "read" => self.read(),
            "unset" | "shift" => self.unset(),
            "eval" => {
                let arguments = self.arguments;
                return Builtin::Moves(self.joined(arguments.strip_prefix(&[Word::exact("--")]).unwrap_or(arguments)));
            }
            "exec" => self.exec(),
            "command" => return self.command_builtin(),
            "builtin" => {
                let arguments = self.arguments;
                return self.again(arguments).map_or(Builtin::Stays, Builtin::Moves);
            }
            "trap" => self.trap(),
            "source" | "." => self.source(),
            "alias" | "unalias" | "enable" | "bind" | "complete" | "compgen" | "compopt" | "shopt" | "setopt"
            | "unsetopt" | "readonly" | "declare" | "typeset" | "local" | "export" | "let" | "mapfile"
            | "readarray" | "getopts" | "fc" | "history" | "pushd" | "popd" | "dirs" | "autoload" | "zmodload"
            | "emulate" | "bindkey" | "zle" | "bg" | "fg" | "disown" | "suspend" | "caller" | "coproc" | "integer"
            | "float" | "print" | "zsystem" => {
                self.doubt("uses a builtin after which the rest may mean something else");
            }
            _ => return Builtin::None,
        }
        Builtin::Stays
    }

    fn quiet(&mut self) {
        if let Some(literals) = self.literals() {
            // Some shells compute their arguments, and computing runs commands.
            if literals.iter().any(|word| word.contains(['[', '$', '`']))
                || (self.name == "ulimit"
                    && !literals.iter().all(|word| is_number(word) || word.starts_with('-') || *word == "unlimited"))
                || (self.name == "wait" && literals.iter().any(|word| word.starts_with('-') && word.contains('p')))
            {
                return self.doubt("takes an argument that may be computed, or sets a variable");
            }
            self.seen.does(Verb::Session);
        }
    }

    fn printf(&mut self) {
        let is_format = self.arguments.first().and_then(Word::literal).is_some_and(|format| !format.starts_with('-'));
        let has_end = self.arguments.first().and_then(Word::literal) == Some("--");
        // bash writes variables by %n and -v, and evaluates what stands for %d.
        let is_plain = self.arguments.iter().all(|word| word.literal().is_some_and(|text| !text.contains("%n")));
        let formats = self.arguments.first().and_then(Word::literal).unwrap_or_default();
        let only_texts = !formats.replace("%%", "").split('%').skip(1).any(|rest| !rest.starts_with(['s', 'b', 'c']));
        let numbers = self.arguments.iter().skip(1).all(|word| word.literal().is_some_and(is_number));
        if (is_format && (only_texts || numbers) || has_end && self.arguments.len() == 2) && is_plain {
            self.seen.does(Verb::Session);
        } else {
            self.doubt("prints by a format that depends on more than the text");
        }
    }

    fn test(&mut self) {
        let Some(literals) = self.literals() else { return };
        // An index is arithmetic, and arithmetic runs commands.
        if literals.iter().any(|word| matches!(*word, "-v" | "-R" | "-o" | "-a") || word.contains('[') && *word != "[")
        {
            return self.doubt("tests in a way that may evaluate its arguments");
        }
        // ksh and zsh compute what is compared as a number, and computing runs commands.
        let compares = |word: &str| matches!(word, "-eq" | "-ne" | "-lt" | "-gt" | "-le" | "-ge" | "-t");
        let beside = |at: usize| literals.get(at).is_none_or(|word| is_number(word) || matches!(*word, "-t" | "!"));
        let is_computed = literals
            .iter()
            .enumerate()
            .any(|(at, word)| compares(word) && (!beside(at + 1) || *word != "-t" && !beside(at.saturating_sub(1))));
        if is_computed {
            return self.doubt("compares what may be computed");
        }
        self.seen.does(Verb::Read);
    }

    fn which(&mut self) {
        match self.literals() {
            Some(literals)
                if !literals.iter().any(|word| word.starts_with('-') && !matches!(*word, "-a" | "-t" | "-p")) =>
            {
                if self.name == "hash" && !literals.is_empty() {
                    return self.doubt("changes where programs are found");
                }
                self.seen.does(Verb::Read);
            }
            _ => self.doubt("has an option that is not known"),
        }
    }

    fn cd(&mut self) -> Place {
        self.seen.does(Verb::Session);
        if self.arguments.iter().any(|word| ["/proc", "/dev"].iter().any(|odd| word.text.contains(odd))) {
            self.doubt("goes to a folder that is a link");
        }
        match self.arguments {
            [] => self.command.place.then(&Word { text: "~".to_owned(), kind: Kind::Home }),
            [word] if word.kind != Kind::Glob && !word.text.is_empty() && !word.text.starts_with(['-', '+']) => {
                if word.kind == Kind::Dynamic {
                    self.doubt("goes to a folder that depends on more than the text");
                }
                self.command.place.then(word)
            }
            [flag, word] if flag.literal() == Some("--") && word.literal().is_some() => self.command.place.then(word),
            _ => {
                self.doubt("goes to a folder that is not certain");
                Place::lost()
            }
        }
    }

    fn set(&mut self) {
        let Some(literals) = self.literals() else { return };
        let mut rest = literals.iter();
        while let Some(word) = rest.next() {
            let is_flags = word.strip_prefix(['-', '+']).is_some_and(|flags| {
                !flags.is_empty() && flags.chars().all(|one| matches!(one, 'e' | 'u' | 'x' | 'v' | 'o'))
            });
            let names = word.starts_with(['-', '+']) && word.ends_with('o');
            let is_option = !names
                || rest.next().is_some_and(|name| matches!(*name, "pipefail" | "errexit" | "nounset" | "xtrace"));
            if !is_flags || !is_option {
                return self.doubt("sets an option after which the rest may mean something else");
            }
        }
        if literals.is_empty() {
            // It prints every variable.
            self.seen.fact(Fact::ReadsSecretFile);
            return self.seen.does(Verb::Read);
        }
        self.seen.does(Verb::Session);
    }

    fn read(&mut self) {
        let given = self.options("rsd:n:t:", "");
        let names = given.operands.iter().all(|word| word.literal().is_some_and(walk::is_harmless_variable));
        let counts = given.values("n,t").all(|word| word.literal().is_some_and(is_number));
        if !names || !counts || given.operands.is_empty() {
            return self.doubt("sets a variable that may change what runs");
        }
        self.seen.does(Verb::Session);
    }

    fn unset(&mut self) {
        let Some(literals) = self.literals() else { return };
        let fits = |word: &&str| if self.name == "unset" { walk::is_harmless_variable(word) } else { is_number(word) };
        if !literals.iter().all(fits) {
            return self.doubt("unsets what may change what runs");
        }
        self.seen.does(Verb::Session);
    }

    fn exec(&mut self) {
        match self.arguments {
            [] => self.doubt("redirects all that follows"),
            [first, ..] if first.text.starts_with('-') => self.doubt("starts a program under another name"),
            arguments => drop(self.again(arguments)),
        }
    }

    fn command_builtin(&mut self) -> Builtin {
        let given = self.leading("pvV", "");
        if given.has("v,V") {
            self.seen.does(Verb::Read);
            return Builtin::Stays;
        }
        self.again(&given.operands).map_or(Builtin::Stays, Builtin::Moves)
    }

    fn trap(&mut self) {
        match self.arguments {
            [action, _, ..] if action.literal().is_some_and(|text| text.is_empty() || text == "-") => {
                self.seen.does(Verb::Session);
            }
            // It runs at any time: what follows may then be elsewhere.
            [action, _, ..] if !action.text.starts_with('-') => {
                if self.inner(action) != *self.command.place {
                    self.doubt("changes its folder at any time");
                }
            }
            _ => self.doubt("traps in a way that is not understood"),
        }
    }

    fn source(&mut self) {
        if let Some(file) = self.arguments.first() {
            self.path(Verb::Execute, file);
        }
        self.doubt("reads commands from a file into this shell");
    }
}

/// Whether a word is a number, and nothing that a shell could compute.
fn is_number(word: &str) -> bool {
    word.trim_start_matches(['-', '+']).chars().all(|one| one.is_ascii_digit() || one == '.')
}
