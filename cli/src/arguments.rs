//! Every command, flag and help text: the one definition that the parser, the help, the completions and the man pages
//! are made of. Knows no command's work.

mod approvals;
mod can;
mod connect;
mod dashboard;
mod exec;
mod gateway;
mod generate;
mod identity;
mod init;
mod lasting;
mod mcp;
mod notifications;
mod policy;
mod runs;
mod secrets;
mod sessions;
mod site;
mod ssh;
mod tools;

pub(crate) use approvals::{ApprovalsArguments, ApprovalsCommand, DecideArguments, DenyArguments, ListApprovals};
pub(crate) use can::CanArguments;
pub(crate) use connect::{CertArguments, ClassifyArguments, ConnectArguments, LsArguments, TokenArguments};
pub(crate) use dashboard::DashboardArguments;
pub(crate) use exec::ExecArguments;
pub(crate) use gateway::{DemoArguments, GatewayArguments, GatewayCommand, GatewayRun, RecordingDurability};
pub(crate) use generate::{CompletionsArguments, ManArguments, Shell};
pub(crate) use identity::{LoginArguments, LogoutArguments, StatusArguments, WhoamiArguments};
pub(crate) use init::{InitArguments, StarterName};
pub(crate) use mcp::McpArguments;
pub(crate) use notifications::{NotificationsArguments, NotificationsCommand, WhichNotifications};
pub(crate) use policy::{
    PolicyArguments, PolicyBacktest, PolicyCommand, PolicyDiff, PolicyExplain, PolicyFmt, SchemaOf,
};
pub(crate) use runs::{ListRuns, RunsArguments, RunsCommand};
pub(crate) use secrets::{ConnectionsArguments, ConnectionsCommand, OneSecret, SecretsArguments, SecretsCommand};
pub(crate) use sessions::{
    AuditArguments, AuditCommand, AuditVerify, KillSession, ListSessions, ReplayArguments, SessionsArguments,
    SessionsCommand,
};
pub(crate) use site::{
    ApplyArguments, DiffArguments, RollbackArguments, ShowSite, SiteArguments, SiteCommand, WhyArguments,
};
pub(crate) use ssh::{SshArguments, SshCommand, SshConfigArguments};
pub(crate) use tools::{AcceptedTool, OneTool, ToolsArguments, ToolsCommand};

use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
    builder::{FalseyValueParser, Styles, styling::AnsiColor},
};

use crate::{
    failure::{ExitStatus, FailureKind},
    paint::ThemeName,
};

/// A terminal-first access gateway for people and AI agents.
#[derive(Debug, Parser)]
#[command(
    name = "hoop",
    version,
    about = "A terminal-first access gateway for people and AI agents",
    long_about = "hoop opens local tunnels to databases behind a gateway that decides, records and masks every operation. \
                  Log in once, connect by name, and use the native client as always.",
    after_help = EXAMPLES,
    styles = STYLES,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) globals: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArguments {
    /// The gateway to speak to; without it, the one of the last login
    #[arg(long, global = true, env = "HOOP_GATEWAY", value_name = "URL")]
    pub(crate) gateway: Option<String>,
    /// How to print results: for people, as one JSON document, or as one JSON object a line
    #[arg(long, global = true, env = "HOOP_OUTPUT", value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// When to use colour; `NO_COLOR` and `TERM=dumb` are honoured
    #[arg(long, global = true, env = "HOOP_COLOR", value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// The colours of everything that fills the screen
    #[arg(long, global = true, env = "HOOP_THEME", value_enum, default_value_t = ThemeName::Dark, value_name = "THEME")]
    pub(crate) theme: ThemeName,
    /// Draw with ASCII alone; so it is anyway where the locale is not UTF-8
    #[arg(long, global = true, env = "HOOP_ASCII", value_parser = FalseyValueParser::new())]
    pub(crate) ascii: bool,
    /// Never ask anything; fail and say what is missing
    #[arg(long, global = true, env = "HOOP_NO_INPUT", value_parser = FalseyValueParser::new())]
    pub(crate) no_input: bool,
    /// Say more on standard error; twice and thrice say still more
    #[arg(short, long, global = true, env = "HOOP_VERBOSE", action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The form of results on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people
    Table,
    /// One versioned JSON document
    Json,
    /// One versioned JSON object a line
    Jsonl,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal that has it
    Auto,
    /// Always, also into a pipe
    Always,
    /// Never
    Never,
}

/// The commands, in the order of the help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(LoginArguments),
    Logout(LogoutArguments),
    Whoami(WhoamiArguments),
    Status(StatusArguments),
    Ls(LsArguments),
    Connect(ConnectArguments),
    Exec(ExecArguments),
    Mcp(McpArguments),
    Can(CanArguments),
    Token(TokenArguments),
    #[command(name = "ssh-config")]
    SshConfig(SshConfigArguments),
    Ssh(SshArguments),
    Cert(CertArguments),
    Classify(ClassifyArguments),
    Approvals(ApprovalsArguments),
    Notifications(NotificationsArguments),
    Tools(ToolsArguments),
    Sessions(SessionsArguments),
    Runs(RunsArguments),
    Replay(ReplayArguments),
    Dashboard(DashboardArguments),
    Audit(AuditArguments),
    Policy(PolicyArguments),
    Connections(ConnectionsArguments),
    Secrets(SecretsArguments),
    Init(InitArguments),
    Apply(ApplyArguments),
    Diff(DiffArguments),
    Rollback(RollbackArguments),
    Site(SiteArguments),
    Gateway(GatewayArguments),
    Demo(DemoArguments),
    Completions(CompletionsArguments),
    Man(ManArguments),
}

/// The command-line definition itself, for completions and man pages.
pub(crate) fn definition() -> clap::Command {
    Arguments::command()
}

/// Reads the process's arguments. Help and version are printed here; so are mistakes, with status 2.
pub(crate) fn parse() -> Result<Arguments, ExitStatus> {
    let parsed = definition().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| {
        // Nobody may be reading any more; then there is nobody to tell.
        drop(error.print());
        if error.use_stderr() { FailureKind::Usage.exit_status() } else { ExitStatus::SUCCESS }
    })
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  hoop login --gateway https://gateway.example.com
  hoop connect pg-prod                 tunnel on 127.0.0.1, prints a ready psql command
  hoop connect pg-prod -- -c 'TABLE t' start psql through the tunnel
  hoop exec -c pg-prod -- python a.py  run a program with tunnels, and a record of the run
  hoop approvals watch                 see what waits for you
  hoop dashboard                       decide and watch in the terminal
  hoop demo                            try everything on this machine

Exit status:
    0  done
    1  failed
    2  the arguments make no sense
    3  refused by policy
    4  not logged in
    5  the gateway or the upstream cannot be reached
    8  an approval is pending, or nobody decided in time
   70  a fault of hoop itself
  130  interrupted
  The status of a client or a command that hoop started passes through.

Environment:
  Each flag can be set by the variable that its help names.
  HOOP_TOKEN_STORE   keyring or file: where `hoop login` keeps tokens
  HOOP_CONFIG_HOME   where config.toml is, otherwise ~/.config/hoop; it may set `gateway`
  HOOP_STATE_HOME    state, otherwise ~/.local/state/hoop
  HOOP_LOG           what to log to standard error, such as hoop=debug";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
                let name = argument.get_id().as_str();
                if matches!(name, "help" | "version") {
                    continue;
                }
                let variable = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(variable.starts_with("HOOP_"), "{} {name}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&definition());
    }

    #[test]
    fn every_command_and_flag_explains_itself() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&definition());
    }
}
