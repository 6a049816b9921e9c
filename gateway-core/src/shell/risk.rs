//! How risky a command line is, 0 to 100, from a table that is the documentation.
//!
//! The rule of the house: every verb, every fact is an entry; the worst entry is the risk, never a sum; every entry that
//! reaches 30 is told as a reason. Knows no policy.

use std::collections::BTreeSet;

use super::outcome::{Access, Fact, Object, Verb};

/// What counts besides verbs, for the table that people read.
pub const CIRCUMSTANCES: [(u8, &str); 12] =
    [DEVICE, TREE, FORCED, SUDO, SECRET, STARTUP, PACKAGE, ACCOUNT, SERVICE, SYSTEM, ASCENDS, DETACHED];

const DEVICE: (u8, &str) = (100, "writes to a device");
const TREE: (u8, &str) = (85, "removes or changes whole trees");
const FORCED: (u8, &str) = (60, "removes or overwrites without asking");
const SUDO: (u8, &str) = (80, "runs as another user");
const SECRET: (u8, &str) = (80, "reads a file that holds keys or passwords");
const STARTUP: (u8, &str) = (90, "places code that will be run later");
const PACKAGE: (u8, &str) = (75, "changes installed packages");
const ACCOUNT: (u8, &str) = (85, "changes accounts or passwords");
const SERVICE: (u8, &str) = (70, "changes services");
const SYSTEM: (u8, &str) = (80, "writes to the system's own folders");
const ASCENDS: (u8, &str) = (20, "names a path by going up");
const DETACHED: (u8, &str) = (40, "goes on after the session");

/// Risk and reasons of everything that a command line does.
pub(super) fn weigh(accesses: &BTreeSet<Access>, facts: &BTreeSet<Fact>) -> (u8, Vec<&'static str>) {
    let mut entries: Vec<(u8, &'static str)> = accesses.iter().map(|access| of_verb(access.verb)).collect();
    let changes = accesses.iter().filter(|access| matches!(access.verb, Verb::Write | Verb::Delete | Verb::Permission));
    for access in changes {
        let Some(Object::Path(path)) = &access.object else { continue };
        entries.extend(of_place(path));
        entries.extend((facts.contains(&Fact::Recursive)).then_some(TREE));
        entries.extend((facts.contains(&Fact::Force)).then_some(FORCED));
    }
    entries.extend(facts.iter().filter_map(|fact| of_fact(*fact)));
    entries.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
    entries.dedup();
    let worst = entries.first().map_or(0, |entry| entry.0);
    let told = entries.into_iter().filter(|(risk, _)| *risk >= 30 || *risk == worst);
    (worst, told.map(|(_, reason)| reason).collect())
}

const fn of_verb(verb: Verb) -> (u8, &'static str) {
    match verb {
        Verb::Session => (0, "changes only this session"),
        Verb::Read => (5, "reads files or the state of the machine"),
        Verb::Write => (30, "changes files"),
        Verb::Delete => (50, "removes files"),
        Verb::Reach => (45, "talks to another host"),
        Verb::Permission => (60, "changes who may do what"),
        Verb::Execute => (70, "runs code that is not inspected"),
        Verb::Administer => (80, "changes the machine"),
        Verb::Unknown => (70, "is not understood"),
    }
}

const fn of_fact(fact: Fact) -> Option<(u8, &'static str)> {
    match fact {
        Fact::Sudo => Some(SUDO),
        Fact::Package => Some(PACKAGE),
        Fact::Service => Some(SERVICE),
        Fact::Account => Some(ACCOUNT),
        Fact::ReadsSecretFile => Some(SECRET),
        Fact::ChangesStartup => Some(STARTUP),
        Fact::Ascends => Some(ASCENDS),
        Fact::Detached => Some(DETACHED),
        Fact::Recursive | Fact::Force | Fact::Network | Fact::Pages => None,
    }
}

fn of_place(path: &str) -> Option<(u8, &'static str)> {
    const SYSTEM_FOLDERS: [&str; 12] =
        ["bin", "boot", "etc", "lib", "lib32", "lib64", "proc", "root", "run", "sbin", "sys", "usr"];
    let first = path.strip_prefix('/')?.split('/').next().unwrap_or_default();
    match first {
        "dev" => Some(DEVICE),
        "" | "*" | "**" => Some(SYSTEM),
        folder if SYSTEM_FOLDERS.contains(&folder) => Some(SYSTEM),
        _ => None,
    }
}
