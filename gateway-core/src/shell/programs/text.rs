//! `sed` and `awk`: languages small enough to say, of most texts, that they only print.

use super::Run;
use crate::shell::{
    outcome::{Object, Verb},
    word::{Kind, Word},
};

impl Run<'_, '_> {
    pub(super) fn text_program(&mut self) -> bool {
        match self.name {
            "sed" => self.sed(),
            "awk" | "gawk" | "mawk" | "nawk" => self.awk(),
            "jq" | "yq" => self.jq(),
            _ => return false,
        }
        true
    }

    fn sed(&mut self) {
        let given = self.options(
            "nErsuzi?e:l:",
            "quiet,silent,regexp-extended,separate,unbuffered,null-data,in-place?,expression:,posix,debug,sandbox",
        );
        let in_place = given.has("i,in-place");
        let mut files = given.operands.clone();
        let mut scripts: Vec<Word> = given.values("e,expression").cloned().collect();
        if scripts.is_empty() && !files.is_empty() {
            scripts.push(files.remove(0));
        }
        for script in &scripts {
            if !script.literal().is_some_and(only_edits) {
                self.doubt("edits by a script that may run commands or write files");
            }
        }
        for word in given.values("i,in-place") {
            if word.text.contains(['/', '*']) || word.kind != Kind::Exact {
                self.doubt("keeps its backups elsewhere");
            }
        }
        self.paths(Verb::Read, &files);
        if in_place {
            self.paths(Verb::Write, &files);
        }
        self.seen.does(Verb::Read);
    }

    fn awk(&mut self) {
        let given = self.leading("F:v:", "field-separator:,assign:,version");
        let Some((program, files)) = given.operands.split_first() else {
            return if given.has("version") { self.seen.does(Verb::Read) } else { self.doubt("lacks its program") };
        };
        if !program.literal().is_some_and(only_prints) {
            self.seen.does_to(Verb::Execute, Object::Program(self.name.to_owned()));
            return self.doubt("runs a program of awk that may run commands or write files");
        }
        for file in files {
            let is_assignment = file.text.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
            });
            // A file whose name looks like an option is one, to some.
            if file.text.starts_with('-') && file.text != "-" || file.may_be_option() {
                self.doubt("takes an argument that may turn out to be an option");
            }
            if !is_assignment && file.text != "-" {
                self.path(Verb::Read, file);
            }
        }
        self.seen.does(Verb::Read);
    }

    fn jq(&mut self) {
        if self.name == "yq" {
            self.doubt("is one of two programs of that name");
        }
        let given = self
            .options("rceSnsjaCM", "raw-output,compact-output,exit-status,sort-keys,null-input,slurp,tab,join-output");
        let Some((filter, files)) = given.operands.split_first() else { return self.seen.does(Verb::Read) };
        match filter.literal() {
            Some(filter)
                if ["env", "ENV", "import", "include", "input_filename", "debug", "$__"]
                    .iter()
                    .any(|odd| filter.contains(odd)) =>
            {
                self.doubt("filters by more than its input");
            }
            Some(_) => {}
            None => self.doubt("filters by what depends on more than the text"),
        }
        self.paths(Verb::Read, files);
        self.seen.does(Verb::Read);
    }
}

/// Whether a text of awk only computes and prints.
fn only_prints(program: &str) -> bool {
    let odd = ["system", "getline", "@", "ENVIRON", "ARGV", "PROCINFO", "\\", "extension", "load"];
    let pipes = program.replace("||", "").contains('|');
    let compares = program.replace(">=", "");
    let writes = compares.split('>').count() > 1
        && compares.split('>').rev().skip(1).any(|before| {
            // After `print`, a `>` writes to a file until the statement ends.
            before.rsplit([';', '{', '}', '\n']).next().is_some_and(|statement| statement.contains("print"))
        });
    let printed = compares.find("print").is_some_and(|at| compares.get(at..).is_some_and(|after| after.contains('>')));
    !odd.iter().any(|word| program.contains(word)) && !pipes && !writes && !printed
}

/// Whether a script of sed only edits the stream: a small grammar of what is known, all else is not.
fn only_edits(script: &str) -> bool {
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', ';']);
        if rest.is_empty() {
            return true;
        }
        let Some(after) = address(rest).and_then(command) else { return false };
        rest = after;
    }
}

/// What follows an address, or two.
fn address(script: &str) -> Option<&str> {
    let mut rest = one_address(script)?;
    if let Some(second) = rest.trim_start().strip_prefix(',') {
        rest = one_address(second.trim_start().trim_start_matches(['+', '~']))?;
    }
    Some(rest.trim_start_matches([' ', '!']))
}

fn one_address(script: &str) -> Option<&str> {
    if let Some(rest) = script.strip_prefix('/') {
        return delimited(rest, '/').map(|rest| rest.strip_prefix('I').unwrap_or(rest));
    }
    let rest = script.trim_start_matches(|one: char| one.is_ascii_digit() || one == '~');
    Some(if rest.len() == script.len() { script.strip_prefix('$').unwrap_or(script) } else { rest })
}

fn command(script: &str) -> Option<&str> {
    let mut characters = script.chars();
    let name = characters.next()?;
    let rest = characters.as_str();
    let rest = match name {
        's' => {
            let (mark, rest) = delimiter(rest)?;
            delimited(delimited(rest, mark)?, mark)?
                .trim_start_matches(|one: char| one.is_ascii_digit() || matches!(one, 'g' | 'p' | 'i' | 'I'))
        }
        'y' => {
            let (mark, rest) = delimiter(rest)?;
            delimited(delimited(rest, mark)?, mark)?
        }
        'p' | 'd' | 'q' | 'Q' | '=' | 'n' | 'N' | 'D' | 'P' | 'g' | 'G' | 'h' | 'H' | 'x' | 'l' | 'z' => {
            rest.trim_start_matches(|one: char| one.is_ascii_digit())
        }
        'a' | 'i' | 'c' => match rest.split_once('\n') {
            None if !rest.ends_with('\\') => "",
            _ => return None,
        },
        _ => return None,
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    (rest.is_empty() || rest.starts_with([';', '\n'])).then_some(rest)
}

fn delimiter(script: &str) -> Option<(char, &str)> {
    let mark = script.chars().next().filter(|mark| mark.is_ascii_punctuation() && *mark != '\\' && *mark != '[')?;
    Some((mark, script.strip_prefix(mark)?))
}

/// What follows the next delimiter that nothing escapes. Brackets could hide one, from some: refused.
fn delimited(script: &str, mark: char) -> Option<&str> {
    let mut characters = script.char_indices();
    let mut in_brackets = false;
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()?),
            '\n' => return None,
            // A bracket that begins with one is read in more than one way.
            '[' if script.get(at + 1..).is_some_and(|rest| rest.starts_with(']') || rest.starts_with("^]")) => {
                return None;
            }
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ if character == mark && in_brackets => return None,
            _ if character == mark => return script.get(at + mark.len_utf8()..),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_sed_that_only_edit_are_known() {
        for script in [
            "s/a/b/g",
            "5q",
            "1,10p",
            "/x/d",
            "$p",
            "/a/,/b/p",
            "s|a|b|;s,c,d,",
            "s/[0-9]*//",
            "/^#/!d",
            "2,$d",
            "a hello",
        ] {
            assert!(only_edits(script), "{script}");
        }
        for script in [
            "1e",
            "1e id",
            "s/a/b/e",
            "s/a/id/ge",
            "w /tmp/x",
            "r /etc/shadow",
            "R x",
            "W x",
            "s/a/b/w x",
            "1,2{e}",
            "e",
            "s/a/b/;e id",
            "s/[/]x/y/e/;p",
            "a\\\ne id",
            "/x/e",
            "$e",
            "v;e",
            "s\ne\ny\n",
        ] {
            assert!(!only_edits(script), "{script}");
        }
    }

    #[test]
    fn programs_of_awk_that_only_print_are_known() {
        for program in ["{print $1}", "$3 > 5 {print $1}", "NR==1 || NR>=3", "/x/ {n++} END {print n}", "!seen[$0]++"] {
            assert!(only_prints(program), "{program}");
        }
        for program in [
            "BEGIN{system(\"id\")}",
            "{print > \"x\"}",
            "{print | \"sh\"}",
            "{\"id\" | getline}",
            "{print>$1}",
            "@load \"x\"",
            "{printf \"a\" >> \"b\"}",
            "BEGIN{while((getline l < \"/etc/shadow\")>0) print l}",
            "{if(1) print \"a\" \n> \"x\"}",
        ] {
            assert!(!only_prints(program), "{program}");
        }
    }
}
