//! `hoop classify`: tags proposed for the columns of a connection, as lines for `masking.toml`.
//!
//! The gateway samples and answers with counts; no value comes here.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use hoop_gateway_core::api::types::{ClassifyAnswer, ProposedTag};
use indicatif::ProgressBar;

use crate::{
    api_client::Api,
    arguments::ClassifyArguments,
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

/// Asks the gateway for a sample and prints what it proposes.
pub(crate) async fn run(arguments: ClassifyArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let name = arguments.name;
    let mut api = Api::new(context).await?;
    let spinner = ProgressBar::new_spinner().with_message(format!("sampling the tables of {name}"));
    spinner.enable_steady_tick(Duration::from_millis(120));
    let answer: Result<ClassifyAnswer, Failure> = api.post(&format!("/api/v1/connections/{name}/classify"), &()).await;
    spinner.finish_and_clear();
    let answer = answer?;
    context.output.value("classification", &answer, fragment)?;
    let skipped = match answer.skipped {
        0 => String::new(),
        some => format!(", {some} could not be read"),
    };
    context.output.say(&format!(
        "{} tables sampled{skipped}; {} columns seem to need a tag. Add the lines to masking.toml after a look at them.",
        answer.tables,
        answer.proposals.len()
    ));
    Ok(ExitStatus::SUCCESS)
}

/// Added lines of a unified diff: one `[[column]]` a tag, each column with what speaks for it.
fn fragment(answer: &ClassifyAnswer) -> String {
    let mut tags: BTreeMap<&str, Vec<&ProposedTag>> = BTreeMap::new();
    for proposal in &answer.proposals {
        tags.entry(&proposal.tag).or_default().push(proposal);
    }
    let mut lines = Vec::new();
    for (tag, columns) in tags {
        lines.push("[[column]]".to_owned());
        lines.push(format!("connection = {}", quoted(answer.connection.as_str())));
        lines.push("columns = [".to_owned());
        for column in columns {
            let place = format!("{}.{}.{}", column.schema, column.table, column.column);
            lines.push(format!("    {}, # {}", quoted(&place), why(column)));
        }
        lines.push("]".to_owned());
        lines.push(format!("tag = {}", quoted(tag)));
        lines.push(String::new());
    }
    let mut diff = String::from("--- masking.toml\n+++ masking.toml\n");
    if lines.is_empty() {
        return "# nothing to add".to_owned();
    }
    // A String takes every write.
    let _written: Result<(), _> = writeln!(diff, "@@ -0,0 +1,{} @@", lines.len());
    diff.extend(lines.iter().map(|line| format!("+{line}\n")));
    diff.trim_end_matches('\n').to_owned()
}

fn why(column: &ProposedTag) -> String {
    let named = if column.by_name { ", and its name says so" } else { "" };
    match (column.found, column.sampled) {
        (0, _) => "its name says so".to_owned(),
        (found, sampled) => format!("found in {found} of {sampled} values{named}"),
    }
}

/// A TOML string. Names of columns come from the database, so they may hold anything.
fn quoted(text: &str) -> String {
    format!("\"{}\"", printable_line(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_are_lines_that_masking_toml_takes() {
        let proposal = |column: &str, tag: &str, found| ProposedTag {
            schema: "public".into(),
            table: "customers".into(),
            column: column.into(),
            tag: tag.into(),
            found,
            sampled: 9,
            by_name: found == 0,
        };
        let proposals = vec![proposal("email", "email", 9), proposal("e\"2", "email", 5), proposal("ssn", "us_ssn", 0)];
        let answer = ClassifyAnswer { connection: "pg-prod".parse().unwrap(), tables: 1, skipped: 0, proposals };
        let diff = fragment(&answer);
        let lines: Vec<&str> = diff.lines().skip(3).map(|line| line.strip_prefix('+').unwrap()).collect();
        let added = lines.join("\n");
        assert!(added.contains("\"public.customers.email\", # found in 9 of 9 values"), "{added}");
        assert!(added.contains("\"public.customers.ssn\", # its name says so"), "{added}");
        assert!(added.contains("public.customers.e\\\"2"), "{added}");
        assert_eq!(added.matches("[[column]]").count(), 2);
    }
}
