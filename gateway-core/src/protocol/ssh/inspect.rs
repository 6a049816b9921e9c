//! Requests → operations: the only maker of an inspected request over SSH.
//!
//! What is not understood has the effect `unknown`. Paths are read by their letters: what a symbolic link makes of them
//! is the machine's own business.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::message::{FileAsks, FileRequest, Handle, SshRequest, Surroundings};
use crate::{
    model::{Access, ObjectName, Operation, Verb, flow::Inspected},
    sql::risk,
};

/// The longest command line.
pub const MOST_COMMAND_BYTES: usize = 64 * 1024;

/// What a channel asks for.
pub fn channel(request: SshRequest, circumstance: Arc<[u8]>) -> Inspected<SshRequest> {
    let operation = match &request {
        SshRequest::Exec { command, within } => exec(command, within),
        SshRequest::Shell { .. } => operation("ssh_shell", "(an interactive shell)", [(Verb::SshShell, None)]),
        SshRequest::Files { .. } => operation("sftp", "(SFTP)", [(Verb::SshSession, None)]),
        // FAIL-CLOSED: a file is asked for with its handles.
        SshRequest::File(_) => operation("sftp_unknown", "(a packet)", [(Verb::SshUnknown, None)]),
    };
    Inspected::new(request, Arc::from([operation]), circumstance)
}

/// The handles that a server gave out, with what they stand for.
pub type OpenFiles = BTreeMap<Handle, String>;

/// What a packet of SFTP asks for; `None` where it goes on under the permit that opened its handle.
pub fn file(request: FileRequest, open: &OpenFiles, circumstance: Arc<[u8]>) -> Option<Inspected<SshRequest>> {
    let path = |path: &[u8]| Some(object(path));
    let held = |handle: &Handle| open.get(handle).map(|path| object(path.as_bytes()));
    let asked: (&str, Vec<(Verb, Option<ObjectName>)>) = match &request.asks {
        FileAsks::Open { path: name, reads, writes } => {
            let verbs = [(*reads, Verb::SshRead), (*writes, Verb::SshWrite)];
            let verbs: Vec<Verb> = verbs.into_iter().filter_map(|(does, verb)| does.then_some(verb)).collect();
            // FAIL-CLOSED: what is opened for nothing is opened for everything.
            let verbs = if verbs.is_empty() { vec![Verb::SshRead, Verb::SshWrite] } else { verbs };
            let kind = if *writes { "sftp_write" } else { "sftp_read" };
            (kind, with_code(verbs, name))
        }
        FileAsks::OpenFolder(name) => ("sftp_list", vec![(Verb::SshRead, path(name))]),
        FileAsks::Look(name) => ("sftp_stat", vec![(Verb::SshRead, path(name))]),
        FileAsks::RealPath(_) | FileAsks::Limits => ("sftp_session", vec![(Verb::SshSession, None)]),
        FileAsks::SetAttributes { path: name, cuts } => {
            let verb = if *cuts { Verb::SshWrite } else { Verb::SshPermission };
            ("sftp_setstat", with_code(vec![verb], name))
        }
        FileAsks::SetHandleAttributes { handle, cuts } => {
            let verb = if *cuts { Verb::SshWrite } else { Verb::SshPermission };
            let Some(held) = held(handle) else { return Some(unknown(request, circumstance)) };
            ("sftp_setstat", vec![(verb, Some(held))])
        }
        FileAsks::Remove(name) => ("sftp_remove", vec![(Verb::SshDelete, path(name))]),
        FileAsks::RemoveFolder(name) => ("sftp_rmdir", vec![(Verb::SshDelete, path(name))]),
        FileAsks::MakeFolder(name) => ("sftp_mkdir", vec![(Verb::SshWrite, path(name))]),
        FileAsks::Rename(from, to) => {
            let mut asked = with_code(vec![Verb::SshWrite], to);
            asked.push((Verb::SshDelete, path(from)));
            ("sftp_rename", asked)
        }
        // Whoever may not read a file must not read it through a link; whoever may not write it neither.
        FileAsks::Link(to, at) => {
            let mut asked = with_code(vec![Verb::SshWrite], at);
            asked.extend([(Verb::SshRead, path(to)), (Verb::SshWrite, path(to))]);
            ("sftp_link", asked)
        }
        FileAsks::Read { handle, .. }
        | FileAsks::Write { handle, .. }
        | FileAsks::Continue(handle)
        | FileAsks::Close(handle) => {
            return if open.contains_key(handle) { None } else { Some(unknown(request, circumstance)) };
        }
        FileAsks::Other => return Some(unknown(request, circumstance)),
    };
    let (kind, asked) = asked;
    let names: BTreeSet<String> = asked.iter().filter_map(|(_, object)| Some(object.as_ref()?.name.clone())).collect();
    let text = format!("{} {}", kind.replacen('_', " ", 1), names.into_iter().collect::<Vec<_>>().join(" "));
    let operation = operation(kind, text.trim_end(), asked);
    Some(Inspected::new(SshRequest::File(request), Arc::from([operation]), circumstance))
}

fn unknown(request: FileRequest, circumstance: Arc<[u8]>) -> Inspected<SshRequest> {
    let operation = operation("sftp_unknown", "(an SFTP request that is not known)", [(Verb::SshUnknown, None)]);
    Inspected::new(SshRequest::File(request), Arc::from([operation]), circumstance)
}

/// Who changes what will be run runs it.
fn with_code(verbs: Vec<Verb>, path: &[u8]) -> Vec<(Verb, Option<ObjectName>)> {
    let changes = verbs.iter().any(|verb| *verb != Verb::SshRead);
    let object = object(path);
    let runs = (changes && starts_code(&object.name)).then_some(Verb::SshExec);
    verbs.into_iter().chain(runs).map(|verb| (verb, Some(object.clone()))).collect()
}

/// Files that a login or the machine itself runs: the same that a command line is watched for.
fn starts_code(path: &str) -> bool {
    const NAMES: [&str; 12] = [
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".bash_logout",
        ".profile",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".kshrc",
        ".login",
        ".cshrc",
        ".pam_environment",
    ];
    const FOLDERS: [&str; 9] =
        ["/.ssh/", "/etc/", "/bin/", "/sbin/", "/usr/", "/lib/", "/boot/", "/var/spool/cron/", "/.config/systemd/"];
    let last = path.rsplit('/').next().unwrap_or_default();
    NAMES.contains(&last) || FOLDERS.iter().any(|folder| path.starts_with(folder) || path.contains(&folder[..]))
}

fn exec(command: &[u8], _within: &Surroundings) -> Operation {
    let text = String::from_utf8_lossy(command);
    operation("ssh_exec", &text, [(Verb::SshUnknown, None)])
}

/// A path by its letters: absolute, or `./…` from where the session starts.
fn object(path: &[u8]) -> ObjectName {
    let text = String::from_utf8_lossy(path);
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if text.starts_with('/') => {}
            other => parts.push(other),
        }
    }
    let start = if text.starts_with('/') { "/" } else { "./" };
    ObjectName { schema: "path".to_owned(), name: format!("{start}{}", parts.join("/")) }
}

fn operation(kind: &str, text: &str, asked: impl IntoIterator<Item = (Verb, Option<ObjectName>)>) -> Operation {
    let accesses: BTreeSet<Access> = asked.into_iter().map(|(verb, object)| Access { verb, object }).collect();
    let (risk, reasons) = risk::of_accesses(&accesses);
    Operation {
        text: Arc::from(text),
        kind: Arc::from(kind),
        effect: accesses.iter().map(|access| access.verb.effect()).max().unwrap_or(crate::model::Effect::Unknown),
        accesses,
        has_where: true,
        names_rows: false,
        risk,
        risk_reasons: reasons,
        statements: 1,
        estimated_rows: None,
        estimated_percent: None,
        export: false,
        filters_on: BTreeSet::new(),
        advice: None,
        request: None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::Effect;

    fn asked(asks: FileAsks) -> Option<Operation> {
        let request = FileRequest { id: 1, asks, packet: Bytes::new() };
        let open = OpenFiles::from([(Bytes::from_static(b"h"), "/srv/a".to_owned())]);
        file(request, &open, Arc::from([])).map(|inspected| inspected.operations()[0].clone())
    }

    fn names(operation: &Operation) -> Vec<String> {
        let name = |access: &Access| access.object.as_ref().map(ToString::to_string).unwrap_or_default();
        operation.accesses.iter().map(|access| format!("{} {}", access.verb, name(access))).collect()
    }

    #[test]
    fn a_path_is_what_its_letters_say() {
        for (written, read) in [
            ("/a//b/./c", "/a/b/c"),
            ("/a/../etc/passwd", "/etc/passwd"),
            ("/../../etc", "/etc"),
            ("a/b", "./a/b"),
            ("../x", "./../x"),
            ("a/../../x", "./../x"),
            ("", "./"),
            (".", "./"),
        ] {
            assert_eq!(object(written.as_bytes()).name, read, "{written}");
        }
    }

    #[test]
    fn a_file_is_asked_for_by_what_is_done_to_it() {
        let path = Bytes::from_static(b"/srv/a");
        let read = asked(FileAsks::Open { path: path.clone(), reads: true, writes: false }).unwrap();
        assert_eq!((names(&read), read.effect), (vec!["ssh_read /srv/a".to_owned()], Effect::Read));
        let both = asked(FileAsks::Open { path: path.clone(), reads: false, writes: false }).unwrap();
        assert_eq!(names(&both), ["ssh_read /srv/a", "ssh_write /srv/a"]);
        let renamed = asked(FileAsks::Rename(path.clone(), Bytes::from_static(b"/root/.ssh/authorized_keys"))).unwrap();
        assert_eq!(
            names(&renamed),
            ["ssh_write /root/.ssh/authorized_keys", "ssh_delete /srv/a", "ssh_exec /root/.ssh/authorized_keys"]
        );
        assert_eq!(renamed.effect, Effect::Exec);
        let linked = asked(FileAsks::Link(Bytes::from_static(b"/etc/shadow"), path)).unwrap();
        assert!(names(&linked).contains(&"ssh_read /etc/shadow".to_owned()), "{linked:?}");
    }

    #[test]
    fn only_what_was_opened_goes_on_without_a_question() {
        let read = |handle: &'static [u8]| asked(FileAsks::Read { handle: Bytes::from_static(handle), offset: 0 });
        assert!(read(b"h").is_none());
        assert_eq!(read(b"guessed").unwrap().effect, Effect::Unknown);
        let cut = FileAsks::SetHandleAttributes { handle: Bytes::from_static(b"h"), cuts: true };
        assert_eq!(names(&asked(cut).unwrap()), ["ssh_write /srv/a"]);
    }

    #[test]
    fn a_command_line_is_unknown_until_it_is_understood() {
        let within = Surroundings { terminal: None, environment: Vec::new() };
        let asked = channel(SshRequest::Exec { command: Bytes::from_static(b"id"), within }, Arc::from([]));
        assert_eq!(asked.operations()[0].effect, Effect::Unknown);
    }
}
