//! From a text to its simple commands: parses with the grammar, follows lists, pipelines, groups, conditions and
//! substitutions, and gives each simple command to `programs`. What else the grammar knows is a doubt.

mod redirect;
mod words;

pub(super) use words::is_harmless_variable;

use shuck_ast::{self as ast, BinaryOp, Command, CompoundCommand, StmtTerminator};
use shuck_parser::parser::{Parser, ShellDialect, ShellProfile};

use super::{
    MAX_DEPTH,
    cover::Cover,
    outcome::{Doubt, Fact},
    path::Place,
    programs,
    seen::Seen,
    word::{Stdin, Word},
};

/// How deeply the grammar may nest, and how many steps it may take.
const GRAMMAR_DEPTH: usize = 32;
const GRAMMAR_STEPS: usize = 64 * 1024;
/// More of these, and the grammar's own time would grow with their square.
const MAX_BRACES: usize = 256;

/// One simple command, ready for `programs`.
#[derive(Debug, Clone)]
pub(super) struct Simple<'a> {
    /// The name and the arguments; never empty.
    pub(super) words: Vec<Word>,
    pub(super) stdin: Stdin,
    pub(super) place: &'a Place,
    /// How many texts it stands in.
    pub(super) depth: u32,
}

/// Understands a text, which may stand within another one.
pub(super) fn text(seen: &mut Seen, text: &str, place: &Place, stdin: &Stdin, depth: u32) -> Place {
    if depth > MAX_DEPTH {
        seen.doubt(Doubt("holds commands too deep in each other"));
        return Place::lost();
    }
    if let Some(doubt) = beyond(text) {
        seen.doubt(doubt);
        return Place::lost();
    }
    let profile = ShellProfile::native(ShellDialect::Bash);
    let parse = || Parser::with_limits_and_profile(text, GRAMMAR_DEPTH, GRAMMAR_STEPS, profile).parse();
    // FAIL-CLOSED: should the grammar ever panic, the text is one that nobody understood.
    let parsed = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(parse)) {
        Ok(parsed) if parsed.is_ok() => parsed,
        _ => {
            seen.doubt(Doubt("is no text of a shell"));
            return Place::lost();
        }
    };
    let mut walk =
        Walk { seen, text, cover: Cover::default(), place: place.clone(), passed: place.clone(), depth, nesting: 0 };
    walk.sequence(&parsed.file.body, stdin);
    let (cover, after) = (walk.cover, walk.place);
    if !cover.covers(text) {
        seen.doubt(Doubt("holds something between its words that is not understood"));
    }
    after
}

/// What the grammar must not even see.
fn beyond(text: &str) -> Option<Doubt> {
    let count = |what: &str| text.matches(what).count();
    match () {
        () if count("<<") > 4 => Some(Doubt("holds too many here-documents")),
        () if count("{") > MAX_BRACES || count("(") > MAX_BRACES => Some(Doubt("holds too many brackets")),
        () => None,
    }
}

struct Walk<'s, 't> {
    seen: &'s mut Seen,
    text: &'t str,
    cover: Cover,
    place: Place,
    /// Every place since the statement began: where it may have stopped.
    passed: Place,
    depth: u32,
    nesting: u32,
}

impl Walk<'_, '_> {
    fn doubt(&mut self, why: &'static str) {
        self.seen.doubt(Doubt(why));
    }

    fn sequence(&mut self, sequence: &ast::StmtSeq, stdin: &Stdin) {
        self.nesting += 1;
        if self.nesting > MAX_DEPTH * 2 {
            self.doubt("nests its groups too deeply");
        } else {
            for statement in &sequence.stmts {
                self.alone(statement, stdin);
            }
        }
        self.nesting -= 1;
    }

    /// A statement whose success nobody checks: a `cd` in it may have failed.
    fn alone(&mut self, statement: &ast::Stmt, stdin: &Stdin) {
        let outer = std::mem::replace(&mut self.passed, self.place.clone());
        let is_certain = self.statement(statement, stdin);
        if !is_certain {
            self.place = self.passed.clone();
        }
        self.passed = outer.or(&self.passed);
    }

    /// In a subshell: what it does to its place is gone afterwards.
    fn apart(&mut self, run: impl FnOnce(&mut Self)) {
        let before = (self.place.clone(), self.passed.clone());
        run(self);
        (self.place, self.passed) = before;
    }

    fn moves(&mut self, place: Place) {
        self.passed = self.passed.or(&place);
        self.place = place;
    }

    /// After it, `place` is where the shell is if it succeeded; true if the shell is gone otherwise.
    fn statement(&mut self, statement: &ast::Stmt, stdin: &Stdin) -> bool {
        let given = self.redirects(&statement.redirects, stdin);
        match statement.terminator {
            None | Some(StmtTerminator::Semicolon) => {
                let is_certain = self.command(&statement.command, &given);
                if statement.negated {
                    self.place = self.passed.clone();
                }
                is_certain && !statement.negated
            }
            Some(StmtTerminator::Background(ast::BackgroundOperator::Plain)) => {
                self.seen.fact(Fact::Detached);
                self.apart(|walk| {
                    walk.command(&statement.command, &given);
                });
                false
            }
            Some(StmtTerminator::Background(_)) => {
                self.doubt("ends a command in a way that only zsh knows");
                false
            }
        }
    }

    fn command(&mut self, command: &Command, stdin: &Stdin) -> bool {
        match command {
            Command::Simple(simple) => self.simple(simple, stdin),
            Command::Builtin(builtin) => self.leaving(builtin),
            Command::Binary(binary) => return self.binary(binary, stdin),
            Command::Compound(compound) => self.compound(compound, stdin),
            Command::Decl(_) => self.doubt("declares variables, which may change what the rest means"),
            Command::Function(_) | Command::AnonymousFunction(_) => self.doubt("defines a function"),
        }
        false
    }

    /// Chains lean to the left: unrolled, so that a long one is no deep one.
    fn binary(&mut self, binary: &ast::BinaryCommand, stdin: &Stdin) -> bool {
        let mut links = vec![binary];
        let mut first = &*binary.left;
        while let (Command::Binary(inner), true) = (&first.command, first.redirects.is_empty()) {
            links.push(inner);
            first = &inner.left;
        }
        let is_pipeline = |op| matches!(op, BinaryOp::Pipe | BinaryOp::PipeAll);
        let mut is_certain = false;
        if links.last().is_some_and(|link| is_pipeline(link.op)) {
            self.apart(|walk| {
                walk.statement(first, stdin);
            });
        } else {
            self.statement(first, stdin);
        }
        for link in links.into_iter().rev() {
            match link.op {
                BinaryOp::And => {
                    self.statement(&link.right, stdin);
                }
                BinaryOp::Or if matches!(link.right.command, Command::Builtin(ast::BuiltinCommand::Exit(_))) => {
                    is_certain = true;
                    self.apart(|walk| {
                        walk.statement(&link.right, stdin);
                    });
                }
                BinaryOp::Or => {
                    self.place = self.passed.clone();
                    self.statement(&link.right, stdin);
                    self.place = self.passed.clone();
                }
                // The last of a pipeline runs in this shell in ksh and zsh.
                BinaryOp::Pipe => {
                    self.statement(&link.right, &Stdin::Elsewhere);
                    self.place = self.passed.clone();
                }
                BinaryOp::PipeAll => self.doubt("pipes its errors too, which other shells read differently"),
            }
        }
        is_certain
    }

    fn compound(&mut self, compound: &CompoundCommand, stdin: &Stdin) {
        match compound {
            CompoundCommand::Subshell(body) => self.apart(|walk| walk.sequence(body, stdin)),
            CompoundCommand::BraceGroup(body) => self.sequence(body, stdin),
            CompoundCommand::If(choice) => self.choice(choice, stdin),
            CompoundCommand::While(turns) => self.turns(&[&turns.condition, &turns.body], stdin),
            CompoundCommand::Until(turns) => self.turns(&[&turns.condition, &turns.body], stdin),
            CompoundCommand::For(each) => self.each(each, stdin),
            CompoundCommand::Time(timed) => {
                if let Some(command) = &timed.command {
                    self.alone(command, stdin);
                }
            }
            _ => self.doubt("uses a construct that shells read differently"),
        }
    }

    fn choice(&mut self, choice: &ast::IfCommand, stdin: &Stdin) {
        if !matches!(choice.syntax, ast::IfSyntax::ThenFi { .. }) {
            self.doubt("uses a construct of zsh");
        }
        self.sequence(&choice.condition, stdin);
        let before = self.place.clone();
        let others = choice.elif_branches.iter().flat_map(|(condition, branch)| [condition, branch]);
        for branch in [&choice.then_branch].into_iter().chain(others).chain(&choice.else_branch) {
            self.sequence(branch, stdin);
            let reached = before.or(&self.place);
            self.moves(reached);
        }
    }

    /// A body that may run often: a relative `cd` in it leads further each time.
    fn turns(&mut self, parts: &[&ast::StmtSeq], stdin: &Stdin) {
        let before = self.place.clone();
        for part in parts {
            self.sequence(part, stdin);
        }
        if self.place != before {
            self.moves(Place::lost());
            self.doubt("changes its folder in a loop");
        }
    }

    fn each(&mut self, each: &ast::ForCommand, stdin: &Stdin) {
        if !matches!(each.syntax, ast::ForSyntax::InDoDone { .. }) {
            self.doubt("uses a construct of zsh");
        }
        for target in &each.targets {
            self.cover.add(words::range(target.span));
            let name = words::slice(self.text, target.span);
            self.names(name);
        }
        for word in each.words.iter().flatten() {
            self.word(word);
        }
        self.turns(&[&each.body], stdin);
    }

    /// `exit`, `return`, `break`, `continue`.
    fn leaving(&mut self, builtin: &ast::BuiltinCommand) {
        let (span, first, rest, assignments, name) = match builtin {
            ast::BuiltinCommand::Break(one) => (one.span, &one.depth, &one.extra_args, &one.assignments, "break"),
            ast::BuiltinCommand::Continue(one) => (one.span, &one.depth, &one.extra_args, &one.assignments, "continue"),
            ast::BuiltinCommand::Return(one) => (one.span, &one.code, &one.extra_args, &one.assignments, "return"),
            ast::BuiltinCommand::Exit(one) => (one.span, &one.code, &one.extra_args, &one.assignments, "exit"),
        };
        if !assignments.is_empty() || !words::slice(self.text, span).starts_with(name) {
            self.doubt("leaves in an unusual way");
        }
        let start = words::range(span).start;
        self.cover.add(start..start.saturating_add(name.len()));
        for word in first.iter().chain(rest) {
            let status = self.word(word);
            // zsh computes it, and computing runs commands.
            if status.text != "$?" && !status.text.chars().all(|one| one.is_ascii_digit()) {
                self.doubt("leaves with a status that may be computed");
            }
        }
    }

    fn simple(&mut self, simple: &ast::SimpleCommand, stdin: &Stdin) {
        for assignment in &simple.assignments {
            self.assignment(assignment, !words::slice(self.text, simple.name.span).is_empty());
        }
        if words::slice(self.text, simple.name.span).is_empty() {
            return;
        }
        let mut all = vec![self.word(&simple.name)];
        for argument in &simple.args {
            let argument = self.word(argument);
            all.push(argument);
        }
        let command = Simple { words: all, stdin: stdin.clone(), place: &self.place, depth: self.depth };
        if let Some(place) = programs::judge(self.seen, &command) {
            self.moves(place);
        }
    }
}
