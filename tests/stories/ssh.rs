//! Connections over SSH: a real OpenSSH server behind the gateway, stock clients before it.

mod evasions;
mod files;
mod native;
mod shell;
mod through;
mod trust;
mod ways;

use std::{fs, process::Command};

use super::harness::{Gateway, Outcome, Person, Program, Site, Sshd, Stream, Tunnel, until};

/// What may be done on the machine of these stories.
pub(super) const POLICY: &str = r#"
@id("staff-connect-ssh")
permit(principal, action == Action::"connect", resource)
when { principal in Group::"engineers" || principal in Group::"dba" };

@id("commands-run")
permit(
  principal in Group::"engineers",
  action in [Action::"session", Action::"read", Action::"write", Action::"grant", Action::"exec", Action::"admin", Action::"unknown"],
  resource
)
when {
  ["ssh_exec", "ssh_shell", "scp_upload", "scp_download", "rsync_upload", "rsync_download"].contains(context.kind) ||
  context.kind like "sftp*"
};
"#;

/// A machine, a gateway before it, and alice's tunnel.
pub(super) struct Stage {
    pub(super) sshd: Sshd,
    pub(super) gateway: Gateway,
    pub(super) alice: Person,
    pub(super) tunnel: Tunnel,
}

pub(super) fn stage() -> Stage {
    stage_with("", POLICY, "")
}

/// With more in the connection's table, other policies, and tags.
pub(super) fn stage_with(more: &str, policies: &str, masking: &str) -> Stage {
    let sshd = Sshd::start();
    let site = Site::of(&sshd.connection("bastion", more)).policy("ssh", policies);
    // Without a word the default detectors are at work, and no terminal is opened where values are masked.
    site.write("masking.toml", if masking.is_empty() { "detectors = []\n" } else { masking });
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "bastion");
    Stage { sshd, gateway, alice, tunnel }
}

impl Stage {
    pub(super) fn ssh(&self, arguments: &[&str]) -> Command {
        let mut command = Sshd::client("ssh", self.tunnel.port);
        command.args(arguments.iter().filter(|word| word.starts_with('-'))).arg("anyone@127.0.0.1");
        command.args(arguments.iter().filter(|word| !word.starts_with('-')));
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Outcome {
        Program::run(&mut self.ssh(arguments), "")
    }

    /// What the last session's recording says.
    pub(super) fn recorded(&self) -> String {
        let sessions = self.alice.json(&["sessions", "ls"]);
        let sessions = sessions["sessions"].as_array().or_else(|| sessions["data"].as_array()).expect("a list");
        let ids = sessions.iter().filter_map(|session| session["id"].as_str());
        ids.map(|id| self.alice.run(&["replay", id, "--output", "jsonl"]).success()).collect()
    }
}

#[test]
fn commands_run_as_they_would_without_the_gateway() {
    let stage = stage_with("accept_env = [\"STORY_WORD\"]", POLICY, "");
    let both = stage.run(&["echo out; echo err >&2"]);
    assert_eq!((both.code(), both.output.as_str(), both.errors.as_str()), (0, "out\n", "err\n"));
    for code in [0, 1, 7, 127, 255] {
        assert_eq!(stage.run(&[&format!("exit {code}")]).code(), code);
    }
    assert_eq!(stage.run(&["kill -TERM $$"]).code(), 255, "a signal is told as one");
    let long = "line of input\n".repeat(80_000);
    let counted = Program::run(&mut stage.ssh(&["wc -c"]), &long).success();
    assert_eq!(counted.trim(), long.len().to_string(), "the end of the input arrives");
    let hashed = Program::run(&mut stage.ssh(&["cat"]), &long).success();
    assert_eq!(hashed, long, "nothing is lost in either direction");
    assert_eq!(stage.run(&["tty"]).output.trim(), "not a tty");
    let terminal = stage.run(&["-tt", "stty size; tty | grep -q /dev/pts && echo yes"]).success();
    assert!(terminal.contains("yes"), "{terminal}");
    let mut with_words = stage.ssh(&["-oSendEnv=STORY_WORD", "-oSendEnv=FORBIDDEN", "echo $STORY_WORD/$FORBIDDEN"]);
    let said = Program::run(with_words.env("STORY_WORD", "hello").env("FORBIDDEN", "no"), "").success();
    assert_eq!(said.trim(), "hello/", "only what the site names is set");
    let recorded = stage.recorded();
    for part in ["echo out; echo err >&2", "exit 7", "commands-run"] {
        assert!(recorded.contains(part), "{part} is not in {recorded}");
    }
}

#[test]
fn many_channels_share_a_connection() {
    let stage = stage();
    let socket = stage.sshd.path("mux").display().to_string();
    let master = Program::start(&mut stage.ssh(&["-MN", &format!("-S{socket}")]));
    until("the master listens", || std::path::Path::new(&socket).exists());
    let started: Vec<_> = (0..10)
        .map(|number| Program::start(&mut stage.ssh(&[&format!("-S{socket}"), &format!("echo channel {number}; cat")])))
        .collect();
    for (number, mut program) in started.into_iter().enumerate() {
        program.expect_line(&format!("channel {number}"));
        program.close_input();
        program.finish().success();
    }
    drop(master);
    assert_eq!(stage.recorded().matches("\"kind\":\"session_started\"").count(), 1, "one session, many channels");
}

#[test]
fn what_is_refused_is_told_with_status_126_and_the_session_goes_on() {
    let policy = format!(
        "{POLICY}\n@id(\"no-shells\")\n@message(\"nobody opens a shell here\")\n\
         forbid(principal, action == Action::\"ssh_shell\", resource);\n"
    );
    let stage = stage_with("", &policy, "");
    let refused = stage.run(&["-T"]);
    assert_eq!(refused.code(), 126);
    for part in ["nobody opens a shell here", "no-shells", "ses_"] {
        assert!(refused.errors.contains(part), "{part} is not in {}", refused.errors);
    }
    assert_eq!(stage.run(&["echo still"]).output, "still\n");
    assert!(stage.recorded().contains("no-shells"));
    the_past_is_decided_again(&stage);
    let bob = Person::login(&stage.gateway, "bob");
    let his = Tunnel::open(&bob, "bastion");
    let mut other = Sshd::client("ssh", his.port);
    let denied = Program::run(other.args(["127.0.0.1", "python3 -c 1"]), "");
    assert_eq!(denied.code(), 126, "a dba may connect and run nothing: {denied:?}");
}

/// What was recorded of a machine, and one command more, by policies that are not in force.
fn the_past_is_decided_again(stage: &Stage) {
    let made = stage.sshd.path("made").display().to_string();
    let command = format!("touch {made}");
    assert_eq!(stage.run(&[&command]).code(), 0);
    let proposed = stage.alice.home().join("proposed");
    fs::create_dir_all(proposed.join("policies")).expect("made");
    for file in ["gateway.toml", "connections.toml", "masking.toml", "policies/ssh.cedar"] {
        fs::copy(stage.gateway.site().path().join(file), proposed.join(file)).expect("copied");
    }
    let more = "@id(\"no-writes\") forbid(principal, action == Action::\"ssh_write\", resource);\n";
    fs::write(proposed.join("policies/more.cedar"), more).expect("written");
    let proposed = proposed.to_str().expect("text");
    let report = stage.alice.json(&["policy", "backtest", proposed, "--since", "1h"]);
    let report = &report["backtest"];
    assert_eq!((&report["operations"], &report["same"]), (&3.into(), &2.into()), "{report}");
    let changed = &report["changed"][0];
    assert_eq!((&changed["was"], &changed["would_be"]), (&"permit".into(), &"refuse".into()), "{report}");
    assert_eq!((&changed["operation"], &changed["would_be_rules"][0]), (&command.as_str().into(), &"no-writes".into()));
    let asked = ["policy", "explain", proposed, "bastion", &command, "--user", "alice", "--group", "engineers"];
    let explained = stage.alice.run(&asked);
    assert!(explained.code() == 0 && explained.output.contains("no-writes"), "{explained:?}");
    assert_eq!(stage.alice.run(&["can", "bastion", &command]).code(), 0, "what is in force lets it through");
}

#[test]
fn a_held_command_waits_and_runs_once_approved() {
    let policy = format!(
        "{POLICY}\n@id(\"looked-at\")\n@approval(\"dba\")\n@expires(\"15m\")\n@message(\"a dba looks at every command\")\n\
         forbid(principal, action in [Action::\"ssh_write\", Action::\"ssh_admin\", Action::\"ssh_delete\"], resource);\n"
    );
    let stage = stage_with("", &policy, "");
    let bob = Person::login(&stage.gateway, "bob");
    let mark = stage.sshd.path("ran");
    let held = |command: &str| {
        let mut waiting = Program::start(&mut stage.ssh(&[command]));
        let id = waiting.expect("that it is held", |stream, line| {
            let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
            words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
        });
        (waiting, id)
    };
    let command = format!("cat > {}; echo done", mark.display());
    let (mut waiting, id) = held(&command);
    waiting.write("sent ahead\n");
    waiting.close_input();
    let shown = bob.run(&["approvals", "show", &id]).success();
    assert!(shown.contains(&command) && shown.contains("alice"), "{shown}");
    assert!(!mark.exists(), "nothing runs while it is held");
    bob.run(&["approvals", "approve", &id]).success();
    let outcome = waiting.finish();
    assert_eq!((outcome.code(), outcome.output.as_str()), (0, "done\n"), "{outcome:?}");
    assert_eq!(fs::read_to_string(&mark).expect("written"), "sent ahead\n");
    let (waiting, id) = held("rm -rf /srv/never");
    bob.run(&["approvals", "deny", &id, "--reason", "use the job"]).success();
    let outcome = waiting.finish();
    assert_eq!((outcome.code(), outcome.output.as_str()), (126, ""));
    assert!(outcome.errors.contains("use the job"), "{outcome:?}");
    let (waiting, id) = held("rm -rf /srv/gone");
    drop(waiting);
    until("the request is withdrawn", || {
        bob.run(&["approvals", "show", &id]).output.to_lowercase().contains("withdrawn")
    });
}

#[test]
fn a_kill_ends_what_runs_on_the_machine() {
    let stage = stage();
    let mut running = Program::start(&mut stage.ssh(&["echo pid $$; exec sleep 600"]));
    let pid = running.expect("its pid", |_, line| line.strip_prefix("pid ").map(str::to_owned));
    let alive = || std::path::Path::new(&format!("/proc/{pid}")).exists();
    assert!(alive());
    let sessions = stage.alice.run(&["sessions", "ls", "--output", "jsonl"]).success();
    let id = sessions.split(['"', ',']).find(|word| word.starts_with("ses_")).expect("a session").to_owned();
    stage.alice.run(&["sessions", "kill", &id, "--reason", "enough"]).success();
    let outcome = running.finish();
    assert_ne!(outcome.status.code(), Some(0), "{outcome:?}");
    assert!(outcome.errors.contains("enough"), "{outcome:?}");
    until("the remote process is gone", || !alive());
}

#[test]
fn what_a_command_prints_is_masked_and_a_change_of_policy_ends_what_it_forbids() {
    let mut stage = stage_with("", POLICY, "detectors = [\"email\"]\n");
    let printed = stage.run(&["printf 'mail carol@example'; sleep 0.2; echo '.com today'; echo dave@example.com >&2"]);
    assert!(!printed.output.contains("carol@example.com") && printed.output.contains("today"), "{printed:?}");
    assert!(!printed.errors.contains("dave@example.com"), "{printed:?}");
    let shell = stage.run(&["-tt", "echo x"]);
    assert_eq!(shell.code(), 126, "a terminal cannot be masked: {shell:?}");
    let recorded = stage.recorded();
    assert!(!recorded.contains("carol@example.com") && !recorded.contains("dave@example.com"), "{recorded}");
    let mut running = Program::start(&mut stage.ssh(&["echo started; exec python3 -c 'import time; time.sleep(600)'"]));
    running.expect_line("started");
    stage.gateway.site().edit("policies/ssh.cedar", "\"ssh_exec\", ", "");
    stage.gateway.reload();
    let outcome = running.finish();
    assert_eq!(outcome.code(), 126, "{outcome:?}");
    assert!(outcome.errors.contains("policy"), "{outcome:?}");
}
