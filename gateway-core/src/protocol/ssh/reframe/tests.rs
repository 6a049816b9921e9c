//! What is printed is masked, whatever stands between the letters of a value and however it is split.

use proptest::prelude::*;

use super::*;
use crate::mask::{DetectedClass, MaskFunction};

const CARD: &str = "4111 1111 1111 1111";
const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\r\nMIIEpAIBAAKCAQEA7Zr1xW9JQ0\r\nq8yT3nQ1p0c5Lw2bXvR6mZk4HsUe\r\n-----END RSA PRIVATE KEY-----";

fn builtin() -> Arc<Detectors> {
    let redacted = |all: Detectors, class| all.with(class, MaskFunction::Redact);
    Arc::new(DetectedClass::ALL.into_iter().fold(Detectors::none(), redacted))
}

fn outputs() -> [Output; 2] {
    [Output::new(&builtin()), Output::terminal(&builtin(), 80)]
}

fn pieces(mut output: Output, bytes: &[u8], cuts: &[usize]) -> String {
    let (mut out, mut from) = (Vec::new(), 0);
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        let cut = cut.clamp(from, bytes.len());
        out.extend_from_slice(&output.chunk(Bytes::copy_from_slice(&bytes[from..cut])).unwrap());
        from = cut;
    }
    out.extend_from_slice(&output.end(true).0);
    String::from_utf8(out).unwrap()
}

fn whole(output: Output, text: &str) -> String {
    pieces(output, text.as_bytes(), &[])
}

/// What a terminal of 80 columns shows in the end.
fn screen(text: &str) -> String {
    let mut terminal = avt::Terminal::new(80, 24).unwrap();
    terminal.feed(text);
    terminal.screen().text().join("\n")
}

#[test]
fn a_value_is_hidden_whatever_stands_between_its_letters() {
    let mail = "ada@example.com";
    for text in [
        "mail \u{1b}[1;31mada@exa\u{1b}[0mmple.com\u{1b}[K done\r\n",
        "mail ada\u{1b}]0;a title\u{7}@example\u{1b}(B.com done\r\n",
        "mail ada\u{1b}]8;;https://x.test\u{1b}\\@example.com\u{1b}]8;;\u{1b}\\ done\r\n",
        "mail ada@exaX\u{8}mple.com done\r\n",
        "mail ada@exaXY\u{1b}[2Dmple.com done\r\n",
        "XXXX XXX@example.com done\rmail ada\r\n",
        "mail ada@ex\u{200b}am\u{ad}ple.com done\r\n",
        "mail ada@ex\u{7}ample\u{0}.com done\r\n",
        "mail ada@ex\u{9b}1mample.com done\r\n",
        "mail ada@exa\u{1b}[1;13Hmple.com done\r\n",
        "mail ada@exa\u{1b}[7mm\u{18}ple.com\u{1b}P1$r0m\u{1b}\\ done\r\n",
        "ada@example.com\rmail hidden again\u{1b}[K done\r\n",
        "\u{1b}]0;ada@example.com\u{7}mail done\r\n",
        "\u{1b}]0;mail ada\u{18}@example.com done\r\n",
    ] {
        for output in outputs() {
            let shown = whole(output, text);
            assert!(!shown.contains(mail) && !screen(&shown).contains(mail), "{text:?} shows {shown:?}");
            assert!(shown.contains("done"), "{text:?} loses {shown:?}");
        }
    }
    let coloured = whole(Output::new(&builtin()), "a \u{1b}[31m4111 1111\u{1b}[32m 1111 1111\u{1b}[0m b\n");
    assert!(coloured.starts_with("a \u{1b}[31m") && coloured.contains("\u{1b}[32m"), "{coloured:?}");
    assert!(coloured.ends_with("\u{1b}[0m b\n") && !coloured.contains("1111 1111 1111"), "{coloured:?}");
}

#[test]
fn a_value_over_the_edge_of_a_row_is_one_value() {
    // As readline writes it: the letter of the last column, a space, and back.
    let text = format!("{}ada@exam \rple.com done\r\n", "$ echo ".to_owned() + &"x".repeat(64) + " ");
    let shown = whole(Output::terminal(&builtin(), 80), &text);
    assert!(!shown.contains("ada@exam") && shown.contains("done"), "{shown:?}");
    let wide = whole(Output::terminal(&builtin(), 200), &text);
    assert!(wide.contains("ple.com"), "in a wider terminal it is not the edge: {wide:?}");
}

#[test]
fn a_key_is_hidden_over_its_lines_though_it_comes_slowly() {
    let mut output = Output::terminal(&builtin(), 80);
    let mut shown = Vec::new();
    for line in KEY.split_inclusive('\n').chain(["\r\n$ ls\r\n"]) {
        shown.extend_from_slice(&output.chunk(Bytes::copy_from_slice(line.as_bytes())).unwrap());
        shown.extend_from_slice(&output.flush());
    }
    let (rest, tally) = output.end(true);
    shown.extend_from_slice(&rest);
    let shown = String::from_utf8(shown).unwrap();
    assert!(!shown.contains("MIIE") && !shown.contains("q8yT") && shown.contains("$ ls"), "{shown:?}");
    assert_eq!(tally.values().sum::<u64>(), 1, "one value: {tally:?}");
}

#[test]
fn what_was_let_go_is_kept_in_mind_and_the_end_of_a_value_is_masked() {
    for (value, least) in [("ada@example.com", 2), (CARD, 1), ("AKIAIOSFODNN7EXAMPLE", 1)] {
        let (mut output, mut shown) = (Output::terminal(&builtin(), 80), Vec::new());
        for letter in format!("it is {value} indeed").bytes() {
            shown.extend_from_slice(&output.chunk(Bytes::copy_from_slice(&[letter])).unwrap());
            shown.extend_from_slice(&output.flush());
        }
        shown.extend_from_slice(&output.end(true).0);
        let shown = String::from_utf8(shown).unwrap();
        let hidden = value.len() - value.bytes().zip(shown.bytes().skip(6)).take_while(|(a, b)| a == b).count();
        assert!(!shown.contains(value) && hidden >= least && shown.ends_with(" indeed"), "{value}: {shown:?}");
    }
}

#[test]
fn somebody_who_types_sees_words_at_once_and_letters_after_a_while() {
    let mut output = Output::terminal(&builtin(), 80);
    assert_eq!(output.chunk(Bytes::from_static(b"\x1b[1mroot@vm:~# ")).unwrap(), "\x1b[1mroot@vm:~# ");
    assert!(!output.is_waiting());
    assert_eq!(output.chunk(Bytes::from_static(b"l")).unwrap(), "");
    assert!(output.is_waiting());
    assert_eq!(output.flush(), "l");
    assert_eq!(output.chunk(Bytes::from_static(b"s ")).unwrap(), "s ");
}

fn sample() -> String {
    let jwt = format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.c2lnbmF0dXJl", "QUJDRGFi".repeat(40));
    let prose = "Żółw is a word, \u{1b}[1mand the\u{1b}[0m orders of the week were 17.\r\n".repeat(4);
    format!(
        "{prose}Write to ada@\u{1b}[7mexample\u{1b}[0m.com or +1 (201) 555-0123. {prose}The card is 4111 \
         \u{1b}[4m1111 1111\u{1b}[0m 1111, her number 123-45-6789.\r\n{KEY}\r\n{prose}token {jwt} and \
         password=Tr0ub4dor&3xyz {prose}50%\r99%\rmail bob@examp\u{8}\u{8}mple.org\r\n{prose}"
    )
}

#[test]
fn a_split_at_every_byte_gives_what_the_whole_gives() {
    let text = sample();
    for make in [|| Output::new(&builtin()), || Output::terminal(&builtin(), 400)] {
        let expected = whole(make(), &text);
        for value in ["example", "555-0123", "1111", "6789", "MIIE", "eyJ", "Tr0ub", "mple.org"] {
            assert!(!expected.contains(value), "{value} is in {expected}");
        }
        let single: Vec<usize> = (0..text.len()).collect();
        assert_eq!(pieces(make(), text.as_bytes(), &single), expected, "byte by byte");
        for cut in 0..text.len() {
            assert_eq!(pieces(make(), text.as_bytes(), &[cut]), expected, "split at {cut}");
        }
    }
}

#[test]
fn a_download_is_stopped_where_a_value_is_complete() {
    let mut carried = Output::carried(&builtin());
    assert_eq!(carried.chunk(Bytes::from_static(b"plain bytes\n")).unwrap(), "plain bytes\n");
    assert_eq!(carried.chunk(Bytes::from_static(b"mail ada@exam")).unwrap(), "mail ada@exam");
    assert!(carried.chunk(Bytes::from_static(b"ple.com\n")).unwrap_err().message.contains("email"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_gives_what_the_whole_gives(mut cuts in prop::collection::vec(0_usize..3_000, 0..40)) {
        cuts.sort_unstable();
        for make in [|| Output::new(&builtin()), || Output::terminal(&builtin(), 400)] {
            prop_assert_eq!(pieces(make(), sample().as_bytes(), &cuts), whole(make(), &sample()));
        }
    }

    /// Nothing is lost and nothing is changed where nothing is found; nothing panics.
    #[test]
    fn what_holds_no_value_is_as_it_was(
        bytes in prop::collection::vec(prop_oneof![Just(0x1b_u8), Just(b'['), Just(b'\r'), Just(8), Just(b'\n'), 0_u8..=255], 0..400),
        cut in 0_usize..400,
        width in 0_usize..20,
    ) {
        for mut output in [Output::new(&builtin()), Output::terminal(&builtin(), width)] {
            let cut = cut.min(bytes.len());
            let mut out = output.chunk(Bytes::copy_from_slice(&bytes[..cut])).unwrap().to_vec();
            out.extend_from_slice(&output.flush());
            out.extend_from_slice(&output.chunk(Bytes::copy_from_slice(&bytes[cut..])).unwrap());
            let (rest, tally) = output.end(true);
            out.extend_from_slice(&rest);
            if tally.is_empty() {
                prop_assert_eq!(&out, &bytes);
            }
        }
    }
}
