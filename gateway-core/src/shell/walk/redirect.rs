//! Redirections: which files a command reads and writes besides its arguments, and where its input comes from.

use shuck_ast::{self as ast, Redirect, RedirectKind};

use super::{Walk, words};
use crate::shell::{
    outcome::Verb,
    word::{Kind, Stdin},
};

/// `2>&1` and the like: one output goes where another one goes, and nothing is opened.
fn is_duplication(source: &str) -> bool {
    source.trim_start_matches(['1', '2']).strip_prefix(">&").is_some_and(|to| matches!(to, "1" | "2"))
}

impl Walk<'_, '_> {
    /// Follows redirections; says where the input comes from now.
    pub(super) fn redirects(&mut self, redirects: &[Redirect], stdin: &Stdin) -> Stdin {
        let mut given = stdin.clone();
        for redirect in redirects {
            self.cover.add(words::range(redirect.span));
            if redirect.fd_var.is_some() {
                self.doubt("names a descriptor by a variable");
            }
            let is_input = redirect.fd.is_none_or(|number| number == 0);
            if let Some(found) = self.redirect(redirect)
                && is_input
            {
                given = found;
            }
        }
        given
    }

    fn redirect(&mut self, redirect: &Redirect) -> Option<Stdin> {
        if let Some(document) = redirect.heredoc() {
            return Some(self.document(redirect, document));
        }
        if is_duplication(words::slice(self.text, redirect.span)) {
            return None;
        }
        let Some(target) = redirect.word_target() else {
            self.doubt("redirects in a way that is not understood");
            return None;
        };
        let word = self.word(target);
        let operator = words::slice(self.text, redirect.span);
        let operator = operator.strip_suffix(words::slice(self.text, target.span)).unwrap_or("?").trim();
        let operator = operator.trim_start_matches(|one: char| one.is_ascii_digit());
        let place = self.place.clone();
        let is_fixed = matches!(word.kind, Kind::Exact | Kind::Home);
        match (redirect.kind, operator) {
            (RedirectKind::Output, ">") | (RedirectKind::Clobber, ">|") | (RedirectKind::Append, ">>") if is_fixed => {
                self.seen.path(Verb::Write, &word, &place);
                None
            }
            (RedirectKind::Input, "<") if is_fixed => {
                self.seen.path(Verb::Read, &word, &place);
                Some(Stdin::Elsewhere)
            }
            (RedirectKind::ReadWrite, "<>") if is_fixed => {
                self.seen.path(Verb::Read, &word, &place);
                self.seen.path(Verb::Write, &word, &place);
                Some(Stdin::Elsewhere)
            }
            (RedirectKind::DupOutput, ">&") | (RedirectKind::DupInput, "<&")
                if word.literal().is_some_and(|to| matches!(to, "0" | "1" | "2" | "-")) =>
            {
                (redirect.kind == RedirectKind::DupInput).then_some(Stdin::Elsewhere)
            }
            (RedirectKind::HereString, "<<<") => Some(match word.literal() {
                Some(text) => Stdin::Text(format!("{text}\n")),
                None => Stdin::Elsewhere,
            }),
            _ => {
                self.doubt("redirects in a way that shells read differently");
                None
            }
        }
    }

    /// A here-document, whose end is looked for again: a shell and the grammar must not part over it.
    fn document(&mut self, redirect: &Redirect, document: &ast::Heredoc) -> Stdin {
        let body = words::range(document.body.span);
        let name = document.delimiter.cooked.as_str();
        let is_plain = !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
        let line_end = |from: usize| self.text.get(from..).and_then(|rest| rest.find('\n')).map(|at| from + at + 1);
        let start = line_end(words::range(redirect.span).start);
        let found = start.and_then(|start| {
            let rest = self.text.get(start..)?;
            let mut at = 0;
            for line in rest.split_inclusive('\n') {
                if line.trim_end_matches('\n') == name {
                    return Some((start..start + at, at + line.len() + start));
                }
                at += line.len();
            }
            None
        });
        let only = self.text.matches("<<").count() == 1;
        match found {
            Some((range, end)) if is_plain && only && range == body && redirect.kind == RedirectKind::HereDoc => {
                self.cover.add(range.start..end);
                let text = self.text.get(range).unwrap_or_default().to_owned();
                if document.delimiter.expands_body && text.contains(['$', '`', '\\']) {
                    self.doubt("holds a here-document in which something is expanded; quote its delimiter");
                    return Stdin::Elsewhere;
                }
                Stdin::Text(text)
            }
            _ => {
                self.doubt("holds a here-document whose end is not certain");
                Stdin::Elsewhere
            }
        }
    }
}
