//! `hoop connections`: where the site's connections lead, and the proof that one works.

use std::time::Duration;

use comfy_table::Table;
use hoop_gateway_core::api::types::{ConfiguredConnection, ConnectionProof, ProofOutcome};
use indicatif::ProgressBar;

use crate::{
    api_client::Api,
    arguments::{ConnectionsArguments, ConnectionsCommand},
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    output::printable_line,
};

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: ConnectionsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    match arguments.command {
        ConnectionsCommand::Ls => {
            let connections: Vec<ConfiguredConnection> = api.get("/api/v1/connections/configured").await?;
            context.output.list("connections", &connections, |connections| table(context, connections))?;
            Ok(ExitStatus::SUCCESS)
        }
        ConnectionsCommand::Test(one) => test(&mut api, &one.name, context).await,
    }
}

async fn test(api: &mut Api, name: &str, context: &Context) -> Result<ExitStatus, Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Failure::usage(format!("`{}` is no name of a connection", printable_line(name))));
    }
    let spinner = ProgressBar::new_spinner().with_message(format!("testing {name}"));
    spinner.enable_steady_tick(Duration::from_millis(120));
    let proof: Result<ConnectionProof, Failure> = api.post(&format!("/api/v1/connections/{name}/test"), &()).await;
    spinner.finish_and_clear();
    let proof = proof?;
    context.output.value("connection", &proof, shown)?;
    let has_failed = proof.proofs.iter().any(|one| one.outcome == ProofOutcome::Failed);
    Ok(if has_failed { FailureKind::Failed.exit_status() } else { ExitStatus::SUCCESS })
}

/// One line a proof, and one more where something is to be done.
fn shown(proof: &ConnectionProof) -> String {
    let mut lines = Vec::new();
    for one in &proof.proofs {
        let word = match one.outcome {
            ProofOutcome::Good => "good",
            ProofOutcome::Warning => "warning",
            ProofOutcome::Failed => "failed",
            ProofOutcome::Skipped => "skipped",
        };
        lines.push(format!("{:<8} {:<11} {}", word, printable_line(&one.check), printable_line(&one.detail)));
        if let Some(next) = &one.next {
            lines.push(format!("{:20} {}", "", printable_line(next)));
        }
    }
    lines.join("\n")
}

fn table(context: &Context, connections: &[ConfiguredConnection]) -> Table {
    let mut table = context.output.new_table(&["name", "kind", "upstream", "database", "role", "credential"]);
    for one in connections {
        table.add_row([
            printable_line(one.name.as_str()),
            one.kind.as_str().to_owned(),
            printable_line(&one.upstream),
            printable_line(&one.database),
            printable_line(&one.role),
            one.credential.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use hoop_gateway_core::api::types::Proof;

    use super::*;

    #[test]
    fn every_proof_says_what_was_found_and_what_to_do() {
        let proofs = vec![
            Proof { check: "reach".into(), outcome: ProofOutcome::Good, detail: "db:5432 answers".into(), next: None },
            Proof {
                check: "privileges".into(),
                outcome: ProofOutcome::Warning,
                detail: "hoop owns 3 tables\u{1b}[2J".into(),
                next: Some("let another role own them".into()),
            },
        ];
        let text = shown(&ConnectionProof { connection: "pg-prod".parse().unwrap(), proofs });
        assert!(text.contains("good     reach") && text.contains("let another role"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
