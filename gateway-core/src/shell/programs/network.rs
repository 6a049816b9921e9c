//! Programs that talk to other hosts: what they fetch, what they send, and what they run there.

use super::Run;
use crate::shell::{
    outcome::{Fact, Object, Verb},
    word::{Kind, Word},
};

impl Run<'_, '_> {
    pub(super) fn network(&mut self) -> bool {
        match self.name {
            "curl" => self.curl(),
            "wget" => self.wget(),
            "ssh" | "slogin" => self.ssh(),
            "scp" => self.copies("346BCpqrTvl:P:c:i<", ""),
            "rsync" => self.copies(
                "avzrltpgoDHAXSxnhPqucWimkLKdRIb",
                "archive,verbose,recursive,delete,delete-after,delete-before,delete-during,exclude:,include:,dry-run,progress,stats,\
                 human-readable,partial,inplace,checksum,compress,links,perms,times,bwlimit:,size-only,update,existing,numeric-ids,\
                 ignore-existing,itemize-changes,max-size:,min-size:,quiet,chmod:,chown:,append,sparse,relative,no-owner,no-group,no-perms",
            ),
            "ping" | "ping6" => self.hosts("46nqc:i:W:w:s:"),
            "host" | "nslookup" => self.hosts("at:4v"),
            "dig" => self.dig(),
            "traceroute" | "tracepath" | "mtr" => self.hosts("46nIrc:wm:"),
            "whois" => self.hosts("h:"),
            "nc" | "ncat" | "netcat" | "socat" | "telnet" | "sftp" | "rsh" | "rlogin" | "mosh" | "autossh" | "sshpass" | "openssl"
            | "tftp" | "smbclient" | "aria2c" | "nmap" | "tcpdump" | "ngrok" | "aws" | "gcloud" | "az" => {
                self.seen.fact(Fact::Network);
                self.seen.does_to(Verb::Execute, Object::Program(self.name.to_owned()));
                self.doubt("opens connections in a way that is not followed");
            }
            _ => return false,
        }
        true
    }

    fn reach(&mut self, host: &str) {
        self.seen.does_to(Verb::Reach, Object::Host(host.to_owned()));
    }

    fn hosts(&mut self, short: &'static str) {
        let given = self.options(short, "");
        self.seen.fact(Fact::Network);
        if given.operands.is_empty() {
            self.doubt("takes what it is to do from its input");
        }
        for operand in &given.operands {
            match operand.literal() {
                Some(host) => self.reach(host),
                None => self.doubt("reaches a host that depends on more than the text"),
            }
        }
    }

    fn dig(&mut self) {
        let Some(literals) = self.literals() else { return };
        let names: Vec<String> = literals.iter().map(|&word| word.to_owned()).collect();
        self.seen.fact(Fact::Network);
        for name in names {
            match name.strip_prefix('@') {
                _ if name.starts_with('+') => {}
                _ if name.starts_with('-') && name != "-x" => self.doubt("has an option that is not known"),
                Some(server) => self.reach(server),
                None => self.reach(&name),
            }
        }
    }

    fn url(&mut self, word: &Word) {
        // The shell may find a file for a `?` in it; none that lies at another host.
        let is_address = word.kind == Kind::Glob
            && word
                .text
                .find("://")
                .and_then(|at| word.text.get(at + 3..))
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(host, _)| !host.contains(['*', '?', '[']));
        let url = word.text.as_str();
        if word.kind != Kind::Exact && !is_address {
            return self.doubt("reaches a host that depends on more than the text");
        }
        // curl expands these by itself.
        if url.contains(['{', '}', '[', ']', '\\', '@']) {
            return self.doubt("reaches an address that is not a plain one");
        }
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        if !matches!(scheme, "http" | "https") {
            return self.doubt("reaches an address whose scheme is not known");
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default().to_owned();
        self.reach(&host);
    }

    fn curl(&mut self) {
        let given = self.options(
            "sSfLIikvgGX:H:d:u:A:m:o>OD>b:F:T:e:x:r:C:w:46",
            "silent,show-error,fail,location,head,include,insecure,verbose,get,request:,header:,data:,data-raw:,data-binary:,json:,\
             data-urlencode:,user:,user-agent:,max-time:,connect-timeout:,retry:,retry-delay:,output>,remote-name,dump-header>,url:,\
             compressed,fail-with-body,form:,upload-file:,cacert<,cert<,key<,proxy:,write-out:,http1.1,http2,no-progress-meter,range:",
        );
        if given.has("O,remote-name") {
            for url in &given.operands {
                self.saved(url, None);
            }
        }
        self.sent(&given);
        given.values("b").filter(|word| !word.text.contains('=')).for_each(|word| self.path(Verb::Read, word));
        for word in given.values("T,upload-file") {
            self.path(Verb::Read, word);
        }
        for word in given.values("x,proxy,url").chain(&given.operands) {
            self.url(word);
        }
        self.seen.does(Verb::Reach);
    }

    /// `@file` sends what a file holds.
    fn sent(&mut self, given: &crate::shell::options::Given) {
        let begin = given
            .values("d,data,data-binary,json,H,header,w,write-out")
            .map(|word| (word, word.text.strip_prefix('@')));
        let coded = given.values("data-urlencode").map(|word| {
            (word, word.text.split_once('@').filter(|(name, _)| !name.contains('=')).map(|(_, file)| file))
        });
        let parts = given
            .values("F,form")
            .map(|word| (word, word.text.split_once('=').and_then(|(_, value)| value.strip_prefix(['@', '<']))));
        for (word, file) in begin.chain(coded).chain(parts) {
            let Some(file) = file else { continue };
            if file.contains(',') {
                self.doubt("sends files that are not named plainly");
            }
            let text = file.split(';').next().unwrap_or_default().to_owned();
            self.path(Verb::Read, &Word { text, kind: word.kind });
        }
        if given.values("w,write-out").any(|word| word.text.contains("output")) {
            self.doubt("writes to a file by its format");
        }
    }

    /// What is fetched is kept under the last part of its address.
    fn saved(&mut self, url: &Word, folder: Option<&Word>) {
        let path = url.text.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("index.html");
        let prefix = folder.map_or(".", |folder| folder.text.trim_end_matches('/'));
        let kind =
            if url.kind == Kind::Dynamic { Kind::Dynamic } else { folder.map_or(Kind::Exact, |folder| folder.kind) };
        self.path(Verb::Write, &Word { text: format!("{prefix}/{name}"), kind });
    }

    fn wget(&mut self) {
        let given = self.options(
            "qcSNO>P>o>T:t:U:v",
            "quiet,continue,output-document>,directory-prefix>,output-file>,timeout:,tries:,user-agent:,header:,no-check-certificate,\
             spider,no-verbose,progress:,server-response,show-progress,post-data:,timestamping",
        );
        if !given.has("O,output-document,P,directory-prefix,spider") {
            for url in &given.operands {
                self.saved(url, None);
            }
        }
        if let Some(folder) = given.value("P,directory-prefix").cloned() {
            for url in &given.operands {
                self.saved(url, Some(&folder));
            }
        }
        for word in &given.operands {
            self.url(word);
        }
        self.seen.does(Verb::Reach);
    }

    fn ssh(&mut self) {
        let given = self.leading("46aCgKkMNnqsTtVvxyfb:c:e:i<l:m:o:p:J:", "");
        for option in given.values("o") {
            let key = option.text.split(['=', ' ']).next().unwrap_or_default().to_ascii_lowercase();
            if !matches!(
                key.as_str(),
                "stricthostkeychecking"
                    | "connecttimeout"
                    | "batchmode"
                    | "userknownhostsfile"
                    | "loglevel"
                    | "port"
                    | "user"
                    | "serveraliveinterval"
                    | "serveralivecountmax"
                    | "identitiesonly"
                    | "compression"
                    | "requesttty"
            ) {
                self.doubt("has an option of ssh that may run anything");
            }
        }
        if given.has("M,f,s,y") {
            self.doubt("has an option of ssh that is not known");
        }
        for word in given.values("J") {
            self.reach(&word.text);
        }
        let Some((host, command)) = given.operands.split_first() else { return self.seen.does(Verb::Read) };
        let Some(target) = host.literal() else {
            return self.doubt("reaches a host that depends on more than the text");
        };
        let name = target.rsplit('@').next().unwrap_or_default().to_owned();
        self.reach(&name);
        self.seen.does_to(Verb::Execute, Object::Program("ssh".to_owned()));
        let is_plain = target
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-' | '@' | ':' | '[' | ']'));
        // ssh goes on taking options after the host.
        if !is_plain || command.first().is_some_and(|word| word.text.starts_with('-') || word.may_be_option()) {
            return self.doubt("has an option of ssh that may run anything");
        }
        if command.is_empty() {
            return self.doubt("starts a shell whose commands nobody reads");
        }
        let command = command.to_vec();
        self.elsewhere(&name, |run| {
            run.joined(&command);
        });
    }

    /// scp and rsync: all but the last operand are read, the last is written; `host:path` lies elsewhere.
    fn copies(&mut self, short: &'static str, long: &'static str) {
        let given = self.options(short, long);
        if given.has("r,a,recursive,archive") {
            self.seen.fact(Fact::Recursive);
        }
        let Some((to, from)) = given.operands.split_last() else { return self.doubt("copies nothing") };
        let deletes =
            given.values("delete").count() > 0 || given.has("delete,delete-after,delete-before,delete-during");
        for (word, is_target) in from.iter().map(|word| (word, false)).chain([(to, true)]) {
            let colon = word.text.find(':').filter(|at| word.text.get(..*at).is_some_and(|head| !head.contains('/')));
            match colon.and_then(|at| word.text.get(..at)) {
                Some(_) if word.kind == Kind::Dynamic || word.text.contains("://") => {
                    self.doubt("reaches a host that depends on more than the text");
                }
                Some(host) => {
                    let host = host.rsplit('@').next().unwrap_or_default().to_owned();
                    self.reach(&host);
                }
                None if is_target && deletes => self.tree(Verb::Delete, word),
                None if is_target => {
                    self.path(Verb::Write, word);
                    self.seen.within(Verb::Write, word, self.command.place);
                }
                None if given.has("r,a,recursive,archive") => self.tree(Verb::Read, word),
                None => self.path(Verb::Read, word),
            }
        }
    }
}
