//! What comes out: verbs, objects, facts and doubts of a command line. Knows no grammar and no program.

use std::{collections::BTreeSet, fmt};

/// What a command does at worst; the subset of the gateway's effects that a shell has, in the order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Changes nothing but this shell.
    Session,
    /// Reads.
    Read,
    /// Changes files, or sends something elsewhere.
    Write,
    /// Changes who may do what.
    Grant,
    /// Runs code that is not inspected.
    Exec,
    /// Changes the machine.
    Admin,
    /// Not understood.
    Unknown,
}

/// One thing that a command does; each becomes an action of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// `true`, `cd`, `echo`, `sleep`: nothing outside of the shell changes or is read.
    Session,
    /// Reads a path, or the state of the machine.
    Read,
    /// Creates or changes a path.
    Write,
    /// Removes a path.
    Delete,
    /// Talks to a host: what it sends leaves the machine.
    Reach,
    /// Changes owner, mode or attributes of a path.
    Permission,
    /// Runs a program or a script that is not inspected, or places code where it will be run.
    Execute,
    /// Changes the machine: services, packages, accounts, mounts, networks, other processes.
    Administer,
    /// Is not understood.
    Unknown,
}

impl Verb {
    /// The effect that the verb belongs to.
    pub const fn effect(self) -> Effect {
        match self {
            Self::Session => Effect::Session,
            Self::Read => Effect::Read,
            Self::Write | Self::Delete | Self::Reach => Effect::Write,
            Self::Permission => Effect::Grant,
            Self::Execute => Effect::Exec,
            Self::Administer => Effect::Admin,
            Self::Unknown => Effect::Unknown,
        }
    }

    /// The name of the action.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "ssh_session",
            Self::Read => "ssh_read",
            Self::Write => "ssh_write",
            Self::Delete => "ssh_delete",
            Self::Reach => "ssh_reach",
            Self::Permission => "ssh_permission",
            Self::Execute => "ssh_exec",
            Self::Administer => "ssh_admin",
            Self::Unknown => "ssh_unknown",
        }
    }
}

/// What a verb is asked of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A path, normalised by its letters alone: absolute, `~/…`, or `./…` from where the session starts. A glob stays
    /// one; `/**` at the end means everything below.
    Path(String),
    /// A host name or address, as written.
    Host(String),
    /// A program, by name or path.
    Program(String),
    /// A service of the service supervisor.
    Service(String),
    /// A package of a package system.
    Package(String),
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(name) => formatter.write_str(name),
            Self::Host(name) => write!(formatter, "host {name}"),
            Self::Program(name) => write!(formatter, "program {name}"),
            Self::Service(name) => write!(formatter, "service {name}"),
            Self::Package(name) => write!(formatter, "package {name}"),
        }
    }
}

/// One verb on one object; no object means the machine, or the account, as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: Option<Object>,
}

/// What a policy may ask besides verbs and objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Runs something as another user: sudo, doas, su, runuser, pkexec.
    Sudo,
    /// Goes down whole trees.
    Recursive,
    /// Told not to ask, or not to fail.
    Force,
    /// Talks to another host.
    Network,
    /// Installs, removes or updates packages.
    Package,
    /// Starts, stops or configures services.
    Service,
    /// Creates, changes or removes accounts, groups or passwords.
    Account,
    /// Reads a file that holds keys, passwords or tokens, or may do so by a glob or a tree.
    ReadsSecretFile,
    /// Writes where programs are found or started from: startup files, cron, units, `authorized_keys`, `PATH`.
    ChangesStartup,
    /// Names a path by going up with `..`, which a symbolic link may lead elsewhere.
    Ascends,
    /// Goes on after the session, or hides from it: `&`, nohup, setsid, at.
    Detached,
    /// Starts a pager when it is given a terminal; a pager runs whatever is typed into it.
    Pages,
}

impl Fact {
    /// The word that a policy uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sudo => "sudo",
            Self::Recursive => "recursive",
            Self::Force => "force",
            Self::Network => "network",
            Self::Package => "package",
            Self::Service => "service",
            Self::Account => "account",
            Self::ReadsSecretFile => "reads_secret_file",
            Self::ChangesStartup => "changes_startup",
            Self::Ascends => "ascends",
            Self::Detached => "detached",
            Self::Pages => "pages",
        }
    }
}

/// Why a text is not understood, as the end of a sentence: "`…` is not understood: it …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Doubt(pub &'static str);

/// The server half of a file transfer, which clients start by an exec that nobody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transfer {
    /// `scp -f`: the client downloads.
    ScpDownload,
    /// `scp -t`: the client uploads.
    ScpUpload,
    /// `rsync --server --sender`: the client downloads.
    RsyncDownload,
    /// `rsync --server`: the client uploads, and may delete.
    RsyncUpload,
    /// `internal-sftp`, `/usr/lib/openssh/sftp-server`: packets to be inspected as SFTP.
    Sftp,
    /// `git-upload-pack`: the client fetches.
    GitFetch,
    /// `git-receive-pack`: the client pushes; hooks of the repository run.
    GitPush,
}

/// What a command line does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understanding {
    /// The worst effect of all accesses.
    pub effect: Effect,
    /// Every (verb, object) it asks for; never empty.
    pub accesses: BTreeSet<Access>,
    /// What else is known.
    pub facts: BTreeSet<Fact>,
    /// The programs that it names, as written, those behind wrappers included.
    pub programs: BTreeSet<String>,
    /// 0 to 100: see [`CIRCUMSTANCES`](super::CIRCUMSTANCES).
    pub risk: u8,
    /// Why the risk is what it is, for people.
    pub risk_reasons: Vec<&'static str>,
    /// Why it is `unknown`; empty exactly when it is not.
    pub doubts: BTreeSet<Doubt>,
    /// How many simple commands it holds.
    pub commands: u32,
    /// Set when it is the server half of a transfer, and nothing else.
    pub transfer: Option<Transfer>,
}
