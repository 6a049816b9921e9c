//! From the text of `*.cedar` files to a validated set: every problem with its place, or nothing.
//!
//! Called by [`super::PolicySet::load`]. Splits the policies into the hard set (permits and plain forbids) and the
//! liftable set (forbids that reviewers may lift, with a permit-all), as DESIGN §4 says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use cedar_policy::{Policy, PolicyId, PolicySet as CedarSet, ValidationMode, ValidationWarning, Validator};
use miette::Diagnostic;

use super::{
    PolicySource, PolicyVersion, TagNames, context_use, name_use, names,
    rule::{self, AnnotationProblem, Obligation, Rule},
    schema::Vocabulary,
};
use crate::{
    config::{Problem, place::line_and_column},
    model::RuleId,
};

/// The policies that are part of every site.
const BUILT_IN: &str = include_str!("builtin.cedar");
/// The longest policy file, in bytes.
const MAX_SOURCE_BYTES: usize = 1 << 20;
/// The most policies in a site.
const MAX_POLICIES: usize = 10_000;
/// What only the planner knows. For `has_where` it is asked only about predicates that the text does not show trivial.
const ESTIMATED: &[&str] = &["estimated_rows", "export"];
/// The fix where the validator knows none.
const NO_FIX: &str = "compare with `hoop policy schema`";
/// The name of the permit that the liftable set needs to say anything but no.
const PERMIT_ALL: &str = "hoop:permit-all";

/// What a load makes.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) version: PolicyVersion,
    pub(super) vocabulary: Vocabulary,
    pub(super) hard: CedarSet,
    pub(super) liftable: CedarSet,
    /// Whether some policy is liftable: without one there is nothing to ask the liftable set.
    pub(super) lifts: bool,
    pub(super) rules: BTreeMap<PolicyId, Arc<Rule>>,
    pub(super) reads_time: bool,
    pub(super) reads_usage: bool,
    pub(super) reads_estimates: bool,
    pub(super) reads_has_where: bool,
    pub(super) reads_names: bool,
    pub(super) reads_requests: bool,
}

/// A policy with where it came from.
struct Placed<'source> {
    source: &'source PolicySource,
    offset: usize,
    policy: Policy,
}

pub(super) fn load(sources: &[PolicySource], tags: &TagNames) -> Result<Loaded, Vec<Problem>> {
    let vocabulary = Vocabulary::parse().map_err(|error| vec![ours(error.to_string())])?;
    let built_in = PolicySource { path: PathBuf::from("built-in.cedar"), text: BUILT_IN.to_owned() };
    let mut ordered: Vec<&PolicySource> = sources.iter().chain([&built_in]).collect();
    ordered.sort_by(|left, right| left.path.cmp(&right.path));
    let mut problems = Vec::new();
    let placed: Vec<Placed<'_>> = ordered.iter().flat_map(|source| parse(source, &mut problems)).collect();
    if placed.len() > MAX_POLICIES {
        problems.push(ours(format!("more than {MAX_POLICIES} policies")));
    }
    let named = name_all(placed, &mut problems);
    let mut rules = BTreeMap::new();
    for (id, placed) in &named {
        names::check(placed.source, &placed.policy, placed.offset, tags, &mut problems);
        match rule::read(&placed.policy, super::rule_id(id)) {
            Ok(rule) => drop(rules.insert(id.clone(), Arc::new(rule))),
            Err(wrong) => problems.extend(wrong.iter().map(|wrong| annotation(placed, wrong))),
        }
    }
    validate(&vocabulary, &named, &mut problems);
    if !problems.is_empty() {
        return Err(tidy(problems));
    }
    let reads = |attributes: &[&str]| named.values().any(|placed| context_use::reads(&placed.policy, attributes));
    let (reads_time, reads_estimates, reads_has_where) = (reads(&["time"]), reads(ESTIMATED), reads(&["has_where"]));
    let reads_requests = reads(&["request"]);
    let reads_usage = reads(&["usage"]);
    let reads_names = named.values().any(|placed| name_use::reads_names(&placed.policy));
    let (hard, liftable) = split(named, &rules).map_err(|message| vec![ours(message)])?;
    let lifts = rules.values().any(|rule| matches!(rule.obligation, Obligation::Hold { .. }));
    let version = version(&ordered, tags);
    Ok(Loaded {
        version,
        vocabulary,
        hard,
        liftable,
        lifts,
        rules,
        reads_time,
        reads_usage,
        reads_estimates,
        reads_has_where,
        reads_names,
        reads_requests,
    })
}

impl Loaded {
    /// The text of each policy of the site by its name; what every site has is left out.
    pub(super) fn texts(&self) -> BTreeMap<RuleId, String> {
        let all = self.hard.policies().chain(self.liftable.policies());
        let named = all.map(|policy| (super::rule_id(policy.id()), policy.to_string()));
        named.filter(|(id, _)| !id.0.starts_with("hoop:")).collect()
    }
}

fn parse<'source>(source: &'source PolicySource, problems: &mut Vec<Problem>) -> Vec<Placed<'source>> {
    if source.text.len() > MAX_SOURCE_BYTES {
        problems.push(at(source, None, format!("longer than {MAX_SOURCE_BYTES} bytes"), "split the file".into()));
        return Vec::new();
    }
    let set: CedarSet = match source.text.parse() {
        Ok(set) => set,
        Err(errors) => {
            let errors: cedar_policy::ParseErrors = errors;
            problems.extend(errors.iter().map(|error| diagnostic(source, None, error)));
            return Vec::new();
        }
    };
    for template in set.templates() {
        let message = format!("`{}` is a template; nothing links templates here", template.id());
        problems.push(at(source, None, message, "replace ?principal and ?resource by what is meant".into()));
    }
    let mut placed: Vec<_> = set
        .policies()
        .map(|policy| Placed {
            source,
            offset: policy.as_ref().loc().map_or(0, |place| place.span.offset()),
            policy: policy.clone(),
        })
        .collect();
    placed.sort_by_key(|placed| placed.offset);
    placed
}

/// In the order of the text; what is wrong for several actions at one place is told once.
fn tidy(mut problems: Vec<Problem>) -> Vec<Problem> {
    fn place(problem: &Problem) -> (&Path, usize, usize) {
        (&problem.file, problem.line, problem.column)
    }
    problems.sort_by(|left, right| place(left).cmp(&place(right)).then_with(|| left.message.cmp(&right.message)));
    problems.dedup_by(|later, first| {
        place(later) == place(first)
            && later.fix == first.fix
            && (later.fix != NO_FIX || later.message == first.message)
    });
    problems
}

/// Gives each policy its name; names are unique in the site.
fn name_all<'source>(placed: Vec<Placed<'source>>, problems: &mut Vec<Problem>) -> BTreeMap<PolicyId, Placed<'source>> {
    let mut named: BTreeMap<PolicyId, Placed<'source>> = BTreeMap::new();
    for mut each in placed {
        let (line, column) = line_and_column(&each.source.text, each.offset);
        let file = each.source.path.file_name().unwrap_or(each.source.path.as_os_str()).to_string_lossy().into_owned();
        let place = [format!("{file}:{line}"), format!("{file}:{line}:{column}")]
            .into_iter()
            .find(|place| !named.contains_key(&PolicyId::new(place)))
            .unwrap_or(file);
        let name = match rule::name(&each.policy, &place) {
            Ok(name) => name,
            Err(wrong) => {
                problems.push(annotation(&each, &wrong));
                super::rule_id(&PolicyId::new(place))
            }
        };
        let id = PolicyId::new(&*name.0);
        if let Some(first) = named.get(&id) {
            let (line, _) = line_and_column(&first.source.text, first.offset);
            let message =
                format!("a second policy is named `{name}`; the first is {}:{line}", first.source.path.display());
            problems.push(at(each.source, Some(each.offset), message, "give it another `@id`".into()));
            continue;
        }
        each.policy = each.policy.new_id(id.clone());
        named.insert(id, each);
    }
    named
}

fn validate(vocabulary: &Vocabulary, named: &BTreeMap<PolicyId, Placed<'_>>, problems: &mut Vec<Problem>) {
    let set = match CedarSet::from_policies(named.values().map(|placed| placed.policy.clone())) {
        Ok(set) => set,
        Err(error) => return problems.push(ours(error.to_string())),
    };
    let result = Validator::new(vocabulary.schema.clone()).validate(&set, ValidationMode::Strict);
    let mut wrong = BTreeSet::new();
    for error in result.validation_errors() {
        wrong.insert(error.policy_id().clone());
        if let Some(placed) = named.get(error.policy_id()) {
            problems.push(diagnostic(placed.source, Some(placed.offset), error));
        } else {
            problems.push(ours(error.to_string()));
        }
    }
    for warning in result.validation_warnings().filter(|warning| is_mistake(warning)) {
        // A policy that is wrong can seem impossible too; one problem is enough.
        if let (Some(placed), true) = (named.get(warning.policy_id()), wrong.insert(warning.policy_id().clone())) {
            problems.push(diagnostic(placed.source, Some(placed.offset), warning));
        }
    }
}

/// Which of the validator's warnings stop a load: a policy that can never apply, and text that does not show what it is.
fn is_mistake(warning: &ValidationWarning) -> bool {
    !matches!(warning, ValidationWarning::MixedScriptString(_) | ValidationWarning::MixedScriptIdentifier(_))
}

fn split(
    named: BTreeMap<PolicyId, Placed<'_>>,
    rules: &BTreeMap<PolicyId, Arc<Rule>>,
) -> Result<(CedarSet, CedarSet), String> {
    let (lifted, firm): (Vec<_>, Vec<_>) = named
        .into_iter()
        .partition(|(id, _)| rules.get(id).is_some_and(|rule| matches!(rule.obligation, Obligation::Hold { .. })));
    let collect = |policies: Vec<(PolicyId, Placed<'_>)>| {
        CedarSet::from_policies(policies.into_iter().map(|(_, placed)| placed.policy))
            .map_err(|error| error.to_string())
    };
    let mut liftable = collect(lifted)?;
    let permit_all = Policy::parse(Some(PolicyId::new(PERMIT_ALL)), "permit(principal, action, resource);")
        .map_err(|error| error.to_string())?;
    liftable.add(permit_all).map_err(|error| error.to_string())?;
    Ok((collect(firm)?, liftable))
}

fn version(ordered: &[&PolicySource], tags: &TagNames) -> PolicyVersion {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut part = |bytes: &[u8]| {
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    };
    for source in ordered {
        part(source.path.as_os_str().as_encoded_bytes());
        part(source.text.as_bytes());
    }
    tags.0.iter().for_each(|tag| part(tag.as_bytes()));
    let mut text = String::with_capacity(64);
    for byte in context.finish().as_ref() {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('?')));
    }
    PolicyVersion(text)
}

fn annotation(placed: &Placed<'_>, wrong: &AnnotationProblem) -> Problem {
    let written = format!("@{}", wrong.key);
    let inside = placed.source.text.get(placed.offset..).and_then(|text| text.find(&written)).unwrap_or(0);
    at(placed.source, Some(placed.offset + inside), wrong.message.clone(), wrong.fix.clone())
}

fn diagnostic(source: &PolicySource, policy: Option<usize>, error: &impl Diagnostic) -> Problem {
    let label = error.labels().and_then(|mut labels| labels.next());
    let offset = label.as_ref().map(miette::LabeledSpan::offset).or(policy);
    let fix = error
        .help()
        .map(|help| help.to_string())
        .or_else(|| label.as_ref().and_then(|label| label.label()).map(str::to_owned))
        .unwrap_or_else(|| NO_FIX.to_owned());
    at(source, offset, plain(&error.to_string()), fix)
}

/// The validator's sentence without its prefix about policy ids, which the place already says.
fn plain(message: &str) -> String {
    match message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    }
}

pub(super) fn at(source: &PolicySource, offset: Option<usize>, message: String, fix: String) -> Problem {
    let (line, column) = offset.map_or((0, 0), |offset| line_and_column(&source.text, offset));
    Problem { file: source.path.clone(), line, column, message, fix }
}

fn ours(message: String) -> Problem {
    let fix = "report this as a fault of hoop".to_owned();
    Problem { file: PathBuf::from("policies"), line: 0, column: 0, message, fix }
}
