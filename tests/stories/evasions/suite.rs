//! The case files of `tests/fixtures/evasions`: kept off by the gateway, harmful without it, many, and all different.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::harness::{Case, End, cases},
    arena::{Verdict, Way, at_the_server, through_the_gateway},
};

fn told(verdicts: &[&Verdict]) -> String {
    let line = |verdict: &&Verdict| {
        let Verdict { case, harm, seen, ends } = verdict;
        format!(
            "[{}] {}\n    {}\n    {harm:?}\n    {ends:?} {seen}\n",
            case.class,
            case.name,
            case.steps.join("\n    ")
        )
    };
    verdicts.iter().map(line).collect()
}

fn nothing_is_harmed(way: Way) {
    let (verdicts, told_elsewhere) = through_the_gateway(3, way);
    let stuck = |verdict: &Verdict| verdict.ends.contains(&End::Stuck);
    let broken: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.harm.is_empty() || stuck(verdict)).collect();
    assert!(broken.is_empty(), "{} of {} cases:\n{}", broken.len(), verdicts.len(), told(&broken));
    assert!(told_elsewhere.is_empty(), "{told_elsewhere:#?}");
    // Whoever does not get in harms nobody, which would show nothing.
    let outside: Vec<&Verdict> = verdicts
        .iter()
        .filter(|verdict| {
            ["C28P01", "reaches the database", "too many logins"].iter().any(|kept| verdict.seen.contains(kept))
        })
        .collect();
    assert!(outside.is_empty(), "{}", told(&outside));
}

#[test]
fn no_case_does_its_harm_through_the_gateway() {
    nothing_is_harmed(Way::Tunnel);
}

#[test]
fn no_case_does_its_harm_at_the_native_listener() {
    nothing_is_harmed(Way::Native);
}

#[test]
fn every_case_does_its_harm_without_the_gateway() {
    let verdicts = at_the_server(3);
    let harmless: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.harm.is_empty()).collect();
    assert!(harmless.is_empty(), "{} of {} cases show nothing:\n{}", harmless.len(), verdicts.len(), told(&harmless));
}

#[test]
fn there_are_fifteen_classes_of_ten_cases_and_no_two_differ_only_in_names() {
    let cases = cases("evasions");
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &cases {
        *classes.entry(&case.class).or_default() += 1;
    }
    for (class, count) in &classes {
        println!("{count:4} {class}");
    }
    println!("{:4} cases in {} classes", cases.len(), classes.len());
    let mut forms: BTreeMap<String, &Case> = BTreeMap::new();
    let mut twins = Vec::new();
    for case in &cases {
        if let Some(other) = forms.insert(form(case), case) {
            twins.push(format!("{} and {}", other.name, case.name));
        }
    }
    assert!(twins.is_empty(), "these differ only in names and constants:\n{}", twins.join("\n"));
    let small: Vec<_> = classes.iter().filter(|(_, count)| **count < 10).collect();
    assert!(classes.len() >= 15 && small.is_empty(), "too few: {small:?}");
}

/// A case without the names that somebody chose and without constants: what is left is the trick.
///
/// Words that the server itself gives a meaning stay (keywords, its functions, settings, types and relations), also
/// inside of strings, which may be code.
fn form(case: &Case) -> String {
    let known = known_words();
    case.steps.iter().map(|step| format!("{}\n", normal(step, &known))).collect::<String>() + &case.who
}

fn normal(step: &str, known: &BTreeSet<&str>) -> String {
    let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
    if matches!(word, "x" | "raw" | "start") {
        return step.to_owned();
    }
    let mut out = format!("{word} ");
    let mut name = String::new();
    for letter in rest.chars().chain([' ']) {
        if letter.is_alphanumeric() || letter == '_' {
            name.extend(letter.to_lowercase());
            continue;
        }
        if !name.is_empty() {
            out.push_str(if known.contains(name.as_str()) { &name } else { "·" });
            name.clear();
        }
        if !letter.is_whitespace() {
            out.push(letter);
        }
    }
    out.replace("·,·", "·").replace("'·'", "·").replace("·.·", "·")
}

/// One a line: written by `select proname from pg_proc union …` on a fresh PostgreSQL 15.
fn known_words() -> BTreeSet<&'static str> {
    include_str!("../../fixtures/evasions/server_words.txt").lines().collect()
}
