//! Recall and precision on labelled texts (`tests/fixtures/labelled`): rules were made with the tuning half only.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;

use super::*;

const TUNING: &str = include_str!("../../../../tests/fixtures/labelled/tuning.jsonl");
const HELD_OUT: &str = include_str!("../../../../tests/fixtures/labelled/held_out.jsonl");
const WANTED: f64 = 0.97;

#[derive(Deserialize)]
struct Line {
    text: String,
    found: Vec<(String, String)>,
}

#[derive(Default)]
struct Score {
    expected: u32,
    found: u32,
    hits: u32,
    right: u32,
    misses: Vec<String>,
}

impl Score {
    fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.expected.max(1))
    }

    fn precision(&self) -> f64 {
        f64::from(self.right) / f64::from(self.hits.max(1))
    }
}

/// Secrets are one class to whoever reads the table.
fn class_name(class: &str) -> &str {
    if crate::mask::parents(class).contains(&"secret") { "secrets" } else { class }
}

/// A value counts as found when hits of its class cover all of it; a hit is right when it touches a value of its class.
fn measure(half: &str) -> BTreeMap<String, Score> {
    let detectors = Detectors::builtin();
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    let mut hits = Vec::new();
    for line in half.lines() {
        let Line { text, found } = serde_json::from_str(line).expect("a labelled line");
        detectors.find(text.as_bytes(), &mut hits);
        let mut from = 0;
        let mut places = Vec::new();
        for (class, value) in &found {
            let start =
                from + text.get(from..).and_then(|rest| rest.find(value.as_str())).expect("a value in its text");
            from = start + value.len();
            places.push((class_name(class), start..from));
        }
        for (class, place) in &places {
            let score = scores.entry((*class).to_owned()).or_default();
            score.expected += 1;
            let covers = |hit: &Hit| {
                class_name(hit.class.as_str()) == *class && hit.range.start <= place.start && hit.range.end >= place.end
            };
            if hits.iter().any(covers) {
                score.found += 1;
            } else {
                score.misses.push(format!("missed {class} in {text}"));
            }
        }
        for hit in &hits {
            let class = class_name(hit.class.as_str());
            let touches = |(other, place): &(&str, Range<usize>)| {
                *other == class && hit.range.start < place.end && place.start < hit.range.end
            };
            let score = scores.entry(class.to_owned()).or_default();
            score.hits += 1;
            if places.iter().any(touches) {
                score.right += 1;
            } else {
                score.misses.push(format!("wrong {class} `{}` in {text}", text.get(hit.range.clone()).unwrap_or("?")));
            }
        }
    }
    scores
}

fn table(scores: &BTreeMap<String, Score>) -> String {
    let mut table = String::new();
    for (class, score) in scores {
        let (recall, precision) = (score.recall(), score.precision());
        writeln!(table, "{class:<14} {:>5} values  recall {recall:.3}  precision {precision:.3}", score.expected)
            .expect("a String takes every write");
    }
    table
}

#[test]
fn labelled_values_are_found_and_look_alikes_are_left() {
    let tuning = measure(TUNING);
    eprintln!("tuning half\n{}", table(&tuning));
    for miss in tuning.values().flat_map(|score| &score.misses) {
        eprintln!("  {miss}");
    }
    let scores = measure(HELD_OUT);
    eprintln!("held-out half\n{}", table(&scores));
    assert_eq!(scores.len(), 7);
    for (class, score) in &scores {
        assert!(score.recall() >= WANTED && score.precision() >= WANTED, "{class}\n{}", table(&scores));
    }
}
