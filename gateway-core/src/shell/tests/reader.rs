//! Login shells that read a line otherwise: what they do with lines that look harmless, and that they are told apart.
//!
//! A shell that is not installed fails its test: a difference that was not seen is none.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use super::effect;
use crate::shell::{
    Effect,
    reader::{QUESTION, Reader},
};

fn asked(shell: &[&str], line: &str, folder: &Path) -> Output {
    let (program, more) = shell.split_first().expect("a shell");
    Command::new(program)
        .args(more)
        .args(["-c", line])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is not installed (install.sh --packages tests): {error}"))
}

fn reader(shell: &[&str]) -> Reader {
    let folder = tempfile::tempdir().expect("a folder");
    Reader::of(&String::from_utf8_lossy(&asked(shell, QUESTION, folder.path()).stdout))
}

#[test]
fn shells_are_known_by_how_they_read() {
    for shell in [&["sh"][..], &["dash"], &["bash"], &["bash", "--posix"], &["zsh"]] {
        assert_eq!(reader(shell), Reader::Known, "{shell:?}");
    }
    for shell in [&["tcsh"][..], &["fish"], &["zsh", "-y"], &["echo"], &["cat"], &["false"]] {
        assert_eq!(reader(shell), Reader::Other, "{shell:?}");
    }
}

#[test]
fn the_question_changes_nothing_in_any_of_them() {
    for shell in ["sh", "dash", "bash", "zsh", "tcsh", "fish"] {
        let folder = tempfile::tempdir().expect("a folder");
        asked(&[shell], QUESTION, folder.path());
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("read").flatten().map(|one| one.path()).collect();
        // What fish keeps for itself at every start.
        assert!(
            left.iter().all(|path| [".config", ".local", ".cache"].iter().any(|own| path.ends_with(own))),
            "{left:?}"
        );
    }
}

#[test]
fn only_one_whole_answer_counts() {
    for (answer, reader) in [
        ("hoop reads 2 0 \n", Reader::Known),
        ("Welcome!\r\nhoop reads 2 0 \r\n", Reader::Known),
        ("hoop reads 1 1 zsh\n", Reader::Known),
        ("", Reader::Other),
        ("hoop reads 1 0 \n", Reader::Other),
        ("hoop reads 2 1 ksh\n", Reader::Other),
        ("hoop reads 2 0 yash\n", Reader::Other),
        ("hoop reads 2 0 \nhoop reads 2 0 \n", Reader::Other),
        ("hoop reads $# $y \n", Reader::Other),
        ("% hoop reads 2 0 \n", Reader::Other),
    ] {
        assert_eq!(Reader::of(answer), reader, "{answer:?}");
    }
}

/// Lines that these shells read as more, or as something else, than sh does.
#[test]
fn what_looks_harmless_runs_where_another_shell_reads_it() {
    for (shell, line, harmless) in [
        // In fish a backslash spells letters.
        ("fish", "touch \\x6dade", false),
        // In csh it keeps nothing from its meaning between double quotes.
        ("tcsh", "echo \"\\`touch made\\`\"", true),
        // In csh `>!` is one operator.
        ("tcsh", "echo over >! made", false),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = asked(&[shell], line, folder.path());
        assert!(folder.path().join("made").exists(), "{shell} reads {line} as sh does: {output:?}");
        assert_ne!(effect(line), Effect::Unknown, "{line} is doubted whoever reads it");
        assert!(!harmless || effect(line) <= Effect::Read, "{line} is no harmless one");
        let folder = tempfile::tempdir().expect("a folder");
        asked(&["dash"], line, folder.path());
        assert!(!folder.path().join("made").exists(), "sh reads it so too: {line}");
    }
}
