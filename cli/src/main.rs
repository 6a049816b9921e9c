//! The binary `hoop`: reads the arguments, runs one command, prints one failure, leaves with one exit status.
//!
//! Knows no protocol and no policy; each command is one module with one `run`. Nothing else calls in here.

mod api_client;
mod approvals;
mod arguments;
mod audit;
mod can;
mod cert;
mod classify;
mod completions;
mod connect;
mod connections;
mod context;
mod dashboard;
mod demo;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(not(target_os = "linux"))]
#[path = "exec/elsewhere.rs"]
mod exec;
mod failure;
mod gateway;
#[cfg(test)]
mod generated;
mod http_client;
mod init;
mod login;
mod logout;
mod ls;
mod man;
mod mcp;
mod notifications;
mod output;
#[cfg_attr(not(test), expect(dead_code, reason = "the dashboard draws with the rest"))]
mod paint;
mod panic;
mod policy;
mod private_file;
mod replay;
mod runs;
mod secrets;
mod sessions;
mod site;
mod ssh;
mod status;
#[cfg(test)]
mod surface;
mod token;
mod token_store;
mod tools;
mod trust;
mod whoami;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use context::Context;
use failure::{ExitStatus, Failure};

fn main() -> ExitCode {
    panic::install_hook();
    let status = panic::guard(|| {
        if let Some(stage) = exec::Stage::of_this_process() {
            return stage.run();
        }
        let arguments = match arguments::parse() {
            Ok(arguments) => arguments,
            Err(status) => return status,
        };
        let context = match Context::new(&arguments) {
            Ok(context) => context,
            Err(failure) => return output::Output::plain().failure(&failure),
        };
        run(arguments, &context).unwrap_or_else(|failure| context.output.failure(&failure))
    });
    status.into()
}

fn run(arguments: Arguments, context: &Context) -> Result<ExitStatus, Failure> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_installed| Failure::internal("a second TLS provider was installed"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("the asynchronous runtime did not start").caused_by(&error))?;
    let outcome = runtime.block_on(dispatch(arguments.command, context));
    // A thread that still waits for the keyboard must not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(command: Command, context: &Context) -> Result<ExitStatus, Failure> {
    match command {
        Command::Login(arguments) => Box::pin(login::run(arguments, context)).await,
        Command::Logout(arguments) => Box::pin(logout::run(arguments, context)).await,
        Command::Whoami(arguments) => Box::pin(whoami::run(arguments, context)).await,
        Command::Status(arguments) => Box::pin(status::run(arguments, context)).await,
        Command::Ls(arguments) => Box::pin(ls::run(arguments, context)).await,
        Command::Connect(arguments) => Box::pin(connect::run(arguments, context)).await,
        Command::Exec(arguments) => Box::pin(exec::run(arguments, context)).await,
        Command::Mcp(arguments) => Box::pin(mcp::run(arguments, context)).await,
        Command::Can(arguments) => Box::pin(can::run(arguments, context)).await,
        Command::Classify(arguments) => Box::pin(classify::run(arguments, context)).await,
        Command::SshConfig(arguments) => Box::pin(ssh::configuration(arguments, context)).await,
        Command::Ssh(arguments) => Box::pin(ssh::run(arguments, context)).await,
        Command::Token(arguments) => Box::pin(token::run(arguments, context)).await,
        Command::Cert(arguments) => Box::pin(cert::run(arguments, context)).await,
        Command::Approvals(arguments) => Box::pin(approvals::run(arguments, context)).await,
        Command::Notifications(arguments) => Box::pin(notifications::run(arguments, context)).await,
        Command::Tools(arguments) => Box::pin(tools::run(arguments, context)).await,
        Command::Sessions(arguments) => Box::pin(sessions::run(arguments, context)).await,
        Command::Runs(arguments) => Box::pin(runs::run(arguments, context)).await,
        Command::Replay(arguments) => Box::pin(replay::run(arguments, context)).await,
        Command::Dashboard(arguments) => Box::pin(dashboard::run(arguments, context)).await,
        Command::Audit(arguments) => Box::pin(audit::run(arguments, context)).await,
        Command::Connections(arguments) => Box::pin(connections::run(arguments, context)).await,
        Command::Secrets(arguments) => Box::pin(secrets::run(arguments, context)).await,
        Command::Policy(arguments) => Box::pin(policy::run(arguments, context)).await,
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Apply(arguments) => Box::pin(site::apply(arguments, context)).await,
        Command::Diff(arguments) => Box::pin(site::diff(arguments, context)).await,
        Command::Rollback(arguments) => Box::pin(site::roll_back(arguments, context)).await,
        Command::Site(arguments) => Box::pin(site::run(arguments, context)).await,
        Command::Gateway(arguments) => Box::pin(gateway::run(arguments, context)).await,
        Command::Demo(arguments) => Box::pin(demo::run(arguments, context)).await,
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments, context),
    }
}
