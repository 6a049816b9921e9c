//! Programs of which a line of a table says enough.

use super::Run;
use crate::shell::{
    outcome::{Fact, Verb},
    word::Word,
};

/// What a program does with its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Says something about the machine; operands are no paths.
    Machine,
    /// Reads each.
    Files,
    /// Reads each, or where it is, and with `-R` or `-r` all below.
    Folders,
    /// Reads all below each, or below where it is; but only names and sizes.
    Names,
    /// Creates or changes each.
    Make,
    /// Reads the first operands, writes the last where there are two.
    Between,
    /// Operands are texts.
    Texts,
}

/// Names, short options, long options, what it does with its operands.
type Line = (&'static str, &'static str, &'static str, Shape);

const KNOWN: [Line; 66] = [
    (
        "ls,dir,vdir",
        "aAlhrtSR1dFgGinopsuUvxXcCkLmNQbBDfHIqTZw:",
        "all,almost-all,human-readable,color?,sort:,time-style:,full-time,\
      group-directories-first,recursive,directory,reverse,inode,size,si,classify?,numeric-uid-gid,time:,width:,no-group,author",
        Shape::Folders,
    ),
    ("tree", "adfLhpsugDtrCn#L:I:P:", "noreport,dirsfirst,du,prune", Shape::Names),
    (
        "du",
        "ahskmcxlLSd:bt:",
        "human-readable,summarize,max-depth:,total,all,apparent-size,exclude:,one-file-system,si,threshold:",
        Shape::Names,
    ),
    ("cat,tac", "AbeEnstTuvrs:", "number,show-all,number-nonblank,show-ends,show-tabs,squeeze-blank", Shape::Files),
    ("nl", "b:w:s:n:v:", "body-numbering:", Shape::Files),
    ("head", "#n:c:qvz", "lines:,bytes:,quiet,silent,verbose", Shape::Files),
    ("tail", "#n:c:fFqvzs:", "lines:,bytes:,follow?,quiet,retry,pid:,sleep-interval:,silent,verbose", Shape::Files),
    ("wc", "clmwL", "bytes,chars,lines,words,max-line-length", Shape::Files),
    ("stat", "Lftc:", "dereference,format:,terse,printf:,file-system", Shape::Files),
    ("file", "bihLskzp", "brief,mime,mime-type,dereference", Shape::Files),
    (
        "readlink,realpath",
        "femnqsvzLP",
        "canonicalize,canonicalize-existing,canonicalize-missing,no-newline",
        Shape::Files,
    ),
    (
        "md5sum,sha1sum,sha224sum,sha256sum,sha384sum,sha512sum,b2sum,cksum,sum",
        "bctwz",
        "check,tag,quiet,status,strict",
        Shape::Files,
    ),
    (
        "cmp,diff,colordiff",
        "abBcdiInNpqrstuwyU:C:W:x:",
        "unified?,brief,color?,side-by-side,recursive,ignore-all-space,new-file,\
      suppress-common-lines,exclude:,ignore-case,report-identical-files,width:",
        Shape::Folders,
    ),
    ("comm,join,paste", "123iszd:t:o:a:j:v:", "check-order,nocheck-order,delimiters:,serial,header", Shape::Files),
    (
        "cut",
        "b:c:d:f:nsz",
        "bytes:,characters:,delimiter:,fields:,only-delimited,complement,output-delimiter:",
        Shape::Files,
    ),
    (
        "sort",
        "bdfghiMnRrVcCmsuzk:t:S:o>",
        "reverse,key:,unique,numeric-sort,human-numeric-sort,version-sort,field-separator:,output>,\
      stable,ignore-case,general-numeric-sort,check?,parallel:",
        Shape::Files,
    ),
    ("xxd", "rp", "", Shape::Between),
    ("uniq", "cdDiuzf:s:w:", "count,repeated,unique,ignore-case,skip-fields:", Shape::Between),
    (
        "tr,seq,expr,basename,dirname,factor,numfmt",
        "cCdstafzws:",
        "complement,delete,squeeze-repeats,suffix:,multiple,to:,from:,separator:,equal-width",
        Shape::Texts,
    ),
    ("fold", "bsw:", "bytes,spaces,width:", Shape::Files),
    ("fmt", "cstuw:", "width:", Shape::Files),
    ("expand,unexpand", "ait:", "tabs:,initial,all", Shape::Files),
    ("rev", "", "", Shape::Files),
    ("column", "txns:c:", "table,separator:", Shape::Files),
    ("od", "abcdfilosxvA:j:N:S:t:w?", "address-radix:,format:,read-bytes:,skip-bytes:", Shape::Files),
    ("hexdump", "bcCdovxn:s:", "canonical,length:,skip:", Shape::Files),
    ("strings", "#afown:t:e:", "all,bytes:,radix:,print-file-name", Shape::Files),
    ("zcat,bzcat,xzcat,zstdcat", "fvcdq", "", Shape::Files),
    ("base64,base32", "diw:", "decode,wrap:,ignore-garbage", Shape::Files),
    ("ps", "aAceEfFhHjlLmMnNoprsStTuUVwxXZ", "sort:,forest,no-headers,pid:,ppid:,user:,headers", Shape::Machine),
    (
        "pgrep,pidof",
        "aflnovxwciu:U:P:g:t:d:",
        "list-name,list-full,full,exact,newest,oldest,count,euid:,parent:",
        Shape::Machine,
    ),
    (
        "id,groups,whoami,logname,users,tty,nproc,arch,hostid,sync",
        "aGgnruz",
        "all,groups,user,name,version",
        Shape::Machine,
    ),
    ("w,who,last,lastlog,lastb,finger", "abdhHilmpqrstuwixn:#", "all,boot,count,heading", Shape::Machine),
    (
        "uptime,free,vmstat,iostat,mpstat,sar,pidstat,nfsstat",
        "psVbkmghtwlcadxzyrnudqSBWHAP:i:",
        "human,giga,mega,kilo,wide,total,pretty,since,si",
        Shape::Machine,
    ),
    ("uname", "amnrspiov", "all,kernel-name,kernel-release,machine,operating-system", Shape::Machine),
    (
        "df",
        "ahHiklmPTt:x:B:",
        "human-readable,inodes,local,print-type,total,type:,output?,portability,si,all",
        Shape::Machine,
    ),
    ("lsblk", "abdfilmnoprstJPSo:", "all,fs,output:,json,bytes,paths,noheadings,nodeps,tree", Shape::Machine),
    (
        "lscpu,lspci,lsusb,lsmem,lsmod,lsns,lsipc,lslocks,lslogins,lsattr",
        "aebcdnkvtxpqJ",
        "all,json,extended,parse,bytes",
        Shape::Machine,
    ),
    ("findmnt,mountpoint", "aAlnDJtdqxs", "all,json,list,noheadings,df", Shape::Machine),
    (
        "ss,netstat",
        "anltupxsiroemEwH46cg",
        "all,listening,numeric,tcp,udp,processes,summary,programs,route,extended,no-header",
        Shape::Machine,
    ),
    ("lsof", "nPitUabtlRVp:u:c:d:+i", "", Shape::Machine),
    (
        "journalctl",
        "abefklmnqrxNF:u:n:p:S:U:t:o:g:#",
        "unit:,since:,until:,no-pager,follow,lines:,priority:,output:,boot?,dmesg,reverse,grep:,\
      disk-usage,identifier:,list-boots,catalog,utc,all,quiet,system,no-hostname,output-fields:",
        Shape::Machine,
    ),
    ("getent", "", "", Shape::Texts),
    (
        "getconf,locale,lsb_release,runlevel,cal,ncal,getfacl,getcap",
        "aschrdim",
        "all,short,description,release,codename,id",
        Shape::Machine,
    ),
    ("touch", "acmd:t:r<h", "no-create,date:,reference<,time:", Shape::Make),
    ("mkdir", "pvm:", "parents,verbose,mode:", Shape::Make),
    ("mkfifo", "m:", "mode:", Shape::Make),
    ("tee", "aip", "append,ignore-interrupts", Shape::Make),
    ("truncate", "cos:r<", "size:,no-create,reference<", Shape::Make),
    ("mktemp", "dqutp>", "directory,dry-run,quiet,tmpdir>,suffix:", Shape::Make),
    ("yes", "", "", Shape::Texts),
    ("iconv", "f:t:clso>", "from-code:,to-code:,list,output>", Shape::Files),
    ("locate,mlocate,plocate", "ibclnr:0", "ignore-case,basename,count,limit:", Shape::Texts),
    ("mailq", "", "", Shape::Machine),
    ("lsinitramfs", "l", "", Shape::Files),
    ("zdump", "v", "", Shape::Texts),
    ("nvidia-smi,sensors,acpi", "Lq", "list-gpus", Shape::Machine),
    ("pstree", "aAcglnphTsu", "", Shape::Machine),
    ("namei", "lmovx", "long", Shape::Files),
    ("pwdx", "", "", Shape::Machine),
    ("ipcs", "aqmsltcpu", "", Shape::Machine),
    ("getenforce,sestatus,aa-status,dpkg-architecture", "v", "", Shape::Machine),
    ("shuf", "eizn:o>r", "head-count:,echo,input-range:,output>", Shape::Files),
    ("tsort,look", "", "", Shape::Files),
    ("lsscsi", "", "", Shape::Machine),
    ("top", "bcHiSn:d:p:u:o:w:", "", Shape::Machine),
];

/// Programs of which no option at all runs or writes anything; of rm, none that is not looked at.
const MEEK: &str = "ls,dir,vdir,du,cat,tac,nl,head,tail,wc,stat,readlink,realpath,md5sum,sha1sum,sha256sum,sha512sum,b2sum,\
cksum,cmp,diff,comm,join,paste,cut,od,hexdump,strings,zcat,grep,egrep,fgrep,zgrep,rm";

/// Whether a glob that turns out to be an option does no harm.
pub(super) fn is_meek(name: &str) -> bool {
    MEEK.split(',').any(|one| one == name)
}

impl Run<'_, '_> {
    pub(super) fn tabled(&mut self) -> bool {
        let Some((_, short, long, shape)) =
            KNOWN.into_iter().find(|(names, ..)| names.split(',').any(|name| name == self.name))
        else {
            return false;
        };
        if self.name == "ps" {
            self.processes();
            return true;
        }
        let given = self.options(short, long);
        if self.name == "journalctl" {
            self.seen.fact(Fact::Pages);
        }
        if self.name == "top" && !given.has("b") {
            self.doubt("opens a program that takes commands from the keyboard");
        }
        if given.has("c,check") && self.name.ends_with("sum") {
            // The file names the files that are read.
            self.doubt("reads files that another file names");
        }
        let operands = given.operands.clone();
        if self.name == "strings" && operands.iter().any(|word| word.text.starts_with('@')) {
            self.doubt("takes its words from a file");
        }
        match shape {
            Shape::Machine | Shape::Texts => self.words(&operands),
            Shape::Files => self.paths(Verb::Read, &operands),
            Shape::Folders | Shape::Names => {
                let here = [Word::exact(".")];
                let places = if operands.is_empty() { &here } else { operands.as_slice() };
                self.paths(Verb::Read, places);
                if shape == Shape::Names || given.has("R,recursive") || (given.has("r") && self.name.contains("diff")) {
                    self.seen.fact(Fact::Recursive);
                    if self.name.contains("diff") {
                        for place in places {
                            self.tree(Verb::Read, place);
                        }
                    }
                }
            }
            Shape::Make => self.paths(Verb::Write, &operands),
            Shape::Between => match operands.as_slice() {
                [_, _, _, ..] => self.doubt("has an operand that is not known"),
                [from, to] => {
                    self.path(Verb::Read, from);
                    self.path(Verb::Write, to);
                }
                all => self.paths(Verb::Read, all),
            },
        }
        if shape != Shape::Make || self.name == "tee" {
            self.seen.does(Verb::Read);
        }
        true
    }

    fn words(&mut self, operands: &[Word]) {
        if operands.iter().any(|word| word.literal().is_none()) {
            self.doubt("takes an argument that depends on more than the text");
        }
        if self.name == "getent" && operands.first().is_some_and(|word| word.text.contains("host")) {
            self.seen.does(Verb::Reach);
            self.seen.fact(Fact::Network);
        }
        if self.name == "getent" && operands.iter().any(|word| word.text.contains("shadow")) {
            self.seen.fact(Fact::ReadsSecretFile);
        }
    }

    /// Its options come in three styles; none does more than print. `e` without a dash prints environments.
    fn processes(&mut self) {
        if let Some(literals) = self.literals() {
            let shows = literals
                .iter()
                .any(|word| !word.starts_with('-') && word.contains('e') && !word.contains(',') && word.len() < 6)
                || literals.iter().any(|word| word.contains("environ"));
            if shows {
                self.seen.fact(Fact::ReadsSecretFile);
            }
            self.seen.does(Verb::Read);
        }
    }
}
