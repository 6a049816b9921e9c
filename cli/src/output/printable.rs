//! Makes text from elsewhere safe for a terminal: no escape sequence, no direction trick survives.

/// Replaces control characters, except newline and tab, and invisible direction marks by something visible.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' => character,
            '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(HIDDEN),
            '\u{7f}' => '\u{2421}',
            '\u{80}'..='\u{9f}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => HIDDEN,
            _ => character,
        })
        .collect()
}

/// The same on one line: a newline or tab is made visible, so that a field cannot pose as the next one.
pub(crate) fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "\u{240a}").replace('\t', "\u{2409}")
}

const HIDDEN: char = '\u{fffd}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_reaches_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\rc\u{9b}31m"), "a␛[2Jb␍c\u{fffd}31m");
    }

    #[test]
    fn no_text_changes_its_direction_or_hides() {
        assert_eq!(printable("DELETE \u{202e}x\u{2066}\u{200b}"), "DELETE \u{fffd}x\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_field_stays_on_its_line() {
        assert_eq!(printable_line("dba\nstatus\tapproved"), "dba␊status␉approved");
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        assert_eq!(printable("naïve\n\t日本 🦀"), "naïve\n\t日本 🦀");
    }
}
