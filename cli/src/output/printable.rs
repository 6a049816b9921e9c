//! Makes text from elsewhere safe for a terminal: no escape sequence, no direction trick survives.

/// Replaces control characters, except newline and tab, and invisible characters by something visible.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' => character,
            '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(HIDDEN),
            '\u{7f}' => '\u{2421}',
            '\u{80}'..='\u{9f}' => HIDDEN,
            character if is_ignorable(character) => HIDDEN,
            character => character,
        })
        .collect()
}

/// The same on one line: a newline or tab is made visible, so that a field cannot pose as the next one.
pub(crate) fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "\u{240a}").replace('\t', "\u{2409}")
}

/// Whether a terminal shows this character, and does nothing else.
pub(crate) fn is_shown_as_it_is(character: char) -> bool {
    !character.is_control() && !is_ignorable(character)
}

/// What Unicode lets a screen leave out (`Default_Ignorable_Code_Point`): direction marks, joiners, fillers, selectors
/// and tags; and the separators of lines.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
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
        for hidden in ['\u{ad}', '\u{34f}', '\u{61c}', '\u{200d}', '\u{2028}', '\u{3164}', '\u{fe0f}', '\u{e0041}'] {
            assert_eq!(printable(&format!("a{hidden}b")), "a\u{fffd}b");
            assert!(!is_shown_as_it_is(hidden));
        }
    }

    #[test]
    fn a_field_stays_on_its_line() {
        assert_eq!(printable_line("dba\nstatus\tapproved"), "dba␊status␉approved");
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        assert_eq!(printable("naïve\n\t日本 🦀"), "naïve\n\t日本 🦀");
        assert!("naïve 日本 🦀".chars().all(is_shown_as_it_is));
    }
}
