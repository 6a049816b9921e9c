//! Words and assignments as the walk meets them: read twice, by the grammar and by [`word`], and followed into their
//! substitutions.

use std::ops::Range;

use shuck_ast::{self as ast, CommandSubstitutionSyntax, Span, WordPart, WordPartNode};

use super::Walk;
use crate::shell::word::{self, Kind, Stdin, Word};

pub(super) fn range(span: Span) -> Range<usize> {
    Range { start: span.start.offset(), end: span.end.offset() }
}

pub(super) fn slice(text: &str, span: Span) -> &str {
    text.get(range(span)).unwrap_or_default()
}

/// Variables that a program may be given without changing what runs.
const HARMLESS: [&str; 21] = [
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "CLICOLOR",
    "FORCE_COLOR",
    "DEBIAN_FRONTEND",
    "SYSTEMD_COLORS",
    "GIT_TERMINAL_PROMPT",
    "PGDATABASE",
    "PGUSER",
    "PGHOST",
    "PGPORT",
    "PGAPPNAME",
    "PGCONNECT_TIMEOUT",
    "BLOCK_SIZE",
    "TIME_STYLE",
    "ANSIBLE_RETRY_FILES_ENABLED",
];
/// Names in small letters that a shell or a program listens to all the same.
const LISTENED: [&str; 23] = [
    "path",
    "fpath",
    "cdpath",
    "manpath",
    "module_path",
    "mailpath",
    "fignore",
    "prompt",
    "prompt2",
    "psvar",
    "status",
    "argv",
    "home",
    "term",
    "options",
    "commands",
    "functions",
    "aliases",
    "watch",
    "signals",
    "precmd",
    "preexec",
    "histchars",
];

impl Walk<'_, '_> {
    /// One word: what it stands for, with what it substitutes understood.
    pub(super) fn word(&mut self, word: &ast::Word) -> Word {
        self.cover.add(range(word.span));
        let source = slice(self.text, word.span);
        if !crate::shell::cover::stands_alone(self.text, &range(word.span)) {
            self.doubt("holds a word that the grammar cuts in two");
        }
        let read = word::read(source);
        if read.kind == Kind::Dynamic {
            let before = self.seen.is_doubted();
            let inner = self.parts(&word.parts, false, 0);
            // What is dynamic for reasons that the grammar does not see is written in a way that shells part over.
            if inner == 0 && !before {
                self.doubt("holds a word that shells read differently");
            }
        } else if !word.parts.iter().all(|part| is_fixed(&part.kind)) {
            self.doubt("holds a word that is read in two ways");
        }
        read
    }

    /// How many variables and substitutions there are; what stands between them must be fixed.
    fn parts(&mut self, parts: &[WordPartNode], in_quotes: bool, depth: u32) -> usize {
        let mut found = 0;
        for part in parts {
            let source = slice(self.text, part.span);
            match &part.kind {
                WordPart::Literal(_) if in_quotes && word::is_plain_inside(source) => {}
                WordPart::Literal(_) if !in_quotes && word::read(source).kind != Kind::Dynamic => {}
                WordPart::SingleQuoted { dollar: false, .. } if word::read(source).kind == Kind::Exact => {}
                WordPart::DoubleQuoted { parts, dollar: false } if depth == 0 => {
                    found += self.parts(parts, true, 1).max(1);
                }
                WordPart::Variable(_) if is_variable(source) => found += 1,
                WordPart::CommandSubstitution { syntax: CommandSubstitutionSyntax::DollarParen, .. } => {
                    found += 1;
                    self.substitution(source);
                }
                WordPart::CommandSubstitution { .. } => self.backticks(source),
                WordPart::ProcessSubstitution { .. } => self.doubt("passes a command as a file"),
                _ => self.doubt("holds an expansion that may run or mean anything"),
            }
        }
        found
    }

    /// `$( … )`: a text of its own. Here-documents, comments and `case` in it could move its end.
    fn substitution(&mut self, source: &str) {
        let Some(inner) = source.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')) else {
            return self.doubt("holds a substitution without an end");
        };
        if inner.starts_with('(') || inner.contains("<<") || inner.contains('#') || inner.contains("esac") {
            return self.doubt("holds a substitution whose end is not certain");
        }
        let place = self.place.clone();
        super::text(self.seen, inner, &place, &Stdin::Elsewhere, self.depth + 1);
    }

    fn backticks(&mut self, source: &str) {
        let inner = source.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        match inner {
            Some(inner) if !inner.contains(['\\', '`', '"', '\'', '#']) => {
                let place = self.place.clone();
                super::text(self.seen, inner, &place, &Stdin::Elsewhere, self.depth + 1);
            }
            _ => {}
        }
        self.doubt("substitutes a command with backticks; write $(…)");
    }

    /// `x=…`, alone or before a command.
    pub(super) fn assignment(&mut self, assignment: &ast::Assignment, _before_command: bool) {
        self.cover.add(range(assignment.span));
        let source = slice(self.text, assignment.span);
        let name = source.split(['=', '+', '[']).next().unwrap_or_default();
        self.names(name);
        match &assignment.value {
            ast::AssignmentValue::Scalar(value) if !assignment.append && assignment.target.subscript.is_none() => {
                let value_source = slice(self.text, value.span);
                if source.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) != Some(value_source) {
                    return self.doubt("assigns in a way that is not understood");
                }
                if !value_source.is_empty() {
                    self.word(value);
                }
            }
            _ => self.doubt("assigns an array"),
        }
    }

    /// A variable is given a value.
    pub(super) fn names(&mut self, name: &str) {
        if !is_harmless_variable(name) {
            self.doubt("sets a variable that may change what runs");
        }
    }
}

/// Whether no shell and no program listens to a variable, or only for how it writes.
pub(in crate::shell) fn is_harmless_variable(name: &str) -> bool {
    let is_own = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_')
        && !LISTENED.contains(&name)
        && !name.ends_with("proxy");
    let is_locale = name.starts_with("LC_") && name.chars().all(|one| one.is_ascii_uppercase() || one == '_');
    is_own || is_locale || HARMLESS.contains(&name)
}

fn is_fixed(part: &WordPart) -> bool {
    match part {
        WordPart::Literal(_) | WordPart::SingleQuoted { dollar: false, .. } => true,
        WordPart::DoubleQuoted { parts, dollar: false } => {
            parts.iter().all(|part| matches!(part.kind, WordPart::Literal(_)))
        }
        _ => false,
    }
}

/// `$name`, and nothing that a shell could read more into.
fn is_variable(source: &str) -> bool {
    let name = source.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or_else(|| source.strip_prefix('$'));
    name.is_some_and(|name| {
        matches!(name, "?" | "#" | "$" | "@" | "*" | "!" | "-")
            || (!name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_'))
    })
}
