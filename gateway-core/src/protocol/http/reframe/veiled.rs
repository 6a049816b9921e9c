//! Values behind an encoding that whoever reads the answer undoes: percent-encoding in links and forms, numbers of HTML and
//! XML, escapes of scripts. Each is masked as the value that it is. Pure.

use crate::mask::{DetectedClass, Detectors, Hit};

/// A value that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it stands, and what it is.
    pub(super) hit: Hit,
    /// The value, where it stands there in another spelling.
    pub(super) plain: Option<Vec<u8>>,
}

impl Found {
    /// Writes its mask.
    pub(super) fn put(&self, detectors: &Detectors, text: &[u8], out: &mut impl bytes::BufMut) {
        let as_it_stands = text.get(self.hit.range.clone()).unwrap_or_default();
        detectors.put_hit(self.hit.class, self.plain.as_deref().unwrap_or(as_it_stands), out);
    }

    /// Its class.
    pub(super) fn class(&self) -> DetectedClass {
        self.hit.class
    }
}

/// Finds every value as it stands and behind an encoding, in order and without overlap.
pub(super) fn find(detectors: &Detectors, text: &[u8]) -> Vec<Found> {
    let mut hits = Vec::new();
    detectors.find(text, &mut hits);
    let mut found: Vec<Found> = hits.into_iter().map(|hit| Found { hit, plain: None }).collect();
    let Some(view) = View::of(text) else { return found };
    let mut behind = Vec::new();
    detectors.find(&view.plain, &mut behind);
    for hit in behind {
        let Some(range) = view.range(&hit.range) else { continue };
        let value = view.plain.get(hit.range).map(<[u8]>::to_vec);
        // What stands there in plain letters was found above; what is wider is what the reader sees.
        if found.iter().any(|one| one.hit.range.start <= range.start && one.hit.range.end >= range.end) {
            continue;
        }
        found.retain(|one| one.hit.range.end <= range.start || one.hit.range.start >= range.end);
        found.push(Found { hit: Hit { range, class: hit.class }, plain: value });
    }
    found.sort_by_key(|one| one.hit.range.start);
    found
}

/// A text as it is read, with where each of its bytes stands.
struct View {
    plain: Vec<u8>,
    places: Vec<usize>,
}

impl View {
    /// `None` where nothing in it is encoded.
    fn of(text: &[u8]) -> Option<Self> {
        memchr::memchr3(b'%', b'&', b'\\', text)?;
        let mut view = Self { plain: Vec::with_capacity(text.len()), places: Vec::with_capacity(text.len() + 1) };
        let (mut place, mut is_other) = (0, false);
        while let Some(rest) = text.get(place..).filter(|rest| !rest.is_empty()) {
            let decoded = decoded(rest);
            is_other |= decoded.is_some();
            let (byte, length) = decoded.unwrap_or((rest.first().copied().unwrap_or_default(), 1));
            view.plain.push(byte);
            view.places.push(place);
            place += length;
        }
        view.places.push(text.len());
        is_other.then_some(view)
    }

    /// Where a part of it stands in the text.
    fn range(&self, range: &std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
        Some(*self.places.get(range.start)?..*self.places.get(range.end)?)
    }
}

/// The letter that an encoding at the beginning stands for, and how long that is. Only plain letters and signs.
fn decoded(text: &[u8]) -> Option<(u8, usize)> {
    let number = |digits: Option<&[u8]>, base: u32| {
        let digits = std::str::from_utf8(digits?).ok()?;
        let plain = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(base));
        let value = u32::from_str_radix(digits, base).ok().filter(|_| plain)?;
        u8::try_from(value).ok().filter(|byte| matches!(byte, b' '..=b'~'))
    };
    match (text.first()?, text.get(1)) {
        (b'%', Some(_)) => Some((number(text.get(1..3), 16)?, 3)),
        (b'&', Some(b'#')) => {
            let end = text.iter().take(MOST_NUMBER_BYTES).position(|byte| *byte == b';')?;
            let byte = match text.get(2) {
                Some(b'x' | b'X') => number(text.get(3..end), 16),
                _ => number(text.get(2..end), 10),
            };
            Some((byte?, end + 1))
        }
        (b'&', Some(_)) => {
            let named = [(&b"&commat;"[..], b'@'), (b"&period;", b'.'), (b"&nbsp;", b' '), (b"&hyphen;", b'-')];
            named.into_iter().find(|(name, _)| text.starts_with(name)).map(|(name, byte)| (byte, name.len()))
        }
        (b'\\', Some(b'u')) => Some((number(text.get(2..6), 16)?, 6)),
        (b'\\', Some(b'x')) => Some((number(text.get(2..4), 16)?, 4)),
        (b'\\', Some(b'/')) => Some((b'/', 2)),
        _ => None,
    }
}

/// `&#x0000040;`
const MOST_NUMBER_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let detectors = Detectors::builtin();
        let (mut out, mut copied) = (Vec::new(), 0);
        for found in find(&detectors, text.as_bytes()) {
            out.extend_from_slice(&text.as_bytes()[copied..found.hit.range.start]);
            found.put(&detectors, text.as_bytes(), &mut out);
            copied = found.hit.range.end;
        }
        out.extend_from_slice(&text.as_bytes()[copied..]);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_behind_an_encoding_are_found() {
        for text in [
            "mail=jane%40example.com&a=b",
            "mail=j%61ne%40example%2Ecom",
            "<p>jane&#64;example.com</p>",
            "<p>jane&#x0040;example&period;com</p>",
            "f({\"mail\":\"jane\\u0040example.com\"})",
            "x = 'jane\\x40example.com'",
        ] {
            let masked = masked(text);
            assert!(masked.contains("j****@*****.com") && !masked.contains("ane"), "{text}: {masked}");
        }
        assert!(!masked("card=4111%201111%201111%201111").contains("4111%20"), "{}", masked("card"));
    }

    #[test]
    fn what_is_no_value_stays_as_it_is() {
        for text in ["50% of &amp; 10%2 \\u00 %", "a%40b", "100%", "&#64", "plain", "\\"] {
            assert_eq!(masked(text), text);
        }
        assert_eq!(masked("jane@example.com %20"), "j****@*****.com %20");
    }
}
