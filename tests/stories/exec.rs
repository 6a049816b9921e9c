//! `hoop exec`: a command with tunnels of its own, the variables that lead to them, and an end that leaves nothing behind.

use std::{fs, path::PathBuf, process::Command, time::Instant};

use nix::sys::signal::Signal;

use super::harness::{
    Cluster, Database, Gateway, Outcome, PATIENCE, Person, Program, Psql, Site, Stream, Tmux, Tunnel,
};

struct Stage {
    database: Database,
    _gateway: Gateway,
    alice: Person,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let site = Site::new(&database);
    site.edit(
        "connections.toml",
        "labels =",
        "env = { SHOP_DSN = \"dsn://{host}:{port}/{database}?run={run}\" }\nlabels =",
    );
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    Stage { database, _gateway: gateway, alice }
}

impl Stage {
    /// `hoop exec -c pg-prod ARGUMENTS`, in a folder of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let all: Vec<&str> = ["exec", "-c", "pg-prod"].iter().chain(arguments).copied().collect();
        let mut command = self.alice.command(&all);
        command.current_dir(self.folder());
        command
    }

    fn folder(&self) -> PathBuf {
        let folder = self.alice.home().join("project");
        fs::create_dir_all(&folder).expect("made");
        folder
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Program::run(&mut self.command(arguments), "")
    }

    fn shell(&self, script: &str) -> Outcome {
        self.run(&["--", "sh", "-c", script])
    }

    fn sessions(&self) -> String {
        self.database
            .value("select count(*) from pg_stat_activity where datname = current_database() and usename = 'hoop_app'")
    }
}

/// Waits until there is no such process.
fn gone(process: i32) {
    let deadline = Instant::now() + PATIENCE;
    let lives = || {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        !status.is_empty() && !status.contains("State:\tZ")
    };
    while lives() {
        assert!(Instant::now() < deadline, "process {process} lives on");
        std::thread::yield_now();
    }
}

fn number(program: &mut Program, name: &str) -> i32 {
    program.expect(name, |stream, line| {
        let (said, number) = line.split_once(' ')?;
        (stream == Stream::Output && said == name).then(|| number.trim().parse().expect("a number"))
    })
}

#[test]
fn psql_finds_its_tunnel_by_itself() {
    let stage = stage();
    let outcome = stage.run(&["--", "psql", "-X", "-A", "-t", "-c", "select count(*) from customers"]);
    assert_eq!(outcome.success(), stage.database.value("select count(*) from customers") + "\n");
    let masked = stage.run(&["--", "psql", "-X", "-A", "-t", "-c", "select email from customers order by id limit 1"]);
    let email = stage.database.value("select email from customers order by id limit 1");
    assert!(!masked.success().contains(&email), "what is masked for alice is masked for her run");
}

#[test]
fn the_tunnels_of_a_run_may_be_sockets() {
    let stage = stage();
    let script = "ls -ld $PGHOST | cut -c1-10; echo $PGHOST; psql -X -A -t -c 'select 41 + 1'; \
                  psql -X -A -t \"$DATABASE_URL\" -c 'select 42 + 1'";
    let outcome = stage.run(&["--socket", "--", "sh", "-c", script]).success();
    let lines: Vec<&str> = outcome.lines().collect();
    assert!(lines.len() == 4 && lines[0] == "drwx------" && lines[1].starts_with('/'), "{outcome}");
    assert_eq!(lines[2..], ["42", "43"], "{outcome}");
    assert!(!std::path::Path::new(lines[1]).exists(), "it is gone with the run");
    let refused = stage.run(&["--socket", "--jail", "--", "true"]);
    assert!(refused.code() == 2 && refused.errors.contains("there outside of it too"), "{refused:?}");
}

#[test]
fn a_refused_statement_is_an_error_of_the_command_like_any_other() {
    let stage = stage();
    let outcome = stage.run(&["--", "psql", "-X", "-c", "drop table orders"]);
    assert_eq!(outcome.code(), 1, "psql's own status: {outcome:?}");
    assert!(outcome.errors.contains("neither dropped nor emptied"), "{outcome:?}");
}

#[test]
fn the_environment_leads_to_the_tunnels_and_names_the_run() {
    let stage = stage();
    let output = stage.shell("env").success();
    let value = |name: &str| {
        let mut lines = output.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no {name}: {output}")).1.to_owned()
    };
    let port = value("PGPORT");
    assert_eq!((value("PGHOST").as_str(), value("PGUSER").as_str()), ("127.0.0.1", "alice"));
    assert_eq!(value("DATABASE_URL"), format!("postgresql://alice:hoop@127.0.0.1:{port}/{}", stage.database.name));
    assert_eq!(value("HOOP_PG_PROD_URL"), value("DATABASE_URL"));
    assert!(value("HOOP_RUN_ID").starts_with("run_"));
    assert_eq!(value("TRACEPARENT").len(), 55);
    assert_eq!(
        value("SHOP_DSN"),
        format!("dsn://127.0.0.1:{port}/{}?run={}", stage.database.name, value("HOOP_RUN_ID"))
    );
    for (name, _) in output.lines().filter_map(|line| line.split_once('=')) {
        assert!(!name.starts_with("HOOP_") || ["HOOP_RUN_ID", "HOOP_PG_PROD_URL"].contains(&name), "{name} came along");
    }
}

#[test]
fn variables_that_look_like_credentials_are_withheld_and_named() {
    let stage = stage();
    let secrets =
        [("GITHUB_TOKEN", "ghp_story"), ("AWS_SECRET_ACCESS_KEY", "story"), ("MIRROR", "https://u:story@mirror/")];
    let with = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().copied().chain(["--", "env"]).collect();
        Program::run(stage.command(&all).envs(secrets).env("EDITOR", "vi"), "")
    };
    let outcome = with(&[]);
    assert!(outcome.errors.contains("AWS_SECRET_ACCESS_KEY GITHUB_TOKEN MIRROR"), "{outcome:?}");
    assert!(!outcome.errors.contains("story@") && !outcome.output.contains("story"), "{outcome:?}");
    assert!(outcome.success().contains("EDITOR=vi"));
    let kept = with(&["--keep", "GITHUB_TOKEN"]);
    assert!(!kept.errors.contains("GITHUB_TOKEN"), "{kept:?}");
    assert!(kept.success().contains("GITHUB_TOKEN=ghp_story"));
}

#[test]
fn leaves_with_the_commands_status_or_its_signal() {
    let stage = stage();
    assert_eq!(stage.shell("exit 7").code(), 7);
    assert_eq!(stage.shell("kill -TERM $$").code(), 128 + 15);
    assert_eq!(stage.shell("kill -KILL $$").code(), 128 + 9);
    let missing = stage.run(&["--", "no-such-program-anywhere"]);
    assert_eq!(missing.code(), 127, "{missing:?}");
    assert!(missing.errors.contains("no-such-program-anywhere"), "{missing:?}");
    assert_eq!(stage.run(&["--", "/etc/passwd"]).code(), 126);
}

#[test]
fn standard_input_and_output_are_the_commands() {
    let stage = stage();
    let outcome = Program::run(&mut stage.command(&["--", "tr", "a-z", "A-Z"]), "through\n");
    assert_eq!(outcome.success(), "THROUGH\n");
}

#[test]
fn signals_are_passed_on() {
    let stage = stage();
    let script = "trap 'echo heard term; exit 9' TERM; trap 'echo heard usr1' USR1; trap 'echo heard int' INT; echo ready; \
                  while :; do read -r _ || :; done";
    let mut program = Program::start(&mut stage.command(&["--", "bash", "-c", script]));
    program.expect_line("ready");
    for (signal, said) in
        [(Signal::SIGUSR1, "heard usr1"), (Signal::SIGINT, "heard int"), (Signal::SIGTERM, "heard term")]
    {
        program.signal(signal);
        program.expect_line(said);
    }
    assert_eq!(program.finish().code(), 9);
}

#[test]
fn ctrl_c_at_a_terminal_reaches_the_command_once() {
    let stage = stage();
    let script =
        "trap 'n=$((n+1)); echo interrupted $n times' INT; echo ready; while read -r line; do echo \"got $line\"; done";
    let screen = Tmux::start(&stage.command(&["--", "bash", "-c", script]), (100, 20));
    screen.expect("ready");
    screen.press(&["C-c"]);
    screen.expect("interrupted 1 times");
    screen.line("typed");
    let shown = screen.expect("got typed");
    assert!(!shown.contains("interrupted 2 times"), "{shown}");
    screen.press(&["C-d"]);
    screen.expect("status");
}

#[test]
fn a_stopped_run_goes_on_where_it_was() {
    let stage = stage();
    let script = "echo ready; while read -r line; do echo \"got $line\"; done";
    let screen = Tmux::start(&stage.command(&["--", "bash", "-c", script]), (100, 20));
    screen.expect("ready");
    screen.press(&["C-z"]);
    screen.expect("Stopped");
    screen.line("fg");
    screen.wait_for("that it goes on", |screen| {
        screen.lines().last().is_some_and(|line| !line.contains('$')) || screen.contains("/run\n")
    });
    screen.line("typed");
    screen.expect("got typed");
    screen.press(&["C-d"]);
    screen.expect("status");
}

#[test]
fn what_the_command_leaves_running_ends_with_it() {
    let stage = stage();
    let script = "sleep 1000 & echo plain $!; (setsid sh -c 'echo apart $$; exec sleep 1000' &) ; read -r _";
    let mut program = Program::start(&mut stage.command(&["--", "bash", "-c", script]));
    let left = [number(&mut program, "plain"), number(&mut program, "apart")];
    program.close_input();
    assert_eq!(program.finish().code(), 1, "read met the end of the input");
    left.into_iter().for_each(gone);
}

#[test]
fn a_killed_hoop_exec_leaves_nothing_behind() {
    let stage = stage();
    let script = "echo command $$; sleep 1000 & echo plain $!; (setsid sh -c 'echo apart $$; exec sleep 1000' &) ; \
                  exec psql -X -q";
    for jail in ["--no-jail", "--jail"] {
        let mut program = Program::start(&mut stage.command(&[jail, "--", "bash", "-c", script]));
        let inside: Vec<i32> = ["command", "plain", "apart"].iter().map(|name| number(&mut program, name)).collect();
        program.write(&format!("select 'in {jail}';\n"));
        stage.database.logged_times(&format!("select 'in {jail}'"), 1);
        // A jail counts its processes anew; from outside they are found by their descent.
        let all = descendants(program.pid());
        assert!(jail == "--jail" || inside.iter().all(|process| all.contains(process)), "{inside:?} in {all:?}");
        assert!(all.len() >= 4, "{all:?}");
        program.signal(Signal::SIGKILL);
        all.into_iter().for_each(gone);
        stage.database.direct().run(NOBODY_IS_LEFT).success();
        assert_eq!(stage.sessions(), "0");
    }
}

/// What runs at the server ends too, silent as it is: a stream that is gone is noticed at once, and what runs is cancelled.
#[test]
fn a_statement_that_runs_ends_with_its_killed_run() {
    let stage = stage();
    for (jail, seconds) in [("--no-jail", 1001), ("--jail", 1002)] {
        let mut program = Program::start(&mut stage.command(&[jail, "--", "psql", "-X", "-q"]));
        program.write(&format!("select pg_sleep({seconds});\n"));
        stage.database.logged_times(&format!("select pg_sleep({seconds})"), 1);
        program.signal(Signal::SIGKILL);
        stage.database.direct().run(NOBODY_IS_LEFT).success();
        assert_eq!(stage.sessions(), "0");
    }
}

#[test]
fn a_killed_keeper_takes_its_command_with_it() {
    let stage = stage();
    let script = "sleep 1000 & echo plain $!; (setsid sh -c 'echo apart $$; exec sleep 1000' &) ; sleep 1000";
    let mut program = Program::start(&mut stage.command(&["--", "bash", "-c", script]));
    let left = [number(&mut program, "plain"), number(&mut program, "apart")];
    let keeper = descendants(program.pid()).into_iter().next().expect("a keeper");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(keeper), Signal::SIGKILL).expect("ours");
    let outcome = program.finish();
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(outcome.errors.contains("keeper is gone"), "{outcome:?}");
    left.into_iter().for_each(gone);
}

/// Waits, in the server, for the last session of the gateway to go.
const NOBODY_IS_LEFT: &str = "do $$ begin while exists (select from pg_stat_activity where datname = current_database() and \
    usename = 'hoop_app') loop perform pg_sleep(0.02); perform pg_stat_clear_snapshot(); end loop; end $$";

fn descendants(of: i32) -> Vec<i32> {
    let children = |process: i32| {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        let lists = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
        lists
            .flat_map(|list| {
                list.split_whitespace().map(|child| child.parse().expect("a number")).collect::<Vec<i32>>()
            })
            .collect::<Vec<_>>()
    };
    let mut found = children(of);
    let mut seen = 0;
    while let Some(process) = found.get(seen).copied() {
        found.extend(children(process));
        seen += 1;
    }
    found
}

#[test]
fn a_run_may_use_its_own_tunnels_and_nobody_elses() {
    let stage = stage();
    let mut tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let elsewhere = format!("psql -X -A -t -p {} -c 'select 42'", tunnel.port);
    // Also when whoever started it is gone: an orphan stays below its run.
    let orphan =
        format!("(setsid sh -c \"{elsewhere}; touch tried\" &) ; until [ -e tried ]; do sleep 0.1; done; exit 1");
    for script in [elsewhere, orphan] {
        let outcome = stage.shell(&script);
        assert_ne!(outcome.code(), 0, "{outcome:?}");
        assert!(!outcome.output.contains("42"), "{outcome:?}");
        tunnel.program().expect_line("belongs to a run");
    }
    assert_eq!(tunnel.rows("select 'mine'"), "mine\n", "whoever is in no run still uses it");
}

#[test]
fn nobody_outside_uses_a_runs_tunnels() {
    let stage = stage();
    let mut program = Program::start(&mut stage.command(&[
        "--",
        "sh",
        "-c",
        "echo port $PGPORT; psql -X -A -t -c 'select 41 + 1'; read -r _",
    ]));
    let port = u16::try_from(number(&mut program, "port")).expect("a port");
    program.expect_line("42");
    let outside = Psql::new("127.0.0.1", port, "alice", &stage.database.name).with(&["-c", "select 'stolen'"]).run("");
    assert_ne!(outside.code(), 0, "{outside:?}");
    program.expect_line("does not belong to this run");
    // Nor does another run of the same person.
    let other = stage.shell(&format!("psql -X -A -t -p {port} -c \"select 'stolen'\""));
    assert_ne!(other.code(), 0, "{other:?}");
    program.expect_line("refused");
    assert_eq!(stage.database.value("select count(*) from pg_stat_activity where query ~ 'stole[n]'"), "0");
    program.close_input();
    program.finish();
}

#[test]
fn what_makes_no_sense_is_said_before_a_run_begins() {
    let stage = stage();
    assert_eq!(stage.run(&["-c", "pg-prod", "--", "true"]).code(), 2, "named twice");
    assert_eq!(stage.run(&["--label", "team", "--", "true"]).code(), 2);
    assert_eq!(stage.run(&["--jail", "--no-jail", "--", "true"]).code(), 2);
    let unknown = Program::run(
        stage.alice.command(&["exec", "-c", "nowhere", "--", "touch", "made"]).current_dir(stage.folder()),
        "",
    );
    assert_ne!(unknown.code(), 0);
    assert!(unknown.errors.contains("no such connection") && !stage.folder().join("made").exists(), "{unknown:?}");
}
