//! `find`: where it looks, what it runs there, what it removes and writes.

use super::Run;
use crate::shell::{
    outcome::{Fact, Object, Verb},
    word::{Kind, Word},
};

impl Run<'_, '_> {
    pub(super) fn find(&mut self) -> bool {
        match self.name {
            "find" => self.search(),
            "fd" | "fdfind" => {
                self.seen.does_to(Verb::Execute, Object::Program(self.name.to_owned()));
            }
            _ => return false,
        }
        true
    }

    fn search(&mut self) {
        let mut rest = self.arguments;
        while let [flag, after @ ..] = rest
            && matches!(flag.literal(), Some("-L" | "-P" | "-H"))
        {
            rest = after;
        }
        let is_expression = |word: &Word| {
            word.may_be_option() || word.text.starts_with('-') || matches!(word.text.as_str(), "!" | "(" | ")" | ",")
        };
        let end = rest.iter().position(is_expression).unwrap_or(rest.len());
        let (roots, expression) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        let here = [Word::exact(".")];
        let roots = if roots.is_empty() { &here } else { roots };
        // Looking around reads names, not what the files hold.
        for root in roots {
            self.path(Verb::Read, root);
        }
        self.seen.fact(Fact::Recursive);
        self.expression(roots, expression);
    }

    fn expression(&mut self, roots: &[Word], expression: &[Word]) {
        let mut rest = expression;
        while let [word, after @ ..] = rest {
            let Some(name) = word.literal() else {
                return self.doubt("searches by an expression that depends on more than the text");
            };
            rest = match name {
                "!" | "(" | ")" | "," | "-a" | "-o" | "-and" | "-or" | "-not" | "-print" | "-print0" | "-ls"
                | "-depth" | "-d" | "-prune" | "-quit" | "-true" | "-false" | "-empty" | "-readable" | "-writable"
                | "-executable" | "-mount" | "-xdev" | "-daystart" | "-follow" | "-nouser" | "-nogroup" | "-noleaf" => {
                    after
                }
                "-name" | "-iname" | "-path" | "-ipath" | "-wholename" | "-regex" | "-iregex" | "-regextype"
                | "-type" | "-xtype" | "-size" | "-mtime" | "-atime" | "-ctime" | "-mmin" | "-amin" | "-cmin"
                | "-maxdepth" | "-mindepth" | "-user" | "-group" | "-uid" | "-gid" | "-perm" | "-newer"
                | "-newermt" | "-links" | "-inum" | "-lname" | "-fstype" | "-printf" | "-samefile" => {
                    if after.first().is_none_or(|value| value.kind == Kind::Dynamic || value.may_be_option()) {
                        self.doubt("searches by an expression that depends on more than the text");
                    }
                    after.get(1..).unwrap_or_default()
                }
                "-delete" => {
                    for root in roots {
                        self.path(Verb::Delete, root);
                        self.tree(Verb::Delete, root);
                    }
                    after
                }
                "-fprint" | "-fprint0" | "-fls" => {
                    if let Some(file) = after.first() {
                        self.path(Verb::Write, file);
                    }
                    after.get(1..).unwrap_or_default()
                }
                "-exec" | "-execdir" | "-ok" | "-okdir" => self.run_for_each(roots, after),
                _ => return self.doubt("searches by an expression that is not known"),
            };
        }
    }

    /// `-exec command {} ;`: the command, with everything below the roots in place of the braces.
    fn run_for_each<'w>(&mut self, roots: &[Word], words: &'w [Word]) -> &'w [Word] {
        let is_end = |at: usize, word: &Word| {
            word.literal() == Some(";")
                || (word.literal() == Some("+") && at > 0 && words.get(at - 1).and_then(Word::literal) == Some("{}"))
        };
        let Some(end) = words.iter().enumerate().position(|(at, word)| is_end(at, word)) else {
            self.doubt("runs a command for each file, without an end");
            return &[];
        };
        let (command, after) = words.split_at_checked(end).unwrap_or((words, &[]));
        if command.iter().any(|word| word.text.contains("{}") && word.literal() != Some("{}"))
            || command.first().is_none_or(|name| name.literal() == Some("{}"))
        {
            self.doubt("puts the names of files into a command");
        }
        for root in roots {
            let found = Word {
                text: format!("{}/**", if root.text == "/" { "" } else { root.text.trim_end_matches('/') }),
                kind: if root.kind == Kind::Dynamic { Kind::Dynamic } else { Kind::Glob },
            };
            for place in [root, &found] {
                let named = |word: &Word| if word.literal() == Some("{}") { place.clone() } else { word.clone() };
                let words: Vec<Word> = command.iter().map(named).collect();
                drop(self.again(&words));
            }
        }
        after.get(1..).unwrap_or_default()
    }
}
