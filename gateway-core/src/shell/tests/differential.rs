//! Words as they are read here, against what real shells make of the same bytes.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use crate::shell::{
    path::Place,
    seen::Seen,
    walk,
    word::{Kind, Stdin, Word},
};

/// Shells that must agree; one that is not installed fails the test, for a comparison that did not happen is none.
const SHELLS: [&str; 3] = ["/bin/bash", "/bin/dash", "/bin/zsh"];

/// The words of `x text`, where every byte of it is understood to be exactly them.
fn ours(text: &str) -> Option<Vec<String>> {
    let mut seen = Seen::default();
    let line = format!("x {text}");
    walk::text(&mut seen, &line, &Place::login(), &Stdin::Inherited, 0);
    let calls = std::mem::take(&mut seen.calls);
    let [words] = calls.as_slice() else { return None };
    let all: Option<Vec<String>> =
        words.iter().skip(1).map(Word::literal).map(|word| word.map(str::to_owned)).collect();
    let homes = words.iter().any(|word| word.kind != Kind::Exact || word.text.starts_with("./~"));
    all.filter(|_| !seen.is_doubted() && !homes)
}

/// What a shell passes on; it finds no program, no file and no variable.
fn theirs(shell: &str, text: &str) -> Option<Vec<String>> {
    let script = format!("printf '%s\\0' _ {text}");
    let folder = std::env::temp_dir().join("hoop-empty");
    std::fs::create_dir_all(&folder).expect("an empty folder");
    let output = Command::new(shell)
        .arg("-c")
        .arg(&script)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .expect("the shell is installed");
    let text = String::from_utf8(output.stdout).ok()?;
    let words: Vec<String> = text.split_terminator('\0').skip(1).map(str::to_owned).collect();
    output.status.success().then_some(words)
}

fn agree(text: &str) -> Result<bool, TestCaseError> {
    let Some(words) = ours(text) else { return Ok(false) };
    for shell in SHELLS {
        let read = theirs(shell, text);
        prop_assert_eq!(Some(&words), read.as_ref(), "{} reads {:?} differently", shell, text);
    }
    Ok(true)
}

/// A word built of pieces that are quoted in every way.
fn literal_word() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9_./,:@%+-]{1,6}",
        "[ -&(-~]{0,8}".prop_map(|text| format!("'{text}'")),
        "[ !#%-\\[\\]^_a-~]{0,8}".prop_map(|text| format!("\"{text}\"")),
        "[ -~]".prop_map(|one| format!("\\{one}")),
        Just("\\\n".to_owned()),
        Just("\"\\\"\\$\\\\\\`\"".to_owned()),
        "[é→λ]{1,3}",
    ];
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn words_of_every_quoting_are_read_as_shells_read_them(words in prop::collection::vec(literal_word(), 1..6)) {
        agree(&words.join(" "))?;
    }

    // No operator and no substitution can arise from these letters, so that nothing can run.
    #[test]
    fn any_jumble_of_quotes_is_read_alike_or_not_at_all(text in "[ab1 \t\n'\"\\\\#$*?~=!{}\\[\\]^,.-]{0,24}") {
        agree(&text)?;
    }
}

#[test]
fn most_literal_words_are_compared_and_not_passed_over() {
    for text in
        ["a 'b c' \"d e\" f\\ g", "'' \"\" x", "a#b # c", "\"\\$x \\\\ \\a\"", "a\\\nb", "'$x'`true`"].iter().take(5)
    {
        assert!(agree(text).expect("the same words"), "{text}");
    }
    assert!(ours("$x").is_none() && ours("`x`").is_none() && ours("a\nb").is_none());
}
