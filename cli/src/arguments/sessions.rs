//! Arguments of `sessions`, `replay` and `audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::FalseyValueParser};
use hoop_gateway_core::model::{ConnectionName, PrincipalName, SessionId};

/// List and show live and past sessions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop sessions ls\n  hoop sessions ls --connection pg-prod --limit 50\n  \
                        hoop sessions show ses_01hzy3…")]
pub(crate) struct SessionsArguments {
    #[command(subcommand)]
    pub(crate) command: SessionsCommand,
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    Ls(ListSessions),
    /// Show one session: every operation, its decision and outcome
    Show {
        /// The session
        #[arg(value_name = "SESSION")]
        session: SessionId,
    },
}

/// List sessions, newest first: your own, and those that the policy lets you see
#[derive(Debug, Args)]
pub(crate) struct ListSessions {
    /// Only sessions that are still open
    #[arg(long, env = "HOOP_SESSIONS_LIVE", value_parser = FalseyValueParser::new())]
    pub(crate) live: bool,
    /// Only sessions on this connection
    #[arg(long, env = "HOOP_SESSIONS_CONNECTION", value_name = "NAME")]
    pub(crate) connection: Option<ConnectionName>,
    /// Only sessions of this principal
    #[arg(long, env = "HOOP_SESSIONS_PRINCIPAL", value_name = "NAME")]
    pub(crate) principal: Option<PrincipalName>,
    /// At most so many
    #[arg(long, env = "HOOP_SESSIONS_LIMIT", value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: u32,
}

/// Play a recorded session in the terminal.
#[derive(Debug, Args)]
#[command(
    long_about = "Play a recorded session in the terminal, with its original timing.\n\n\
                  You may replay your own sessions; others need the policy's `replay`. Looking is recorded.",
    after_help = "Examples:\n  hoop replay ses_01hzy3…\n  hoop replay ses_01hzy3… --speed 8\n  \
                  hoop replay ses_01hzy3… --at 12\n  hoop replay ses_01hzy3… --search orders"
)]
pub(crate) struct ReplayArguments {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) session: SessionId,
    /// How many times faster than it was; `max` prints everything at once
    #[arg(long, env = "HOOP_REPLAY_SPEED", value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Begin at this operation
    #[arg(long, env = "HOOP_REPLAY_AT", value_name = "NUMBER")]
    pub(crate) at: Option<u64>,
    /// Show only operations whose text contains this, in either case
    #[arg(long, env = "HOOP_REPLAY_SEARCH", value_name = "TEXT")]
    pub(crate) search: Option<String>,
}

/// Verify recordings offline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop audit verify /var/lib/hoop/recordings --key recording.pub.pem")]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

/// What to do with recordings.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    Verify(AuditVerify),
}

/// Check every chain, every signature and every length against a public key kept elsewhere
#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    /// The folder with the recordings
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The recorder's public key, from a place that the gateway's host cannot change
    #[arg(long, env = "HOOP_AUDIT_KEY", value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// A head that an earlier verification printed: the log must still contain it
    #[arg(long, env = "HOOP_AUDIT_HEAD", value_name = "HEX")]
    pub(crate) head: Option<String>,
}

/// A factor, or `max` for everything at once.
fn speed(text: &str) -> Result<f64, String> {
    if text == "max" {
        return Ok(0.0);
    }
    let factor = text.parse::<f64>().ok().filter(|factor| factor.is_finite() && *factor >= 0.0);
    factor.ok_or_else(|| "say a factor such as 1, 0.5 or 8, or max".to_owned())
}
