//! What holds for any bytes at all.

use proptest::prelude::*;

use crate::shell::{Effect, fuzz_understand, understand};

/// Pieces that mean something to a shell, in any order.
fn shell_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "ls",
        "cat",
        "rm",
        "sudo",
        "eval",
        "bash -c",
        "find . -exec",
        "xargs",
        "env",
        "cd /tmp",
        "x=1",
        "PATH=/x",
        " ",
        " ",
        " ",
        "\n",
        ";",
        "&&",
        "||",
        "|",
        "&",
        "(",
        ")",
        "{ ",
        "; }",
        "$(",
        "`",
        "${x}",
        "$x",
        "\"",
        "'",
        "\\",
        "<<EOF\n",
        "EOF\n",
        "<<<",
        ">",
        ">>",
        "<",
        "2>&1",
        "/etc/shadow",
        "-rf",
        "*",
        "~",
        "if ",
        "then ",
        "fi",
        "for x in ",
        "do ",
        "done",
        "[[ ",
        " ]]",
        "((",
        "))",
        "#",
        "!",
        "é",
        "\u{202e}",
        "\r",
        "\0",
        "$'a'",
        "{a,b}",
        "--",
        "=",
        "[",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_understood_or_doubted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_understand(&bytes);
    }

    #[test]
    fn any_pieces_of_shell_are_understood_or_doubted(text in shell_like()) {
        fuzz_understand(text.as_bytes());
    }

    /// Whatever stands before or behind it, a removal is never less than one.
    #[test]
    fn a_removal_is_seen_in_any_company(before in shell_like(), after in shell_like()) {
        for text in [format!("{before}\nrm -rf /srv\n{after}"), format!("rm -rf /srv; {after}"), format!("echo $(rm -rf /srv) {after}")] {
            let found = understand(text.as_bytes());
            let is_hidden = before.contains(['\'', '"', '\\', '#', '<', '$', '`']);
            prop_assert!(found.effect >= Effect::Write || is_hidden && text.starts_with(&before), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn understanding_twice_is_the_same(text in shell_like()) {
        prop_assert_eq!(understand(text.as_bytes()), understand(text.as_bytes()));
    }
}
