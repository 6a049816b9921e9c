//! Ways to hide what a command line does, sent through the gateway to a real machine: nothing of it happens, and each is
//! shown to be harmful where no gateway stands before it. A new one is added here, for ever.
//!
//! What is judged is the machine: a file that must still be as it was, a secret that must not come back.

use std::{fs, path::Path, process::Command};

use super::{Stage, stage_with};
use crate::stories::harness::{Program, until};

/// Reading, but no secrets; everything else is for nobody.
const POLICY: &str = r#"
@id("connect")
permit(principal in Group::"engineers", action == Action::"connect", resource);

@id("look-around")
permit(principal in Group::"engineers", action in [Action::"session", Action::"read"], resource);

@id("no-changes")
forbid(principal, action in Action::"write", resource);

@id("no-secrets")
@message("secrets are not read here")
forbid(principal, action in [Action::"session", Action::"read"], resource)
when { context.facts.contains("reads_secret_file") };
"#;

const SECRET: &str = "TOP-SECRET-OF-THE-STORY";
const MARK: &str = "as it was\n";

/// What reads a whole permitted tree (`grep -r`) is not here: a policy forbids it by the fact `recursive`.
///
/// `@m`: the file that must stay; `@s`: the secret; `@d`: their folder, with programs `ls` and `env` that remove the file;
/// `@b`: the removal in base64, `@r`: written backwards.
const EVASIONS: &[&str] = &[
    // Quoting, white space.
    "\\rm -f @m",
    "r''m -f @m",
    "r\"\"m -f @m",
    "'rm' -f @m",
    "\"rm\" -f @m",
    "r\\m -f @m",
    "rm$IFS-f$IFS@m",
    "rm${IFS}-f${IFS}@m",
    "$'rm' -f @m",
    "$'\\x72\\x6d' -f @m",
    "$\"rm\" -f @m",
    "r\\\nm -f @m",
    "true;\\\nrm -f @m",
    "rm\t-f\t@m",
    "echo 'a\\' ; rm -f @m ; echo 'b'",
    "rm -f -- @m",
    // Lists, groups, newlines, comments.
    "ls / >/dev/null; rm -f @m",
    "true & rm -f @m",
    "true\nrm -f @m",
    "false || rm -f @m",
    "true && rm -f @m",
    "true | rm -f @m",
    "true |& rm -f @m",
    "(rm -f @m)",
    "{ rm -f @m; }",
    "if true; then rm -f @m; fi",
    "while rm -f @m; do break; done",
    "until rm -f @m; do :; done",
    "for i in a; do rm -f @m; done",
    "case a in a) rm -f @m;; esac",
    "! rm -f @m",
    "time rm -f @m",
    "true # x\nrm -f @m",
    "true #\\\nrm -f @m",
    // Redirections.
    "> @m",
    "echo x > @m",
    "echo x >| @m",
    "echo x >> @m",
    "true &> @m",
    "true >& @m",
    "exec 3> @m",
    // Substitutions, expansions, arithmetic.
    "echo $(rm -f @m)",
    "echo `rm -f @m`",
    "echo \"$(rm -f @m)\"",
    "x=$(rm -f @m)",
    "$(echo rm) -f @m",
    "a=rm; $a -f @m",
    "${a:-rm} -f @m",
    "echo ${a:=$(rm -f @m)}",
    "echo $((a[$(rm -f @m)]))",
    "((a[$(rm -f @m)]))",
    "let 'a[$(rm -f @m)]'",
    "[ -v 'a[$(rm -f @m)]' ]",
    "[[ -v 'a[$(rm -f @m)]' ]]",
    "printf -v 'a[$(rm -f @m)]' x",
    "cat <(rm -f @m)",
    "{rm,-f,@m}",
    "/bin/[r]m -f @m",
    "/b??/rm -f @m",
    // Here-documents, here-strings, what comes by a pipe.
    "bash <<EOF\nrm -f @m\nEOF\n",
    "bash <<'EOF'\nrm -f @m\nEOF\n",
    "bash <<-EOF\n\trm -f @m\n\tEOF\n",
    "cat <<EOF\n$(rm -f @m)\nEOF\n",
    "cat <<EOF\nEOF \nEOF\nrm -f @m",
    "bash <<< 'rm -f @m'",
    "echo @b | base64 -d | sh",
    "echo '@r' | rev | sh",
    "echo 'rm -f @m' | sh",
    "printf 'rm -f @m' | bash -s",
    "printf '\\162\\155 -f @m' | sh",
    "cat <<X | sh\nrm -f @m\nX\n",
    "echo 'rm -f @m' | (sh)",
    "echo 'rm -f @m' | while read -r l; do eval \"$l\"; done",
    "echo @m | xargs rm -f",
    "sh -c \"$(echo rm -f @m)\"",
    // What changes the meaning of the rest.
    "shopt -s expand_aliases\nalias q='rm -f @m'\nq",
    "ls() { rm -f @m; }; ls",
    "function ls { rm -f @m; }; ls",
    "trap 'rm -f @m' EXIT",
    "PATH=@d:$PATH ls",
    "PATH=@d; ls",
    "export PATH=@d:$PATH; ls",
    "BASH_ENV=@d/env bash -c true",
    "PS4='$(rm -f @m)'; set -x; true",
    "hash -p @d/ls uptime; uptime",
    ". @d/env",
    "source @d/env",
    "sh @d/env",
    "sh < @d/env",
    "@d/ls",
    "cd @d && ./ls",
    "exec @d/ls",
    "mapfile -C 'rm -f @m;:' -c 1 a <<< x",
    // Wrappers.
    "eval 'rm -f @m'",
    "eval 'eval \"eval rm -f @m\"'",
    "bash -c 'rm -f @m'",
    "bash -xec 'rm -f @m'",
    "sh -c 'rm -f \"$1\"' _ @m",
    "command rm -f @m",
    "command -p rm -f @m",
    "builtin eval 'rm -f @m'",
    "exec rm -f @m",
    "env rm -f @m",
    "env -i rm -f @m",
    "env -S 'rm -f @m'",
    "env -C / rm -f @m",
    "nice rm -f @m",
    "nohup rm -f @m",
    "timeout 5 rm -f @m",
    "setsid -w rm -f @m",
    "stdbuf -o0 rm -f @m",
    "flock @d/lock rm -f @m",
    "flock @d/lock -c 'rm -f @m'",
    // Programs that write, remove or run by an option or a little language.
    "unlink @m",
    "truncate -s 0 @m",
    "tee @m </dev/null",
    "dd of=@m status=none </dev/null",
    "cp /etc/passwd @m",
    "mv @m @d/gone",
    "ln -sf /etc/passwd @m",
    "install /etc/passwd @m",
    "sort -o @m /etc/passwd",
    "uniq /etc/passwd @m",
    "sed -i d @m",
    "sed -n 'w @m' /etc/passwd",
    "sed -n '1e rm -f @m' /etc/passwd",
    "awk 'BEGIN{system(\"rm -f @m\")}'",
    "awk 'BEGIN{print > \"@m\"}'",
    "perl -e 'unlink \"@m\"'",
    "find @m -delete",
    "find @m -exec rm -f {} +",
    "find @m -execdir rm -f {} \\;",
    "find @m -exec sh -c 'rm -f \"$1\"' _ {} \\;",
    "find / -maxdepth 0 -fprint @m",
    "tar cf /dev/null -C / etc/hostname --checkpoint=1 --checkpoint-action=exec='rm -f @m'",
    "tar cf @m /etc/hostname",
    // Secrets.
    "cat @s",
    "cat @d/.ss''h/id_story",
    "cat @d/.ssh/../.ssh/id_story",
    "cat @d/.s?h/id_story",
    "cat @d/.ssh/*",
    "cd @d/.ssh && cat id_story",
    "cd @d; cat .ssh/id_story",
    "head -c 100 @s",
    "tac < @s",
    "while read -r l; do echo \"$l\"; done < @s",
    "echo \"$(<@s)\"",
    "printf '%s' \"$(cat @s)\"",
    "cat \"$(echo @s)\"",
    "sort @s",
    "rev @s | rev",
    "base64 @s | base64 -d",
    "dd if=@s status=none",
    "tar cf - @s",
    "diff @s /dev/null",
    "paste @s",
    "cp @s /dev/stdout",
    "mapfile a < @s; echo \"$a\"",
    "cat @d/.[s]sh/id_story",
    "sed -n p @s",
    "awk 1 @s",
];

/// What people look with, all day.
const EVERYDAY: &[&str] = &[
    "uptime",
    "df -h",
    "free -m",
    "id",
    "whoami",
    "uname -a",
    "date",
    "pwd",
    "hostname",
    "nproc",
    "true",
    "sleep 0",
    "seq 3",
    "echo hello world",
    "printf '%s\\n' a b",
    "ls -la /tmp",
    "ls /srv; ls /opt",
    "cd /tmp && ls",
    "cat /etc/hostname",
    "cat /proc/loadavg",
    "head -n 3 /etc/os-release",
    "tail -n 5 /var/log/dpkg.log",
    "wc -l /etc/hosts",
    "stat /etc/hosts",
    "md5sum /etc/hosts",
    "cut -d: -f1 /etc/passwd",
    "sort /etc/hosts | uniq -c",
    "sed -n 1,3p /etc/hosts",
    "awk -F: '{print $1}' /etc/passwd",
    "grep -c processor /proc/cpuinfo",
    "ps aux | grep sshd | wc -l",
    "cat /etc/hosts | tr a-z A-Z",
    "ls -1 /tmp | head -n 3",
    "du -sh /opt",
    "find /opt -maxdepth 1 -name '*.conf'",
    "readlink -f /bin/sh",
    "basename /a/b",
    "dirname /a/b",
    "test -f /etc/hosts && echo yes",
    "[ -d /tmp ] && echo yes",
    "if [ -d /tmp ]; then echo yes; fi",
    "which ls",
];

struct Room {
    mark: String,
    secret: String,
    folder: String,
}

impl Room {
    fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder.join(".ssh")).expect("made");
        let shown = |path: &Path| path.display().to_string();
        let (mark, secret) = (folder.join("mark"), folder.join(".ssh/id_story"));
        fs::write(&secret, format!("{SECRET}\n")).expect("written");
        for name in ["ls", "env"] {
            let path = folder.join(name);
            fs::write(&path, format!("#!/bin/sh\n/bin/rm -f {}\n", mark.display())).expect("written");
            Program::run(Command::new("chmod").arg("755").arg(path), "").success();
        }
        Self { mark: shown(&mark), secret: shown(&secret), folder: shown(folder) }
    }

    fn fill(&self, text: &str) -> String {
        let removal = format!("/bin/rm -f {}", self.mark);
        let encoded = Program::run(Command::new("base64").arg("-w0"), &removal).success();
        text.replace("@m", &self.mark)
            .replace("@s", &self.secret)
            .replace("@d", &self.folder)
            .replace("@b", encoded.trim())
            .replace("@r", &removal.chars().rev().collect::<String>())
    }

    fn restore(&self) {
        // A link would lead elsewhere.
        drop(fs::remove_file(&self.mark));
        fs::write(&self.mark, MARK).expect("written");
    }

    /// Whether something happened.
    fn is_harmed(&self, said: &str) -> bool {
        let is_link = fs::symlink_metadata(&self.mark).is_ok_and(|mark| mark.is_symlink());
        is_link || fs::read_to_string(&self.mark).ok().as_deref() != Some(MARK) || said.contains(SECRET)
    }
}

#[test]
fn no_command_line_hides_what_it_does() {
    let Stage { sshd, gateway: _gateway, alice: _alice, tunnel } = stage_with("", POLICY, "");
    let room = Room::new(&sshd.room());
    let socket = sshd.path("mux").display().to_string();
    let client = |line: &str| {
        let mut command = crate::stories::harness::Sshd::client("ssh", tunnel.port);
        command.args(["-S", &socket, "127.0.0.1", line]);
        command
    };
    let mut master = crate::stories::harness::Sshd::client("ssh", tunnel.port);
    let _master = Program::start(master.args(["-M", "-N", "-S", &socket, "127.0.0.1"]));
    until("the master listens", || Path::new(&socket).exists());
    let mut wrong = Vec::new();
    for text in EVASIONS {
        let line = room.fill(text);
        room.restore();
        let outcome = Program::run(&mut client(&line), "");
        let said = format!("{}{}", outcome.output, outcome.errors);
        if room.is_harmed(&said) {
            wrong.push(format!("went through: {text:?}: {outcome:?}"));
        } else if outcome.status.code() != Some(126) || !outcome.errors.contains("hoop: refused") {
            wrong.push(format!("was not refused: {text:?}: {outcome:?}"));
        }
        room.restore();
        let direct = Program::run(Command::new("bash").args(["-c", &line]), "");
        if !room.is_harmed(&format!("{}{}", direct.output, direct.errors)) {
            wrong.push(format!("does no harm without the gateway: {text:?}: {direct:?}"));
        }
    }
    room.restore();
    for line in EVERYDAY {
        let outcome = Program::run(&mut client(line), "");
        if outcome.errors.contains("hoop: ") {
            wrong.push(format!("is harmless, and refused: {line:?}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), EVASIONS.len(), wrong.join("\n"));
    assert!(EVASIONS.len() >= 80 && EVERYDAY.len() >= 40, "{} {}", EVASIONS.len(), EVERYDAY.len());
}
