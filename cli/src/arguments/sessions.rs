//! Arguments of `sessions`, `replay` and `audit`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum, builder::FalseyValueParser};
use hoop_gateway_core::model::{ConnectionName, PrincipalName, SessionId};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// List and show live and past sessions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop sessions ls\n  hoop sessions ls --connection pg-prod --limit 50\n  \
                        hoop sessions ls --text 'drop table' --decision refused --since 7d\n  \
                        hoop sessions show ses_01hzy3…\n  hoop sessions watch ses_01hzy3…\n  \
                        hoop sessions kill ses_01hzy3… --reason 'runs since yesterday'")]
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
    /// Follow one session as it happens, until it ends; without one, sessions as they begin and end
    Watch {
        /// The session
        #[arg(value_name = "SESSION")]
        session: Option<SessionId>,
    },
    Kill(KillSession),
}

/// End a live session: your own, or one that the policy lets you end
#[derive(Debug, Args)]
pub(crate) struct KillSession {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) session: SessionId,
    /// Why; recorded, and told to whose session it is
    #[arg(long, env = "HOOP_SESSIONS_REASON", value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Do not ask first
    #[arg(short, long, env = "HOOP_SESSIONS_YES", value_parser = FalseyValueParser::new())]
    pub(crate) yes: bool,
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
    /// Only sessions of principals, or of agents of people, whose name contains this
    #[arg(long, env = "HOOP_SESSIONS_WHO", value_name = "PART")]
    pub(crate) who: Option<String>,
    /// Only sessions in which this was said, in either case; parts that are sealed are not searched
    #[arg(long, env = "HOOP_SESSIONS_TEXT", value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Only sessions in which something was decided so
    #[arg(long, env = "HOOP_SESSIONS_DECISION", value_enum, value_name = "DECISION")]
    pub(crate) decision: Option<Decided>,
    /// Only sessions that were open after then: 90m, 24h, 7d ago, or a time such as 2026-11-21T09:00:00Z
    #[arg(long, env = "HOOP_SESSIONS_SINCE", value_name = "WHEN", value_parser = moment)]
    pub(crate) since: Option<Moment>,
    /// Only sessions that had begun by then
    #[arg(long, env = "HOOP_SESSIONS_UNTIL", value_name = "WHEN", value_parser = moment)]
    pub(crate) until: Option<Moment>,
    /// At most so many
    #[arg(long, env = "HOOP_SESSIONS_LIMIT", value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: u32,
}

/// What was decided in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Decided {
    /// Something was refused
    Refused,
    /// Something waited for approval
    Held,
    /// Something was masked
    Masked,
}

impl Decided {
    /// The word of the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Masked => "masked",
        }
    }
}

/// A time, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Milliseconds since 1970.
    At(i64),
    /// Before now.
    Ago(Duration),
}

impl Moment {
    /// Milliseconds since 1970.
    pub(crate) fn unix_millis(self, now: OffsetDateTime) -> i64 {
        match self {
            Self::At(millis) => millis,
            Self::Ago(time) => {
                let now = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
                now.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

/// `90m`, `24h`, `7d`, a day or a time.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    let not = || "say how long ago, such as 90m, 24h or 7d, or when, such as 2026-11-21T09:00:00Z".to_owned();
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];
    for (unit, seconds) in units {
        if let Some(count) = text.strip_suffix(unit).and_then(|count| count.parse::<u64>().ok()) {
            return count.checked_mul(seconds).map(|time| Moment::Ago(Duration::from_secs(time))).ok_or_else(not);
        }
    }
    let whole = if text.len() == "2026-11-21".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = OffsetDateTime::parse(&whole, &Rfc3339).map_err(|_malformed| not())?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).map(Moment::At).map_err(|_far| not())
}

/// Play a recorded session in the terminal.
#[derive(Debug, Args)]
#[command(
    long_about = "Play a recorded session in the terminal, with its original timing.\n\n\
                  You may replay your own sessions; others need the policy's `replay`. Looking is recorded.",
    after_help = "Examples:\n  hoop replay ses_01hzy3…\n  hoop replay ses_01hzy3… --speed 8\n  \
                  hoop replay ses_01hzy3… --at 12\n  hoop replay ses_01hzy3… --search orders\n  \
                  hoop replay ses_01hzy3… --asciicast shell.cast --at 2"
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
    /// Write the recorded terminal as asciicast version 2 to this file, `-` for standard output; with several, `--at`
    /// says of which operation
    #[arg(long, env = "HOOP_REPLAY_ASCIICAST", value_name = "FILE", conflicts_with = "search")]
    pub(crate) asciicast: Option<PathBuf>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time() {
        let now = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        let millis = |text: &str| moment(text).map(|moment| moment.unix_millis(now));
        assert_eq!(millis("90m"), Ok(1_000_000_000 - 5_400_000));
        assert_eq!(millis("1970-01-02"), Ok(86_400_000));
        assert_eq!(millis("1970-01-01T00:00:01.5Z"), Ok(1_500));
        for nonsense in ["", "h", "-3d", "soon", "99999999999999999999w"] {
            assert!(moment(nonsense).is_err(), "{nonsense}");
        }
    }
}
