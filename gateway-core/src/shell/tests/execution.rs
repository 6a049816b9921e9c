//! Whole texts, against what real shells run: no program is ever called that was not seen, with just these words.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use proptest::prelude::*;

use crate::shell::{
    path::Place,
    seen::Seen,
    walk,
    word::{Kind, Stdin, Word},
};

/// A folder, made once, with two programs that do nothing but note how they were called.
fn programs() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(made)
}

fn made() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hoop-execution-{}", std::process::id()));
    fs::create_dir_all(folder.join("empty")).expect("a folder");
    for name in ["a", "b"] {
        let path = folder.join(name);
        let note = "#!/bin/dash\nline=\"${0##*/}\"\nfor word; do line=\"$line\u{1f}$word\"; done\nprintf '%s\u{1e}' \"$line\" >> \"$CALLS\"\n";
        fs::write(&path, note).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can run");
    }
    folder
}

/// What a shell calls.
fn called(shell: &str, text: &str) -> BTreeSet<String> {
    let folder = programs();
    let calls = folder.join(format!("calls-{:?}", std::thread::current().id()));
    fs::write(&calls, "").expect("an empty list");
    Command::new(shell)
        .args(["-c", text])
        .current_dir(folder.join("empty"))
        .env_clear()
        .env("PATH", folder)
        .env("CALLS", &calls)
        // So that a tilde stays one.
        .env("HOME", "~")
        .stdin(Stdio::null())
        .output()
        .expect("the shell is installed");
    let list = fs::read_to_string(&calls).expect("a list of calls");
    list.split_terminator('\u{1e}').map(str::to_owned).collect()
}

/// The words of what was seen; none where there is a doubt.
fn seen(text: &str) -> Option<Vec<Vec<Word>>> {
    let mut seen = Seen::default();
    crate::shell::screen::text(text.as_bytes()).ok()?;
    walk::text(&mut seen, text, &Place::login(), &Stdin::Inherited, 0);
    let calls = std::mem::take(&mut seen.calls);
    (!seen.is_doubted()).then_some(calls)
}

/// Whether a call is one that was seen: word for word, or, where a word depends on more than the text, by its name.
fn is_seen(call: &str, seen: &[Vec<Word>]) -> bool {
    let words: Vec<&str> = call.split('\u{1f}').collect();
    seen.iter().any(|known| {
        if known.iter().all(|word| matches!(word.kind, Kind::Exact | Kind::Home)) {
            known.iter().map(|word| word.text.as_str()).eq(words.iter().copied())
        } else {
            known.first().map(|word| word.text.as_str()) == words.first().copied()
        }
    })
}

fn shell_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "a",
        "b",
        "b",
        " ",
        " ",
        " ",
        ";",
        "; ",
        " && ",
        " || ",
        "|",
        "( ",
        " )",
        "{ ",
        "; }",
        "\n",
        "$(a",
        "$(",
        ")",
        "\"",
        "'",
        "\\",
        "#",
        " #",
        "! ",
        "1",
        "\t",
        "\\\n",
        "if ",
        "; then ",
        "; else ",
        "; fi",
        "for i in ",
        "; do ",
        "; done",
        "x=1 ",
        "''",
        "\"\"",
        "$",
        "echo ",
        "'b'",
        "\"a b\"",
        "eval ",
        "command ",
        "=",
        "-",
        "{}",
        "~",
        "\\a",
        "2>&1",
        "</dev/null",
        ">/dev/null",
    ]);
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_shell_calls_what_was_not_seen(text in shell_text()) {
        let Some(seen) = seen(&text) else { return Ok(()) };
        for shell in ["/bin/bash", "/bin/dash", "/bin/zsh"] {
            let called = called(shell, &text);
            prop_assert!(called.iter().all(|call| is_seen(call, &seen)), "{shell} calls {called:?} for {text:?}, and {seen:?} was seen");
        }
    }
}

#[test]
fn calls_are_noted_at_all() {
    for text in ["a 'b c' && b; (a)\nb #x", "if a; then b; fi", "echo \"$(a b)\"; eval 'b a'"] {
        let seen = seen(text).expect("it is understood");
        let called = called("/bin/dash", text);
        assert!(called.len() >= 2 && called.iter().all(|call| is_seen(call, &seen)), "{text}: {called:?} of {seen:?}");
    }
}
