//! From a byte offset to the line and column that people see, and the nearest known word to a misspelled one.

/// Line and column (in characters), both from 1, of a byte offset; offsets past the end are the end.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.char_indices().take_while(|(at, _)| *at < offset).map(|(_, letter)| letter);
    before.fold((1, 1), |(line, column), letter| if letter == '\n' { (line + 1, 1) } else { (line, column + 1) })
}

/// The known word that `word` most likely meant, when one is near enough.
pub(crate) fn nearest<'known>(word: &str, known: impl IntoIterator<Item = &'known str>) -> Option<&'known str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance over characters, with an early end for long words.
fn distance(left: &str, right: &str) -> usize {
    const LONGEST: usize = 64;
    if left.len() > LONGEST || right.len() > LONGEST {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (above, letter) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut last = above + 1;
        let mut next = vec![last];
        for (other, up) in right.chars().zip(row.iter().skip(1)) {
            last = (diagonal + usize::from(letter != other)).min(last + 1).min(up + 1);
            diagonal = *up;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_not_bytes() {
        assert_eq!(line_and_column("añ\nxy", 0), (1, 1));
        assert_eq!(line_and_column("añ\nxy", 3), (1, 3));
        assert_eq!(line_and_column("añ\nxy", 5), (2, 2));
        assert_eq!(line_and_column("a", 99), (1, 2));
    }

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(nearest("upstreem", ["upstream", "database"]), Some("upstream"));
        assert_eq!(nearest("lables", ["labels", "name"]), Some("labels"));
        assert_eq!(nearest("zebra", ["labels", "name"]), None);
    }
}
