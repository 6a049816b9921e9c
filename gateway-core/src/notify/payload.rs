//! A notice in the words of each receiver: a webhook's JSON, a chat's blocks, a mail's text.
//!
//! Pure. Names of people and connections come from outside: a chat must not read them as markup, nor a mail as headers.

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use super::{EventKind, Notice, Who};
use crate::model::PrincipalKind;

/// Where links lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Links(pub(super) Url);

impl Links {
    /// The page that says how to review a request, or where to look at a session.
    fn page(&self, notice: &Notice) -> String {
        let path = match &notice.request {
            Some(asked) => format!("approvals/{}", asked.id),
            None => format!("sessions/{}", notice.about()),
        };
        self.0.join(&path).map_or_else(|_no_base| self.0.to_string(), String::from)
    }
}

/// The body of a webhook (Standard Webhooks: `type`, `timestamp`, `data`).
pub(super) fn webhook(notice: &Notice, links: &Links) -> Value {
    let mut content = json!({
        "connection": notice.connection,
        "session": notice.session,
        "requester": notice.requester,
        "link": links.page(notice),
        "commands": commands(notice),
        "by": notice.by,
    });
    if let (Some(asked), Some(fields)) = (&notice.request, content.as_object_mut()) {
        let groups: Vec<&str> = asked.quorums.iter().map(|quorum| quorum.group.as_str()).collect();
        fields.extend([
            ("id".to_owned(), json!(asked.id)),
            ("kind".to_owned(), json!(asked.kind)),
            ("effect".to_owned(), json!(asked.effect)),
            ("groups".to_owned(), json!(groups)),
            ("quorums".to_owned(), json!(asked.quorums)),
            ("risk".to_owned(), json!(asked.risk)),
            ("expires_at".to_owned(), json!(moment(asked.expires_at_millis))),
        ]);
    }
    json!({ "type": notice.event, "timestamp": moment(notice.at_millis), "data": content })
}

/// A message for a Slack-compatible incoming webhook. Whatever others named stands in plain text, where nothing is
/// markup, or is escaped.
pub(super) fn chat(notice: &Notice, links: &Links) -> Value {
    let title = title(notice);
    let plain = |text: &str| json!({ "type": "plain_text", "text": shortened(text, 140), "emoji": false });
    let fields: Vec<Value> = facts(notice).iter().map(|(name, value)| plain(&format!("{name}: {value}"))).collect();
    let mut blocks =
        vec![json!({ "type": "header", "text": plain(&title) }), json!({ "type": "section", "fields": fields })];
    let named = commands(notice);
    let typed = named.as_object().map(|named| named.values().filter_map(Value::as_str).collect::<Vec<_>>());
    if let Some(typed) = typed.filter(|typed| !typed.is_empty()) {
        let text = format!("```{}```", typed.join("\n"));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }));
    }
    let button = json!({ "type": "button", "text": plain("How to review"), "url": links.page(notice) });
    if notice.event == EventKind::Requested {
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    json!({ "text": escaped(&title), "blocks": blocks })
}

/// Subject and text of a mail.
pub(super) fn mail(notice: &Notice, links: &Links) -> (String, String) {
    let mut text = vec![format!("{}.", title(notice)), String::new()];
    text.extend(facts(notice).iter().map(|(name, value)| format!("{:<12}{value}", format!("{name}:"))));
    let commands = commands(notice);
    if let Some(commands) = commands.as_object().filter(|commands| !commands.is_empty()) {
        text.extend([String::new(), "In a terminal:".to_owned()]);
        text.extend(commands.values().filter_map(Value::as_str).map(|command| format!("    {command}")));
    }
    text.extend([String::new(), links.page(notice), String::new()]);
    (format!("[hoop] {}", title(notice)), text.join("\r\n"))
}

/// One sentence, without a full stop.
fn title(notice: &Notice) -> String {
    let who = spoken(&notice.requester);
    let connection = &notice.connection;
    let by: Vec<&str> = notice.by.iter().map(crate::model::PrincipalName::as_str).collect();
    let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
    let what = notice.request.as_ref().map(|asked| asked.kind.replace('_', " ")).unwrap_or_default();
    match notice.event {
        EventKind::Requested => format!("{who} asks for approval of a {what} on {connection}"),
        EventKind::Approved => format!("a {what} of {who} on {connection} was approved{by}"),
        EventKind::Denied => format!("a {what} of {who} on {connection} was denied{by}"),
        EventKind::Expired => format!("nobody decided in time on a {what} of {who} on {connection}"),
        EventKind::Withdrawn => format!("{who} no longer waits for approval of a {what} on {connection}"),
        EventKind::Superseded => format!("a policy change made void what {who} asked for on {connection}"),
        EventKind::SessionKilled => format!("a session of {who} on {connection} was ended{by}"),
    }
}

fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut facts = vec![("connection", notice.connection.to_string()), ("requester", spoken(&notice.requester))];
    if let Some(asked) = &notice.request {
        let needs: Vec<String> = asked.quorums.iter().map(ToString::to_string).collect();
        facts.extend([
            ("operation", format!("{} ({})", asked.kind, asked.effect)),
            ("risk", format!("{} of 100", asked.risk)),
            ("needs", needs.join(" and ")),
            ("expires", moment(asked.expires_at_millis)),
            ("request", asked.id.to_string()),
        ]);
    } else {
        facts.push(("session", notice.about()));
    }
    facts
}

/// What to type. Ids are made by the gateway and hold letters, digits and `_` only.
fn commands(notice: &Notice) -> Value {
    match (&notice.request, notice.event) {
        (Some(asked), EventKind::Requested) => json!({
            "show": format!("hoop approvals show {}", asked.id),
            "approve": format!("hoop approvals approve {}", asked.id),
            "deny": format!("hoop approvals deny {} --reason '…'", asked.id),
        }),
        (Some(asked), _) => json!({ "show": format!("hoop approvals show {}", asked.id) }),
        (None, _) => json!({ "show": format!("hoop sessions show {}", notice.about()) }),
    }
}

fn spoken(who: &Who) -> String {
    match (who.kind, &who.owner) {
        (PrincipalKind::Agent, Some(owner)) => format!("{}, an agent of {owner}", who.name),
        (PrincipalKind::Agent, None) => format!("{}, an agent", who.name),
        (PrincipalKind::User, _) => who.name.to_string(),
    }
}

fn moment(millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1_000)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests;
