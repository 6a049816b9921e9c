//! `git`: what only looks, and all else, which runs hooks, filters and helpers of the repository.

use super::Run;
use crate::shell::{
    outcome::{Fact, Object, Verb},
    word::Word,
};

/// Options of commands that look; none runs anything or writes a file.
const LOOKING: &str = "oneline,graph,stat,shortstat,numstat,name-only,name-status,all,decorate,no-decorate,cached,staged,short,branch,porcelain?,\
since:,until:,after:,before:,author:,grep:,max-count:,format:,pretty?,date:,abbrev-commit,reverse,merges,no-merges,follow,first-parent,patch,\
no-patch,show-current,show-toplevel,abbrev-ref,is-inside-work-tree,tags,heads,contains:,points-at:,sort:,no-color,color?,word-diff?,\
verify,quiet,list,others,exclude-standard,modified,deleted,ignored?,untracked-files?,long,always,dirty?,verbose,no-pager,relative-date,\
ignore-all-space,ignore-space-change,unified:,git-dir,count,topo-order,raw,summary,full-index,symbolic-full-name";

impl Run<'_, '_> {
    pub(super) fn git(&mut self) -> bool {
        if self.name != "git" {
            return false;
        }
        let mut rest = self.arguments;
        loop {
            rest = match rest {
                [flag, after @ ..] if flag.literal() == Some("--no-pager") => after,
                [flag, folder, after @ ..] if flag.literal() == Some("-C") => {
                    self.path(Verb::Read, folder);
                    after
                }
                _ => break,
            };
        }
        let Some((command, arguments)) = rest.split_first() else {
            self.seen.does(Verb::Read);
            return true;
        };
        match command.literal() {
            Some("--version" | "version") => self.seen.does(Verb::Read),
            Some(
                "status" | "log" | "diff" | "show" | "rev-parse" | "ls-files" | "blame" | "describe" | "shortlog"
                | "rev-list" | "ls-tree" | "cat-file" | "name-rev" | "merge-base" | "whatchanged",
            ) => self.looking(arguments),
            Some("branch" | "tag" | "remote") if is_list(arguments) => self.looking(arguments),
            Some("stash" | "worktree") if is_list(arguments) && !arguments.is_empty() => self.looking(arguments),
            Some(name) if !name.starts_with('-') => {
                if matches!(
                    name,
                    "clone" | "fetch" | "pull" | "push" | "ls-remote" | "submodule" | "archive" | "send-email"
                ) {
                    self.seen.fact(Fact::Network);
                }
                self.seen.does_to(Verb::Execute, Object::Program(format!("git {name}")));
            }
            _ => {
                self.seen.does_to(Verb::Execute, Object::Program("git".to_owned()));
                self.doubt("has an option of git that may run anything");
            }
        }
        true
    }

    fn looking(&mut self, arguments: &[Word]) {
        let syntax = crate::shell::options::Syntax {
            short: "#psun:abvrlwS:G:iqzt0L:",
            long: LOOKING,
            stops: false,
            is_meek: false,
        };
        let given = crate::shell::options::parse(self.seen, arguments, syntax, self.command.place);
        for operand in &given.operands {
            // `git diff a b` compares files where there is no repository, and `commit:path` names one that was.
            let file = operand.text.rsplit(':').next().unwrap_or_default().to_owned();
            if file != operand.text || file.contains('/') || given.operands.len() > 1 {
                self.path(Verb::Read, &Word { text: file, kind: operand.kind });
            }
        }
        self.seen.fact(Fact::Pages);
        self.seen.does(Verb::Read);
    }
}

/// Without operands these print what there is.
fn is_list(arguments: &[Word]) -> bool {
    let lists = |word: &Word| {
        matches!(
            word.literal(),
            Some(
                "-a" | "-r" | "-v" | "-vv" | "-l" | "--list" | "list" | "--all" | "--show-current" | "show" | "get-url"
            )
        )
    };
    match arguments {
        [first, _] if matches!(first.literal(), Some("get-url")) => true,
        all => all.iter().all(lists),
    }
}
