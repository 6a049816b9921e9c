//! Arguments of `runs`.

use clap::{Args, Subcommand};
use hoop_gateway_core::model::RunId;

/// List and show runs: what `hoop exec` started, and everything that happened in it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop runs ls\n  hoop runs show run_01hzy3…\n  \
                        hoop runs show run_01hzy3… --output json\n  hoop runs export run_01hzy3… > run.jsonl")]
pub(crate) struct RunsArguments {
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
}

/// What to do with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    Ls(ListRuns),
    /// Show one run: who it stands for, what it used up, and its timeline across all its sessions
    Show {
        /// The run
        #[arg(value_name = "RUN")]
        run: RunId,
    },
    /// Print the whole timeline of a run, one recorded event a line, as JSON
    Export {
        /// The run
        #[arg(value_name = "RUN")]
        run: RunId,
    },
}

/// List runs, newest first: your own, and those that the policy lets you see
#[derive(Debug, Args)]
pub(crate) struct ListRuns {
    /// At most so many
    #[arg(long, env = "HOOP_RUNS_LIMIT", value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: u32,
}
