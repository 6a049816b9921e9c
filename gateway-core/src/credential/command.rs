//! `exec:`: the secret is what a program writes. No shell, no input, an environment of three variables, a bounded answer
//! in a bounded time. What it says on standard error is shown to nobody: it may quote the secret.

use std::{process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{io::AsyncReadExt as _, process::Command};

use super::{CredentialError, MAX_SECRET_BYTES};
use crate::config::SecretCommand;

/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the program and takes what it writes.
pub(super) async fn run(command: &SecretCommand) -> Result<String, CredentialError> {
    let failed = |why: String| CredentialError::Command { program: command.program.clone(), why };
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .envs(std::env::var_os("HOME").map(|home| ("HOME", home)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("it cannot be started: {error}")))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let output = child.stdout.take();
    let answer = async {
        let mut bytes = Vec::new();
        if let Some(output) = output {
            output.take(MAX_SECRET_BYTES + 2).read_to_end(&mut bytes).await?;
        }
        let status = if bytes.len() as u64 > MAX_SECRET_BYTES { None } else { Some(child.wait().await?) };
        Ok::<_, std::io::Error>((bytes, status))
    };
    let outcome = tokio::time::timeout(PATIENCE, answer).await;
    let why = match outcome {
        Ok(Ok((bytes, Some(status)))) if status.success() => {
            return String::from_utf8(bytes).map_err(|_binary| failed("it wrote no UTF-8 text".to_owned()));
        }
        Ok(Ok((_, Some(status)))) => return Err(failed(format!("it ended with {status}"))),
        Ok(Ok((_, None))) => format!("it wrote more than {MAX_SECRET_BYTES} bytes"),
        Ok(Err(error)) => format!("it could not be heard: {error}"),
        Err(_elapsed) => format!("it did not end within {} s", PATIENCE.as_secs()),
    };
    // What it started ends with it.
    if let Some(group) = group
        && let Err(error) = killpg(Pid::from_raw(group), Signal::SIGKILL)
    {
        tracing::debug!(%error, "a program that gave no secret could not be ended");
    }
    Err(failed(why))
}
