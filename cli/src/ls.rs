//! `hoop ls`: the connections I may use, what is masked for me there, and what waits for approval.

use comfy_table::Table;
use hoop_gateway_core::api::types::{ConnectionItem, MayConnect};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    api_client::Api,
    arguments::LsArguments,
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

/// Asks the gateway and prints a row for each connection.
pub(crate) async fn run(arguments: LsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut connections: Vec<ConnectionItem> = Api::new(context).await?.get("/api/v1/connections").await?;
    if !arguments.all {
        connections.retain(|connection| connection.may_connect != MayConnect::No);
    }
    context.output.list("connections", &connections, |connections| table(context, connections))?;
    if connections.is_empty() {
        context.output.say("There is no connection that you may use.");
    }
    Ok(ExitStatus::SUCCESS)
}

fn table(context: &Context, connections: &[ConnectionItem]) -> Table {
    let mut headings = vec!["name", "kind", "database", "labels", "connect", "masked", "held by"];
    // Most sites have no native listener; a column of dashes would tell nobody anything.
    let native = connections.iter().any(|connection| connection.native.is_some());
    headings.extend(native.then_some("native"));
    let mut table = context.output.new_table(&headings);
    for connection in connections {
        let labels = connection.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let held_by = connection.held_by.iter().map(ToString::to_string);
        let mut row = vec![
            printable_line(connection.name.as_str()),
            connection.kind.as_str().to_owned(),
            printable_line(&connection.database),
            listed(labels),
            may_connect(connection),
            listed(connection.masked.iter().cloned()),
            listed(held_by),
        ];
        let address = connection.native.iter().map(|at| format!("{}:{}", at.host, at.port));
        row.extend(native.then(|| listed(address)));
        table.add_row(row);
    }
    table
}

fn may_connect(connection: &ConnectionItem) -> String {
    match (connection.may_connect, connection.access_until_millis) {
        (MayConnect::Yes, Some(until)) => format!("until {}", moment(until)),
        (MayConnect::Yes, None) => "yes".to_owned(),
        (MayConnect::Approval, _) => "after approval".to_owned(),
        (MayConnect::No, _) => "no".to_owned(),
    }
}

fn moment(millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1_000)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
}

/// Words in one cell; a dash where there is none, so that columns stay apart for people who cut them.
fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "-".to_owned() } else { printable_line(&words.join(", ")) }
}
