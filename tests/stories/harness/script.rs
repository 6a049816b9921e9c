//! Case files: what a client does, one line a step, and what may not come of it. How each step is written stands in
//! `tests/fixtures/evasions/README.md`.

use std::{fs, path::Path};

use super::wire::{End, Wire, frame, query};

/// One case of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    /// The class: the file's first line.
    pub(crate) class: String,
    /// Who does it.
    pub(crate) who: String,
    pub(crate) name: String,
    /// Words about the case: `never`, `keeps`, `setup`, `nodirect`, …
    pub(crate) words: Vec<(String, String)>,
    /// The steps in order.
    pub(crate) steps: Vec<String>,
}

impl Case {
    /// Every value of a word.
    pub(crate) fn word<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.words.iter().filter(move |(word, _)| word == name).map(|(_, value)| value.as_str())
    }
}

const WORDS: [&str; 7] = ["never", "keeps", "loses", "setup", "nodirect", "shape", "masked"];

/// Reads every case file of a folder of fixtures.
pub(crate) fn cases(folder: &str) -> Vec<Case> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures")).join(folder);
    let mut paths: Vec<_> =
        fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    // What is known to fail waits in files that only `CASES_PENDING` brings in.
    let pending = std::env::var_os("CASES_PENDING").is_some();
    paths.retain(|path| {
        path.extension().is_some_and(|extension| extension == "cases" || (pending && extension == "pending"))
    });
    paths.sort();
    paths.iter().flat_map(|path| parse(&fs::read_to_string(path).expect("UTF-8"))).collect()
}

/// Reads one file: `# class: …`, then `- who | name | text`, or steps on indented lines below `- who | name`.
pub(crate) fn parse(text: &str) -> Vec<Case> {
    let mut class = String::new();
    let mut found: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# class: ") {
            title.trim().clone_into(&mut class);
        } else if let Some(head) = line.strip_prefix("- ") {
            let mut parts = head.splitn(3, '|').map(str::trim);
            let mut part = || parts.next().unwrap_or_default().to_owned();
            let (who, name, text) = (part(), part(), part());
            let steps = if text.is_empty() { Vec::new() } else { vec![format!("Q {text}")] };
            found.push(Case { class: class.clone(), who, name, words: Vec::new(), steps });
        } else if let Some(step) = line.strip_prefix("  ").map(str::trim_end).filter(|step| !step.trim().is_empty()) {
            let case = found.last_mut().unwrap_or_else(|| panic!("a step before any case: {line}"));
            let (word, rest) = step.trim_start().split_once(' ').unwrap_or((step.trim_start(), ""));
            if WORDS.contains(&word) {
                case.words.push((word.to_owned(), rest.to_owned()));
            } else {
                case.steps.push(step.trim_start().to_owned());
            }
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "not a line of a case file: {line}");
        }
    }
    found
}

/// What a script needs from its world: connections, and somebody who reviews.
pub(crate) trait Stage {
    /// A new connection of the same client, on which nothing was said.
    fn connect(&mut self) -> Wire;
    /// Approves or denies what is held.
    fn review(&mut self, request: &str, approve: bool);
}

/// What came of a case.
pub(crate) struct Played {
    pub(crate) wires: Vec<Wire>,
    /// How each step that waited ended.
    pub(crate) ends: Vec<End>,
}

/// Plays the steps. A step after which the session is gone, held or stuck ends the case.
pub(crate) fn play(case: &Case, stage: &mut dyn Stage) -> Played {
    let mut played = Played { wires: Vec::new(), ends: Vec::new() };
    let mut started = [false; 3];
    for step in &case.steps {
        let (which, step) = match step.split_once(' ') {
            Some(("2", rest)) => (1, rest),
            Some(("3", rest)) => (2, rest),
            _ => (0, step.as_str()),
        };
        while played.wires.len() <= which {
            played.wires.push(stage.connect());
        }
        let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
        let wire = played.wires.get_mut(which).expect("opened");
        let begun = started.get_mut(which).expect("few");
        let mut end = None;
        if word == "start" || !(*begun || matches!(word, "raw")) {
            let parameters: Vec<(&str, &str)> = if word == "start" {
                rest.split('¦').filter_map(|pair| pair.split_once('=')).collect()
            } else {
                Vec::new()
            };
            end = Some(wire.start(&parameters));
        }
        *begun = true;
        if word != "start" && end.as_ref().is_none_or(|end| *end == End::Reached) {
            end = step_of(wire, word, rest);
        }
        if let Some(End::Held(id)) = &end
            && matches!(word, "approve" | "deny")
        {
            stage.review(id, word == "approve");
            wire.reviewed(id);
            end = Some(wire.until(b'Z'));
        }
        let over = end.as_ref().is_some_and(|end| *end != End::Reached);
        played.ends.extend(end);
        if over {
            break;
        }
    }
    played
}

/// Plays the steps of a case on a connection that has begun; gives how each waiting ended.
pub(crate) fn play_on(case: &Case, wire: &mut Wire, stage: &mut dyn Stage) -> Vec<End> {
    let mut ends = Vec::new();
    for step in &case.steps {
        let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
        ends.extend(step_of(wire, word, rest));
        if let Some(End::Held(id)) = ends.last() {
            stage.review(id, false);
        }
        if ends.last().is_some_and(|end| *end != End::Reached) {
            break;
        }
    }
    ends
}

/// One step; gives how its waiting ended where it waits.
fn step_of(wire: &mut Wire, word: &str, rest: &str) -> Option<End> {
    let parts: Vec<&str> = rest.split('|').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    wire.expects(match word {
        "Q" | "q" | "S" | "s" | "F" => 1,
        // Nobody knows what raw bytes ask for.
        "x" | "raw" => 100,
        _ => 0,
    });
    match word {
        "Q" | "q" => wire.send(&query(&unescaped_text(rest))),
        "P" => {
            let (head, text) = rest.split_once('|').expect("P name|text");
            let (name, types) = head.split_once(':').unwrap_or((head, ""));
            let types: Vec<u32> = types.split(',').filter_map(|oid| oid.trim().parse().ok()).collect();
            let mut body = [name.trim(), "\0", &unescaped_text(text.trim()), "\0"].concat().into_bytes();
            body.extend(u16::try_from(types.len()).expect("few").to_be_bytes());
            body.extend(types.iter().flat_map(|oid| oid.to_be_bytes()));
            wire.send(&frame(b'P', &body));
        }
        "B" => wire.send(&bind(&parts)),
        "E" => {
            let mut body = [part(0).trim(), "\0"].concat().into_bytes();
            body.extend(part(1).trim().parse::<u32>().unwrap_or(0).to_be_bytes());
            wire.send(&frame(b'E', &body));
        }
        "D" | "C" => {
            let (kind, name) = rest.split_once('|').expect("D S|name");
            let tag = *word.as_bytes().first().expect("a letter");
            wire.send(&frame(tag, [kind, name, "\0"].concat().as_bytes()));
        }
        "S" | "s" => wire.send(&frame(b'S', b"")),
        "H" => wire.send(&frame(b'H', b"")),
        "d" => wire.send(&frame(b'd', &unescaped(rest))),
        "c" => wire.send(&frame(b'c', b"")),
        "f" => wire.send(&frame(b'f', [rest, "\0"].concat().as_bytes())),
        "x" => wire.send(&unescaped(rest)),
        "raw" => wire.send(&started(&unescaped(rest))),
        "F" => wire.send(&function_call(&parts)),
        "W" | "approve" | "deny" => {}
        _ => panic!("no such step: {word} {rest}"),
    }
    match word {
        "Q" | "S" | "approve" | "deny" => Some(wire.until(b'Z')),
        // What was refused needs no second end: the script goes on as a client does that reads what there is.
        "W" if wire.is_answered() => None,
        "W" => Some(wire.until(rest.bytes().next().unwrap_or(b'Z'))),
        _ => None,
    }
}

/// `portal|statement|result format|parameters…`, parameters as text; `\N` is NULL, `0x…` is binary.
fn bind(parts: &[&str]) -> Vec<u8> {
    let part = |index: usize| parts.get(index).copied().unwrap_or_default().trim();
    let parameters = parts.get(3..).unwrap_or_default();
    let mut body = [part(0), "\0", part(1), "\0"].concat().into_bytes();
    let count = u16::try_from(parameters.len()).expect("few").to_be_bytes();
    body.extend(count);
    for parameter in parameters {
        body.extend([0, u8::from(parameter.starts_with("0x"))]);
    }
    body.extend(count);
    for parameter in parameters {
        let value = match parameter.strip_prefix("0x") {
            Some(digits) => digits.as_bytes().chunks(2).map(hex).collect(),
            None => unescaped(parameter),
        };
        if *parameter == "\\N" {
            body.extend((-1_i32).to_be_bytes());
        } else {
            body.extend(u32::try_from(value.len()).expect("small").to_be_bytes());
            body.extend(value);
        }
    }
    body.extend([0, 1, 0, part(2).parse().unwrap_or(0)]);
    frame(b'B', &body)
}

/// Puts the length of a start-up packet where `@STARTUP@` stands for it.
fn started(bytes: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"@STARTUP@";
    let Some(at) = bytes.windows(MARK.len()).position(|window| window == MARK) else { return bytes.to_vec() };
    let (before, after) = bytes.split_at(at);
    let packet = after.get(MARK.len()..).unwrap_or_default();
    // The version is four bytes; then come names and values, up to an empty name.
    let end = packet.windows(2).skip(4).position(|pair| pair == b"\0\0").expect("an end") + 4 + 2;
    let length = (u32::try_from(end).expect("small") + 4).to_be_bytes();
    [before, &length, packet].concat()
}

/// `oid|arguments…`, as text.
fn function_call(parts: &[&str]) -> Vec<u8> {
    let oid: u32 = parts.first().and_then(|oid| oid.trim().parse().ok()).expect("an oid");
    let arguments = parts.get(1..).unwrap_or_default();
    let mut body = oid.to_be_bytes().to_vec();
    body.extend([0, 0]);
    body.extend(u16::try_from(arguments.len()).expect("few").to_be_bytes());
    for argument in arguments {
        body.extend(u32::try_from(argument.len()).expect("small").to_be_bytes());
        body.extend(argument.bytes());
    }
    body.extend([0, 0]);
    frame(b'F', &body)
}

fn hex(digits: &[u8]) -> u8 {
    let digits = std::str::from_utf8(digits).expect("hexadecimal");
    u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("not hexadecimal: {digits}"))
}

/// Text in which `⏎` stands for a line's end.
fn unescaped_text(text: &str) -> String {
    text.replace('⏎', "\n")
}

/// Bytes written as text with `\n`, `\t`, `\\` and `\xNN`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = (*first == b'\\').then(|| after.split_first()).flatten();
        let byte = match escaped {
            Some((b'x', next)) if next.len() >= 2 => {
                let (digits, next) = next.split_at(2);
                rest = next;
                hex(digits)
            }
            Some((letter @ (b'n' | b't' | b'\\'), next)) => {
                rest = next;
                match letter {
                    b'n' => b'\n',
                    b't' => b'\t',
                    other => *other,
                }
            }
            _ => *first,
        };
        out.push(byte);
    }
    out
}
