//! What was not told yet, as the API shows it.

use serde::{Deserialize, Serialize};

/// `GET /api/v1/notifications`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// How many wait for their next attempt.
    pub waiting: u64,
    /// How many were given up.
    pub dead: u64,
    /// Those given up, then those that wait.
    pub items: Vec<NotificationItem>,
}

/// Whether a notification is still tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// It is.
    Waiting,
    /// It was given up; `POST …/retry` tries it again.
    Dead,
}

/// One copy of a notification on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationItem {
    /// Its id, the same at every attempt.
    pub id: String,
    /// Still tried, or given up.
    pub state: NotificationState,
    /// The receiver, as gateway.toml names it.
    pub receiver: String,
    /// The mailbox, for mail.
    pub recipient: Option<String>,
    /// What is told: `approval.requested`, …
    pub event: String,
    /// The request or session that it is about.
    pub about: String,
    /// When that happened.
    pub created_at_millis: i64,
    /// Attempts that failed.
    pub attempts: u32,
    /// When it is tried next.
    pub due_at_millis: i64,
    /// Why the last attempt failed.
    pub error: Option<String>,
}
