//! Arguments of `notifications`.

use clap::{Args, Subcommand, builder::FalseyValueParser};

/// See and repair what receivers were not told.
#[derive(Debug, Args)]
#[command(
    long_about = "See and repair what webhooks, chats and mailboxes were not told: what waits for its next attempt, and what \
                  was given up. Needs a policy that permits `administer`.",
    after_help = "Examples:\n  hoop notifications ls\n  hoop notifications retry msg_9f86d081…\n  \
                  hoop notifications retry --dead\n  hoop notifications drop msg_9f86d081…"
)]
pub(crate) struct NotificationsArguments {
    #[command(subcommand)]
    pub(crate) command: NotificationsCommand,
}

/// What to do with notifications.
#[derive(Debug, Subcommand)]
pub(crate) enum NotificationsCommand {
    /// List what waits and what was given up, and why
    Ls,
    /// Try again at once
    Retry(WhichNotifications),
    /// Forget; nobody will be told
    Drop(WhichNotifications),
}

/// Some notifications
#[derive(Debug, Args)]
pub(crate) struct WhichNotifications {
    /// The notifications
    #[arg(value_name = "ID", required_unless_present = "dead", conflicts_with = "dead")]
    pub(crate) ids: Vec<String>,
    /// All that were given up
    #[arg(long, env = "HOOP_NOTIFICATIONS_DEAD", value_parser = FalseyValueParser::new())]
    pub(crate) dead: bool,
}
