//! The values that must not arrive, in every dress in which they would still be told.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::super::harness::{Wire, cells};

/// The tagged text of the arena's first two people; found nowhere else, and long enough that halves are telling.
const SECRETS: [&str; 8] = [
    "Zeph7yrQ9mK2vXw4",
    "Nimb5usT8pL3hRt6",
    "Oric6halc9Wd1Jf2",
    "Quar7tziteB2x8Lp",
    "Mist4ralH6nB8cYq",
    "Sable3wortK7dZg9",
    "Verm8ilionP5sTk3",
    "Feld4sparN9w3Jx6",
];

/// Numbers and times, as they are written in the usual ways.
const WRITTEN: [&str; 8] =
    ["918273645", "827364519", "918,273,645", "9.18273645", "33.445566", "43.061728", "11:22:33", "21:43:05"];

/// What the typed columns hold, as their types write it.
const TYPED: [&str; 25] = [
    "7d3f2b9a-51c4",
    "c0ffee123457",
    "7d3f2b9a51c4",
    "1834-02-17",
    "09:41:53.11",
    "7083519264417",
    "67142a646a1", // the same in hexadecimal digits
    "519264417",
    "203.0.113.219",
    "3405803995", // the same as a number
    "5e:ff:56:a2",
    "5e:ff:56:ff:fe:a2",
    "83 years 5",
    "07:26:44.17",
    "8,273,645.19",
    "8273645.19",
    "70835.19264417",
    "1011001110001111",
    "73519.25",
    "zirkonquill",
    "Basaltorm93",
    "Velournixx42",
    "Kobaltry7788",
    "Ferrowick55",
    "Malachyte31",
];

/// The same as their types are sent: with the length before what is short.
const TYPED_BINARY: [&[u8]; 7] = [
    b"\x7d\x3f\x2b\x9a\x51\xc4\x4e\x8e",
    b"\0\0\x06\x71\x42\xa6\x46\xa1",
    b"\x02\x20\0\x04\xcb\0\x71\xdb",
    b"\x5e\xff\x56\xa2\xaf\x15",
    b"\0\0\0\0\x31\x50\x94\xa7",
    b"\0\0\0\x10\xb3\x8f",
    b"\x40\xf1\xf2\xf4\0\0\0\0",
];

/// What hides there, ready to be looked for.
pub(super) struct Secrets {
    needles: Vec<Vec<u8>>,
}

impl Secrets {
    /// Every dress of every secret.
    pub(super) fn new() -> Self {
        let mut needles: Vec<Vec<u8>> = WRITTEN.iter().map(|text| text.as_bytes().to_vec()).collect();
        for secret in SECRETS {
            needles.extend(dresses(secret));
        }
        for typed in TYPED {
            needles.extend([typed.as_bytes().to_vec(), hex(typed).into_bytes()]);
        }
        needles.extend(TYPED_BINARY.iter().map(|bytes| bytes.to_vec()));
        // Binary numeric: groups of four decimal digits; binary timestamps: microseconds since 2000.
        for groups in [[9_u16, 1827, 3645], [8, 2736, 4519]] {
            needles.push(groups.iter().flat_map(|group| group.to_be_bytes()).collect());
        }
        for microseconds in [instant(-25_000, 40_953_445_566), instant(-19_295, 78_185_061_728)] {
            needles.push(microseconds.to_be_bytes().to_vec());
        }
        needles.sort();
        needles.dedup();
        Self { needles }
    }

    /// A regular expression for the server, over the halves and their commonest dresses.
    pub(super) fn pattern() -> String {
        let mut parts: Vec<String> = WRITTEN.iter().map(|text| text.replace('.', "\\.")).collect();
        for secret in SECRETS {
            for half in halves(secret) {
                parts.extend([half.to_owned(), reversed(half), hex(half)]);
            }
        }
        parts.join("|")
    }

    /// The first needle in these bytes, as text.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<String> {
        let found = self.needles.iter().find(|needle| memory_find(bytes, needle));
        found.map(|needle| String::from_utf8_lossy(needle).into_owned())
    }

    /// Looks through everything that a client received: the bytes, the values of all rows strung together in both
    /// directions, and small numbers as letters.
    pub(super) fn in_wire(&self, wire: &Wire) -> Option<String> {
        let rows: Vec<Vec<Vec<u8>>> = wire
            .replies
            .iter()
            .filter(|reply| reply.tag == b'D')
            .map(|reply| cells(&reply.body).into_iter().flatten().collect())
            .collect();
        let all: Vec<u8> = rows.concat().concat();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let by_column = (0..columns).map(|column| {
            let values = rows.iter().filter_map(|row| row.get(column));
            let text: Vec<u8> = values.clone().flatten().copied().collect();
            let letters: Vec<u8> =
                values.filter_map(|value| std::str::from_utf8(value).ok()?.trim().parse().ok()).collect();
            [text, letters]
        });
        let mut strings: Vec<Vec<u8>> = by_column.flatten().collect();
        strings.push(all);
        let backwards: Vec<Vec<u8>> = strings.iter().map(|text| text.iter().rev().copied().collect()).collect();
        self.find(&wire.received)
            .or_else(|| strings.iter().chain(&backwards).find_map(|text| self.find(text)))
            .or_else(|| wire.replies.iter().find_map(|reply| self.find(&reply.body)))
    }
}

fn instant(days: i64, microseconds: i64) -> i64 {
    days * 86_400_000_000 + microseconds
}

fn halves(secret: &str) -> [&str; 2] {
    let (first, second) = secret.split_at(secret.len() / 2);
    [first, second]
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn dresses(secret: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for half in halves(secret) {
        for text in [half.to_owned(), half.to_uppercase(), half.to_lowercase()] {
            found.extend([reversed(&text), hex(&text), hex(&text).to_uppercase(), text]);
        }
        let rotated = half.chars().map(|letter| match letter {
            'a'..='m' | 'A'..='M' => char::from(u8::try_from(letter).unwrap_or(0) + 13),
            'n'..='z' | 'N'..='Z' => char::from(u8::try_from(letter).unwrap_or(0) - 13),
            other => other,
        });
        found.push(rotated.collect());
        found.push(half.chars().flat_map(|letter| [letter, ' ']).collect::<String>().trim_end().to_owned());
        found.push(half.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
        // UTF-16, and the decimal codes of its letters.
        found.push(half.chars().flat_map(|letter| ['\0', letter]).collect());
        found.push(half.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(","));
    }
    // Base64 at each of the three places in which the secret may begin, without the letters that its neighbours share.
    for before in 0..3 {
        let encoded = STANDARD.encode([&b"xx"[..before], secret.as_bytes()].concat());
        let inner = encoded.get(4..encoded.len().saturating_sub(4)).unwrap_or_default();
        found.extend(
            [inner.get(..10), inner.get(inner.len().saturating_sub(10)..)].into_iter().flatten().map(str::to_owned),
        );
    }
    found.into_iter().map(String::into_bytes).filter(|needle| needle.len() >= 7).collect()
}

fn memory_find(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(needle) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[test]
fn every_dress_of_a_secret_is_known() {
    let secrets = Secrets::new();
    for told in [
        "x Zeph7yrQ x",
        "K2VXW4 then 9MK2VXW4",
        "4wXv2Km9",
        "5a657068 5a65706837797251",
        "Z e p h 7 y r Q",
        "918273645.1",
    ] {
        assert!(secrets.find(told.as_bytes()).is_some(), "{told}");
    }
    for dressed in [&b"xZeph7yrQ9mK2vXw4"[..], b"xyZeph7yrQ9mK2vXw4", b"Zeph7yrQ9mK2vXw4 and more"] {
        assert!(secrets.find(STANDARD.encode(dressed).as_bytes()).is_some());
    }
    assert_eq!(secrets.find(b"Ze************w4 and filler7"), None);
}
