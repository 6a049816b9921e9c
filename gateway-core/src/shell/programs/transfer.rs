//! The command lines by which clients start the server half of a transfer: `scp -t`, `rsync --server`, `sftp-server`,
//! `git-upload-pack`. Recognised exactly, or left to the general way.

use crate::shell::{
    outcome::{Fact, Object, Transfer, Understanding, Verb},
    path::Place,
    seen::Seen,
    word::{self, Kind, Word},
};

/// What a command line does that is the server half of a transfer and nothing else.
pub(in crate::shell) fn transfer(text: &str) -> Option<Understanding> {
    let words = words(text)?;
    let names: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let (transfer, paths) = match names.as_slice() {
        [
            "internal-sftp"
            | "sftp-server"
            | "/usr/lib/openssh/sftp-server"
            | "/usr/libexec/openssh/sftp-server"
            | "/usr/libexec/sftp-server",
        ] => (Transfer::Sftp, 1),
        ["scp", options @ .., path] => (scp(options)?, words.len() - usize::from(!path.is_empty())),
        ["rsync", "--server", rest @ ..] => {
            let dot = rest.iter().position(|word| *word == ".")?;
            (rsync(rest.get(..dot)?)?, dot + 3)
        }
        ["git-upload-pack", path] if !path.starts_with('-') => (Transfer::GitFetch, 1),
        ["git-receive-pack", path] if !path.starts_with('-') => (Transfer::GitPush, 1),
        ["git", "upload-pack", path] if !path.starts_with('-') => (Transfer::GitFetch, 2),
        ["git", "receive-pack", path] if !path.starts_with('-') => (Transfer::GitPush, 2),
        _ => return None,
    };
    let is_tree = names.iter().any(|name| *name == "-r" || (transfer_is_rsync(transfer) && name.starts_with('-')));
    let paths = words.get(paths..).unwrap_or_default();
    if paths.is_empty() && transfer != Transfer::Sftp
        || paths.iter().any(|path| path.kind == Kind::Dynamic || path.may_be_option() && path.text.starts_with('-'))
    {
        return None;
    }
    let mut seen = Seen::default();
    seen.command();
    names.first().iter().for_each(|name| seen.program(name));
    let deletes = names.iter().any(|name| name.starts_with("--delete") || *name == "--remove-source-files");
    for path in paths {
        one(&mut seen, transfer, path, is_tree, deletes);
    }
    if transfer == Transfer::Sftp {
        seen.does(Verb::Session);
    }
    let mut found = seen.finish();
    found.transfer = Some(transfer);
    Some(found)
}

const fn transfer_is_rsync(transfer: Transfer) -> bool {
    matches!(transfer, Transfer::RsyncDownload | Transfer::RsyncUpload)
}

fn one(seen: &mut Seen, transfer: Transfer, path: &Word, is_tree: bool, deletes: bool) {
    let place = Place::login();
    let verb = match transfer {
        Transfer::ScpDownload | Transfer::RsyncDownload | Transfer::GitFetch => Verb::Read,
        Transfer::ScpUpload | Transfer::RsyncUpload | Transfer::GitPush | Transfer::Sftp => Verb::Write,
    };
    // What an upload is named, only its packets say: below a folder it may be anything.
    if is_tree {
        seen.tree(verb, path, &place);
    } else if transfer == Transfer::ScpUpload {
        seen.within(verb, path, &place);
    }
    seen.path(verb, path, &place);
    if deletes {
        seen.fact(Fact::Recursive);
        seen.tree(Verb::Delete, path, &place);
    }
    if transfer == Transfer::GitPush {
        seen.does_to(Verb::Execute, Object::Program("git-receive-pack".to_owned()));
    }
}

fn scp(options: &[&str]) -> Option<Transfer> {
    let options = options.strip_suffix(&["--"]).unwrap_or(options);
    let is_known = |option: &&str| matches!(*option, "-t" | "-f" | "-r" | "-p" | "-v" | "-d" | "-q");
    match (options.iter().all(is_known), options.contains(&"-t"), options.contains(&"-f")) {
        (true, true, false) => Some(Transfer::ScpUpload),
        (true, false, true) => Some(Transfer::ScpDownload),
        _ => None,
    }
}

fn rsync(options: &[&str]) -> Option<Transfer> {
    let is_known = |option: &&str| {
        let bare = option.split('=').next().unwrap_or_default();
        match option.strip_prefix("--") {
            Some(_) => matches!(
                bare,
                "--sender"
                    | "--delete"
                    | "--delete-before"
                    | "--delete-during"
                    | "--delete-after"
                    | "--delete-excluded"
                    | "--partial"
                    | "--inplace"
                    | "--numeric-ids"
                    | "--log-format"
                    | "--stats"
                    | "--bwlimit"
                    | "--timeout"
                    | "--size-only"
                    | "--ignore-existing"
                    | "--existing"
                    | "--remove-source-files"
                    | "--append"
                    | "--checksum-choice"
                    | "--force"
                    | "--no-W"
            ),
            // After `e` come what the client is capable of; an `s` before it would hide the paths.
            None => option.strip_prefix('-').is_some_and(|letters| {
                let own = letters.split('e').next().unwrap_or_default();
                let able = letters.strip_prefix(own).unwrap_or_default();
                !letters.is_empty()
                    && own.chars().all(|one| "vlogDtprAXHxSnIuciWzqdbKLmRUNJ".contains(one))
                    && (able.is_empty()
                        || able
                            .strip_prefix("e.")
                            .is_some_and(|rest| rest.chars().all(|one| one.is_ascii_alphanumeric() || one == '.')))
            }),
        }
    };
    let is_sender = options.first().is_some_and(|option| *option == "--sender");
    options.iter().all(is_known).then_some(if is_sender { Transfer::RsyncDownload } else { Transfer::RsyncUpload })
}

/// The words of a text that holds one simple command and no operator, or none.
fn words(text: &str) -> Option<Vec<Word>> {
    if text.contains([';', '&', '|', '<', '>', '(', ')', '$', '`', '\n', '\t', '"', '#', '{', '}', '!', '='])
        && !text.starts_with("rsync --server ")
    {
        return None;
    }
    if text.contains([';', '&', '|', '<', '>', '(', ')', '$', '`', '\n', '\t', '"', '#', '!']) {
        return None;
    }
    let mut words = Vec::new();
    let mut rest = text.trim_matches(' ');
    while !rest.is_empty() {
        let mut is_quoted = false;
        let mut is_escaped = false;
        let end = rest.find(|one: char| {
            let ends = one == ' ' && !is_quoted && !is_escaped;
            is_quoted ^= one == '\'' && !is_escaped;
            is_escaped = one == '\\' && !is_escaped && !is_quoted;
            ends
        });
        let (word, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        words.push(word::read(word));
        rest = after.trim_start_matches(' ');
    }
    (words.len() <= 16 && words.iter().all(|word| word.kind != Kind::Dynamic)).then_some(words)
}
