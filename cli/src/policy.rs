//! `hoop policy`: checks, tests, explains and compares sites offline, as the gateway would decide, and prints the schema.
//!
//! Data goes to standard output: the problems, one after the other, or the schema. Needs no gateway and no login.

mod backtest;
mod cases;
mod format;

use std::path::Path;

use comfy_table::Table;
use hoop_gateway_core::{
    config::{Problem, Site, SiteFile},
    policy::PolicySet,
};
use serde::Serialize;

use crate::{
    arguments::{Format, PolicyArguments, PolicyCommand, SchemaOf},
    context::Context,
    failure::{ExitStatus, Failure},
    output::{Output, printable, printable_line},
};

/// Checks a site, or prints the schema.
pub(crate) async fn run(arguments: PolicyArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        PolicyCommand::Check(check) => self::check(&check.site, &context.output),
        PolicyCommand::Test(test) => cases::test(&test.site, &context.output),
        PolicyCommand::Explain(explain) => cases::explain(&explain, &context.output),
        PolicyCommand::Diff(diff) => cases::diff(&diff, &context.output),
        PolicyCommand::Fmt(fmt) => format::run(&fmt, &context.output),
        PolicyCommand::Backtest(asked) => backtest::run(&asked, context).await,
        PolicyCommand::Schema(asked) => {
            context.output.text(asked.toml.map_or_else(PolicySet::schema, |file| site_file(file).schema()))?;
            Ok(ExitStatus::SUCCESS)
        }
    }
}

const fn site_file(file: SchemaOf) -> SiteFile {
    match file {
        SchemaOf::Gateway => SiteFile::Gateway,
        SchemaOf::Connections => SiteFile::Connections,
        SchemaOf::Masking => SiteFile::Masking,
        SchemaOf::Agents => SiteFile::Agents,
        SchemaOf::Tests => SiteFile::Tests,
    }
}

/// One problem, as programs read it.
#[derive(Debug, Serialize)]
struct ProblemItem {
    file: String,
    line: usize,
    column: usize,
    message: String,
    fix: String,
}

impl From<&Problem> for ProblemItem {
    fn from(problem: &Problem) -> Self {
        Self {
            file: problem.file.display().to_string(),
            line: problem.line,
            column: problem.column,
            message: problem.message.clone(),
            fix: problem.fix.clone(),
        }
    }
}

/// Nothing wrong, as programs read it.
#[derive(Debug, Serialize)]
struct CheckItem {
    policy_version: String,
    policy_files: usize,
    connections: usize,
}

fn check(site: &Path, output: &Output) -> Result<ExitStatus, Failure> {
    match Site::load(site) {
        Ok(loaded) => {
            let item = CheckItem {
                policy_version: loaded.policies.version().to_string(),
                policy_files: loaded.sources.len(),
                connections: loaded.connections.len(),
            };
            output.value("check", &item, |item| {
                let CheckItem { policy_version, policy_files, connections } = item;
                let version: String = policy_version.chars().take(12).collect();
                format!(
                    "{} is valid: {connections} connections, {policy_files} policy files, policies {version}",
                    site.display()
                )
            })?;
            Ok(ExitStatus::SUCCESS)
        }
        Err(problems) => Err(mistaken(&problems, site, output)),
    }
}

/// A site, or every mistake in it.
fn load(site: &Path, output: &Output) -> Result<Site, Failure> {
    Site::load(site).map_err(|problems| mistaken(&problems, site, output))
}

fn mistaken(problems: &[Problem], site: &Path, output: &Output) -> Failure {
    let items: Vec<ProblemItem> = problems.iter().map(ProblemItem::from).collect();
    if let Err(failure) = print(&items, site, output) {
        return failure;
    }
    let what = match items.len() {
        1 => format!("{} has a mistake", site.display()),
        many => format!("{} has {many} mistakes", site.display()),
    };
    Failure::failed(what).next("correct what is listed, then check again")
}

fn print(items: &[ProblemItem], site: &Path, output: &Output) -> Result<(), Failure> {
    if output.format() == Format::Table {
        return items.iter().try_for_each(|item| output.text(&in_words(item, site)));
    }
    output.list("problems", items, |_| Table::new())
}

/// A problem of a site as people read it, with its place and fix.
pub(crate) fn problem_in_words(problem: &Problem, site: Option<&Path>) -> String {
    in_words(&ProblemItem::from(problem), site.unwrap_or_else(|| Path::new("")))
}

/// `site/policies/a.cedar:3:10: what is wrong`, as editors and terminals link it, and the fix below.
fn in_words(item: &ProblemItem, site: &Path) -> String {
    let file = site.join(&item.file);
    let place = match (item.line, item.column) {
        (0, _) => file.display().to_string(),
        (line, 0) => format!("{}:{line}", file.display()),
        (line, column) => format!("{}:{line}:{column}", file.display()),
    };
    format!("{}: {}\n  fix: {}", printable_line(&place), printable(&item.message), printable(&item.fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_place_as_far_as_it_is_known() {
        let item = |line, column| ProblemItem {
            file: "gateway.toml".into(),
            line,
            column,
            message: "no\u{1b}[2J".into(),
            fix: "yes".into(),
        };
        assert!(in_words(&item(3, 7), Path::new("site")).starts_with("site/gateway.toml:3:7: no"));
        assert!(in_words(&item(3, 0), Path::new("site")).starts_with("site/gateway.toml:3: no"));
        assert!(in_words(&item(0, 0), Path::new("site")).starts_with("site/gateway.toml: no"));
        assert!(!in_words(&item(0, 0), Path::new("site")).contains('\u{1b}'));
    }
}
