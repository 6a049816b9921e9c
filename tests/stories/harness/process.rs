//! A child process whose lines can be waited for, that never outlives the story and never outlasts its deadline.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::PATIENCE;

/// Which of its two outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Errors,
}

enum Event {
    Line(Stream, String),
    Exited(ExitStatus),
}

/// A running program.
pub(crate) struct Program {
    name: String,
    pid: Pid,
    stdin: Option<ChildStdin>,
    events: Receiver<Event>,
    lines: Vec<(Stream, String)>,
    read: usize,
    status: Option<ExitStatus>,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Outcome {
    /// The exit status; a signal fails the story.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }

    /// Fails the story unless the program succeeded; gives its output.
    pub(crate) fn success(self) -> String {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.output, self.errors);
        self.output
    }
}

impl Program {
    /// Starts it with all three streams piped. Standard input stays open until `close_input`.
    pub(crate) fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let (sender, events) = channel();
        let readers = [
            follow(Stream::Output, child.stdout.take().expect("piped"), sender.clone()),
            follow(Stream::Errors, child.stderr.take().expect("piped"), sender.clone()),
        ];
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        let stdin = child.stdin.take();
        reap(child, readers, sender);
        Self { name, pid, stdin, events, lines: Vec::new(), read: 0, status: None }
    }

    /// Runs it to its end with this input.
    pub(crate) fn run(command: &mut Command, input: &str) -> Outcome {
        let mut program = Self::start(command);
        program.write(input);
        program.close_input();
        program.finish()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Writes to its standard input. A program that has gone already is noticed by whoever waits for it.
    pub(crate) fn write(&mut self, input: &str) {
        if let Some(stdin) = &mut self.stdin {
            drop(stdin.write_all(input.as_bytes()).and_then(|()| stdin.flush()));
        }
    }

    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next line, of those not waited for yet, for which `wanted` gives something.
    pub(crate) fn expect<T>(&mut self, what: &str, wanted: impl Fn(Stream, &str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some((stream, line)) = self.lines.get(self.read) {
                self.read += 1;
                if let Some(found) = wanted(*stream, line) {
                    return found;
                }
            }
            assert!(
                self.status.is_none() && self.pump(deadline),
                "{} never said {what}:\n{}",
                self.name,
                self.transcript()
            );
        }
    }

    /// Waits for a line that contains `part`.
    pub(crate) fn expect_line(&mut self, part: &str) -> String {
        self.expect(part, |_, line| line.contains(part).then(|| line.to_owned()))
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while self.status.is_none() {
            assert!(self.pump(deadline), "{} did not end:\n{}", self.name, self.transcript());
        }
        let text = |wanted: Stream| {
            let lines = self.lines.iter().filter(|(stream, _)| *stream == wanted);
            lines.fold(String::new(), |all, (_, line)| all + line + "\n")
        };
        Outcome { status: self.status.expect("ended"), output: text(Stream::Output), errors: text(Stream::Errors) }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // It may have ended a moment ago.
            kill(self.pid, signal).ok();
        }
    }

    /// Everything it said so far, lines that nobody waited for included.
    pub(crate) fn so_far(&mut self) -> String {
        while let Ok(event) = self.events.try_recv() {
            match event {
                Event::Line(stream, line) => self.lines.push((stream, line)),
                Event::Exited(status) => self.status = Some(status),
            }
        }
        self.transcript()
    }

    /// Everything it said, as far as it was waited for.
    fn transcript(&self) -> String {
        self.lines.iter().fold(String::new(), |all, (_, line)| all + "  | " + line + "\n")
    }

    /// Takes one event; false when the deadline passed.
    fn pump(&mut self, deadline: Instant) -> bool {
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Line(stream, line)) => self.lines.push((stream, line)),
            Ok(Event::Exited(status)) => self.status = Some(status),
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => panic!("{} was not reaped", self.name),
        }
        true
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            if let Event::Exited(status) = event {
                self.status = Some(status);
            }
        }
        self.signal(Signal::SIGKILL);
    }
}

fn follow(stream: Stream, source: impl Read + Send + 'static, events: Sender<Event>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while source.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            line.clear();
            if events.send(Event::Line(stream, text)).is_err() {
                break;
            }
        }
    })
}

/// Waits for the child elsewhere, so that its end is an event like its lines, after the last of them.
fn reap(mut child: Child, readers: [thread::JoinHandle<()>; 2], events: Sender<Event>) {
    thread::spawn(move || {
        for reader in readers {
            drop(reader.join());
        }
        let status = child.wait().expect("a child is waited for once");
        drop(events.send(Event::Exited(status)));
    });
}
