//! `hoop notifications`: what webhooks, chats and mailboxes were not told, and what to do about it.
//!
//! Names and reasons come from elsewhere and pass through `printable_line`.

use comfy_table::Table;
use hoop_gateway_core::api::types::{NotificationItem, NotificationState, Notifications};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    api_client::Api,
    arguments::{NotificationsArguments, NotificationsCommand, WhichNotifications},
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

const PATH: &str = "/api/v1/notifications";

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: NotificationsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    match arguments.command {
        NotificationsCommand::Ls => list(&mut api, context).await,
        NotificationsCommand::Retry(which) => change(&mut api, &which, "retry", "is tried again", context).await,
        NotificationsCommand::Drop(which) => change(&mut api, &which, "drop", "is forgotten", context).await,
    }
}

async fn list(api: &mut Api, context: &Context) -> Result<ExitStatus, Failure> {
    let all: Notifications = api.get(PATH).await?;
    context.output.list("notifications", &all.items, |items| table(context, items))?;
    context.output.say(&format!("{} wait, {} were given up.", all.waiting, all.dead));
    Ok(ExitStatus::SUCCESS)
}

async fn change(
    api: &mut Api,
    which: &WhichNotifications,
    verb: &str,
    done: &str,
    context: &Context,
) -> Result<ExitStatus, Failure> {
    let ids = if which.dead { dead(api).await? } else { which.ids.clone() };
    if let Some(wrong) = ids.iter().find(|id| !is_id(id)) {
        return Err(Failure::usage(format!("`{}` is no notification", printable_line(wrong)))
            .next("copy an id from `hoop notifications ls`"));
    }
    for id in &ids {
        api.post::<_, ()>(&format!("{PATH}/{id}/{verb}"), &()).await?;
        context.output.say(&format!("{id} {done}"));
    }
    if ids.is_empty() {
        context.output.say("Nothing was given up.");
    }
    Ok(ExitStatus::SUCCESS)
}

async fn dead(api: &mut Api) -> Result<Vec<String>, Failure> {
    let all: Notifications = api.get(PATH).await?;
    let dead = all.items.into_iter().filter(|item| item.state == NotificationState::Dead);
    Ok(dead.map(|item| item.id).collect())
}

/// It becomes part of a path.
fn is_id(text: &str) -> bool {
    text.starts_with("msg_") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn table(context: &Context, items: &[NotificationItem]) -> Table {
    let mut table =
        context.output.new_table(&["id", "state", "receiver", "event", "about", "attempts", "next", "last failure"]);
    for item in items {
        let receiver = item.recipient.as_ref().map_or(item.receiver.clone(), |to| format!("{}: {to}", item.receiver));
        let (state, next) = match item.state {
            NotificationState::Waiting => ("waiting", moment(item.due_at_millis)),
            NotificationState::Dead => ("given up", "-".to_owned()),
        };
        table.add_row([
            printable_line(&item.id),
            state.to_owned(),
            printable_line(&receiver),
            printable_line(&item.event),
            printable_line(&item.about),
            item.attempts.to_string(),
            next,
            printable_line(item.error.as_deref().unwrap_or("-")),
        ]);
    }
    table
}

fn moment(millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1_000)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_leads_elsewhere() {
        assert!(is_id("msg_0123456789abcdef"));
        for text in ["", "msg", "apr_0", "msg_../approvals", "msg_a/b", "msg_a?b", "msg_%2e"] {
            assert!(!is_id(text), "{text}");
        }
    }
}
