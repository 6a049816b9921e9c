//! Arguments of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::sessions::{Moment, moment};

/// Check policies offline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop policy check site/\n  hoop policy test site/\n  \
                  hoop policy explain site/ --user alice --group engineers pg-prod 'DELETE FROM orders'\n  \
                  hoop policy diff before/ after/\n  hoop policy fmt --check site/\n  hoop policy backtest site/ --since 7d\n  hoop policy schema > hoop.cedarschema")]
pub(crate) struct PolicyArguments {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    Check(PolicyCheck),
    Test(PolicyTest),
    Explain(PolicyExplain),
    Diff(PolicyDiff),
    Fmt(PolicyFmt),
    Backtest(PolicyBacktest),
    Schema(PolicySchema),
}

/// Check a site's files as the gateway would, and print every mistake with its place and fix
#[derive(Debug, Args)]
pub(crate) struct PolicyCheck {
    /// The site's folder
    #[arg(value_name = "SITE", default_value = ".")]
    pub(crate) site: PathBuf,
}

/// Print the Cedar schema that policies are checked against, or the JSON Schema of one of the site's TOML files
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop policy schema > hoop.cedarschema\n  \
                  hoop policy schema --toml connections > site/schema/connections.json\n\n\
                  `hoop init` writes these schemas and the line `#:schema` by which taplo (Even Better TOML) finds them.")]
pub(crate) struct PolicySchema {
    /// Of this TOML file, for editors
    #[arg(long, env = "HOOP_SCHEMA_TOML", value_enum, value_name = "FILE")]
    pub(crate) toml: Option<SchemaOf>,
}

/// A TOML file of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// `gateway.toml`
    Gateway,
    /// `connections.toml`
    Connections,
    /// `masking.toml`
    Masking,
    /// `agents.toml`
    Agents,
    /// The policy cases: `tests/*.toml`
    Tests,
}

/// Run a site's policy cases offline, and print those that come out otherwise
#[derive(Debug, Args)]
pub(crate) struct PolicyTest {
    /// The site's folder
    #[arg(value_name = "SITE", default_value = ".")]
    pub(crate) site: PathBuf,
}

/// Say offline what an operation would come to, by which rules, and what they oblige to
#[derive(Debug, Args)]
#[command(
    long_about = "Say offline what an operation would come to. What only a server knows is assumed: the tables that it names \
                  are there, and a predicate leaves rows out as its text says. `hoop can` asks the gateway itself."
)]
pub(crate) struct PolicyExplain {
    /// The site's folder
    #[arg(value_name = "SITE")]
    pub(crate) site: PathBuf,
    /// The connection
    #[arg(value_name = "NAME")]
    pub(crate) connection: String,
    /// A statement, or a request such as `POST /refunds {"amount": 5}`
    #[arg(value_name = "OPERATION")]
    pub(crate) operation: String,
    /// The person who asks
    #[arg(long, env = "HOOP_USER", value_name = "NAME", required_unless_present = "agent", conflicts_with = "agent")]
    pub(crate) user: Option<String>,
    /// The agent who asks; its owner and groups are those of agents.toml
    #[arg(long, env = "HOOP_AGENT", value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// A group of whoever asks; may be given again
    #[arg(long = "group", env = "HOOP_GROUPS", value_name = "GROUP", value_delimiter = ',')]
    pub(crate) groups: Vec<String>,
}

/// Say what differs between the policies of two sites, and which of their cases come out otherwise
#[derive(Debug, Args)]
pub(crate) struct PolicyDiff {
    /// The folder of one site
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// The folder of the other
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
}

/// Lay out policies in the one way
#[derive(Debug, Args)]
pub(crate) struct PolicyFmt {
    /// Sites' folders, or files
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// Change nothing; name the files that are laid out otherwise, and fail where there are some
    #[arg(long, env = "HOOP_CHECK")]
    pub(crate) check: bool,
}

/// Decide recorded operations again by a site's policies, and list what would come out otherwise
#[derive(Debug, Args)]
#[command(
    long_about = "Decide recorded operations again by a site's policies, and list what would come out otherwise. The record is the \
                  gateway's, which shows the sessions that you may replay; or, without a gateway, files that were exported from it. \
                  What a record cannot show (sealed values, what only the server knew) is said.",
    after_help = "Examples:\n  hoop policy backtest site/ --since 7d\n  \
                  hoop replay SESSION --output jsonl >> record.jsonl\n  hoop policy backtest site/ --record record.jsonl"
)]
pub(crate) struct PolicyBacktest {
    /// The site's folder
    #[arg(value_name = "SITE")]
    pub(crate) site: PathBuf,
    /// How far back: `7d`, `12h`, `90m`, a day or a time
    #[arg(long, env = "HOOP_SINCE", value_name = "TIME", default_value = "7d", value_parser = moment)]
    pub(crate) since: Moment,
    /// As many sessions at most
    #[arg(long, env = "HOOP_LIMIT", value_name = "NUMBER", default_value_t = 500)]
    pub(crate) limit: u32,
    /// What `hoop replay --output jsonl` printed, of one session or of several, instead of a gateway; may be given again
    #[arg(long = "record", env = "HOOP_RECORD", value_name = "FILE", conflicts_with_all = ["since", "limit"])]
    pub(crate) records: Vec<PathBuf>,
}
