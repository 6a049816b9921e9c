//! `hoop approvals reviewers`: who has how much to decide, so that a request goes where there is time for it.

use comfy_table::Table;
use hoop_gateway_core::api::types::ReviewerItem;

use crate::{
    api_client::Api,
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

/// Lists the reviewers of requests that the caller may see.
pub(super) async fn run(context: &Context) -> Result<ExitStatus, Failure> {
    let reviewers: Vec<ReviewerItem> = Api::new(context).await?.get("/api/v1/reviewers").await?;
    context.output.list("reviewers", &reviewers, |reviewers| table(context, reviewers))?;
    if reviewers.is_empty() {
        context.output.say("Nothing waits for anybody that you may see, and nobody decided anything today.");
    }
    Ok(ExitStatus::SUCCESS)
}

fn table(context: &Context, reviewers: &[ReviewerItem]) -> Table {
    let mut table = context.output.new_table(&["reviewer", "pending", "decided 24h"]);
    for reviewer in reviewers {
        table.add_row([
            printable_line(reviewer.name.as_str()),
            reviewer.pending.to_string(),
            reviewer.decided_24h.to_string(),
        ]);
    }
    table
}
