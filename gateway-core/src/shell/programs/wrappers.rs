//! Programs that run another one: what they wrap is looked at as if it stood alone.

use super::Run;
use crate::shell::{
    outcome::{Fact, Object, Verb},
    walk,
    word::{Kind, Stdin, Word},
};

impl Run<'_, '_> {
    pub(super) fn wrapper(&mut self) -> bool {
        match self.name {
            "sudo" | "doas" | "pkexec" => self.sudo(),
            "su" | "runuser" => self.su(),
            "env" => self.env(),
            "printenv" => self.printenv(),
            "nice" => self.plain("n:#", "adjustment:", 0),
            "nohup" => {
                self.seen.fact(Fact::Detached);
                self.plain("", "", 0);
            }
            "setsid" => {
                self.seen.fact(Fact::Detached);
                self.plain("cfw", "ctty,fork,wait", 0);
            }
            "timeout" => self.plain("k:s:vp", "kill-after:,signal:,preserve-status,foreground,verbose", 1),
            "stdbuf" => self.plain("i:o:e:", "input:,output:,error:", 0),
            "ionice" => self.plain("c:n:t", "class:,classdata:,ignore", 0),
            "taskset" => self.plain("a", "", 1),
            "time" => self.plain("pvf:o>", "", 0),
            "chronic" | "unbuffer" => self.plain("", "", 0),
            "flock" => self.flock(),
            "watch" => self.watch(),
            "xargs" | "parallel" => self.xargs(),
            "busybox" | "toybox" => {
                let arguments = self.arguments;
                drop(self.again(arguments));
            }
            "noglob" | "nocorrect" | "chroot" | "unshare" | "nsenter" | "setpriv" | "capsh" | "systemd-run"
            | "machinectl" | "bwrap" | "firejail" | "strace" | "ltrace" | "gdb" | "script" | "setarch" | "prlimit"
            | "chrt" | "ssh-agent" | "dbus-run-session" | "start-stop-daemon" | "daemonize" | "screen" | "tmux"
            | "at" | "batch" | "expect" | "faketime" | "proot" => {
                self.seen.does_to(Verb::Execute, Object::Program(self.name.to_owned()));
                self.doubt("runs another program in a way that is not followed");
            }
            _ => return false,
        }
        true
    }

    /// Options, a number of own operands, then the command.
    fn plain(&mut self, short: &'static str, long: &'static str, own: usize) {
        let given = self.leading(short, long);
        let wrapped = given.operands.get(own..).unwrap_or_default().to_vec();
        drop(self.again(&wrapped));
    }

    fn sudo(&mut self) {
        self.seen.fact(Fact::Sudo);
        self.seen.does_to(Verb::Administer, Object::Program(self.name.to_owned()));
        let given =
            self.leading("nSHEkKvlbiAu:g:p:C:T:", "non-interactive,preserve-env,set-home,user:,group:,login,list");
        if given.has("b") {
            self.seen.fact(Fact::Detached);
        }
        let words = self.without_assignments(&given.operands);
        if !words.is_empty() {
            return drop(self.again(&words));
        }
        if given.has("i,login") {
            self.doubt("starts a shell whose commands nobody reads");
        }
    }

    fn su(&mut self) {
        self.seen.fact(Fact::Sudo);
        self.seen.does_to(Verb::Administer, Object::Program(self.name.to_owned()));
        let given = self.options("lmpc:u:", "login,command:,user:");
        match given.value("c,command") {
            Some(text) => {
                let text = text.clone();
                drop(self.inner(&text));
            }
            None if given.has("u,user") && self.name == "runuser" => {
                self.again(&given.operands);
                self.doubt("mixes its options with those of what it runs");
            }
            None => self.doubt("starts a shell whose commands nobody reads"),
        }
    }

    fn env(&mut self) {
        let given = self.leading("i0u:C:", "ignore-environment,null,unset:");
        if given.has("C") {
            self.doubt("runs a command in another folder");
        }
        let operands = given.operands.strip_prefix(&[Word::exact("-")]).unwrap_or(&given.operands).to_vec();
        let words = self.without_assignments(&operands);
        if words.is_empty() {
            self.seen.fact(Fact::ReadsSecretFile);
            return self.seen.does(Verb::Read);
        }
        drop(self.again(&words));
    }

    fn printenv(&mut self) {
        if let Some(names) = self.literals() {
            if !names.iter().all(|name| walk::is_harmless_variable(name) || matches!(*name, "HOME" | "USER" | "PATH"))
                || names.is_empty()
            {
                self.seen.fact(Fact::ReadsSecretFile);
            }
            self.seen.does(Verb::Read);
        }
    }

    /// `NAME=value …` before a command.
    fn without_assignments(&mut self, words: &[Word]) -> Vec<Word> {
        let mut rest = words;
        while let Some((word, after)) = rest.split_first() {
            let Some((name, _)) = word.text.split_once('=').filter(|(name, _)| !name.contains('/')) else { break };
            if word.kind != Kind::Exact || !walk::is_harmless_variable(name) {
                self.doubt("sets a variable that may change what runs");
            }
            rest = after;
        }
        rest.to_vec()
    }

    fn flock(&mut self) {
        let given = self.leading("snxoeuFw:E:", "shared,exclusive,nonblock,timeout:,unlock,close,no-fork");
        let Some((file, rest)) = given.operands.split_first() else { return self.doubt("locks no file") };
        self.path(Verb::Write, file);
        match rest {
            [] => self.doubt("locks a descriptor"),
            [flag, text] if matches!(flag.literal(), Some("-c" | "--command")) => drop(self.inner(text)),
            rest => drop(self.again(rest)),
        }
    }

    fn watch(&mut self) {
        let given = self.leading("bcdegtxn:", "interval:,differences?,no-title,exec,errexit,chgexit,color");
        let words = given.operands.clone();
        if given.has("x,exec") { drop(self.again(&words)) } else { drop(self.joined(&words)) }
    }

    /// What it adds to the command comes from elsewhere: it may be an option, or any path.
    fn xargs(&mut self) {
        let given =
            self.leading("0rtprxn:P:L:d:s:I:", "null,no-run-if-empty,max-args:,max-procs:,delimiter:,replace?,verbose");
        let mut words = given.operands;
        if words.is_empty() {
            words.push(Word::exact("echo"));
        }
        words.push(Word { text: "arguments from the input".to_owned(), kind: Kind::Dynamic });
        let place = self.command.place;
        let command = walk::Simple { words, stdin: Stdin::Elsewhere, place, depth: self.command.depth + 1 };
        super::judge(self.seen, &command);
        self.doubt("runs a command with arguments from its input");
    }
}
