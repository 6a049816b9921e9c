//! One request in full, as a reviewer must see it before deciding. Pure: the time is passed in.

use std::{collections::BTreeSet, time::Duration};

use hoop_gateway_core::{
    api::types::{ApprovalItem, ApprovalStatus, Asks, ReviewItem},
    model::StepUp,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::status_word;
use crate::{
    login::spoken,
    output::{printable, printable_line},
    whoami,
};

/// The whole request: the statement is never shortened.
pub(super) fn describe(request: &ApprovalItem, now_millis: i64) -> String {
    let mut lines = vec![
        format!("request     {} ({})", request.id, status_word(request.status)),
        format!("requester   {}", whoami::describe(&request.requester)),
        format!("asked       {}{}", moment(request.created_at_millis), retries(request)),
        format!("expires     {}", time_left(request, now_millis)),
        format!("connection  {}", printable_line(request.connection.as_str())),
        format!("database    {} as role {}", printable_line(&request.database), printable_line(&request.role)),
    ];
    match request.asks {
        Asks::Operation => operation(request, &mut lines),
        Asks::Access => access(request, &mut lines),
    }
    lines.push(format!("held by     {}", joined(&request.rules)));
    lines.push(format!("needs       {}", progress(request)));
    if let Some(demand) = &request.step_up {
        lines.push(format!("login       {}", wanted(demand)));
    }
    if let Some(message) = &request.message {
        lines.push(format!("policy says {}", printable_line(message)));
    }
    lines.extend(request.reviews.iter().map(review));
    lines.extend(history(request));
    if request.asks == Asks::Operation {
        lines.push("\nstatement".to_owned());
        lines.extend(printable(&request.text).lines().map(|line| format!("    {line}")));
    }
    if !request.parameters.is_empty() {
        lines.push("\nparameters".to_owned());
        let numbered = request.parameters.iter().enumerate();
        lines.extend(numbered.map(|(index, value)| {
            let shown =
                value.as_deref().map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", printable_line(value)));
            format!("    ${} = {shown}", index + 1)
        }));
    }
    if request.status == ApprovalStatus::Pending {
        lines.push(format!("\nhoop approvals approve {0}\nhoop approvals deny {0} --reason '…'", request.id));
    }
    if let (ApprovalStatus::Pending, Some(longest)) = (request.status, request.shape_for_seconds) {
        let longest = spoken(Duration::from_secs(longest));
        lines.push(format!("hoop approvals approve {} --shape-for 15m --max-rows 1   (at most {longest})", request.id));
    }
    lines.join("\n")
}

fn operation(request: &ApprovalItem, lines: &mut Vec<String>) {
    let session = request.session.as_ref().map_or("-", |session| session.as_str());
    lines.push(format!("session     {session}"));
    if let Some(proposed_by) = &request.proposed_by {
        lines.push(format!("proposed by {}", printable_line(&proposed_by.describe())));
    }
    lines.extend(request.run.as_deref().map(|run| format!("run         {}", printable_line(run))));
    lines.push(format!("operation   {} ({})", printable_line(&request.kind), printable_line(&request.effect)));
    lines.push(format!("objects     {}", joined(&request.objects)));
    lines.push(format!("risk        {} of 100{}", request.risk, reasons(&request.risk_reasons)));
    lines.push(format!("rows        {}", estimated(request)));
    if request.export {
        lines.push("export      rows leave in bulk".to_owned());
    }
    if !request.filters_on.is_empty() {
        lines.push(format!("compares    {}", joined(&request.filters_on)));
    }
}

fn access(request: &ApprovalItem, lines: &mut Vec<String>) {
    lines.push(format!("access      for {}", window(request)));
    let reason = request.reason.as_deref().map_or_else(|| "not said".to_owned(), printable_line);
    lines.push(format!("because     {reason}"));
}

/// How long a connection would be open.
pub(super) fn window(request: &ApprovalItem) -> String {
    request.window_seconds.map_or_else(|| "-".to_owned(), |seconds| spoken(Duration::from_secs(seconds)))
}

fn retries(request: &ApprovalItem) -> String {
    match request.retries {
        0 => String::new(),
        1 => ", and once more since; an approval serves the latest".to_owned(),
        count => format!(", and {count} times more since; an approval serves the latest"),
    }
}

/// How earlier requests of the same shape ended: counted, then one by one.
fn history(request: &ApprovalItem) -> Vec<String> {
    let lines = request.history.iter().map(|earlier| {
        let by: Vec<_> = earlier.by.iter().map(|name| printable_line(name.as_str())).collect();
        let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
        format!("    {}  {}{by}, {}", earlier.id, status_word(earlier.status), moment(earlier.at_millis))
    });
    let title = (!request.history.is_empty()).then(|| "\nearlier of the same shape".to_owned());
    title.into_iter().chain(lines).collect()
}

/// Who must still approve: `1 of dba and 1 of security`.
pub(crate) fn needed(request: &ApprovalItem) -> String {
    let open = if request.missing.is_empty() { &request.quorums } else { &request.missing };
    let needs: Vec<String> = open.iter().map(|quorum| format!("{} of {}", quorum.count, quorum.group)).collect();
    printable_line(&needs.join(" and "))
}

/// `1 of 2 of dba`: distinct approvals so far against what is needed.
pub(super) fn progress(request: &ApprovalItem) -> String {
    let approved: BTreeSet<_> =
        request.reviews.iter().filter(|review| review.approved).map(|review| &review.by).collect();
    let needs: Vec<String> =
        request.quorums.iter().map(|quorum| format!("{} of group {}", quorum.count, quorum.group)).collect();
    let so_far = match approved.len() {
        0 => "nobody approved yet".to_owned(),
        1 => "1 approved".to_owned(),
        count => format!("{count} approved"),
    };
    printable_line(&format!("{}; {so_far}", needs.join(" and ")))
}

/// `4:59`, or a dash for what is decided.
pub(crate) fn time_left(request: &ApprovalItem, now_millis: i64) -> String {
    if request.status != ApprovalStatus::Pending {
        return "-".to_owned();
    }
    let left = request.expires_at_millis.saturating_sub(now_millis);
    u64::try_from(left)
        .map_or_else(|_past| "now".to_owned(), |left| format!("in {}", spoken(Duration::from_millis(left))))
}

/// What the planner expects, or that it could not be asked.
fn estimated(request: &ApprovalItem) -> String {
    match (request.estimated_rows, request.estimated_percent) {
        (Some(rows), Some(percent)) => format!("about {rows}, {percent} % of the table, as the planner estimates"),
        (Some(rows), None) => format!("about {rows}, as the planner estimates"),
        (None, _) => "not estimated".to_owned(),
    }
}

/// How a reviewer must have logged in.
fn wanted(demand: &StepUp) -> String {
    let recent = demand
        .max_age_seconds
        .map(|seconds| format!("at most {} ago", spoken(Duration::from_secs(u64::from(seconds)))));
    let strong = demand.acr.as_ref().map(|acr| format!("of the kind {acr}"));
    let parts: Vec<String> = recent.into_iter().chain(strong).collect();
    printable_line(&format!("reviewers must have logged in {}", parts.join(", ")))
}

fn review(review: &ReviewItem) -> String {
    let verb = if review.approved { "approved" } else { "denied" };
    let reason = review.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!(
        "{verb:<11} by {}, {}{}",
        printable_line(review.by.as_str()),
        moment(review.at_millis),
        printable_line(&reason)
    )
}

fn reasons(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(": {}", printable_line(&reasons.join("; "))) }
}

fn joined<T: ToString>(words: &[T]) -> String {
    if words.is_empty() {
        return "-".to_owned();
    }
    printable_line(&words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn moment(millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
}

#[cfg(test)]
mod tests {
    use hoop_gateway_core::api::types::ApprovalItem;

    use super::*;

    fn request(text: &str) -> ApprovalItem {
        let mut request: ApprovalItem = serde_json::from_value(serde_json::json!({
            "id": "apr_0000000001qs000000", "status": "pending", "session": "ses_000000000100000000",
            "requester": {"kind": "agent", "name": "crew", "groups": ["agents"], "claims": {}, "owner": "alice"},
            "connection": "pg-prod", "database": "shop", "role": "app", "text": "", "parameters": ["7", null],
            "kind": "delete", "effect": "write", "objects": ["public.orders"], "risk": 60,
            "risk_reasons": ["deletes rows"], "estimated_rows": 1200, "estimated_percent": 96, "rules": ["hold-deletes"], "message": "a dba looks at deletes",
            "quorums": [{"count": 2, "group": "dba"}],
            "reviews": [{"by": "bob", "approved": true, "reason": "fine", "at_millis": 1_000}],
            "created_at_millis": 0, "expires_at_millis": 300_000
        }))
        .expect("a request");
        text.clone_into(&mut request.text);
        request
    }

    #[test]
    fn shows_the_whole_statement_and_everything_it_is_bound_to() {
        let long = format!("DELETE FROM orders\nWHERE note = '{}'", "x".repeat(5_000));
        insta::assert_snapshot!(describe(&request(&long), 1_000).replace(&"x".repeat(5_000), "<5000 x>"), @r"
    request     apr_0000000001qs000000 (pending)
    requester   crew, an agent of alice (agents)
    asked       1970-01-01T00:00:00Z
    expires     in 4:59
    connection  pg-prod
    database    shop as role app
    session     ses_000000000100000000
    operation   delete (write)
    objects     public.orders
    risk        60 of 100: deletes rows
    rows        about 1200, 96 % of the table, as the planner estimates
    held by     hold-deletes
    needs       2 of group dba; 1 approved
    policy says a dba looks at deletes
    approved    by bob, 1970-01-01T00:00:01Z: fine

    statement
        DELETE FROM orders
        WHERE note = '<5000 x>'

    parameters
        $1 = '7'
        $2 = NULL

    hoop approvals approve apr_0000000001qs000000
    hoop approvals deny apr_0000000001qs000000 --reason '…'
    ");
    }

    #[test]
    fn no_escape_of_a_statement_reaches_the_reviewers_terminal() {
        let shown = describe(&request("DELETE FROM a --\u{1b}[1A\u{1b}[2K\rSELECT 1\u{202e}"), 0);
        assert!(!shown.contains(['\u{1b}', '\r', '\u{202e}']), "{shown}");
    }

    #[test]
    fn a_lapsed_request_says_so() {
        assert_eq!(time_left(&request(""), 300_001), "now");
        assert_eq!(time_left(&request(""), 240_000), "in 1:00");
    }
}
