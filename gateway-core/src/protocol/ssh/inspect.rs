//! Requests → operations: the only maker of an inspected request over SSH.
//!
//! What is not understood has the effect `unknown`. Paths are read by their letters: what a symbolic link makes of them
//! is the machine's own business.

pub mod line;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    forward::ForwardTarget,
    message::{Changes, FileAsks, FileRequest, Handle, SshRequest},
};
use crate::{
    model::{Access, ObjectName, Operation, Verb, flow::Inspected},
    shell::{self, Reader, Transfer},
    sql::risk,
};

/// What a line of a shell is called: decided as a command is, by what a screen shows of it.
pub const LINE: &str = "ssh_line";
/// The longest command line.
pub const MOST_COMMAND_BYTES: usize = 64 * 1024;

/// What a channel asks for.
pub fn channel(request: SshRequest, circumstance: Arc<[u8]>) -> Inspected<SshRequest> {
    let operation = match &request {
        SshRequest::Exec { command, reader: Reader::Known, within } => exec(command, within.terminal.is_some()),
        SshRequest::Exec { command, reader: Reader::Other, within } => {
            read_otherwise(command, within.terminal.is_some())
        }
        SshRequest::Shell { .. } => operation("ssh_shell", "(an interactive shell)", [(Verb::SshShell, None)]),
        SshRequest::Files { .. } => operation("sftp", "(SFTP)", [(Verb::SshSession, None)]),
        SshRequest::Line { line, .. } if line.is_empty() => {
            let unseen = [(Verb::SshUnknown, None)];
            let advice = Some("Turn the echo of the terminal on: `stty echo`.".to_owned());
            Operation { advice, ..operation(LINE, "(a line that the screen does not show)", unseen) }
        }
        SshRequest::Line { line, .. } => Operation { kind: Arc::from(LINE), ..exec(line, true) },
        // FAIL-CLOSED: a file is asked for with its handles.
        SshRequest::File(_) => operation("sftp_unknown", "(a packet)", [(Verb::SshUnknown, None)]),
        SshRequest::Forward { to, carries } => forward(to, *carries),
    };
    Inspected::new(request, Arc::from([operation]), circumstance)
}

/// A way through the machine; or a known protocol on it, which is asked besides, and by a verb that nobody permits who
/// does not mean it.
fn forward(to: &ForwardTarget, carries: Option<&'static str>) -> Operation {
    let schema = if matches!(to, ForwardTarget::Host { .. }) { "host" } else { "path" };
    let object = Some(ObjectName { schema: schema.to_owned(), name: to.to_string() });
    match carries {
        None => operation("forward", &format!("forward to {to}"), [(Verb::SshForward, object)]),
        Some(protocol) => {
            let text = format!("forward {protocol} to {to}");
            let asked = operation("forward_uninspected", &text, [(Verb::SshForwardUninspected, object)]);
            let advice = format!(
                "Give {to} a connection of its own, and lead there: `[connection.ways]`, `\"{to}\" = \"NAME\"`."
            );
            Operation { facts: BTreeSet::from([protocol]), advice: Some(advice), ..asked }
        }
    }
}

/// What a text asks for that is no longer on the wire: a command line, or one of the texts that the record has for the
/// rest. Decides nothing by itself; for questions and policy cases.
pub fn of_text(text: &str) -> Operation {
    let text = text.trim();
    match text {
        "(an interactive shell)" => operation("ssh_shell", text, [(Verb::SshShell, None)]),
        "(SFTP)" => operation("sftp", text, [(Verb::SshSession, None)]),
        _ => {
            let target = text.strip_prefix("forward to ").and_then(ForwardTarget::parse);
            let file = text.strip_prefix("sftp ").and_then(|rest| rest.split_once(' '));
            let file = file.and_then(|(word, path)| asked_of(word, path));
            target.map(|to| forward(&to, None)).or(file).unwrap_or_else(|| exec(text.as_bytes(), false))
        }
    }
}

/// A request for one file, by the words of the record.
fn asked_of(word: &str, path: &str) -> Option<Operation> {
    let name = Handle::copy_from_slice(path.as_bytes());
    let asks = match word {
        "read" => FileAsks::Open { path: name, reads: true, writes: false, lends: false },
        "write" => FileAsks::Open { path: name, reads: false, writes: true, lends: false },
        "list" => FileAsks::OpenFolder(name),
        "stat" => FileAsks::Look(name),
        "remove" => FileAsks::Remove(name),
        "rmdir" => FileAsks::RemoveFolder(name),
        "mkdir" => FileAsks::MakeFolder(name),
        "setstat" => FileAsks::SetAttributes { path: name, changes: Changes { size: false, rights: true } },
        _ => return None,
    };
    let inspected = file(FileRequest { id: 0, asks, packet: Handle::new() }, &OpenFiles::new(), Arc::from([]))?;
    inspected.operations().first().cloned()
}

/// The paths of a packet, as they are written, with whether their content or place changes.
fn written(asks: &FileAsks) -> Vec<(&[u8], bool)> {
    match asks {
        FileAsks::Open { path, reads, writes, .. } => {
            let neither = !*reads && !*writes;
            [(*reads || neither, false), (*writes || neither, true)]
                .into_iter()
                .filter_map(|(asked, changes)| asked.then_some((&path[..], changes)))
                .collect()
        }
        FileAsks::OpenFolder(path) | FileAsks::Look(path) => vec![(path, false)],
        FileAsks::SetAttributes { path, .. }
        | FileAsks::Remove(path)
        | FileAsks::RemoveFolder(path)
        | FileAsks::MakeFolder(path) => vec![(path, true)],
        // What is moved or linked is read at its new name.
        FileAsks::Rename(from, to) => vec![(from, false), (from, true), (to, true)],
        FileAsks::Link(to, at) => vec![(to, false), (to, true), (at, true)],
        FileAsks::RealPath(_)
        | FileAsks::SetHandleAttributes { .. }
        | FileAsks::Read { .. }
        | FileAsks::Write { .. }
        | FileAsks::Continue(_)
        | FileAsks::Close(_)
        | FileAsks::Limits
        | FileAsks::Other => Vec::new(),
    }
}

fn facts_of(asks: &FileAsks) -> BTreeSet<&'static str> {
    let mut facts = BTreeSet::new();
    for (path, changes) in written(asks) {
        if path.split(|byte| *byte == b'/').any(|part| part == b"..") {
            facts.insert(shell::Fact::Ascends.as_str());
        }
        facts.extend(shell::facts_of_path(&object(path).name, changes).into_iter().map(shell::Fact::as_str));
    }
    facts
}

/// How a command carries files to whoever runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// As they are.
    Plain,
    /// In a form in which nothing can be found.
    Packed,
}

/// Whether a command is the machine's half of a download.
pub fn carries(operations: &[Operation]) -> Option<Carried> {
    let operation =
        operations.iter().find(|one| matches!(&*one.kind, "scp_download" | "rsync_download" | "git_fetch"))?;
    // SPEC: rsync(1): `-z` and `--compress`; a client's options stand in one word before `e`.
    let packs = |word: &str| match word.strip_prefix("--") {
        Some(long) => ["compress", "zc", "new-compress", "old-compress"].iter().any(|name| long.starts_with(name)),
        None => word.starts_with('-') && word.split('e').next().is_some_and(|options| options.contains('z')),
    };
    let packed = match &*operation.kind {
        "scp_download" => false,
        "rsync_download" => operation.text.split_whitespace().any(packs),
        _ => true,
    };
    Some(if packed { Carried::Packed } else { Carried::Plain })
}

/// The handles that a server gave out, with what they stand for.
pub type OpenFiles = BTreeMap<Handle, String>;

/// What a packet of SFTP asks for; `None` where it goes on under the permit that opened its handle.
pub fn file(request: FileRequest, open: &OpenFiles, circumstance: Arc<[u8]>) -> Option<Inspected<SshRequest>> {
    let path = |path: &[u8]| Some(object(path));
    let held = |handle: &Handle| open.get(handle).map(|path| object(path.as_bytes()));
    let asked: (&str, Vec<(Verb, Option<ObjectName>)>) = match &request.asks {
        FileAsks::Open { path: name, reads, writes, lends } => {
            let verbs = [(*reads, Verb::SshRead), (*writes, Verb::SshWrite), (*lends, Verb::SshPermission)];
            let verbs: Vec<Verb> = verbs.into_iter().filter_map(|(does, verb)| does.then_some(verb)).collect();
            // FAIL-CLOSED: what is opened for nothing is opened for everything.
            let verbs = if verbs.is_empty() { vec![Verb::SshRead, Verb::SshWrite] } else { verbs };
            let kind = if *writes { "sftp_write" } else { "sftp_read" };
            (kind, with_code(verbs, name))
        }
        FileAsks::OpenFolder(name) => ("sftp_list", vec![(Verb::SshRead, path(name))]),
        FileAsks::Look(name) => ("sftp_stat", vec![(Verb::SshRead, path(name))]),
        FileAsks::RealPath(_) | FileAsks::Limits => ("sftp_session", vec![(Verb::SshSession, None)]),
        FileAsks::SetAttributes { path: name, changes } => ("sftp_setstat", with_code(changing(*changes), name)),
        FileAsks::SetHandleAttributes { handle, changes } => {
            let Some(held) = held(handle) else { return Some(unknown(request, circumstance)) };
            ("sftp_setstat", changing(*changes).into_iter().map(|verb| (verb, Some(held.clone()))).collect())
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
    let facts = facts_of(&request.asks);
    let operation = Operation { facts, ..operation(kind, text.trim_end(), asked) };
    Some(Inspected::new(SshRequest::File(request), Arc::from([operation]), circumstance))
}

fn unknown(request: FileRequest, circumstance: Arc<[u8]>) -> Inspected<SshRequest> {
    let operation = operation("sftp_unknown", "(an SFTP request that is not known)", [(Verb::SshUnknown, None)]);
    Inspected::new(SshRequest::File(request), Arc::from([operation]), circumstance)
}

/// Size and mode may come in one packet: each is asked for.
fn changing(changes: Changes) -> Vec<Verb> {
    let verbs = [(changes.size, Verb::SshWrite), (changes.rights, Verb::SshPermission)];
    verbs.into_iter().filter_map(|(does, verb)| does.then_some(verb)).collect()
}

/// Who changes what will be run runs it.
fn with_code(verbs: Vec<Verb>, path: &[u8]) -> Vec<(Verb, Option<ObjectName>)> {
    let changes = verbs.iter().any(|verb| *verb != Verb::SshRead);
    let object = object(path);
    let starts = shell::facts_of_path(&object.name, changes).contains(&shell::Fact::ChangesStartup);
    let runs = starts.then_some(Verb::SshExec);
    verbs.into_iter().chain(runs).map(|verb| (verb, Some(object.clone()))).collect()
}

/// A command line, as far as its grammar and what is known of programs say it.
fn exec(command: &[u8], has_terminal: bool) -> Operation {
    let text = String::from_utf8_lossy(command);
    let found = shell::understand(command);
    let mut asked: Vec<_> =
        found.accesses.into_iter().map(|access| (verb(access.verb), access.object.map(named))).collect();
    // Policies may speak of a program by its name, whatever it is called for.
    let program = |name: String| (Verb::SshSession, Some(ObjectName { schema: "program".to_owned(), name }));
    let mut facts: BTreeSet<&'static str> = found.facts.iter().map(|fact| fact.as_str()).collect();
    if has_terminal {
        facts.insert("terminal");
        if found.facts.contains(&shell::Fact::Pages) {
            // A pager takes `!command` from the keyboard.
            let runs = |name: &String| ObjectName { schema: "program".to_owned(), name: name.clone() };
            asked.extend(found.programs.iter().map(|name| (Verb::SshExec, Some(runs(name)))));
            asked.extend(found.programs.is_empty().then_some((Verb::SshExec, None)));
        }
    }
    asked.extend(found.programs.into_iter().map(program));
    if found.transfer == Some(Transfer::Sftp) {
        // FAIL-CLOSED: its packets would not be read; clients ask for the subsystem.
        asked.push((Verb::SshUnknown, None));
    }
    let kind = match found.transfer {
        Some(Transfer::ScpDownload) => "scp_download",
        Some(Transfer::ScpUpload) => "scp_upload",
        Some(Transfer::RsyncDownload) => "rsync_download",
        Some(Transfer::RsyncUpload) => "rsync_upload",
        Some(Transfer::GitFetch) => "git_fetch",
        Some(Transfer::GitPush) => "git_push",
        Some(Transfer::Sftp) | None => "ssh_exec",
    };
    let doubts: Vec<&str> = found.doubts.iter().map(|doubt| doubt.0).collect();
    let advice = (!doubts.is_empty()).then(|| {
        format!("It is not understood: it {}. Write it out, one plain command at a time.", doubts.join(", it "))
    });
    let statements = found.commands.max(1);
    let asked = operation(kind, &text, asked);
    // The worse of both tables: a terminal may ask for more than the text does.
    let (risk, risk_reasons) = if asked.risk > found.risk && has_terminal {
        (asked.risk, asked.risk_reasons.clone())
    } else {
        (found.risk, found.risk_reasons)
    };
    Operation { risk, risk_reasons, statements, facts, advice, ..asked }
}

/// FAIL-CLOSED: a command line that another shell reads may mean anything, whatever it asks for by its letters.
fn read_otherwise(command: &[u8], has_terminal: bool) -> Operation {
    let as_here = exec(command, has_terminal);
    let asked = as_here.accesses.iter().map(|access| (access.verb, access.object.clone()));
    let asked = operation(&as_here.kind, &as_here.text, asked.chain([(Verb::SshUnknown, None)]));
    let advice = "The account's login shell does not read command lines as sh, dash, bash and zsh do: have it given one of \
                  these (`chsh`), or use a connection to an account that has one.";
    let Operation { facts, statements, .. } = as_here;
    Operation { facts, statements, advice: Some(advice.to_owned()), ..asked }
}

const fn verb(verb: shell::Verb) -> Verb {
    match verb {
        shell::Verb::Session => Verb::SshSession,
        shell::Verb::Read => Verb::SshRead,
        shell::Verb::Write => Verb::SshWrite,
        shell::Verb::Delete => Verb::SshDelete,
        shell::Verb::Reach => Verb::SshReach,
        shell::Verb::Permission => Verb::SshPermission,
        shell::Verb::Execute => Verb::SshExec,
        shell::Verb::Administer => Verb::SshAdmin,
        shell::Verb::Unknown => Verb::SshUnknown,
    }
}

fn named(object: shell::Object) -> ObjectName {
    let (schema, name) = match object {
        shell::Object::Path(name) => ("path", name),
        shell::Object::Host(name) => ("host", name),
        shell::Object::Program(name) => ("program", name),
        shell::Object::Service(name) => ("service", name),
        shell::Object::Package(name) => ("package", name),
    };
    ObjectName { schema: schema.to_owned(), name }
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
        facts: BTreeSet::new(),
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
        let read = asked(FileAsks::Open { path: path.clone(), reads: true, writes: false, lends: false }).unwrap();
        assert_eq!((names(&read), read.effect), (vec!["ssh_read /srv/a".to_owned()], Effect::Read));
        let both = asked(FileAsks::Open { path: path.clone(), reads: false, writes: false, lends: false }).unwrap();
        assert_eq!(names(&both), ["ssh_read /srv/a", "ssh_write /srv/a"]);
        let lending = asked(FileAsks::Open { path: path.clone(), reads: false, writes: true, lends: true }).unwrap();
        assert_eq!(names(&lending), ["ssh_write /srv/a", "ssh_permission /srv/a"], "set-user-ID from its beginning");
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
        let read =
            |handle: &'static [u8]| asked(FileAsks::Read { handle: Bytes::from_static(handle), offset: 0, length: 1 });
        assert!(read(b"h").is_none());
        assert_eq!(read(b"guessed").unwrap().effect, Effect::Unknown);
        let set = |size, rights| {
            let changes = Changes { size, rights };
            names(&asked(FileAsks::SetHandleAttributes { handle: Bytes::from_static(b"h"), changes }).unwrap())
        };
        assert_eq!(set(true, false), ["ssh_write /srv/a"]);
        assert_eq!(set(false, true), ["ssh_permission /srv/a"]);
        assert_eq!(set(true, true), ["ssh_write /srv/a", "ssh_permission /srv/a"], "a mode behind a size");
    }

    #[test]
    fn a_command_line_is_what_its_words_do_or_unknown() {
        let exec = |command: &'static [u8]| exec(command, false);
        let read = exec(b"cat /var/log/syslog");
        assert_eq!((&*read.kind, read.effect), ("ssh_exec", Effect::Read), "{read:?}");
        assert_eq!(names(&read), ["ssh_session program.cat", "ssh_read ", "ssh_read /var/log/syslog"]);
        assert_eq!(exec(b"rm -rf /srv/data").effect, Effect::Write);
        assert_eq!(exec(b"sudo id").effect.max(Effect::Exec), exec(b"sudo id").effect, "{:?}", exec(b"sudo id"));
        assert_eq!(exec(b"$(echo cm0= | base64 -d) x").effect, Effect::Unknown);
        assert_eq!(exec(&[0xff, 0xfe]).effect, Effect::Unknown);
        assert_eq!(&*exec(b"scp -t /tmp/x").kind, "scp_upload");
        assert_eq!(exec(b"/usr/lib/openssh/sftp-server").effect, Effect::Unknown, "packets that nobody reads");
        assert!(exec(b"eval \"$X\"").advice.is_some_and(|advice| advice.starts_with("It is not understood")));
    }

    #[test]
    fn what_a_command_line_is_known_for_is_said_in_words() {
        let facts = |command: &[u8]| exec(command, false).facts.into_iter().collect::<Vec<_>>();
        assert_eq!(facts(b"sudo -n cat /etc/shadow"), ["reads_secret_file", "sudo"]);
        assert_eq!(facts(b"rm -rf /srv/app/cache"), ["force", "recursive"]);
        assert!(facts(b"apt-get install -y curl").contains(&"package"));
        assert!(facts(b"systemctl restart nginx").contains(&"service"));
        assert!(facts(b"useradd mallory").contains(&"account"));
        assert_eq!(facts(b"uptime"), [""; 0]);
        let (quiet, seen) = (exec(b"git log", false), exec(b"git log", true));
        assert!(quiet.facts.contains("pages") && quiet.effect < Effect::Exec, "{quiet:?}");
        assert!(seen.facts.contains("terminal") && seen.effect == Effect::Exec, "{seen:?}");
        assert!(names(&seen).contains(&"ssh_exec program.git".to_owned()), "{seen:?}");
        let read = asked(FileAsks::Open {
            path: Bytes::from_static(b"/etc/shadow"),
            reads: true,
            writes: false,
            lends: false,
        });
        assert!(read.unwrap().facts.contains("reads_secret_file"));
        let moved = FileAsks::Rename(Bytes::from_static(b"/root/.ssh/id_rsa"), Bytes::from_static(b"/tmp/../tmp/x"));
        let moved = asked(moved).unwrap().facts;
        assert!(moved.contains("reads_secret_file") && moved.contains("ascends"), "{moved:?}");
    }

    #[test]
    fn a_recorded_text_is_read_as_it_was_asked() {
        assert_eq!(names(&of_text("forward to DB1:5432")), ["ssh_forward host.db1:5432"]);
        assert_eq!(names(&of_text("sftp read /srv/a")), ["ssh_read /srv/a"]);
        assert_eq!(names(&of_text("(an interactive shell)")), ["ssh_shell "]);
        assert_eq!(of_text("rm -rf /srv/a").effect, Effect::Write);
        let carried = forward(&ForwardTarget::parse("/run/app.sock").unwrap(), Some("http"));
        assert_eq!(
            (names(&carried), carried.effect),
            (vec!["ssh_forward_uninspected /run/app.sock".to_owned()], Effect::Unknown)
        );
    }
}
