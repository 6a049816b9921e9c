//! Lines are read as they stand on the screen, prompts are told apart, and nothing that is not shown comes out.

use proptest::prelude::*;

use super::*;

const PROMPT: &str = "\u{1b}[01;32mroot@vm\u{1b}[00m:\u{1b}[01;34m~\u{1b}[00m# ";

fn reader(shown: &str) -> LineReader {
    let mut reader = LineReader::new(80, 24);
    reader.output(shown.as_bytes());
    reader
}

/// Types keys, which the machine answers with that, and reads.
fn line(before: &str, keys: &str, answer: &str) -> Reading {
    let mut reader = reader(before);
    assert_eq!(reader.typed(keys.as_bytes()), (keys.len(), None), "no Enter in {keys:?}");
    reader.output(answer.as_bytes());
    reader.read()
}

fn lines(texts: &[&str]) -> Reading {
    Reading::Lines(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[test]
fn a_line_is_what_stands_behind_the_prompt() {
    assert_eq!(line(PROMPT, "ls -la", "ls -la"), lines(&["ls -la"]));
    assert_eq!(line(PROMPT, "ls  'a  b' ", "ls  'a  b' "), lines(&["ls  'a  b'"]));
    assert_eq!(line(PROMPT, "\u{1b}[A", "systemctl stop x"), lines(&["systemctl stop x"]), "from the history");
    assert_eq!(line(PROMPT, "cat /etc/sh\t", "cat /etc/shadow "), lines(&["cat /etc/shadow"]), "completed");
    assert_eq!(line(PROMPT, "lsX\u{7f}", "lsX\u{8} \u{8}"), lines(&["ls"]), "typed over");
    let emptied = "ls\u{8}\u{8}\u{1b}[Krm x";
    assert_eq!(line(PROMPT, "ls\u{15}rm x", emptied), lines(&["rm x"]), "emptied and typed anew");
    let redrawn = format!("ls\u{1b}[H\u{1b}[2J{PROMPT}ls -l");
    assert_eq!(line(PROMPT, "ls\u{c} -l", &redrawn), lines(&["ls -l"]), "on a cleared screen");
    assert_eq!(line(PROMPT, "", ""), Reading::Empty);
    assert_eq!(line(PROMPT, "rm -rf x", ""), Reading::Hidden, "stty -echo");
    assert_eq!(line("", "id", "id"), lines(&["id"]), "no prompt at all");
    assert_eq!(line("$ ", "ls", "ls -l /old"), lines(&["ls -l /old", "ls"]), "a suggestion: either may run");
    assert_eq!(line("$ ", "ls", "ls                    [12:00]"), lines(&["ls"]), "a prompt at the right");
    assert_eq!(line("$ ", "rm -rf /srv", "rm -r"), lines(&["rm -r", "rm -rf /srv"]), "not all of it is shown yet");
    assert_eq!(line("", "id", "\r\nroot@vm:~# id"), lines(&["id"]), "typed ahead of the prompt");
    let searched = line(PROMPT, "\u{12}stop", "\r\u{1b}[K(reverse-i-search)`stop': systemctl stop x");
    assert_eq!(searched, lines(&["systemctl stop x"]));
}

#[test]
fn a_line_over_several_rows_is_one_and_a_pasted_text_is_many() {
    let long = format!("echo {}", "x".repeat(200));
    assert_eq!(line(PROMPT, &long, &long), lines(&[&long]));
    let mut reader = reader(&format!("\u{1b}[?2004h{PROMPT}"));
    assert_eq!(reader.typed(b"\x1b[200~id\nrm -rf /srv\x1b[201~"), (26, None), "one text, until Enter");
    reader.output(b"\x1b[7mid\r\nrm -rf /srv\x1b[27m");
    assert_eq!(reader.read(), lines(&["id\nrm -rf /srv"]));
    assert_eq!(reader.typed(b"\r"), (0, Some(b'\r')));
    let mut plain = LineReader::new(80, 24);
    plain.output(PROMPT.as_bytes());
    assert_eq!(plain.typed(b"\x1b[200~id\nid"), (8, Some(b'\n')), "a mark that nobody asked for hides no Enter");
}

#[test]
fn every_key_that_runs_a_line_is_seen() {
    for keys in ["id\r", "id\n", "id\u{f}", "id\u{1b}\r", "id\u{1b}[\r"] {
        let (before, enter) = reader(PROMPT).typed(keys.as_bytes());
        assert!(enter.is_some() && before == keys.len() - 1, "{keys:?}: {before} {enter:?}");
    }
}

#[test]
fn programs_that_ask_are_not_shells() {
    for asked in [
        "[sudo] password for ada: ",
        "Continue? [Y/n] ",
        ">>> ",
        "... ",
        "postgres=# ",
        "postgres=> ",
        "db-# ",
        "mysql> ",
    ] {
        assert_eq!(line(asked, "drop it", "drop it"), Reading::Foreign, "{asked}");
        assert_eq!(line(asked, "secret", ""), Reading::Foreign, "{asked}, without an echo");
    }
    let mut editor = reader(&format!("{PROMPT}vi\r\n\u{1b}[?1049h~ root# "));
    assert_eq!(editor.typed(b":!rm x\r"), (7, None));
    assert_eq!(editor.read(), Reading::Foreign);
    editor.output(b"\x1b[?1049l");
    editor.output(PROMPT.as_bytes());
    assert_eq!(editor.typed(b"id\r"), (2, Some(b'\r')), "back in the shell");
}

#[test]
fn where_the_shell_marks_its_prompt_the_line_begins_there() {
    let marked = "\u{1b}]133;A\u{7}any words at all: \u{1b}]133;B\u{7}";
    assert_eq!(line(marked, "id", "id"), lines(&["id"]));
    assert_eq!(line(&format!("{marked}id\r\n\u{1b}]133;C\u{7}Sure? "), "y", "y"), Reading::Foreign);
}

#[test]
fn what_is_typed_after_an_interrupt_or_an_enter_is_another_line() {
    let mut reader = reader("$ ");
    let _line = reader.typed(b"rm -rf x\x03");
    reader.output(b"rm -rf x^C\r\n$ ");
    assert_eq!(reader.typed(b"id\r"), (2, Some(b'\r')));
    reader.output(b"id");
    assert!(reader.shows_all());
    assert_eq!(reader.read(), lines(&["id"]));
    reader.entered();
    reader.output(b"\r\nuid=0\r\n$ ");
    assert_eq!(reader.typed(b"w\r"), (1, Some(b'\r')));
    reader.output(b"w");
    assert_eq!(reader.read(), lines(&["w"]));
    assert_eq!(reader.prompt(), "$ ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any bytes from both sides: nothing panics, what is kept is bounded, and the screen is not lost.
    #[test]
    fn any_bytes_are_read(
        steps in prop::collection::vec((any::<bool>(), prop::collection::vec(prop_oneof![
            Just(0x1b_u8), Just(b'['), Just(b']'), Just(b';'), Just(b'?'), Just(b'h'), Just(b'J'), Just(b'\r'), 0_u8..=255
        ], 0..120), 0_u32..700), 0..30),
    ) {
        let mut reader = LineReader::new(7, 3);
        for (from_machine, bytes, width) in steps {
            if from_machine {
                reader.output(&bytes);
            } else {
                let (before, enter) = reader.typed(&bytes);
                prop_assert!(before <= bytes.len() && (enter.is_some() || before == bytes.len()));
                if let Reading::Lines(lines) = reader.read() {
                    prop_assert!(!lines.is_empty() && lines.iter().all(|line| line.len() <= 2 * MOST_LINE + 4096));
                }
                reader.entered();
            }
            if width > 600 {
                reader.resize(width, width);
            }
            prop_assert!(reader.screen.is_some() && reader.rest.len() < 4);
        }
    }
}
