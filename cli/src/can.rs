//! `hoop can`: what would become of a statement, said by the gateway and not run.
//!
//! What is printed of the statement comes from elsewhere and passes through `printable`.

use std::{io::Read as _, time::Duration};

use hoop_gateway_core::api::types::{CheckAnswer, CheckDecision, CheckRequest, CheckedOperation, MayConnect};

use crate::{
    api_client::Api,
    arguments::CanArguments,
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    login::spoken,
    output::printable_line,
};

/// As much the gateway reads.
const MOST_BYTES: u64 = 60 * 1024;

/// Asks, prints the answer, and leaves with its status.
pub(crate) async fn run(arguments: CanArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let text = if arguments.operation == "-" { standard_input()? } else { arguments.operation };
    let request = CheckRequest { text, estimate: arguments.estimate };
    let path = format!("/api/v1/connections/{}/check", arguments.connection);
    let answer: CheckAnswer = Api::new(context).await?.post(&path, &request).await?;
    context.output.value("check", &answer, describe)?;
    Ok(status(&answer))
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(MOST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::failed("standard input could not be read").caused_by(&error))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(Failure::usage(format!("the text has more than {MOST_BYTES} bytes")).next("check it in parts"));
    }
    Ok(text)
}

fn status(answer: &CheckAnswer) -> ExitStatus {
    match answer.decision {
        CheckDecision::Permit if answer.connect == MayConnect::Approval => FailureKind::Pending.exit_status(),
        CheckDecision::Permit => ExitStatus::SUCCESS,
        CheckDecision::Approval => FailureKind::Pending.exit_status(),
        CheckDecision::Refuse => FailureKind::Refused.exit_status(),
        CheckDecision::Error => FailureKind::Usage.exit_status(),
    }
}

fn describe(answer: &CheckAnswer) -> String {
    let mut lines = vec![fact("decision", &verdict(answer))];
    if let Some(error) = &answer.error {
        let place = error.position.map(|at| format!(", at character {at}")).unwrap_or_default();
        lines.push(fact("error", &format!("{} (SQLSTATE {}{place})", error.message, error.sqlstate)));
    }
    lines.extend(answer.message.as_ref().map(|message| fact("because", message)));
    lines.extend((!answer.rules.is_empty()).then(|| fact("rules", &joined(&answer.rules))));
    lines.extend(answer.hint.as_ref().map(|hint| fact("next", hint)));
    lines.extend(approvers(answer));
    if answer.connect == MayConnect::Approval {
        lines.push(fact("connecting", "waits for approval first"));
    }
    let several = answer.operations.len() > 1;
    for (index, operation) in answer.operations.iter().enumerate() {
        if several {
            lines.push(format!("\nstatement {}", index + 1));
            lines.push(fact("decision", operation_word(operation.decision)));
            lines.extend((!operation.rules.is_empty()).then(|| fact("rules", &joined(&operation.rules))));
        }
        lines.extend(facts(operation));
    }
    if several && !(answer.masked.is_empty() && answer.detected.is_empty()) {
        lines.push(String::new());
    }
    for masked in &answer.masked {
        lines.push(fact("masked", &format!("{} ({}: {})", masked.column, masked.class, masked.mask)));
    }
    lines.extend((!answer.detected.is_empty()).then(|| fact("searched", &joined(&answer.detected))));
    if answer.unresolved {
        lines.push(fact("note", "a name in it is not in the database: the server would say so"));
    }
    lines.extend(answer.estimate_note.as_ref().map(|note| fact("note", note)));
    lines.join("\n")
}

fn verdict(answer: &CheckAnswer) -> String {
    let what = match answer.decision {
        CheckDecision::Permit => "yes, it would run",
        CheckDecision::Approval => "after approval",
        CheckDecision::Refuse => "no, it would be refused",
        CheckDecision::Error => "no, it is not a statement",
    };
    format!("{what} on {}", answer.connection)
}

const fn operation_word(decision: CheckDecision) -> &'static str {
    match decision {
        CheckDecision::Permit => "yes",
        CheckDecision::Approval => "after approval",
        CheckDecision::Refuse => "no",
        CheckDecision::Error => "not a statement",
    }
}

fn approvers(answer: &CheckAnswer) -> Vec<String> {
    if answer.quorums.is_empty() {
        return Vec::new();
    }
    let needs: Vec<String> =
        answer.quorums.iter().map(|quorum| format!("{} of group {}", quorum.count, quorum.group)).collect();
    let mut lines = vec![fact("approved by", &needs.join(" and "))];
    if !answer.own_groups.is_empty() {
        lines.push(fact("not by you", &format!("you are in {}, and asked for it", joined(&answer.own_groups))));
    }
    let lapse = answer.expires_seconds.map(|seconds| fact("waits", &spoken(Duration::from_secs(seconds))));
    lines.extend(lapse);
    lines
}

fn facts(operation: &CheckedOperation) -> Vec<String> {
    let reasons = if operation.risk_reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", operation.risk_reasons.join("; "))
    };
    let mut lines = vec![
        fact("operation", &format!("{} ({})", operation.kind, operation.effect)),
        fact("objects", &joined(&operation.objects)),
        fact("risk", &format!("{} of 100{reasons}", operation.risk)),
    ];
    if let Some(rows) = operation.estimated_rows {
        let share =
            operation.estimated_percent.map(|percent| format!(", {percent} % of the table")).unwrap_or_default();
        lines.push(fact("rows", &format!("about {rows}{share}, as the planner estimates")));
    }
    lines
}

fn fact(name: &str, value: &str) -> String {
    format!("{name:<12}{}", printable_line(value))
}

fn joined<T: ToString>(words: &[T]) -> String {
    if words.is_empty() {
        return "-".to_owned();
    }
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(change: &serde_json::Value) -> CheckAnswer {
        let mut base = serde_json::json!({
            "connection": "pg-prod", "decision": "permit", "connect": "yes", "rules": ["staff-work"], "message": null,
            "hint": null, "quorums": [], "own_groups": [], "expires_seconds": null, "error": null,
            "operations": [{
                "kind": "select", "effect": "read", "objects": ["public.customers"], "risk": 10, "risk_reasons": [],
                "decision": "permit", "rules": ["staff-work"], "estimated_rows": null, "estimated_percent": null
            }],
            "masked": [{"column": "public.customers.email", "class": "email", "mask": "partial"}],
            "detected": [], "unresolved": false, "estimate_note": null
        });
        for (name, value) in change.as_object().expect("an object") {
            base[name] = value.clone();
        }
        serde_json::from_value(base).expect("an answer")
    }

    #[test]
    fn a_permitted_read_shows_what_would_be_masked() {
        insta::assert_snapshot!(describe(&answer(&serde_json::json!({}))), @r"
        decision    yes, it would run on pg-prod
        rules       staff-work
        operation   select (read)
        objects     public.customers
        risk        10 of 100
        masked      public.customers.email (email: partial)
        ");
    }

    #[test]
    fn what_waits_says_for_whom_and_that_one_cannot_approve_oneself() {
        let change = serde_json::json!({
            "decision": "approval", "rules": ["deletes-are-held"], "message": "a dba looks at every DELETE",
            "quorums": [{"count": 2, "group": "dba"}], "own_groups": ["dba"], "expires_seconds": 900,
            "operations": [], "masked": []
        });
        let answer = answer(&change);
        insta::assert_snapshot!(describe(&answer), @r"
        decision    after approval on pg-prod
        because     a dba looks at every DELETE
        rules       deletes-are-held
        approved by 2 of group dba
        not by you  you are in dba, and asked for it
        waits       15:00
        ");
        assert_eq!(status(&answer), FailureKind::Pending.exit_status());
    }

    #[test]
    fn a_mistake_says_where_and_nothing_of_it_reaches_the_terminal_raw() {
        let change = serde_json::json!({
            "decision": "error", "rules": [], "operations": [], "masked": [],
            "error": {"message": "syntax error at or near \"\u{1b}[2J\"", "sqlstate": "42601", "position": 8}
        });
        let answer = answer(&change);
        let text = describe(&answer);
        assert!(text.contains("42601, at character 8") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(status(&answer), FailureKind::Usage.exit_status());
    }
}
