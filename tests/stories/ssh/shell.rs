//! Interactive shells on a real terminal: lines decided as they stand on the screen, masked terminals, recorded ones
//! exported and played.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{POLICY, Stage, stage_with};
use crate::stories::harness::{Person, Program, Screen, Sshd, python_command, until};

/// Lines may do what is not forbidden by name.
const LINES: &str = r#"
@id("lines-run")
permit(
  principal in Group::"engineers",
  action in [Action::"session", Action::"read", Action::"write", Action::"exec", Action::"admin", Action::"unknown"],
  resource
)
when { context.kind == "ssh_line" };

@id("no-removals")
@message("nothing is removed here")
forbid(principal, action == Action::"ssh_delete", resource);

@id("looked-at")
@approval("dba")
@expires("15m")
@message("a dba looks at what is written")
forbid(principal, action == Action::"ssh_write", resource) when { context.kind == "ssh_line" };
"#;

/// A shell of alice's on a terminal, at its prompt.
fn shell(stage: &Stage) -> Screen {
    let screen = Screen::open(&stage.ssh(&["-tt"]), 200, 50);
    // Whatever the account's own startup files make of it: one shell, one prompt.
    until("a shell asks", || screen.text().contains(['$', '#', '%']));
    screen.write("exec env -i TERM=xterm-256color PS1='story$ ' bash --norc --noprofile -i");
    screen.press(&["Enter"]);
    screen.expect(&["\nstory$"]);
    screen
}

fn session(person: &Person) -> String {
    let sessions = person.run(&["sessions", "ls", "--output", "jsonl"]).success();
    sessions.split(['"', ',']).find(|word| word.starts_with("ses_")).expect("a session").to_owned()
}

fn line(screen: &Screen, text: &str) {
    screen.write(text);
    screen.press(&["Enter"]);
}

#[test]
fn lines_of_a_shell_are_decided_as_they_stand_on_its_screen() {
    let stage = stage_with("", &format!("{POLICY}{LINES}"), "");
    let room = stage.sshd.room();
    let (kept, made) = (room.join("kept"), room.join("made"));
    fs::write(&kept, "kept\n").expect("written");
    let screen = shell(&stage);
    line(&screen, "echo fi''rst");
    screen.expect(&["\nfirst"]);
    line(&screen, &format!("rm {}", kept.display()));
    screen.expect(&["nothing is removed here", "no-removals", "advisory"]);
    line(&screen, "echo sec''ond");
    screen.expect(&["\nsecond"]);
    // The keys are not the line: it is changed before it is entered, and the cursor stands in its middle.
    screen.write(&format!("m {}", kept.display()));
    screen.press(&["C-a"]);
    line(&screen, "r");
    screen.press(&["C-l"]);
    line(&screen, "echo ed''ited");
    screen.expect(&["edited"]);
    // What is pasted is many lines; what follows one that is refused does not run.
    screen.write(&format!("echo pas''ted\rrm {}\recho behi''nd\r", kept.display()));
    screen.expect(&["\npasted", "nothing is removed here"]);
    line(&screen, "echo thi''rd");
    let shown = screen.expect(&["\nthird"]);
    assert!(!shown.contains("\nbehind"), "{shown}");
    assert!(kept.exists(), "{shown}");

    line(&screen, &format!("touch {}", made.display()));
    screen.expect(&["held: a dba looks at what is written", "Ctrl-C withdraws"]);
    screen.press(&["C-c"]);
    screen.expect(&["withdrawn; the line is not run"]);
    screen.press(&["C-l"]);
    line(&screen, &format!("touch {}", made.display()));
    let shown = screen.expect(&["held:"]);
    assert!(!made.exists(), "{shown}");
    let bob = Person::login(&stage.gateway, "bob");
    let id = shown.split_whitespace().rfind(|word| word.starts_with("apr_")).expect("an approval");
    bob.run(&["approvals", "approve", id]).success();
    until("it is written", || made.exists());

    line(&screen, "stty -echo; echo si''lent");
    screen.expect(&["\nsilent"]);
    line(&screen, "true unseen-word");
    line(&screen, "stty echo; echo lo''ud");
    screen.expect(&["\nloud"]);
    line(&screen, "read -rsp 'Password: ' answer; echo; echo tha''nks");
    screen.expect(&["Password:"]);
    line(&screen, "hunter2-unseen");
    screen.expect(&["\nthanks"]);
    line(&screen, "exit");
    screen.status();

    let recorded = stage.recorded();
    for part in
        ["ssh_line", "advisory", "no-removals", "a line that the screen does not show", "echo fi''rst", "withdrawn"]
    {
        assert!(recorded.contains(part), "{part} is not in {recorded}");
    }
    assert!(!recorded.contains("unseen"), "what the screen does not show is not recorded: {recorded}");
    played(&stage);
}

/// The recording of the shell, as an asciicast and on a terminal.
fn played(stage: &Stage) {
    let id = session(&stage.alice);
    let cast = stage.sshd.path("shell.cast");
    let path = cast.display().to_string();
    stage.alice.run(&["replay", &id, "--asciicast", &path]).success();
    let mode = fs::metadata(&cast).expect("written").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let direct = stage.alice.run(&["replay", &id, "--asciicast", "-"]).success();
    assert_eq!(direct, fs::read_to_string(&cast).expect("readable"));
    assert!(direct.starts_with('{') && direct.contains("\"o\""), "{direct}");
    let home = stage.sshd.room().display().to_string();
    let asciinema = || {
        let mut command = python_command("-m", &[("HOME", &home)]);
        command.arg("asciinema");
        command
    };
    let shown = Program::run(asciinema().args(["cat", &path]), "").success();
    assert!(shown.contains("first") && shown.contains("nothing is removed here"), "{shown}");
    let play = ["play", "--speed", "1000", "--idle-time-limit", "0.1", &path];
    let screen = Screen::open(asciinema().args(play), 120, 50);
    assert_eq!(screen.status(), 0, "{}", screen.text());
    screen.expect(&["thanks"]);
    let replayed = Screen::open(&stage.alice.command(&["replay", &id, "--speed", "1000"]), 160, 60);
    replayed.expect(&["story$", "? keys"]);
    replayed.press(&["G"]);
    replayed.expect(&["thanks"]);
    replayed.press(&["q"]);
    assert_eq!(replayed.status(), 0);
}

#[test]
fn a_terminal_is_masked_and_a_download_is_searched_where_the_site_says_so() {
    let more = "terminal = \"masked\"\ndownloads = \"scanned\"\nlines = \"passed\"\n";
    let stage = stage_with(more, POLICY, "detectors = [\"email\"]\n");
    let room = stage.sshd.room();
    let (plain, secret, back) = (room.join("plain"), room.join("secret"), room.join("back"));
    let filler = "nothing to hide in this line\n".repeat(20_000);
    fs::write(&plain, &filler).expect("written");
    fs::write(&secret, format!("{filler}mail carol@example.com\n{filler}")).expect("written");
    let screen = shell(&stage);
    line(&screen, "printf 'a=carol@%s b=er\\033[1min@exa\\033[0mmple.%s en''d\\n' example.com com");
    let shown = screen.expect(&["end"]);
    assert!(!shown.contains("carol@example.com") && !shown.contains("erin@example.com"), "{shown}");
    screen.press(&["C-l"]);
    line(&screen, "for l in d a v e @ e x a m p l e . c o m; do printf $l; done; echo ' slo''w'");
    let shown = screen.expect(&[" slow"]);
    assert!(!shown.contains("dave@example.com"), "{shown}");
    line(&screen, "exit");
    screen.status();
    let recorded = stage.recorded();
    for value in ["carol@example.com", "dave@example.com", "in@exa"] {
        assert!(!recorded.contains(&format!("={value}")), "{recorded}");
    }
    assert!(!recorded.contains("dave@example.com"), "{recorded}");

    let at = |path: &std::path::Path| format!("127.0.0.1:{}", path.display());
    for legacy in [None, Some("-O")] {
        let copy = |from: &std::path::Path| {
            let mut command = Sshd::client("scp", stage.tunnel.port);
            Program::run(command.args(legacy).args(["-q", &at(from), &back.display().to_string()]), "")
        };
        copy(&plain).success();
        assert_eq!(fs::read_to_string(&back).expect("carried"), filler, "{legacy:?}");
        fs::remove_file(&back).expect("there");
        let outcome = copy(&secret);
        assert_ne!(outcome.status.code(), Some(0), "{legacy:?}: {outcome:?}");
        assert!(outcome.errors.contains("email"), "{legacy:?}: {outcome:?}");
        let carried = fs::read_to_string(&back).unwrap_or_default();
        assert!(!carried.contains("carol@example.com"), "{legacy:?}");
    }
    let packed = stage.run(&["rsync --server --sender -vlogDtprze.iLsfxC . /etc/hostname"]);
    assert_eq!(packed.code(), 126, "{packed:?}");
    assert!(packed.errors.contains("packed"), "{packed:?}");
    let recorded = stage.recorded();
    assert!(recorded.contains("the download holds a value of the class email"), "{recorded}");
}
