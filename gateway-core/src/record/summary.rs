//! What a session's records come to: the row of a list, and its operations with their outcomes. Pure.

use std::collections::BTreeMap;

use crate::{
    api::types::{OperationItem, SessionItem},
    model::{ApprovalId, RuleId},
};

use super::{frame::Record, read::MAX_LISTED_OPERATIONS};

/// The row of a session, from its first record; `None` where that is not one.
pub(super) fn session_item(record: &Record) -> Option<SessionItem> {
    Some(SessionItem {
        id: record.session.parse().ok()?,
        principal: serde_json::from_str(record.value("principal")?).ok()?,
        connection: record.value("connection")?.parse().ok()?,
        started_at_millis: millis(record.at_micros),
        ended_at_millis: None,
        end_reason: None,
        run: record.value("run").and_then(|run| run.parse().ok()),
        operations: 0,
        refused: 0,
        held: 0,
        masked: 0,
        partly_searched: false,
    })
}

/// Adds a record to the row.
pub(super) fn count(item: &mut SessionItem, record: &Record) {
    match record.kind.as_str() {
        "operation" => item.operations += 1,
        "refused" => {
            item.operations += 1;
            item.refused += 1;
        }
        "held" => item.held += 1,
        "outcome" => item.masked += masked(record).values().sum::<u64>(),
        "session_ended" => {
            item.ended_at_millis = Some(millis(record.at_micros));
            item.end_reason = record.value("reason").map(str::to_owned);
        }
        _ => {}
    }
}

/// A session's operations, gathered record by record.
#[derive(Debug, Default)]
pub(super) struct Operations {
    by_number: BTreeMap<u64, OperationItem>,
}

impl Operations {
    /// Adds a record.
    pub(super) fn take(&mut self, record: &Record) {
        let Some(number) = record.number("number") else { return };
        match record.kind.as_str() {
            "operation" | "prepared" | "held" | "refused" => {
                let approval = record.value("approval").and_then(|text| text.parse::<ApprovalId>().ok());
                let held = self.by_number.get(&number).map(|item| (item.at_millis, item.approval.clone()));
                let (at_millis, earlier) = held.unwrap_or((millis(record.at_micros), None));
                if self.by_number.len() >= MAX_LISTED_OPERATIONS && !self.by_number.contains_key(&number) {
                    return;
                }
                self.by_number.insert(
                    number,
                    OperationItem {
                        number,
                        at_millis,
                        text: record.value("text").unwrap_or_default().to_owned(),
                        parameters: json(record, "parameters").unwrap_or_default(),
                        decision: record.value("decision").unwrap_or("unknown").to_owned(),
                        rules: json::<Vec<RuleId>>(record, "rules").unwrap_or_default(),
                        approval: approval.or(earlier),
                        outcome: refused_or_waiting(record),
                        rows: None,
                        masked: BTreeMap::new(),
                        duration_micros: None,
                    },
                );
            }
            "approval_decided" => {
                if let Some(item) = self.by_number.get_mut(&number) {
                    item.outcome = record.value("state").map(str::to_owned);
                }
            }
            "outcome" => {
                if let Some(item) = self.by_number.get_mut(&number) {
                    item.outcome = Some(outcome_word(record));
                    item.rows = record.number("rows");
                    item.masked = masked(record);
                    item.duration_micros = record.number("duration_micros");
                }
            }
            _ => {}
        }
    }

    pub(super) fn into_items(self) -> Vec<OperationItem> {
        self.by_number.into_values().collect()
    }
}

fn refused_or_waiting(record: &Record) -> Option<String> {
    match record.kind.as_str() {
        "refused" => record.value("reason").map(str::to_owned),
        "held" => Some("waiting for approval".to_owned()),
        _ => None,
    }
}

fn outcome_word(record: &Record) -> String {
    match record.value("status") {
        Some("completed") => record.value("tag").unwrap_or("completed").to_owned(),
        Some("failed") => record.value("sqlstate").unwrap_or("failed").to_owned(),
        Some("skipped") => "skipped".to_owned(),
        _ => "outcome unknown".to_owned(),
    }
}

fn masked(record: &Record) -> BTreeMap<String, u64> {
    json(record, "masked").unwrap_or_default()
}

fn json<T: serde::de::DeserializeOwned>(record: &Record, field: &str) -> Option<T> {
    serde_json::from_str(record.value(field)?).ok()
}

fn millis(micros: u64) -> i64 {
    i64::try_from(micros / 1000).unwrap_or(i64::MAX)
}
