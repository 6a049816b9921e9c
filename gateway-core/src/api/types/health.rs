//! Whether each part of a gateway works, for whom policy lets administer it.

use serde::{Deserialize, Serialize};

use super::Health;
use crate::model::ConnectionName;

/// `GET /api/v1/health/detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthDetail {
    /// The same as without authentication.
    pub health: Health,
    /// Version of the gateway.
    pub version: String,
    /// Sessions that are open.
    pub live_sessions: usize,
    /// Requests that wait for reviewers, as far as they were counted.
    pub pending_approvals: usize,
    /// Each connection.
    pub connections: Vec<ConnectionHealth>,
    /// What is still to be told.
    pub notifications: NotificationHealth,
}

/// Whether the server behind a connection can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionHealth {
    /// Which connection.
    pub name: ConnectionName,
    /// Whether its server accepts connections now.
    pub reachable: bool,
    /// Why not.
    pub error: Option<String>,
    /// How long that took.
    pub millis: u64,
}

/// The outbox and its receivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationHealth {
    /// Deliveries that wait for their next attempt.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Each receiver, by name, since the gateway started.
    pub receivers: Vec<ReceiverHealth>,
}

/// How one receiver does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverHealth {
    /// Its name in gateway.toml.
    pub name: String,
    /// When it last took something.
    pub delivered_at_millis: Option<i64>,
    /// When an attempt last failed.
    pub failed_at_millis: Option<i64>,
    /// Why.
    pub error: Option<String>,
}
