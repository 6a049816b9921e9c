//! Which bytes may stand in a command line at all. Looks at bytes, never at meaning.

use super::outcome::Doubt;

/// The longest command line that is read.
pub const MAX_TEXT_BYTES: usize = 32 * 1024;

/// The text, when every one of its bytes is one that all shells, and the people who review it, read alike.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Doubt> {
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(Doubt("is too long to be read"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_not_utf8| Doubt("holds bytes that are no UTF-8"))?;
    match text.chars().find_map(unreadable) {
        Some(doubt) => Err(doubt),
        None => Ok(text),
    }
}

/// Why a character may not stand anywhere, not even in quotes: a shell may drop it or split at it, or a reviewer
/// cannot see it.
fn unreadable(character: char) -> Option<Doubt> {
    match character {
        '\n' | '\t' => None,
        '\0' => Some(Doubt("holds a NUL, where some shells stop reading")),
        '\r' => Some(Doubt("holds a carriage return, which hides what stands before it")),
        _ if character.is_control() => Some(Doubt("holds a control character")),
        ' ' => None,
        _ if character.is_whitespace() => Some(Doubt("holds a blank that is not a space, a tab or a newline")),
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{2800}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Some(Doubt("holds a character that cannot be seen, or turns the text around")),
        _ => None,
    }
}
