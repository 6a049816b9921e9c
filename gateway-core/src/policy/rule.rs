//! One policy as the gateway sees it: its name, its place, and what its annotations oblige.
//!
//! Annotations are strict: an unknown key or a bad value stops the load, so that a misspelled `@approval` never
//! turns into a plain forbid, or into nothing.

use std::{collections::BTreeMap, time::Duration};

use cedar_policy::{ActionConstraint, Effect as PolicyEffect, EntityUid, Policy};

use crate::{
    mask::MaskFunction,
    model::{Effect, GroupName, Quorum, RuleId, StepUp, Verb},
};

/// How long a request stands when the policy does not say.
const DEFAULT_EXPIRY: Duration = Duration::from_mins(15);
/// The longest that a request may stand.
const MAX_EXPIRY: Duration = Duration::from_hours(24 * 7);
/// The most reviewers that one quorum may ask for.
const MAX_QUORUM: u8 = 20;
/// The longest `@message`, in bytes.
const MAX_MESSAGE_BYTES: usize = 500;
/// Annotations that mean something.
const KEYS: [&str; 9] = ["id", "message", "approval", "expires", "mask", "window", "shape", "fresh", "acr"];
/// The shortest `@fresh`: a login takes a while, and clocks differ.
const MIN_FRESH: Duration = Duration::from_mins(1);
/// The longest `@acr`, in bytes.
const MAX_ACR_BYTES: usize = 200;

/// What a policy does when it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obligation {
    /// Permits.
    Permit,
    /// Refuses; on `reveal`, hides the whole value.
    Forbid,
    /// Holds until these quorums are met.
    Hold {
        /// Who must approve.
        quorums: Vec<Quorum>,
        /// How long the request stands.
        expires_after: Duration,
        /// The longest that an approval may open a connection for.
        window: Option<Duration>,
        /// The longest that reviewers may approve a whole shape for.
        shape: Option<Duration>,
    },
    /// Masks with this function.
    Mask(MaskFunction),
}

/// A policy's name and what it obliges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) id: RuleId,
    pub(super) message: Option<String>,
    pub(super) obligation: Obligation,
    /// How a reviewer must have authenticated: of whoever lifts this hold, or of whom this permits to approve.
    pub(super) step_up: Option<StepUp>,
}

/// What is wrong with an annotation, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnnotationProblem {
    /// The annotation, without `@`.
    pub(super) key: String,
    pub(super) message: String,
    pub(super) fix: String,
}

/// The name of a policy: its `@id`, or the one that its place gives.
pub(super) fn name(policy: &Policy, place: &str) -> Result<RuleId, AnnotationProblem> {
    let Some(id) = policy.annotation("id") else { return Ok(RuleId(place.into())) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    if id.is_empty() || id.len() > 128 || !id.bytes().all(plain) {
        return Err(problem(
            "id",
            format!("`{id}` is no rule name"),
            "use 1 to 128 letters, digits, `.`, `_`, `:`, `/`, `-`",
        ));
    }
    Ok(RuleId(id.into()))
}

/// Reads a policy's annotations; on failure every problem.
pub(super) fn read(policy: &Policy, id: RuleId) -> Result<Rule, Vec<AnnotationProblem>> {
    let annotations: BTreeMap<&str, &str> = policy.annotations().collect();
    let mut problems: Vec<_> = annotations.keys().filter(|key| !KEYS.contains(key)).map(|key| unknown(key)).collect();
    let message = annotations.get("message").and_then(|text| keep(&mut problems, message(text)));
    let obligation = keep(&mut problems, obligation(policy, &annotations));
    let step_up = keep(&mut problems, step_up(policy, &annotations)).flatten();
    let misplaced = keep(&mut problems, standing_annotations(policy, &annotations));
    let obligation = obligation.filter(|_| misplaced.is_some());
    match (obligation, problems.is_empty()) {
        (Some(obligation), true) => Ok(Rule { id, message, obligation, step_up }),
        _ => Err(problems),
    }
}

fn keep<T>(problems: &mut Vec<AnnotationProblem>, result: Result<T, AnnotationProblem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn obligation(policy: &Policy, annotations: &BTreeMap<&str, &str>) -> Result<Obligation, AnnotationProblem> {
    let forbids = policy.effect() == PolicyEffect::Forbid;
    let reveals = action_names(policy).is_some_and(|names| names.iter().all(|name| name == "reveal"));
    let expires_after = annotations.get("expires").map(|text| expiry(text)).transpose()?;
    match (annotations.get("approval"), annotations.get("mask")) {
        (Some(_), Some(_)) => Err(problem("mask", "a policy cannot both hold and mask", "write two policies")),
        (Some(_), None) if !forbids => {
            Err(problem("approval", "`@approval` stands on a permit", "put it on the forbid that reviewers may lift"))
        }
        (Some(_), None) if !holds_operations(policy) => Err(problem(
            "approval",
            "`@approval` needs an action scope that names operations",
            "say which, such as `action in Action::\"write\"`, `action == Action::\"delete\"` or `action == Action::\"connect\"`",
        )),
        (Some(text), None) => {
            let lasting = |key: &str| annotations.get(key).and_then(|text| lasting(key, text).ok());
            let (window, shape) = (lasting("window"), lasting("shape"));
            let expires_after = expires_after.unwrap_or(DEFAULT_EXPIRY);
            Ok(Obligation::Hold { quorums: quorums(text)?, expires_after, window, shape })
        }
        (None, _) if expires_after.is_some() => {
            Err(problem("expires", "`@expires` stands without `@approval`", "add `@approval(\"GROUP\")` or remove it"))
        }
        (None, Some(_)) if !(forbids && reveals) => Err(problem(
            "mask",
            "`@mask` stands on something else than a forbid of reveal",
            "write `forbid(principal, action == Action::\"reveal\", resource …)`",
        )),
        (None, Some(text)) => text.parse().map(Obligation::Mask).map_err(|_unknown| {
            let known: Vec<_> = MaskFunction::ALL.iter().map(|function| function.as_str()).collect();
            problem("mask", format!("`{text}` is no masking function"), &format!("use one of: {}", known.join(", ")))
        }),
        (None, None) => Ok(if forbids { Obligation::Forbid } else { Obligation::Permit }),
    }
}

/// `@window` stands where connecting is held, `@shape` where operations are; both are times.
fn standing_annotations(policy: &Policy, annotations: &BTreeMap<&str, &str>) -> Result<(), AnnotationProblem> {
    let connects = action_names(policy).is_some_and(|names| names.iter().all(|name| name == "connect"));
    for (key, fits, fix) in [
        ("window", connects, "put it on a forbid of `action == Action::\"connect\"` with `@approval(\"GROUP\")`"),
        ("shape", !connects, "put it on a forbid of operations with `@approval(\"GROUP\")`"),
    ] {
        let Some(text) = annotations.get(key) else { continue };
        if !fits || !annotations.contains_key("approval") {
            return Err(problem(key, format!("`@{key}` means nothing on this policy"), fix));
        }
        lasting(key, text)?;
    }
    Ok(())
}

/// How long something that reviewers open may stay open.
fn lasting(key: &str, text: &str) -> Result<Duration, AnnotationProblem> {
    expiry(text).map_err(|wrong| AnnotationProblem { key: key.to_owned(), ..wrong })
}

/// The actions that the scope names; `None` for any action.
fn action_names(policy: &Policy) -> Option<Vec<String>> {
    let text = |uid: &EntityUid| uid.id().unescaped().to_owned();
    match policy.action_constraint() {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(action) => Some(vec![text(&action)]),
        ActionConstraint::In(actions) => Some(actions.iter().map(text).collect()),
    }
}

fn holds_operations(policy: &Policy) -> bool {
    action_names(policy).is_some_and(|names| {
        names.iter().all(|name| {
            name == "connect"
                || Effect::ALL.iter().any(|effect| effect.as_str() == name)
                || Verb::ALL.iter().any(|verb| verb.as_str() == name)
        })
    })
}

/// `@fresh("15m")` and `@acr("phr")`, on what reviewers lift or on what lets them review.
fn step_up(policy: &Policy, annotations: &BTreeMap<&str, &str>) -> Result<Option<StepUp>, AnnotationProblem> {
    let (fresh, strength) = (annotations.get("fresh"), annotations.get("acr"));
    let Some(key) = fresh.map(|_| "fresh").or(strength.map(|_| "acr")) else { return Ok(None) };
    let permits = policy.effect() == PolicyEffect::Permit;
    let approves = action_names(policy).is_some_and(|names| names.iter().all(|name| name == "approve"));
    if !(annotations.contains_key("approval") || (permits && approves)) {
        return Err(problem(
            key,
            format!("`@{key}` stands where nobody reviews"),
            "put it on a forbid with `@approval`, or on `permit(principal, action == Action::\"approve\", resource …)`",
        ));
    }
    let max_age_seconds = fresh.map(|text| max_age(text)).transpose()?;
    let acr = strength.map(|text| acr(text)).transpose()?;
    Ok(Some(StepUp { max_age_seconds, acr }))
}

fn max_age(text: &str) -> Result<u32, AnnotationProblem> {
    let wrong = || problem("fresh", format!("`{text}` is no time from 1m to 7d"), "write `15m`, `4h`, `1d`");
    let age = duration(text).filter(|age| (MIN_FRESH..=MAX_EXPIRY).contains(age)).ok_or_else(wrong)?;
    u32::try_from(age.as_secs()).map_err(|_longer| wrong())
}

fn acr(text: &str) -> Result<String, AnnotationProblem> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let words = text.split(' ').all(|word| !word.is_empty());
    if !plain || !words || text.len() > MAX_ACR_BYTES {
        let fix = "write the words of the identity provider, separated by one space: `phr`, `phr phrh`";
        return Err(problem("acr", "`@acr` names no authentication context", fix));
    }
    Ok(text.to_owned())
}

/// `dba`, `2 of dba`, `2 of dba, 1 of security`.
fn quorums(text: &str) -> Result<Vec<Quorum>, AnnotationProblem> {
    let mut quorums: Vec<Quorum> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (count, group) = match part.split_once(" of ") {
            Some((count, group)) => (count.trim().parse::<u8>().ok(), group.trim()),
            None if part.ends_with(" of") => (None, part),
            None => (Some(1), part),
        };
        let wrong = |what: String| problem("approval", what, "write `dba`, `2 of dba` or `2 of dba, 1 of security`");
        let count = count
            .filter(|count| (1..=MAX_QUORUM).contains(count))
            .ok_or_else(|| wrong(format!("`{part}` asks for no number of reviewers from 1 to {MAX_QUORUM}")))?;
        let group = GroupName::new(group).map_err(|error| wrong(format!("`{part}` names no group: {error}")))?;
        if quorums.iter().any(|quorum| quorum.group == group) {
            return Err(wrong(format!("group `{group}` is named twice")));
        }
        quorums.push(Quorum { count, group });
    }
    Ok(quorums)
}

/// `90s`, `15m`, `4h`, `1d`.
fn expiry(text: &str) -> Result<Duration, AnnotationProblem> {
    let wrong = || {
        problem(
            "expires",
            format!("`{text}` is no time from 1s to 7d"),
            "write a number and a unit: `90s`, `15m`, `4h`, `1d`",
        )
    };
    duration(text).filter(|duration| !duration.is_zero() && *duration <= MAX_EXPIRY).ok_or_else(wrong)
}

/// A whole number and a unit.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match text.strip_prefix(digits)? {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

fn message(text: &str) -> Result<String, AnnotationProblem> {
    if text.trim().is_empty() || text.len() > MAX_MESSAGE_BYTES || text.chars().any(char::is_control) {
        let fix = format!("write one line of 1 to {MAX_MESSAGE_BYTES} bytes");
        return Err(problem("message", "`@message` is empty, too long or holds control characters", &fix));
    }
    Ok(text.to_owned())
}

fn unknown(key: &str) -> AnnotationProblem {
    problem(key, format!("`@{key}` means nothing here"), &format!("use one of @{}", KEYS.join(", @")))
}

fn problem(key: &str, message: impl Into<String>, fix: &str) -> AnnotationProblem {
    AnnotationProblem { key: key.to_owned(), message: message.into(), fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<Rule, Vec<AnnotationProblem>> {
        let policy = Policy::parse(None, text).map_err(|error| vec![problem("", error.to_string(), "")])?;
        read(&policy, RuleId("r".into()))
    }

    fn hold(approval: &str) -> Result<Vec<Quorum>, String> {
        let text = format!("@approval(\"{approval}\") forbid(principal, action in Action::\"write\", resource);");
        match rule(&text).map_err(|problems| problems[0].message.clone())?.obligation {
            Obligation::Hold { quorums, .. } => Ok(quorums),
            other @ (Obligation::Permit | Obligation::Forbid | Obligation::Mask(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_one_group_a_count_and_several_groups() {
        assert_eq!(hold("dba").unwrap()[0].to_string(), "1 of dba");
        assert_eq!(hold("2 of dba").unwrap()[0].to_string(), "2 of dba");
        let both: Vec<_> = hold("2 of dba, 1 of security").unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(both, ["2 of dba", "1 of security"]);
    }

    #[test]
    fn refuses_quorums_that_cannot_be_met_or_read() {
        for text in ["", "0 of dba", "two of dba", "300 of dba", "dba, dba", "dba,", "1 of "] {
            assert!(hold(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_unknown_annotations_and_misplaced_ones() {
        for text in [
            "@aproval(\"dba\") forbid(principal, action in Action::\"write\", resource);",
            "@approval(\"dba\") permit(principal, action in Action::\"write\", resource);",
            "@approval(\"dba\") forbid(principal, action, resource);",
            "@approval(\"dba\") forbid(principal, action == Action::\"approve\", resource);",
            "@expires(\"5m\") forbid(principal, action, resource);",
            "@mask(\"last4\") forbid(principal, action, resource);",
            "@mask(\"last4\") permit(principal, action == Action::\"reveal\", resource);",
            "@mask(\"blur\") forbid(principal, action == Action::\"reveal\", resource);",
            "@message(\"\") forbid(principal, action, resource);",
            "@fresh(\"15m\") forbid(principal, action == Action::\"delete\", resource);",
            "@fresh(\"15m\") permit(principal, action == Action::\"delete\", resource);",
            "@fresh(\"15m\") permit(principal, action, resource);",
            "@fresh(\"30s\") permit(principal, action == Action::\"approve\", resource);",
            "@fresh(\"8d\") permit(principal, action == Action::\"approve\", resource);",
            "@fresh(\"\") permit(principal, action == Action::\"approve\", resource);",
            "@acr(\"\") permit(principal, action == Action::\"approve\", resource);",
            "@acr(\"a  b\") permit(principal, action == Action::\"approve\", resource);",
            "@acr(\"phr\") forbid(principal, action == Action::\"approve\", resource);",
            "@window(\"1h\") forbid(principal, action == Action::\"connect\", resource);",
            "@approval(\"dba\") @window(\"1h\") forbid(principal, action in Action::\"write\", resource);",
            "@approval(\"dba\") @shape(\"1h\") forbid(principal, action == Action::\"connect\", resource);",
            "@approval(\"dba\") @shape(\"soon\") forbid(principal, action in Action::\"write\", resource);",
        ] {
            assert_eq!(rule(text).map_err(|problems| problems.len()), Err(1), "{text}");
        }
    }

    #[test]
    fn reads_what_reviewers_must_have_proved() {
        let demand = |text: &str| rule(text).unwrap().step_up.map(|demand| (demand.max_age_seconds, demand.acr));
        let hold = "@approval(\"dba\") @fresh(\"15m\") forbid(principal, action == Action::\"delete\", resource);";
        assert_eq!(demand(hold), Some((Some(900), None)));
        let permit = "@acr(\"phr phrh\") @fresh(\"1d\") permit(principal, action == Action::\"approve\", resource);";
        assert_eq!(demand(permit), Some((Some(86_400), Some("phr phrh".into()))));
        assert_eq!(demand("permit(principal, action, resource);"), None);
    }

    #[test]
    fn reads_times_and_refuses_foreign_units() {
        assert_eq!(expiry("90s").unwrap().as_secs(), 90);
        assert_eq!(expiry("1d").unwrap().as_secs(), 86_400);
        for text in ["", "15", "m", "15 m", "0s", "8d", "-1m", "99999999999999999999d", "5m5"] {
            assert!(expiry(text).is_err(), "{text}");
        }
    }
}
