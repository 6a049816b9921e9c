//! A child process whose lines can be waited for, with a deadline.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::failure::Failure;

/// How long the demo waits for one thing.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which of its outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Output,
    Errors,
}

/// A running child. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Child {
    name: String,
    process: tokio::process::Child,
    lines: UnboundedReceiver<(Source, String)>,
    said: Vec<(Source, String)>,
    readers: JoinSet<()>,
}

/// How it ended and what it said.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: std::process::ExitStatus,
    said: Vec<(Source, String)>,
}

impl Ended {
    /// Everything it said, in order of arrival.
    pub(super) fn everything(&self) -> String {
        self.said.iter().map(|(_source, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// What it wrote to standard output.
    pub(super) fn output(&self) -> String {
        let lines = self.said.iter().filter(|(source, _line)| *source == Source::Output);
        lines.map(|(_source, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Child {
    /// Starts it with no input.
    pub(super) fn start(name: &str, command: &mut Command) -> Result<Self, Failure> {
        let spawned = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut process =
            spawned.map_err(|error| Failure::failed(format!("{name} did not start")).caused_by(&error))?;
        let (sender, lines) = unbounded_channel();
        let mut readers = JoinSet::new();
        if let (Some(output), Some(errors)) = (process.stdout.take(), process.stderr.take()) {
            readers.spawn(follow(Source::Output, output, sender.clone()));
            readers.spawn(follow(Source::Errors, errors, sender));
        }
        Ok(Self { name: name.to_owned(), process, lines, said: Vec::new(), readers })
    }

    /// Runs it to its end.
    pub(super) async fn run(name: &str, command: &mut Command) -> Result<Ended, Failure> {
        Self::start(name, command)?.finish().await
    }

    /// Its process id, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for the next line for which `wanted` gives something. Fails when it ends or too much time passes.
    pub(super) async fn wait_for<T>(
        &mut self,
        what: &str,
        wanted: impl Fn(Source, &str) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match timeout_at(deadline, self.lines.recv()).await {
                Ok(Some((source, line))) => {
                    let found = wanted(source, &line);
                    self.said.push((source, line));
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
                Ok(None) => return Err(self.silent(&format!("ended without saying {what}"))),
                Err(_elapsed) => return Err(self.silent(&format!("did not say {what} in time"))),
            }
        }
    }

    /// Waits for its end.
    pub(super) async fn finish(mut self) -> Result<Ended, Failure> {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(Some(line)) = timeout_at(deadline, self.lines.recv()).await {
            self.said.push(line);
        }
        match timeout_at(deadline, self.process.wait()).await {
            Ok(Ok(status)) => Ok(Ended { status, said: std::mem::take(&mut self.said) }),
            Ok(Err(error)) => Err(self.silent("could not be waited for").caused_by(&error)),
            Err(_elapsed) => Err(self.silent("did not end in time")),
        }
    }

    /// Waits for its end after it was asked to; what it still says is not kept.
    pub(super) async fn gone(mut self) {
        self.readers.detach_all();
        drop(timeout_at(Instant::now() + PATIENCE, self.process.wait()).await);
    }

    fn silent(&self, what: &str) -> Failure {
        let tail: Vec<&str> = self.said.iter().rev().take(12).map(|(_source, line)| line.as_str()).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        let failure = Failure::failed(format!("{} {what}", self.name));
        if tail.is_empty() { failure } else { failure.because(format!("it said:\n{}", tail.join("\n"))) }
    }
}

async fn follow(source: Source, stream: impl AsyncRead + Unpin, lines: UnboundedSender<(Source, String)>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        line.clear();
        // Nobody waits any more; the pipe is still drained, so that the child never stalls.
        drop(lines.send((source, text)));
    }
}
