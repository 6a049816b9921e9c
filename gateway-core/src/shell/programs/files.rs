//! Programs whose arguments are files to be changed, in ways that a table does not hold.

use super::Run;
use crate::shell::{
    outcome::{Fact, Verb},
    word::{Kind, Word},
};

/// A mode of figures that lends nobody's rights.
fn is_usual(mode: &Word) -> bool {
    let figures = mode.text.trim_start_matches('0');
    mode.kind == Kind::Exact && figures.len() <= 3 && figures.bytes().all(|byte| matches!(byte, b'0'..=b'7'))
}

impl Run<'_, '_> {
    pub(super) fn file_program(&mut self) -> bool {
        match self.name {
            "rm" | "rmdir" | "unlink" | "shred" => self.remove(),
            "cp" | "mv" | "ln" | "install" => self.copy(),
            "chmod" | "chown" | "chgrp" | "chattr" | "setfacl" => self.permit(),
            "grep" | "egrep" | "fgrep" | "zgrep" | "rg" => self.search_text(),
            "dd" => self.dd(),
            "tar" | "bsdtar" => self.tar(),
            "zip" | "gzip" | "gunzip" | "bzip2" | "bunzip2" | "xz" | "unxz" | "zstd" | "unzip" => self.pack(),
            _ => return false,
        }
        true
    }

    fn remove(&mut self) {
        let given = self.options(
            "rRfivdIpun:z",
            "recursive,force,verbose,dir,one-file-system,preserve-root,parents,interactive?,no-preserve-root",
        );
        let wild = given.operands.iter().any(Word::may_be_option);
        if given.has("f,force,no-preserve-root") || wild {
            self.seen.fact(Fact::Force);
        }
        for word in &given.operands {
            if given.has("r,R,recursive") || word.may_be_option() {
                self.tree(Verb::Delete, word);
            }
            self.path(Verb::Delete, word);
        }
    }

    fn copy(&mut self) {
        let given = self.options(
            "abdfilLnprRsTuvxHPDZt>m:o:g:",
            "archive,force,interactive,recursive,verbose,no-clobber,update,symbolic,no-target-directory,target-directory>,backup?,\
             preserve?,mode:,owner:,group:,directory,parents",
        );
        if given.has("f,force") {
            self.seen.fact(Fact::Force);
        }
        let is_recursive = given.has("r,R,a,recursive,archive");
        let folder = given.value("t,target-directory").cloned();
        let (target, sources) = match (folder, given.operands.split_last()) {
            (Some(folder), _) => (folder, given.operands.as_slice()),
            (None, Some((target, sources))) => (target.clone(), sources),
            (None, None) => return self.doubt("copies nothing"),
        };
        for source in sources {
            match self.name {
                "mv" => {
                    self.path(Verb::Delete, source);
                    self.path(Verb::Read, source);
                }
                _ if is_recursive => {
                    self.path(Verb::Read, source);
                    self.tree(Verb::Read, source);
                }
                // A link gives the file another name, by which it may be read or written.
                "ln" => {
                    self.path(Verb::Read, source);
                    self.tree(Verb::Read, source);
                    self.tree(Verb::Write, source);
                }
                _ => self.path(Verb::Read, source),
            }
            self.below(&target, source);
        }
        self.path(Verb::Write, &target);
        if is_recursive {
            self.tree(Verb::Write, &target);
        }
        // What is made with an owner, or to run as one, is as if `chown` or `chmod` followed.
        if given.has("o,g,owner,group") || given.value("m,mode").is_some_and(|mode| !is_usual(mode)) {
            self.path(Verb::Permission, &target);
        }
    }

    /// A target that is a folder takes a file of the source's name.
    fn below(&mut self, target: &Word, source: &Word) {
        let name = source.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let kinds = [target.kind, source.kind];
        if !kinds.contains(&Kind::Dynamic)
            && !name.is_empty()
            && name != ".."
            && name != "."
            && target.text != "/dev/null"
        {
            let kind = if source.kind == Kind::Glob { Kind::Glob } else { target.kind };
            let text = format!("{}/{name}", target.text.trim_end_matches('/'));
            self.path(Verb::Write, &Word { text, kind });
        }
    }

    fn permit(&mut self) {
        // A mode may begin with a dash: `chmod -x file`.
        let is_mode = |word: &Word| {
            self.name == "chmod"
                && word.text.strip_prefix('-').is_some_and(|mode| {
                    !mode.is_empty() && mode.chars().all(|one| matches!(one, 'r' | 'w' | 'x' | 's' | 't' | 'X'))
                })
        };
        let modes = self.arguments.iter().filter(|word| is_mode(word)).count();
        let words: Vec<Word> = self.arguments.iter().filter(|word| !is_mode(word)).cloned().collect();
        let (short, own) = match self.name {
            "setfacl" => ("m:x:bkRd", 0),
            _ => ("Rvcfh", usize::from(modes == 0)),
        };
        let long = "recursive,verbose,changes,quiet,silent,no-dereference,reference:,preserve-root,modify:,remove:";
        let syntax = crate::shell::options::Syntax { short, long, stops: false, is_meek: false };
        let given = crate::shell::options::parse(self.seen, &words, syntax, self.command.place);
        let own = if given.has("reference") { 0 } else { own };
        for word in given.operands.iter().skip(own) {
            if given.has("R,recursive") || word.may_be_option() {
                self.tree(Verb::Permission, word);
            }
            self.path(Verb::Permission, word);
        }
    }

    fn search_text(&mut self) {
        let given = self.options(
            "abcEFGHhiLlnoPqrRsTUVvwxyzIS#e:f<A:B:C:m:d:g:t:",
            "ignore-case,count,line-number,recursive,extended-regexp,fixed-strings,perl-regexp,invert-match,word-regexp,files-with-matches,\
             files-without-match,only-matching,quiet,no-messages,color?,colour?,include:,exclude:,exclude-dir:,max-count:,after-context:,\
             before-context:,context:,regexp:,file<,text,no-filename,with-filename,line-regexp,null,hidden,glob:,type:,smart-case,version",
        );
        let own = usize::from(!given.has("e,f,regexp,file"));
        let files = given.operands.get(own..).unwrap_or_default().to_vec();
        // A pattern that depends on more than the text is harmless where it is no option, and then it was a doubt.
        let is_tree = given.has("r,R,recursive") || self.name == "rg";
        if is_tree && files.is_empty() {
            self.tree(Verb::Read, &Word::exact("."));
        }
        for file in files.iter().filter(|file| file.text != "-") {
            self.path(Verb::Read, file);
            if is_tree {
                self.tree(Verb::Read, file);
            }
        }
        self.seen.does(Verb::Read);
    }

    fn dd(&mut self) {
        for word in self.arguments {
            let Some((key, value)) = word.text.split_once('=') else {
                return self.doubt("has an operand that is not known");
            };
            let value = Word { text: value.to_owned(), kind: word.kind };
            match key {
                "if" => self.path(Verb::Read, &value),
                "of" => self.path(Verb::Write, &value),
                "bs" | "ibs" | "obs" | "count" | "skip" | "seek" | "conv" | "status" | "iflag" | "oflag"
                    if value.literal().is_some() => {}
                _ => return self.doubt("has an operand that is not known"),
            }
        }
        self.seen.does(Verb::Read);
    }

    fn tar(&mut self) {
        // `tar xzf …`: the first word may be options without a dash.
        let mut words = self.arguments.to_vec();
        if let Some(first) = words.first_mut()
            && first.kind == Kind::Exact
            && !first.text.starts_with('-')
        {
            first.text.insert(0, '-');
            let valued = first.text.chars().filter(|one| matches!(one, 'f' | 'C' | 'b' | 'X' | 'T')).count();
            if valued > usize::from(first.text.ends_with('f')) {
                return self.doubt("bundles its options in a way that is not followed");
            }
        }
        let syntax = crate::shell::options::Syntax {
            short: "cxtrzjJavpkmhf:C:X<",
            long: "create,extract,list,append,gzip,bzip2,xz,zstd,auto-compress,verbose,file:,directory:,exclude:,strip-components:,\
                   preserve-permissions,same-owner,no-same-owner,keep-old-files,numeric-owner,one-file-system,dereference,wildcards",
            stops: false,
            is_meek: false,
        };
        let given = crate::shell::options::parse(self.seen, &words, syntax, self.command.place);
        if given.values("C,directory").count() > 1 {
            self.doubt("goes to more than one folder");
        }
        let archive = given.value("f,file").cloned().filter(|file| file.text != "-");
        // GNU tar takes a colon for a host, and asks a program to reach it.
        if archive.as_ref().is_some_and(|file| file.text.contains(':')) {
            self.doubt("reads or writes its archive on another host");
        }
        let folder = given.value("C,directory").cloned().unwrap_or_else(|| Word::exact("."));
        let (creates, extracts) = (given.has("c,r,create,append"), given.has("x,extract"));
        let verb = if creates { Verb::Write } else { Verb::Read };
        if let Some(file) = &archive {
            self.path(verb, file);
        }
        if creates {
            for word in &given.operands {
                let is_below = folder.text != "." && !word.text.starts_with(['/', '~']) && word.kind != Kind::Dynamic;
                let text = if is_below { format!("{}/{}", folder.text, word.text) } else { word.text.clone() };
                let word =
                    Word { text, kind: if is_below && word.kind == Kind::Exact { folder.kind } else { word.kind } };
                self.path(Verb::Read, &word);
                self.tree(Verb::Read, &word);
            }
        }
        if extracts {
            self.tree(Verb::Write, &folder);
        }
        if !creates && !extracts && !given.has("t,list") {
            self.doubt("does not say what to do with its archive");
        }
        self.seen.does(Verb::Read);
    }

    fn pack(&mut self) {
        match self.name {
            "unzip" => {
                let given = self.options("lqotjnvd>", "");
                for file in given.operands.iter().take(1) {
                    self.path(Verb::Read, file);
                }
                if !given.has("l,t,v") {
                    let folder = given.value("d").cloned().unwrap_or_else(|| Word::exact("."));
                    self.tree(Verb::Write, &folder);
                }
            }
            "zip" => {
                let given = self.options("rqjv", "");
                let Some((archive, files)) = given.operands.split_first() else { return self.doubt("packs nothing") };
                self.path(Verb::Write, archive);
                self.paths(Verb::Read, files);
                if given.has("r") {
                    for file in files {
                        self.tree(Verb::Read, file);
                    }
                }
            }
            _ => {
                let given = self.options("cdfklqtv123456789T:", "stdout,decompress,keep,force,list,test,rm");
                self.paths(Verb::Read, &given.operands);
                if !given.has("c,l,t,stdout,list,test") {
                    self.paths(Verb::Write, &given.operands);
                }
                self.seen.does(Verb::Read);
            }
        }
    }
}
