//! Arguments of `dashboard`.

use clap::{Args, builder::FalseyValueParser};

/// Decide, watch and replay in the terminal.
#[derive(Debug, Args)]
#[command(
    after_help = "Keys:\n  ?  every key that works here\n  1 to 5, tab  approvals, sessions, replays, runs, health\n  \
                        a, then y  approve, once the whole statement was on the screen\n  d  deny, with a reason\n  \
                        q  quit\n\nExamples:\n  hoop dashboard\n  hoop dashboard --ring\n  \
                        HOOP_DASHBOARD_MOUSE=1 hoop dashboard --theme light"
)]
pub(crate) struct DashboardArguments {
    /// Ring when a new request comes: the bell, and a notification where the terminal has them (OSC 9)
    #[arg(long, env = "HOOP_DASHBOARD_RING", value_parser = FalseyValueParser::new())]
    pub(crate) ring: bool,
    /// Use the mouse: the wheel scrolls, a click selects
    #[arg(long, env = "HOOP_DASHBOARD_MOUSE", value_parser = FalseyValueParser::new())]
    pub(crate) mouse: bool,
}
