//! Programs that run a text: shells are followed, the others run code that nobody inspects.

use super::Run;
use crate::shell::{
    outcome::{Object, Verb},
    path::Place,
    word::{Stdin, Word},
};

impl Run<'_, '_> {
    pub(super) fn interpreter(&mut self) -> bool {
        match self.name {
            "sh" | "bash" | "dash" | "ash" | "ksh" | "mksh" | "zsh" | "rbash" | "posh" | "yash" => self.shell(),
            "csh" | "tcsh" | "fish" | "pwsh" | "nu" | "elvish" | "xonsh" | "rc" | "es" => {
                self.seen.does_to(Verb::Execute, Object::Program(self.name.to_owned()));
                self.doubt("starts a shell whose language is another one");
            }
            "less" | "more" | "most" | "pg" | "vi" | "vim" | "nvim" | "view" | "ex" | "ed" | "red" | "nano"
            | "emacs" | "joe" | "mcedit" | "mc" | "man" | "info" | "lynx" | "w3m" | "links" | "mutt" | "ftp"
            | "lftp" | "sqlite3" | "psql" | "mysql" | "mariadb" | "redis-cli" | "mongo" | "mongosh" | "m4" | "make"
            | "ninja" | "ld.so" | "gcc" | "cc" | "go" | "cargo" | "npm" | "npx" | "yarn" | "pnpm" | "gem"
            | "bundle" | "mvn" | "gradle" => {
                self.other();
            }
            name if is_interpreter(name) => self.other(),
            _ => return false,
        }
        true
    }

    /// Only asking for its version runs nothing.
    fn other(&mut self) {
        if let [only] = self.arguments
            && matches!(only.literal(), Some("--version" | "-V" | "-version"))
            // A file of the folder says which version of these is started, or with what.
            && !matches!(self.name, "mail" | "cargo" | "yarn" | "pnpm" | "npx" | "mvn" | "gradle" | "bundle")
        {
            return self.seen.does(Verb::Read);
        }
        self.seen.does_to(Verb::Execute, Object::Program(self.name.to_owned()));
        let script = self.arguments.iter().find(|word| !word.text.starts_with('-'));
        let takes_script = !self.arguments.first().is_none_or(|word| word.text.starts_with('-'));
        if let (Some(script), true, true) = (script, takes_script, is_interpreter(self.name)) {
            self.path(Verb::Execute, script);
        }
    }

    fn shell(&mut self) {
        let mut rest = self.arguments.iter();
        let mut takes_text = false;
        let mut reads_input = false;
        let script = loop {
            let Some(word) = rest.next() else { break None };
            if word.may_be_option() {
                return self.doubt("starts a shell with options that depend on more than the text");
            }
            match word.literal() {
                Some("--") => break rest.next(),
                Some("--norc" | "--noprofile" | "--posix" | "--login" | "--norcs") => {}
                Some("-o" | "+o") => match rest.next().and_then(Word::literal) {
                    Some("pipefail" | "errexit" | "nounset" | "xtrace" | "posix") => {}
                    _ => return self.doubt("sets an option of a shell that is not known"),
                },
                Some(flags) if flags.starts_with('-') && flags.len() > 1 => {
                    let flags = flags.strip_prefix('-').unwrap_or_default();
                    if !flags.chars().all(|one| matches!(one, 'c' | 'l' | 'e' | 'u' | 'x' | 'v' | 's' | 'f' | 'p')) {
                        return self.doubt("has an option of a shell that is not known");
                    }
                    takes_text |= flags.contains('c');
                    reads_input |= flags.contains('s');
                }
                _ => break Some(word),
            }
        };
        match (takes_text, script) {
            // A login shell may start anywhere its profile leads, but that is the account's own.
            (true, Some(text)) => drop(self.inner(text)),
            (true, None) => self.doubt("lacks the text that it is to run"),
            (false, Some(file)) if !reads_input => {
                self.path(Verb::Execute, file);
                if file.text == "-" || file.text.starts_with("/dev/") {
                    self.doubt("runs what it is given on its input");
                }
            }
            (false, _) => self.input(),
        }
    }

    /// A shell without a script reads commands from its input.
    fn input(&mut self) {
        match self.command.stdin.clone() {
            Stdin::Text(text) => {
                let place: Place = self.command.place.clone();
                crate::shell::walk::text(self.seen, &text, &place, &Stdin::Elsewhere, self.command.depth + 1);
            }
            Stdin::Elsewhere => self.doubt("runs what it is given on its input"),
            Stdin::Inherited => self.doubt("starts a shell whose commands nobody reads"),
        }
    }
}

fn is_interpreter(name: &str) -> bool {
    let bare = name.trim_end_matches(|one: char| one.is_ascii_digit() || one == '.');
    matches!(
        bare,
        "python"
            | "pypy"
            | "perl"
            | "ruby"
            | "irb"
            | "node"
            | "nodejs"
            | "deno"
            | "bun"
            | "php"
            | "lua"
            | "luajit"
            | "tclsh"
            | "wish"
            | "Rscript"
            | "R"
            | "java"
            | "jshell"
            | "groovy"
            | "scala"
            | "julia"
            | "ghci"
            | "runghc"
            | "osascript"
            | "guile"
            | "racket"
            | "erl"
            | "escript"
            | "elixir"
            | "iex"
            | "awk"
            | "bc"
            | "dc"
            | "ipython"
            | "pip"
    ) && !matches!(bare, "awk" | "pip" | "bc")
}
